//! Declaring whose signals are heard, and of whom they speak: a change like any other. // I12

use daypass_domain::{
    Digest, Name,
    principal::Actor,
    signals::{Delivery, Grants, Transmitter},
};
use daypass_ports::{
    directories::Directory,
    record::{Commit, Kind as RowKind, Read},
    signals::{Declared, Received, SaidOf, Stream, signal_key},
    targets::Shown,
};

use super::{BEARER_PREFIX, Bearer, SignalView, TransmitterView};
use crate::{
    App, Problem, Result,
    changes::{Hand, Handed, Kept, Prepared, SIGNALS},
};

/// How many transmitters there are at most.
const TRANSMITTERS_MOST: usize = 50;
/// How many signals are shown.
const SHOWN_MOST: usize = 200;

impl App {
    /// Plans a declaration: whose word is taken for what happened to whom, and how it comes.
    pub(crate) async fn plan_declare_transmitter(
        &self,
        name: &Name,
        transmitter: &Transmitter,
        bearer: Bearer,
        hand: Hand<'_>,
    ) -> Result<Prepared> {
        transmitter.check().map_err(|why| {
            Problem::invalid("bad_transmitter", format!("`{name}` can't be heard so: {why}"), "declare it otherwise")
        })?;
        let mut prepared = Prepared::default();
        self.check_speaks_of(transmitter, &mut prepared.commit).await?;
        let before = self.declared(name).await?;
        let had = before.as_ref().and_then(|before| before.value.bearer);
        let hash = self.bearer_for(transmitter, had, bearer, hand, &mut prepared);
        let next = Declared { name: name.clone(), transmitter: transmitter.clone(), bearer: hash };
        let same = before.as_ref().is_some_and(|before| before.value.transmitter == *transmitter);
        if same && hash == had {
            return Ok(Prepared::default());
        }
        if !same {
            prepared.words.extend(words(name, transmitter));
            self.warn_of_credential(name, transmitter, &mut prepared.words).await;
        }
        if hash.is_some() && hash != had {
            prepared.words.push(match had {
                Some(_) => {
                    format!("give `{name}` another secret; the one that it has is good for nothing from then on")
                }
                None => format!("give `{name}` a secret, which it shows with each signal"),
            });
        }
        match &before {
            Some(before) => prepared.commit.replace(before, &next),
            None => {
                if self.store_ref().all::<Declared>().await?.len() >= TRANSMITTERS_MOST {
                    return Err(too_many());
                }
                prepared.commit.expect_none(RowKind::Transmitter, name.as_str());
                prepared.commit.put(&next);
                prepared.commit.put(&Stream::new(name.clone()));
            }
        }
        prepared.ids = vec![("transmitter", name.to_string())];
        Ok(prepared)
    }

    /// Plans that a transmitter is heard no more. What it said of people is forgotten with it.
    pub(crate) async fn plan_remove_transmitter(&self, name: &Name) -> Result<Prepared> {
        let declared = self.declared_named(name).await?;
        let mut prepared = Prepared {
            words: vec![format!("hear the transmitter `{name}` no more")],
            ids: vec![("transmitter", name.to_string())],
            ..Prepared::default()
        };
        prepared.commit.delete(&declared);
        if let Some(stream) = self.store_ref().get::<Stream>(name.as_str()).await? {
            prepared.commit.delete(&stream);
        }
        let mut forgotten = 0;
        for row in self.store_ref().all::<SaidOf>().await? {
            let mut next = row.value.clone();
            if !next.sayings.forget(name) {
                continue;
            }
            forgotten += 1;
            if next.sayings.is_empty() {
                prepared.commit.delete(&row);
            } else {
                prepared.commit.replace(&row, &next);
            }
        }
        if forgotten > 0 {
            prepared.words.push(format!(
                "forget what it said of {}; mind that whoever a policy holds that against gains by it",
                if forgotten == 1 { "one person".to_owned() } else { format!("{forgotten} people") }
            ));
        }
        Ok(prepared)
    }

    /// The hash of the secret that it shows, where it sends. Made once, and handed to whoever proposes.
    fn bearer_for(
        &self,
        transmitter: &Transmitter,
        had: Option<Digest>,
        bearer: Bearer,
        hand: Hand<'_>,
        prepared: &mut Prepared,
    ) -> Option<Digest> {
        match (&transmitter.delivery, had, bearer, hand) {
            (Delivery::Poll { .. }, _, _, _) => None,
            (Delivery::Push, _, _, Hand::Second(Kept::Bearer { hash })) => Some(*hash),
            (Delivery::Push, Some(had), Bearer::Kept, _) => Some(had),
            (Delivery::Push, _, Bearer::Kept | Bearer::New, _) => {
                let (secret, hash) = self.new_bearer(BEARER_PREFIX);
                prepared.handed = Handed::Token(secret);
                prepared.kept = Kept::Bearer { hash };
                Some(hash)
            }
        }
    }

