//! How fast it is, beside what else could stand there.

mod daypass;
mod load;
mod measure;
mod parse;
mod people;
mod postgres;
mod proxies;
mod relay;
mod report;
mod revoke;
mod stage;
mod stats;

use crate::setup::{self, For};
use crate::shell::{Failure, cargo, fail, output, root, run as shell_run};
use load::{COPY, Ways};
use measure::{Busy, Kind, Load, Measure, Route, Wait};
use report::Circumstances;
use stats::Samples;
use std::fs;
use std::path::PathBuf;
use std::process::Command as Process;
use std::time::Instant;

pub const COMMAND: crate::Command = crate::Command {
    name: "bench",
    summary: "Measure Daypass beside direct TLS, HAProxy and pgbouncer, and write docs/performance.md",
    help: "\
Usage: cargo xtask bench [--json] [--only NAME] [--rounds N] [--seconds N] [--program PATH]

Builds a release, starts a throwaway PostgreSQL, pgbouncer, HAProxy and Daypass on free ports, and measures them in
interleaved rounds. A whole run of at least 15 rounds takes about a quarter of an hour and writes docs/performance.md; let
the machine do nothing else meanwhile. Everything is stopped and removed in the end.

  --json          print a row of JSON for each measure: name, value, unit, goal, met
  --only NAME     measure one, or those whose name begins with NAME and a dash; writes no page
  --rounds N      how many rounds (15); with fewer no page is written
  --seconds N     how long each run of pgbench takes (1)
  --program PATH  measure this `daypass` and build none

Measures: simple-1 prepared-1 simple-16 prepared-16 copy-out connect cpu memory revoke-idle-client revoke-idle-target
revoke-statement-client revoke-statement-target revoke-copy-client revoke-copy-target revoke-200-client revoke-200-target
ask-to-grant page-first-byte

Examples:
  cargo xtask bench                                     everything
  cargo xtask bench --only simple --rounds 5            pgbench with simple statements, a first look
  cargo xtask bench --only revoke-idle --json           revoking an idle session, for a program to read
",
    run,
};

/// Fewer rounds say nothing on a machine that others use too.
const ROUNDS: u32 = 15;

#[derive(Debug, PartialEq)]
struct Options {
    output: Output,
    only: Option<String>,
    rounds: u32,
    seconds: u32,
    program: Option<PathBuf>,
}

#[derive(Debug, PartialEq)]
enum Output {
    Tables,
    Json,
}

fn run(args: &[String]) -> Result<(), Failure> {
    let options = options(args)?;
    let wanted = measure::chosen(options.only.as_deref());
    if wanted.is_empty() {
        let names: Vec<_> = measure::MEASURES.iter().map(|measure| measure.name).collect();
        return fail(format!("there is no such measure; there are {}", names.join(", ")));
    }
    setup::ensure(&[For::Bench])?;
    let (program, origin) = match &options.program {
        Some(program) => (std::path::absolute(program).map_err(stage::io("find the program"))?, given()),
        None => (build()?, built()),
    };
    let mut ways = start(program)?;
    let mut samples = Samples::default();
    measure_all(&mut ways, &options, &wanted, &mut samples)?;
    match options.output {
        Output::Json => print!("{}", report::json(&samples, &wanted)),
        Output::Tables => println!("{}", report::tables(&samples, &wanted)),
    }
    if options.only.is_some() || options.rounds < ROUNDS {
        eprintln!("docs/performance.md is as it was: it takes every measure, and at least {ROUNDS} rounds.");
        return Ok(());
    }
    let page = report::page(&samples, &circumstances(&ways, &options, origin)?);
    fs::write(root().join("docs/performance.md"), page).map_err(stage::io("write docs/performance.md"))?;
    eprintln!("Wrote docs/performance.md.");
    Ok(())
}

fn options(args: &[String]) -> Result<Options, Failure> {
    let mut options = Options { output: Output::Tables, only: None, rounds: ROUNDS, seconds: 1, program: None };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().cloned().ok_or_else(|| Failure(format!("`{arg}` needs a value")));
        match arg.as_str() {
            "--json" => options.output = Output::Json,
            "--only" => options.only = Some(value()?),
            "--rounds" => options.rounds = count(arg, &value()?)?,
            "--seconds" => options.seconds = count(arg, &value()?)?,
            "--program" => options.program = Some(value()?.into()),
            other => return fail(format!("`{other}` is none of --json, --only, --rounds, --seconds, --program")),
        }
    }
    Ok(options)
}

fn count(name: &str, text: &str) -> Result<u32, Failure> {
    match text.parse() {
        Ok(number @ 1..=1000) => Ok(number),
        Ok(_) | Err(_) => fail(format!("`{name}` takes a number from 1 to 1000, not `{text}`")),
    }
}

/// A release, without the link-time optimisation of what is shipped: that takes long, and is not what is being changed.
fn build() -> Result<PathBuf, Failure> {
    eprintln!("The first release build takes some minutes.");
    shell_run(&mut cargo(&["build", "--release", "--workspace", "--bin", "daypass"]))?;
    let metadata = output(&mut cargo(&["metadata", "--no-deps", "--format-version=1"]))?;
    let target = parse::text(&metadata, "target_directory");
    let target = target.ok_or_else(|| Failure("cargo metadata names no target_directory".into()))?;
    Ok(PathBuf::from(target).join("release/daypass"))
}

