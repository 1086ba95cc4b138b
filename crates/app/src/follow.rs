//! Whom an entry of the ledger concerns: what a person's event stream shows, and whether the server can write.

use std::collections::BTreeMap;

use daypass_domain::{RequestId, principal::Actor};
use daypass_policy::{Act, Scope};
use daypass_ports::record::{Commit, Due, Kind, Write, Written};

use crate::{App, Result, entry::event};

/// Somebody who follows the ledger.
#[derive(Debug, Clone)]
pub struct Follower {
    actor: Actor,
    sees: Sees,
    /// Requests that waited for their answer: what becomes of them concerns them too.
    asked: Vec<String>,
}

/// How much somebody sees of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// Every header: policy lets them read the evidence of the installation.
    Everything,
    /// What names them, and the requests that wait or waited for their answer.
    TheirOwn,
}

/// How many requests a follower is remembered to have been asked about.
const ASKED_MOST: usize = 1_000;

impl App {
    /// How much somebody sees of the ledger's headers. Headers hold no payload, so looking is no reading of evidence.
    pub async fn sees_of_ledger(&self, actor: &Actor) -> Sees {
        let second_factor_age_s = self.second_factor_age_s(actor);
        let act = Act::ReadEvidence { scope: Scope::Installation, second_factor_age_s };
        match self.must_be_permitted(actor, act).await {
            Ok(_) => Sees::Everything,
            Err(_) => Sees::TheirOwn,
        }
    }

    /// Begins to follow.
    pub async fn follower(&self, actor: &Actor) -> Follower {
        Follower { actor: actor.clone(), sees: self.sees_of_ledger(actor).await, asked: Vec::new() }
    }

    /// Asks again who follows and what policy lets them see: either may have changed since.
    pub async fn look_again(&self, follower: &mut Follower, actor: &Actor) {
        follower.actor = actor.clone();
        follower.sees = self.sees_of_ledger(actor).await;
    }

    /// Whether an entry with this event and these ids concerns a follower.
    pub async fn concerns(&self, follower: &mut Follower, what: &str, ids: &BTreeMap<String, String>) -> bool {
        match follower.sees {
            Sees::Everything => return true,
            Sees::TheirOwn => {}
        }
        let own = follower.actor.principal.to_string();
        if ids.values().any(|id| *id == own) {
            return true;
        }
        let Some(request) = ids.get("request") else { return false };
        if follower.asked.contains(request) {
            return true;
        }
        let waits = what == event::REQUESTED && ids.get("outcome").is_some_and(|o| o == "pending");
        if !waits || !self.waits_for(&follower.actor, request).await {
            return false;
        }
        if follower.asked.len() >= ASKED_MOST {
            follower.asked.remove(0);
        }
        follower.asked.push(request.clone());
        true
    }

    async fn waits_for(&self, actor: &Actor, request: &str) -> bool {
        let Ok(id) = request.parse::<RequestId>() else { return false };
        match self.request_row(id).await {
            Ok(read) => self.counts(actor, &read.value).await.unwrap_or(false),
            Err(_) => false,
        }
    }

    /// Writes one row and waits until it is durable: whether anything could be recorded now. // I1
    ///
    /// # Errors
    /// When it can't: nothing is given while that lasts.
    pub async fn can_record(&self) -> Result<()> {
        let body = serde_json::json!({ "at_us": self.now().micros() });
        let what = Written::Put { body, keys: Vec::new(), due: Due::Never };
        let mut commit = Commit::default();
        commit.writes.push(Write { kind: Kind::Answer, id: "probe".to_owned(), what });
        self.store_ref().append(commit).await?;
        Ok(())
    }
}
