//! Pure crates have no clock, sockets, files or randomness of their own: those are arguments.

use super::Violation;
use crate::source::{File, code, lines_with, module_files, shipped};

/// The pure rooms.
pub const PURE: &[&str] = &["domain", "ledger", "wire", "seal", "scim", "policy", "compliance"];

/// What a pure crate's shipped code must not name, and what that is.
const IMPURE: &[(&str, &str)] = &[
    ("SystemTime::now", "a clock"),
    ("Instant::now", "a clock"),
    ("Timestamp::now", "a clock"),
    ("Zoned::now", "a clock"),
    ("Utc::now", "a clock"),
    ("now_v7", "a clock and randomness"),
    ("new_v4", "randomness"),
    ("rand", "randomness"),
    ("getrandom", "randomness"),
    ("OsRng", "randomness"),
    ("SystemRandom", "randomness"),
    ("tokio", "an async runtime"),
    ("std::net", "sockets"),
    ("std::fs", "files"),
    ("std::env", "the environment"),
    ("std::process", "processes"),
    ("thread::sleep", "waiting"),
];

/// What `std::net` has that isn't a socket.
const ADDRESSES: &[&str] = &["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "AddrParseError"];

/// The same, grouped: `use std::{fs, net}`.
const GROUPED: &[&str] = &["env", "fs", "net", "process"];

pub fn check(files: &[File]) -> Vec<Violation> {
    let sources: Vec<_> =
        files.iter().filter(|file| is_pure_source(file)).map(|file| (file, code(&file.text))).collect();
    let mut test_only = Vec::new();
    let mut found = Vec::new();
    for (file, code) in &sources {
        let (_, modules) = shipped(code);
        test_only.extend(modules.iter().flat_map(|name| module_files(&file.path, name)));
    }
    for (file, code) in &sources {
        let for_tests =
            |only: &String| file.path == *only || (only.ends_with('/') && file.path.starts_with(only.as_str()));
        if !test_only.iter().any(for_tests) {
            found.extend(impurities(&file.path, &shipped(code).0));
        }
    }
    found
}

fn is_pure_source(file: &File) -> bool {
    file.is_rust() && PURE.iter().any(|room| file.path.starts_with(&format!("crates/{room}/src/")))
}

fn impurities(path: &str, code: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    // An address is only a number; what is left of `std::net` then is sockets.
    let code = &ADDRESSES.iter().fold(code.to_string(), |code, name| code.replace(&format!("std::net::{name}"), name));
    for (token, what) in IMPURE {
        for line in lines_with(code, token) {
            found.push(Violation::new(
                path,
                line,
                format!("`{token}` in a pure crate is {what}: take it as an argument"),
            ));
        }
    }
    for (at, group) in groups(code) {
        for name in GROUPED.iter().filter(|name| group.contains(name)) {
            let line = 1 + code[..at].matches('\n').count();
            found.push(Violation::new(
                path,
                line,
                format!("`std::{name}` in a pure crate: take what it gives as an argument"),
            ));
        }
    }
    found
}

/// The first names in every `std::{...}`, and where it stands.
fn groups(code: &str) -> Vec<(usize, Vec<&str>)> {
    const OPEN: &str = "std::{";
    let mut groups = Vec::new();
    for (at, _) in code.match_indices(OPEN) {
        let (mut depth, mut start, mut names) = (0_usize, at + OPEN.len(), Vec::new());
        for (offset, c) in code[at + OPEN.len()..].char_indices() {
            let here = at + OPEN.len() + offset;
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    names.push(code[start..here].split("::").next().unwrap_or_default().trim());
                    start = here + 1;
                    if c == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
        groups.push((at, names));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{file, shown};
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        shown(&check(&[file(path, text)]))
    }

    #[test]
    fn each_impurity_is_found() {
        for (token, what) in IMPURE {
            let found = found("crates/domain/src/a.rs", &format!("//! Doc.\nfn a() {{ {token}(); }}"));
            assert!(found.len() == 1 && found[0].contains(what), "{token}: {found:?}");
            assert!(found[0].starts_with("crates/domain/src/a.rs:2: "), "{found:?}");
        }
    }

    #[test]
    fn grouped_imports_are_found() {
        let found = found("crates/wire/src/a.rs", "use std::{collections::{BTreeMap, fs}, net::TcpStream,\n fs};\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("std::fs") && found[1].contains("std::net"), "{found:?}");
    }

    #[test]
    fn comments_tests_and_impure_crates_are_let_be() {
        let text = "//! No Instant::now, says \"tokio\".\n#[cfg(test)]\nmod tests { fn a() { Instant::now(); } }\n";
        assert!(found("crates/domain/src/a.rs", text).is_empty());
        assert!(found("crates/domain/tests/a.rs", "fn a() { Instant::now(); }").is_empty());
        assert!(found("crates/domain/src/a.rs", "fn a(b: std::net::IpAddr) {}").is_empty());
        assert!(found("crates/gateway/src/a.rs", "fn a() { Instant::now(); }").is_empty());
    }

    #[test]
    fn a_module_for_tests_in_its_own_file_is_let_be() {
        let lib = file("crates/domain/src/lib.rs", "#[cfg(test)]\nmod helpers;\nmod other;\n");
        let helpers = file("crates/domain/src/helpers.rs", "fn a() { Instant::now(); }");
        let other = file("crates/domain/src/other.rs", "fn a() { Instant::now(); }");
        assert_eq!(shown(&check(&[lib.clone(), helpers])), [""; 0]);
        assert_eq!(check(&[lib, other]).len(), 1);
    }
}
