//! API tokens: scoped, expiring; they never approve.

use clap::ValueEnum;
use daypass_api::tokens::{NewToken, TokenMade, TokenScope};
use daypass_domain::Span;

use super::{Context, changes, output::Rows, words};
use crate::{client::calls, failure::Failure, say};

/// What a token may do, on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeArg {
    /// See
    Read,
    /// Ask for access, use it, give it back
    Request,
    /// Administer
    Administer,
    /// Say who is in a directory, over SCIM
    Scim,
    /// Ask over AuthZEN who has access
    Decide,
}

/// Verbs of `token`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum TokenVerb {
    /// List your tokens, or a workload's
    #[command(after_help = "Example: daypass token list --workload nightly")]
    List {
        /// The workload
        #[arg(long)]
        workload: Option<String>,
    },
    /// Make a token; its secret is shown once
    #[command(after_help = "Example: daypass token create --workload nightly --scope request --lasts 7d")]
    Create {
        /// For this workload, not for you
        #[arg(long)]
        workload: Option<String>,
        /// What it may do
        #[arg(long, value_enum, required = true, value_delimiter = ',')]
        scope: Vec<ScopeArg>,
        /// How long it is good: at most 90 days
        #[arg(long, value_name = "TIME", default_value = "30d")]
        lasts: Span,
    },
    /// End a token
    #[command(after_help = "Example: daypass token revoke token_0193...")]
    Revoke {
        /// Its id
        id: String,
    },
}

/// Runs a verb of `token`.
pub async fn token(context: &Context, verb: TokenVerb) -> Result<(), Failure> {
    let api = context.api()?;
    match verb {
        TokenVerb::List { workload } => {
            let tokens = calls::tokens(&api, workload.as_deref()).await?;
            context.format.show(&tokens, |tokens| {
                let mut rows = Rows::new(&["id", "scopes", "until"], "No tokens.");
                for token in tokens {
                    let scopes: Vec<&str> = token.scopes.iter().map(|s| scope_word(*s)).collect();
                    rows.row([&token.id.to_string(), &scopes.join(", "), &words::until(token.expires)]);
                }
                rows.text()
            })
        }
        TokenVerb::Create { workload, scope, lasts } => {
            let scopes = scope.into_iter().map(scope_of).collect();
            let lasts_s = Some(u32::try_from(lasts.secs()).map_err(Failure::setting)?);
            let made = calls::create_token(&api, &NewToken { workload, scopes, lasts_s }).await?;
            if let TokenMade::Change { proposed } = &made {
                return changes::finish(context, proposed);
            }
            context.format.show(&made, |made| match made {
                TokenMade::Live { token, secret } => format!(
                    "{} until {}. Shown once; use it as DAYPASS_TOKEN:\n  {}",
                    token.id,
                    words::time(token.expires),
                    secret.expose()
                ),
                TokenMade::Change { proposed } => changes::proposed_words(proposed),
            })
        }
        TokenVerb::Revoke { id } => {
            calls::revoke_token(&api, &id).await?;
            say::note(&format!("{} is no good any more.", say::shown(&id)));
            Ok(())
        }
    }
}

fn scope_of(arg: ScopeArg) -> TokenScope {
    match arg {
        ScopeArg::Read => TokenScope::Read,
        ScopeArg::Request => TokenScope::Request,
        ScopeArg::Administer => TokenScope::Administer,
        ScopeArg::Scim => TokenScope::Scim,
        ScopeArg::Decide => TokenScope::Decide,
    }
}

fn scope_word(scope: TokenScope) -> &'static str {
    match scope {
        TokenScope::Read => "read",
        TokenScope::Request => "request",
        TokenScope::Administer => "administer",
        TokenScope::Scim => "scim",
        TokenScope::Decide => "decide",
    }
}
