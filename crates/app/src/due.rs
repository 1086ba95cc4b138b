//! What time brings: requests expire, scheduled grants begin, deadlines end, secrets lapse, hours are judged again.

use std::{sync::Arc, time::Duration};

use daypass_domain::{
    Time,
    change::{Change, ChangeEvent},
    end::EndCause,
    grant::{Grant, GrantState},
    kit::Kit,
    notice::KnownTo,
    request::{Request, RequestEvent},
};
use daypass_ports::{
    record::{Commit, Stored},
    rows::{Answer, Invitation, SignIn, Token},
    signals::Received,
};

use crate::{
    App, Result,
    entry::{administration, event},
    retry_stale,
    taken::End,
};

/// How often live grants are judged again because the hour or the day that policies read may have changed. // I2
const JUDGE_EVERY: Duration = Duration::from_secs(20);
/// How long the clockwork sleeps at most: what becomes due sooner by a commit wakes it anyway.
const NAP: Duration = Duration::from_secs(1);
/// And at least: what is due and can't be done now is tried again without a rush. No deadline waits for it, gateways count
/// their own.
const BREATH: Duration = Duration::from_millis(20);

impl App {
    /// Does what time brings, for ever.
    pub async fn run_due(self: Arc<Self>) {
        let mut judged = tokio::time::Instant::now();
        loop {
            if let Err(problem) = self.do_due().await {
                tracing::warn!(%problem, "what is due can't all be done; it is tried again");
                tokio::time::sleep(NAP).await;
            }
            if judged.elapsed() >= JUDGE_EVERY {
                judged = tokio::time::Instant::now();
                if let Err(problem) = self.rejudge_all().await {
                    tracing::warn!(%problem, "live grants can't all be judged again; it is tried again");
                }
            }
            tokio::time::sleep(self.until_due().await).await;
        }
    }

    async fn until_due(&self) -> Duration {
        let next = self.store_ref().next_due().await.ok().flatten();
        next.map_or(NAP, |at| at.since(self.now()).to_std()).clamp(BREATH, NAP)
    }

    /// Does everything that is due by now.
    ///
    /// # Errors
    /// When the store doesn't answer, or can't be written. Deadlines are cut all the same, at the gateways.
    pub async fn do_due(&self) -> Result<()> {
        let now = self.now();
        // First of all what takes away.
        let grants = self.store_ref().due_now::<Grant>(now).await?;
        let mut over = Vec::new();
        let mut begin = Vec::new();
        for grant in grants {
            match grant.value.state {
                GrantState::Active { deadline, .. } => {
                    self.taken.over_since(grant.value.id, deadline);
                    over.push(grant.value.id);
                }
                GrantState::Scheduled { .. } => begin.push(grant.value.id),
                GrantState::Ending { .. } | GrantState::Ended { .. } => {}
            }
        }
        self.end_grants(End::all(&over, &EndCause::Deadline)).await?;
        for grant in begin {
            self.activate(grant).await?;
        }
        for request in self.store_ref().due_now::<Request>(now).await? {
            let id = request.value.id;
            retry_stale!(self.expire_request(id).await)?;
        }
        for change in self.store_ref().due_now::<Change>(now).await? {
            let id = change.value.id;
            retry_stale!(self.expire_change(id).await)?;
        }
        for kit in self.store_ref().due_now::<Kit>(now).await? {
            let id = kit.value.id;
            retry_stale!(self.remind_of_kit(id).await)?;
        }
        self.forget_due::<SignIn>(now).await?;
        self.forget_due::<Token>(now).await?;
        self.forget_due::<Answer>(now).await?;
        self.forget_due::<Received>(now).await?;
        self.forget_invitations(now).await
    }

    async fn expire_request(&self, id: daypass_domain::RequestId) -> Result<()> {
        let read = self.request_row(id).await?;
        if read.value.clone().apply(RequestEvent::Expire, self.now()).is_err() {
            return Ok(());
        }
        self.end_request(read, RequestEvent::Expire, event::EXPIRED, Vec::new(), KnownTo::Nobody).await.map(drop)
    }

    async fn expire_change(&self, id: daypass_domain::ChangeId) -> Result<()> {
        let Some(read) = self.store_ref().get::<Change>(&id.to_string()).await? else { return Ok(()) };
        let Ok(next) = read.value.clone().apply(ChangeEvent::Expire, self.now()) else { return Ok(()) };
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let ids = vec![("change", id.to_string()), ("outcome", "expired".to_owned())];
        commit.entry(administration(event::CHANGE_ENDED, ids, self.region().await?, Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// Secrets that have lapsed are no good already (each use looks at its end); their rows go without an entry of
    /// their own, since the entry that made them says until when they were good.
    async fn forget_due<T: Stored + Clone>(&self, now: Time) -> Result<()> {
        for read in self.store_ref().due_now::<T>(now).await? {
            let mut commit = Commit::default();
            commit.delete(&read);
            // Stale means that it was renewed or removed meanwhile: then there is nothing to forget.
            let _ = self.store_ref().append(commit).await;
        }
        Ok(())
    }

    async fn forget_invitations(&self, now: Time) -> Result<()> {
        let due = self.store_ref().due(daypass_ports::record::Kind::Setting, now, 100).await?;
        for row in due {
            let Ok(invitation) = serde_json::from_value::<Invitation>(row.body) else { continue };
            let mut commit = Commit::default();
            commit.delete(&daypass_ports::record::Read { value: invitation, version: row.version });
            let _ = self.store_ref().append(commit).await;
        }
        Ok(())
    }
}
