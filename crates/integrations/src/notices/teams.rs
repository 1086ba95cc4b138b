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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let all: Vec<Value> = super::super::letters::some().iter().map(message).collect();
        insta::assert_snapshot!(serde_json::to_string_pretty(&all).unwrap());
    }

    #[test]
    fn the_only_action_opens_a_page() {
        // I8. `Action.Submit`, `Action.Execute` and `Action.Http` would send something.
        for letter in super::super::letters::some() {
            let message = message(&letter);
            let actions = message["attachments"][0]["content"]["actions"].as_array().unwrap();
            let opens: Vec<_> = actions.iter().map(|a| (a["type"].as_str(), a["url"].as_str())).collect();
            assert_eq!(opens, [(Some("Action.OpenUrl"), Some(letter.link.as_str()))]);
        }
    }
}
