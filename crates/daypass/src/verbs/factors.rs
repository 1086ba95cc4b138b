//! One's own password and second factor.

use std::path::PathBuf;

use daypass_api::{
    SecretText,
    signin::{ChangePassword, Code, EnrolTotp},
};

use super::{
    Context,
    secrets::{self, Asked, PasswordArgs},
    words,
};
use crate::{client::calls, failure::Failure, say};

/// Arguments of `password`.
#[derive(Debug, Clone, clap::Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    old: PasswordArgs,
    /// Read the new password from this file
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
}

/// Changes one's password. Other sign-ins end.
pub async fn password(context: &Context, args: ChangeArgs) -> Result<(), Failure> {
    let old = args.old.password("Your password now: ", Asked::Once)?;
    let new = secrets::password(
        args.new_password_file.as_deref(),
        "DAYPASS_NEW_PASSWORD",
        "Your new password: ",
        Asked::Twice,
    )?;
    calls::change_password(&context.api()?, &ChangePassword { old, new }).await?;
    say::note("Your password is changed; your other sign-ins have ended.");
    Ok(())
}

/// Verbs of `totp`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum TotpVerb {
    /// Begin: shows the secret for your authenticator
    #[command(after_help = "Example: daypass totp enrol")]
    Enrol {
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Finish: show a first code
    #[command(after_help = "Example: daypass totp confirm 123456")]
    Confirm {
        /// What your authenticator shows
        code: String,
    },
}

/// Runs a verb of `totp`.
pub async fn totp(context: &Context, verb: TotpVerb) -> Result<(), Failure> {
    match verb {
        TotpVerb::Enrol { password } => {
            let password: SecretText = password.password("Your password: ", Asked::Once)?;
            let enrolment = calls::enrol_totp(&context.api()?, &EnrolTotp { password }).await?;
            context.format.show(&enrolment, |e| {
                format!(
                    "Put this into your authenticator, then: daypass totp confirm CODE\n  {}\n  secret: {}",
                    e.uri.expose(),
                    e.secret.expose()
                )
            })
        }
        TotpVerb::Confirm { code } => {
            calls::confirm_totp(&context.api()?, &Code { code }).await?;
            say::note("Your second factor counts from now on: `daypass login` asks for it.");
            Ok(())
        }
    }
}

/// Shows the second factor again, for what wants it fresh.
pub async fn second_factor(context: &Context, code: String) -> Result<(), Failure> {
    let shown = calls::second_factor(&context.api()?, &Code { code }).await?;
    context.format.show(&shown, |shown| format!("Second factor shown at {}.", words::time(shown.at)))
}
