//! How the picture is drawn, on 80 columns and 24 lines or more.

#[cfg(test)]
mod tests;

use offpeak::v1::{Capacity, Resources, Tenant};
use ratatui::{
    Frame, Terminal,
    backend::TestBackend,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Cell, Paragraph, Row, Table},
};

use super::picture::{Happened, Picture};
use crate::cli::{cell::DIMENSIONS, human, job_show, percent};

/// What is shown below the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Page {
    #[default]
    Jobs,
    Tenants,
    Regions,
    Notices,
    Events,
}

/// Which part of a picture is shown.
#[derive(Debug, Default)]
pub(super) struct Screen {
    pub(super) page: Page,
    /// Lines that are scrolled past.
    skipped: usize,
    pub(super) is_held: bool,
    /// It is text that nobody can press a key for.
    is_printed: bool,
}

const PAGES: [(Page, &str); 5] = [
    (Page::Jobs, "Jobs"),
    (Page::Tenants, "Tenants"),
    (Page::Regions, "Regions"),
    (Page::Notices, "Notices"),
    (Page::Events, "Events"),
];

/// The size of a screen that is printed.
const PRINTED: (u16, u16) = (80, 24);

const FAINT: Style = Style::new().fg(Color::DarkGray);
const HEAD: Style = Style::new().add_modifier(Modifier::BOLD);
const WARNING: Style = Style::new().fg(Color::Yellow);
const OWNERS: Style = Style::new().fg(Color::Blue);
const LENT: Style = Style::new().fg(Color::Green);

impl Page {
    pub(super) fn numbered(digit: char) -> Option<Self> {
        let index = usize::try_from(digit.to_digit(10)?).ok()?.checked_sub(1)?;
        PAGES.get(index).map(|(page, _)| *page)
    }

    pub(super) fn next(self) -> Self {
        self.turned(1)
    }

    pub(super) fn before(self) -> Self {
        self.turned(PAGES.len() - 1)
    }

    fn turned(self, by: usize) -> Self {
        let at = PAGES.iter().position(|(page, _)| *page == self).unwrap_or(0);
        PAGES[(at + by) % PAGES.len()].0
    }
}

impl Screen {
    pub(super) fn printed() -> Self {
        Self { is_printed: true, ..Self::default() }
    }

    pub(super) fn turn_to(&mut self, page: Page) {
        self.page = page;
        self.skipped = 0;
    }

    pub(super) fn scroll(&mut self, lines: isize) {
        self.skipped = self.skipped.saturating_add_signed(lines);
    }
}

/// What is drawn on a terminal of the usual size, as text.
pub(super) fn text(screen: &Screen, picture: &Picture) -> String {
    let (width, height) = PRINTED;
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(drawn) = terminal.draw(|frame| draw(frame, screen, picture));
    let cells = drawn.buffer.content();
    let lines = cells.chunks(usize::from(width)).map(|line| {
        let line: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", line.trim_end())
    });
    let text: String = lines.collect();
    format!("{}\n", text.trim_end())
}

pub(super) fn draw(frame: &mut Frame<'_>, screen: &Screen, picture: &Picture) {
    let bars = bars(picture, frame.area().width);
    let fleet = u16::try_from(bars.len()).unwrap_or(0);
    let areas = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(fleet),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ]);
    let [head, fleet, tabs, page, foot] = areas.areas(frame.area());
    frame.render_widget(Paragraph::new(title(picture)), head);
    frame.render_widget(Paragraph::new(bars), fleet);
    frame.render_widget(Paragraph::new(tab_line(screen)), tabs);
    frame.render_widget(Paragraph::new(foot_line(screen, picture, foot)), foot);
    let nothing = Paragraph::new(Span::styled("nothing to show", FAINT));
    let (table, count) = match screen.page {
        Page::Jobs => {
            let (lines, count) = jobs(screen, picture);
            return frame.render_widget(if count == 0 { nothing } else { lines }, page);
        }
        Page::Tenants => tenants(screen, picture),
        Page::Regions => regions(screen, picture),
        Page::Notices => events(screen, picture, |event| event.is_notice),
        Page::Events => events(screen, picture, |_| true),
    };
    if count == 0 {
        frame.render_widget(nothing, page);
    } else {
        frame.render_widget(table, page);
    }
}

