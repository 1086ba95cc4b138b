//! Takes passwords out of SQL before it is written down.
//!
//! By lexing, not parsing, so what isn't valid SQL is looked at as well. Found are:
//!
//! - the password of CREATE or ALTER ROLE, USER and GROUP, however it is quoted, and unquoted;
//! - options that name a secret, of CREATE or ALTER USER MAPPING, SERVER and FOREIGN DATA WRAPPER; CONNECTION of SUBSCRIPTION;
//! - connection strings and URLs in any string, as dblink takes them;
//! - a string next to a column or a variable whose name speaks of a password: `password = '...'`;
//! - all of it in SQL in strings, dollar quotes (functions, DO) and comments.
//!
//! Where a text can be read in several ways (`standard_conforming_strings`, the client's encoding) it is read in each, and all that
//! is a password in any is taken out: rather too much than too little. Not covered is SQL that is put together from pieces at run
//! time, a password in data (`INSERT INTO users VALUES (...)`), and one hidden on purpose.
//!
//! ```
//! use daypass_wire::postgres::redact::redact;
//!
//! let clean = redact(b"ALTER ROLE app LOGIN PASSWORD 'hunter2' VALID UNTIL 'tomorrow'");
//! assert_eq!(&clean[..], b"ALTER ROLE app LOGIN PASSWORD '[redacted]' VALID UNTIL 'tomorrow'");
//! ```

mod decode;
pub(super) mod lex;
mod rules;
mod words;

use std::borrow::Cow;
use std::ops::Range;

use self::lex::Doubts;

/// What stands where a password was.
pub const REDACTED: &[u8] = b"'[redacted]'";

/// SQL with `'[redacted]'` in place of each password. Borrowed when there is none.
pub fn redact(sql: &[u8]) -> Cow<'_, [u8]> {
    let mut found = Vec::new();
    find(sql, &mut found);
    replace(sql, found)
}

/// As [`redact`], for what may be SQL, a connection string or neither: parameters and errors.
pub fn redact_value(value: &[u8]) -> Cow<'_, [u8]> {
    let mut found = Vec::new();
    if hints(value) {
        words::connection_secrets(value, &mut found);
        find(value, &mut found);
    }
    replace(value, found)
}

/// Whether a statement speaks of passwords, so that its parameters, and errors that quote it, aren't to be written down.
/// Broader than [`redact`]: `WHERE password = $1` does.
pub fn mentions_password(sql: &[u8]) -> bool {
    words::speaks(sql)
}

/// Whether there may be anything for [`redact`] to find. What has no hints in it passes untouched, at the cost of one look at each byte.
pub fn hints(text: &[u8]) -> bool {
    words::hints(text)
}

fn find(sql: &[u8], found: &mut Vec<Range<usize>>) {
    if hints(sql) {
        for doubts in Doubts::of(sql) {
            rules::find(sql, 0, doubts, 0, found);
        }
    }
}

fn replace(text: &[u8], mut found: Vec<Range<usize>>) -> Cow<'_, [u8]> {
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_by_key(|range| range.start);
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    for range in found {
        // Those that touch are one.
        if range.start > at || out.is_empty() {
            out.extend_from_slice(&text[at..range.start]);
            out.extend_from_slice(REDACTED);
        }
        at = at.max(range.end);
    }
    out.extend_from_slice(&text[at..]);
    Cow::Owned(out)
}
