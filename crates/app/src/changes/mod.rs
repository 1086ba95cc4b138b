//! Changes to what decisions read: under policy, and with another person's approval once there is a second
//! administrator. // I12
//!
//! Until then a change is done at once. From then on, for ever, `App::propose` answers *pending*, and another
//! administrator's `App::approve_change` does it, in one commit with the change's own row. What is planned is planned
//! again at approval, on the state of that moment, and refused when what it was planned on has moved.
//!
//! # What one administrator alone could try, to reach a target that they couldn't reach before
//!
//! Each row has a test in `tests/admin/four_eyes.rs`; that of signals is in `tests/admin/signals.rs`.
//!
//! | the try | what stops it |
//! | --- | --- |
//! | write a policy, a label, an address, a TLS pin, a credential's name, a role, its narrowing table, an owner, a region | it is a change |
//! | join a group, or put somebody (or something) into one | it is a change |
//! | make a user of one's own, to ask or approve with | it is a change, and the invitation code comes in two halves: the proposer has one, the approver the other |
//! | make a workload, to ask with | it is a change, and it counts as its owner (I8) |
//! | invite somebody again, to set their password | it is a change, and the code comes in two halves; the account is barred until then |
//! | put another second factor in the place of somebody's | it is a change |
//! | enable a disabled user whose password one knows | it is a change |
//! | give somebody another mail address, to be told or invited in their place; or take it, so that they aren't told | it is a change |
//! | make a token for somebody else's workload | it is a change; for a person, nobody but they can |
//! | declare a directory, to have its connector put people into groups | it is a change, and so is its token, even for the connector's owner |
//! | have a connector touch somebody who was here, or `administrators` | it can't: see [`crate::directories`] |
//! | take somebody *out* of a group that a policy holds against them (`forbid ... in Group`) | then leaving may give, and is a change; see `gives` |
//! | delete a group that a policy holds against somebody, or make a new one of its name | the same; a new group is empty |
//! | approve one's own change, by oneself, a workload or a token | approving takes another person, a user who signed in |
//! | propose as somebody, disable them, approve | the proposer must still be permitted at approval |
//! | disable or remove the other administrators, to be alone again | four eyes never go back, and the last administrator stays |
//! | propose two changes that are fine apart, and approve on an outdated plan | refused: the base has moved |
//! | invite oneself again, alone, and so be locked out with a code lost | refused for the last who can sign in |
//! | trust a provider or an issuer of one's own, or let a token or a group of one's own be taken for more | it is a change |
//! | hear a transmitter of signals of one's own, to disable others or to say facts of oneself | it is a change |
//! | have an emergency kit sealed to two keys of one's own | it is a change, which shows both keys: the approver has their owners read them out |
//! | have a kit whose two halves are one person's | refused: two different people, two different keys, no workload |
//! | let an approver approve something else than they saw | content is fixed by its digest, and the payload is checked against it |
//!
//! What one administrator can do alone takes away: disable, remove, revoke. And empty groups can be made, which no
//! decision can tell from groups that don't exist.

mod decide;
mod gives;
mod prepare;

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::{
    ChangeId, Digest, KitId, MailAddress, Name, PrincipalId, Span, Time, TokenId, principal::Actor,
    signals::Transmitter,
};
use daypass_ports::{rows::TokenScope, secret::Secret};
use serde::{Deserialize, Serialize};

use crate::signals::Bearer;

pub use decide::{ChangeView, Standing, Which};
pub(crate) use gives::leaving_may_give;
pub(crate) use prepare::{Hand, Prepared, Turn, is_administrators};

use crate::emergency::{KitHolder, SealedKit};

/// How many changes of one person wait at once.
pub const PENDING_MOST: usize = 100;

/// How long a change waits for another administrator.
pub const CHANGE_LASTS: Span = Span::from_mins(7 * 24 * 60);

