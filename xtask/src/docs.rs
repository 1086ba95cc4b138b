//! What the documents point at exists.

use crate::arch::Violation;
use crate::shell::{Failure, fail};
use crate::source::{self, File};
use std::collections::BTreeSet;

pub const COMMAND: crate::Command = crate::Command {
    name: "docs",
    summary: "Check that links in the documents lead somewhere, and that the chores they name exist",
    help: "\
Usage: cargo xtask docs

Looks at every Markdown file: links to files and headings of this repository, and `cargo xtask` lines. The network isn't
used.

Examples:
  cargo xtask docs
",
    run,
};

fn run(_: &[String]) -> Result<(), Failure> {
    let files = source::files()?;
    let found = check(&files);
    for violation in &found {
        println!("{violation}");
    }
    if found.is_empty() {
        println!("The documents hold together.");
        return Ok(());
    }
    fail(format!("{} dead links or commands in the documents", found.len()))
}

fn check(files: &[File]) -> Vec<Violation> {
    let mut found = Vec::new();
    for page in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (at, line, in_code) in lines(&page.text) {
            for link in if in_code { Vec::new() } else { links(line) } {
                if let Some(why) = dead(files, page, link) {
                    found.push(Violation::new(&page.path, at, format!("the link to {link} is dead: {why}")));
                }
            }
            for name in chores(line).filter(|name| !crate::command_names().any(|known| known == *name)) {
                found.push(Violation::new(&page.path, at, format!("there is no `cargo xtask {name}`")));
            }
        }
    }
    found
}

/// The lines with their numbers, and whether they stand in a block of code.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str, bool)> {
    let mut in_code = false;
    text.lines().enumerate().map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        (at + 1, line, in_code || fence)
    })
}

/// The targets of `[text](target)`, those in backticks left out.
fn links(line: &str) -> Vec<&str> {
    let prose = line.split('`').step_by(2);
    let targets = prose.flat_map(|part| part.split("](").skip(1));
    targets.filter_map(|rest| rest.split([')', ' ']).next()).collect()
}

fn dead(files: &[File], page: &File, link: &str) -> Option<&'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let target = match (path, resolved(folder, path)) {
        ("", _) => page.path.clone(),
        (_, Some(target)) => target,
        (_, None) => return Some("it leaves the repository"),
    };
    let inside = format!("{}/", target.trim_end_matches('/'));
    let Some(file) = files.iter().find(|file| file.path == target) else {
        // Folders, and files that aren't text, aren't in the list of files.
        let there =
            files.iter().any(|file| file.path.starts_with(&inside)) || crate::shell::root().join(&target).exists();
        return (!there).then_some("there is no such file");
    };
    let known = heading.is_empty() || !file.path.ends_with(".md") || headings(&file.text).contains(heading);
    (!known).then_some("there is no such heading")
}

/// The path from the root, if it stays inside.
fn resolved(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a page's headings, as code hosts make them.
fn headings(text: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (_, line, in_code) in lines(text) {
        let title = line.trim_start_matches('#');
        if in_code || title.len() == line.len() {
            continue;
        }
        let kept = title.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let again = (1..).map(|n| format!("{anchor}-{n}"));
        let first = [anchor.clone()].into_iter().chain(again).find(|one| !seen.contains(one));
        seen.extend(first);
    }
    seen
}

fn chores(line: &str) -> impl Iterator<Item = &str> {
    line.split("cargo xtask ").skip(1).filter_map(|rest| {
        let name = rest.split(|c: char| !c.is_ascii_lowercase()).next()?;
        (!name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(path: &str, text: &str) -> File {
        File { path: path.into(), text: text.into() }
    }

    fn found(text: &str) -> Vec<String> {
        let other = page("docs/other.md", "# What it *is*: a page\n\n## Twice\n\n## Twice\n");
        check(&[page("docs/adr/a.md", text), other]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let text = "# Top\n[a](../other.md#what-it-is-a-page) [b](../other.md#twice-1) [c](#top) [d](https://x/y) [e](../)\n\
                    `[f](nowhere)`\n```\n[g](nowhere)\n```\nRun `cargo xtask test`, or `cargo xtask help`.";
        assert_eq!(found(text), [""; 0]);
    }

    #[test]
    fn dead_links_and_chores_are_found() {
        for (text, why) in [
            ("[a](missing.md)", "no such file"),
            ("[a](../other.md#gone)", "no such heading"),
            ("[a](../../../else/b.md)", "leaves the repository"),
            ("run `cargo xtask dance`", "no `cargo xtask dance`"),
            ("```\ncargo xtask dance\n```", "no `cargo xtask dance`"),
        ] {
            let found = found(text);
            assert!(found.len() == 1 && found[0].contains(why), "{text}: {found:?}");
        }
    }
}
