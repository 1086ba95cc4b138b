//! `daypass exec`: one statement, asked for, run once, shown; and `daypass look`, for whoever is to approve one.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::Args;
use daypass_api::{
    requests::{NewRequest, Outcome as Asked, Request, RequestState},
    statements::{Outcome, Ran, ServerError},
};
use daypass_domain::Span;

use super::{
    Context, asking,
    asking::PurposeArg,
    connect::only_role,
    output::{self, Format, Waiting},
    secrets, words,
};
use crate::{
    client::{calls, http::shown_lines},
    failure::{Exit, Failure},
    say,
};

/// The longest file of a statement that is read, in bytes: the server takes less.
const FILE_LEN_MAX: u64 = 1 << 20;

/// Arguments of `exec`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["sql", "file", "request"]))]
pub struct ExecArgs {
    /// On what
    #[arg(required_unless_present = "request")]
    pub resource: Option<String>,
    /// The statement
    #[arg(long, allow_hyphen_values = true)]
    pub sql: Option<String>,
    /// A file that holds the statement; - is standard input
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A request that was made before: waits for it if need be, and runs its statement
    #[arg(long, value_name = "ID", conflicts_with_all = ["resource", "role", "reason", "ticket", "no_wait"])]
    pub request: Option<String>,
    /// As which role; needed where the resource has several
    #[arg(long)]
    pub role: Option<String>,
    /// How long the grant lasts if it isn't run: 45s, 15m, 2h
    #[arg(long = "for", value_name = "TIME", default_value = "15m")]
    pub duration: Span,
    /// Why, in your words
    #[arg(long)]
    pub reason: Option<String>,
    /// What for
    #[arg(long, value_enum, default_value = "operations")]
    pub purpose: PurposeArg,
    /// The ticket that it belongs to, like OPS-1234
    #[arg(long)]
    pub ticket: Option<String>,
    /// Only ask: run it later with --request
    #[arg(long)]
    pub no_wait: bool,
    /// Show the result as CSV (RFC 4180)
    #[arg(long)]
    pub csv: bool,
}

/// Asks, waits, runs, shows.
pub async fn exec(context: &Context, args: ExecArgs) -> Result<(), Failure> {
    let api = context.api()?;
    let request = match &args.request {
        Some(id) => calls::request_shown(&api, id).await?,
        None => {
            let answered = calls::request(&api, &body(context, &args).await?).await?;
            match &answered.outcome {
                Asked::Granted { .. } => {}
                Asked::Pending { .. } => say::note(&shown_lines(&waits(&answered.request))),
                Asked::Refused { .. } => {
                    return Err(Failure::new(Exit::Refused, shown_lines(&asking::answered_words(&answered)), ""));
                }
            }
            if args.no_wait {
                context
                    .format
                    .show(&answered, |a| format!("{}\nRun it with: daypass exec --request {0}", a.request.id))?;
                return asking::outcome_exit(&answered.outcome);
            }
            answered.request
        }
    };
    let grant = granted(context, &request).await?;
    let ran = run(context, &grant).await?;
    context.follow().await?;
    show(context, &args, &ran)
}

