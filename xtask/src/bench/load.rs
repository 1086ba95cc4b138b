//! One load by one way, once.

use super::daypass::Daypass;
use super::measure::{CROWD, Kind, Load, Measure, Protocol, Route};
use super::parse;
use super::postgres::Postgres;
use super::proxies::{Peer, Plan};
use super::stage::{PATIENCE, RunAs, Server, Stage, io, write};
use super::stats::Samples;
use crate::shell::{Failure, fail, line, output};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Everything that runs.
pub struct Ways {
    // In the order in which they are stopped: proxies before their target, all before the folder.
    pub haproxy: Option<Peer>,
    pub pgbouncer: Option<Peer>,
    pub daypass: Daypass,
    pub plans: [Plan; 2],
    pub postgres: Postgres,
    pub stage: Stage,
    /// Clock ticks a second, in which the kernel counts CPU time.
    pub ticks: f64,
    /// How many bytes the COPY gives.
    pub copied: f64,
}

/// What a session does that shall be idle: one statement, so that every proxy has a backend for it, then nothing. pgbench
/// counts microseconds in 32 bits.
const IDLE: &str = "SELECT 1;\n\\sleep 1800 s\n";
pub const COPY: &str = "COPY pgbench_accounts TO STDOUT";

impl Ways {
    /// A client program that goes this way.
    pub fn client(&self, route: Route, program: &str) -> Command {
        let mut client = self.postgres.client(program);
        let peer = match route {
            Route::Direct => None,
            Route::Haproxy => self.haproxy.as_ref(),
            Route::Pgbouncer => self.pgbouncer.as_ref(),
            Route::Daypass => {
                self.daypass.aim(&mut client);
                None
            }
        };
        if let Some(peer) = peer {
            client.env("PGPORT", peer.port.to_string());
        }
        client
    }

    /// The process of a proxy.
    fn server(&self, route: Route) -> Option<&Server> {
        match route {
            Route::Direct => None,
            Route::Haproxy => self.haproxy.as_ref().map(|peer| &peer.server),
            Route::Pgbouncer => self.pgbouncer.as_ref().map(|peer| &peer.server),
            Route::Daypass => self.daypass.server.as_ref(),
        }
    }

    /// Runs a load by one way, and adds what it says to those measures of `wanted` that are about it.
    pub fn sample(
        &mut self,
        load: Load,
        route: Route,
        seconds: u32,
        wanted: &[Measure],
        into: &mut Samples,
    ) -> Result<(), Failure> {
        let (rate, cost) = match load {
            Load::Select(protocol, clients) => {
                let mut pgbench = self.client(route, "pgbench");
                let mode = match protocol {
                    Protocol::Simple => "simple",
                    Protocol::Prepared => "prepared",
                };
                pgbench.args(["-M", mode, "-c", &clients.to_string()]);
                let (said, cpu) = self.select(pgbench, route, seconds)?;
                (said.tps, cpu.map(|cpu| cpu / said.transactions * 100_000.0))
            }
            Load::Connect => {
                let mut pgbench = self.client(route, "pgbench");
                pgbench.args(["-C", "-c", "1"]);
                (self.select(pgbench, route, seconds)?.0.tps, None)
            }
            Load::CopyOut => {
                let mut psql = self.client(route, "psql");
                psql.args(["-X", "-q", "-c", COPY]);
                (self.copied / 1e6 / timed(&mut psql)?, None)
            }
            Load::Idle => (0.0, self.idle(route)?),
        };
        for measure in wanted.iter().filter(|measure| measure.load() == Some(load)) {
            match (measure.kind, cost) {
                (Kind::Rate(..), _) => into.add(*measure, route, rate),
                (Kind::Cost(_), Some(cost)) => into.add(*measure, route, cost),
                // Without a proxy there is no process to ask.
                (Kind::Cost(_), None) | (Kind::Revocation(..) | Kind::Waiting(..), _) => {}
            }
        }
        Ok(())
    }

