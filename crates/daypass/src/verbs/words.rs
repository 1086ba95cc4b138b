//! What the API's values are called when a person reads them.

pub use daypass_api::words::{
    count, end_cause, end_confirmation, end_progress, purpose, session_end, span, time, ways, who,
};
use daypass_api::{
    Timestamp,
    changes::ChangeState,
    grants::GrantState,
    policy::{Lack, Way},
    requests::RequestState,
    sessions::SessionState,
    statements::{Opens, Outcome, Run},
};

/// A time ahead, and how far it is.
pub fn until(at: Timestamp) -> String {
    let left = at.secs_since(now());
    if left > 0 { format!("{} (in {})", time(at), span(left)) } else { time(at) }
}

/// Now.
pub fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

/// Where a request stands.
pub fn request_state(state: &RequestState) -> String {
    match state {
        RequestState::Pending { expires } => format!("pending until {}", until(*expires)),
        RequestState::Granted { grant, at } => format!("granted {} as {grant}", time(*at)),
        RequestState::Denied { by, at, note } => {
            let note = note.as_ref().map(|n| format!(": {n}")).unwrap_or_default();
            format!("denied by {by} {}{note}", time(*at))
        }
        RequestState::Forbidden { at, policies } => format!("forbidden {} by {}", time(*at), policies.join(", ")),
        RequestState::Withdrawn { at } => format!("withdrawn {}", time(*at)),
        RequestState::Expired { at } => format!("expired {}", time(*at)),
    }
}

/// Where a grant stands.
pub fn grant_state(state: &GrantState) -> String {
    match state {
        GrantState::Scheduled { start, duration_s } => {
            format!("starts {}, for {}", until(*start), span(*duration_s))
        }
        GrantState::Active { deadline, .. } => format!("active until {}", until(*deadline)),
        GrantState::Ending { at, cause, progress } => {
            format!("ended {} ({}); {}", time(*at), end_cause(cause), end_progress(progress))
        }
        GrantState::Ended { at, cause, confirmation, .. } => {
            format!("ended {} ({}); {}", time(*at), end_cause(cause), end_confirmation(confirmation))
        }
    }
}

/// What a grant opens, before its state; nothing where that is sessions.
pub fn opens(opens: &Opens) -> String {
    let (what, run) = match opens {
        Opens::Sessions => return String::new(),
        Opens::Statement { run } => ("one statement", run),
        Opens::Look { run } => ("a look at a statement", run),
    };
    let how = match run {
        Run::NotBegun => "not run",
        Run::Begun { .. } => "begun",
        Run::Over { outcome: Outcome::Committed { .. }, .. } => "committed",
        Run::Over { outcome: Outcome::Refused { .. }, .. } => "refused by the target",
        Run::Over { outcome: Outcome::Looked, .. } => "looked at",
        Run::Over { outcome: Outcome::NoEffect, .. } => "without effect",
        Run::Over { outcome: Outcome::Unknown, .. } => "unknown: it may have run",
    };
    format!("{what} ({how}), ")
}

/// Where a session stands.
pub fn session_state(state: &SessionState) -> String {
    match state {
        SessionState::Open { since } => format!("open since {}", time(*since)),
        SessionState::Closed { at, cause, .. } => format!("closed {}: {}", time(*at), session_end(*cause)),
    }
}

/// Where a change stands.
pub fn change_state(state: &ChangeState) -> String {
    match state {
        ChangeState::Pending { expires } => format!("pending until {}", until(*expires)),
        ChangeState::Committed { approver, at } => format!("approved by {approver} {}", time(*at)),
        ChangeState::Rejected { by, at } => format!("rejected by {by} {}", time(*at)),
        ChangeState::Expired { at } => format!("expired {}", time(*at)),
    }
}

/// Who could give what is missing, where it is other people's to give; a line for people, or nothing.
pub fn who_could(ways: &[Way]) -> String {
    let names = whose_word(ways);
    if names.is_empty() { String::new() } else { format!("\nWho could give it: {}.", names.join(", ")) }
}

/// The people who could give what is missing, by name.
pub fn whose_word(ways: &[Way]) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    for lack in ways.iter().flat_map(|way| &way.lacks) {
        match lack {
            Lack::Approvals { who, .. } => names.extend(who.iter().map(String::as_str)),
            Lack::Confirmation { owner, .. } => names.push(owner),
            Lack::Reason
            | Lack::Ticket { .. }
            | Lack::SecondFactor { .. }
            | Lack::ShorterTime { .. }
            | Lack::Purpose { .. }
            | Lack::LowerRisk { .. }
            | Lack::CompliantDevice
            | Lack::Assurance { .. } => {}
        }
    }
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(ToOwned::to_owned).collect()
}
