//! Getting in: `connect` starts psql, `run` any program. Both ask when there is no grant.

use std::{
    os::unix::process::{CommandExt, ExitStatusExt},
    process::Command,
};

use clap::Args;
use daypass_api::{
    grants::{Grant, GrantState},
    requests::{Outcome, Request, RequestState, WhichRequests},
};
use rustix::process::{Pid, Signal, kill_process};

use super::{
    Context, ambient,
    asking::{self, WhyArgs},
    secrets, words,
};
use crate::{
    client::{
        calls::{self, Whose},
        connection::{Connection, Wanted},
        http::{Api, shown_lines},
    },
    failure::{Exit, Failure},
    say,
};

/// Arguments of `connect`.
#[derive(Debug, Clone, Args)]
pub struct ConnectArgs {
    /// To what
    pub resource: String,
    /// As which role; needed to ask, and where you hold several
    #[arg(long)]
    pub role: Option<String>,
    /// To another database there
    #[arg(long)]
    pub database: Option<String>,
    /// Only print the connection string
    #[arg(long)]
    pub print: bool,
    #[command(flatten)]
    pub why: WhyArgs,
    /// Arguments for psql
    #[arg(last = true)]
    pub psql: Vec<String>,
}

/// Arguments of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// To what
    pub resource: String,
    /// As which role
    #[arg(long)]
    pub role: String,
    /// To another database there
    #[arg(long)]
    pub database: Option<String>,
    #[command(flatten)]
    pub why: WhyArgs,
    #[command(flatten)]
    pub svid: ambient::SvidArgs,
    /// The program and its arguments; it gets DATABASE_URL and the PG* variables
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// A grant that covers what is wanted, and whether this command asked for it.
enum Covered {
    Before,
    Asked(Box<Grant>),
}

/// Connects with psql.
pub async fn connect(context: &Context, args: ConnectArgs) -> Result<(), Failure> {
    let api = context.api()?;
    let wanted = Wanted { resource: &args.resource, database: args.database.as_deref(), role: args.role.as_deref() };
    let connection = Connection::prepare(&context.profile, &api, &wanted).await?;
    if args.print {
        say::line(&connection.text());
        return Ok(());
    }
    covered(context, &args.resource, args.role.as_deref(), &args.why).await?;
    context.follow().await?;
    let error = Command::new("psql").envs(connection.variables()).args(&args.psql).exec();
    Err(Failure::new(
        Exit::Usage,
        format!("psql can't be started: {error}"),
        "install it (Debian: postgresql-client), or give the string of --print to another client",
    ))
}

/// Runs a program with the connection in its environment; a grant that this asked for is released when it exits.
pub async fn run(context: &Context, args: RunArgs) -> Result<(), Failure> {
    let ended = run_to_end(context, args).await;
    ambient::leave(context)?;
    match ended? {
        0 => Ok(()),
        code => std::process::exit(code),
    }
}

/// The same, to the exit code of the program.
async fn run_to_end(context: &Context, args: RunArgs) -> Result<i32, Failure> {
    let api = context.api()?;
    let wanted = Wanted { resource: &args.resource, database: args.database.as_deref(), role: Some(&args.role) };
    let connection = Connection::prepare(&context.profile, &api, &wanted).await?;
    let covered = covered(context, &args.resource, Some(&args.role), &args.why).await?;
    let (program, arguments) = args.command.split_first().ok_or_else(|| Failure::setting("run what?"))?;
    let started = tokio::process::Command::new(program)
        .args(arguments)
        .envs(connection.variables())
        .env("PGPASSWORD", connection.secret())
        .env("DATABASE_URL", connection.url().as_str())
        .env_remove("DAYPASS_TOKEN")
        .env_remove("DAYPASS_ID_TOKEN")
        .env_remove("DAYPASS_PASSWORD")
        .spawn();
    let ended = match started {
        Ok(mut child) => wait_for(&mut child).await,
        Err(e) => Err(Failure::setting(format!("`{}` can't be started: {e}", say::shown(program)))),
    };
    if let Covered::Asked(grant) = covered {
        // The child's exit code is what the caller wants, whatever comes of the release.
        match calls::release(&api, &grant.id.to_string()).await {
            Ok(_) => say::note(&format!("{} is released.", grant.id)),
            Err(failure) => say::note(&format!("{} couldn't be released: {failure}", grant.id)),
        }
    }
    context.follow().await?;
    ended
}

