//! The words that give a password away, and connection strings.

use std::ops::Range;

use super::lex::is_word;

/// Whether `text` begins with this lower-case word, in any case.
fn begins(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Whether a password's name begins here.
fn password_at(text: &[u8]) -> bool {
    begins(text, b"passw") || begins(text, b"passphrase") || begins(text, b"pwd")
}

/// Whether a name speaks of a password.
pub(super) fn names_password(name: &[u8]) -> bool {
    (0..name.len()).any(|at| password_at(&name[at..]))
}

/// Whether an option's name in `OPTIONS (...)` speaks of any secret.
pub(super) fn names_secret(name: &[u8]) -> bool {
    const MORE: [&[u8]; 5] = [b"secret", b"token", b"apikey", b"_key", b"credential"];
    (0..name.len()).any(|at| password_at(&name[at..]) || MORE.iter().any(|word| begins(&name[at..], word)))
}

/// Whether a word anywhere in `text` could lead to a redaction. Quick, since it is asked about every statement.
pub(super) fn hints(text: &[u8]) -> bool {
    text.iter().enumerate().any(|(at, byte)| match byte.to_ascii_lowercase() {
        b'p' => password_at(&text[at..]),
        b's' => begins(&text[at..], b"secret") || begins(&text[at..], b"subscription"),
        b'd' => begins(&text[at..], b"dblink"),
        b'o' => begins(&text[at..], b"options"),
        b':' => begins(&text[at..], b"://"),
        _ => false,
    })
}

/// Whether a statement speaks of passwords, so that its parameters may be some.
pub(super) fn speaks(text: &[u8]) -> bool {
    text.iter().enumerate().any(|(at, byte)| match byte.to_ascii_lowercase() {
        b'p' => password_at(&text[at..]),
        b's' => begins(&text[at..], b"secret") || begins(&text[at..], b"subscription"),
        b'd' => begins(&text[at..], b"dblink"),
        b'm' => begins(&text[at..], b"mapping"),
        _ => false,
    })
}

/// Whether SQL within a string makes or changes something, with a password.
pub(super) fn makes_with_password(text: &[u8]) -> bool {
    let makes = |at: usize| begins(&text[at..], b"alter") || begins(&text[at..], b"create");
    names_password(text) && (0..text.len()).any(makes)
}

/// The secrets of connection strings in `text`: what follows `password =`, and URLs that may hold one.
pub(super) fn connection_secrets(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while at < text.len() {
        if begins(&text[at..], b"://") {
            let start = text[..at].iter().rposition(|byte| !byte.is_ascii_alphanumeric() && !b"+-.".contains(byte));
            let start = start.map_or(0, |before| before + 1);
            let end = end_of(text, at, |byte| byte.is_ascii_whitespace() || byte == b'\'' || byte == b'"');
            if url_holds_secret(&text[start..at], &text[at + 3..end]) {
                found.push(start..end);
            }
            at = end.max(at + 3);
        } else if password_at(&text[at..]) || begins(&text[at..], b"secret") {
            let name_end = end_of(text, at, |byte| !is_word(byte));
            let equals = end_of(text, name_end, |byte| !byte.is_ascii_whitespace());
            if text.get(equals) == Some(&b'=') {
                let start = end_of(text, equals + 1, |byte| !byte.is_ascii_whitespace());
                let end = value_end(text, start);
                found.push(start..end);
                at = end.max(equals + 1);
            } else {
                at = name_end.max(at + 1);
            }
        } else {
            at += 1;
        }
    }
    found.retain(|range| !range.is_empty());
}

/// The first place from `at` on where `is`.
fn end_of(text: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    let at = at.min(text.len());
    text[at..].iter().position(|byte| is(*byte)).map_or(text.len(), |found| at + found)
}

/// A value of libpq's: up to whitespace, or in single quotes; a backslash escapes in both.
fn value_end(text: &[u8], start: usize) -> usize {
    let quoted = text.get(start) == Some(&b'\'');
    let mut at = start + usize::from(quoted);
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\'' if quoted => return at + 1,
            byte if !quoted && byte.is_ascii_whitespace() => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// `user:password@host`; in PostgreSQL's own, names may be percent-encoded too, so any option counts.
fn url_holds_secret(scheme: &[u8], rest: &[u8]) -> bool {
    let authority = &rest[..end_of(rest, 0, |byte| byte == b'/' || byte == b'?')];
    // A password may itself hold a slash, which libpq accepts.
    let user_info = rest.contains(&b'@') && (authority.contains(&b':') || rest.contains(&b':'));
    let ours = begins(scheme, b"postgres");
    user_info || (ours && (rest.contains(&b'?') || rest.contains(&b'@')))
}
