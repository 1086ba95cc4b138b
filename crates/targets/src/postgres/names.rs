//! The one place where names and texts become SQL.

/// An identifier, always quoted. What PostgreSQL can't have in a name (a zero byte) is dropped rather than sent.
pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "").replace('"', "\"\""))
}

/// A text, as a literal that reads the same whatever `standard_conforming_strings` is.
pub(super) fn literal(text: &str) -> String {
    let text = text.replace('\0', "").replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", text.replace('\\', "\\\\")) } else { format!("'{text}'") }
}

/// Texts, as an array.
pub(super) fn array<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<String> = texts.into_iter().map(literal).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", items.join(", "))
}

/// At most `most` characters of a text from outside.
pub(super) fn cut_short(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_quotes() {
        assert_eq!(ident("plain"), "\"plain\"");
        assert_eq!(ident("a\"; DROP ROLE postgres; --"), "\"a\"\"; DROP ROLE postgres; --\"");
        assert_eq!(ident("nul\0byte"), "\"nulbyte\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("\\'; SELECT 1; --"), "E'\\\\''; SELECT 1; --'");
        assert_eq!(array(["a", "b'c"]), "ARRAY['a', 'b''c']::pg_catalog.text[]");
        assert_eq!(cut_short("äöü", 2), "äö...");
        assert_eq!(cut_short("äöü", 3), "äöü");
    }
}