/// A change to what decisions read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Proposal {
    /// A new user, who sets a password by an invitation.
    CreateUser {
        /// Their name.
        name: Name,
    },
    /// A new user, who comes by an invitation, in these groups: one change, so that one approval is enough.
    Invite {
        /// Their name.
        name: Name,
        /// Which groups they are in from the beginning.
        groups: BTreeSet<Name>,
    },
    /// A new workload.
    CreateWorkload {
        /// Its name.
        name: Name,
        /// The user who answers for it.
        owner: Name,
    },
    /// A disabled principal may act again.
    Enable {
        /// Which.
        principal: Name,
    },
    /// A user sets a password anew by an invitation; until then the account is barred.
    InviteAgain {
        /// Which.
        user: Name,
    },
    /// A user's second factor goes, so that they can enrol another.
    ResetSecondFactor {
        /// Which.
        user: Name,
    },
    /// A user is told by mail to an address, and known by it.
    SetMail {
        /// Which.
        user: Name,
        /// The address.
        mail: MailAddress,
    },
    /// A user's mail address goes.
    RemoveMail {
        /// Which.
        user: Name,
    },
    /// Somebody joins a group.
    AddMember {
        /// Which group.
        group: Name,
        /// Who.
        member: Name,
    },
    /// Somebody leaves a group that a policy holds against its members: so it may give.
    RemoveMember {
        /// Which group.
        group: Name,
        /// Who.
        member: Name,
    },
    /// A group goes that a policy holds against its members: so it may give.
    DeleteGroup {
        /// Which.
        group: Name,
    },
    /// A token for a workload that somebody else owns.
    MakeToken {
        /// For which workload.
        workload: Name,
        /// What it may do.
        scopes: BTreeSet<TokenScope>,
        /// How long it is good, from the moment that the change is done.
        lasts: Span,
    },
    /// A directory's connector may say who works here, and who is in these groups.
    DeclareDirectory {
        /// The directory.
        name: Name,
        /// The workload that speaks for it.
        connector: Name,
        /// The groups that it fills.
        groups: BTreeSet<Name>,
    },
    /// Resources as a document declares them.
    Resources {
        /// What the document is called, for messages.
        file: String,
        /// Its text.
        text: String,
    },
    /// An emergency kit for a resource: a login of its own there, sealed to two people.
    MakeKit {
        /// The resource.
        resource: Name,
        /// Which of its roles it gives; all of them when none is named.
        roles: BTreeSet<Name>,
        /// The two who open it together.
        holders: [KitHolder; 2],
    },
    /// A new credential for an emergency kit, sealed to these two.
    RotateKit {
        /// Which.
        kit: KitId,
        /// The two who open it together from then on.
        holders: [KitHolder; 2],
    },
    /// Whose word is taken for who somebody is, as a document declares it.
    Trust {
        /// What the document is called, for messages.
        file: String,
        /// Its text.
        text: String,
    },
    /// A transmitter of signals is heard: what happens to whom, on its word.
    DeclareTransmitter {
        /// What it is called here.
        name: Name,
        /// What is declared.
        transmitter: Box<Transmitter>,
        /// Whether it gets a new secret.
        bearer: Bearer,
    },
    /// A transmitter of signals is heard no more.
    RemoveTransmitter {
        /// Which.
        name: Name,
    },
    /// A policy set.
    Policy {
        /// File name to Cedar text.
        files: BTreeMap<String, String>,
    },
}

impl Proposal {
    /// What it changes, in the one word that policies read as `context.asked.subject`.
    #[must_use]
    pub const fn subject(&self) -> &'static str {
        match self {
            Self::CreateUser { .. }
            | Self::Invite { .. }
            | Self::CreateWorkload { .. }
            | Self::Enable { .. }
            | Self::InviteAgain { .. }
            | Self::ResetSecondFactor { .. }
            | Self::SetMail { .. }
            | Self::RemoveMail { .. } => PRINCIPAL,
            Self::AddMember { .. } | Self::RemoveMember { .. } | Self::DeleteGroup { .. } => GROUP,
            Self::MakeToken { .. } => TOKEN,
            Self::DeclareDirectory { .. } => DIRECTORY,
            Self::Resources { .. } => RESOURCE,
            Self::MakeKit { .. } | Self::RotateKit { .. } => EMERGENCY,
            Self::Trust { .. } => TRUST,
            Self::DeclareTransmitter { .. } | Self::RemoveTransmitter { .. } => SIGNALS,
            Self::Policy { .. } => POLICY,
        }
    }

    /// Everything that it changes: whoever proposes or approves it must be permitted all of these.
    #[must_use]
    pub fn subjects(&self) -> Vec<&'static str> {
        match self {
            Self::Invite { groups, .. } if !groups.is_empty() => vec![PRINCIPAL, GROUP],
            Self::Invite { .. }
            | Self::CreateUser { .. }
            | Self::CreateWorkload { .. }
            | Self::Enable { .. }
            | Self::InviteAgain { .. }
            | Self::ResetSecondFactor { .. }
            | Self::AddMember { .. }
            | Self::RemoveMember { .. }
            | Self::DeleteGroup { .. }
            | Self::MakeToken { .. }
            | Self::SetMail { .. }
            | Self::RemoveMail { .. }
            | Self::DeclareDirectory { .. }
            | Self::Resources { .. }
            | Self::MakeKit { .. }
            | Self::RotateKit { .. }
            | Self::Trust { .. }
            | Self::DeclareTransmitter { .. }
            | Self::RemoveTransmitter { .. }
            | Self::Policy { .. } => vec![self.subject()],
        }
    }
}

