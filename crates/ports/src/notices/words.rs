//! The texts of all notices, in one place. A golden file shows each, with names and without.

use daypass_domain::{Time, notice::News};

use super::{Letter, Names};

/// What a letter says, in plain words. Plain text: whoever puts it into markup escapes it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub subject: String,
    /// A sentence or two each.
    pub lines: Vec<String>,
    /// What the link is called.
    pub button: &'static str,
}

impl Letter {
    /// What it says.
    #[must_use]
    pub fn words(&self) -> Words {
        let (subject, lines, button) = match &self.news {
            News::ApprovalWanted { request: _, until } => (
                self.named("approval wanted", "asks for"),
                vec![
                    format!("{} Your approval would count.", self.asked()),
                    format!("The request waits until {}.", minute(*until)),
                ],
                LOOK_AND_ANSWER,
            ),
            News::StillWanted { request: _, since, until } => (
                self.named("approval still wanted", "still asks for"),
                vec![
                    format!(
                        "{} Nobody has answered since {}. Your approval would count.",
                        self.asked(),
                        minute(*since)
                    ),
                    format!("The request waits until {}.", minute(*until)),
                ],
                LOOK_AND_ANSWER,
            ),
            News::ConfirmationWanted { request: _, until } => (
                self.named("confirmation wanted", "asks you for"),
                vec![
                    format!(
                        "{} You own that workload, and are asked to confirm it. That is no approval.",
                        self.asked()
                    ),
                    format!("The request waits until {}.", minute(*until)),
                ],
                LOOK_AND_ANSWER,
            ),
            News::Granted { request: _, grant: _, from, until } => (
                self.named("request granted", "may use"),
                vec![format!("The request was granted. It is good from {} until {}.", minute(*from), minute(*until))],
                "See how to connect",
            ),
            News::Denied { request: _ } => (
                self.named("request denied", "was denied"),
                vec!["Somebody said no to the request. Their note, if they left one, is on its page.".to_owned()],
                LOOK,
            ),
            News::Forbidden { request: _ } => (
                self.named("request forbidden", "may not have"),
                vec!["Policy doesn't permit the request any more. Its page says why.".to_owned()],
                LOOK,
            ),
            News::Expired { request: _ } => (
                self.named("request expired", "got no answer on"),
                vec!["Nobody answered the request in time. Ask again if the access is still needed.".to_owned()],
                LOOK,
            ),
            News::Withdrawn { request: _ } => (
                self.named("request withdrawn", "no longer asks for"),
                vec!["The request was taken back.".to_owned()],
                LOOK,
            ),
            News::EndNear { grant: _, request: _, deadline } => (
                self.named("access ends soon", "soon loses"),
                vec![
                    format!("The access ends at {}. Live connections are cut then.", minute(*deadline)),
                    "Whoever needs it for longer extends it before, where policy lets them, or asks again.".to_owned(),
                ],
                LOOK,
            ),
            News::EndedEarly { grant: _, request: _, at, cause } => (
                self.named("access ended early", "lost"),
                vec![format!("The access ended at {}, before its time: {cause}.", minute(*at))],
                LOOK,
            ),
            News::ChangeWaits { change: _, subject, until } => (
                "Daypass: a change waits for another administrator".to_owned(),
                vec![
                    format!("{} changing a {subject}. It takes another administrator to do it.", self.proposer()),
                    format!("The change waits until {}.", minute(*until)),
                ],
                "Look at it",
            ),
            News::EmergencyUsed { kit: _, resource: _, at } => (
                self.emergency("an emergency kit was used", "the emergency kit was used"),
                vec![
                    format!(
                        "At {} somebody was seen at the target {}by its emergency login, which two people open together. \
                         Nobody ended the session.",
                        minute(*at),
                        self.at_resource()
                    ),
                    "The kit must be sealed anew, and somebody who holds no half of it reviews what was done."
                        .to_owned(),
                ],
                LOOK_AT_KITS,
            ),
            News::EmergencyOpen { kit: _, resource: _, since } => (
                self.emergency("the use of an emergency kit waits", "the use of the emergency kit waits"),
                vec![
                    format!(
                        "An emergency kit {}was used (first seen {}), and still waits to be sealed anew, or to be reviewed.",
                        self.at_resource(),
                        minute(*since)
                    ),
                    "Until then whoever used it may use it again, or nobody has said that it was right.".to_owned(),
                ],
                LOOK_AT_KITS,
            ),
            News::Trial => (
                "Daypass: a trial".to_owned(),
                vec!["An administrator tries whether notices arrive. They do.".to_owned()],
                "Open Daypass",
            ),
        };
        Words { subject, lines, button }
    }

    /// The subject: with names a sentence, without them what it is about.
    fn named(&self, bare: &str, verb: &str) -> String {
        match &self.names {
            Names::Access { holder, role, resource } => format!("Daypass: {holder} {verb} {role} on {resource}"),
            Names::Withheld | Names::Change { .. } | Names::Emergency { .. } => format!("Daypass: {bare}"),
        }
    }

