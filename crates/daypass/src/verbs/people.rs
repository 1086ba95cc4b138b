//! Users, workloads, groups.

use daypass_api::{
    changes::Handed,
    people::{Invite, PrincipalKind, Proof},
};

use super::{Context, changes, output::Rows, words};
use crate::{
    client::calls::{self, UserChange},
    failure::{Exit, Failure},
    say,
};

/// Verbs of `user`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum UserVerb {
    /// List users and workloads
    #[command(after_help = "Example: daypass user list")]
    List,
    /// Make a user, and an invitation for them
    #[command(after_help = "Example: daypass user create bob")]
    Create {
        /// The name
        name: String,
    },
    /// Take everything from a user or workload, at once
    #[command(after_help = "Example: daypass user disable bob")]
    Disable {
        /// The name
        name: String,
    },
    /// Let a disabled one in again
    #[command(after_help = "Example: daypass user enable bob")]
    Enable {
        /// The name
        name: String,
    },
    /// Another invitation: the account is barred until it is taken up
    #[command(after_help = "Example: daypass user invite bob")]
    Invite {
        /// The name
        name: String,
    },
    /// Forget a lost second factor
    #[command(after_help = "Example: daypass user reset-second-factor bob")]
    ResetSecondFactor {
        /// The name
        name: String,
    },
    /// Show, set or remove the address where a user is told, by mail and by Slack
    #[command(after_help = "Example: daypass user mail bob bob@example.com")]
    Mail(MailArgs),
}

/// Whose address, and what to do with it.
#[derive(Debug, Clone, clap::Args)]
pub struct MailArgs {
    /// The name
    name: String,
    /// The address; none shows the one that is known
    #[arg(conflicts_with = "remove")]
    address: Option<String>,
    /// Forget it
    #[arg(long)]
    remove: bool,
}

/// Runs a verb of `user`.
pub async fn user(context: &Context, verb: UserVerb) -> Result<(), Failure> {
    let change = match verb {
        UserVerb::List => return list(context, Shown::Everybody).await,
        UserVerb::Create { name } => {
            let proposed = calls::create_user(&context.api()?, &name).await?;
            return changes::finish(context, &proposed);
        }
        UserVerb::Disable { name } => {
            calls::disable(&context.api()?, &name).await?;
            say::note(&format!("{} is disabled, and what they held has ended.", say::shown(&name)));
            return Ok(());
        }
        UserVerb::Mail(args) => return mail(context, args).await,
        UserVerb::Enable { name } => (name, UserChange::Enable),
        UserVerb::Invite { name } => (name, UserChange::Invite),
        UserVerb::ResetSecondFactor { name } => (name, UserChange::ResetSecondFactor),
    };
    let proposed = calls::change_user(&context.api()?, &change.0, change.1).await?;
    changes::finish(context, &proposed)
}

async fn mail(context: &Context, args: MailArgs) -> Result<(), Failure> {
    let (api, MailArgs { name, address, remove }) = (context.api()?, args);
    let proposed = match address {
        Some(address) => calls::set_mail(&api, &name, &address).await?,
        None if remove => calls::remove_mail(&api, &name).await?,
        None => return mail_shown(context, &name).await,
    };
    changes::finish(context, &proposed)
}

async fn mail_shown(context: &Context, name: &str) -> Result<(), Failure> {
    let principals = calls::principals(&context.api()?).await?;
    let found = principals.into_iter().find(|p| p.name == name).ok_or_else(|| {
        let what = format!("you see no user `{}`", say::shown(name));
        Failure::new(Exit::NotFound, what, "see `daypass user list`; others than you are for administrators")
    })?;
    context.format.show(&found, |p| match &p.mail {
        Some(mail) => mail.clone(),
        None => format!("No mail address of {0} is known: daypass user mail {0} ADDRESS sets one.", p.name),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Everybody,
    Workloads,
}

async fn list(context: &Context, which: Shown) -> Result<(), Failure> {
    let mut principals = calls::principals(&context.api()?).await?;
    principals.retain(|p| match p.kind {
        PrincipalKind::User => which == Shown::Everybody,
        PrincipalKind::Workload { .. } => true,
    });
    context.format.show(&principals, |principals| {
        let mut rows = Rows::new(&["name", "kind", "groups", "proof", "mail", "state"], "Nobody.");
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
            rows.row([&p.name, &kind, &p.groups.join(", "), proof, p.mail.as_deref().unwrap_or("-"), &state]);
        }
        rows.text()
    })
}

/// Arguments of `invite`.
#[derive(Debug, Clone, clap::Args)]
pub struct InviteArgs {
    /// Their name
    name: String,
    /// A group that they are in from the beginning; may be given again
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
}

/// Invites somebody: one change, whatever groups they join.
pub async fn invite(context: &Context, args: InviteArgs) -> Result<(), Failure> {
    let body = Invite { name: args.name, groups: args.groups };
    let proposed = calls::invite(&context.api()?, &body).await?;
    let done = changes::finish(context, &proposed);
    let server = context.profile.server()?.url;
    let link = |code: &str| format!("{}/welcome#{code}", server.trim_end_matches('/'));
    match &proposed.handed {
        Some(Handed::Invitation { code }) => say::note(&format!(
            "Or with a browser, by this link, good once and for seven days. Send it by a way that only they read:\n  {}",
            link(code.expose())
        )),
        Some(Handed::InvitationHalf { half }) => say::note(&format!(
            "Once the change is approved they come with a browser by this link, and type a dot and the other \
             administrator's half behind what stands there; for seven days from then:\n  {}",
            link(half.expose())
        )),
        Some(Handed::Token { .. } | Handed::Kit { .. }) | None => {}
    }
    done
}

/// Verbs of `workload`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum WorkloadVerb {
    /// List workloads
    #[command(after_help = "Example: daypass workload list")]
    List,
    /// Make a workload that a user answers for
    #[command(after_help = "Example: daypass workload create nightly --owner bob")]
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
    let (name, owner) = match verb {
        WorkloadVerb::List => return list(context, Shown::Workloads).await,
        WorkloadVerb::Create { name, owner } => (name, owner),
    };
    let proposed = calls::create_workload(&context.api()?, &name, &owner).await?;
    changes::finish(context, &proposed)
}

/// Verbs of `group`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum GroupVerb {
    /// List groups
    #[command(after_help = "Example: daypass group list")]
    List,
    /// Make an empty group
    #[command(after_help = "Example: daypass group create dba")]
    Create {
        /// The name
        name: String,
    },
    /// Remove a group
    #[command(after_help = "Example: daypass group delete dba")]
    Delete {
        /// The name
        name: String,
    },
    /// Put somebody into a group
    #[command(after_help = "Example: daypass group add dba bob")]
    Add {
        /// The group
        group: String,
        /// Who
        member: String,
    },
    /// Take somebody out of a group, at once
    #[command(after_help = "Example: daypass group remove dba bob")]
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
    changes::finish(context, &proposed)
}
