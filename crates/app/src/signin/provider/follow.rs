//! Who somebody is here whom a provider names, and in which groups: as the trust that was declared allows (I12).
//!
//! A person is known by issuer and subject, which the provider never gives to another; by name only at their first sign-in.

use std::{collections::BTreeSet, net::IpAddr};

use daypass_domain::{
    Digest, Name, PrincipalId, Time,
    principal::{Group, Kind, Principal, SecondFactor},
    trust::{Claims, Provider, Provision},
};
use daypass_ports::{
    identity::CLOCK_SKEW,
    record::{Commit, Entry, Kind as RowKind, Part, Read},
    rows::{Factors, KeptBy, Link, SignInWord, key},
};
use serde::Serialize;

use super::super::{Begun, BrowserSignIn, SIGN_IN_LASTS, SignedIn};
use crate::{
    App, Problem, ProblemKind, Result,
    changes::{Prepared, Turn},
    entry::{administration, event},
    retry_stale,
};

/// What an entry says of a sign-in by a provider.
#[derive(Serialize)]
struct Origin<'a> {
    peer: IpAddr,
    provider: &'a Name,
    second_factor: &'a SecondFactor,
}

/// What an entry says of a link: what the provider calls them is about them, so it stands under their key (I9).
#[derive(Serialize)]
struct Linked<'a> {
    issuer: &'a str,
    subject: &'a str,
}

/// A provider's word about one person.
struct Word<'a> {
    name: &'a Name,
    provider: &'a Provider,
    claims: &'a Claims,
    subject: Digest,
    issuer: Digest,
}

impl<'a> Word<'a> {
    fn new(name: &'a Name, provider: &'a Provider, claims: &'a Claims) -> Self {
        let issuer = provider.issuer.url.as_str();
        // The check of the token saw to it that there is one.
        let subject = subject_digest(issuer, &claims.text("sub").unwrap_or_default());
        Self { name, provider, claims, subject, issuer: provider.issuer.url.digest() }
    }
}

/// What a provider calls somebody, as rows know it.
pub(crate) fn subject_digest(issuer: &str, subject: &str) -> Digest {
    Digest::of_value("provider subject", &(issuer, subject))
}

/// What a provider calls one of its sessions, as rows know it.
pub(crate) fn session_digest(issuer: &str, session: &str) -> Digest {
    Digest::of_value("provider session", &(issuer, session))
}

impl App {
    /// Lets in whom a provider names, for a program.
    pub(super) async fn enter_by(
        &self,
        name: &Name,
        provider: &Provider,
        claims: &Claims,
        peer: IpAddr,
    ) -> Result<SignedIn> {
        let word = Word::new(name, provider, claims);
        let connection = |factors: &mut Factors, now: Time| self.connection_secret_until(factors, now + SIGN_IN_LASTS);
        Ok(SignedIn::of(self.enter(&word, KeptBy::Program, peer, connection).await?))
    }

    /// The same, for a browser.
    pub(super) async fn enter_browser_by(
        &self,
        name: &Name,
        provider: &Provider,
        claims: &Claims,
        peer: IpAddr,
    ) -> Result<BrowserSignIn> {
        let word = Word::new(name, provider, claims);
        Ok(BrowserSignIn::of(self.enter(&word, KeptBy::Browser, peer, |_, _| Ok(())).await?))
    }

    /// First what the provider's word changes, which is durable before anybody is in by it; then the sign-in.
    async fn enter<T: Send>(
        &self,
        word: &Word<'_>,
        kept_by: KeptBy,
        peer: IpAddr,
        more: impl Fn(&mut Factors, Time) -> Result<T> + Send + Sync,
    ) -> Result<Begun<T>> {
        let principal = retry_stale!(self.try_follow(word).await)?;
        retry_stale!(self.try_enter(word, principal, kept_by, peer, &more).await)
    }

    /// The trust must still be what it was when the provider was asked.
    async fn still_trusted(&self, word: &Word<'_>, commit: &mut Commit) -> Result<()> {
        if self.trust(commit).await?.providers.get(word.name) == Some(word.provider) {
            return Ok(());
        }
        Err(refused("the provider isn't trusted any more, or not in the same way".to_owned()))
    }

