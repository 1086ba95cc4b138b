//! Which crate may use which dependency from outside, and which nobody may.

use super::Violation;
use crate::manifest::{Kind, Manifest};
use crate::shell::{Failure, cargo, output};

/// A dependency with owners: these build with it, and these test with it beside them.
struct Owned {
    name: &'static str,
    owners: &'static [&'static str],
    testers: &'static [&'static str],
}

const OWNED: &[Owned] = &[
    Owned { name: "sqlx", owners: &["store"], testers: &[] },
    Owned { name: "axum", owners: &["control"], testers: &[] },
    Owned { name: "askama", owners: &["control"], testers: &[] },
    Owned {
        name: "tokio-postgres",
        owners: &["targets", "testkit"],
        testers: &["app", "gateway", "control", "daypass"],
    },
    Owned { name: "cedar-policy", owners: &["policy"], testers: &[] },
    Owned { name: "clap", owners: &["daypass"], testers: &[] },
    Owned { name: "clap_complete", owners: &["daypass"], testers: &[] },
    Owned { name: "jsonwebtoken", owners: &["integrations"], testers: &[] },
    Owned { name: "reqwest", owners: &["daypass", "integrations"], testers: &[] },
    Owned { name: "webauthn-rs", owners: &["integrations"], testers: &[] },
    Owned { name: "lettre", owners: &["integrations"], testers: &[] },
    Owned {
        name: "rcgen",
        owners: &["daypass", "scratch", "testkit"],
        testers: &["gateway", "targets", "control", "wire", "integrations"],
    },
];

/// What a pure crate has no use for: sockets, clocks, files, its own randomness.
const IMPURE: &[&str] = &[
    "async-trait",
    "axum",
    "fastrand",
    "getrandom",
    "hyper",
    "hyper-util",
    "rand",
    "reqwest",
    "rustix",
    "rustls",
    "sqlx",
    "tempfile",
    "tokio",
    "tokio-postgres",
    "tokio-rustls",
    "tracing",
];

/// What must not be built: one TLS stack and one crypto library are enough, and they are rustls and aws-lc-rs.
const BANNED: &[&str] = &["ring", "openssl", "openssl-sys", "native-tls"];

pub fn check(manifests: &[Manifest]) -> Vec<Violation> {
    let mut found = Vec::new();
    for manifest in manifests {
        for dependency in &manifest.dependencies {
            let (room, name) = (manifest.room.as_str(), dependency.name.as_str());
            let mut violation = |what: String| found.push(Violation::new(&manifest.path, dependency.line, what));
            if let Some(owned) = OWNED.iter().find(|owned| owned.name == name) {
                let tests = dependency.kind == Kind::Dev && owned.testers.contains(&room);
                if !owned.owners.contains(&room) && !tests {
                    violation(format!("{room} must not use {name}, which is for {}", owned.owners.join(" and ")));
                }
            }
            if super::purity::PURE.contains(&room) && dependency.kind == Kind::Normal && IMPURE.contains(&name) {
                violation(format!("{room} is pure and must not use {name}"));
            }
            if BANNED.contains(&name) {
                violation(format!("{name} is banned: use rustls and aws-lc-rs"));
            }
        }
    }
    found
}

/// What is banned and still built, from cargo's own resolution (a lock file also lists what no feature turns on).
pub fn banned() -> Result<Vec<Violation>, Failure> {
    let tree =
        output(&mut cargo(&["tree", "--workspace", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]))?;
    Ok(banned_in(&tree))
}

fn banned_in(tree: &str) -> Vec<Violation> {
    let built = |name: &&&str| tree.lines().any(|line| line.split(' ').next() == Some(**name));
    let what = |name: &&str| format!("{name} is banned and built: `cargo tree -i {name} -e normal,build` says by whom");
    BANNED.iter().filter(built).map(|name| Violation::new("Cargo.lock", 0, what(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{manifest, shown};
    use super::*;

    fn found(room: &str, rest: &str) -> Vec<String> {
        shown(&check(&[manifest(room, rest)]))
    }

    #[test]
    fn owners_may_and_others_may_not() {
        assert!(found("store", "[dependencies]\nsqlx.workspace = true").is_empty());
        assert!(
            found("app", "[dependencies]\nsqlx.workspace = true")[0]
                .contains("app must not use sqlx, which is for store")
        );
        assert!(found("app", "[dev-dependencies]\nsqlx.workspace = true")[0].contains("must not use sqlx"));
        assert!(found("gateway", "[dev-dependencies]\nrcgen.workspace = true").is_empty());
        assert!(found("gateway", "[dependencies]\nrcgen.workspace = true")[0].contains("must not use rcgen"));
    }

    #[test]
    fn pure_crates_use_nothing_impure() {
        assert!(found("domain", "[dependencies]\ntokio = \"1\"")[0].contains("domain is pure"));
        assert!(found("domain", "[dev-dependencies]\ntempfile = \"1\"").is_empty());
        assert!(found("app", "[dependencies]\ntokio = \"1\"").is_empty());
    }

    #[test]
    fn a_second_tls_stack_is_refused() {
        assert!(found("app", "[dev-dependencies]\nopenssl = \"1\"")[0].contains("banned"));
        let tree = "daypass-app v0.1.0 (/x)\nring v0.17.14\nstring v1.0.0\nring v0.17.14 (*)\n";
        assert_eq!(banned_in(tree).len(), 1);
        assert_eq!(banned_in("string v1.0.0\nring-compat v1.0.0\n"), []);
    }
}
