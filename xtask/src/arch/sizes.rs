//! File sizes as a ratchet: what is over the limit is listed with its size, and may only shrink.

use super::Violation;
use crate::shell::{Failure, fail, root};
use crate::source::File;
use std::collections::BTreeMap;
use std::fs;

const LIMIT: usize = 500;
const LIST: &str = "xtask/size-ratchet.txt";
const ENDINGS: &[&str] = &[".rs", ".sh", ".sql", ".py", ".js", ".cedar"];
const HEADING: &str =
    "# Source files over 500 lines, with their lines. They may only shrink: `cargo xtask arch --bless` writes this.\n";

pub fn check(files: &[File]) -> Vec<Violation> {
    let (allowed, mut found) = allowed(files);
    for (path, lines) in long(files) {
        match allowed.get(path) {
            Some(most) if lines <= *most => {}
            Some(most) => {
                found.push(Violation::new(path, 0, format!("grew from {most} to {lines} lines: split it by topic")))
            }
            None => {
                found.push(Violation::new(path, 0, format!("has {lines} lines, more than {LIMIT}: split it by topic")))
            }
        }
    }
    found
}

/// Writes the list anew, and says where that lets something grow.
pub fn bless(files: &[File]) -> Result<(), Failure> {
    let (allowed, _) = allowed(files);
    let mut out = String::from(HEADING);
    for (path, lines) in long(files) {
        if allowed.get(path).is_none_or(|most| lines > *most) {
            let before = allowed.get(path).map_or("not listed before".to_string(), |most| format!("{most} before"));
            eprintln!("warning: {path} has {lines} lines ({before}); the list should only shrink");
        }
        out.push_str(&format!("{path} {lines}\n"));
    }
    match fs::write(root().join(LIST), out) {
        Ok(()) => {
            println!("Wrote {LIST}.");
            Ok(())
        }
        Err(error) => fail(format!("cannot write {LIST}: {error}")),
    }
}

/// The files that are too long.
fn long(files: &[File]) -> impl Iterator<Item = (&str, usize)> {
    let source = |file: &&File| ENDINGS.iter().any(|ending| file.path.ends_with(ending));
    files.iter().filter(source).map(|file| (file.path.as_str(), file.text.lines().count())).filter(|(_, n)| *n > LIMIT)
}

/// The list, and its lines that can't be read.
fn allowed(files: &[File]) -> (BTreeMap<String, usize>, Vec<Violation>) {
    let (mut allowed, mut found) = (BTreeMap::new(), Vec::new());
    let Some(list) = files.iter().find(|file| file.path == LIST) else { return (allowed, found) };
    for (at, line) in list.text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        match line.rsplit_once(' ').and_then(|(path, lines)| Some((path, lines.parse().ok()?))) {
            Some((path, lines)) => {
                allowed.insert(path.to_string(), lines);
            }
            None => found.push(Violation::new(LIST, at + 1, "isn't a path and a number")),
        }
    }
    (allowed, found)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{file, shown};
    use super::*;

    fn found(lines: usize, list: &str) -> Vec<String> {
        shown(&check(&[file("crates/app/src/a.rs", &"x\n".repeat(lines)), file(LIST, list)]))
    }

    #[test]
    fn a_file_may_be_long_only_where_listed_and_not_grow() {
        assert_eq!(found(500, ""), [""; 0]);
        assert!(found(501, "")[0].contains("has 501 lines"));
        assert_eq!(found(501, "# note\ncrates/app/src/a.rs 501\n"), [""; 0]);
        assert!(found(502, "crates/app/src/a.rs 501\n")[0].contains("grew from 501 to 502"));
        assert!(found(1, "what is this\n")[0].contains("isn't a path and a number"));
    }

    #[test]
    fn texts_may_be_long() {
        assert_eq!(check(&[file("docs/a.md", &"x\n".repeat(900))]), []);
    }
}
