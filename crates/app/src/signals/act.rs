//! Doing what a signal says: what takes away acts first and is written after; what informs is written and then judged. // I1

use daypass_domain::{
    Digest, GrantId, PrincipalId, Time, TokenId,
    end::EndCause,
    principal::{Principal, SecondFactor, Standing},
    session::SessionState,
    signals::{Grants, Hearing, Saying, Taking},
};
use daypass_ports::{
    identity::CLOCK_SKEW,
    record::{Kind as RowKind, Part},
    rows::{Factors, Settings, SignIn, Token, key},
    signals::{Declared, Outcome, Received, SaidOf, Stream},
};
use daypass_wire::{jwt::Unverified, secevent::Set};
use serde::Serialize;
use subtle::ConstantTimeEq as _;

use super::{
    BY_TRANSMITTER, Refused,
    meaning::{Meaning, OfStream},
    subject::Matched,
};
use crate::{
    App, Problem, ProblemKind, Result,
    changes::Prepared,
    entry::{administration, event},
    retry_stale,
    taken::End,
};

const SUBJECT: &str = "signal-subject";

/// A signal, with whom it is about.
struct Signal<'a> {
    declared: &'a Declared,
    set: &'a Set,
    meaning: &'a Meaning,
    token: &'a str,
    jti: Digest,
    matched: Matched,
    received: Time,
}

/// What an entry says of a signal: under the key of whom it is about. // I9
#[derive(Serialize)]
struct Said<'a> {
    transmitter: &'a str,
    /// All that the token said.
    claims: &'a std::collections::BTreeMap<String, serde_json::Value>,
    happened_us: i64,
    /// When it came: from here the time until everything is dead counts.
    received_us: i64,
}

/// Whether decisions read something of what is written, so that live grants are judged again.
enum Moves {
    Nothing,
    Facts,
}

impl App {
    /// Does it, once. Answers after it is durable.
    pub(super) async fn act_on(
        &self,
        declared: &Declared,
        token: &str,
        set: &Set,
        meaning: &Meaning,
        received: Time,
    ) -> Result<std::result::Result<(), Refused>> {
        let jti = Digest::of_value("signal", &set.jti);
        if self.came_before(declared, &jti).await? {
            return Ok(Ok(()));
        }
        if let Err(refused) = self.answers_what_was_asked(declared, meaning).await? {
            return Ok(Err(refused));
        }
        // What is of the stream names the stream, whom nobody needs to look for.
        let matched =
            if meaning.is_of_stream() { Matched::Nobody } else { self.match_subject(declared, &set.subject).await? };
        let signal = Signal { declared, set, meaning, token, jti, matched, received };
        match (matched, meaning.taking) {
            (Matched::Nobody | Matched::Several, _) | (_, Taking::Nothing) => {
                self.write(&signal, Taking::Nothing).await?
            }
            (Matched::Person(whom), Taking::Sessions | Taking::Credentials) => self.end_sign_ins(&signal, whom).await?,
            (Matched::Person(whom), Taking::Account) => {
                let disabled = self.cut_around(whom, self.write(&signal, Taking::Account)).await;
                match disabled {
                    // The last who can administer isn't disabled by anybody's word: as of a revoked credential, all ends.
                    Err(Problem { kind: ProblemKind::Conflict, code: "last_administrator", .. }) => {
                        self.end_sign_ins(&signal, whom).await?;
                    }
                    done => done?,
                }
            }
        }
        Ok(Ok(()))
    }

    async fn came_before(&self, declared: &Declared, jti: &Digest) -> Result<bool> {
        let row = Received::id_of(&declared.name, jti);
        Ok(self.store_ref().get::<Received>(&row).await?.is_some())
    }

    /// Cuts, writes, and cuts again what came in between. // I1
    async fn end_sign_ins(&self, signal: &Signal<'_>, whom: PrincipalId) -> Result<()> {
        let cut = self.cut_what_began(signal, whom).await;
        let taking = signal.meaning.taking.min(Taking::Credentials);
        self.write(signal, taking).await?;
        self.cut_what_began(signal, whom).await?;
        cut
    }

