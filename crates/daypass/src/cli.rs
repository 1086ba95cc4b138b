//! The command line: what there is, with an example for each.

mod dispatch;

use clap::{Parser, Subcommand};

use crate::{
    demo,
    failure::Failure,
    mcp, say, serve,
    verbs::{
        Context, Format, answering, asking, connect, directories, emergency, exec, factors, grants, ledger, notices,
        people, policy, resources, signals, signin, tokens, trust,
    },
};

/// Just-in-time access: nobody has standing rights; people ask, others approve, access ends by itself.
#[derive(Debug, Parser)]
#[command(name = "daypass", version, max_term_width = 110, propagate_version = true, after_help = EXITS)]
pub struct Cli {
    /// Print one JSON document, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

const EXITS: &str =
    "Exit codes: 0 done; 1 something else went wrong; 2 the command line, a file or a setting makes no \
sense; 3 policy or a person said no; 4 it waits for somebody; 5 you aren't signed in; 6 there is no such thing; 7 the \
server can't be reached, or can't do it now; 8 evidence doesn't hold.

Example: daypass request orders --role readonly --for 30m --reason \"Refund 4711\"";

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Serve: API and gateway in one process, secure without any configuration
    #[command(after_help = "Example: daypass serve --data /var/lib/daypass --config /etc/daypass")]
    Serve(serve::ServeArgs),
    /// Play the whole story with a throwaway PostgreSQL
    #[command(after_help = "Example: daypass demo --keep")]
    Demo(demo::DemoArgs),
    /// Copy everything but the sealing key into a new folder
    #[command(after_help = "Example: daypass backup /backups/2026-11-24")]
    Backup(serve::restore::BackupArgs),
    /// Make a data folder of a backup; what was live in it is ended
    #[command(after_help = "Example: daypass restore /backups/2026-11-24 --data /var/lib/daypass")]
    Restore(serve::restore::RestoreArgs),
    /// Become the first administrator, with the token that `daypass serve` printed
    #[command(after_help = "Example: daypass setup --server https://localhost:7443 --name ada TOKEN")]
    Setup(signin::SetupArgs),
    /// Sign in
    #[command(after_help = "Example: daypass login --user alice")]
    Login(signin::LoginArgs),
    /// Sign out, at the server and here
    #[command(after_help = "Example: daypass logout")]
    Logout,
    /// Take an invitation up: set a password, and sign in
    #[command(after_help = "Example: daypass accept --server https://daypass.internal:7443 --pin DIGEST CODE")]
    Accept(signin::AcceptArgs),
    /// Say who is signed in
    #[command(after_help = "Example: daypass whoami --json")]
    Whoami,
    /// Change your password
    #[command(after_help = "Example: daypass password")]
    Password(factors::ChangeArgs),
    /// Enrol a second factor (TOTP)
    #[command(subcommand, after_help = "Example: daypass totp enrol")]
    Totp(factors::TotpVerb),
    /// Show your second factor again, for what wants it fresh
    #[command(after_help = "Example: daypass second-factor 123456")]
    SecondFactor {
        /// What your authenticator shows
        code: String,
    },
    /// List your second factors: passkeys, authenticator, recovery codes
    #[command(after_help = "Example: daypass factors")]
    Factors,
    /// Make ten recovery codes, each good once in the place of a second factor; those of before are void
    #[command(after_help = "Example: daypass recovery-codes --code 123456")]
    RecoveryCodes(factors::RecoveryCodesArgs),
    /// List what can be asked for
    #[command(after_help = "Example: daypass resources orders")]
    Resources {
        /// Show this one
        name: Option<String>,
    },
    /// Apply files of resources
    #[command(after_help = "Example: daypass apply -f resources.toml --dry-run")]
    Apply(resources::ApplyArgs),
    /// Say whether the administrator login at a resource can do what is needed, and not more
    #[command(after_help = "Example: daypass doctor orders")]
    Doctor {
        /// The resource
        resource: String,
    },
    /// Say who could have what on a resource
    #[command(after_help = "Example: daypass who orders")]
    Who {
        /// The resource
        resource: String,
    },
    /// Ask for a role
    #[command(after_help = "Example: daypass request orders --role readonly --for 30m --reason \"Refund 4711\" --wait")]
    Request(asking::RequestArgs),
    /// Say what would be answered, without asking
    #[command(after_help = "Example: daypass explain orders --role readonly --for 2h")]
    Explain(asking::RequestArgs),
    /// List your requests
    #[command(after_help = "Example: daypass requests --to-answer")]
    Requests(asking::RequestsArgs),
    /// List the requests that wait for your answer
    #[command(after_help = "Example: daypass inbox")]
    Inbox,
    /// Show a request, a grant, a session, a change, a notice or a kit
    #[command(after_help = "Example: daypass show request_0193...")]
    Show {
        /// Its id
        id: String,
    },
    /// Say yes to a request or a change
    #[command(after_help = "Example: daypass approve request_0193... --for 15m")]
    Approve(answering::ApproveArgs),
    /// Stand by what your own workload asks; that is no approval
    #[command(after_help = "Example: daypass confirm request_0193... --code 123456")]
    Confirm(answering::ConfirmArgs),
    /// Say no to a request
    #[command(after_help = "Example: daypass deny request_0193... --note \"use the replica\"")]
    Deny(answering::DenyArgs),
    /// Take your request back
    #[command(after_help = "Example: daypass withdraw request_0193...")]
    Withdraw {
        /// Its id
        id: String,
    },
    /// Take your approval back: a grant that rests on it ends
    #[command(after_help = "Example: daypass withdraw-approval request_0193...")]
    WithdrawApproval {
        /// The request's id
        id: String,
    },
    /// List what you hold
    #[command(after_help = "Example: daypass grants --all")]
    Grants {
        /// Everybody's, as far as you may see them
        #[arg(long)]
        all: bool,
    },
    /// Move a grant's deadline: judged again by the same rules
    #[command(after_help = "Example: daypass extend grant_0193... --by 15m")]
    Extend(grants::ExtendArgs),
    /// Give a grant back
    #[command(after_help = "Example: daypass release grant_0193...")]
    Release {
        /// Its id
        id: String,
    },
    /// Take access away, at the gateway and at the target
    #[command(after_help = "Example: daypass revoke --user alice --reason \"laptop stolen\"")]
    Revoke(grants::RevokeArgs),
    /// Start psql on a resource; asks when you hold no grant
    #[command(after_help = "Example: daypass connect orders --role readonly --reason \"Refund 4711\"")]
    Connect(connect::ConnectArgs),
    /// Ask for one statement; run it once it is granted, show its result, and give the grant back
    #[command(
        after_help = "Example: daypass exec orders --role readwrite --sql \"UPDATE accounts SET balance = 0 WHERE id = 7\" --reason \"Refund 4711\""
    )]
    Exec(exec::ExecArgs),
    /// Have the target estimate the statement of a request that waits for your answer
    #[command(after_help = "Example: daypass look request_0193...")]
    Look {
        /// The request's id
        id: String,
    },
    /// Serve an AI agent over the Model Context Protocol, as a workload: to list, ask, wait, run a statement, release
    #[command(after_help = "Example: daypass mcp --token-file ~/.config/daypass/agent.token")]
    Mcp(mcp::McpArgs),
    /// Run a program with a connection in its environment; releases the grant when it exits
    #[command(
        after_help = "Example: daypass run orders --role readwrite --reason \"migration\" -- bin/rails db:migrate"
    )]
    Run(connect::RunArgs),
    /// List sessions
    #[command(after_help = "Example: daypass sessions --all")]
    Sessions {
        /// Everybody's, as far as you may see them
        #[arg(long)]
        all: bool,
    },
    /// Look at a session, or end it
    #[command(subcommand, after_help = "Example: daypass session kill session_0193...")]
    Session(SessionVerb),
    /// Users
    #[command(subcommand, after_help = "Example: daypass user create bob")]
    User(people::UserVerb),
    /// Invite somebody: makes a user, in groups, and prints the link by which they come
    #[command(after_help = "Example: daypass invite bob --group dba --group oncall")]
    Invite(people::InviteArgs),
    /// Workloads
    #[command(subcommand, after_help = "Example: daypass workload create nightly --owner bob")]
    Workload(people::WorkloadVerb),
    /// Groups
    #[command(subcommand, after_help = "Example: daypass group add administrators bob")]
    Group(people::GroupVerb),
    /// Directories (Okta, Entra) that say who works here
    #[command(
        subcommand,
        after_help = "Example: daypass directory declare okta --connector okta-scim --group dba-team"
    )]
    Directory(directories::DirectoryVerb),
    /// Shared signals (SSF, CAEP, RISC): whose are heard, and what came of them
    #[command(
        subcommand,
        after_help = "Example: daypass signals add okta --issuer https://acme.okta.com --audience https://daypass.example.com --provider corp"
    )]
    Signals(signals::SignalsVerb),
    /// Emergency kits: a login for when Daypass is down, opened by two people together
    #[command(
        subcommand,
        after_help = "Example: daypass emergency-kit make orders --to alice.age-recipient --to bob.age-recipient"
    )]
    EmergencyKit(emergency::KitVerb),
    /// API tokens
    #[command(subcommand, after_help = "Example: daypass token create --scope read,request --lasts 7d")]
    Token(tokens::TokenVerb),
    /// Policies
    #[command(subcommand, after_help = "Example: daypass policy apply policies/ --dry-run")]
    Policy(policy::PolicyVerb),
    /// Whose word is taken for who somebody is: identity providers, tokens of workloads
    #[command(subcommand, after_help = "Example: daypass trust apply -f trust.toml --dry-run")]
    Trust(trust::TrustVerb),
    /// List changes that wait for a second administrator
    #[command(after_help = "Example: daypass changes --all")]
    Changes {
        /// Those that are over too
        #[arg(long)]
        all: bool,
    },
    /// Say no to a change, or take your own back
    #[command(after_help = "Example: daypass reject change_0193...")]
    Reject {
        /// Its id
        id: String,
    },
    /// List who was told what, and what came of it; try it
    #[command(after_help = "Example: daypass notices test bob --channel mail")]
    Notices(notices::NoticesArgs),
    /// The ledger: follow, export, verify offline
    #[command(subcommand, after_help = "Example: daypass ledger export log && daypass ledger verify log")]
    Ledger(ledger::LedgerVerb),
    // What people guess, and what messages say.
    /// List users and workloads
    #[command(hide = true, aliases = ["principals", "workloads"], after_help = "Example: daypass users")]
    Users,
    /// List groups
    #[command(hide = true, after_help = "Example: daypass groups")]
    Groups,
    /// List your tokens
    #[command(hide = true, after_help = "Example: daypass tokens")]
    Tokens,
    /// Print completions for a shell
    #[command(after_help = "Example: daypass completions bash > /etc/bash_completion.d/daypass")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Verbs of `session`.
