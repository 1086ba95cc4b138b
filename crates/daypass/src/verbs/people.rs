//! Users, workloads, groups.

use daypass_api::people::{PrincipalKind, Proof};

use super::{Context, changes::proposed_words, output::Rows, words};
use crate::{
    client::calls::{self, UserChange},
    failure::Failure,
    say,
};

/// Verbs of `user`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum UserVerb {
    /// List users and workloads
    List,
    /// Make a user, and an invitation for them
    Create {
        /// The name
        name: String,
    },
    /// Take everything from a user or workload, at once
    Disable {
        /// The name
        name: String,
    },
    /// Let a disabled one in again
    Enable {
        /// The name
        name: String,
    },
    /// Another invitation: the account is barred until it is taken up
    Invite {
        /// The name
        name: String,
    },
    /// Forget a lost second factor
    ResetSecondFactor {
        /// The name
        name: String,
    },
}

/// Runs a verb of `user`.
pub async fn user(context: &Context, verb: UserVerb) -> Result<(), Failure> {
    let change = match verb {
        UserVerb::List => return list(context).await,
        UserVerb::Create { name } => {
            let proposed = calls::create_user(&context.api()?, &name).await?;
            return context.format.show(&proposed, proposed_words);
        }
        UserVerb::Disable { name } => {
            calls::disable(&context.api()?, &name).await?;
            say::note(&format!("{} is disabled, and what they held has ended.", say::shown(&name)));
            return Ok(());
        }
        UserVerb::Enable { name } => (name, UserChange::Enable),
        UserVerb::Invite { name } => (name, UserChange::Invite),
        UserVerb::ResetSecondFactor { name } => (name, UserChange::ResetSecondFactor),
    };
    let proposed = calls::change_user(&context.api()?, &change.0, change.1).await?;
    context.format.show(&proposed, proposed_words)
}

async fn list(context: &Context) -> Result<(), Failure> {
    let principals = calls::principals(&context.api()?).await?;
    context.format.show(&principals, |principals| {
        let mut rows = Rows::new(&["name", "kind", "groups", "proof", "state"], "Nobody.");
        for p in principals {
            let kind = match &p.kind {
                PrincipalKind::User => "user".to_owned(),
                PrincipalKind::Workload { owner } => format!("workload of {owner}"),
            };
            let proof = match p.proof {
                Proof::NoPassword => "none yet",
                Proof::Password => "password",
                Proof::PasswordAndSecondFactor => "password and second factor",
            };
            let state = p.disabled.map_or_else(|| "active".to_owned(), |at| format!("disabled {}", words::time(at)));
            rows.row([&p.name, &kind, &p.groups.join(", "), proof, &state]);
        }
        rows.text()
    })
}

/// Verbs of `workload`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum WorkloadVerb {
    /// Make a workload that a user answers for
    Create {
        /// The name
        name: String,
        /// The user who answers for it
        #[arg(long)]
        owner: String,
    },
}

/// Runs a verb of `workload`.
pub async fn workload(context: &Context, verb: WorkloadVerb) -> Result<(), Failure> {
    let WorkloadVerb::Create { name, owner } = verb;
    let proposed = calls::create_workload(&context.api()?, &name, &owner).await?;
    context.format.show(&proposed, proposed_words)
}

/// Verbs of `group`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum GroupVerb {
    /// List groups
    List,
    /// Make an empty group
    Create {
        /// The name
        name: String,
    },
    /// Remove a group
    Delete {
        /// The name
        name: String,
    },
    /// Put somebody into a group
    Add {
        /// The group
        group: String,
        /// Who
        member: String,
    },
    /// Take somebody out of a group, at once
    Remove {
        /// The group
        group: String,
        /// Who
        member: String,
    },
}

/// Runs a verb of `group`.
pub async fn group(context: &Context, verb: GroupVerb) -> Result<(), Failure> {
    let api = context.api()?;
    let proposed = match verb {
        GroupVerb::List => {
            let groups = calls::groups(&api).await?;
            return context.format.show(&groups, |groups| {
                let mut rows = Rows::new(&["name", "members"], "No groups.");
                for group in groups {
                    rows.row([&group.name, &group.members.join(", ")]);
                }
                rows.text()
            });
        }
        GroupVerb::Create { name } => {
            let group = calls::create_group(&api, &name).await?;
            return context.format.show(&group, |group| format!("The group {} is there, and empty.", group.name));
        }
        GroupVerb::Delete { name } => calls::delete_group(&api, &name).await?,
        GroupVerb::Add { group, member } => calls::add_member(&api, &group, &member).await?,
        GroupVerb::Remove { group, member } => calls::remove_member(&api, &group, &member).await?,
    };
    context.format.show(&proposed, proposed_words)
}
