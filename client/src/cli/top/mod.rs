//! `offpeak top`: the cell on one screen, live.
//!
//! A [`Picture`] is fetched now and then (`picture.rs`), a watch adds what happens meanwhile, and `screen.rs` draws both.
//! Keys come from a thread of their own, because reading them blocks.

mod picture;
mod screen;

use std::{thread, time::Duration};

use clap::Args;
use offpeak_client::{Client, WatchMessage, WatchOptions, WatchStart};
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{MissedTickBehavior, interval},
};

use self::{
    picture::Picture,
    screen::{Page, Screen},
};
use super::{
    failure::{Failure, exit},
    human,
    output::Out,
    session::Session,
};

/// Keys that wait to be looked at.
const KEYS: usize = 64;

/// Watch the cell live: the fleet, jobs with what they wait for, tenants, notices and events.
///
/// WAITING is tasks without a place. PLACED is tasks that hold room on a node, whether they were reported to run or not.
/// Keys: Tab or 1 to 5 turn the page, arrows and Page Up and Down scroll, space holds the screen still, q ends.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak top
  offpeak top --interval 10s --tenant acme
  offpeak top --once")]
pub(crate) struct Top {
    /// How often to look
    #[arg(long, default_value = "2s", value_parser = human::parse_duration, value_name = "DURATION")]
    interval: Duration,
    /// Print one screen and end, as when the output is no terminal
    #[arg(long)]
    once: bool,
}

pub(crate) async fn run(top: &Top, session: &Session) -> Result<(), Failure> {
    if top.interval.is_zero() {
        let failure = Failure::new(exit::USAGE, "--interval must be longer than nothing");
        return Err(failure.hint("--interval 2s looks every two seconds"));
    }
    if !session.out.is_for_people() {
        let failure = Failure::new(exit::USAGE, "top draws a screen and knows no other format");
        return Err(failure.hint(
            "offpeak cell, job list, tenant list and events print what it shows as data, such as with -o json",
        ));
    }
    let client = session.connect().await?;
    let tenant = session.tenant.clone().filter(|_| session.tenant_is_explicit);
    let first = Picture::fetch(&client, tenant.as_deref()).await?;
    if top.once || !session.out.terminal {
        return print(&first, session.out);
    }
    let mut terminal = ratatui::try_init().map_err(|error| {
        Failure::new(exit::FAILURE, format!("cannot take over the terminal: {error}"))
    })?;
    let ended = live(top, &client, tenant.as_deref(), first, &mut terminal).await;
    ratatui::restore();
    ended
}

/// One screen as text, as wide as most terminals.
fn print(picture: &Picture, out: Out) -> Result<(), Failure> {
    out.print(&screen::text(&Screen::printed(), picture))
}

async fn live(
    top: &Top,
    client: &Client,
    tenant: Option<&str>,
    first: Picture,
    terminal: &mut DefaultTerminal,
) -> Result<(), Failure> {
    let mut picture = first;
    let mut screen = Screen::default();
    let mut keys = keys();
    let mut options = WatchOptions::new(WatchStart::Now);
    options.filter.tenant = tenant.unwrap_or_default().to_owned();
    let mut watch = client.watch(options);
    let mut turns = interval(top.interval);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        terminal.draw(|frame| screen::draw(frame, &screen, &picture))?;
        tokio::select! {
            _ = turns.tick(), if !screen.is_held => {
                match Picture::fetch(client, tenant).await {
                    Ok(new) => picture.replace(new),
                    // It may come back: what was seen last stays on the screen.
                    Err(failure) => picture.trouble = Some(failure.message().to_owned()),
                }
            }
            message = watch.next() => {
                if let WatchMessage::Events(batch) = message?
                    && !screen.is_held
                {
                    picture.note(&batch.events);
                }
            }
            key = keys.recv() => {
                let Some(key) = key else { return Ok(()) };
                if !press(&mut screen, key) {
                    return Ok(());
                }
            }
        }
    }
}

/// Keys as they are pressed, until nobody wants them any more.
fn keys() -> Receiver<KeyEvent> {
    let (tx, rx) = channel(KEYS);
    thread::spawn(move || read_keys(&tx));
    rx
}

fn read_keys(keys: &Sender<KeyEvent>) {
    while let Ok(event) = event::read() {
        if let Event::Key(key) = event
            && key.kind != KeyEventKind::Release
            && keys.blocking_send(key).is_err()
        {
            return;
        }
    }
}

/// Does what a key asks for. Whether to go on.
fn press(screen: &mut Screen, key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return false,
        KeyCode::Char('c') if control => return false,
        KeyCode::Char(' ') => screen.is_held = !screen.is_held,
        KeyCode::Tab | KeyCode::Right => screen.turn_to(screen.page.next()),
        KeyCode::BackTab | KeyCode::Left => screen.turn_to(screen.page.before()),
        KeyCode::Char(digit) => {
            if let Some(page) = Page::numbered(digit) {
                screen.turn_to(page);
            }
        }
        KeyCode::Down => screen.scroll(1),
        KeyCode::Up => screen.scroll(-1),
        KeyCode::PageDown => screen.scroll(10),
        KeyCode::PageUp => screen.scroll(-10),
        KeyCode::Home => screen.scroll(isize::MIN),
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::{
        press,
        screen::{Page, Screen},
    };

    #[test]
    fn keys_turn_pages_and_end() {
        let mut screen = Screen::default();
        let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
        for (code, page) in [
            (KeyCode::Tab, Page::Tenants),
            (KeyCode::Char('5'), Page::Events),
            (KeyCode::Right, Page::Jobs),
            (KeyCode::Left, Page::Events),
            (KeyCode::Char('9'), Page::Events),
        ] {
            assert!(press(&mut screen, key(code)));
            assert_eq!(screen.page, page);
        }
        assert!(!press(&mut screen, key(KeyCode::Char('q'))));
        assert!(!press(&mut screen, KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    }
}
