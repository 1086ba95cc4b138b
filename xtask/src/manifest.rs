//! The part of Cargo.toml that the checks read. It reads what this workspace writes, and refuses what it doesn't know.

/// Which list a dependency stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `[dependencies]` or `[build-dependencies]`.
    Normal,
    /// `[dev-dependencies]`.
    Dev,
}

/// One line that names a dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    pub name: String,
    pub kind: Kind,
    pub line: usize,
}

/// A crate's Cargo.toml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The folder's name, which is the crate's name in the plan: `domain`, `xtask`.
    pub room: String,
    /// Where it is, from the root of the checkout.
    pub path: String,
    pub dependencies: Vec<Dependency>,
    /// Whether it takes the workspace's lints.
    pub lints: bool,
    /// What it declares as `[[bin]]`, by name.
    pub bins: Vec<String>,
}

/// A line that this reader doesn't understand.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub line: usize,
    pub what: String,
}

/// Reads a manifest that stands at `path`, for example `crates/domain/Cargo.toml`.
pub fn parse(path: &str, text: &str) -> Result<Manifest, Unreadable> {
    let room = path.rsplit('/').nth(1).unwrap_or_default().to_string();
    let mut manifest =
        Manifest { room, path: path.to_string(), dependencies: Vec::new(), lints: false, bins: Vec::new() };
    let mut section = String::new();
    for (at, raw) in text.lines().enumerate() {
        let (line, content) = (at + 1, without_comment(raw).trim());
        if content.is_empty() {
            continue;
        }
        if content.starts_with('[') {
            section = content.trim_matches(['[', ']']).trim().to_string();
            // `[dependencies.serde]`: the name is in the heading.
            if let Some((list, name)) = section.rsplit_once('.')
                && let Some(kind) = kind(list)
            {
                manifest.dependencies.push(Dependency { name: unquoted(name), kind, line });
            }
            continue;
        }
        let Some((key, value)) = content.split_once('=').map(|(key, value)| (key.trim(), value.trim())) else {
            // The middle of a list over several lines; no list of dependencies is written so.
            if kind(&section).is_some() {
                return Err(Unreadable { line, what: content.to_string() });
            }
            continue;
        };
        if let Some(kind) = kind(&section) {
            if value.contains("package") {
                return Err(Unreadable { line, what: format!("renamed dependency: {content}") });
            }
            let name = unquoted(key.split('.').next().unwrap_or(key));
            manifest.dependencies.push(Dependency { name, kind, line });
        }
        match (section.as_str(), key) {
            ("lints", "workspace") => manifest.lints = value == "true",
            ("bin", "name") => manifest.bins.push(unquoted(value)),
            _ => {}
        }
    }
    Ok(manifest)
}

/// Which list of dependencies a section is, target-specific ones included.
fn kind(section: &str) -> Option<Kind> {
    let list = section.rsplit_once('.').map_or(section, |(_, last)| last);
    match list {
        "dependencies" | "build-dependencies" if !section.starts_with("workspace") => Some(Kind::Normal),
        "dev-dependencies" => Some(Kind::Dev),
        _ => None,
    }
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches('"').to_string()
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_naming_a_dependency_is_read() {
        let text = "[package]\nname = \"daypass-store\" # us\n\n[lints]\nworkspace = true\n\n[dependencies]\n\
            daypass-ports.workspace = true\nsqlx = { workspace = true, features = [\"x#y\"] }\n# tokio = \"1\"\n\n\
            [target.'cfg(unix)'.dependencies]\nrustix = \"1\"\n[dependencies.serde]\nversion = \"1\"\n\
            [dev-dependencies]\nproptest.workspace = true\n[[bin]]\nname = \"a\"\n";
        let manifest = parse("crates/store/Cargo.toml", text).unwrap();
        let found: Vec<_> = manifest.dependencies.iter().map(|one| (one.name.as_str(), one.kind, one.line)).collect();
        let wanted = [
            ("daypass-ports", Kind::Normal, 8),
            ("sqlx", Kind::Normal, 9),
            ("rustix", Kind::Normal, 13),
            ("serde", Kind::Normal, 14),
            ("proptest", Kind::Dev, 17),
        ];
        assert_eq!(found, wanted);
        assert_eq!((manifest.room.as_str(), manifest.lints, manifest.bins), ("store", true, vec!["a".to_string()]));
    }

    #[test]
    fn the_workspace_table_is_no_dependency() {
        let manifest = parse("fuzz/Cargo.toml", "[workspace.dependencies]\nring = \"1\"\n").unwrap();
        assert_eq!((manifest.dependencies, manifest.lints), (Vec::new(), false));
    }

    #[test]
    fn what_could_hide_a_dependency_is_refused() {
        let renamed = parse("a/b/Cargo.toml", "[dependencies]\ndb = { package = \"sqlx\", version = \"1\" }\n");
        assert_eq!(renamed.unwrap_err().line, 2);
        assert_eq!(parse("a/b/Cargo.toml", "[dependencies]\nsqlx\n").unwrap_err().line, 2);
    }
}
