//! How answers are shown: tables and sentences for people, JSON for programs.

use std::time::Duration;

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{client::http::shown_lines, failure::Failure, say};

/// Who reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A person.
    People,
    /// A program: one JSON document on standard output.
    Json,
}

impl Format {
    /// Shows a value: as JSON to a program, in the given words to a person. Whatever came from outside into the words
    /// is escaped here, if it wasn't before.
    pub fn show<T: Serialize + ?Sized>(self, value: &T, words: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        match self {
            Self::Json => {
                let text = serde_json::to_string_pretty(value).map_err(Failure::data)?;
                say::line(&text);
            }
            Self::People => {
                let text = words(value);
                if !text.is_empty() {
                    say::line(&shown_lines(&text));
                }
            }
        }
        Ok(())
    }
}

/// A table. What is put into it is escaped here.
pub struct Rows {
    table: Table,
    empty: &'static str,
    rows: usize,
}

impl Rows {
    /// A table with these columns, and what to say when it has no row.
    pub fn new(columns: &[&str], empty: &'static str) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        // Wraps to the terminal's width; in a pipe, a row is a line.
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>());
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        // Names and ids stay whole, however narrow the terminal is: they are copied.
        if let Some(first) = table.column_mut(0) {
            first.set_constraint(ColumnConstraint::ContentWidth);
        }
        if !say::colours() {
            table.force_no_tty();
        }
        Self { table, empty, rows: 0 }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows += 1;
        self.table.add_row(cells.map(|cell| Cell::new(say::shown(cell))));
    }

    /// The table as text.
    pub fn text(self) -> String {
        if self.rows == 0 {
            return self.empty.to_owned();
        }
        self.table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }
}

/// A result: its columns as they are called, and its values as they came, NULL told apart. All of it is escaped here.
pub fn grid(columns: &[&str], rows: &[Vec<Option<String>>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|name| say::shown(name)).collect::<Vec<_>>());
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for row in rows {
        table.add_row(row.iter().map(|value| value.as_deref().map_or_else(|| "NULL".to_owned(), say::shown)));
    }
    if !say::colours() {
        table.force_no_tty();
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Lines of `name  value`, the values in one column.
pub fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let line = |(name, value): &(&str, String)| format!("{name:width$}  {}", say::shown(value));
    pairs.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A spinner on standard error while something is waited for; silent where standard error is no terminal.
pub struct Waiting(ProgressBar);

impl Waiting {
    /// Says what is waited for.
    pub fn for_(what: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        // The template is a constant that parses; were it not, the default would do.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(say::shown(what));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Says something else.
    pub fn says(&self, what: &str) {
        self.0.set_message(say::shown(what));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
