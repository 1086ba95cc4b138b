//! Whose word is taken for who somebody is: shown, and declared.

use std::path::PathBuf;

use daypass_api::Mode;

use super::{Context, changes};
use crate::{client::calls, failure::Failure, say};

/// Verbs of `trust`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum TrustVerb {
    /// Show what is declared: providers that people sign in by, and whose tokens are which workloads
    #[command(after_help = "Example: daypass trust show > trust.toml")]
    Show,
    /// Declare it: what the file doesn't say is trusted no more
    #[command(after_help = "Example: daypass trust apply -f trust.toml --dry-run")]
    Apply {
        /// The file, TOML
        #[arg(short = 'f', long = "file", value_name = "FILE")]
        file: PathBuf,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
}

/// Runs a verb of `trust`.
pub async fn trust(context: &Context, verb: TrustVerb) -> Result<(), Failure> {
    let api = context.api()?;
    match verb {
        TrustVerb::Show => {
            let trust = calls::trust(&api).await?;
            context.format.show(&trust, |trust| {
                // A document of several lines, as it was declared.
                let lines: Vec<String> = trust.text.trim_end().lines().map(say::shown).collect();
                if lines.is_empty() { "# Nobody's word is taken.".to_owned() } else { lines.join("\n") }
            })
        }
        TrustVerb::Apply { file, dry_run } => {
            let text = std::fs::read_to_string(&file).map_err(|e| Failure::file(&file, &e))?;
            let mode = if dry_run { Mode::Plan } else { Mode::Apply };
            let proposed = calls::apply_trust(&api, &file.display().to_string(), text, mode).await?;
            changes::finish(context, &proposed)
        }
    }
}
