//! docs/GUIDE.md: every command in it runs, and answers as the guide shows, numbers and times aside.

use std::{sync::Arc, time::SystemTime};

use offpeak_core::model::{Millis, Time};
use offpeak_server::clock::ManualClock;

use super::{Cell, Ran};

/// The guide tells what is answered in the minute after the cell was set up.
const SECONDS: u32 = 60;

/// A command of the guide, and what it is said to print.
struct Example {
    command: String,
    lines: Vec<String>,
    /// Other lines may stand between those.
    is_part: bool,
}

impl Example {
    fn is_met(&self, ran: &Ran) -> bool {
        let mut printed = ran.stdout.lines().filter(|line| !line.is_empty()).map(shape);
        let mut wanted = self.lines.iter().map(|line| shape(line));
        let meets = if self.is_part {
            wanted.all(|wanted| printed.any(|line| line == wanted))
        } else {
            wanted.eq(printed)
        };
        ran.code == Some(0) && meets
    }
}

#[tokio::test]
async fn every_command_of_the_guide_answers_as_it_says() {
    let guide = include_str!("../../../docs/GUIDE.md");
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("it is past 1970").as_millis();
    let now = Time(u64::try_from(now).expect("it is long until then"));
    // At noon: what is told by days would look otherwise around midnight.
    let begin = Time(now.0 - now.0 % Millis::DAY.0 + Millis::DAY.0 / 2);
    let cell = Cell::at(Arc::new(ManualClock::new(begin))).await;
    for command in blocks(guide, "sh").next().expect("how the cell is set up").0.lines() {
        ran(&cell, command).await.ends_with(0);
    }
    let mut left = examples(guide);
    assert_eq!(left.len(), 10, "each of the ten questions has its command");
    for _ in 0..SECONDS {
        let mut unmet = Vec::new();
        for example in left {
            if !example.is_met(&ran(&cell, &example.command).await) {
                unmet.push(example);
            }
        }
        left = unmet;
        if left.is_empty() {
            break;
        }
        cell.advance(1_000);
    }
    if let Some(example) = left.first() {
        let printed = ran(&cell, &example.command).await.stdout;
        panic!("`{}` prints\n{printed}\nand not\n{}", example.command, example.lines.join("\n"));
    }
    cell.stop().await;
}

async fn ran(cell: &Cell, command: &str) -> Ran {
    cell.run(command.strip_prefix("offpeak ").expect("a command of the tool")).await
}

/// The fenced blocks of a language, each with the text after it.
fn blocks<'a>(text: &'a str, language: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let fenced = text.split(&*format!("```{language}\n")).skip(1).collect::<Vec<_>>();
    fenced.into_iter().filter_map(|block| block.split_once("```\n"))
}

fn examples(guide: &str) -> Vec<Example> {
    let example = |(block, after): (&str, &str)| {
        let (command, printed) = block.strip_prefix("$ ")?.split_once('\n')?;
        let lines = printed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let is_part = after.trim_start().starts_with("(among other lines)");
        Some(Example { command: command.to_owned(), lines, is_part })
    };
    blocks(guide, "text").filter_map(example).collect()
}

/// A line without what differs from one time to the next: numbers and times, how far off those are, and columns' widths.
fn shape(line: &str) -> String {
    let mut words = Vec::new();
    let mut rest = line.split_whitespace();
    while let Some(word) = rest.next() {
        match (word, rest.clone().next()) {
            ("(in", Some(_)) => {
                rest.next();
            }
            (_, Some("ago)")) if word.starts_with('(') => {
                rest.next();
            }
            _ => words.push(without_numbers(word)),
        }
    }
    words.join(" ")
}

/// The word with each number replaced, unless it is a name.
fn without_numbers(word: &str) -> String {
    if word.starts_with(char::is_alphabetic) {
        return word.to_owned();
    }
    let mut shape = String::new();
    for letter in word.chars() {
        if !letter.is_ascii_digit() && letter != '.' {
            shape.push(letter);
        } else if !shape.ends_with('#') {
            shape.push('#');
        }
    }
    let is_time = shape.contains('#') && shape.chars().all(|letter| "#hmsdTZ:-%".contains(letter));
    if is_time { "#".to_owned() } else { shape }
}