/// Waits for the child; what would stop us is passed on to it, so that the grant is released in any case.
async fn wait_for(child: &mut tokio::process::Child) -> Result<i32, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::setting)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Failure::setting)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::setting)?;
    let mut quit = signal(SignalKind::quit()).map_err(Failure::setting)?;
    loop {
        tokio::select! {
            ended = child.wait() => {
                let status = ended.map_err(Failure::setting)?;
                // As shells say it: 128 and the signal's number.
                return Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
            }
            _ = terminate.recv() => pass_on(child, Signal::TERM),
            _ = hangup.recv() => pass_on(child, Signal::HUP),
            // The terminal sends these two to the whole group, the child included.
            _ = interrupt.recv() => {}
            _ = quit.recv() => {}
        }
    }
}

fn pass_on(child: &tokio::process::Child, signal: Signal) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended meanwhile: then the next turn sees that.
        let _ = kill_process(pid, signal);
    }
}

/// A live grant on the resource; asked for, and waited for, when there is none.
async fn covered(context: &Context, resource: &str, role: Option<&str>, why: &WhyArgs) -> Result<Covered, Failure> {
    let api = context.api()?;
    let live = calls::grants(&api, Whose::Mine).await?.into_iter().find(|grant| {
        let active = match grant.state {
            GrantState::Active { deadline, .. } => deadline > words::now(),
            GrantState::Scheduled { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => false,
        };
        active && grant.opens.is_sessions() && grant.resource == resource && role.is_none_or(|role| grant.role == role)
    });
    if live.is_some() {
        return Ok(Covered::Before);
    }
    let role = match role {
        Some(role) => role.to_owned(),
        None => only_role(&api, resource).await?,
    };
    let waiting = calls::requests(&api, WhichRequests::Mine).await?.into_iter().find(|request| {
        let pending = matches!(request.state, RequestState::Pending { .. }) && request.statement.is_none();
        pending && request.resource == resource && request.role == role && request.beneficiary == request.requester
    });
    let grant = match waiting {
        // It was asked for already: asking again would only make people answer twice.
        Some(request) => {
            say::note(&format!("{} waits already.", request.id));
            granted(context, &request).await?
        }
        None => ask(context, resource, &role, why).await?,
    };
    say::note(&format!("{}: {}.", grant.id, words::grant_state(&grant.state)));
    Ok(Covered::Asked(Box::new(grant)))
}

/// Asks, and waits until it is granted.
async fn ask(context: &Context, resource: &str, role: &str, why: &WhyArgs) -> Result<Grant, Failure> {
    let mut body = why.body(resource, role)?;
    if body.reason.is_none() {
        body.reason = secrets::asked(&format!("Why do you need {}/{}? ", say::shown(resource), say::shown(role)));
    }
    let answered = calls::request(&context.api()?, &body).await?;
    match &answered.outcome {
        Outcome::Granted { grant } => Ok(Grant::clone(grant)),
        Outcome::Pending { .. } => {
            say::note(&shown_lines(&asking::answered_words(&answered)));
            granted(context, &answered.request).await
        }
        Outcome::Refused { .. } => {
            Err(Failure::new(Exit::Refused, shown_lines(&asking::answered_words(&answered)), ""))
        }
    }
}

/// Waits until a request is granted.
async fn granted(context: &Context, request: &Request) -> Result<Grant, Failure> {
    let request = asking::wait_until_answered(context, request).await?;
    match &request.state {
        RequestState::Granted { grant, .. } => calls::grant(&context.api()?, grant.as_str()).await,
        RequestState::Pending { .. }
        | RequestState::Denied { .. }
        | RequestState::Forbidden { .. }
        | RequestState::Withdrawn { .. }
        | RequestState::Expired { .. } => {
            let what = format!("{} is {}", request.id, words::request_state(&request.state));
            Err(Failure::new(Exit::Refused, say::shown(&what), ""))
        }
    }
}

/// The role of a resource that has one only; of others, the person says which.
pub async fn only_role(api: &Api, resource: &str) -> Result<String, Failure> {
    let roles = calls::resource(api, resource).await?.resource.roles;
    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    match names.as_slice() {
        [only] => Ok((*only).to_owned()),
        _ => Err(Failure::new(
            Exit::Usage,
            format!("you hold no grant on {}, and it has several roles to ask for", say::shown(resource)),
            format!("say --role ROLE --reason \"...\", with one of: {}", say::shown(&names.join(", "))),
        )),
    }
}
