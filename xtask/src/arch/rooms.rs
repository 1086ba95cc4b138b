//! Which crate may see which: an arrow points downward only, and crates on one row don't see each other.

use super::Violation;
use crate::manifest::{Kind, Manifest};

/// The rows of docs/architecture.md, from the ground up.
const ROWS: &[&[&str]] = &[
    &["domain", "ledger", "wire", "seal", "scim"],
    &["policy", "compliance"],
    &["ports", "api"],
    &["app", "store", "targets", "link", "integrations", "prover"],
    &["control", "gateway"],
    &["daypass"],
];

/// Throwaway servers: sees nothing, and is seen by these only.
const SCRATCH: &str = "scratch";
const SCRATCH_USERS: &[&str] = &["daypass", "testkit"];

/// What tests share: sees up to `ports` and `scratch`, and is seen by tests only.
const TESTKIT: &str = "testkit";
const TESTKIT_TOP: &str = "ports";

/// Arrows that point downward and still must not be.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("gateway", "app", "a gateway knows only ports::Authority"),
    ("gateway", "store", "a gateway has no store"),
    ("gateway", "targets", "a gateway holds no administrator credential (I6)"),
    ("control", "store", "control goes through app"),
    ("control", "targets", "control goes through app"),
];

pub fn check(manifests: &[Manifest]) -> Vec<Violation> {
    let mut found = Vec::new();
    for manifest in manifests.iter().filter(|manifest| manifest.room != "fuzz") {
        if !manifest.lints {
            found.push(Violation::new(&manifest.path, 0, "says no `[lints] workspace = true`"));
        }
        if manifest.room == "xtask" {
            found.extend(xtask(manifest));
            continue;
        }
        if row(&manifest.room).is_none() && ![SCRATCH, TESTKIT].contains(&manifest.room.as_str()) {
            found.push(Violation::new(
                &manifest.path,
                0,
                "is in no row: add it to the plan and to xtask/src/arch/rooms.rs",
            ));
            continue;
        }
        for dependency in &manifest.dependencies {
            let Some(to) = dependency.name.strip_prefix("daypass-") else { continue };
            if let Some(why) = refused(&manifest.room, to, dependency.kind) {
                let what = format!("{} must not depend on {to}: {why}", manifest.room);
                found.push(Violation::new(&manifest.path, dependency.line, what));
            }
        }
    }
    found
}

/// Chores build in a second, so they use the standard library.
fn xtask(manifest: &Manifest) -> impl Iterator<Item = Violation> {
    manifest.dependencies.iter().map(|dependency| {
        Violation::new(
            &manifest.path,
            dependency.line,
            format!("xtask must depend on nothing, not on {}", dependency.name),
        )
    })
}

fn row(room: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&room))
}

/// Why the arrow must not be, if so.
fn refused(from: &str, to: &str, kind: Kind) -> Option<String> {
    if to == TESTKIT {
        return (kind != Kind::Dev).then(|| "only tests use testkit".into());
    }
    if to == SCRATCH {
        return (kind != Kind::Dev && !SCRATCH_USERS.contains(&from))
            .then(|| "only daypass and tests start servers".into());
    }
    if from == SCRATCH {
        return Some("scratch sees no other room".into());
    }
    let to_row = match row(to) {
        Some(row) => row,
        None => return Some("there is no such room".into()),
    };
    if from == TESTKIT {
        return (Some(to_row) > row(TESTKIT_TOP)).then(|| format!("testkit sees up to {TESTKIT_TOP}"));
    }
    if let Some((_, _, why)) = FORBIDDEN.iter().find(|(a, b, _)| (*a, *b) == (from, to) && kind != Kind::Dev) {
        return Some((*why).into());
    }
    match row(from) {
        Some(row) if to_row < row => None,
        // Tests of a use case run on the real store rather than on a mock of it.
        Some(row) if to_row == row && from != to && kind == Kind::Dev => None,
        Some(row) if to_row == row => Some("they are on one row".into()),
        _ => Some("an arrow points downward only".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{manifest, shown};
    use super::*;

    fn found(room: &str, rest: &str) -> Vec<String> {
        shown(&check(&[manifest(room, rest)]))
    }

    #[test]
    fn downward_arrows_are_fine() {
        for (room, to) in [("policy", "domain"), ("app", "seal"), ("daypass", "scratch"), ("testkit", "scratch")] {
            assert!(found(room, &format!("[dependencies]\ndaypass-{to}.workspace = true")).is_empty(), "{room} {to}");
        }
        assert!(found("store", "[dev-dependencies]\ndaypass-testkit.workspace = true").is_empty());
    }

    #[test]
    fn other_arrows_are_refused() {
        let cases = [
            ("domain", "ports", "downward only"),
            ("app", "control", "downward only"),
            ("app", "store", "on one row"),
            ("ledger", "wire", "on one row"),
            ("domain", "domain", "on one row"),
            ("store", "testkit", "only tests use testkit"),
            ("store", "scratch", "only daypass and tests"),
            ("scratch", "domain", "sees no other room"),
            ("testkit", "app", "testkit sees up to ports"),
            ("gateway", "targets", "administrator credential"),
            ("app", "nowhere", "no such room"),
        ];
        for (room, to, why) in cases {
            let found = found(room, &format!("[dependencies]\ndaypass-{to}.workspace = true"));
            assert!(found.len() == 1 && found[0].contains(why), "{room} {to}: {found:?}");
            assert!(found[0].starts_with(&format!("crates/{room}/Cargo.toml:4: ")), "{found:?}");
        }
    }

    #[test]
    fn a_crate_without_a_row_or_without_lints_is_refused() {
        assert!(found("attic", "")[0].contains("is in no row"));
        let bare = crate::manifest::parse("crates/app/Cargo.toml", "[package]\n").unwrap();
        assert!(shown(&check(&[bare]))[0].contains("[lints]"));
    }

    #[test]
    fn chores_depend_on_nothing() {
        assert!(found("xtask", "[dependencies]\nserde = \"1\"")[0].contains("must depend on nothing"));
    }
}