    /// Runs `pgbench -S`; and tells the CPU seconds of the proxy meanwhile.
    fn select(
        &self,
        mut pgbench: Command,
        route: Route,
        seconds: u32,
    ) -> Result<(parse::Pgbench, Option<f64>), Failure> {
        let cpu = || self.server(route).map(|server| server.cpu(self.ticks)).transpose();
        let before = cpu()?;
        let said = output(pgbench.args(["-S", "-n", "-T", &seconds.to_string()]))?;
        let cpu = cpu()?.zip(before).map(|(after, before)| after - before);
        let read = parse::pgbench(&said).ok_or_else(|| Failure(format!("pgbench said by {}: {said}", route.name())))?;
        Ok((read, cpu))
    }

    /// The memory of an idle session, of a proxy that is started for it: one that had more sessions before keeps what
    /// they had, and would seem to need nothing.
    fn idle(&mut self, route: Route) -> Result<Option<f64>, Failure> {
        if route == Route::Direct {
            return Ok(None);
        }
        self.restart(route)?;
        // A few first: what the first sessions of all bring in is no session's.
        drop(self.crowd(self.client(route, "pgbench"), 8)?);
        self.wait_backends(0)?;
        let Some(before) = self.server(route).map(Server::memory).transpose()? else { return Ok(None) };
        let crowd = self.crowd(self.client(route, "pgbench"), CROWD)?;
        sleep(Duration::from_millis(200));
        let after = self.server(route).map(Server::memory).transpose()?;
        drop(crowd);
        self.wait_backends(0)?;
        Ok(after.map(|after| (after - before) / f64::from(CROWD)))
    }

    fn restart(&mut self, route: Route) -> Result<(), Failure> {
        let [haproxy, pgbouncer] = &self.plans;
        match route {
            Route::Direct => {}
            Route::Haproxy => {
                self.haproxy = None;
                self.haproxy = Some(haproxy.start(&self.stage)?);
            }
            Route::Pgbouncer => {
                self.pgbouncer = None;
                self.pgbouncer = Some(pgbouncer.start(&self.stage)?);
            }
            Route::Daypass => self.daypass.serve(&self.stage)?,
        }
        Ok(())
    }

    /// So many idle sessions of one pgbench, each with a backend.
    pub fn crowd(&self, mut pgbench: Command, sessions: u32) -> Result<Crowd, Failure> {
        let script = self.stage.path("idle.sql");
        write(&script, IDLE, RunAs::Us)?;
        pgbench.args(["-n", "-t", "1", "-c", &sessions.to_string(), "-f"]).arg(&script);
        pgbench.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let shown = line(&pgbench);
        let child = pgbench.spawn().map_err(|error| Failure(format!("`{shown}` did not start: {error}")))?;
        let mut crowd = Crowd { child };
        let idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle' AND query LIKE 'SELECT 1;%'";
        let until = Instant::now() + PATIENCE;
        while self.postgres.sql("postgres", idle)? != sessions.to_string() {
            let ended = crowd.child.try_wait().map_err(io("wait for pgbench"))?;
            if ended.is_some() || Instant::now() > until {
                return fail(format!("{sessions} sessions were not opened by `{shown}`"));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(crowd)
    }

    /// Waits until so many sessions of a crowd are left; pgbouncer keeps backends, without a client's name.
    fn wait_backends(&self, count: u32) -> Result<(), Failure> {
        let left = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'daypass\\_%'";
        let until = Instant::now() + PATIENCE;
        while self.postgres.sql("postgres", left)? != count.to_string() {
            if Instant::now() > until {
                return fail("sessions were left at the target after their client had ended");
            }
            sleep(Duration::from_millis(50));
        }
        // The others end with their sockets.
        sleep(Duration::from_millis(200));
        Ok(())
    }
}

/// Idle sessions, until this is dropped.
pub struct Crowd {
    child: Child,
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many seconds a program takes whose output goes nowhere. What it says on the side is only told when it fails:
/// Daypass greets, and that shall cost no terminal's time.
fn timed(command: &mut Command) -> Result<f64, Failure> {
    let shown = line(command);
    let began = Instant::now();
    let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).output().map_err(io("run psql"))?;
    let took = began.elapsed().as_secs_f64();
    if ended.status.success() {
        return Ok(took);
    }
    fail(format!("`{shown}` failed ({}): {}", ended.status, String::from_utf8_lossy(&ended.stderr).trim()))
}
