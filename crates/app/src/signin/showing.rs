//! Showing a second factor in a sign-in that one has, and what takes one that was shown just now.

use std::collections::BTreeSet;

use daypass_domain::{
    SignInId, Span, Time,
    principal::{Actor, SecondFactor, Via},
};
use daypass_ports::{
    record::{Commit, Read},
    rows::{Bar, Factors, SignIn, Way, key},
    secret::Secret,
    webauthn::Ceremony,
};

use super::{Caller, Second, caller::barred, held::Purpose, passkeys::no_ceremony};
use crate::{
    App, Problem, ProblemKind, Result,
    entry::{administration, event},
    retry_stale,
};

/// How old the second factor may be that an approval is given with, where one is enrolled. // I8
pub const FRESH: Span = Span::from_mins(5);
/// The code of the problem that showing a second factor solves.
pub(super) const NEEDED: &str = "second_factor_needed";

/// What takes a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Giving {
    /// A yes to what others ask or propose.
    Approval,
    /// An owner's word for what their own workload asks.
    Confirmation,
}

impl Giving {
    const fn word(self) -> &'static str {
        match self {
            Self::Approval => "an approval",
            Self::Confirmation => "a confirmation",
        }
    }
}

/// What an approval or a confirmation takes of a person, beside their sign-in. // I8
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing: a second factor was shown just now, or none is enrolled.
    Enough,
    /// A second factor, in one of these ways.
    Needed(BTreeSet<Way>),
    /// Another second factor, since theirs were reset. // I12
    Barred,
}

/// What a person shows.
#[derive(Debug, Clone)]
pub enum Showing {
    /// What their authenticator shows, or a recovery code.
    Code(Secret),
    /// A passkey's answer to [`App::ask_for_passkey`], as the browser gave it.
    Passkey(String),
}

impl App {
    /// The second factor is shown again in a sign-in; the actor to go on with says so.
    ///
    /// # Errors
    /// When what is shown is wrong or was used, nothing is enrolled, or it is a token that calls.
    pub async fn show_second_factor(&self, caller: &Caller, what: &Showing, peer: std::net::IpAddr) -> Result<Actor> {
        let sign_in = caller.sign_in()?;
        let name = self.principal(caller.principal()).await?.value.name;
        self.limits.take(name.as_str(), peer, self.clock.boot())?;
        let begun: Ceremony;
        let second = match what {
            Showing::Code(code) => Second::Code(code),
            Showing::Passkey(answer) => {
                let kept = self.ceremonies.take(sign_in, Purpose::Showing, self.clock.boot());
                begun = kept.ok_or_else(no_ceremony)?;
                Second::Passkey { ceremony: &begun, answer }
            }
        };
        let at = retry_stale!(self.try_show_second_factor(caller, sign_in, second).await)?;
        self.limits.give_back(name.as_str(), peer, self.clock.boot());
        let via = Via::SignIn { second_factor: SecondFactor::ShownAt { at } };
        Ok(Actor { via, ..caller.actor_of_any_scope().clone() })
    }

    async fn try_show_second_factor(&self, caller: &Caller, sign_in: SignInId, second: Second<'_>) -> Result<Time> {
        let id = caller.principal();
        let factors = self.factors_of(id).await?;
        let row = self.sign_in_row(sign_in).await?;
        if !factors.value.has_second_factor() {
            return Err(Problem::conflict(
                "no_second_factor",
                "no second factor is enrolled for this account",
                "enrol one on the page /factors of this server, or with `daypass totp enrol`",
            ));
        }
        let now = self.now();
        let mut next = factors.value.clone();
        let mut commit = Commit::default();
        self.use_second(&mut next, second, now, &mut commit).await?;
        self.lift(&mut next, now, Some(sign_in), &mut commit).await?;
        commit.replace(&factors, &next);
        commit.replace(&row, &SignIn { second_factor: SecondFactor::ShownAt { at: now }, ..row.value.clone() });
        let ids = vec![("signin", sign_in.to_string()), ("principal", id.to_string())];
        commit.entry(administration(event::SECOND_FACTOR_SHOWN, ids, self.region().await?, Vec::new()));
        Ok(self.commit(commit, now).await?.into_effect())
    }

    /// Uses what is shown up. Entries that this gives beside that of the showing go into the commit.
    pub(super) async fn use_second(
        &self,
        factors: &mut Factors,
        second: Second<'_>,
        now: Time,
        commit: &mut Commit,
    ) -> Result<()> {
        match second {
            Second::Nothing => Err(super::wrong()),
            Second::Code(code) if is_totp(code.expose()) => self.use_totp(factors, code.expose(), now),
            Second::Code(code) => self.use_recovery_code(factors, code, commit).await,
            Second::Passkey { ceremony, answer } => self.use_passkey(factors, ceremony, answer, now).await,
        }
    }

    /// Lifts the bar of who shows a second factor, or enrols one, after a credential of theirs was revoked. The sign-ins in which
    /// none was shown end with it, and so does the connection secret, which each of them was given: whoever came in by the old
    /// credential isn't let through by who has the other one.
    pub(super) async fn lift(
        &self,
        factors: &mut Factors,
        shown: Time,
        keep: Option<SignInId>,
        commit: &mut Commit,
    ) -> Result<()> {
        let after = factors.bar.after_showing(shown);
        if after == factors.bar {
            return Ok(());
        }
        factors.bar = after;
        factors.connection = None;
        for row in self.store_ref().find::<SignIn>(key::PRINCIPAL, &factors.principal.to_string()).await? {
            if Some(row.value.id) != keep {
                commit.delete(&row);
            }
        }
        Ok(())
    }

