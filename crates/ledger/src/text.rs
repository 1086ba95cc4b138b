//! Small strict readers that several formats share.

/// A decimal number as the C2SP texts write it: ASCII digits, no sign, no leading zero.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    if digits && canonical { text.parse().ok() } else { None }
}

/// Base64 (RFC 4648, 4) in its one spelling. The decoder alone also takes several padded texts in a row, as in `AAA=BBBB`:
/// then the same bytes would have more than one.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    if text.trim_end_matches('=').contains('=') {
        return None;
    }
    data_encoding::BASE64.decode(text.as_bytes()).ok()
}

/// The first `max` characters, for quoting text from outside in an error without letting it
/// choose the length, and with what could steer a terminal escaped.
pub(crate) fn excerpt(text: &str, max: usize) -> String {
    text.chars().take(max).flat_map(char::escape_debug).collect()
}
