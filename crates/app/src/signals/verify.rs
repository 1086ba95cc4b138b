//! Having a transmitter show that its signals arrive (SSF 1.0, "Verification").

use daypass_domain::{Digest, Name, Time, principal::Actor};
use daypass_ports::{
    record::Commit,
    signals::{Listener, Verifying},
};

use super::receive::away;
use crate::{
    App, Problem, Result,
    changes::SIGNALS,
    entry::{administration, event},
    retry_stale,
};

impl App {
    /// Asks a transmitter to send a signal that shows that its stream arrives here. It comes by the way that all come; whoever
    /// wants to see it looks at [`App::transmitters`]. Answers when it was asked.
    ///
    /// # Errors
    /// When policy doesn't permit it, its stream isn't named, or it can't be asked.
    pub async fn verify_signals(&self, actor: &Actor, name: &Name) -> Result<Time> {
        self.may_administer(actor, SIGNALS).await?;
        let transmitter = self.declared_named(name).await?.value.transmitter;
        let stream = transmitter.stream.as_deref().ok_or_else(|| {
            Problem::conflict(
                "no_stream",
                format!("it isn't declared what `{name}` calls its stream, so it can't be asked to verify it"),
                "declare it with `daypass signals add --stream ID`",
            )
        })?;
        let issuer = transmitter.signer().map_err(|why| Problem::unavailable(why.to_string()))?;
        let credential = match &transmitter.credential {
            Some(credential) => Some(self.credentials.credential(credential).await?),
            None => None,
        };
        let state = data_encoding::BASE64URL_NOPAD.encode(&self.random::<24>());
        // First, so that the answer is known for one, however fast it comes.
        let asked = retry_stale!(self.try_note_asked(actor, name, &state).await)?;
        let by = Listener { issuer: &issuer, credential: credential.as_ref() };
        self.identity.ask_to_verify(&by, stream, &state).await.map_err(|error| away(&error))?;
        Ok(asked)
    }

    async fn try_note_asked(&self, actor: &Actor, name: &Name, state: &str) -> Result<Time> {
        let now = self.now();
        let declared = self.declared_named(name).await?;
        let asked = Verifying { at: now, state: Digest::of(state.as_bytes()) };
        let mut commit = Commit::default();
        commit.expect(&declared);
        self.change_stream(name, &mut commit, |stream| stream.asked = Some(asked)).await?;
        let ids = vec![("transmitter", name.to_string()), ("principal", actor.principal.to_string())];
        commit.entry(administration(event::SIGNALS_VERIFYING, ids, self.region().await?, Vec::new()));
        Ok(self.commit(commit, now).await?.into_effect())
    }
}
