//! Directories: who may say over SCIM who works here.

use daypass_api::directories::DeclareDirectory;

use super::{Context, changes, output::Rows};
use crate::{client::calls, failure::Failure};

/// Verbs of `directory`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum DirectoryVerb {
    /// List declared directories
    #[command(after_help = "Example: daypass directory list")]
    List,
    /// Declare a directory, or declare it otherwise: who speaks for it, and which groups it fills
    #[command(
        after_help = "Example: daypass directory declare okta --connector okta-scim --group dba-team --group support"
    )]
    Declare {
        /// What you call it
        name: String,
        /// The workload whose token of the scope `scim` speaks for it
        #[arg(long)]
        connector: String,
        /// A group of Daypass that it puts its users into and takes them out of: its group of the same name does
        #[arg(long)]
        group: Vec<String>,
    },
}

/// Runs a verb of `directory`.
pub async fn directory(context: &Context, verb: DirectoryVerb) -> Result<(), Failure> {
    match verb {
        DirectoryVerb::List => {
            let directories = calls::directories(&context.api()?).await?;
            context.format.show(&directories, |directories| {
                let mut rows = Rows::new(&["name", "connector", "groups", "users"], "No directories.");
                for one in directories {
                    rows.row([&one.name, &one.connector, &one.groups.join(", "), &one.users.to_string()]);
                }
                rows.text()
            })
        }
        DirectoryVerb::Declare { name, connector, group } => {
            let declared = DeclareDirectory { name, connector, groups: group };
            let proposed = calls::declare_directory(&context.api()?, &declared).await?;
            changes::finish(context, &proposed)
        }
    }
}