fn title(picture: &Picture) -> Line<'static> {
    let total = picture.capacity.total.clone().unwrap_or_default();
    let text = format!(
        "{}  {} of {} ready  {} allocations  {} waiting  revision {}",
        human::dash(picture.status.cell.as_str()),
        human::count(total.ready_nodes),
        human::counted(total.nodes, "node"),
        human::count(total.allocations),
        human::counted(picture.capacity.pending_tasks, "task"),
        human::count(picture.capacity.revision),
    );
    Line::styled(text, HEAD)
}

/// One line a resource: what owners use, what is lent, and what is idle.
fn bars(picture: &Picture, width: u16) -> Vec<Line<'static>> {
    let total = picture.capacity.total.clone().unwrap_or_default();
    let zero = Resources::default();
    let has = total.capacity.as_ref().unwrap_or(&zero);
    let shown = DIMENSIONS.iter().filter(|(name, amount, _)| *name == "cpu" || amount(has) > 0);
    shown.map(|(name, amount, text)| bar(name, *amount, *text, &total, width)).collect()
}

fn bar(
    name: &str,
    amount: fn(&Resources) -> u64,
    text: fn(u64) -> String,
    total: &Capacity,
    width: u16,
) -> Line<'static> {
    let of = |part: &Option<Resources>| part.as_ref().map_or(0, amount);
    let (whole, owners, lent) = (of(&total.capacity), of(&total.owner_load), of(&total.lent));
    let numbers = format!(
        " owners {} + lent {} of {}",
        share(owners, whole),
        share(lent, whole),
        text(whole)
    );
    let label = format!("{name:<7}");
    let room = usize::from(width).saturating_sub(label.len() + numbers.len() + 2);
    let cells = |part: u64| {
        let cells = u128::from(part) * room as u128 / u128::from(whole.max(1));
        usize::try_from(cells).unwrap_or(room).min(room)
    };
    let (used, lent) = (cells(owners), cells(lent));
    let lent = lent.min(room - used);
    Line::from(vec![
        Span::styled(label, FAINT),
        Span::raw("["),
        Span::styled("#".repeat(used), OWNERS),
        Span::styled("=".repeat(lent), LENT),
        Span::styled(".".repeat(room - used - lent), FAINT),
        Span::raw("]"),
        Span::raw(numbers),
    ])
}

fn share(part: u64, whole: u64) -> String {
    format!("{:>4}", percent::part(part, whole))
}

fn tab_line(screen: &Screen) -> Line<'static> {
    if screen.is_printed {
        return Line::default();
    }
    let tab = |(number, (page, name)): (usize, &(Page, &str))| {
        let style =
            if *page == screen.page { HEAD.add_modifier(Modifier::REVERSED) } else { FAINT };
        [Span::styled(format!(" {number} {name} "), style), Span::raw(" ")]
    };
    Line::from((1..).zip(&PAGES).flat_map(tab).collect::<Vec<_>>())
}

fn foot_line(screen: &Screen, picture: &Picture, area: Rect) -> Line<'static> {
    if let Some(trouble) = &picture.trouble {
        let text: String = trouble.chars().take(usize::from(area.width)).collect();
        return Line::styled(text, WARNING);
    }
    if screen.is_printed {
        return Line::default();
    }
    if screen.is_held {
        return Line::styled("held still; space goes on", WARNING);
    }
    Line::styled("Tab or 1-5 page  arrows scroll  space hold  q quit", FAINT)
}

/// A table without what is scrolled past, and how many rows it has in all.
fn table<'a>(
    screen: &Screen,
    head: &[&'static str],
    widths: &[Constraint],
    rows: Vec<Row<'a>>,
) -> (Table<'a>, usize) {
    let count = rows.len();
    // The last row stays on the screen.
    let skipped = screen.skipped.min(count.saturating_sub(1));
    let head = Row::new(head.iter().map(|name| Cell::new(*name))).style(FAINT);
    let rows = rows.into_iter().skip(skipped);
    (Table::new(rows, widths.to_vec()).header(head).column_spacing(2), count)
}

