//! Slack, by an incoming webhook: a message with a button that opens the page. Nothing can be answered there (I8).

use daypass_ports::notices::Letter;
use serde_json::{Value, json};

/// A letter as Slack takes it.
pub(super) fn message(letter: &Letter) -> Value {
    let words = letter.words();
    let (subject, text) = (escape(&words.subject), escape(&words.lines.join("\n")));
    json!({
        "text": subject,
        "blocks": [
            { "type": "header", "text": { "type": "plain_text", "text": subject, "emoji": false } },
            { "type": "section", "text": { "type": "plain_text", "text": text, "emoji": false } },
            { "type": "actions", "elements": [{
                "type": "button",
                "text": { "type": "plain_text", "text": words.button },
                "url": letter.link,
            }] },
        ],
    })
}

/// What Slack's texts must escape: no mention, link or channel can be written past it.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let all: Vec<Value> = super::super::letters::some().iter().map(message).collect();
        insta::assert_snapshot!(serde_json::to_string_pretty(&all).unwrap());
    }

    #[test]
    fn every_button_opens_a_page_and_none_sends_anything() {
        // I8. A button with a `url` and no `action_id` or `value`; only actions and plain texts.
        for letter in super::super::letters::some() {
            for block in message(&letter)["blocks"].as_array().unwrap() {
                let elements = block["elements"].as_array().cloned().unwrap_or_default();
                for element in &elements {
                    assert_eq!(element["url"], letter.link);
                    assert!(element.get("action_id").is_none() && element.get("value").is_none(), "{element}");
                }
                let kind = block["type"].as_str().unwrap();
                assert!(matches!((kind, elements.len()), ("header" | "section", 0) | ("actions", 1)), "{block}");
            }
        }
    }

    #[test]
    fn nobody_is_mentioned_and_nothing_linked_by_a_text() {
        assert_eq!(escape("<!channel> & <https://evil|x>"), "&lt;!channel&gt; &amp; &lt;https://evil|x&gt;");
    }
}
