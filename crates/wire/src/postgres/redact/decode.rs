//! What is written between a string's quotes.

use std::borrow::Cow;

use super::lex::Escapes;

/// Undoes doubled quotes and escapes, for looking at only: a character that isn't ASCII may come out as another.
pub(super) fn decode(inner: &[u8], escapes: Escapes) -> Cow<'_, [u8]> {
    let escape = escapes != Escapes::None && inner.contains(&b'\\');
    if !escape && !inner.contains(&b'\'') {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    while let Some(byte) = inner.get(at).copied() {
        at += 1;
        match byte {
            b'\'' if inner.get(at) == Some(&b'\'') => {
                out.push(byte);
                at += 1;
            }
            b'\\' if escape => at = unescape(inner, at, escapes, &mut out),
            _ => out.push(byte),
        }
    }
    Cow::Owned(out)
}

/// What follows a backslash. Gives where to go on.
fn unescape(inner: &[u8], at: usize, escapes: Escapes, out: &mut Vec<u8>) -> usize {
    let Some(byte) = inner.get(at).copied() else { return at };
    let (from, digits, radix) = match (escapes, byte) {
        (Escapes::Unicode, b'+') => (at + 1, 6, 16),
        (Escapes::Unicode, _) => (at, 4, 16),
        (Escapes::Backslash | Escapes::None, b'x') => (at + 1, 2, 16),
        (Escapes::Backslash | Escapes::None, b'u') => (at + 1, 4, 16),
        (Escapes::Backslash | Escapes::None, b'U') => (at + 1, 8, 16),
        (Escapes::Backslash | Escapes::None, b'0'..=b'7') => (at, 3, 8),
        (Escapes::Backslash | Escapes::None, _) => (at, 0, 16),
    };
    let mut value = 0u32;
    let mut end = from;
    while end < from + digits
        && let Some(digit) = inner.get(end).and_then(|byte| char::from(*byte).to_digit(radix))
    {
        value = value.wrapping_mul(radix).wrapping_add(digit);
        end += 1;
    }
    if end > from {
        let char = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        return end;
    }
    out.push(match byte {
        b'n' | b'r' | b't' | b'f' | b'b' => b' ',
        other => other,
    });
    at + 1
}
