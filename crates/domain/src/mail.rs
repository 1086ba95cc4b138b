//! Addresses that mail is sent to.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A mail address: the dot-atom form of RFC 5321, in ASCII, at most 254 bytes.
///
/// Small on purpose: no quoted parts, no comments, no address literals. So it goes into headers, commands and JSON without
/// any escaping, and nobody can hide a line or a second address in it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailAddress(String);

/// Why a text is not a mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` can't be a mail address: write it plainly, in ASCII, like alice@example.com")]
pub struct BadMailAddress(pub String);

/// RFC 5321, 4.5.3.1: the whole path, the local part; RFC 1035, 2.3.4: one label.
const ADDRESS_BYTES: usize = 254;
const LOCAL_BYTES: usize = 64;
const LABEL_BYTES: usize = 63;

impl MailAddress {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MailAddress {
    type Err = BadMailAddress;
    fn from_str(text: &str) -> Result<Self, BadMailAddress> {
        let fine = text.len() <= ADDRESS_BYTES
            && text.rsplit_once('@').is_some_and(|(local, domain)| is_local(local) && is_domain(domain));
        if fine {
            return Ok(Self(text.to_owned()));
        }
        Err(BadMailAddress(text.chars().take(80).flat_map(char::escape_default).collect()))
    }
}

/// A dot-atom: RFC 5322, 3.2.3.
fn is_local(text: &str) -> bool {
    let atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    text.len() <= LOCAL_BYTES && text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(atext))
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=LABEL_BYTES).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.split('.').all(label)
}

impl TryFrom<String> for MailAddress {
    type Error = BadMailAddress;
    fn try_from(text: String) -> Result<Self, BadMailAddress> {
        text.parse()
    }
}

impl From<MailAddress> for String {
    fn from(address: MailAddress) -> Self {
        address.0
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_pass() {
        for good in ["alice@example.com", "a.b+c@x-y.example", "root@localhost", "o'neil@example.com"] {
            assert!(good.parse::<MailAddress>().is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for bad in [
            "",
            "alice",
            "@example.com",
            "alice@",
            "a@b@c",
            "a..b@example.com",
            ".a@example.com",
            "\"a b\"@example.com",
            "a@[127.0.0.1]",
            "a@example.com\r\nBcc: eve@example.com",
            "a@example.com, eve@example.com",
            "Alice <alice@example.com>",
            "ä@example.com",
            "a@-x.example",
            "a@x..example",
            &long,
        ] {
            assert!(bad.parse::<MailAddress>().is_err(), "{bad}");
        }
    }
}
