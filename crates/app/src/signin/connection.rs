//! The personal connection secret: what `psql` proves at the gateway. It opens nothing by itself; the grant is looked
//! up (I6). One a principal: a further sign-in while it is live gives the same one, so that saved connections go on.

use daypass_domain::{Name, PrincipalId, Time, principal::Principal};
use daypass_ports::{
    authority::Door,
    record::{Commit, Read},
    rows::{Bar, ConnectionSecret, Factors, Token, TokenScope, key},
    secret::Secret,
};
use daypass_wire::scram::{DEFAULT_ITERATIONS, ScramVerifier, mock_verifier};

use super::{Caller, Credential, SIGN_IN_LASTS};
use crate::{
    App, Problem, Result,
    entry::{administration, event},
    retry_stale,
};

const PURPOSE: &str = "connection-secret";

/// A connection secret, for the program that will use it.
#[derive(Debug)]
pub struct ConnectionSecretGiven {
    /// What it gives as its user name.
    pub user: Name,
    /// What it proves.
    pub secret: Secret,
    /// Until when it is good.
    pub expires: Time,
}

impl App {
    /// The connection secret of whoever calls: how a workload gets one, by its token with the scope `request`. It lasts
    /// twelve hours, and never longer than the token.
    ///
    /// # Errors
    /// When the token lacks the scope, or the giving can't be recorded.
    pub async fn connection_secret(&self, caller: &Caller) -> Result<ConnectionSecretGiven> {
        caller.may(TokenScope::Request)?;
        retry_stale!(self.try_connection_secret(caller).await)
    }

    async fn try_connection_secret(&self, caller: &Caller) -> Result<ConnectionSecretGiven> {
        let id = caller.principal();
        let principal = self.active(id).await?.ok_or_else(|| Problem::not_found("principal", id))?;
        let until = self.now() + SIGN_IN_LASTS;
        let mut commit = Commit::default();
        commit.expect(&principal);
        let until = match caller.credential() {
            Credential::SignIn(sign_in) => {
                let row = self.store_ref().get::<daypass_ports::rows::SignIn>(&sign_in.to_string()).await?;
                let row = row.ok_or_else(|| Problem::not_found("signin", sign_in))?;
                commit.expect(&row);
                until.min(row.value.expires)
            }
            Credential::Token(token) => {
                let row = self.store_ref().get::<Token>(&token.to_string()).await?;
                let row = row.ok_or_else(|| Problem::not_found("token", token))?;
                commit.expect(&row);
                until.min(row.value.expires)
            }
        };
        let read = self.store_ref().get::<Factors>(&id.to_string()).await?;
        let mut factors = match &read {
            Some(read) => {
                commit.expect(read);
                read.value.clone()
            }
            None => {
                commit.expect_none(daypass_ports::record::Kind::Factors, &id.to_string());
                Factors::none_of(id)
            }
        };
        let secret = self.connection_secret_until(&mut factors, until)?;
        let expires = factors.connection.as_ref().map_or(until, |c| c.expires);
        commit.put(&factors);
        let mut ids = vec![("principal", id.to_string())];
        ids.extend(crate::entry::owner_id(id, principal.value.person()));
        match caller.credential() {
            Credential::SignIn(sign_in) => ids.push(("signin", sign_in.to_string())),
            Credential::Token(token) => ids.push(("token", token.to_string())),
        }
        commit.entry(administration(event::CONNECTION_SECRET_GIVEN, ids, self.region().await?, Vec::new()));
        let given = ConnectionSecretGiven { user: principal.value.name.clone(), secret, expires };
        Ok(self.commit(commit, given).await?.into_effect())
    }

    /// The live secret with its time extended, or a new one.
    pub(super) fn connection_secret_until(&self, factors: &mut Factors, until: Time) -> Result<Secret> {
        let id = factors.principal;
        if let Some(live) = factors.connection.as_mut().filter(|c| self.now() < c.expires) {
            let plain = self.unseal(PURPOSE, id, &live.sealed)?;
            live.expires = live.expires.max(until);
            return Ok(Secret::new(String::from_utf8_lossy(&plain).into_owned()));
        }
        let random = zeroize::Zeroizing::new(self.random::<24>());
        let secret = Secret::new(data_encoding::BASE64URL_NOPAD.encode(&*random));
        let broken = |e: daypass_wire::scram::ScramError| Problem::unavailable(e.to_string());
        let verifier = ScramVerifier::from_password(secret.expose().as_bytes(), self.random(), DEFAULT_ITERATIONS)
            .map_err(broken)?;
        factors.connection = Some(ConnectionSecret {
            sealed: self.seal_for(PURPOSE, id, secret.expose().as_bytes()),
            verifier: verifier.to_postgres().to_string(),
            expires: until,
        });
        Ok(secret)
    }

    /// From the commit on, nothing that the principal has in a file lets it in.
    pub(crate) async fn drop_connection_secret(&self, principal: PrincipalId, commit: &mut Commit) -> Result<()> {
        if let Some(read) = self.store_ref().get::<Factors>(&principal.to_string()).await?
            && read.value.connection.is_some()
        {
            commit.replace(&read, &Factors { connection: None, ..read.value.clone() });
        }
        Ok(())
    }

    /// What a client that says it is `user` must prove: for whoever can't come in, something that nothing satisfies and
    /// that looks the same each time.
    pub(crate) async fn door_of(&self, user: &str) -> Result<Door> {
        let known = match user.parse::<Name>() {
            Ok(name) => self.live_verifier(&name).await?,
            Err(_) => None,
        };
        Ok(known.unwrap_or_else(|| {
            let secret = zeroize::Zeroizing::new(self.keys.derive("scram-mock", b""));
            Door::Mock { verifier: mock_verifier(&secret, user) }
        }))
    }

    async fn live_verifier(&self, name: &Name) -> Result<Option<Door>> {
        let found = self.store_ref().find::<Principal>(key::NAME, name.as_str()).await?;
        let Some(found) = found.into_iter().next() else { return Ok(None) };
        let Some(principal) = self.active(found.value.id).await? else { return Ok(None) };
        let factors: Option<Read<Factors>> = self.store_ref().get(&principal.value.id.to_string()).await?;
        let open = factors.map(|f| f.value).filter(|f| f.bar == Bar::None);
        let live = open.and_then(|f| f.connection).filter(|c| self.now() < c.expires);
        let Some(live) = live else { return Ok(None) };
        let verifier = live.verifier.parse().map_err(|e: daypass_wire::scram::ScramError| {
            Problem::unavailable(format!("the verifier of {} can't be read: {e}", principal.value.id))
        })?;
        Ok(Some(Door::Known { principal: principal.value.id, verifier }))
    }

    /// Seals something of a principal's, bound to it and to what it is.
    pub(crate) fn seal_for(&self, purpose: &str, principal: PrincipalId, plain: &[u8]) -> String {
        let key = self.keys.sealing_key(purpose, &principal.bytes());
        data_encoding::BASE64.encode(&key.seal(self.random(), purpose.as_bytes(), plain))
    }

    /// What [`App::seal_for`] sealed.
    pub(crate) fn unseal(
        &self,
        purpose: &str,
        principal: PrincipalId,
        sealed: &str,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>> {
        let broken =
            |why: String| Problem::unavailable(format!("what {principal} proves itself by can't be read: {why}"));
        let sealed = data_encoding::BASE64.decode(sealed.as_bytes()).map_err(|e| broken(e.to_string()))?;
        let key = self.keys.sealing_key(purpose, &principal.bytes());
        key.open(purpose.as_bytes(), &sealed).map_err(|e| broken(e.to_string()))
    }
}
