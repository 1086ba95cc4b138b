//! Becoming somebody: setting up, signing in and out, taking an invitation up.

use std::path::PathBuf;

use clap::Args;
use daypass_api::{
    SecretText,
    people::PrincipalKind,
    signin::{AcceptInvitation, Enrolled, FourEyes, Me, SetUp, SignIn, SignedIn, Via},
};
use serde::Serialize;

use super::{
    Context,
    ambient::variable,
    output, provider,
    secrets::{self, Asked, PasswordArgs},
    words,
};
use crate::{
    client::{
        calls, checkpoint,
        http::{Api, refused},
        pin,
        profile::{self, Passfile, Server},
    },
    failure::{Exit, Failure},
    say,
};

/// Arguments of `setup`.
#[derive(Debug, Clone, Args)]
pub struct SetupArgs {
    /// The server's address, as `daypass serve` printed it
    #[arg(long, value_name = "URL")]
    server: String,
    /// The set-up token that `daypass serve` printed: good once, for 15 minutes
    #[arg(allow_hyphen_values = true)]
    token: String,
    /// The name of the first administrator; asked for when absent
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    password: PasswordArgs,
}

/// Arguments of `login`.
#[derive(Debug, Clone, Args)]
pub struct LoginArgs {
    /// The server's address, when it isn't the one known already
    #[arg(long, value_name = "URL", requires = "trust")]
    server: Option<String>,
    #[command(flatten)]
    trust: TrustArgs,
    /// Who you are; asked for when absent
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    password: PasswordArgs,
    /// What your authenticator shows; asked for when it is needed
    #[arg(long)]
    code: Option<String>,
    /// By this identity provider, in your browser; by the only one when there is one and you name no user
    #[arg(long, value_name = "NAME", conflicts_with_all = ["user", "code"])]
    provider: Option<String>,
    /// By an identity provider, on another device: for where there is no browser
    #[arg(long, conflicts_with_all = ["user", "code"])]
    device: bool,
}

/// What a new server is believed by.
#[derive(Debug, Clone, Args)]
#[group(id = "trust", multiple = false, requires = "server")]
pub struct TrustArgs {
    /// The server's authority, PEM: authority.pem of its data folder
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// The digest of the server's authority: what follows the dot of a set-up token
    // One in 64 begins with a hyphen.
    #[arg(long, value_name = "DIGEST", allow_hyphen_values = true)]
    pin: Option<String>,
}

/// Arguments of `accept`.
#[derive(Debug, Clone, Args)]
pub struct AcceptArgs {
    /// The invitation's code; two halves are both with a dot between
    #[arg(allow_hyphen_values = true)]
    code: String,
    /// The server's address, when it isn't the one known already
    #[arg(long, value_name = "URL", requires = "trust")]
    server: Option<String>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    password: PasswordArgs,
}

/// What a sign-in shows: never its secrets.
#[derive(Serialize)]
struct Shown<'a> {
    user: &'a str,
    server: &'a str,
    expires: daypass_api::Timestamp,
    gateways: &'a [String],
    passfile: String,
    authority: String,
    log_key: &'a str,
}

/// Becomes the first administrator.
pub async fn setup(context: &Context, args: SetupArgs) -> Result<(), Failure> {
    let (code, digest) = args.token.rsplit_once('.').ok_or_else(|| {
        Failure::setting(
            "this is no set-up token: it reads CODE.DIGEST; copy the whole line that `daypass serve` printed",
        )
    })?;
    let server = pinned(&args.server, digest).await?;
    let name = match args.name {
        Some(name) => name,
        None => secrets::asked("Your name (lower-case letters, digits, . _ -): ")
            .ok_or_else(|| Failure::setting("who are you? Say --name NAME"))?,
    };
    let password = args.password.password(&format!("A password for {}: ", say::shown(&name)), Asked::Twice)?;
    let api = Api::anonymous(&server)?;
    let body = SetUp { code: SecretText::new(code.to_owned()), name, password: password.clone() };
    let enrolled = calls::set_up(&api, &body).await?;
    context.profile.keep_server(&server)?;
    say::note(&format!("{} is the first administrator.", say::shown(&enrolled.name)));
    sign_in(context, &server, SignIn { name: enrolled.name, password, code: None }).await
}

/// Signs in.
pub async fn login(context: &Context, args: LoginArgs) -> Result<(), Failure> {
    let server = server(context, args.server.as_deref(), &args.trust).await?;
    let api = Api::anonymous(&server)?;
    let signed_in = if args.device {
        provider::on_device(&api, args.provider).await?
    } else if args.provider.is_some() || by_provider(&api, &args).await? {
        provider::in_browser(&api, args.provider).await?
    } else {
        return by_password(context, &server, args).await;
    };
    keep(context, &server, &signed_in)?;
    context.api()?;
    shown(context, &server, &signed_in)
}

