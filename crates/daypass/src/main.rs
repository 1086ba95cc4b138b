//! Daypass: the binary. `daypass --help` lists what it does.

mod cli;
mod client;
mod demo;
mod failure;
mod mcp;
mod say;
mod serve;
mod verbs;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.json;
    log(matches!(cli.verb, cli::Verb::Serve(_)));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say::note(&format!("daypass can't start: {error}"));
            return ExitCode::from(failure::Exit::Other as u8);
        }
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::note(&told(&failure, json));
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// A failure, as a person or a program reads it.
fn told(failure: &failure::Failure, json: bool) -> String {
    if !json {
        return format!("daypass: {failure}");
    }
    serde_json::json!({ "error": failure.what, "next": failure.next, "exit": failure.exit as u8 }).to_string()
}

/// Structured logs on standard error: for a server from the level info on, for a command from warn on. `RUST_LOG` says
/// otherwise; `DAYPASS_LOG=json` writes JSON.
fn log(server: bool) {
    let level = if server { "info" } else { "error" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // What can't be written is dropped. It would be told on standard error otherwise, which panics where that can't be
        // written either: a log on a full disk would end the task that meant to log.
        .log_internal_errors(false);
    if std::env::var_os("DAYPASS_LOG").is_some_and(|v| v == "json") {
        builder.json().init();
    } else {
        builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init();
    }
}
