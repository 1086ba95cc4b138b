//! `daypass demo`: the story, played with real clients on a real PostgreSQL.

mod forge;
mod stage;

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use daypass_api::{grants::Receipt, requests::Answered};

use self::stage::{Person, Stage, indented, prompt};
use crate::{
    failure::{Exit, Failure},
    say,
};

/// What `daypass demo` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Leave PostgreSQL and Daypass running at the end
    #[arg(long)]
    pub keep: bool,
}

/// Runs for a while, and does not commit: two thousand rows at two milliseconds each.
const LONG_UPDATE: &str = "UPDATE accounts SET balance = balance - 100 WHERE id > 0 AND pg_sleep(0.005) IS NOT NULL";

/// Plays it.
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    let began = Instant::now();
    let folder = tempfile::Builder::new().prefix("daypass-demo-").tempdir().map_err(Failure::setting)?;
    act("A database on which nobody has standing rights");
    let stage = Stage::set(folder.path())?;
    let (ada, bob, alice) = (stage.person("ada"), stage.person("bob"), stage.person("alice"));
    scene("a throwaway PostgreSQL and a Daypass on its defaults are running; this is everybody who may log in there:");
    let logins = "SELECT rolname || case when rolsuper then ' (superuser, local only)' else '' end \
                  FROM pg_roles WHERE rolcanlogin ORDER BY 1";
    indented(stage.at_target(logins)?.as_bytes());
    people(&stage, &ada, &bob, &alice)?;

    act("Refused, with a hint that says how to ask");
    refused(&alice)?;

    act("A request, and an approval by somebody else");
    let grant = granted(&bob, &alice)?;

    act("A live session");
    let login = live(&stage, &alice)?;

    act("Revoked while a long UPDATE runs");
    revoked(&stage, &ada, &alice, &grant, &login)?;

    act("What happened can be checked by anyone, offline");
    let exported = verified(&stage, &ada)?;

    act("Rewritten, and signed again with the real key");
    forged(&stage, &ada, &exported)?;

    say::line("");
    say::line(&format!("That was the whole of it, in {:.1} s.", began.elapsed().as_secs_f32()));
    by_hand(stage, folder, args)
}

fn act(title: &str) {
    say::line("");
    if say::colours() {
        say::line(&format!("\u{1b}[1;36m== {title}\u{1b}[0m"));
    } else {
        say::line(&format!("== {title}"));
    }
}

fn scene(text: &str) {
    say::line(&format!("  {text}"));
}

/// Three people: one administers, one approves, one works.
fn people(stage: &Stage, ada: &Person, bob: &Person, alice: &Person) -> Result<(), Failure> {
    let server = format!("https://{}", stage.server.api.replace("127.0.0.1", "localhost"));
    ada.quietly(&["setup", "--server", &server, "--name", "ada", &stage.server.setup_token])?;
    let authority = ada.profile.join("authority.pem");
    let authority = authority.to_string_lossy();
    for person in [bob, alice] {
        let made = ada.quietly(&["--json", "user", "create", person.name])?;
        let code = invitation(&made)?;
        person.quietly(&["accept", "--server", &server, "--authority", &authority, &code])?;
        person.quietly(&["login", "--server", &server, "--authority", &authority, "--user", person.name])?;
    }
    let file = stage.resource_file()?;
    ada.quietly(&["apply", "-f", &file.to_string_lossy()])?;
    scene("ada administers Daypass, bob and alice work here; the database is declared, labelled production and pii.");
    Ok(())
}

fn invitation(json: &str) -> Result<String, Failure> {
    let value: serde_json::Value = serde_json::from_str(json).map_err(Failure::setting)?;
    let code = find_text(&value, "code");
    code.ok_or_else(|| Failure::setting("no invitation came of creating a user"))
}

