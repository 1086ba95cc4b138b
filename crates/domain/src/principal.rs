//! Who asks and who acts: users, workloads, groups, and the person behind each.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{GroupId, Name, PrincipalId, Time, TokenId};

/// A user or a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Its id, for ever: names may be given to somebody else later.
    pub id: PrincipalId,
    /// What it is called, and what a client gives as its user name.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
    /// Whether it may do anything at all.
    pub standing: Standing,
}

/// What a principal is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A person.
    User,
    /// A program. It and its owner are one person where people are counted (I8).
    Workload {
        /// The user who answers for it.
        owner: PrincipalId,
    },
}

/// Whether a principal may do anything at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// It may sign in.
    Active,
    /// It may not, and what it held has ended.
    Disabled {
        /// Since when.
        at: Time,
        /// Who disabled it.
        by: PrincipalId,
    },
    /// The same, on the word of a transmitter of signals.
    DisabledBySignal {
        /// Since when.
        at: Time,
        /// Whose word.
        transmitter: Name,
    },
}

/// The person behind a principal: what is counted where people are counted (I8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Person(PrincipalId);

impl Principal {
    /// Who answers: the user itself, or a workload's owner. // I8
    #[must_use]
    pub fn person(&self) -> Person {
        match self.kind {
            Kind::User => Person(self.id),
            Kind::Workload { owner } => Person(owner),
        }
    }

    /// Whether it is active.
    #[must_use]
    pub fn is_active(&self) -> bool {
        match self.standing {
            Standing::Active => true,
            Standing::Disabled { .. } | Standing::DisabledBySignal { .. } => false,
        }
    }
}

impl Person {
    /// The user's id.
    #[must_use]
    pub fn id(self) -> PrincipalId {
        self.0
    }
}

/// A named set of principals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name, as policies and quorums write it.
    pub name: Name,
    /// Who is in it.
    pub members: BTreeSet<PrincipalId>,
}

/// The group whose members administer Daypass. It exists from the start and can't be removed.
pub const ADMINISTRATORS: &str = "administrators";

/// How somebody showed who they are, for this one act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "via", rename_all = "snake_case")]
pub enum Via {
    /// A sign-in of a person.
    SignIn {
        /// When a second factor was last shown, if one ever was in this sign-in.
        second_factor: SecondFactor,
    },
    /// An API token. It never approves (I8).
    Token {
        /// Which.
        token: TokenId,
    },
}

/// The second factor in a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "second_factor", rename_all = "snake_case")]
pub enum SecondFactor {
    /// None was shown.
    NotShown,
    /// Shown then.
    ShownAt {
        /// When.
        at: Time,
    },
}

/// Who acts, and how they showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The principal.
    pub principal: PrincipalId,
    /// The person behind it.
    pub person: Person,
    /// How it was shown.
    pub via: Via,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_a_workload_and_its_owner_are_one_person() {
        let at = Time::from_micros(0);
        let alice = Principal {
            id: PrincipalId::new(at, [1; 10]),
            name: "alice".parse().unwrap(),
            kind: Kind::User,
            standing: Standing::Active,
        };
        let bot = Principal {
            id: PrincipalId::new(at, [2; 10]),
            name: "bot".parse().unwrap(),
            kind: Kind::Workload { owner: alice.id },
            standing: Standing::Active,
        };
        assert_eq!(alice.person(), bot.person());
    }
}
