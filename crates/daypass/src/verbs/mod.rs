//! The verbs: a file a topic. Each calls the API, and shows what came of it.

pub mod ambient;
pub mod answering;
pub mod asking;
pub mod changes;
pub mod connect;
pub mod directories;
pub mod emergency;
pub mod exec;
pub mod factors;
pub mod grants;
pub mod ledger;
pub mod notices;
pub mod output;
pub mod people;
pub mod policy;
pub mod provider;
pub mod resources;
pub mod secrets;
pub mod sessions;
pub mod show;
pub mod signals;
pub mod signin;
pub mod tokens;
pub mod trust;
pub mod words;

use std::sync::OnceLock;

use crate::{
    client::{checkpoint, http::Api, profile::Profile},
    failure::Failure,
};

pub use output::Format;

/// What every verb starts from.
pub struct Context {
    /// What the client keeps.
    pub profile: Profile,
    /// Who reads the output.
    pub format: Format,
    /// The server, once a verb spoke with it as somebody.
    spoken: OnceLock<Api>,
}

impl Context {
    /// A context that has spoken with nobody yet.
    pub fn new(format: Format) -> Result<Self, Failure> {
        Ok(Self { profile: Profile::find()?, format, spoken: OnceLock::new() })
    }

    /// The server, as whoever is signed in. From then on the command follows the log.
    pub fn api(&self) -> Result<Api, Failure> {
        let api = match self.spoken.get() {
            Some(api) => api.clone(),
            None => Api::signed_in(&self.profile)?,
        };
        Ok(self.spoken.get_or_init(|| api).clone())
    }

    /// Speaks as somebody from now on, and keeps nothing of it.
    pub fn speak_as(&self, api: Api) {
        // Only the first counts: whoever spoke as somebody goes on so.
        let _ = self.spoken.set(api);
    }

    /// Forgets that the server was spoken with: the sign-in is over.
    pub fn forget(&mut self) {
        self.spoken = OnceLock::new();
    }

    /// Takes the newest checkpoint in, where the command spoke with the server as somebody.
    pub async fn follow(&self) -> Result<(), Failure> {
        match self.spoken.get() {
            Some(api) => checkpoint::follow_after(&self.profile, api).await,
            None => Ok(()),
        }
    }
}