async fn body(context: &Context, args: &ExecArgs) -> Result<NewRequest, Failure> {
    let resource = args.resource.clone().unwrap_or_default();
    let role = match &args.role {
        Some(role) => role.clone(),
        None => only_role(&context.api()?, &resource).await?,
    };
    let statement = match (&args.sql, &args.file) {
        (Some(sql), _) => sql.clone(),
        (None, Some(path)) => read(path)?,
        (None, None) => return Err(Failure::setting("say which statement: --sql or --file")),
    };
    let reason = match &args.reason {
        Some(reason) => Some(reason.clone()),
        None => secrets::asked(&format!("Why do you need {}/{}? ", say::shown(&resource), say::shown(&role))),
    };
    Ok(NewRequest {
        resource,
        role,
        duration_s: u32::try_from(args.duration.secs()).map_err(Failure::setting)?,
        start: None,
        purpose: args.purpose.into(),
        ticket: args.ticket.clone(),
        reason,
        beneficiary: None,
        statement: Some(statement),
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(FILE_LEN_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(FILE_LEN_MAX).read_to_string(&mut text))
    };
    read.map_err(|e| Failure::file(path, &e))?;
    Ok(text)
}

fn waits(request: &Request) -> String {
    format!(
        "Pending: {}\nIt needs {}.{}\nIt is run the moment it is granted. Ctrl-C takes it back.",
        request.id,
        words::ways(&request.missing),
        words::who_could(&request.missing),
    )
}

/// Waits until the request is granted; gives the grant's id. Ctrl-C takes the request back.
async fn granted(context: &Context, request: &Request) -> Result<String, Failure> {
    let answered = tokio::select! {
        answered = asking::wait_until_answered(context, request) => answered?,
        _ = tokio::signal::ctrl_c() => {
            let request = calls::withdraw(&context.api()?, &request.id.to_string()).await?;
            say::note(&format!("{} is {}.", request.id, words::request_state(&request.state)));
            return Err(Failure::new(Exit::Other, "stopped: nothing was run", ""));
        }
    };
    match &answered.state {
        RequestState::Granted { grant, .. } => Ok(grant.to_string()),
        RequestState::Pending { .. }
        | RequestState::Denied { .. }
        | RequestState::Forbidden { .. }
        | RequestState::Withdrawn { .. }
        | RequestState::Expired { .. } => {
            let what = format!("{} is {}", answered.id, words::request_state(&answered.state));
            Err(Failure::new(Exit::Refused, say::shown(&what), ""))
        }
    }
}

/// Runs it. Ctrl-C gives the grant back, which cuts the session; what came of the statement is said all the same.
async fn run(context: &Context, grant: &str) -> Result<Ran, Failure> {
    let api = context.api()?;
    let spinner = Waiting::for_("the statement runs");
    let running = calls::run_statement(&api, grant);
    tokio::pin!(running);
    let ran = tokio::select! {
        ran = &mut running => ran,
        _ = tokio::signal::ctrl_c() => {
            spinner.says("giving the grant back");
            let _ = calls::release(&api, grant).await;
            running.await
        }
    };
    drop(spinner);
    ran.map_err(|failure| {
        let next =
            if failure.next.is_empty() { format!("see what came of it: daypass show {grant}") } else { failure.next };
        Failure { next, ..failure }
    })
}

fn show(context: &Context, args: &ExecArgs, ran: &Ran) -> Result<(), Failure> {
    match (context.format, args.csv) {
        (Format::Json, _) => context.format.show(ran, |_| String::new())?,
        (Format::People, true) => say::text(&csv(ran)),
        (Format::People, false) if ran.columns.is_empty() => {}
        (Format::People, false) => {
            let columns: Vec<&str> = ran.columns.iter().map(|c| c.name.as_str()).collect();
            say::line(&output::grid(&columns, &ran.rows));
        }
    }
    for notice in &ran.notices {
        say::note(&shown_lines(&error_words(notice)));
    }
    if ran.rows_given > ran.rows.len() as u64 {
        say::note(&format!("The first {} rows of {}: a result has limits.", ran.rows.len(), ran.rows_given));
    }
    let ended = ran.receipt.targets.iter().map(|t| words::grant_state(&t.state)).collect::<Vec<_>>().join("; ");
    let failed = |what: String| {
        say::note(&shown_lines(&format!("The grant is {ended}.")));
        Err(Failure::new(Exit::Other, shown_lines(&what), ""))
    };
    let why = ran.why.clone().unwrap_or_default();
    match &ran.outcome {
        Outcome::Committed { .. } => {
            say::note(&shown_lines(&format!("{}: committed. The grant is {ended}.", ran.tag)));
            Ok(())
        }
        Outcome::Refused { sqlstate } => {
            let said = ran.error.as_ref().map_or_else(|| sqlstate.clone(), error_words);
            failed(format!("{said}\nThe target refused it, and nothing of it stands."))
        }
        Outcome::NoEffect => failed(format!("it wasn't committed, and nothing of it stands: {why}")),
        Outcome::Looked => failed("it was only looked at".to_owned()),
        Outcome::Unknown => failed(format!(
            "it may have run, and nobody can say: {why}\nIt is never run again by itself. Look at the target before you ask again."
        )),
    }
}

/// An error of the target's, as psql shows it.
pub fn error_words(error: &ServerError) -> String {
    let mut lines = vec![format!("{}:  {}: {}", error.severity, error.sqlstate, error.message)];
    lines.extend(error.position.map(|at| format!("POSITION:  {at}")));
    lines.extend(error.detail.as_ref().map(|detail| format!("DETAIL:  {detail}")));
    lines.extend(error.hint.as_ref().map(|hint| format!("HINT:  {hint}")));
    lines.join("\n")
}

/// RFC 4180. NULL is an empty field, an empty text a quoted one.
fn csv(ran: &Ran) -> String {
    let quoted = |text: &str| {
        let plain = !text.is_empty() && !text.contains([',', '"', '\r', '\n']);
        if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
    };
    let header: Vec<String> = ran.columns.iter().map(|c| quoted(&c.name)).collect();
    let mut text = String::new();
    if !header.is_empty() {
        text.push_str(&header.join(","));
        text.push_str("\r\n");
    }
    for row in &ran.rows {
        let row: Vec<String> = row.iter().map(|v| v.as_deref().map_or_else(String::new, quoted)).collect();
        text.push_str(&row.join(","));
        text.push_str("\r\n");
    }
    text
}

/// Has the target estimate the statement of a request.
pub async fn look(context: &Context, id: &str) -> Result<(), Failure> {
    let api = context.api()?;
    let spinner = Waiting::for_("the target is asked");
    let request = calls::look(&api, id).await?;
    drop(spinner);
    context.format.show(&request, asking::shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_tells_null_from_an_empty_text() {
        let ran: Ran = serde_json::from_value(serde_json::json!({
            "outcome": { "outcome": "committed", "rows": 2 },
            "tag": "SELECT 2",
            "columns": [{ "name": "a", "type_oid": 25 }, { "name": "b,c", "type_oid": 25 }],
            "rows": [["x\"y", null], ["", "two\nlines"]],
            "rows_given": 2,
            "notices": [],
            "receipt": {
                "grants": [], "ordered": "2026-01-01T00:00:00Z", "recorded": "2026-01-01T00:00:00Z",
                "entries": [], "nodes": [], "targets": []
            },
        }))
        .unwrap();
        assert_eq!(csv(&ran), "a,\"b,c\"\r\n\"x\"\"y\",\r\n\"\",\"two\nlines\"\r\n");
    }
}
