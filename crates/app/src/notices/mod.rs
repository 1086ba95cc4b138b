//! Notices: who is to hear what, when, and by which channel.
//!
//! ```text
//! a change of state ──► commit: rows, entries, and an Occasion        nothing waits for what follows
//! tell    (address)  ──► who is concerned, found by the evaluator ──► commit: the occasion goes, Notices come
//! deliver            ──► Channel::send ──► commit: sent, with its entry; or tried again later, for a day
//! ```
//!
//! A crash loses none of it: each step begins from a row, and ends in a commit. One that comes between sending and
//! recording repeats the sending, under the same id. What was told to whom, and when, is an entry: ids and times, which is
//! all that a notice holds.

mod address;
mod deliver;
mod look;
mod occasions;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use daypass_domain::{
    Name, NoticeId, OccasionId, Span, Time,
    notice::{KnownTo, News, Notice, Occasion, Topic},
};
use daypass_ports::{notices::Channel, record::Commit};
use tokio::sync::Notify;

pub use look::NoticeView;

use crate::App;

/// How notices go, as the server's own configuration says.
pub struct Notices {
    /// The ways, by name; without any, nothing is told.
    pub channels: Vec<Way>,
    /// What links begin with: the address of the pages, without a slash at its end.
    pub url: String,
    /// How long the first approvers have, before the next ones hear.
    pub escalate_after: Span,
    /// How long before its deadline the end of a grant is told; of short grants, after two thirds of their time.
    pub end_near: Span,
    /// How many approvers hear at once, at most.
    pub at_once: usize,
}

/// A channel, and what goes by it.
pub struct Way {
    /// Its name.
    pub name: Name,
    /// What sends.
    pub channel: Arc<dyn Channel>,
    /// The regions whose names it may have. // I10
    pub names_of: BTreeSet<Name>,
    /// To whom.
    pub audience: Audience,
    /// About what.
    pub topics: BTreeSet<Topic>,
}

/// To whom notices go by a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// To everybody who is concerned.
    Everybody,
    /// To those of them who are in one of these groups; a room hears when one of them is concerned.
    Groups(BTreeSet<Name>),
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            channels: Vec::new(),
            url: "https://localhost:7443".to_owned(),
            escalate_after: Span::from_mins(10),
            end_near: Span::from_mins(10),
            at_once: daypass_policy::missing::WHO_MAX,
        }
    }
}

impl Notices {
    /// The channel of that name.
    fn way(&self, name: &Name) -> Option<&Way> {
        self.channels.iter().find(|way| way.name == *name)
    }

    /// When the end of a grant is told that lasts from now until `deadline`.
    fn before(&self, now: Time, deadline: Time) -> Time {
        let third = Span::from_micros(deadline.since(now).micros() / 3);
        deadline - self.end_near.min(third)
    }
}

/// What is under way in this process.
#[derive(Default)]
pub(crate) struct UnderWay {
    /// Notices that a channel has in its hands, with which.
    sending: Mutex<HashMap<NoticeId, Name>>,
    /// Notices that were sent, and whose rows couldn't be written yet: they aren't sent again while this process lives.
    unrecorded: Mutex<HashMap<NoticeId, Notice>>,
    /// A channel's hands are free again.
    free: Notify,
}

/// How long is waited at most until everything is looked at again; a commit wakes it anyway.
const NAP: Duration = Duration::from_secs(1);
/// And at least, so that a busy store isn't asked at every commit.
const BREATH: Duration = Duration::from_millis(20);

impl App {
    /// Tells what there is to tell, for ever.
    pub async fn run_notices(self: Arc<Self>) {
        let mut revisions = self.store_ref().watch();
        loop {
            revisions.mark_unchanged();
            if let Err(problem) = self.tell().await {
                tracing::warn!(%problem, "not everybody can be told what there is to tell; it is tried again");
                tokio::time::sleep(NAP).await;
            }
            if let Err(problem) = self.deliver().await {
                tracing::warn!(%problem, "notices can't be looked at; it is tried again");
                tokio::time::sleep(NAP).await;
            }
            tokio::time::sleep(BREATH).await;
            tokio::select! {
                _ = revisions.changed() => {}
                () = self.under_way.free.notified() => {}
                () = tokio::time::sleep(NAP) => {}
            }
        }
    }

    /// Adds to a commit that there is something to tell; nothing when there is no channel to tell it by.
    pub(crate) fn occasion(&self, commit: &mut Commit, news: News, known_to: KnownTo) {
        self.occasion_at(commit, news, known_to, self.now());
    }

    fn occasion_at(&self, commit: &mut Commit, news: News, known_to: KnownTo, due: Time) {
        if self.notices.channels.is_empty() {
            return;
        }
        let id = OccasionId::new(self.now(), self.id_bytes());
        commit.put(&Occasion { id, news, due, known_to });
    }
}
