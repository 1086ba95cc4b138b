//! What a directory's users and groups are called here.

use daypass_domain::{Digest, Name, principal::Principal};
use daypass_ports::{directories::Directory, rows::key};

use crate::{App, Problem, Result};

/// How many names are tried before a random one is taken.
const TRIES: u32 = 99;
/// The longest beginning that is taken of what a directory says: there is room for what tells two apart.
const BEGINNING: usize = 48;

impl App {
    /// A name for a new principal of this `userName`. It was never anybody's, and no policy cites it: a directory must
    /// not choose who somebody is, nor become one that a policy already speaks of. // I12
    pub(crate) async fn name_for(&self, user_name: &str) -> Result<Name> {
        let beginning = beginning_of(user_name);
        let numbered = (2..=TRIES).map(|n| format!("{beginning}-{n}"));
        let random = data_encoding::HEXLOWER.encode(&self.random::<6>());
        for text in std::iter::once(beginning.clone()).chain(numbered).chain([format!("{beginning}-{random}")]) {
            let Ok(name) = text.parse::<Name>() else { continue };
            let taken = !self.store_ref().find::<Principal>(key::NAME, name.as_str()).await?.is_empty();
            if !taken && !self.policy_cites(&name) {
                return Ok(name);
            }
        }
        Err(Problem::conflict(
            "uniqueness",
            "no name is left that is like this `userName`",
            "choose another `userName`",
        ))
    }

    fn policy_cites(&self, name: &Name) -> bool {
        let quoted = format!("\"{name}\"");
        self.policy().files().values().any(|text| text.contains(&quoted))
    }

    /// What a user is found by: a hash that only this installation can make, so that rows hold no names. // I9
    pub(crate) fn said_name(&self, directory: &Directory, user_name: &str) -> String {
        let key = self.keys.mac_key("directory-user-name", directory.name.as_str().as_bytes());
        data_encoding::HEXLOWER.encode(&key.mac(&[user_name.to_lowercase().as_bytes()]))
    }
}

/// `Alice.Smith@example.com` begins `alice.smith`.
fn beginning_of(user_name: &str) -> String {
    let local = user_name.split('@').next().unwrap_or_default().to_lowercase();
    let fine = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c) { c } else { '-' };
    let plain: String = local.chars().map(fine).take(BEGINNING).collect();
    let plain = plain.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if plain.is_empty() { "user".to_owned() } else { plain.to_owned() }
}

/// The name that a directory's group fills a group of ours by: its own in small letters, with dashes for spaces. One that
/// can't be written so gets a name that nobody would declare.
pub(crate) fn filled_by(display_name: &str) -> Result<Name> {
    let written = display_name.trim().to_ascii_lowercase().replace(' ', "-");
    written.parse().or_else(|_| {
        let digest = Digest::of(display_name.as_bytes()).to_string();
        crate::facts::name(&format!("x-{}", digest.get(..32).unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_whatever_a_directory_says() {
        for (said, begins) in [
            ("alice", "alice"),
            ("Alice.Smith@example.com", "alice.smith"),
            ("@example.com", "user"),
            ("Ålice Ünal", "lice--nal"),
            ("__x__", "x"),
            ("", "user"),
        ] {
            assert_eq!(beginning_of(said), begins, "{said}");
            assert!(beginning_of(said).parse::<Name>().is_ok(), "{said}");
        }
        assert!(beginning_of(&"x".repeat(500)).parse::<Name>().is_ok());
    }

    #[test]
    fn a_group_fills_by_its_name() {
        assert_eq!(filled_by("DBA Team").unwrap().as_str(), "dba-team");
        assert_eq!(filled_by("dba").unwrap().as_str(), "dba");
        for strange in ["dbа", "a/b", "", &"x".repeat(64)] {
            assert!(filled_by(strange).unwrap().as_str().starts_with("x-"), "{strange}");
        }
    }
}