/// Whether somebody who says nothing of how means a provider: when there is one, and no name and no password is given.
async fn by_provider(api: &Api, args: &LoginArgs) -> Result<bool, Failure> {
    if args.user.is_some() || args.code.is_some() || args.password.is_given() {
        return Ok(false);
    }
    Ok(!calls::providers(api).await?.is_empty())
}

async fn by_password(context: &Context, server: &Server, args: LoginArgs) -> Result<(), Failure> {
    let known = context.profile.sign_in().ok().map(|sign_in| sign_in.user);
    let name = match args.user.or(known) {
        Some(name) => name,
        None => secrets::asked("Who are you? ").ok_or_else(|| Failure::setting("who are you? Say --user NAME"))?,
    };
    let password = args.password.password(&format!("The password of {}: ", say::shown(&name)), Asked::Once)?;
    sign_in(context, server, SignIn { name, password, code: args.code }).await
}

/// The known server; or the one that the environment tells of, where nothing is known yet: in a job.
pub async fn known_or_told(profile: &profile::Profile) -> Result<Server, Failure> {
    let Some(url) = variable("DAYPASS_SERVER") else { return profile.server() };
    let server = match (variable("DAYPASS_AUTHORITY"), variable("DAYPASS_PIN")) {
        (Some(path), _) => {
            let path = PathBuf::from(path);
            let authority_pem = std::fs::read_to_string(&path).map_err(|e| Failure::file(&path, &e))?;
            Server { url, authority_pem }
        }
        (None, Some(digest)) => pinned(&url, &digest).await?,
        (None, None) => {
            return Err(Failure::setting(
                "what is the server of DAYPASS_SERVER believed by? Set DAYPASS_AUTHORITY=FILE or DAYPASS_PIN=DIGEST",
            ));
        }
    };
    profile.keep_server(&server)?;
    Ok(server)
}

/// Takes an invitation up, and signs in.
pub async fn accept(context: &Context, args: AcceptArgs) -> Result<(), Failure> {
    let server = server(context, args.server.as_deref(), &args.trust).await?;
    let password = args.password.password("A password for you: ", Asked::Twice)?;
    let body = AcceptInvitation { code: SecretText::new(args.code), password: password.clone() };
    let enrolled: Enrolled = calls::accept(&Api::anonymous(&server)?, &body).await?;
    context.profile.keep_server(&server)?;
    sign_in(context, &server, SignIn { name: enrolled.name, password, code: None }).await
}

/// The server: the known one, or a new one with what it is believed by.
async fn server(context: &Context, url: Option<&str>, trust: &TrustArgs) -> Result<Server, Failure> {
    let Some(url) = url else { return context.profile.server() };
    match (&trust.authority, &trust.pin) {
        (Some(path), _) => {
            let authority_pem = std::fs::read_to_string(path).map_err(|e| Failure::file(path, &e))?;
            Ok(Server { url: url.to_owned(), authority_pem })
        }
        (None, Some(digest)) => pinned(url, digest).await,
        (None, None) => Err(Failure::setting("what is the server believed by? Say --authority FILE or --pin DIGEST")),
    }
}

/// A server that shows the authority with this digest.
async fn pinned(url: &str, digest: &str) -> Result<Server, Failure> {
    let bytes = data_encoding::BASE64URL_NOPAD.decode(digest.as_bytes()).ok();
    let pin: [u8; 32] = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        Failure::setting("what follows the dot is no digest (43 letters, digits, - and _): copy the whole token")
    })?;
    let (tls, seen) = pin::under_pin(pin)?;
    // Any answer will do: what is wanted is the handshake before it.
    let asked = Api::over(url, tls)?.bytes("/healthz").await;
    match seen.authority_pem() {
        Ok(authority_pem) => Ok(Server { url: url.trim_end_matches('/').to_owned(), authority_pem }),
        Err(unseen) => Err(asked.err().unwrap_or(unseen)),
    }
}

async fn sign_in(context: &Context, server: &Server, mut body: SignIn) -> Result<(), Failure> {
    let api = Api::anonymous(server)?;
    let signed_in = match calls::sign_in(&api, &body).await? {
        Ok(signed_in) => signed_in,
        Err(problem) if problem.code == NEEDS_CODE && body.code.is_none() => {
            let code = secrets::asked("The code that your authenticator shows: ");
            let Some(code) = code else {
                let said = refused(&problem);
                let next = format!("{}: daypass login --code CODE", said.next);
                return Err(Failure::new(Exit::SignIn, said.what, next));
            };
            body.code = Some(code);
            calls::sign_in(&api, &body).await?.map_err(|problem| refused(&problem))?
        }
        Err(problem) => return Err(refused(&problem)),
    };
    keep(context, server, &signed_in)?;
    // From here on the command follows the log.
    context.api()?;
    shown(context, server, &signed_in)
}

