//! Directories: other systems (Okta, Entra) that say over SCIM who works here, by a connector. // I12
//!
//! What a directory may say is declared by administrators, as one change that another administrator approves: which
//! workload is its connector, and which groups of ours it fills. From then on the connector acts without asking again:
//!
//! | it says | what happens |
//! | --- | --- |
//! | a new user | a principal of its own, without a password; never one that was here, whatever its name |
//! | a user isn't active, or is gone | cut first, then disabled; nothing waits // I1 |
//! | a user is active again | enabled, if the connector had disabled them |
//! | a group, and who is in it | kept; and where the declaration names it, they join and leave ours |
//!
//! It never sees, touches or counts users of others, nor `administrators`; and out of a group that a policy holds against
//! its members it takes nobody, since that may give.

mod declare;
mod groups;
mod names;
mod removal;
mod users;

use std::collections::BTreeSet;

use daypass_domain::{
    GroupId, Name, PrincipalId, Time,
    principal::{Actor, Principal},
};
use daypass_ports::{
    directories::{Directory, DirectoryGroup, DirectoryUser, directory_key},
    record::Read,
    rows::key,
};
use daypass_scim::{Group, Patch, Refusal, User};
use serde::{Serialize, de::DeserializeOwned};

use crate::{App, Problem, Result};

/// A user of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserView {
    /// The principal that stands for them.
    pub id: PrincipalId,
    /// What the directory says of them, and whether they are active here.
    pub said: User,
    /// When it was first said.
    pub made: Time,
    /// When it was last said otherwise.
    pub changed: Time,
}

/// A group of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// Its id.
    pub id: GroupId,
    /// What the directory says of it.
    pub said: Group,
    /// When it was first said.
    pub made: Time,
    /// When it was last said otherwise.
    pub changed: Time,
}

/// A declared directory, as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryView {
    /// Its name.
    pub name: Name,
    /// The workload that speaks for it.
    pub connector: Name,
    /// The groups that it fills.
    pub groups: BTreeSet<Name>,
    /// How many users it has here.
    pub users: usize,
}

/// What a directory says anew of something that it said before.
#[derive(Debug, Clone, PartialEq)]
pub enum Anew<T> {
    /// All of it (PUT).
    Whole(T),
    /// What is different (PATCH).
    Patch(Patch),
}

/// What a directory calls a group: the rest of it are rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(crate) struct SaidOfGroup {
    display_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
}

/// A user of a directory with the principal that stands for them.
pub(crate) struct Known {
    pub row: Read<DirectoryUser>,
    pub principal: Read<Principal>,
    pub said: User,
}

const SAID: &str = "directory-said";

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::invalid(refusal.kind.word(), refusal.what, "")
    }
}

impl App {
    /// The directory that the actor speaks for.
    pub(crate) async fn speaking(&self, actor: &Actor) -> Result<Read<Directory>> {
        let found = self.store_ref().find::<Directory>(key::PRINCIPAL, &actor.principal.to_string()).await?;
        found.into_iter().next().ok_or_else(|| {
            Problem::not_allowed(
                "no_directory",
                "you speak for no directory: only the workload that was declared as its connector does",
                "declare it with `daypass directory declare`",
            )
        })
    }

    /// That the actor speaks for a directory, whatever it wants to know.
    ///
    /// # Errors
    /// When it doesn't.
    pub async fn must_speak(&self, actor: &Actor) -> Result<()> {
        self.speaking(actor).await.map(drop)
    }

    /// A user of this directory. Those of others, and of nobody, look as if they weren't there.
    pub(crate) async fn known(&self, directory: &Directory, id: &str) -> Result<Known> {
        let row = self.store_ref().get::<DirectoryUser>(id).await?;
        let row = row.filter(|row| row.value.directory == directory.name).ok_or_else(|| none("user", id))?;
        let principal = self.principal(row.value.principal).await?;
        let said =
            User { active: principal.value.is_active(), ..self.said(row.value.principal.bytes(), &row.value.said)? };
        Ok(Known { row, principal, said })
    }

    /// A group of this directory.
    pub(crate) async fn known_group(&self, directory: &Directory, id: &str) -> Result<Read<DirectoryGroup>> {
        let row = self.store_ref().get::<DirectoryGroup>(id).await?;
        row.filter(|row| row.value.directory == directory.name).ok_or_else(|| none("group", id))
    }

    /// All groups of a directory.
    pub(crate) async fn groups_of(&self, directory: &Directory) -> Result<Vec<Read<DirectoryGroup>>> {
        Ok(self.store_ref().find(directory_key::DIRECTORY, directory.name.as_str()).await?)
    }

    /// Seals what a directory said, bound to the id of whom or what it is of.
    pub(crate) fn seal_said(&self, of: [u8; 16], said: &impl Serialize) -> String {
        let key = self.keys.sealing_key(SAID, &of);
        // What was said is plain data, which always has a JSON form.
        let plain = serde_json::to_vec(said).unwrap_or_default();
        data_encoding::BASE64.encode(&key.seal(self.random(), SAID.as_bytes(), &plain))
    }

    pub(crate) fn said<T: DeserializeOwned>(&self, of: [u8; 16], sealed: &str) -> Result<T> {
        let broken = |why: String| Problem::unavailable(format!("what a directory said can't be read: {why}"));
        let sealed = data_encoding::BASE64.decode(sealed.as_bytes()).map_err(|e| broken(e.to_string()))?;
        let plain = self.keys.sealing_key(SAID, &of).open(SAID.as_bytes(), &sealed);
        let plain = plain.map_err(|e| broken(e.to_string()))?;
        serde_json::from_slice(&plain).map_err(|e| broken(e.to_string()))
    }

    pub(crate) fn group_view(&self, row: &DirectoryGroup) -> Result<GroupView> {
        let SaidOfGroup { display_name, external_id } = self.said(row.id.bytes(), &row.said)?;
        let members = row.members.iter().map(ToString::to_string).collect();
        let said = Group { display_name, external_id, members };
        Ok(GroupView { id: row.id, said, made: row.made, changed: row.changed })
    }
}

fn none(kind: &'static str, id: &str) -> Problem {
    Problem { next: String::new(), ..Problem::not_found(kind, id) }
}