    async fn try_follow(&self, word: &Word<'_>) -> Result<PrincipalId> {
        let settings = self.settings_and_policy().await?;
        let region = settings.value.region.clone();
        let mut prepared = Prepared::default();
        self.still_trusted(word, &mut prepared.commit).await?;
        let user = self.whom(word, &region, &mut prepared).await?;
        self.follow_groups(word, user, &region, &mut prepared).await?;
        // Most sign-ins change nothing: then nothing is judged again.
        if let Some(last) = prepared.commit.entries.pop() {
            self.carry_out(&settings, prepared, last, |_| {}).await?;
        }
        Ok(user)
    }

    /// Who it is; linked, or made, where the trust allows it.
    async fn whom(&self, word: &Word<'_>, region: &Name, prepared: &mut Prepared) -> Result<PrincipalId> {
        let row = format!("link {}", word.subject);
        if let Some(link) = self.store_ref().get::<Link>(&row).await? {
            prepared.commit.expect(&link);
            let user = self.principal(link.value.principal).await?;
            self.may_come_in(&user)?;
            return Ok(user.value.id);
        }
        prepared.commit.expect_none(RowKind::Setting, &row);
        let name = word
            .provider
            .name_of(word.claims)
            .map_err(|why| refused(format!("{} can't be told who this is: {why}", word.provider.title)))?;
        let found = self.store_ref().find::<Principal>(key::NAME, name.as_str()).await?;
        let user = match (found.into_iter().next(), word.provider.provision) {
            (Some(user), _) => {
                self.may_come_in(&user)?;
                self.not_linked_yet(word, &user.value).await?;
                self.no_way_in_of_their_own(&user.value, &mut prepared.commit).await?;
                prepared.commit.expect(&user);
                user.value.id
            }
            (None, Provision::AtFirstSignIn) => self.provisioned(&name, region, prepared),
            (None, Provision::Never) => return Err(unknown(&name)),
        };
        prepared.commit.put(&Link { subject: word.subject, issuer: word.issuer, principal: user });
        let subject = word.claims.text("sub").unwrap_or_default();
        let linked = Linked { issuer: word.provider.issuer.url.as_str(), subject: &subject };
        let part = self.subject_part(user, &linked);
        prepared.commit.entry(about(event::LINKED, user, region, vec![part]));
        // One who was only invited can sign in from now on: a second administrator may have come. // I12
        prepared.turn = Turn::TookUp(user);
        Ok(user)
    }

    fn provisioned(&self, name: &Name, region: &Name, prepared: &mut Prepared) -> PrincipalId {
        let user = self.new_principal(name, Kind::User);
        prepared.commit.put(&user);
        prepared.commit.put(&Factors::none_of(user.id));
        prepared.commit.entry(about(event::PROVISIONED, user.id, region, Vec::new()));
        user.id
    }

    fn may_come_in(&self, user: &Read<Principal>) -> Result<()> {
        if user.value.kind != Kind::User {
            return Err(refused(format!(
                "`{}` is a workload here, and a person signs in by the provider",
                user.value.name
            )));
        }
        if !user.value.is_active() {
            return Err(refused(format!("`{}` is disabled here", user.value.name)));
        }
        Ok(())
    }

    /// A name that is given to somebody else at the provider isn't their account here.
    async fn not_linked_yet(&self, word: &Word<'_>, user: &Principal) -> Result<()> {
        let links = self.store_ref().find::<Link>(key::LINKED, &user.id.to_string()).await?;
        if links.iter().any(|link| link.value.issuer == word.issuer) {
            return Err(refused(format!(
                "another account of the provider is `{}` already, and names there may be given to somebody else",
                user.name
            )));
        }
        Ok(())
    }

    /// A name alone makes no account of somebody's own the provider's: whoever can choose their name there would choose well.
    async fn no_way_in_of_their_own(&self, user: &Principal, commit: &mut Commit) -> Result<()> {
        let factors = self.factors_of(user.id).await?;
        commit.expect(&factors);
        if factors.value.password.is_none() {
            return Ok(());
        }
        let name = &user.name;
        Err(Problem::new(
            ProblemKind::Unauthenticated,
            "account_has_a_password",
            format!(
                "`{name}` has a password here, and a name that a provider says is no proof of being the same person"
            ),
            format!(
                "sign in by the password; or an administrator takes it away with `daypass user invite {name}`, and the next \
                 sign-in by the provider makes the account its own"
            ),
        ))
    }

