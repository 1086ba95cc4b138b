//! From the order to revoke until nothing is left, at the client and at the target.

use super::daypass::all_gone;
use super::load::{COPY, Crowd, Ways};
use super::measure::{Busy, CROWD, End, Kind, Measure, Route};
use super::relay::{self, Relay};
use super::stage::{PATIENCE, io};
use super::stats::Samples;
use crate::shell::{Failure, fail};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// Sees the last backend go with the target's own eyes, and says when. Pauses, so as not to take the CPU from it.
const WATCH: &str = r"DO $$ BEGIN LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename LIKE 'daypass\_%');
    PERFORM pg_sleep(0.001);
  END LOOP; END $$;
  SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint";

/// A client that is about to lose its session.
enum Client {
    /// It looks at its socket: it ends when the session does.
    Psql(Box<Child>),
    /// It doesn't: the relay does.
    Relayed(Relay, Crowd),
}

/// Opens, revokes, and adds the milliseconds to those measures of `wanted` that are about it.
pub fn sample(ways: &mut Ways, busy: Busy, wanted: &[Measure], into: &mut Samples) -> Result<(), Failure> {
    ways.daypass.end_kept(&ways.postgres)?;
    let grant = ways.daypass.grant()?;
    let client = open(ways, busy)?;
    let target = watch(ways)?;
    let (client, ordered) = match client {
        Client::Psql(psql) => {
            let end = thread::spawn(move || ended(*psql));
            let ordered = ways.daypass.revoke(&grant)?;
            (end.join().map_err(|_| Failure("the watcher of psql died".into()))??, ordered)
        }
        Client::Relayed(relay, crowd) => {
            let ordered = ways.daypass.revoke(&grant)?;
            let closed = relay.last_closed(PATIENCE);
            drop(crowd);
            (closed.ok_or_else(|| Failure("a revoked session stayed open for a minute".into()))?, ordered)
        }
    };
    let target = target.join().map_err(|_| Failure("the watcher of the target died".into()))??;
    for measure in wanted {
        if let Kind::Revocation(of, end, _) = measure.kind
            && of == busy
        {
            let at = match end {
                End::Client => client,
                End::Target => target,
            };
            into.add(*measure, Route::Daypass, millis(at - ordered));
        }
    }
    all_gone(&ways.postgres)
}

// Differences of less than an hour: exact in a f64.
fn millis(micros: i64) -> f64 {
    Duration::from_micros(micros.unsigned_abs()).as_secs_f64() * 1e3 * if micros < 0 { -1.0 } else { 1.0 }
}

fn open(ways: &Ways, busy: Busy) -> Result<Client, Failure> {
    match busy {
        Busy::Idle => relayed(ways, 1),
        Busy::Crowd => relayed(ways, CROWD),
        Busy::Statement => psql(ways, &["-c", "SELECT pg_sleep(600)"], "SELECT pg_sleep"),
        // Again and again: one COPY might be over before the order comes.
        Busy::Copy => {
            let script: Vec<&str> = std::iter::repeat_n(["-c", COPY], 500).flatten().collect();
            psql(ways, &script, "COPY")
        }
    }
}

fn relayed(ways: &Ways, sessions: u32) -> Result<Client, Failure> {
    let relay = Relay::start(ways.daypass.port)?;
    let mut pgbench = ways.client(Route::Daypass, "pgbench");
    pgbench.env("PGPORT", relay.port.to_string());
    let crowd = ways.crowd(pgbench, sessions)?;
    Ok(Client::Relayed(relay, crowd))
}

fn psql(ways: &Ways, arguments: &[&str], running: &str) -> Result<Client, Failure> {
    let mut psql = ways.client(Route::Daypass, "psql");
    psql.args(["-X", "-q"]).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = psql.spawn().map_err(io("start psql"))?;
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'daypass\\_%' AND state = 'active' AND query LIKE '{running}%'"
    );
    let mut client = Client::Psql(Box::new(child));
    if let Err(failure) = wait_for(ways, &sql) {
        if let Client::Psql(child) = &mut client {
            let _ = child.kill();
        }
        return Err(failure);
    }
    Ok(client)
}

/// When psql ended, in microseconds since 1970.
fn ended(mut psql: Child) -> Result<i64, Failure> {
    let status = psql.wait().map_err(io("wait for psql"))?;
    let at = relay::now();
    if status.success() { fail("psql ended by itself before it was revoked") } else { Ok(at) }
}

/// Starts watching at the target; gives when no backend was left, in microseconds since 1970.
fn watch(ways: &Ways) -> Result<JoinHandle<Result<i64, Failure>>, Failure> {
    let mut psql: Command = ways.postgres.superuser("psql");
    psql.env_remove("PGHOSTADDR")
        .env("PGAPPNAME", "watch")
        .args(["-X", "-q", "-A", "-t", "-d", "postgres", "-c", WATCH]);
    let watcher = thread::spawn(move || {
        let said = crate::shell::output(&mut psql)?;
        let at = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        at.and_then(|at| at.parse().ok()).ok_or_else(|| Failure(format!("the watcher at the target said: {said}")))
    });
    wait_for(ways, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'watch' AND query LIKE 'DO%'")?;
    Ok(watcher)
}

/// Waits until a count at the target isn't zero.
fn wait_for(ways: &Ways, count: &str) -> Result<(), Failure> {
    let until = Instant::now() + PATIENCE;
    while ways.postgres.sql("postgres", count)? == "0" {
        if Instant::now() > until {
            return fail(format!("this stayed zero at the target for a minute: {count}"));
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
