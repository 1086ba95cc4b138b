//! What a tool answers: words for the model, and the same as data. All of it is bounded.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{client::http::shown_lines, failure::Failure};

/// The most rows of a result that are given.
pub const ROWS_MAX: usize = 200;
/// The most bytes of all values together.
pub const VALUES_LEN_MAX: usize = 32 << 10;
/// The most bytes of one value.
pub const VALUE_LEN_MAX: usize = 4 << 10;
/// The most bytes of words.
const WORDS_LEN_MAX: usize = 16 << 10;

/// What came of a call.
pub struct Answer {
    words: String,
    data: Value,
    how: How,
}

/// Whether it went well, for the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It did, or goes on.
    Well,
    /// It didn't: the words say what to do.
    Badly,
}

impl Answer {
    /// Words, and the same as data.
    pub fn new(words: impl AsRef<str>, data: &impl Serialize, how: How) -> Self {
        // Our answers are plain data, which always has a JSON form.
        let data = serde_json::to_value(data).unwrap_or_default();
        Self { words: bounded(&shown_lines(words.as_ref()), WORDS_LEN_MAX).0, data, how }
    }

    /// The result of `tools/call`: the data stands as text too, for clients that read no structured content.
    pub fn result(self) -> Value {
        let text = |text: String| json!({ "type": "text", "text": text });
        json!({
            "content": [text(self.words), text(self.data.to_string())],
            "structuredContent": self.data,
            "isError": self.how == How::Badly,
        })
    }
}

/// A failure as the result of `tools/call`: what happened, and what to do next.
pub fn failed(failure: &Failure) -> Value {
    let words = if failure.next.is_empty() {
        shown_lines(&failure.what)
    } else {
        shown_lines(&format!("{}\nNext: {}", failure.what, failure.next))
    };
    json!({ "content": [{ "type": "text", "text": bounded(&words, WORDS_LEN_MAX).0 }], "isError": true })
}

/// The beginning of a text, at most so many bytes; and whether that is all of it.
pub fn bounded(text: &str, most: usize) -> (String, Whole) {
    if text.len() <= most {
        return (text.to_owned(), Whole::Yes);
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    (format!("{}…", &text[..end]), Whole::No)
}

/// Whether something is all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// It is.
    Yes,
    /// Something was left out.
    No,
}

/// Rows, as far as there is room for them: the first ones, without holes, and no value longer than it may be.
pub fn rows(rows: Vec<Vec<Option<String>>>) -> (Vec<Vec<Option<String>>>, Whole) {
    let (mut given, mut left, mut whole) = (Vec::new(), VALUES_LEN_MAX, Whole::Yes);
    for row in rows {
        let cut: Vec<Option<(String, Whole)>> =
            row.into_iter().map(|value| value.map(|text| bounded(&text, VALUE_LEN_MAX))).collect();
        // NULL and an empty text take room too.
        let len: usize = cut.iter().map(|value| 4 + value.as_ref().map_or(0, |(text, _)| text.len())).sum();
        if given.len() == ROWS_MAX || len > left {
            return (given, Whole::No);
        }
        left -= len;
        if cut.iter().flatten().any(|(_, all)| *all == Whole::No) {
            whole = Whole::No;
        }
        given.push(cut.into_iter().map(|value| value.map(|(text, _)| text)).collect());
    }
    (given, whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    fn row(text: &str) -> Vec<Option<String>> {
        vec![Some(text.to_owned()), None]
    }

    #[test]
    fn a_result_is_its_beginning_when_it_is_too_long() {
        let few = vec![row("a"), row("b")];
        assert_eq!(rows(few.clone()), (few, Whole::Yes));
        let (given, whole) = rows(vec![row("x"); ROWS_MAX + 1]);
        assert_eq!((given.len(), whole), (ROWS_MAX, Whole::No));
        let (given, whole) = rows(vec![row(&"x".repeat(VALUE_LEN_MAX)); 20]);
        assert!(given.len() < 20 && whole == Whole::No);
        assert!(given.iter().flatten().flatten().map(String::len).sum::<usize>() <= VALUES_LEN_MAX);
        // Of one that is too long the beginning is given, whole characters of it.
        let (given, whole) = rows(vec![row(&"é".repeat(VALUE_LEN_MAX))]);
        assert_eq!(whole, Whole::No);
        let value = given[0][0].as_ref().unwrap();
        assert!(value.ends_with('…') && value.len() <= VALUE_LEN_MAX + 3);
    }

    #[test]
    fn a_failure_says_what_to_do_next() {
        let said = failed(&Failure::new(Exit::NotFound, "there is no such\u{202e} resource", "see list_access"));
        assert_eq!(said["isError"], true);
        assert_eq!(said["content"][0]["text"], "there is no such\\u{202e} resource\nNext: see list_access");
    }

    #[test]
    fn data_stands_as_text_too() {
        let said = Answer::new("Granted.", &json!({"outcome": "granted"}), How::Well).result();
        assert_eq!(
            (said["isError"].as_bool(), &said["structuredContent"]["outcome"]),
            (Some(false), &json!("granted"))
        );
        assert_eq!(said["content"][1]["text"], r#"{"outcome":"granted"}"#);
    }
}