    fn asked(&self) -> String {
        match &self.names {
            Names::Access { holder, role, resource } => {
                format!("Access to {resource} as {role} is asked for, to be held by {holder}.")
            }
            Names::Withheld | Names::Change { .. } | Names::Emergency { .. } => "Access is asked for.".to_owned(),
        }
    }

    fn emergency(&self, bare: &str, of: &str) -> String {
        match &self.names {
            Names::Emergency { resource } => format!("Daypass: {of} of {resource}"),
            Names::Withheld | Names::Access { .. } | Names::Change { .. } => format!("Daypass: {bare}"),
        }
    }

    fn at_resource(&self) -> String {
        match &self.names {
            Names::Emergency { resource } => format!("of {resource} "),
            Names::Withheld | Names::Access { .. } | Names::Change { .. } => String::new(),
        }
    }

    fn proposer(&self) -> String {
        match &self.names {
            Names::Change { proposer } => format!("{proposer} proposes"),
            Names::Withheld | Names::Access { .. } | Names::Emergency { .. } => "An administrator proposes".to_owned(),
        }
    }
}

const LOOK_AT_KITS: &str = "See what is to be done";
const LOOK: &str = "Look at the request";
const LOOK_AND_ANSWER: &str = "Look at it and answer";

/// `2026-11-24 10:30 UTC`.
fn minute(at: Time) -> String {
    // RFC 3339, which Time shows itself as: the date and the time of day are its first sixteen letters.
    let text = at.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        (_, _) => text,
    }
}

#[cfg(test)]
mod tests {
    use daypass_domain::{
        ChangeId, GrantId, InstallationId, KitId, NoticeId, PayloadId, PrincipalId, RequestId, ResourceId,
        end::EndCause,
    };

    use super::{super::Addressee, *};

    fn at(minutes: i64) -> Time {
        Time::from_micros(1_795_516_200_000_000 + minutes * 60_000_000)
    }

    fn everything() -> Vec<News> {
        let (request, grant) = (RequestId::new(at(0), [1; 10]), GrantId::new(at(0), [2; 10]));
        let (kit, resource) = (KitId::new(at(0), [8; 10]), ResourceId::new(at(0), [9; 10]));
        let revoked =
            EndCause::Revoked { by: PrincipalId::new(at(0), [3; 10]), reason: PayloadId::new(at(0), [4; 10]) };
        vec![
            News::ApprovalWanted { request, until: at(60) },
            News::StillWanted { request, since: at(-10), until: at(60) },
            News::ConfirmationWanted { request, until: at(60) },
            News::Granted { request, grant, from: at(0), until: at(30) },
            News::Denied { request },
            News::Forbidden { request },
            News::Expired { request },
            News::Withdrawn { request },
            News::EndNear { grant, request, deadline: at(10) },
            News::EndedEarly { grant, request, at: at(3), cause: revoked },
            News::ChangeWaits { change: ChangeId::new(at(0), [5; 10]), subject: "policy".into(), until: at(90) },
            News::EmergencyUsed { kit, resource, at: at(-60) },
            News::EmergencyOpen { kit, resource, since: at(-4320) },
            News::Trial,
        ]
    }

    fn names(news: &News) -> Names {
        match news {
            News::ChangeWaits { .. } => Names::Change { proposer: "ada".parse().unwrap() },
            News::EmergencyUsed { .. } | News::EmergencyOpen { .. } => {
                Names::Emergency { resource: "orders".parse().unwrap() }
            }
            News::Trial => Names::Withheld,
            News::ApprovalWanted { .. }
            | News::ConfirmationWanted { .. }
            | News::StillWanted { .. }
            | News::Granted { .. }
            | News::Denied { .. }
            | News::Forbidden { .. }
            | News::Expired { .. }
            | News::Withdrawn { .. }
            | News::EndNear { .. }
            | News::EndedEarly { .. } => Names::Access {
                holder: "alice".parse().unwrap(),
                role: "readonly".parse().unwrap(),
                resource: "orders".parse().unwrap(),
            },
        }
    }

    #[test]
    fn every_text() {
        let mut shown = String::new();
        for news in everything() {
            for names in [names(&news), Names::Withheld] {
                let letter = Letter {
                    id: NoticeId::new(at(0), [6; 10]),
                    installation: InstallationId::new(at(0), [7; 10]),
                    made: at(0),
                    to: Addressee::Room,
                    news: news.clone(),
                    names: names.clone(),
                    link: "https://daypass.example/".to_owned(),
                };
                let words = letter.words();
                let how = if names == Names::Withheld { "" } else { ", with names" };
                shown += &format!("-- {}{how}\n{}\n", news.word(), words.subject);
                shown += &format!("{}\n[{}]\n\n", words.lines.join("\n"), words.button);
            }
        }
        insta::assert_snapshot!(shown);
    }
}