/// The first text under a key, however deep.
fn find_text(value: &serde_json::Value, key: &str) -> Option<String> {
    match value {
        serde_json::Value::Object(map) => map
            .get(key)
            .and_then(|v| v.as_str().map(ToOwned::to_owned))
            .or_else(|| map.values().find_map(|v| find_text(v, key))),
        serde_json::Value::Array(items) => items.iter().find_map(|v| find_text(v, key)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => None,
    }
}

/// What psql is started with; the saved connection is the same for ever.
fn psql(alice: &Person, arguments: &[&str]) -> Result<Command, Failure> {
    let string = alice.quietly(&["connect", "orders", "--print"])?;
    let mut command = Command::new("psql");
    alice.dress(&mut command);
    command.env("PGPASSFILE", alice.profile.join("pgpass")).arg(string.trim()).args(["-X", "-q"]).args(arguments);
    Ok(command)
}

fn refused(alice: &Person) -> Result<(), Failure> {
    prompt("alice", "psql \"$(daypass connect orders --print)\"");
    let output = psql(alice, &["-c", "SELECT 1"])?.output().map_err(no_psql)?;
    indented(&output.stderr);
    if output.status.success() {
        return Err(wrong("psql was let in without a grant"));
    }
    Ok(())
}

fn granted(bob: &Person, alice: &Person) -> Result<String, Failure> {
    let ask = ["request", "orders", "--role", "readwrite", "--for", "30m", "--reason", "Refund order 4711"];
    alice.shows(&ask)?;
    let mine = alice.quietly(&["--json", "requests"])?;
    let id = find_text(&serde_json::from_str(&mine).map_err(Failure::setting)?, "id");
    let id = id.ok_or_else(|| wrong("the request isn't listed"))?;
    alice.shows(&["approve", &id])?;
    scene("Nobody approves what they asked for. Somebody else does:");
    let answered = bob.quietly(&["--json", "approve", &id])?;
    prompt("bob", &format!("daypass approve {id}"));
    let answered: Answered = serde_json::from_str(&answered).map_err(Failure::setting)?;
    let daypass_api::requests::Outcome::Granted { grant } = answered.outcome else {
        return Err(wrong("the approval didn't open a grant"));
    };
    indented(format!("granted: {}", grant.id).as_bytes());
    Ok(grant.id.to_string())
}

fn live(stage: &Stage, alice: &Person) -> Result<String, Failure> {
    let sql = "SELECT current_user, count(*) AS accounts, sum(balance) AS balance FROM accounts";
    prompt("alice", &format!("psql \"$(daypass connect orders --print)\" -c \"{sql}\""));
    let output = psql(alice, &["-c", sql])?.output().map_err(no_psql)?;
    indented(&output.stderr);
    indented(&output.stdout);
    if !output.status.success() {
        return Err(wrong("psql wasn't let in under a grant"));
    }
    scene("The same connection as before. The login exists only for this grant, and only now:");
    let login = stage.at_target("SELECT rolname FROM pg_roles WHERE rolname LIKE 'daypass%alice'")?;
    indented(login.as_bytes());
    Ok(login)
}

fn revoked(stage: &Stage, ada: &Person, alice: &Person, grant: &str, login: &str) -> Result<(), Failure> {
    prompt("alice", &format!("psql ... -c \"{LONG_UPDATE}\""));
    let update =
        psql(alice, &["-c", LONG_UPDATE])?.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(no_psql)?;
    wait_for_update(stage, login)?;
    // Watches at the target, by the target's own eyes, for the moment when no backend of the login is left.
    let watch = format!(
        "DO $$ BEGIN LOOP \
           PERFORM pg_stat_clear_snapshot(); \
           EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename = '{login}'); \
           PERFORM pg_sleep(0.0005); \
         END LOOP; END $$; \
         SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint"
    );
    let (client, target, receipt) = thread::scope(|scope| {
        let client = scope.spawn(|| end_of(update));
        let target = scope.spawn(|| stage.at_target(&watch));
        thread::sleep(Duration::from_millis(300));
        prompt("ada", &format!("daypass revoke {grant} --reason \"wrong customer\""));
        let receipt = ada.quietly(&["--json", "revoke", grant, "--reason", "wrong customer"]);
        (client.join(), target.join(), receipt)
    });
    let panicked = |_| wrong("a watcher died");
    let (client_us, said) = client.map_err(panicked)??;
    let target_us: i64 =
        target.map_err(panicked)??.lines().last().unwrap_or("").trim().parse().map_err(Failure::setting)?;
    let receipt: Receipt = serde_json::from_str(&receipt?).map_err(Failure::setting)?;
    scene("alice's psql says:");
    indented(&said);
    let ordered = receipt.ordered.micros();
    let ms = |us: i64| (us - ordered) as f64 / 1000.0;
    scene(&format!("from revoke to dead:  {:6.1} ms  until alice's psql had ended", ms(client_us)));
    scene(&format!("                      {:6.1} ms  until the database had no backend of hers", ms(target_us)));
    let sum = stage.at_target("SELECT sum(balance) FROM accounts")?;
    scene(&format!("the sum of all balances is still {sum}: nothing was committed"));
    if sum != "200000" {
        return Err(wrong("something of the UPDATE was committed"));
    }
    confirmed(stage, ada, grant, login)
}

fn wait_for_update(stage: &Stage, login: &str) -> Result<(), Failure> {
    let until = Instant::now() + Duration::from_secs(10);
    let running = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{login}' AND query LIKE 'UPDATE%'");
    while stage.at_target(&running)? == "0" {
        if Instant::now() > until {
            return Err(wrong("the UPDATE never began"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// When the program ended, in microseconds since 1970, and what it had said.
fn end_of(child: Child) -> Result<(i64, Vec<u8>), Failure> {
    let output = child.wait_with_output().map_err(Failure::setting)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if output.status.success() {
        return Err(wrong("the UPDATE ended by itself before it was revoked"));
    }
    Ok((i64::try_from(now.as_micros()).unwrap_or(i64::MAX), output.stderr))
}

fn confirmed(stage: &Stage, ada: &Person, grant: &str, login: &str) -> Result<(), Failure> {
    let until = Instant::now() + Duration::from_secs(10);
    while !ada.quietly(&["--json", "show", grant])?.contains("\"confirmation\"") {
        if Instant::now() > until {
            return Err(wrong("the end wasn't confirmed"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    ada.shows(&["show", grant])?;
    let left = stage.at_target(&format!("SELECT count(*) FROM pg_roles WHERE rolname = '{login}'"))?;
    scene(&format!("logins of that name at the database: {left}"));
    if left != "0" {
        return Err(wrong("the login is still there"));
    }
    Ok(())
}

fn verified(stage: &Stage, ada: &Person) -> Result<String, Failure> {
    let exported = stage.folder().join("log").to_string_lossy().into_owned();
    ada.shows(&["ledger", "export", &exported])?;
    let output = ada.shows(&["ledger", "verify", &exported])?;
    if !output.status.success() {
        return Err(wrong("the honest log didn't verify"));
    }
    Ok(exported)
}

fn forged(stage: &Stage, ada: &Person, exported: &str) -> Result<(), Failure> {
    let signer = forge::steal_key(&stage.config(), &stage.data())?;
    let forged = stage.folder().join("forged");
    let checkpoint = std::fs::read(Path::new(exported).join("checkpoint")).map_err(Failure::setting)?;
    let head = daypass_ledger::SignedCheckpoint::parse(&checkpoint).map_err(Failure::evidence)?;
    let size = head.unverified().size;
    let entry = forge::rewrite(Path::new(exported), &forged, size, &signer, "grant.ended")?;
    scene(&format!(
        "An intruder with the server's own keys turns entry {entry}, grant.ended, into a sign-in, and signs."
    ));
    let forged = forged.to_string_lossy();
    scene("Taken by itself, the copy is perfect:");
    let alone = ada.shows(&["ledger", "verify", "--without-checkpoint", &forged])?;
    scene("Against the checkpoint that ada's client kept all along:");
    let known = ada.shows(&["ledger", "verify", &forged])?;
    if !alone.status.success() || known.status.success() {
        return Err(wrong("the forged copy wasn't told from the honest one"));
    }
    Ok(())
}

fn by_hand(stage: Stage, folder: tempfile::TempDir, args: &DemoArgs) -> Result<(), Failure> {
    say::line("");
    if !args.keep {
        say::line("Everything is stopped and removed now. To go on by hand, run it again with --keep:");
        say::line("  cargo xtask demo --keep");
        return Ok(());
    }
    let kept = folder.keep();
    let program = std::env::current_exe().map_err(Failure::setting)?;
    let (program, kept_shown) = (program.display(), kept.display());
    say::line("PostgreSQL and Daypass are still running. Go on by hand, as alice in one terminal and bob in another:");
    say::line(&format!("  export DAYPASS_PROFILE={kept_shown}/alice     # or bob, or ada"));
    say::line(&format!("  alias daypass={program}"));
    say::line("  daypass request orders --role readonly --for 10m --reason \"looking around\"");
    say::line("  daypass inbox                                # as bob; then: daypass approve request_...");
    say::line("  daypass connect orders");
    say::line("  daypass sessions");
    say::line("");
    say::line(&format!(
        "  psql as the superuser:  PGPASSWORD={} psql -h 127.0.0.1 -p {} -U postgres orders",
        stage.postgres.superuser_password(),
        stage.postgres.port()
    ));
    say::line("Ctrl-C ends everything and removes it.");
    wait_for_interrupt();
    drop(stage);
    std::fs::remove_dir_all(&kept).map_err(|e| Failure::file(&kept, &e))
}

fn wait_for_interrupt() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    if let Ok(runtime) = runtime {
        let _ = runtime.block_on(tokio::signal::ctrl_c());
    }
}

fn no_psql(why: std::io::Error) -> Failure {
    Failure::new(Exit::Usage, format!("psql can't be started: {why}"), "install the Debian package postgresql-client")
}

fn wrong(what: &str) -> Failure {
    Failure::new(Exit::Other, format!("the demo went wrong: {what}"), "please report it")
}
