//! Who the agent is: a workload, never a person; and what it got in this conversation.

use std::{
    collections::BTreeSet,
    future::Future,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use daypass_api::{
    people::PrincipalKind,
    requests::RequestState,
    signin::{ConnectionSecret, Me},
};

use crate::{
    client::{calls, http::Api, profile::Profile},
    failure::{Exit, Failure},
    say,
    verbs::{ambient, signin, words},
};

/// The longest token that is read from a file, in bytes.
const TOKEN_BYTES: u64 = 4_096;
/// How long is waited at the end for what the agent got to be given back.
const LEAVING: Duration = Duration::from_secs(10);
/// How long before it ends a connection secret isn't used any more, in seconds.
const SPARE_S: i64 = 60;

/// The agent.
pub struct Agent {
    profile: Profile,
    token_file: Option<PathBuf>,
    known: tokio::sync::Mutex<Option<Known>>,
    got: Mutex<Got>,
}

/// Who came in.
#[derive(Clone)]
pub struct Known {
    /// The server, as the workload.
    pub api: Api,
    /// Its name.
    pub name: String,
    /// The user who answers for it.
    pub owner: String,
    /// What it proves itself by at a gateway, once that was needed.
    secret: Option<ConnectionSecret>,
}

/// What was asked for and got in this conversation.
#[derive(Default)]
struct Got {
    requests: BTreeSet<String>,
    grants: BTreeSet<String>,
}

impl Agent {
    /// Somebody who hasn't come in yet.
    pub fn new(profile: Profile, token_file: Option<PathBuf>) -> Self {
        let (known, got) = (tokio::sync::Mutex::new(None), Mutex::new(Got::default()));
        Self { profile, token_file, known, got }
    }

    /// The server as whoever came in last, if anybody did.
    pub async fn known(&self) -> Option<Api> {
        self.known.lock().await.as_ref().map(|known| known.api.clone())
    }

    /// Who it is; comes in where nobody has yet.
    pub async fn who(&self) -> Result<Known, Failure> {
        let mut known = self.known.lock().await;
        if let Some(known) = &*known {
            return Ok(known.clone());
        }
        let api = self.come_in().await?;
        let me = calls::me(&api).await.map_err(|failure| match failure.exit {
            // Signing in is nothing that an agent does.
            Exit::SignIn => Failure { next: WAYS_IN.to_owned(), ..failure },
            Exit::Other
            | Exit::Usage
            | Exit::Refused
            | Exit::Pending
            | Exit::NotFound
            | Exit::Unavailable
            | Exit::Evidence => failure,
        })?;
        let (name, owner) = workload(me)?;
        let come = Known { api, name, owner, secret: None };
        *known = Some(come.clone());
        Ok(come)
    }

    /// Does something as the workload; once more, come in anew, where its token isn't good any more. What was refused for its
    /// token wasn't done, so it is never done twice.
    pub async fn with<T, F, D>(&self, does: D) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
        D: Fn(Known) -> F,
    {
        match does(self.who().await?).await {
            Err(failure) if failure.exit == Exit::SignIn => {
                *self.known.lock().await = None;
                does(self.who().await?).await
            }
            done => done,
        }
    }

    /// What it proves itself by at a gateway. Asked for once, and kept in memory alone.
    pub async fn secret(&self) -> Result<ConnectionSecret, Failure> {
        let who = self.who().await?;
        let good = |secret: &ConnectionSecret| secret.expires.secs_since(words::now()) > SPARE_S;
        if let Some(secret) = who.secret.filter(good) {
            return Ok(secret);
        }
        let secret = self.with(|known| async move { calls::connection_secret(&known.api).await }).await?;
        if let Some(known) = &mut *self.known.lock().await {
            known.secret = Some(secret.clone());
        }
        Ok(secret)
    }

    /// The server's authority: whose signature on a gateway's certificate is believed.
    pub async fn authority_pem(&self) -> Result<String, Failure> {
        Ok(signin::known_or_told(&self.profile).await?.authority_pem)
    }

    /// It asked for something.
    pub fn asked(&self, request: &str) {
        self.got().requests.insert(request.to_owned());
    }

    /// It got something.
    pub fn granted(&self, request: &str, grant: &str) {
        let mut got = self.got();
        got.requests.remove(request);
        got.grants.insert(grant.to_owned());
    }

    /// It has it no more.
    pub fn gave_back(&self, id: &str) {
        let mut got = self.got();
        got.requests.remove(id);
        got.grants.remove(id);
    }

    fn got(&self) -> std::sync::MutexGuard<'_, Got> {
        // Whoever panicked in between left whole sets behind.
        self.got.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back what it got here, and takes back what still waits: nobody uses it when the agent is gone.
    pub async fn leave(&self) {
        let Got { requests, grants } = std::mem::take(&mut *self.got());
        // As with everything it does: where its token isn't good any more, it comes in anew, and gives back all the same.
        let all = async {
            // What gives nothing any more may be over already: then there is nothing to do.
            for request in &requests {
                let _ = self.with(|known| async move { calls::withdraw(&known.api, request).await }).await;
                // It may have been granted meanwhile.
                if let Some(grant) = self.granted_by(request).await {
                    self.give_back(&grant).await;
                }
            }
            for grant in &grants {
                self.give_back(grant).await;
            }
        };
        if tokio::time::timeout(LEAVING, all).await.is_err() {
            say::note("not everything that the agent held was given back in time; it ends at its deadlines");
        }
    }

    async fn granted_by(&self, request: &str) -> Option<String> {
        let shown = self.with(|known| async move { calls::request_shown(&known.api, request).await }).await;
        match shown.ok()?.state {
            RequestState::Granted { grant, .. } => Some(grant.to_string()),
            RequestState::Pending { .. }
            | RequestState::Denied { .. }
            | RequestState::Forbidden { .. }
            | RequestState::Withdrawn { .. }
            | RequestState::Expired { .. } => None,
        }
    }

    async fn give_back(&self, grant: &str) {
        match self.with(|known| async move { calls::release(&known.api, grant).await }).await {
            Ok(_) => say::note(&format!("{} is released.", say::shown(grant))),
            Err(failure) => tracing::debug!(%failure, grant, "it wasn't given back; it may be over"),
        }
    }

    async fn come_in(&self) -> Result<Api, Failure> {
        let server = signin::known_or_told(&self.profile).await?;
        let token = match &self.token_file {
            Some(path) => Some(read_token(path)?),
            None => ambient::variable("DAYPASS_TOKEN"),
        };
        if let Some(token) = token {
            let api = Api::anonymous(&server)?.with_token(token.trim());
            if api.speaks_by_token() {
                return Ok(api);
            }
            return Err(Failure::new(Exit::SignIn, "what was given as the agent's token is no API token", WAYS_IN));
        }
        // The sign-in of the person at this machine isn't the agent's, whoever they are.
        match ambient::exchanged(&self.profile).await? {
            Some(api) => Ok(api),
            None => Err(Failure::new(Exit::SignIn, "the agent has no token of a workload to come in by", WAYS_IN)),
        }
    }
}

/// What the agent's owner does about it.
const WAYS_IN: &str = "its owner makes a workload (`daypass workload create NAME --owner OWNER`) and a token for it \
                       (`daypass token create --workload NAME --scope read,request`), and starts `daypass mcp --token-file FILE`";

fn workload(me: Me) -> Result<(String, String), Failure> {
    match me.kind {
        PrincipalKind::Workload { owner } => Ok((me.name, owner)),
        PrincipalKind::User => {
            let what = format!("this token is {}'s own, and an agent acts as a workload, never as a person", me.name);
            Err(Failure::new(Exit::Refused, say::shown(&what), WAYS_IN))
        }
    }
}

fn read_token(path: &Path) -> Result<String, Failure> {
    use std::io::Read as _;
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(TOKEN_BYTES).read_to_string(&mut text));
    read.map_err(|e| Failure::new(Exit::SignIn, format!("{}: {e}", path.display()), WAYS_IN))?;
    Ok(text.trim().to_owned())
}