#[derive(Debug, Clone, Subcommand)]
pub enum SessionVerb {
    /// Show one
    #[command(after_help = "Example: daypass session show session_0193...")]
    Show {
        /// Its id
        id: String,
    },
    /// End one, and leave its grant
    #[command(after_help = "Example: daypass session kill session_0193...")]
    Kill {
        /// Its id
        id: String,
    },
}

/// Does it.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let format = if cli.json { Format::Json } else { Format::People };
    match cli.verb {
        Verb::Serve(args) => serve::run(args).await,
        Verb::Demo(args) => {
            // It starts processes and waits for them.
            tokio::task::spawn_blocking(move || demo::run(&args)).await.map_err(Failure::setting)?
        }
        Verb::Backup(args) => serve::restore::backup(args).await,
        Verb::Restore(args) => serve::restore::restore(args).await,
        Verb::Completions { shell } => {
            let mut command = <Cli as clap::CommandFactory>::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "daypass", &mut script);
            say::line(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
        verb => {
            let mut context = Context::new(format)?;
            let done = dispatch::client_verb(&mut context, verb).await;
            // Whatever came of the verb: the log is followed, and what it shows goes first.
            match (done, context.follow().await) {
                (done, Ok(())) => done,
                (Ok(()), Err(evidence)) => Err(evidence),
                (Err(failure), Err(evidence)) => {
                    say::note(&format!("daypass: {failure}"));
                    Err(evidence)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_has_an_example() {
        let command = Cli::command();
        command.clone().debug_assert();
        for verb in command.get_subcommands() {
            has_example("daypass", verb);
        }
    }

    /// The example of a command begins with the command, and so do those of the commands below it.
    fn has_example(above: &str, verb: &clap::Command) {
        let name = format!("{above} {}", verb.get_name());
        let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains(&format!("Example: {name}")), "{name}: {help}");
        for below in verb.get_subcommands() {
            has_example(&name, below);
        }
    }

    #[test]
    fn the_help_documents_every_exit_code() {
        use crate::failure::Exit;
        let said = |exit: Exit| match exit {
            Exit::Other => "1 something else went wrong",
            Exit::Usage => "2 the command line",
            Exit::Refused => "3 policy or a person said no",
            Exit::Pending => "4 it waits for somebody",
            Exit::SignIn => "5 you aren't signed in",
            Exit::NotFound => "6 there is no such thing",
            Exit::Unavailable => "7 the server can't be reached",
            Exit::Evidence => "8 evidence doesn't hold",
        };
        let all = [
            Exit::Other,
            Exit::Usage,
            Exit::Refused,
            Exit::Pending,
            Exit::SignIn,
            Exit::NotFound,
            Exit::Unavailable,
            Exit::Evidence,
        ];
        for (code, exit) in (1..).zip(all) {
            assert_eq!(exit as u8, code);
            assert!(EXITS.replace('\n', " ").contains(said(exit)), "{exit:?}");
        }
    }

    #[test]
    fn documents_and_messages_name_commands_that_exist() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = vec![root.join("README.md")];
        for folder in ["docs", "crates"] {
            collect(&root.join(folder), &mut files);
        }
        let (mut wrong, mut seen) = (Vec::new(), 0);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let prose = file.extension().is_some_and(|e| e == "md");
            let spans = text.split('`').skip(1).step_by(2).filter(|span| !span.contains("\n"));
            let lines = text.lines().map(|line| line.trim().trim_start_matches("$ ")).filter(|_| prose);
            for said in spans.chain(lines).filter(|said| said.starts_with("daypass ")) {
                seen += 1;
                wrong.extend(unknown(said).map(|word| format!("{}: `{said}`: {word}", file.display())));
            }
        }
        assert!(seen > 50, "{seen} commands were found");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Every document, and every source file of what runs.
    fn collect(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let skipped = path.file_name().is_some_and(|n| n == "tests" || n == "target" || n == "cli.rs");
            if path.is_dir() && !skipped {
                collect(&path, files);
            } else if path.extension().is_some_and(|e| e == "md" || e == "rs") && !skipped {
                files.push(path);
            }
        }
    }

    /// The word of a command line that the program doesn't know: a verb, or an option of the verb. What follows two
    /// spaces or a hash explains it.
    fn unknown(said: &str) -> Option<&str> {
        let said = said.split("  ").next().and_then(|said| said.split(" #").next()).unwrap_or(said);
        let root = Cli::command();
        let mut command = &root;
        for word in said.split_whitespace().skip(1) {
            let word = word.trim_end_matches([',', ';', ')', '\\']);
            if matches!(word, "--" | "|" | ">" | "&&" | "help" | "...") {
                return None;
            }
            if let Some(long) = word.strip_prefix("--") {
                let known = command.get_arguments().chain(root.get_arguments()).any(|a| a.get_long() == Some(long));
                if !known && long != "help" && long != "version" {
                    return Some(word);
                }
            } else if let Some(below) = command.find_subcommand(word) {
                command = below;
            } else if command.has_subcommands() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
                return Some(word);
            }
        }
        None
    }
}
