//! `daypass mcp`: an AI agent asks for access and uses it, as a workload with an owner, over the Model Context Protocol on
//! standard input and output. Nothing but the protocol is written there; what else there is to say goes to standard error.
//!
//! | file | what is there |
//! | --- | --- |
//! | `serve.rs` | the conversation: lines in, lines out, what is under way |
//! | `agent.rs` | who the agent is, and what it got here: given back when it leaves |
//! | `offer.rs` | the tools, as they are offered |
//! | `access.rs`, `statement.rs`, `session.rs` | what they do |
//! | `answer.rs` | what is answered, within bounds |

mod access;
mod agent;
mod answer;
mod offer;
mod serve;
mod session;
mod statement;

use std::{path::PathBuf, sync::Arc};

use clap::Args;

use crate::{failure::Failure, verbs::Context};

/// Arguments of `mcp`.
#[derive(Debug, Clone, Args)]
pub struct McpArgs {
    /// A file that holds the workload's API token; read again when it is needed
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Serves until standard input ends, or somebody stops it; then what the agent got here is given back.
pub async fn mcp(context: &Context, args: McpArgs) -> Result<(), Failure> {
    let agent = Arc::new(agent::Agent::new(context.profile.clone(), args.token_file));
    let served = serve::serve(&agent).await;
    agent.leave().await;
    if let Some(api) = agent.known().await {
        // From here on the command follows the log, as every other does.
        context.speak_as(api);
    }
    served
}
