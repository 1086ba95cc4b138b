//! Microsoft Teams, by a Workflows webhook: an Adaptive Card with a button that opens the page. Its texts are text runs,
//! in which no markdown is read, so nothing needs escaping.

use daypass_ports::notices::Letter;
use serde_json::{Value, json};

/// A letter as Teams takes it.
pub(super) fn message(letter: &Letter) -> Value {
    let words = letter.words();
    let run = |text: &str, weight: &str| json!({ "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": text, "weight": weight }] });
    let mut body = vec![run(&words.subject, "bolder")];
    body.extend(words.lines.iter().map(|line| run(line, "default")));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "actions": [{ "type": "Action.OpenUrl", "title": words.button, "url": letter.link }],
            },
        }],
    })
}
