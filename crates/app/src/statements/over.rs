//! What came of a run: written down, and the grant ends with it.

use daypass_domain::{
    SessionId,
    end::EndCause,
    grant::Grant,
    request::{Request, RequestEvent},
    session::Session,
    statement::{Looked, Opens, Outcome, Run, Sqlstate},
};
use daypass_ports::{
    record::{Commit, Read},
    rows::key,
};
use daypass_wire::postgres::{
    error::PgError,
    once::{Broken, End, Given, Over},
};
use serde_json::json;

use super::{Done, estimate::Estimate};
use crate::{
    App, Result,
    ending::grant_ids,
    entry::{decision, event, session},
    request::request_ids,
    retry_stale, taken,
};

impl App {
    /// A gateway says what came of a run. Said twice, it is the same.
    pub(crate) async fn statement_is_over(&self, id: SessionId, over: Over) -> Result<()> {
        let Some(session) = self.store_ref().get::<Session>(&id.to_string()).await? else { return Ok(()) };
        let grant = session.value.grant;
        retry_stale!(self.record_over(grant, id, &over).await)?;
        let ended = self.end_grants(taken::End::all(&[grant], &EndCause::StatementOver)).await?;
        if let Some(answer) = self.statements.answer(id) {
            // Whoever asked may have gone: the row and the entry say what came of it.
            let _ = answer.send(Ok(Done { over, ended }));
        }
        Ok(())
    }

    async fn record_over(&self, grant: daypass_domain::GrantId, id: SessionId, over: &Over) -> Result<()> {
        let read = self.grant_row(grant).await?;
        let outcome = outcome(over);
        // A refusal says that it is known already.
        let Ok(next) = read.value.clone().end_run(outcome, self.now()) else { return Ok(()) };
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let region = self.region_of(&next).await?;
        let mut ids = grant_ids(&next);
        ids.push(("session", id.to_string()));
        ids.push(("outcome", outcome.word().to_owned()));
        let parts = vec![self.session_part(id, &told(over))];
        commit.entry(session(event::STATEMENT_OVER, ids, region, parts));
        match next.opens {
            Opens::Look { .. } => self.keep_estimate(&next, over, &mut commit).await?,
            Opens::Sessions | Opens::Statement { .. } => {}
        }
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// What the target said of a statement goes to its request, under the requester's key as the statement is (I9).
    async fn keep_estimate(&self, look: &Grant, over: &Over, commit: &mut Commit) -> Result<()> {
        let read: Read<Request> = self.request_row(look.request).await?;
        let part = self.subject_part(read.value.asked.requester, &Estimate::of(over));
        let looked = Looked::Then { at: self.now(), estimate: part.id };
        // It may have been answered meanwhile: then nobody needs the estimate.
        let Ok(next) = read.value.clone().apply(RequestEvent::Look(looked), self.now()) else { return Ok(()) };
        commit.replace(&read, &next);
        let mut ids = request_ids(&next);
        ids.push(("approver", look.holder.to_string()));
        commit.entry(decision(event::LOOKED, ids, self.region_of(look).await?, vec![part]));
        Ok(())
    }

    /// Runs that a process left begun when it died: what came of them isn't known, and they are never begun again. Called
    /// once at start, before any gateway. Gives how many there were.
    ///
    /// # Errors
    /// When it can't be recorded.
    pub async fn settle_statements(&self) -> Result<usize> {
        let begun = self.store_ref().find::<Grant>(key::RUN, Run::BEGUN).await?;
        let lost = Over { end: End::Unknown(Broken::Gone), given: Given::default() };
        for grant in &begun {
            if let Some(Run::Begun { session, .. }) = grant.value.opens.run() {
                self.statement_is_over(session, lost.clone()).await?;
            }
        }
        // Over, and the process died before the grant's end was written down.
        let over = |g: &Read<Grant>| match g.value.opens.run() {
            Some(Run::Over { .. }) => true,
            Some(Run::NotBegun | Run::Begun { .. }) | None => false,
        };
        let ids: Vec<_> = self.live_grants().await?.iter().filter(|g| over(g)).map(|g| g.value.id).collect();
        self.end_grants(taken::End::all(&ids, &EndCause::StatementOver)).await?;
        Ok(begun.len())
    }
}

/// What of it stands in the row.
#[must_use]
pub fn outcome(over: &Over) -> Outcome {
    match &over.end {
        End::Committed => Outcome::Committed { rows: over.given.rows_told() },
        End::Looked => Outcome::Looked,
        End::Refused(error) => match Sqlstate::try_from(error.sqlstate.to_string()) {
            Ok(sqlstate) => Outcome::Refused { sqlstate },
            Err(_) => Outcome::NoEffect,
        },
        End::NoEffect(_) => Outcome::NoEffect,
        End::Unknown(_) => Outcome::Unknown,
    }
}

/// What of it stands in the entry's payload: what was done and what the target said, never the rows.
fn told(over: &Over) -> serde_json::Value {
    let why = match &over.end {
        End::Committed | End::Looked => serde_json::Value::Null,
        End::Refused(error) => json!(error.to_string()),
        End::NoEffect(broken) | End::Unknown(broken) => json!(why(broken)),
    };
    json!({ "outcome": outcome(over).word(), "tag": over.given.tag, "rows": over.given.counted, "why": why })
}

/// Why it broke off, in words.
#[must_use]
pub fn why(broken: &Broken) -> String {
    match broken {
        Broken::Told(error) => with_detail(error),
        Broken::Gone => "the connection was lost".to_owned(),
        Broken::Copy => "it is a COPY from STDIN or to STDOUT, and there is no client to send or take rows".to_owned(),
        Broken::OwnTransaction => "it ended the transaction that it was run in".to_owned(),
        Broken::Protocol => "the target didn't keep to the protocol".to_owned(),
    }
}

fn with_detail(error: &PgError) -> String {
    match &error.detail {
        Some(detail) => format!("{} ({detail})", error.message),
        None => error.message.clone(),
    }
}