/// What was built just now. Others may commit while this runs, so it is asked at once.
fn built() -> String {
    let mut git = Process::new("git");
    let commit = output(git.args(["describe", "--always", "--dirty", "--exclude=*"]).current_dir(root()));
    commit.map_or("an unknown commit".to_owned(), |commit| format!("commit {}", commit.trim()))
}

/// What we didn't build.
fn given() -> String {
    "a program that was given with --program".to_owned()
}

/// Starts everything.
fn start(program: PathBuf) -> Result<Ways, Failure> {
    let stage = stage::Stage::set()?;
    eprintln!("Starting PostgreSQL, HAProxy, pgbouncer and Daypass in {}.", stage.path("").display());
    let postgres = postgres::Postgres::start(&stage)?;
    let plans = [proxies::haproxy(&stage, &postgres)?, proxies::pgbouncer(&stage, &postgres)?];
    let haproxy = Some(plans[0].start(&stage)?);
    let pgbouncer = Some(plans[1].start(&stage)?);
    let daypass = daypass::Daypass::start(&stage, &postgres, program)?;
    let ticks = output(Process::new("getconf").arg("CLK_TCK"))?;
    let ticks = ticks.trim().parse().map_err(|_| Failure(format!("getconf says that CLK_TCK is `{ticks}`")))?;
    let mut ways = Ways { haproxy, pgbouncer, daypass, plans, postgres, stage, ticks, copied: 0.0 };
    ways.daypass.keep_granted(&ways.postgres)?;
    // Each way once, which also shows that all of them work before the clock runs.
    for route in Route::ALL {
        let mut copy = ways.client(route, "psql");
        let copied = output(copy.args(["-X", "-q", "-c", COPY]))?.len();
        // Sizes below 2^53: exact.
        #[allow(clippy::cast_precision_loss)]
        let copied = copied as f64;
        if ways.copied != 0.0 && copied != ways.copied {
            return fail(format!("COPY gave {copied} bytes by {}, and {} directly", route.name(), ways.copied));
        }
        ways.copied = copied;
    }
    Ok(ways)
}

fn measure_all(ways: &mut Ways, options: &Options, wanted: &[Measure], samples: &mut Samples) -> Result<(), Failure> {
    let (loads, states) = plan(wanted);
    let began = Instant::now();
    for round in 0..options.rounds {
        eprintln!("Round {} of {}, after {} s.", round + 1, options.rounds, began.elapsed().as_secs());
        for load in &loads {
            ways.daypass.keep_granted(&ways.postgres)?;
            for route in order(round) {
                ways.sample(*load, route, options.seconds, wanted, samples)?;
            }
        }
        for busy in &states {
            revoke::sample(ways, *busy, wanted, samples)?;
        }
        for measure in wanted {
            match measure.kind {
                Kind::Waiting(Wait::Grant, _) => people::grants(&ways.daypass, *measure, samples)?,
                Kind::Waiting(Wait::Page, _) => people::pages(&ways.daypass, *measure, samples)?,
                Kind::Rate(..) | Kind::Cost(_) | Kind::Revocation(..) => {}
            }
        }
    }
    Ok(())
}

/// What has to be run for the measures: several may look at one load.
fn plan(wanted: &[Measure]) -> (Vec<Load>, Vec<Busy>) {
    let (mut loads, mut states) = (Vec::new(), Vec::new());
    for measure in wanted {
        if let Some(load) = measure.load().filter(|load| !loads.contains(load)) {
            loads.push(load);
        }
        if let Some(busy) = measure.busy().filter(|busy| !states.contains(busy)) {
            states.push(busy);
        }
    }
    (loads, states)
}

/// Another way first in each round: whoever comes first may find a colder machine.
fn order(round: u32) -> [Route; 4] {
    let mut routes = Route::ALL;
    routes.rotate_left(round as usize % Route::ALL.len());
    routes
}

fn circumstances(ways: &Ways, options: &Options, origin: String) -> Result<Circumstances, Failure> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let versions = vec![
        format!("PostgreSQL {}", ways.postgres.version()?),
        ways.plans[0].version()?,
        ways.plans[1].version()?,
        ways.daypass.version()?,
    ];
    Ok(Circumstances {
        cpu: cpu.unwrap_or("an unknown processor").to_owned(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        versions,
        rounds: options.rounds,
        seconds: options.seconds,
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::measure::chosen;
    use super::*;

    fn parsed(args: &[&str]) -> Result<Options, Failure> {
        options(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let given = parsed(&["--json", "--only", "cpu", "--rounds", "20"]).unwrap();
        let only = Some("cpu".to_owned());
        assert_eq!(given, Options { output: Output::Json, only, rounds: 20, seconds: 1, program: None });
        assert_eq!(parsed(&[]).unwrap().rounds, ROUNDS);
        for bad in [&["--rounds"][..], &["--rounds", "0"], &["--rounds", "many"], &["--fast"]] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_load_is_run_once_for_all_measures_of_it() {
        let (loads, states) = plan(&chosen(None));
        assert_eq!((loads.len(), states.len()), (7, 4));
        assert_eq!(plan(&chosen(Some("cpu"))).0, [Load::Select(measure::Protocol::Simple, 16)]);
        assert_eq!(plan(&chosen(Some("revoke-idle"))), (Vec::new(), vec![Busy::Idle]));
    }

    #[test]
    fn every_way_is_first_in_turn() {
        let first: Vec<_> = (0..4).map(|round| order(round)[0]).collect();
        assert_eq!(first, Route::ALL);
    }

    #[test]
    fn the_help_names_every_measure() {
        for measure in measure::MEASURES {
            assert!(COMMAND.help.contains(measure.name), "{}", measure.name);
        }
    }
}
