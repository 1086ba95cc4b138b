//! A provider says that somebody signed out there, or was signed out (OpenID Connect Back-Channel Logout 1.0): their
//! sign-ins by it end here. With the last of them ends what came in by it: the connection secret, and open sessions. Grants
//! go on, for whoever signs in again.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use daypass_domain::{Digest, PrincipalId, Span, Time, session::Session, trust::Claims};
use daypass_ports::{
    identity::{CLOCK_SKEW, Expected, TokenKind},
    record::{Commit, Read},
    rows::{SignIn, key},
};
use daypass_wire::jwt::Unverified;

use super::{
    super::of_identity,
    follow::{session_digest, subject_digest},
};
use crate::{
    App, Problem, ProblemKind, Result,
    entry::{administration, event},
    retry_stale,
};

/// Who ended a session, in its entry: no principal, but a provider's word.
const PROVIDER: &str = "provider";
/// How long a logout token is remembered that was done: for longer than it would be taken again.
const REMEMBERED: Span = Span::from_mins(10);
/// How many are remembered at most.
const REMEMBERED_MAX: usize = 10_000;

/// The logout tokens that were done, by issuer and `jti` (Back-Channel Logout 1.0, 2.6): one that is sent again does nothing.
#[derive(Default)]
pub(crate) struct LoggedOut(Mutex<BTreeMap<Digest, Time>>);

impl LoggedOut {
    fn was_done(&self, token: Digest, now: Time) -> bool {
        // Times only: whole whatever a panicking thread was doing.
        let done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        done.get(&token).is_some_and(|until| now < *until)
    }

    /// Where there are too many to remember this one isn't: what takes away never waits for room, and what it took away stays
    /// taken away.
    fn is_done(&self, token: Digest, now: Time) {
        let mut done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if done.len() >= REMEMBERED_MAX {
            done.retain(|_, until| now < *until);
        }
        if done.len() < REMEMBERED_MAX {
            done.insert(token, now + REMEMBERED);
        }
    }
}

impl App {
    /// Ends what a logout token says has ended. One that was done before does nothing.
    ///
    /// # Errors
    /// When the token is no good, or the end can't be recorded: then the provider tries again.
    pub async fn provider_signed_out(&self, token: &str, peer: IpAddr) -> Result<()> {
        self.limits.take_for_code(peer, self.clock.boot())?;
        let (issuer, claims) = self.logout_said(token).await?;
        self.limits.give_back_code(peer, self.clock.boot());
        // The check of the token saw to it that there is one.
        let token = Digest::of_value("logout token", &(issuer.as_str(), claims.text("jti").unwrap_or_default()));
        if self.logged_out.was_done(token, self.now()) {
            return Ok(());
        }
        let made = claims.time("iat").unwrap_or_else(|| self.now());
        for (principal, _) in self.ended_by(&issuer, &claims, made).await? {
            retry_stale!(self.try_end_by(principal, &issuer, &claims, made).await)?;
        }
        // Only now: what couldn't be recorded is tried again by the same token.
        self.logged_out.is_done(token, self.now());
        Ok(())
    }

    async fn logout_said(&self, token: &str) -> Result<(String, Claims)> {
        let refused =
            |what: String| Problem::new(ProblemKind::Invalid, "bad_logout_token", what, "send one that is yours");
        let read = Unverified::parse(token).map_err(|e| refused(format!("the token is refused: {e}")))?;
        let issuer = read.issuer().unwrap_or_default().to_owned();
        let trust = self.trust(&mut Commit::default()).await?;
        let mut why = refused("nobody signs in by its issuer".to_owned());
        let of_issuer = trust.providers.values().filter(|p| p.issuer.url.as_str() == issuer);
        let clients: Vec<_> = of_issuer.flat_map(|p| p.clients().map(move |client| (p, client))).collect();
        for (provider, client) in clients {
            let expected = Expected { kind: TokenKind::Logout, audience: &client.id, now: self.now() };
            match self.identity.verify(&provider.issuer, &expected, token).await {
                Ok(claims) => return Ok((issuer, claims)),
                Err(error) => {
                    why = of_identity(error);
                    if why.kind == ProblemKind::Unauthenticated {
                        why.kind = ProblemKind::Invalid;
                    }
                }
            }
        }
        Err(why)
    }

    /// The sign-ins that end, by whose they are.
    async fn ended_by(
        &self,
        issuer: &str,
        claims: &Claims,
        made: Time,
    ) -> Result<BTreeMap<PrincipalId, Vec<Read<SignIn>>>> {
        let subject = claims.text("sub").map(|subject| subject_digest(issuer, &subject));
        let mut found = match (claims.text("sid"), &subject) {
            (Some(session), _) => {
                let session = session_digest(issuer, &session);
                self.store_ref().find::<SignIn>(key::PROVIDER_SESSION, &session.to_string()).await?
            }
            (None, Some(subject)) => self.store_ref().find::<SignIn>(key::SUBJECT, &subject.to_string()).await?,
            (None, None) => Vec::new(),
        };
        found.retain(|row| row.value.since <= made + CLOCK_SKEW);
        let mut by_person: BTreeMap<PrincipalId, Vec<Read<SignIn>>> = BTreeMap::new();
        for row in found {
            by_person.entry(row.value.principal).or_default().push(row);
        }
        Ok(by_person)
    }

    async fn try_end_by(&self, whose: PrincipalId, issuer: &str, claims: &Claims, made: Time) -> Result<()> {
        let Some(ending) = self.ended_by(issuer, claims, made).await?.remove(&whose) else { return Ok(()) };
        let all = self.store_ref().find::<SignIn>(key::PRINCIPAL, &whose.to_string()).await?;
        let goes = |row: &Read<SignIn>| ending.iter().any(|e| e.value.id == row.value.id);
        let stays = all.iter().any(|row| !goes(row) && self.now() < row.value.expires);
        // Cut before anything is written, and again what came in until it was: taking away waits for nothing. // I1
        if !stays {
            self.cut_sessions_of(whose).await?;
        }
        let mut commit = Commit::default();
        for row in &ending {
            commit.delete(row);
        }
        if !stays {
            self.drop_connection_secret(whose, &mut commit).await?;
        }
        let ids = vec![("principal", whose.to_string()), ("signins", ending.len().to_string())];
        commit.entry(administration(event::PROVIDER_SIGNED_OUT, ids, self.region().await?, Vec::new()));
        self.commit(commit, ()).await?;
        if !stays {
            self.cut_sessions_of(whose).await?;
        }
        Ok(())
    }

    async fn cut_sessions_of(&self, whose: PrincipalId) -> Result<()> {
        for session in self.open_sessions_of(whose).await? {
            self.end_session(&session.value, &[("by", PROVIDER.to_owned())], Vec::new()).await?;
        }
        Ok(())
    }

    /// The open sessions of somebody. One that was killed is so only until its gateway hears of that, and isn't killed again.
    pub(crate) async fn open_sessions_of(&self, whose: PrincipalId) -> Result<Vec<Read<Session>>> {
        let mut sessions = self.store_ref().find::<Session>(key::HOLDER, &whose.to_string()).await?;
        sessions.retain(|read| read.value.is_open() && self.taken.when_killed(read.value.id).is_none());
        Ok(sessions)
    }
}
