//! Writing once, however often it is sent: the answer to a write with an idempotency key is kept for a day, sealed.
//!
//! A row is put before the write begins and completed after it, so a process that dies in between leaves a row that says
//! so: whoever asks again is told that the outcome isn't known, instead of writing twice. What was refused changed
//! nothing, so its row goes, and the same key may try again.
//!
//! These rows give nobody anything, so they have no entry: the write that they answer has its own.

use daypass_domain::{Digest, PrincipalId, Span};
use daypass_ports::{
    record::{Commit, CommitError, Kind, Read, Stored},
    rows::Answer,
};

use crate::{App, Problem, Result};

/// How long an answer is kept.
pub const ANSWER_KEPT: Span = Span::from_mins(24 * 60);
/// The longest key, in bytes.
pub const KEY_MAX: usize = 200;
/// What a row carries as its status until the write is answered: no HTTP status.
const BEGUN: u16 = 0;
const PURPOSE: &str = "idempotent answer";

/// What a key means.
#[derive(Debug)]
pub enum Began {
    /// It is new: do the write, then tell [`App::keep_answer`] or [`App::forget_answer`].
    First(Reservation),
    /// It was answered: say this again.
    Again {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
}

/// A key that is taken, for a write that isn't answered yet.
#[derive(Debug)]
pub struct Reservation(Read<Answer>);

impl App {
    /// Takes a key for a write. `request` is the digest of everything that the write depends on.
    ///
    /// # Errors
    /// When the key can't be one, came with another request before, or its first try isn't known to have ended.
    pub async fn begin_once(&self, principal: PrincipalId, key: &str, request: Digest) -> Result<Began> {
        if key.is_empty() || key.len() > KEY_MAX || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Problem::invalid(
                "bad_idempotency_key",
                format!("an idempotency key has 1 to {KEY_MAX} visible ASCII characters, no spaces"),
                "use a new UUID for each write",
            ));
        }
        let now = self.now();
        let answer = Answer {
            principal,
            key: Digest::of_value("idempotency key", &key),
            request,
            status: BEGUN,
            sealed: String::new(),
            expires: now + ANSWER_KEPT,
        };
        let id = answer.row_id();
        let mut commit = Commit::default();
        match self.store_ref().get::<Answer>(&id).await? {
            Some(kept) if now < kept.value.expires => return self.answered(&kept.value, request),
            Some(lapsed) => commit.expect(&lapsed),
            None => commit.expect_none(Kind::Answer, &id),
        }
        commit.put(&answer);
        match self.store_ref().append(commit).await {
            Ok(_) => {}
            Err(CommitError::Stale { .. }) => return Err(unknown()),
            Err(error) => return Err(error.into()),
        }
        let read = self.store_ref().get::<Answer>(&id).await?;
        read.map(|read| Began::First(Reservation(read))).ok_or_else(unknown)
    }

    fn answered(&self, kept: &Answer, request: Digest) -> Result<Began> {
        if kept.request != request {
            return Err(Problem::invalid(
                "idempotency_key_reused",
                "this idempotency key came with another request before",
                "use a new key for each write, and the same only to send the same write again",
            ));
        }
        if kept.status == BEGUN {
            return Err(unknown());
        }
        let body = self.unseal(PURPOSE, kept.principal, &kept.sealed)?;
        Ok(Began::Again { status: kept.status, body: body.to_vec() })
    }

    /// The write was done, and this is its answer.
    ///
    /// # Errors
    /// When it can't be kept: then the key goes on saying that the outcome isn't known.
    pub async fn keep_answer(&self, reservation: Reservation, status: u16, body: &[u8]) -> Result<()> {
        let Reservation(read) = reservation;
        let sealed = self.seal_for(PURPOSE, read.value.principal, body);
        let mut commit = Commit::default();
        commit.replace(&read, &Answer { status, sealed, ..read.value.clone() });
        self.store_ref().append(commit).await?;
        Ok(())
    }

    /// The write was refused, and changed nothing: the key is free again.
    ///
    /// # Errors
    /// When the row can't be removed: then the key goes on saying that the outcome isn't known.
    pub async fn forget_answer(&self, reservation: Reservation) -> Result<()> {
        let mut commit = Commit::default();
        commit.delete(&reservation.0);
        self.store_ref().append(commit).await?;
        Ok(())
    }
}

fn unknown() -> Problem {
    Problem::conflict(
        "idempotency_outcome_unknown",
        "a first try with this key began, and isn't known to have ended: it is under way, or the server stopped meanwhile",
        "try again in a moment; if it stays so, look whether the write was done, and use a new key if it wasn't",
    )
}
