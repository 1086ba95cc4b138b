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
    fn nobody_is_mentioned_and_nothing_linked_by_a_text() {
        assert_eq!(escape("<!channel> & <https://evil|x>"), "&lt;!channel&gt; &amp; &lt;https://evil|x&gt;");
    }
}
