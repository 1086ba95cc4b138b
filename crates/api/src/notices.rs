//! Notices: who was told what, by which channel, and what came of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ChangeId, GrantId, KitId, NoticeId, RequestId, Timestamp};

/// A notice: one thing that is told to one person, or in one room, by one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// Its id: receivers see the same at every try.
    pub id: NoticeId,
    /// What it tells.
    pub news: News,
    /// What it is about.
    pub about: About,
    /// To whom it goes.
    pub hearer: Hearer,
    /// By which channel, as the server's configuration names it.
    pub channel: String,
    /// When it was made.
    pub made: Timestamp,
    /// Where it stands.
    pub state: NoticeState,
}

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// A request waits for an approval that the hearer could give.
    ApprovalWanted,
    /// The same, told to the next approvers.
    ApprovalStillWanted,
    /// A workload's request waits for its owner, the hearer, to confirm it.
    ConfirmationWanted,
    /// A request was granted.
    RequestGranted,
    /// A person said no.
    RequestDenied,
    /// Policy said no after all.
    RequestForbidden,
    /// Nobody answered in time.
    RequestExpired,
    /// It was taken back.
    RequestWithdrawn,
    /// The end of a grant comes near.
    EndNear,
    /// A grant ended before its deadline.
    EndedEarly,
    /// A change waits for another administrator.
    ChangeWaits,
    /// An emergency kit was used.
    EmergencyUsed,
    /// The use of an emergency kit still waits for its rotation or its review.
    EmergencyOpen,
    /// Somebody tries whether notices arrive.
    Trial,
}

/// What a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum About {
    /// A request.
    Request {
        /// Which.
        request: RequestId,
    },
    /// A grant.
    Grant {
        /// Which.
        grant: GrantId,
        /// The request that it answers.
        request: RequestId,
    },
    /// A change.
    Change {
        /// Which.
        change: ChangeId,
    },
    /// An emergency kit.
    Kit {
        /// Which.
        kit: KitId,
    },
    /// Nothing but notices.
    Nothing,
}

/// To whom a notice goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "hearer", rename_all = "snake_case")]
pub enum Hearer {
    /// To one person.
    Person {
        /// Their name.
        name: String,
    },
    /// To whoever reads there.
    Room,
}

/// Where a notice stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum NoticeState {
    /// It is to be sent.
    Waiting {
        /// When.
        next: Timestamp,
    },
    /// It couldn't be sent yet, and is tried again.
    Retrying {
        /// When next.
        next: Timestamp,
        /// How often it was tried.
        tries: u32,
        /// Why it failed the last time, and what to do.
        why: String,
    },
    /// The channel took it.
    Sent {
        /// When.
        at: Timestamp,
    },
    /// It couldn't be sent, and isn't tried any more.
    GivenUp {
        /// Since when.
        at: Timestamp,
        /// How often it was tried.
        tries: u32,
        /// Why it failed the last time, and what to do.
        why: String,
    },
    /// What it would have told isn't so any more.
    Moot {
        /// Since when.
        at: Timestamp,
    },
}

/// Tries whether notices arrive: `POST /v1/notices/test`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TryNotices {
    /// To whom, by name.
    pub to: String,
    /// By which channel; by each, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// The notices that a trial made: look at each for what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trial {
    /// One a channel.
    pub notices: Vec<NoticeId>,
}