    /// Ends what somebody held when it happened: their grants, or only the sessions that are open under them.
    async fn cut_what_began(&self, signal: &Signal<'_>, whom: PrincipalId) -> Result<()> {
        match signal.declared.transmitter.grants {
            Grants::End => {
                let mut grants: Vec<GrantId> = self.live_grants_of(&[whom]).await?;
                grants.retain(|grant| signal.covers(grant.time()));
                let cause = EndCause::Signalled { transmitter: signal.declared.name.clone() };
                self.end_grants(End::all(&grants, &cause)).await?;
            }
            Grants::Keep => {
                let (by, transmitter) = BY_TRANSMITTER;
                for session in self.open_sessions_of(whom).await? {
                    let since = match session.value.state {
                        SessionState::Open { since } => since,
                        SessionState::Closed { .. } => continue,
                    };
                    if signal.covers(since) {
                        self.end_session(&session.value, &[(by, transmitter.to_owned())], Vec::new()).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn write(&self, signal: &Signal<'_>, taking: Taking) -> Result<()> {
        retry_stale!(self.try_write(signal, taking).await)
    }

    async fn try_write(&self, signal: &Signal<'_>, taking: Taking) -> Result<()> {
        // Twice at once counts once.
        if self.came_before(signal.declared, &signal.jti).await? {
            return Ok(());
        }
        let settings = self.settings().await?;
        let name = &signal.declared.name;
        let mut prepared = Prepared::default();
        let declared = self.declared_named(name).await?;
        if declared.value != *signal.declared {
            return Err(Problem::unavailable(format!("`{name}` was declared otherwise meanwhile")));
        }
        prepared.commit.expect(&declared);
        let (outcome, moves) = self.plan(signal, taking, &settings.value, &mut prepared).await?;
        let part = self.said_part(signal);
        let subject = match outcome {
            Outcome::Unmatched | Outcome::Ambiguous => Some(self.seal_subject(signal)),
            Outcome::Stream | Outcome::Done { .. } | Outcome::Spared { .. } => None,
        };
        let row = Received {
            transmitter: name.clone(),
            jti: signal.jti,
            at: signal.received,
            events: signal.set.events.iter().map(|event| event.what.word().to_owned()).collect(),
            outcome,
            content: part.id,
            subject,
        };
        prepared.commit.expect_none(RowKind::Signal, &Received::id_of(name, &signal.jti));
        prepared.commit.put(&row);
        self.change_stream(name, &mut prepared.commit, |stream| signal.note_on(stream)).await?;
        let mut ids = vec![("transmitter", name.to_string()), ("outcome", outcome.word().to_owned())];
        ids.extend(outcome.principal().map(|id| ("principal", id.to_string())));
        let entry = administration(event::SIGNAL_RECEIVED, ids, settings.value.region.clone(), vec![part]);
        match moves {
            Moves::Facts => {
                self.carry_out(&settings, prepared, entry, |_| {}).await?;
            }
            Moves::Nothing => {
                prepared.commit.entry(entry);
                self.commit(prepared.commit, ()).await?;
            }
        }
        Ok(())
    }

    /// The rows, and what they make of it.
    async fn plan(
        &self,
        signal: &Signal<'_>,
        taking: Taking,
        settings: &Settings,
        prepared: &mut Prepared,
    ) -> Result<(Outcome, Moves)> {
        let principal = match signal.matched {
            _ if signal.meaning.is_of_stream() => return Ok((Outcome::Stream, Moves::Nothing)),
            Matched::Nobody => return Ok((Outcome::Unmatched, Moves::Nothing)),
            Matched::Several => return Ok((Outcome::Ambiguous, Moves::Nothing)),
            Matched::Person(principal) => principal,
        };
        let heard = self.plan_hearing(signal, principal, prepared).await?;
        let mut moves = match heard {
            Some(Hearing::News) => Moves::Facts,
            Some(Hearing::Older) | None => Moves::Nothing,
        };
        match taking {
            Taking::Nothing => {}
            Taking::Sessions => self.plan_end_of_sessions(signal, principal, prepared).await?,
            Taking::Credentials => self.plan_end_of_credentials(signal, principal, prepared).await?,
            Taking::Account => {
                let read = self.principal(principal).await?;
                if read.value.is_active() {
                    self.plan_disabling(signal, &read, settings, prepared).await?;
                    moves = Moves::Facts;
                }
            }
        }
        if signal.meaning.taking == Taking::Account && taking < Taking::Account {
            return Ok((Outcome::Spared { principal }, moves));
        }
        Ok((Outcome::Done { principal, took: taking, heard }, moves))
    }

    async fn plan_disabling(
        &self,
        signal: &Signal<'_>,
        read: &daypass_ports::record::Read<Principal>,
        settings: &Settings,
        prepared: &mut Prepared,
    ) -> Result<()> {
        let transmitter = signal.declared.name.clone();
        self.plan_disable(read, Standing::DisabledBySignal { at: self.now(), transmitter }, prepared).await?;
        let (by, word) = BY_TRANSMITTER;
        let ids = vec![("principal", read.value.id.to_string()), (by, word.to_owned())];
        let entry = administration(event::PRINCIPAL_DISABLED, ids, settings.region.clone(), Vec::new());
        prepared.commit.entry(entry);
        Ok(())
    }

    async fn plan_hearing(
        &self,
        signal: &Signal<'_>,
        principal: PrincipalId,
        prepared: &mut Prepared,
    ) -> Result<Option<Hearing>> {
        if signal.meaning.facts.is_empty() {
            return Ok(None);
        }
        let row = self.store_ref().get::<SaidOf>(&principal.to_string()).await?;
        let mut sayings = row.as_ref().map(|row| row.value.sayings.clone()).unwrap_or_default();
        let mut heard = Hearing::Older;
        for (fact, at) in &signal.meaning.facts {
            let saying = Saying {
                transmitter: signal.declared.name.clone(),
                device: signal.meaning.device,
                fact: fact.clone(),
                at: *at,
            };
            match sayings.hear(saying) {
                Hearing::News => heard = Hearing::News,
                Hearing::Older => {}
            }
        }
        let next = SaidOf { principal, sayings };
        match (&row, heard) {
            (_, Hearing::Older) => {}
            (Some(row), Hearing::News) => prepared.commit.replace(row, &next),
            (None, Hearing::News) => {
                prepared.commit.expect_none(RowKind::Sayings, &principal.to_string());
                prepared.commit.put(&next);
            }
        }
        Ok(Some(heard))
    }

    /// The sign-ins that there were when it happened. With the last of them ends the connection secret.
    async fn plan_end_of_sessions(
        &self,
        signal: &Signal<'_>,
        whose: PrincipalId,
        prepared: &mut Prepared,
    ) -> Result<()> {
        let mut stays = false;
        for row in self.store_ref().find::<SignIn>(key::PRINCIPAL, &whose.to_string()).await? {
            if signal.covers(row.value.since) {
                prepared.commit.delete(&row);
            } else {
                stays |= self.now() < row.value.expires;
            }
        }
        if !stays {
            self.drop_connection_secret(whose, &mut prepared.commit).await?;
        }
        Ok(())
    }

    /// Everything that somebody is in by, unless they showed a second factor since; the connection secret, tokens that they had
    /// made; and whoever signs in again shows a second factor before they do anything.
    async fn plan_end_of_credentials(
        &self,
        signal: &Signal<'_>,
        whose: PrincipalId,
        prepared: &mut Prepared,
    ) -> Result<()> {
        let happened = signal.meaning.happened;
        let mut proven = false;
        for row in self.store_ref().find::<SignIn>(key::PRINCIPAL, &whose.to_string()).await? {
            match row.value.second_factor {
                SecondFactor::ShownAt { at } if at > happened && !signal.covers(row.value.since) => proven = true,
                SecondFactor::ShownAt { .. } | SecondFactor::NotShown => prepared.commit.delete(&row),
            }
        }
        for row in self.store_ref().find::<Token>(key::PRINCIPAL, &whose.to_string()).await? {
            let made: TokenId = row.value.id;
            if signal.covers(made.time()) {
                prepared.commit.delete(&row);
            }
        }
        let factors = self.factors_of(whose).await?;
        let bar = if proven { factors.value.bar } else { factors.value.bar.after_revoking(happened) };
        // Every sign-in of somebody was given the same connection secret, so those that end know it too.
        let next = Factors { bar, connection: None, ..factors.value.clone() };
        if next != factors.value {
            prepared.commit.replace(&factors, &next);
        }
        Ok(())
    }

    /// A verification that says a state must say the one that was given (SSF 1.0, "Verification Event").
    async fn answers_what_was_asked(
        &self,
        declared: &Declared,
        meaning: &Meaning,
    ) -> Result<std::result::Result<(), Refused>> {
        for said in &meaning.stream {
            let OfStream::Verified { state: Some(state) } = said else { continue };
            let stream = self.store_ref().get::<Stream>(declared.name.as_str()).await?;
            let asked = stream.and_then(|stream| stream.value.asked);
            let given = Digest::of(state.as_bytes());
            let fits = asked.is_some_and(|asked| bool::from(asked.state.bytes().ct_eq(given.bytes())));
            if !fits {
                let why = "its `state` isn't the one that was last given for a verification";
                return Ok(Err(Refused::new(Refused::STATE, why)));
            }
        }
        Ok(Ok(()))
    }

    /// What the token said, under the key of whom it is about.
    fn said_part(&self, signal: &Signal<'_>) -> Part {
        let claims = Unverified::parse(signal.token).map(|token| token.claims).unwrap_or_default();
        let said = Said {
            transmitter: signal.declared.name.as_str(),
            claims: &claims,
            happened_us: signal.meaning.happened.micros(),
            received_us: signal.received.micros(),
        };
        match signal.matched {
            Matched::Person(whom) => self.subject_part(whom, &said),
            Matched::Nobody | Matched::Several => self.operational_part(&said),
        }
    }

    fn seal_subject(&self, signal: &Signal<'_>) -> String {
        let subject = &signal.set.subject;
        let shown = match (subject.person(), subject.session(), subject.device()) {
            (Some(who), _, _) => who.canonical(),
            (None, Some(session), _) => serde_json::json!({"session": session.canonical()}),
            (None, None, Some(device)) => serde_json::json!({"device": device.canonical()}),
            (None, None, None) => serde_json::json!({"format": "complex"}),
        };
        let key = self.keys.sealing_key(SUBJECT, signal.declared.name.as_str().as_bytes());
        let sealed = key.seal(self.random(), SUBJECT.as_bytes(), shown.to_string().as_bytes());
        data_encoding::BASE64.encode(&sealed)
    }

    /// Whom a signal named that is about nobody who is known.
    pub(super) fn unseal_subject(&self, transmitter: &daypass_domain::Name, sealed: &str) -> Result<String> {
        let broken = |why: String| Problem::unavailable(format!("whom a signal named can't be read: {why}"));
        let sealed = data_encoding::BASE64.decode(sealed.as_bytes()).map_err(|e| broken(e.to_string()))?;
        let key = self.keys.sealing_key(SUBJECT, transmitter.as_str().as_bytes());
        let plain = key.open(SUBJECT.as_bytes(), &sealed).map_err(|e| broken(e.to_string()))?;
        Ok(String::from_utf8_lossy(&plain).into_owned())
    }
}

impl Signal<'_> {
    fn note_on(&self, stream: &mut Stream) {
        stream.signals += 1;
        stream.heard = stream.heard.max(Some(self.received));
        for said in &self.meaning.stream {
            match said {
                OfStream::Is(state) => stream.state = *state,
                OfStream::Verified { state: Some(_) } => stream.verified = Some(self.received),
                OfStream::Verified { state: None } => {}
            }
        }
    }

    /// Whether something that began then was there when it happened. What came later isn't touched by what is older.
    fn covers(&self, began: Time) -> bool {
        began <= self.meaning.happened + CLOCK_SKEW
    }
}
