//! Pages of what is found. A token says after which name the next begins, and of which search.

use data_encoding::BASE64URL_NOPAD;
use daypass_domain::{Digest, Name};
use serde::Serialize;

use crate::{Problem, Result};

/// The most results on a page.
pub const RESULTS_MOST: usize = 100;
/// How many there are when nobody says.
const RESULTS_USUAL: usize = 50;
/// How much of a search's digest its tokens carry: enough to notice a token of another.
const OF_DIGEST: usize = 16;

/// Which page is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Paged<'a> {
    /// What the page before said.
    pub token: Option<&'a str>,
    /// The most results; fifty where it is none, a hundred at most.
    pub limit: u64,
}

/// A page of names, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The names.
    pub names: Vec<Name>,
    /// What the next page is asked for by; empty on the last.
    pub next: String,
}

/// A page as it fills.
pub(super) struct Filling {
    query: Digest,
    after: Option<String>,
    names: Vec<Name>,
    most: usize,
}

impl Filling {
    /// # Errors
    /// When the token is of another search, or none.
    pub(super) fn begin(wanted: Paged<'_>, query: &impl Serialize) -> Result<Self> {
        let query = Digest::of_value("authzen search", query);
        let most = match usize::try_from(wanted.limit).unwrap_or(RESULTS_MOST) {
            0 => RESULTS_USUAL,
            wanted => wanted.min(RESULTS_MOST),
        };
        let after = wanted.token.filter(|token| !token.is_empty()).map(|token| name_of(token, query)).transpose()?;
        Ok(Self { query, after, names: Vec::new(), most })
    }

    /// Whether a name isn't on a page before.
    pub(super) fn is_ahead(&self, name: &Name) -> bool {
        self.after.as_ref().is_none_or(|after| name.as_str() > after.as_str())
    }

    pub(super) fn is_full(&self) -> bool {
        self.names.len() >= self.most
    }

    pub(super) fn add(&mut self, name: Name) {
        self.names.push(name);
    }

    /// It is full, and there is more.
    pub(super) fn more(self) -> Found {
        let next = self.names.last().map(|last| token(last, self.query)).unwrap_or_default();
        Found { names: self.names, next }
    }

    /// It is the last.
    pub(super) fn all(self) -> Found {
        Found { names: self.names, next: String::new() }
    }
}

fn token(last: &Name, query: Digest) -> String {
    let bytes = [&query.bytes()[..OF_DIGEST], last.as_str().as_bytes()].concat();
    BASE64URL_NOPAD.encode(&bytes)
}

fn name_of(token: &str, query: Digest) -> Result<String> {
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap_or_default();
    let name = bytes.strip_prefix(&query.bytes()[..OF_DIGEST]).and_then(|rest| std::str::from_utf8(rest).ok());
    name.map(ToOwned::to_owned).ok_or_else(|| {
        let next = "send `page.next_token` of the page before, and the same search";
        Problem::invalid("bad_page_token", "`page.token` is none of this search", next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(token: Option<&str>, limit: u64, query: &str) -> Result<Filling> {
        Filling::begin(Paged { token, limit }, &query)
    }

    #[test]
    fn a_page_has_a_bound_and_its_token_is_of_its_search() {
        for (limit, most) in [(0, RESULTS_USUAL), (1, 1), (100, 100), (101, RESULTS_MOST), (u64::MAX, RESULTS_MOST)] {
            assert_eq!(page(None, limit, "a").unwrap().most, most);
        }
        let mut first = page(None, 1, "a").unwrap();
        first.add("bob".parse().unwrap());
        assert!(first.is_full());
        let next = first.more().next;
        let second = page(Some(&next), 1, "a").unwrap();
        let ahead = ["alice", "bob", "bob2", "carol"].map(|name| second.is_ahead(&name.parse().unwrap()));
        assert_eq!(ahead, [false, false, true, true]);
        assert!(page(Some(""), 1, "a").unwrap().is_ahead(&"alice".parse().unwrap()));
        for bad in [next.as_str(), "x", "!!", "\u{e9}"] {
            assert!(page(Some(bad), 1, "another").is_err(), "{bad}");
        }
    }
}
