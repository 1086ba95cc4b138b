//! The life of a notice: waiting, then sent, given up, or moot.
//!
//! | state | delivered | failed, and may pass | failed for good | moot |
//! | --- | --- | --- | --- | --- |
//! | waiting | sent | waiting, tried again later; given up when its time is up | given up | moot |
//! | the others | | | | |
//!
//! A notice tells one person, or one room, that something waits for them or has happened. It holds ids, enums and times
//! only: nobody's words (I9, I10).

mod why;

use serde::{Deserialize, Serialize};

pub use why::{Wait, Why};

use crate::{
    ChangeId, GrantId, KitId, Name, NoticeId, OccasionId, PrincipalId, RequestId, ResourceId, Span, Time,
    end::EndCause, grant::Refusal,
};

/// What there is to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum News {
    /// A request waits for an approval that the hearer could give.
    ApprovalWanted {
        /// Which.
        request: RequestId,
        /// Until when it waits.
        until: Time,
    },
    /// The same, told to the next approvers, since nobody has answered for a while.
    StillWanted {
        /// Which.
        request: RequestId,
        /// Since when it waits.
        since: Time,
        /// Until when it waits.
        until: Time,
    },
    /// A workload's request waits for the hearer, who owns it, to confirm it. That is no approval. // I8
    ConfirmationWanted {
        /// Which.
        request: RequestId,
        /// Until when it waits.
        until: Time,
    },
    /// A request was granted.
    Granted {
        /// Which.
        request: RequestId,
        /// The grant that answers it.
        grant: GrantId,
        /// From when it opens doors.
        from: Time,
        /// Until when.
        until: Time,
    },
    /// A person said no. Their note stays where it is kept.
    Denied {
        /// To which.
        request: RequestId,
    },
    /// Policy said no after all.
    Forbidden {
        /// To which.
        request: RequestId,
    },
    /// Nobody answered in time.
    Expired {
        /// Which.
        request: RequestId,
    },
    /// The requester, or whoever would hold the grant, took it back.
    Withdrawn {
        /// Which.
        request: RequestId,
    },
    /// The end of a grant comes near.
    EndNear {
        /// Of which.
        grant: GrantId,
        /// The request that it answers.
        request: RequestId,
        /// The deadline.
        deadline: Time,
    },
    /// A grant ended before its deadline, and not by its holder.
    EndedEarly {
        /// Which.
        grant: GrantId,
        /// The request that it answers.
        request: RequestId,
        /// When.
        at: Time,
        /// Why.
        cause: EndCause,
    },
    /// A change waits for another administrator. // I12
    ChangeWaits {
        /// Which.
        change: ChangeId,
        /// What kind of thing it changes.
        subject: String,
        /// Until when it waits.
        until: Time,
    },
    /// Somebody used an emergency kit: logged in at the target past the gateway, as two people together can.
    EmergencyUsed {
        /// Which.
        kit: KitId,
        /// Of which resource.
        resource: ResourceId,
        /// When it was first seen.
        at: Time,
    },
    /// The use of an emergency kit still waits for a rotation, or for a review.
    EmergencyOpen {
        /// Which.
        kit: KitId,
        /// Of which resource.
        resource: ResourceId,
        /// When the use was first seen.
        since: Time,
    },
    /// Somebody tries whether notices arrive.
    Trial,
}

/// What notices can be chosen by, in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Approvals and confirmations that are wanted.
    Approvals,
    /// What became of requests.
    Outcomes,
    /// Ends that come near, or came early.
    Ends,
    /// Changes that wait.
    Changes,
    /// What should never happen unnoticed: an emergency kit is used.
    Alarms,
    /// Trials: every channel takes them.
    Trials,
}

impl News {
    /// One word for tables, headers and programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::ApprovalWanted { .. } => "approval_wanted",
            Self::ConfirmationWanted { .. } => "confirmation_wanted",
            Self::StillWanted { .. } => "approval_still_wanted",
            Self::Granted { .. } => "request_granted",
            Self::Denied { .. } => "request_denied",
            Self::Forbidden { .. } => "request_forbidden",
            Self::Expired { .. } => "request_expired",
            Self::Withdrawn { .. } => "request_withdrawn",
            Self::EndNear { .. } => "end_near",
            Self::EndedEarly { .. } => "ended_early",
            Self::ChangeWaits { .. } => "change_waits",
            Self::EmergencyUsed { .. } => "emergency_used",
            Self::EmergencyOpen { .. } => "emergency_open",
            Self::Trial => "trial",
        }
    }

    /// What it can be chosen by.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        match self {
            Self::ApprovalWanted { .. } | Self::ConfirmationWanted { .. } | Self::StillWanted { .. } => {
                Topic::Approvals
            }
            Self::Granted { .. }
            | Self::Denied { .. }
            | Self::Forbidden { .. }
            | Self::Expired { .. }
            | Self::Withdrawn { .. } => Topic::Outcomes,
            Self::EndNear { .. } | Self::EndedEarly { .. } => Topic::Ends,
            Self::ChangeWaits { .. } => Topic::Changes,
            Self::EmergencyUsed { .. } | Self::EmergencyOpen { .. } => Topic::Alarms,
            Self::Trial => Topic::Trials,
        }
    }

    /// The request that it is about, if it is about one.
    #[must_use]
    pub const fn request(&self) -> Option<RequestId> {
        match self {
            Self::ApprovalWanted { request, .. }
            | Self::ConfirmationWanted { request, .. }
            | Self::StillWanted { request, .. }
            | Self::Granted { request, .. }
            | Self::Denied { request }
            | Self::Forbidden { request }
            | Self::Expired { request }
            | Self::Withdrawn { request }
            | Self::EndNear { request, .. }
            | Self::EndedEarly { request, .. } => Some(*request),
            Self::ChangeWaits { .. } | Self::EmergencyUsed { .. } | Self::EmergencyOpen { .. } | Self::Trial => None,
        }
    }

    /// The ids that it is about, by kind: for headers of entries and for programs.
    #[must_use]
    pub fn ids(&self) -> Vec<(&'static str, String)> {
        let mut ids: Vec<_> = self.request().map(|request| ("request", request.to_string())).into_iter().collect();
        match self {
            Self::Granted { grant, .. } | Self::EndNear { grant, .. } | Self::EndedEarly { grant, .. } => {
                ids.push(("grant", grant.to_string()));
            }
            Self::ChangeWaits { change, .. } => ids.push(("change", change.to_string())),
            Self::EmergencyUsed { kit, resource, .. } | Self::EmergencyOpen { kit, resource, .. } => {
                ids.extend([("kit", kit.to_string()), ("resource", resource.to_string())]);
            }
            Self::ApprovalWanted { .. }
            | Self::ConfirmationWanted { .. }
            | Self::StillWanted { .. }
            | Self::Denied { .. }
            | Self::Forbidden { .. }
            | Self::Expired { .. }
            | Self::Withdrawn { .. }
            | Self::Trial => {}
        }
        ids
    }
}

