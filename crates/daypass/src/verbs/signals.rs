//! Shared signals: whose are heard, and what came.

use std::{path::PathBuf, time::Duration};

use daypass_api::signals::{
    DeclareTransmitter, Delivery, OnRevoked, StreamState, Transmitter, TransmitterBearer, VerificationAsked,
};

use super::{Context, changes, output::Rows, words};
use crate::{
    client::signals as calls,
    failure::{Exit, Failure},
    say,
};

/// How long it is waited for a verification to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
const EVERY: Duration = Duration::from_millis(250);

/// Verbs of `signals`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum SignalsVerb {
    /// List transmitters: whether they are heard, and when the last signal came
    #[command(after_help = "Example: daypass signals list")]
    List,
    /// Declare a transmitter, or declare it otherwise; prints the secret that it shows, once
    #[command(
        after_help = "Example: daypass signals add okta --issuer https://acme.okta.com --audience https://daypass.example.com --provider corp --directory okta"
    )]
    Add(Box<AddArgs>),
    /// Hear a transmitter no more; what it said of people is forgotten
    #[command(after_help = "Example: daypass signals remove okta")]
    Remove {
        /// Its name
        name: String,
    },
    /// Ask a transmitter to show that its signals arrive, and wait for that
    #[command(after_help = "Example: daypass signals verify okta")]
    Verify {
        /// Its name
        name: String,
    },
    /// List the last signals of a transmitter, and what became of each
    #[command(after_help = "Example: daypass signals received okta")]
    Received {
        /// Its name
        name: String,
    },
}

/// What `signals add` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct AddArgs {
    /// What you call it
    name: String,
    /// What it calls itself, exactly as its tokens say it in `iss`
    #[arg(long)]
    issuer: String,
    /// To whom it speaks: what this installation is called there
    #[arg(long)]
    audience: String,
    /// Whose subjects it means: people who sign in by this provider of the trust document
    #[arg(long)]
    provider: Option<String>,
    /// Whose subjects it means: users of this directory
    #[arg(long)]
    directory: Option<String>,
    /// Where its keys are [default: it says so at /.well-known/ssf-configuration]
    #[arg(long, value_name = "URL")]
    jwks: Option<String>,
    /// An algorithm that it may sign by [default: RS256]
    #[arg(long = "algorithm", value_name = "ALGORITHM")]
    algorithms: Vec<String>,
    /// A file with the certificate authorities of its address, PEM
    #[arg(long, value_name = "FILE")]
    authorities: Option<PathBuf>,
    /// Ask it for signals here, every two seconds, instead of having it send them
    #[arg(long, value_name = "URL")]
    poll: Option<String>,
    /// What Daypass shows it: a credential of server.toml
    #[arg(long)]
    credential: Option<String>,
    /// What it calls the stream, for `daypass signals verify`
    #[arg(long, value_name = "ID")]
    stream: Option<String>,
    /// Let grants go on when it revokes sessions; open sessions are cut all the same
    #[arg(long)]
    keep_grants: bool,
    /// Give it another secret; the one that it has is good for nothing from then on
    #[arg(long)]
    new_secret: bool,
}

/// Runs a verb of `signals`.
pub async fn signals(context: &Context, verb: SignalsVerb) -> Result<(), Failure> {
    match verb {
        SignalsVerb::List => {
            let all = calls::transmitters(&context.api()?).await?;
            context.format.show(&all, |all| listed(all))
        }
        SignalsVerb::Add(args) => add(context, *args).await,
        SignalsVerb::Remove { name } => {
            let proposed = calls::remove_transmitter(&context.api()?, &name).await?;
            changes::finish(context, &proposed)
        }
        SignalsVerb::Verify { name } => verify(context, &name).await,
        SignalsVerb::Received { name } => {
            let all = calls::signals_of(&context.api()?, &name).await?;
            context.format.show(&all, |all| {
                let mut rows = Rows::new(&["at", "events", "outcome", "about"], "No signals.");
                for one in all {
                    let about = one.principal.as_deref().or(one.subject.as_deref()).unwrap_or_default();
                    rows.row([&words::time(one.at), &one.events.join(", "), &one.outcome, about]);
                }
                rows.text()
            })
        }
    }
}

fn listed(all: &[Transmitter]) -> String {
    let mut rows = Rows::new(&["name", "by", "of", "signals", "last", "verified", "state"], "No transmitters.");
    let mut notes = Vec::new();
    for one in all {
        let by = match &one.delivery {
            Delivery::Push { .. } => "sends",
            Delivery::Poll { .. } => "is asked",
        };
        let of: Vec<&str> = [&one.provider, &one.directory].into_iter().flatten().map(String::as_str).collect();
        let when = |at: Option<daypass_api::Timestamp>| at.map_or_else(|| "never".to_owned(), words::time);
        let state = match (&one.failing, one.state) {
            (Some(_), _) => "unheard",
            (None, StreamState::Enabled) => "fine",
            (None, StreamState::Paused) => "paused there",
            (None, StreamState::Disabled) => "disabled there",
        };
        let (signals, heard, verified) = (one.signals.to_string(), when(one.heard), when(one.verified));
        rows.row([one.name.as_str(), by, &of.join(", "), &signals, &heard, &verified, state]);
        if let Some(failing) = &one.failing {
            let (since, why) = (words::time(failing.since), say::shown(&failing.why));
            notes.push(format!("{} can't be heard since {since}: {why}", one.name));
        }
        if let Some(refused) = &one.refused {
            let (at, why) = (words::time(refused.at), say::shown(&refused.why));
            notes.push(format!("A signal of {} was refused, last {at}: {why}", one.name));
        }
        if let Delivery::Push { url } = &one.delivery {
            notes.push(format!("{} sends to {}", one.name, say::shown(url)));
        }
    }
    let mut text = rows.text();
    for note in notes {
        text.push('\n');
        text.push_str(&note);
    }
    text
}

async fn add(context: &Context, args: AddArgs) -> Result<(), Failure> {
    let authorities = match &args.authorities {
        Some(file) => Some(std::fs::read_to_string(file).map_err(|e| Failure::file(file, &e))?),
        None => None,
    };
    let declared = DeclareTransmitter {
        name: args.name,
        issuer: args.issuer,
        jwks: args.jwks,
        algorithms: args.algorithms,
        authorities,
        audience: args.audience,
        poll: args.poll,
        stream: args.stream,
        credential: args.credential,
        provider: args.provider,
        directory: args.directory,
        grants: if args.keep_grants { OnRevoked::Keep } else { OnRevoked::End },
        bearer: if args.new_secret { TransmitterBearer::New } else { TransmitterBearer::Kept },
    };
    let proposed = calls::declare_transmitter(&context.api()?, &declared).await?;
    changes::finish(context, &proposed)
}

async fn verify(context: &Context, name: &str) -> Result<(), Failure> {
    let api = context.api()?;
    let VerificationAsked { asked } = calls::verify(&api, name).await?;
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let all = calls::transmitters(&api).await?;
        let one = all.into_iter().find(|one| one.name == name);
        if let Some(one) = one.filter(|one| one.verified.is_some_and(|at| at >= asked)) {
            return context.format.show(&one, |one| format!("{}: its signals arrive.", one.name));
        }
        if tokio::time::Instant::now() >= until {
            return Err(Failure::new(
                Exit::Unavailable,
                format!("{name} was asked, and no signal that says so came within {} s", PATIENCE.as_secs()),
                "look at its log, and at `daypass signals list`",
            ));
        }
        tokio::time::sleep(EVERY).await;
    }
}
