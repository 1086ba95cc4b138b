//! What pages say of verdicts and times.

use daypass_api::{Timestamp, words::span};
use daypass_domain::{
    Time,
    resource::{Classification, Environment, Labels},
};
use daypass_policy::{Answer, Lack, Verdict};

use crate::show;

/// A verdict as a page says it.
pub(super) struct Said {
    /// `yes`, `later` or `no`: for the style.
    pub tone: &'static str,
    /// In one line.
    pub line: String,
    /// What stands behind it.
    pub more: Vec<String>,
}

/// An answer, said to whoever would ask.
pub(super) fn said(answer: &Answer) -> Said {
    match answer {
        Answer::Granted { policies } => Said {
            tone: "yes",
            line: "Granted at once".to_owned(),
            more: policies.iter().filter_map(|p| p.why.clone()).collect(),
        },
        Answer::Needs { missing } => {
            let lacks = missing.ways.iter().flat_map(|way| &way.lacks);
            Said {
                tone: "later",
                line: format!("Needs {missing}"),
                more: lacks.filter_map(Lack::could_be_given).collect(),
            }
        }
        Answer::Refused { verdict: Verdict::Forbidden { policies } } => {
            let ids: Vec<&str> = policies.iter().map(|p| p.id.as_str()).collect();
            let more = policies.iter().filter_map(|p| p.why.clone()).collect();
            Said { tone: "no", line: format!("Forbidden by {}", ids.join(", ")), more }
        }
        Answer::Refused { verdict } => Said { tone: "no", line: verdict.to_string(), more: Vec::new() },
    }
}

/// A point in time, for a machine and for a person.
pub(super) struct Moment {
    /// RFC 3339.
    pub machine: Timestamp,
    /// `2023-11-14 22:13 UTC`.
    pub words: String,
}

/// A point in time.
pub(super) fn moment(at: Time) -> Moment {
    let machine = show::time(at);
    let words = daypass_api::words::time(machine);
    // To the second it says `22:13:20Z`.
    let (minute, _) = words.rsplit_once(':').unwrap_or((&words, ""));
    Moment { words: format!("{minute} UTC"), machine }
}

/// How long it is until then, said to the minute and rounded up, so that it is the same for a minute.
pub(super) fn left(until: Time, now: Time) -> String {
    let seconds = until.since(now).secs().max(0);
    if seconds < 120 { span(seconds) } else { span((seconds + 59) / 60 * 60) }
}

/// How long ago something was, said to the minute and rounded down.
pub(super) fn ago(at: Time, now: Time) -> String {
    let seconds = now.since(at).secs().max(0);
    if seconds < 60 { "just now".to_owned() } else { format!("{} ago", span(seconds / 60 * 60)) }
}

/// Labels in one line: `production, pii`.
pub(super) fn labels(labels: &Labels) -> String {
    let classes = labels.classification.iter().map(|class| match class {
        Classification::Public => "public",
        Classification::Internal => "internal",
        Classification::Pii => "personal data",
        Classification::Phi => "health data",
        Classification::Cardholder => "card data",
        Classification::Secrets => "secrets",
    });
    let environment = match labels.environment {
        Environment::Lab => "lab",
        Environment::Development => "development",
        Environment::Staging => "staging",
        Environment::Production => "production",
    };
    std::iter::once(environment).chain(classes).collect::<Vec<_>>().join(", ")
}