/// What the server says when a code is missing.
const NEEDS_CODE: &str = "second_factor_needed";

/// Keeps a sign-in. A log key other than the first one seen is refused before anything is kept.
fn keep(context: &Context, server: &Server, signed_in: &SignedIn) -> Result<(), Failure> {
    context.profile.keep_server(server)?;
    if let Some(kept) = checkpoint::kept(&context.profile)?
        && kept.key.to_string() != signed_in.log_key
    {
        return Err(Failure::evidence(format!(
            "the server says that its log is signed by {}, and the log that you know by {}",
            say::shown(&signed_in.log_key),
            kept.key,
        )));
    }
    context.profile.keep_sign_in(&profile::SignIn {
        token: signed_in.token.expose().to_owned(),
        user: signed_in.connection_user.clone(),
        expires: signed_in.expires.to_string(),
        gateways: signed_in.gateway.clone(),
        log_key: signed_in.log_key.clone(),
    })?;
    let secret = signed_in.connection_secret.expose();
    context.profile.keep_passfile(Passfile::SignIn, &signed_in.gateway, &signed_in.connection_user, secret)
}

fn shown(context: &Context, server: &Server, signed_in: &SignedIn) -> Result<(), Failure> {
    let passfile = context.profile.passfile_path(Passfile::SignIn).display().to_string();
    let authority = context.profile.authority_path().display().to_string();
    let value = Shown {
        user: &signed_in.connection_user,
        server: &server.url,
        expires: signed_in.expires,
        gateways: &signed_in.gateway,
        passfile,
        authority,
        log_key: &signed_in.log_key,
    };
    context.format.show(&value, |value| {
        let (host, port) = value.gateways.first().and_then(|g| g.rsplit_once(':')).unwrap_or(("localhost", "7432"));
        format!(
            "Signed in as {} until {}.\nA saved connection works for ever; the secret in the passfile opens nothing by \
             itself:\n  host={} port={} user={} dbname=RESOURCE sslmode=verify-full sslrootcert={} \
             channel_binding=require passfile={}",
            say::shown(value.user),
            words::time(value.expires),
            say::shown(host),
            say::shown(port),
            say::shown(value.user),
            value.authority,
            value.passfile,
        )
    })
}

/// Signs out, at the server and here.
pub async fn logout(context: &mut Context) -> Result<(), Failure> {
    let ended = match Api::signed_in(&context.profile) {
        Ok(api) => calls::sign_out(&api).await,
        Err(failure) => Err(failure),
    };
    context.forget();
    context.profile.forget_sign_in()?;
    match ended {
        Ok(()) => say::note("Signed out. Your connection secret opens nothing any more."),
        Err(failure) if failure.exit == Exit::SignIn => say::note("You weren't signed in any more."),
        Err(failure) => say::note(&format!("Signed out here; the server couldn't be told: {}", failure.what)),
    }
    Ok(())
}

/// Who is signed in.
pub async fn whoami(context: &Context) -> Result<(), Failure> {
    let me = calls::me(&context.api()?).await?;
    context.format.show(&me, |me: &Me| {
        let via = match &me.via {
            Via::SignIn { second_factor_at: Some(at) } => format!("sign-in, second factor shown {}", words::time(*at)),
            Via::SignIn { second_factor_at: None } => "sign-in, no second factor shown".to_owned(),
            Via::Token => "API token".to_owned(),
        };
        let kind = match &me.kind {
            PrincipalKind::User => "user".to_owned(),
            PrincipalKind::Workload { owner } => format!("workload of {owner}"),
        };
        let eyes = match &me.four_eyes {
            FourEyes::NotYet => {
                "not yet: there is no second administrator, so one alone can change everything".to_owned()
            }
            FourEyes::Since { at } => format!("since {}", words::time(*at)),
        };
        output::fields(&[
            ("name", me.name.clone()),
            ("kind", kind),
            ("id", me.principal.to_string()),
            ("groups", me.groups.join(", ")),
            ("by", via),
            ("four eyes", eyes),
        ])
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    #[test]
    fn codes_that_begin_with_a_dash_are_codes() {
        for line in [
            &["daypass", "setup", "--server", "https://localhost:7443", "--name", "ada", "-j4X.dhcX"][..],
            &["daypass", "accept", "-j4X.-dhcX"],
            &["daypass", "accept", "--server", "https://localhost:7443", "--pin", "-dhcX", "-h4X"],
            &["daypass", "login", "--server", "https://localhost:7443", "--pin", "--dhcX"],
        ] {
            if let Err(error) = crate::cli::Cli::try_parse_from(line) {
                panic!("{line:?}: {error}");
            }
        }
        // Flags are still flags.
        assert!(crate::cli::Cli::try_parse_from(["daypass", "accept", "--help"]).is_err());
    }
}
