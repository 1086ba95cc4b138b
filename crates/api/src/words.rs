//! What values are called when a person reads them: in a terminal, and on the server's pages.

use crate::{
    Timestamp,
    grants::{EndCause, EndConfirmation, EndProgress},
    policy::Way,
    requests::Purpose,
    sessions::SessionEnd,
};

/// A length of time, as people say it: `45 s`, `30 min`, `1 h 30 min`, `2 d`.
#[must_use]
pub fn span(seconds: i64) -> String {
    let (days, hours) = (seconds / 86_400, seconds % 86_400 / 3_600);
    let (minutes, rest) = (seconds % 3_600 / 60, seconds % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")];
    let mut said = parts.iter().skip_while(|(n, _)| *n == 0).take(2).filter(|(n, _)| *n != 0);
    let text = said.by_ref().map(|(n, unit)| format!("{n} {unit}")).collect::<Vec<_>>().join(" ");
    if text.is_empty() { "0 s".to_owned() } else { text }
}

/// A point in time to the second, in UTC.
#[must_use]
pub fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let (date, clock) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date} {}Z", clock.get(..8).unwrap_or(clock))
}

/// Who somebody is: a workload with whoever answers for it.
#[must_use]
pub fn who(name: &str, owner: Option<&str>) -> String {
    match owner {
        Some(owner) => format!("{name}, of {owner}"),
        None => name.to_owned(),
    }
}

/// A number of things.
#[must_use]
pub fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// What a purpose is called.
#[must_use]
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

/// Why a grant ended.
#[must_use]
pub fn end_cause(cause: &EndCause) -> String {
    match cause {
        EndCause::Deadline => "its time was up".to_owned(),
        EndCause::Released { by } => format!("released by {by}"),
        EndCause::Revoked { by, .. } => format!("revoked by {by}"),
        EndCause::Disabled { principal } => format!("{principal} was disabled"),
        EndCause::Signalled { transmitter } => format!("{transmitter} signalled that the sign-in is revoked"),
        EndCause::ApprovalGone { .. } => "an approval is gone".to_owned(),
        EndCause::FactGone => "a fact that it rested on is gone".to_owned(),
        EndCause::PolicyChanged { .. } => "the policies changed".to_owned(),
        EndCause::RoleChanged => "the role or resource was changed".to_owned(),
        EndCause::StatementOver => "its statement is over".to_owned(),
        EndCause::Restored => "the data was restored from a backup".to_owned(),
    }
}

/// How far the target is.
#[must_use]
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
#[must_use]
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

/// Why a session ended.
#[must_use]
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

/// The ways that would let something through.
#[must_use]
pub fn ways(ways: &[Way]) -> String {
    ways.iter().map(|way| way.text.as_str()).collect::<Vec<_>>().join("; or ")
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