    /// Memberships in the groups that follow the provider's word, and in no other.
    async fn follow_groups(
        &self,
        word: &Word<'_>,
        user: PrincipalId,
        region: &Name,
        prepared: &mut Prepared,
    ) -> Result<()> {
        let said = word
            .provider
            .groups_of(word.claims)
            .map_err(|why| refused(format!("the groups that {} says can't be followed: {why}", word.provider.title)))?;
        let followed: BTreeSet<&Name> = word.provider.groups.of.values().collect();
        for group in followed {
            // Deleted since it was declared: then nobody is in it.
            let Some(read) = self.store_ref().find::<Group>(key::NAME, group.as_str()).await?.into_iter().next() else {
                continue;
            };
            let mut next = read.value.clone();
            let (changed, outcome) = if said.contains(group) {
                (next.members.insert(user), "joined")
            } else {
                (next.members.remove(&user), "left")
            };
            if changed {
                let ids = vec![
                    ("group", next.id.to_string()),
                    ("principal", user.to_string()),
                    ("outcome", outcome.to_owned()),
                ];
                prepared.commit.replace(&read, &next);
                prepared.commit.entry(administration(event::GROUPS_FOLLOWED, ids, region.clone(), Vec::new()));
            }
        }
        Ok(())
    }

    async fn try_enter<T: Send>(
        &self,
        word: &Word<'_>,
        id: PrincipalId,
        kept_by: KeptBy,
        peer: IpAddr,
        more: &(impl Fn(&mut Factors, Time) -> Result<T> + Sync),
    ) -> Result<Begun<T>> {
        let mut commit = Commit::default();
        self.still_trusted(word, &mut commit).await?;
        let user = self.principal(id).await?;
        self.may_come_in(&user)?;
        commit.expect(&user);
        let now = self.now();
        let factors = self.factors_of(id).await?;
        let mut next = factors.value.clone();
        let second_factor = self.second_factor_said(word);
        match second_factor {
            SecondFactor::ShownAt { at } => self.lift(&mut next, at, None, &mut commit).await?,
            SecondFactor::NotShown => {}
        }
        let more = more(&mut next, now)?;
        commit.replace(&factors, &next);
        let session = word.claims.text("sid").map(|sid| session_digest(word.provider.issuer.url.as_str(), &sid));
        let said = SignInWord::Provider { provider: word.name.clone(), subject: word.subject, session };
        let (sign_in, token) = self.new_sign_in(id, kept_by, second_factor, said);
        commit.put(&sign_in);
        self.bound_sign_ins(id, &mut commit).await?;
        let ids = vec![("signin", sign_in.id.to_string()), ("principal", id.to_string())];
        let part = self.subject_part(id, &Origin { peer, provider: word.name, second_factor: &second_factor });
        commit.entry(administration(event::SIGNED_IN, ids, self.region().await?, vec![part]));
        let begun = Begun { sign_in, token, user: user.value.name.clone(), more };
        Ok(self.commit(commit, begun).await?.into_effect())
    }

    /// The second factor that the provider says was shown, at the time that it says: without a time it doesn't count, since
    /// a session there may be of last month.
    fn second_factor_said(&self, word: &Word<'_>) -> SecondFactor {
        let now = self.now();
        match word.claims.time("auth_time").filter(|at| *at <= now + CLOCK_SKEW) {
            Some(at) if word.provider.shows_second_factor(word.claims) => SecondFactor::ShownAt { at: at.min(now) },
            Some(_) | None => SecondFactor::NotShown,
        }
    }
}

fn about(event: &'static str, user: PrincipalId, region: &Name, parts: Vec<Part>) -> Entry {
    administration(event, vec![("principal", user.to_string())], region.clone(), parts)
}

fn refused(what: String) -> Problem {
    Problem::new(ProblemKind::Unauthenticated, "provider_not_enough", what, "ask an administrator")
}

fn unknown(name: &Name) -> Problem {
    let what = format!("the provider says that you are `{name}`, and there is no such user here");
    let next = format!("ask an administrator for `daypass user create {name}`, then sign in again");
    Problem::new(ProblemKind::Unauthenticated, "unknown_user", what, next)
}