    pub(super) async fn sign_in_row(&self, id: SignInId) -> Result<Read<SignIn>> {
        let row = self.store_ref().get::<SignIn>(&id.to_string()).await?;
        row.ok_or_else(|| Problem::not_found("signin", id))
    }

    /// What an approval by this actor takes. // I8
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn freshness(&self, actor: &Actor) -> Result<Freshness> {
        let factors = self.store_ref().get::<Factors>(&actor.principal.to_string()).await?;
        let Some(factors) = factors.map(|read| read.value) else { return Ok(Freshness::Enough) };
        let counts = match factors.bar {
            Bar::UntilEnrolled { .. } => return Ok(Freshness::Barred),
            Bar::UntilShown { .. } if !factors.has_second_factor() => return Ok(Freshness::Barred),
            // What was shown before a credential was revoked counts for nothing.
            Bar::UntilShown { since } => shown_at(actor).is_some_and(|at| since <= at),
            Bar::None => true,
        };
        let shown = counts && self.second_factor_age_s(actor).is_some_and(|age| age <= FRESH.secs());
        if shown || !factors.has_second_factor() {
            return Ok(Freshness::Enough);
        }
        Ok(Freshness::Needed(factors.ways()))
    }

    /// Whoever has a second factor approves with it, shown just now: a browser that was left open approves nothing. // I8
    pub(crate) async fn must_be_fresh(&self, actor: &Actor, giving: Giving) -> Result<()> {
        match self.freshness(actor).await? {
            Freshness::Enough => Ok(()),
            Freshness::Barred => Err(barred()),
            Freshness::Needed(ways) => Err(Problem::new(
                ProblemKind::NeedsSecondFactor,
                NEEDED,
                format!("{} takes your second factor, shown at most {FRESH} before", giving.word()),
                how_to_give(giving, &ways),
            )),
        }
    }

    /// What this sign-in still takes for what a person does with their own factors, as its row says it now.
    ///
    /// # Errors
    /// When it is a token that calls, or the store doesn't answer.
    pub async fn freshness_now(&self, caller: &Caller) -> Result<Freshness> {
        let row = self.sign_in_row(caller.sign_in()?).await?.value;
        let via = Via::SignIn { second_factor: row.second_factor };
        self.freshness(&Actor { via, ..caller.actor_of_any_scope().clone() }).await
    }

    /// For what a person does with their own factors: where one is enrolled, one was shown in this sign-in just now.
    pub(super) async fn must_have_shown(&self, caller: &Caller) -> Result<()> {
        match self.freshness_now(caller).await? {
            Freshness::Enough | Freshness::Barred => Ok(()),
            Freshness::Needed(ways) => Err(Problem::new(
                ProblemKind::NeedsSecondFactor,
                NEEDED,
                format!("this takes a second factor that you have, shown at most {FRESH} before"),
                how_again(&ways),
            )),
        }
    }
}

/// When the actor showed a second factor, if they did.
fn shown_at(actor: &Actor) -> Option<Time> {
    match actor.via {
        Via::SignIn { second_factor: SecondFactor::ShownAt { at } } => Some(at),
        Via::SignIn { second_factor: SecondFactor::NotShown } | Via::Token { .. } => None,
    }
}

/// Six digits are a code of TOTP. Recovery codes are longer.
fn is_totp(code: &str) -> bool {
    code.chars().filter(|c| *c != ' ').count() <= 6
}

/// Whether a code of some kind does, or only a passkey.
fn a_code_does(ways: &BTreeSet<Way>) -> bool {
    ways.contains(&Way::Totp)
}

pub(super) fn how_at_sign_in(ways: &BTreeSet<Way>) -> &'static str {
    if a_code_does(ways) {
        "give the code that your authenticator shows now, or a recovery code"
    } else {
        "sign in on the page /signin of this server, where your passkey can be shown, or give a recovery code as the code"
    }
}

fn how_to_give(giving: Giving, ways: &BTreeSet<Way>) -> &'static str {
    match (giving, a_code_does(ways)) {
        (Giving::Approval, true) => "give the code that your authenticator shows now: `daypass approve --code CODE`",
        (Giving::Approval, false) => {
            "approve on the request's page of this server, where your passkey can be shown: /requests/ID; or give a \
             recovery code: `daypass approve --code CODE`"
        }
        (Giving::Confirmation, true) => {
            "give the code that your authenticator shows now: `daypass confirm --code CODE`"
        }
        (Giving::Confirmation, false) => {
            "confirm on the request's page of this server, where your passkey can be shown: /requests/ID; or give a \
             recovery code: `daypass confirm --code CODE`"
        }
    }
}

fn how_again(ways: &BTreeSet<Way>) -> &'static str {
    if a_code_does(ways) {
        "give the code that your authenticator shows now: `daypass second-factor CODE`"
    } else {
        "do it on the page /factors of this server, where your passkey can be shown, or give a recovery code: \
         `daypass second-factor CODE`"
    }
}
