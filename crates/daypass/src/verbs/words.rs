//! What the API's values are called when a person reads them.

use daypass_api::{
    Timestamp,
    changes::ChangeState,
    grants::{EndCause, EndConfirmation, EndProgress, GrantState},
    policy::{Lack, Way},
    requests::{Purpose, RequestState},
    sessions::{SessionEnd, SessionState},
};

/// A length of time, as people say it: `45 s`, `30 min`, `1 h 30 min`, `2 d`.
pub fn span(seconds: i64) -> String {
    let (days, hours) = (seconds / 86_400, seconds % 86_400 / 3_600);
    let (minutes, rest) = (seconds % 3_600 / 60, seconds % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")];
    let mut said = parts.iter().skip_while(|(n, _)| *n == 0).take(2).filter(|(n, _)| *n != 0);
    let text = said.by_ref().map(|(n, unit)| format!("{n} {unit}")).collect::<Vec<_>>().join(" ");
    if text.is_empty() { "0 s".to_owned() } else { text }
}

/// A point in time to the second, in UTC.
pub fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let (date, clock) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date} {}Z", clock.get(..8).unwrap_or(clock))
}

/// A time ahead, and how far it is.
pub fn until(at: Timestamp) -> String {
    let left = at.secs_since(now());
    if left > 0 { format!("{} (in {})", time(at), span(left)) } else { time(at) }
}

/// Now.
pub fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

/// A number of things.
pub fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// What a purpose is called on the command line.
pub fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Operations => "operations",
        Purpose::Incident => "incident",
        Purpose::Change => "change",
        Purpose::Support => "support",
        Purpose::Treatment => "treatment",
        Purpose::Payment => "payment",
        Purpose::Compliance => "compliance",
        Purpose::Analytics => "analytics",
    }
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

/// Why a grant ended.
pub fn end_cause(cause: &EndCause) -> String {
    match cause {
        EndCause::Deadline => "its time was up".to_owned(),
        EndCause::Released { by } => format!("released by {by}"),
        EndCause::Revoked { by, .. } => format!("revoked by {by}"),
        EndCause::Disabled { principal } => format!("{principal} was disabled"),
        EndCause::ApprovalGone { .. } => "an approval is gone".to_owned(),
        EndCause::FactGone => "a fact that it rested on is gone".to_owned(),
        EndCause::PolicyChanged { .. } => "the policies changed".to_owned(),
        EndCause::RoleChanged => "the role or resource was changed".to_owned(),
        EndCause::Restored => "the data was restored from a backup".to_owned(),
    }
}

/// How far the target is.
pub fn end_progress(progress: &EndProgress) -> String {
    match progress {
        EndProgress::Cutting => "the target is being cut".to_owned(),
        EndProgress::Listed { .. } => "no backend is left at the target; its login is being removed".to_owned(),
        EndProgress::Unknown { tried, times } => {
            format!("the target couldn't be reached (tried {times} times, last {}): it is tried again", time(*tried))
        }
    }
}

/// What is known of the end at the target.
pub fn end_confirmation(confirmation: &EndConfirmation) -> String {
    match confirmation {
        EndConfirmation::NothingMade => "confirmed: no login was ever made at the target".to_owned(),
        EndConfirmation::Clean => "confirmed: nothing remains at the target".to_owned(),
        EndConfirmation::Kept { objects, list } => {
            format!(
                "confirmed: {} kept for the role's owner (list: {list})",
                count(*objects as usize, "object", "objects")
            )
        }
        EndConfirmation::Residue { items, list } => {
            format!(
                "confirmed with residue: {} that nobody declared (list: {list})",
                count(*items as usize, "thing", "things")
            )
        }
    }
}

/// Where a session stands.
pub fn session_state(state: &SessionState) -> String {
    match state {
        SessionState::Open { since } => format!("open since {}", time(*since)),
        SessionState::Closed { at, cause, .. } => format!("closed {}: {}", time(*at), session_end(*cause)),
    }
}

/// Why a session ended.
pub fn session_end(end: SessionEnd) -> &'static str {
    match end {
        SessionEnd::ClientLeft => "the client left",
        SessionEnd::GrantEnded => "the grant ended",
        SessionEnd::Killed => "killed",
        SessionEnd::TargetLost => "the target was lost",
        SessionEnd::RecordingFailed => "it could no longer be recorded",
        SessionEnd::Idle => "idle for too long",
        SessionEnd::LeaseLost => "the gateway's lease ran out",
        SessionEnd::ProtocolError => "the protocol was broken",
        SessionEnd::Shutdown => "the gateway was stopped",
        SessionEnd::NodeLost => "the gateway died",
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

/// The ways that would let something through.
pub fn ways(ways: &[Way]) -> String {
    ways.iter().map(|way| way.text.as_str()).collect::<Vec<_>>().join("; or ")
}

/// Who could give what is missing, where it is other people's to give; a line for people, or nothing.
pub fn who_could(ways: &[Way]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for lack in ways.iter().flat_map(|way| &way.lacks) {
        match lack {
            Lack::Approvals { who, .. } => names.extend(who.iter().map(String::as_str)),
            Lack::Reason
            | Lack::Ticket { .. }
            | Lack::SecondFactor { .. }
            | Lack::ShorterTime { .. }
            | Lack::Purpose { .. } => {}
        }
    }
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { String::new() } else { format!("\nWho could give it: {}.", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_as_people_say_them() {
        for (seconds, text) in
            [(0, "0 s"), (45, "45 s"), (1800, "30 min"), (5400, "1 h 30 min"), (3601, "1 h"), (172_800, "2 d")]
        {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn times_read_to_the_second() {
        assert_eq!(time(Timestamp::from_micros(1_700_000_000_123_456)), "2023-11-14 22:13:20Z");
    }
}
