//! Tables without borders, as wide as their content, with no blanks at the ends of lines.

use clap::builder::styling::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

const GAP: &str = "   ";

/// How a cell is coloured, when colours are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Warning,
    Bad,
    Faint,
}

/// One field of a row.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

/// The head of a column. Numbers go to the right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    name: &'static str,
    to_the_right: bool,
}

/// A column of words.
pub(crate) const fn left(name: &'static str) -> Column {
    Column { name, to_the_right: false }
}

/// A column of numbers.
pub(crate) const fn right(name: &'static str) -> Column {
    Column { name, to_the_right: true }
}

impl Column {
    pub(crate) fn name(self) -> &'static str {
        self.name
    }
}

impl Cell {
    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

impl Tone {
    pub(crate) fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

/// Lays out the rows under their head.
pub(crate) fn render(columns: &[Column], rows: &[Vec<Cell>], color: bool) -> String {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.name.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.width());
        }
    }
    let head: Vec<Cell> =
        columns.iter().map(|column| Cell::toned(column.name, Tone::Faint)).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (index, (cell, column)) in row.iter().zip(columns).enumerate() {
            let padding = " ".repeat(widths[index] - cell.text.width());
            let shown = paint(&cell.text, cell.tone, color);
            if index > 0 {
                line.push_str(GAP);
            }
            if column.to_the_right {
                line.push_str(&padding);
                line.push_str(&shown);
            } else {
                line.push_str(&shown);
                line.push_str(&padding);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Lays out `name: value` lines, the values under each other.
pub(crate) fn render_details(details: &[(&str, Cell)], color: bool) -> String {
    let width = details.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, cell) in details {
        let padding = " ".repeat(width - name.len());
        // A line without a name goes on with the one above.
        let name = if name.is_empty() { " ".to_owned() } else { format!("{name}:") };
        let name = paint(&name, Tone::Faint, color);
        let line = format!("{name}{padding}  {}", paint(&cell.text, cell.tone, color));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub(crate) fn paint(text: &str, tone: Tone, color: bool) -> String {
    if !color || tone == Tone::Plain || text.is_empty() {
        return text.to_owned();
    }
    let style = tone.style();
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Cell, Tone, left, render, right};

    #[test]
    fn columns_align_by_what_is_seen() {
        let columns = [left("NAME"), right("CPU"), left("STATE")];
        let rows = [
            vec!["a".into(), "1.5".into(), Cell::toned("ready", Tone::Good)],
            vec!["größer".into(), "128".into(), "-".into()],
        ];
        expect![[r"
            NAME     CPU   STATE
            a        1.5   ready
            größer   128   -
        "]]
        .assert_eq(&render(&columns, &rows, false));
        let colored = render(&columns, &rows, true);
        assert!(colored.contains("\u{1b}[32mready\u{1b}[0m"));
    }
}
