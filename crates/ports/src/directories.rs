//! Directories: other systems (Okta, Entra) that say over SCIM who works here. What each may say is declared by
//! administrators (I12); what it says is kept here.

use std::collections::BTreeSet;

use daypass_domain::{GroupId, Name, PrincipalId, Time};
use serde::{Deserialize, Serialize};

use crate::{
    record::{Kind, Stored},
    rows::key,
};

/// Keys that only these rows are found by.
pub mod directory_key {
    /// By the directory that said it.
    pub const DIRECTORY: &str = "directory";
    /// By a keyed hash of the directory and the name it knows it by.
    pub const SAID_NAME: &str = "said_name";
}

/// A directory, as administrators declared it: the standing authority of its connector. // I12
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Its name.
    pub name: Name,
    /// The workload whose token of the scope `scim` speaks for it.
    pub connector: PrincipalId,
    /// The groups of ours that it fills: each by its group of the same name.
    pub groups: BTreeSet<Name>,
}

impl Stored for Directory {
    const KIND: Kind = Kind::Directory;
    fn row_id(&self) -> String {
        self.name.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![(key::PRINCIPAL, self.connector.to_string())]
    }
}

/// A user that a directory made. One row a principal; its id is the principal's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryUser {
    /// The principal that stands for them here.
    pub principal: PrincipalId,
    /// Whose user.
    pub directory: Name,
    /// A keyed hash of the name that the directory knows them by, in lower case: one in a directory.
    pub said_name: String,
    /// What the directory says of them, sealed, in base64. // I9
    pub said: String,
    /// When it was first said.
    pub made: Time,
    /// When it was last said otherwise.
    pub changed: Time,
}

impl Stored for DirectoryUser {
    const KIND: Kind = Kind::DirectoryUser;
    fn row_id(&self) -> String {
        self.principal.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![(directory_key::DIRECTORY, self.directory.to_string()), (directory_key::SAID_NAME, self.said_name.clone())]
    }
}

/// A group of a directory. By itself it gives nothing: where the directory is declared to fill the group of ours of this
/// name, its members are in that too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryGroup {
    /// Its id. It isn't the id of a group of ours.
    pub id: GroupId,
    /// Whose group.
    pub directory: Name,
    /// The name that it fills a group of ours by; one in a directory.
    pub fills: Name,
    /// What the directory calls it, and its id for it, sealed, in base64.
    pub said: String,
    /// Its users.
    pub members: BTreeSet<PrincipalId>,
    /// When it was first said.
    pub made: Time,
    /// When it was last said otherwise.
    pub changed: Time,
}

impl Stored for DirectoryGroup {
    const KIND: Kind = Kind::DirectoryGroup;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![(directory_key::DIRECTORY, self.directory.to_string())]
    }
}
