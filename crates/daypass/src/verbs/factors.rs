//! One's own password and second factor.

use std::path::PathBuf;

use daypass_api::{
    SecretText,
    factors::{Bar, FactorList, Way},
    signin::{ChangePassword, Code, EnrolTotp, SecondFactorShown},
};

use super::{
    Context, output,
    secrets::{self, Asked, PasswordArgs},
    words,
};
use crate::{
    client::{calls, connection::Connection, http::Api, profile::Passfile},
    failure::Failure,
    say,
};

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
            let api = context.api()?;
            let bar = bar(&api).await;
            calls::confirm_totp(&api, &Code { code }).await?;
            lifted(context, &api, bar).await?;
            say::note("Your second factor counts from now on: `daypass login` asks for it.");
            Ok(())
        }
    }
}

/// Shows the second factor again, for what wants it fresh.
pub async fn second_factor(context: &Context, code: String) -> Result<(), Failure> {
    let shown = show(context, &context.api()?, code).await?;
    context.format.show(&shown, |shown| format!("Second factor shown at {}.", words::time(shown.at)))
}

/// The same, by a verb that goes on with something else.
pub(super) async fn show(context: &Context, api: &Api, code: String) -> Result<SecondFactorShown, Failure> {
    let bar = bar(api).await;
    let shown = calls::second_factor(api, &Code { code }).await?;
    lifted(context, api, bar).await?;
    Ok(shown)
}

/// The bar, before it may be lifted. Whoever can't be told of it hears why from what comes next.
async fn bar(api: &Api) -> Bar {
    calls::factors(api).await.map_or(Bar::None, |factors| factors.bar)
}

/// With the bar of who had a credential revoked went the secret in the passfile: another is kept in its place.
async fn lifted(context: &Context, api: &Api, bar: Bar) -> Result<(), Failure> {
    match bar {
        Bar::None | Bar::UntilEnrolled { .. } => {}
        Bar::UntilShown { .. } => {
            Connection::keep_anew(&context.profile, api, Passfile::SignIn).await?;
        }
    }
    Ok(())
}

/// Lists one's second factors.
pub async fn list(context: &Context) -> Result<(), Failure> {
    let factors = calls::factors(&context.api()?).await?;
    context.format.show(&factors, listed)
}

fn listed(factors: &FactorList) -> String {
    let totp = if factors.ways.contains(&Way::Totp) { "enrolled" } else { "none: `daypass totp enrol`" };
    let mut fields = vec![
        ("authenticator", totp.to_owned()),
        ("recovery codes", format!("{} left", factors.recovery_codes)),
        ("passkeys", if factors.passkeys.is_empty() { "none".to_owned() } else { factors.passkeys.len().to_string() }),
    ];
    match &factors.bar {
        Bar::None => {}
        Bar::UntilEnrolled { since } => {
            fields.push(("barred", format!("since {}, until you enrol a second factor", words::time(*since))));
        }
        Bar::UntilShown { since } => {
            let until = "until you show a second factor: `daypass second-factor CODE`";
            fields.push(("barred", format!("since {}, {until}", words::time(*since))));
        }
    }
    let mut lines = vec![output::fields(&fields)];
    for passkey in &factors.passkeys {
        let last =
            passkey.last_used.map_or_else(|| "not used yet".to_owned(), |at| format!("last {}", words::time(at)));
        lines.push(format!("  {}  enrolled {}, {last}", say::shown(&passkey.name), words::time(passkey.enrolled)));
    }
    lines.push("Passkeys are enrolled, used and removed on the server's page /factors.".to_owned());
    lines.join("\n")
}

/// Arguments of `recovery-codes`.
#[derive(Debug, Clone, clap::Args)]
pub struct RecoveryCodesArgs {
    /// What your authenticator shows now, or a recovery code that is left
    #[arg(long)]
    code: Option<String>,
}

/// Makes new recovery codes.
pub async fn recovery_codes(context: &Context, args: RecoveryCodesArgs) -> Result<(), Failure> {
    let api = context.api()?;
    if let Some(code) = args.code {
        show(context, &api, code).await?;
    }
    let made = calls::recovery_codes(&api).await?;
    context.format.show(&made, |made| {
        let codes: Vec<String> = made.codes.iter().map(|code| format!("  {}", code.expose())).collect();
        format!(
            "Each is good once, in the place of a second factor. They are shown now and never again:\n{}",
            codes.join("\n")
        )
    })
}