/// What gives rise to notices: written with the change of state that causes it, so that a crash loses none; whoever is to
/// hear of it is found afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occasion {
    /// Its id.
    pub id: OccasionId,
    /// What there is to tell.
    pub news: News,
    /// When it is to be told.
    pub due: Time,
    /// Who knows it already.
    pub known_to: KnownTo,
}

/// Who knows already what there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "known_to", rename_all = "snake_case")]
pub enum KnownTo {
    /// Nobody: time brought it.
    Nobody,
    /// Whoever did it.
    Doer {
        /// Who.
        principal: PrincipalId,
    },
}

/// Whom a notice goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum Hearer {
    /// One person.
    Person {
        /// Who.
        principal: PrincipalId,
    },
    /// Whoever reads there: a chat room, a program.
    Room,
}

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its id: the same at every try, so that whoever gets it twice can tell.
    pub id: NoticeId,
    /// What it tells.
    pub news: News,
    /// Whom.
    pub hearer: Hearer,
    /// By which channel, as the server's configuration names it.
    pub channel: Name,
    /// When it was made.
    pub made: Time,
    /// Where it stands.
    pub state: NoticeState,
}

/// Where a notice stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum NoticeState {
    /// It is to be sent.
    Waiting {
        /// When next.
        next: Time,
        /// How the tries so far went.
        so_far: Tries,
    },
    /// The channel took it.
    Sent {
        /// When.
        at: Time,
    },
    /// It couldn't be sent, and isn't tried any more.
    GivenUp {
        /// When.
        at: Time,
        /// How often it was tried.
        tries: u32,
        /// Why it failed the last time.
        why: Why,
    },
    /// What it would have told isn't so any more.
    Moot {
        /// When.
        at: Time,
    },
}

/// How the tries so far went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "so_far", rename_all = "snake_case")]
pub enum Tries {
    /// There was none.
    None,
    /// They failed.
    Failed {
        /// How many.
        times: u32,
        /// Why, the last time.
        why: Why,
    },
}

/// What may happen to a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeEvent {
    /// The channel took it.
    Delivered,
    /// The channel didn't.
    Failed {
        /// Why.
        why: Why,
        /// How long it is to be left alone.
        wait: Wait,
    },
    /// What it would have told isn't so any more.
    Moot,
}

/// How long a notice is tried at most.
pub const TRIED_FOR: Span = Span::from_mins(24 * 60);
/// How long one is kept after it is over.
pub const KEPT_FOR: Span = Span::from_mins(30 * 24 * 60);

impl NoticeState {
    /// One word for tables and refusals.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Sent { .. } => "sent",
            Self::GivenUp { .. } => "given_up",
            Self::Moot { .. } => "moot",
        }
    }
}

impl Notice {
    /// What `event` makes of this notice at `now`.
    ///
    /// # Errors
    /// A refusal that names the state and the event.
    pub fn apply(self, event: NoticeEvent, now: Time) -> Result<Self, Refusal> {
        let (state, word) = (self.state.word(), event.word());
        let refuse = |why| Err(Refusal { machine: "notice", state, event: word, why });
        let next = match (&self.state, event) {
            (NoticeState::Waiting { .. }, NoticeEvent::Delivered) => NoticeState::Sent { at: now },
            (NoticeState::Waiting { so_far, .. }, NoticeEvent::Failed { why, wait }) => {
                let times = so_far.times().saturating_add(1);
                let next = now + wait.after(times);
                if why.may_pass() && next < self.made + TRIED_FOR {
                    NoticeState::Waiting { next, so_far: Tries::Failed { times, why } }
                } else {
                    NoticeState::GivenUp { at: now, tries: times, why }
                }
            }
            (NoticeState::Waiting { .. }, NoticeEvent::Moot) => NoticeState::Moot { at: now },
            (
                NoticeState::Sent { .. } | NoticeState::GivenUp { .. } | NoticeState::Moot { .. },
                NoticeEvent::Delivered | NoticeEvent::Failed { .. } | NoticeEvent::Moot,
            ) => return refuse("it is over"),
        };
        Ok(Self { state: next, ..self })
    }
}

impl NoticeEvent {
    const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "be delivered",
            Self::Failed { .. } => "fail",
            Self::Moot => "be moot",
        }
    }
}

impl Tries {
    /// How many there were.
    #[must_use]
    pub const fn times(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Failed { times, .. } => times,
        }
    }
}