/// The subject of changes to principals.
pub const PRINCIPAL: &str = "principal";
/// The subject of changes to groups.
pub const GROUP: &str = "group";
/// The subject of making tokens for others' workloads.
pub const TOKEN: &str = "token";
/// The subject of declaring directories.
pub const DIRECTORY: &str = "directory";
/// The subject of changes to resources.
pub const RESOURCE: &str = "resource";
/// The subject of emergency kits.
pub const EMERGENCY: &str = "emergency";
/// The subject of changes to whose word is taken.
pub const TRUST: &str = "trust";
/// The subject of changes to whose signals are heard.
pub const SIGNALS: &str = "signals";
/// The subject of changes to policies.
pub const POLICY: &str = "policy";

/// What became of a proposal.
#[derive(Debug)]
pub struct Proposed {
    /// Whether it was done.
    pub outcome: Outcome,
    /// What is, or would be, done: one line each.
    pub plan: Vec<String>,
    /// A secret that goes to the proposer, once.
    pub handed: Handed,
}

/// Whether a change was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is so already.
    NothingToDo,
    /// It was done.
    Done,
    /// It waits for another administrator.
    Pending {
        /// As this.
        change: ChangeId,
        /// Until then.
        expires: Time,
    },
}

/// A secret that is shown once, to the one who did this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Handed {
    /// None.
    #[default]
    Nothing,
    /// The whole code of an invitation.
    Invitation(Secret),
    /// One half of the code of an invitation: the invited person needs both, in either order, with a dot between.
    InvitationHalf(Secret),
    /// A token; it is good once the change is done.
    Token(Secret),
    /// The two halves of an emergency kit, each sealed to its holder; good once the change is done and the target has it.
    Kit(Box<SealedKit>),
}

/// Whether something is to be done, or only planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only say what would be done.
    DryRun,
    /// Do it.
    Apply,
}

/// What a pending change keeps, sealed as a payload: exactly what will be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub proposal: Proposal,
    /// How old the proposer's second factor was: asked facts are frozen at the act (I2).
    pub second_factor_age_s: Option<i64>,
    pub base: Base,
    pub kept: Kept,
}

/// What a plan was made on, where its meaning depends on that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
pub(crate) enum Base {
    /// The proposal says all.
    #[default]
    Nothing,
    /// These resources in these versions; none where there was none.
    Resources { versions: BTreeMap<Name, Option<u64>> },
    /// This trust; none where there was none.
    Trust { digest: Option<Digest> },
    /// This policy set.
    Policy { digest: Digest },
    /// A kit that was sealed last then, and its resource in this version.
    Kit { resource: u64, sealed: Time },
}

/// What is kept of a secret that the proposer got.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kept", rename_all = "snake_case")]
pub(crate) enum Kept {
    #[default]
    Nothing,
    InvitationHalf {
        hash: Digest,
    },
    Token {
        id: TokenId,
        hash: Digest,
    },
    /// The secret of a transmitter of signals.
    Bearer {
        hash: Digest,
    },
    /// Of the credential that was sealed, only what verifies it. // I6
    Kit {
        kit: KitId,
        verifier: String,
    },
}

/// Who does a change: the one who proposed it, and at approval the other one too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doers<'a> {
    pub proposer: PrincipalId,
    pub actor: &'a Actor,
}