/// Two lines a job that waits: the second says why.
fn jobs(screen: &Screen, picture: &Picture) -> (Paragraph<'static>, usize) {
    let mut lines: Vec<Line<'static>> = Vec::new();
    for job in &picture.jobs {
        let tasks = job.tasks.unwrap_or_default();
        let spec = job.spec.clone().unwrap_or_default();
        let style = if tasks.pending > 0 { WARNING } else { Style::new() };
        let name = format!("{}/{}", job.tenant, job.name);
        let waiting = human::count(u64::from(tasks.pending));
        let placed = human::count(u64::from(tasks.placed));
        let each = human::resources(spec.request.as_ref());
        lines.push(Line::styled(job_line(&name, &waiting, &placed, &each), style));
        let why = job_show::reasons(job).into_iter().next();
        lines.extend(why.map(|why| Line::styled(format!("  {why}"), FAINT)));
    }
    let count = lines.len();
    let skipped = screen.skipped.min(count.saturating_sub(1));
    let head = Line::styled(job_line("JOB", "WAITING", "PLACED", "EACH TASK"), FAINT);
    let shown = std::iter::once(head).chain(lines.into_iter().skip(skipped));
    (Paragraph::new(shown.collect::<Vec<_>>()), count)
}

fn job_line(name: &str, waiting: &str, placed: &str, each: &str) -> String {
    format!("{name:<30}  {waiting:>9}  {placed:>9}  {each}")
}

fn tenants<'a>(screen: &Screen, picture: &'a Picture) -> (Table<'a>, usize) {
    let widths = [
        Constraint::Length(20),
        Constraint::Length(6),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Min(20),
    ];
    let rows = picture.tenants.iter().map(tenant).collect();
    table(screen, &["TENANT", "WEIGHT", "PLACED", "WAITING", "HOLDS"], &widths, rows)
}

fn tenant(tenant: &Tenant) -> Row<'_> {
    let usage = tenant.usage.clone().unwrap_or_default();
    let waiting = usage.requested_tasks.saturating_sub(usage.held_tasks);
    Row::new(vec![
        Cell::new(tenant.name.as_str()),
        Cell::new(tenant.weight.to_string()),
        Cell::new(human::count(usage.held_tasks)),
        Cell::new(human::count(waiting)),
        Cell::new(human::resources(usage.held.as_ref())),
    ])
}

fn regions<'a>(screen: &Screen, picture: &'a Picture) -> (Table<'a>, usize) {
    let widths = [
        Constraint::Length(20),
        Constraint::Length(6),
        Constraint::Length(10),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Min(10),
    ];
    let rows = picture.capacity.regions.iter().map(region).collect();
    let head = ["REGION", "NODES", "CPU", "OWNERS", "LENT", "MAY BE LENT"];
    table(screen, &head, &widths, rows)
}

fn region(region: &Capacity) -> Row<'_> {
    let cpu = |part: &Option<Resources>| part.as_ref().map_or(0, |amount| amount.cpu_millis);
    let whole = cpu(&region.capacity);
    Row::new(vec![
        Cell::new(human::dash(region.region.as_str())),
        Cell::new(human::count(region.nodes)),
        Cell::new(human::millis(whole)),
        Cell::new(share(cpu(&region.owner_load), whole)),
        Cell::new(share(cpu(&region.lent), whole)),
        Cell::new(human::resources(region.headroom.as_ref())),
    ])
}

fn events<'a>(
    screen: &Screen,
    picture: &'a Picture,
    admits: fn(&Happened) -> bool,
) -> (Table<'a>, usize) {
    let widths = [Constraint::Length(8), Constraint::Length(18), Constraint::Min(20)];
    let rows = picture.events.iter().filter(|event| admits(event)).map(|event| {
        let style = if event.is_notice { WARNING } else { Style::new() };
        let cells = [event.time.as_str(), event.kind, event.what.as_str()];
        Row::new(cells.map(Cell::new)).style(style)
    });
    table(screen, &["TIME", "EVENT", "WHAT"], &widths, rows.collect())
}