    /// Whose subjects it means must be there.
    async fn check_speaks_of(&self, transmitter: &Transmitter, commit: &mut Commit) -> Result<()> {
        if let Some(provider) = &transmitter.provider
            && !self.trust(commit).await?.providers.contains_key(provider)
        {
            return Err(Problem::invalid(
                "unknown_provider",
                format!("nobody signs in by a provider `{provider}`"),
                "declare it with `daypass trust apply` first",
            ));
        }
        if let Some(directory) = &transmitter.directory
            && self.store_ref().get::<Directory>(directory.as_str()).await?.is_none()
        {
            return Err(Problem::invalid(
                "unknown_directory",
                format!("there is no directory `{directory}`"),
                "declare it with `daypass directory declare` first",
            ));
        }
        Ok(())
    }

    async fn warn_of_credential(&self, name: &Name, transmitter: &Transmitter, words: &mut Vec<String>) {
        if let Some(credential) = &transmitter.credential
            && let Err(error) = self.credentials.credential(credential).await
        {
            words.push(format!("mind that `{name}` can't be asked for anything yet: {error}"));
        }
    }

    /// The declared transmitters, and how each does: for whoever may administer them.
    ///
    /// # Errors
    /// When policy doesn't permit it.
    pub async fn transmitters(&self, actor: &Actor) -> Result<Vec<TransmitterView>> {
        self.may_administer(actor, SIGNALS).await?;
        let mut views = Vec::new();
        for declared in self.store_ref().all::<Declared>().await? {
            views.push(self.transmitter_view(declared).await?);
        }
        views.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(views)
    }

    async fn transmitter_view(&self, declared: Read<Declared>) -> Result<TransmitterView> {
        let Declared { name, transmitter, .. } = declared.value;
        let stream = self.store_ref().get::<Stream>(name.as_str()).await?.map(|read| read.value);
        let stream = stream.unwrap_or_else(|| Stream::new(name.clone()));
        let seen = self.streams.seen(&name);
        Ok(TransmitterView {
            transmitter,
            signals: stream.signals,
            heard: stream.heard,
            state: stream.state,
            asked: stream.asked.map(|asked| asked.at),
            verified: stream.verified,
            answered: seen.answered,
            failing: seen.failing,
            refused: seen.refused,
            name,
        })
    }

    /// The last signals of a transmitter, newest last: those of nobody who is known too.
    ///
    /// # Errors
    /// When policy doesn't permit it, or there is no such transmitter.
    pub async fn signals_of(&self, actor: &Actor, name: &Name) -> Result<Vec<SignalView>> {
        self.may_administer(actor, SIGNALS).await?;
        self.declared_named(name).await?;
        let mut rows = self.store_ref().find::<Received>(signal_key::TRANSMITTER, name.as_str()).await?;
        rows.sort_by_key(|row| (row.value.at, row.value.content));
        let mut views = Vec::with_capacity(rows.len().min(SHOWN_MOST));
        for row in rows.split_off(rows.len().saturating_sub(SHOWN_MOST)) {
            let Received { at, events, outcome, content, subject, .. } = row.value;
            let principal = match outcome.principal() {
                Some(id) => Some(self.name_of(id).await?),
                None => None,
            };
            let subject = subject.map(|sealed| self.unseal_subject(name, &sealed)).transpose()?;
            views.push(SignalView { at, events, outcome: outcome.word(), principal, subject, content });
        }
        Ok(views)
    }
}

fn too_many() -> Problem {
    Problem::conflict(
        "too_many_transmitters",
        format!("{TRANSMITTERS_MOST} transmitters are declared already"),
        "remove one with `daypass signals remove`",
    )
}

/// What is declared, for people.
fn words(name: &Name, transmitter: &Transmitter) -> Vec<String> {
    let algorithms: Vec<&str> = transmitter.algorithms.iter().map(String::as_str).collect();
    let keys = transmitter.jwks.as_deref().map_or(String::new(), |jwks| format!(", keys at {}", Shown(jwks)));
    let authorities = transmitter.authorities.as_ref();
    let authorities = authorities.map_or(String::new(), |pem| format!(", authorities {}", Digest::of(pem.as_bytes())));
    let people = transmitter.provider.iter().map(|provider| format!("people who sign in by `{provider}`"));
    let users = transmitter.directory.iter().map(|directory| format!("users of the directory `{directory}`"));
    let whom: Vec<String> = people.chain(users).collect();
    let mut lines = vec![
        format!(
            "take the word of `{name}` ({} by {}{keys}{authorities}, for \"{}\") for what happens to {}",
            Shown(&transmitter.issuer),
            algorithms.join(" or "),
            Shown(&transmitter.audience),
            whom.join(" and ")
        ),
        "let it end their sign-ins and tokens, disable them, and say facts of them that policies read".to_owned(),
    ];
    lines.push(match transmitter.grants {
        Grants::End => "when it revokes somebody's sessions, their grants end".to_owned(),
        Grants::Keep => "when it revokes somebody's sessions, those here are cut and their grants go on".to_owned(),
    });
    lines.push(match &transmitter.delivery {
        Delivery::Push => format!("it sends its signals to /signals/{name}"),
        Delivery::Poll { url } => format!("it is asked for its signals at {}", Shown(url)),
    });
    if let Some(credential) = &transmitter.credential {
        lines.push(format!("Daypass shows it the credential `{credential}`"));
    }
    lines
}
