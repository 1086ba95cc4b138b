//! Each invariant I1 to I12 in docs/architecture.md names the tests that hold it, as `crates/x/tests/y.rs::name`, in its
//! row of the table. They must exist, and be tests.

use super::Violation;
use crate::source::File;

const PAGE: &str = "docs/architecture.md";
const COUNT: usize = 12;

pub fn check(files: &[File]) -> Vec<Violation> {
    // Until the page is written there is nothing to hold it to.
    let Some(page) = files.iter().find(|file| file.path == PAGE) else { return Vec::new() };
    let mut found = Vec::new();
    for number in 1..=COUNT {
        let rows: Vec<_> = page.text.lines().enumerate().filter(|(_, line)| is_row(line, number)).collect();
        let named: Vec<_> = rows.iter().flat_map(|(at, line)| tests(line).map(move |test| (at + 1, test))).collect();
        if named.is_empty() {
            let line = rows.first().map_or(0, |(at, _)| at + 1);
            let what = format!("I{number} names no test: give its row of the table one as `crates/x/tests/y.rs::name`");
            found.push(Violation::new(PAGE, line, what));
        }
        for (line, (path, name)) in named {
            let file = files.iter().find(|file| file.path == path || file.path == format!("crates/{path}"));
            match file {
                None => found.push(Violation::new(PAGE, line, format!("I{number} names {path}, which doesn't exist"))),
                Some(file) if !is_test(&file.text, name) => {
                    found.push(Violation::new(
                        PAGE,
                        line,
                        format!("I{number} names {name}, which is no test of {path}"),
                    ));
                }
                Some(_) => {}
            }
        }
    }
    found
}

/// Whether the line is the invariant's row of a table: its first cell is `I3`, with or without emphasis.
fn is_row(line: &str, number: usize) -> bool {
    let Some(cell) = line.trim().strip_prefix('|').and_then(|rest| rest.split('|').next()) else { return false };
    let word = cell.trim().trim_matches('*').split([' ', '*']).next().unwrap_or_default();
    word == format!("I{number}")
}

/// What stands in backticks as `path.rs::name`.
fn tests(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|text| text.split_once("::"))
        .filter(|(path, _)| path.ends_with(".rs"))
}

/// Whether the file has a test function of this name (the last part of it, in a nested module).
fn is_test(text: &str, name: &str) -> bool {
    let name = name.rsplit("::").next().unwrap_or(name);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let declares = line.split("fn ").nth(1).is_some_and(|rest| rest.split(['(', '<']).next() == Some(name));
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        declares && attributes.into_iter().any(|line| line.starts_with("#[test]") || line.contains("::test"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{file, shown};
    use super::*;

    fn page(third: &str) -> File {
        let row =
            |n| if n == 3 { third.to_string() } else { format!("| **I{n}** | x | `crates/app/tests/a.rs::holds` |\n") };
        file(PAGE, &(1..=COUNT).map(row).collect::<String>())
    }

    fn found(third: &str) -> Vec<String> {
        let tests = "#[test]\nfn holds() {}\n\n/// I3.\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn too() {}\nfn helper() {}";
        shown(&check(&[page(third), file("crates/app/tests/a.rs", tests)]))
    }

    #[test]
    fn tests_that_exist_hold() {
        assert_eq!(found("| I3 A bound | `crates/app/tests/a.rs::holds`, `app/tests/a.rs::too` |\n"), [""; 0]);
    }

    #[test]
    fn missing_tests_are_found() {
        assert!(found("")[0].contains("I3 names no test"));
        assert!(found("| **I3** | soon |\n")[0].starts_with("docs/architecture.md:3: I3 names no test"));
        assert!(found("| I3 | `crates/app/tests/b.rs::holds` |\n")[0].contains("doesn't exist"));
        assert!(found("| I3 | `crates/app/tests/a.rs::gone` |\n")[0].contains("is no test"));
        assert!(found("| I3 | `crates/app/tests/a.rs::helper` |\n")[0].contains("is no test"));
    }
}
