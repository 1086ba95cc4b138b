//! What came of it: rows of JSON, and a page.

use super::measure::{Goal, Kind, MEASURES, Measure, Route};
use super::stats::{Samples, percentile};
use std::fmt::Write;

/// Where and how it was measured.
pub struct Circumstances {
    pub cpu: String,
    pub cores: usize,
    pub versions: Vec<String>,
    pub rounds: u32,
    pub seconds: u32,
    /// What Daypass was built from.
    pub origin: String,
}

/// The number that a measure is judged by: the ratio to pgbouncer, seconds or KB of Daypass, milliseconds.
pub fn value(samples: &Samples, measure: Measure) -> Option<f64> {
    match measure.kind {
        Kind::Rate(..) => samples.ratio(measure, Route::Daypass, Route::Pgbouncer),
        Kind::Cost(_) | Kind::Revocation(..) | Kind::Waiting(..) => samples.median(measure, Route::Daypass),
    }
}

fn unit(measure: Measure) -> &'static str {
    match measure.kind {
        Kind::Rate(..) => "ratio to pgbouncer",
        Kind::Cost(_) | Kind::Revocation(..) | Kind::Waiting(..) => measure.unit,
    }
}

/// One object a line.
pub fn json(samples: &Samples, measures: &[Measure]) -> String {
    let mut out = String::new();
    for measure in measures {
        let Some(value) = value(samples, *measure) else { continue };
        let goal = measure.goal();
        let number = goal.map_or("null".to_owned(), |goal| goal.number().to_string());
        let met = goal.map_or("null".to_owned(), |goal| goal.met(value).to_string());
        let medians: Vec<_> = Route::ALL
            .into_iter()
            .filter_map(|route| Some(format!("\"{}\":{:.3}", route.name(), samples.median(*measure, route)?)))
            .collect();
        // The goal's own unit, then what each way did in the measure's.
        let _ = writeln!(
            out,
            "{{\"name\":\"{}\",\"value\":{value:.3},\"unit\":\"{}\",\"goal\":{number},\"met\":{met},\
             \"medians\":{{{}}},\"medians_unit\":\"{}\"}}",
            measure.name,
            unit(*measure),
            medians.join(","),
            measure.unit,
        );
    }
    out
}

/// The tables, for a terminal and for the page.
pub fn tables(samples: &Samples, measures: &[Measure]) -> String {
    let of = |wanted: fn(&Kind) -> bool| measures.iter().copied().filter(|m| wanted(&m.kind)).collect::<Vec<_>>();
    let (rates, costs) = (of(|kind| matches!(kind, Kind::Rate(..))), of(|kind| matches!(kind, Kind::Cost(_))));
    let revocations = of(|kind| matches!(kind, Kind::Revocation(..)));
    let waiting = of(|kind| matches!(kind, Kind::Waiting(..)));
    let parts = [
        rate_table(samples, &rates),
        cost_table(samples, &costs),
        times_table(
            "Revoking, milliseconds from the order (the receipt's `ordered`) to the end:",
            samples,
            &revocations,
        ),
        times_table("What people wait for, milliseconds:", samples, &waiting),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn rate_table(samples: &Samples, measures: &[Measure]) -> String {
    if measures.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "Rates, as ratios within a round (more is better):\n\n\
         | | Daypass to pgbouncer | goal | | Daypass to direct | pgbouncer to direct | HAProxy to direct |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for measure in measures {
        let ratio = |a, b| samples.ratio(*measure, a, b).map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        let (goal, met) = judged(*measure, value(samples, *measure));
        let _ = writeln!(
            out,
            "| {} | **{}** ({}) | {goal} | {met} | {} | {} | {} |",
            measure.what,
            ratio(Route::Daypass, Route::Pgbouncer),
            spread(&samples.ratios(*measure, Route::Daypass, Route::Pgbouncer), 2),
            ratio(Route::Daypass, Route::Direct),
            ratio(Route::Pgbouncer, Route::Direct),
            ratio(Route::Haproxy, Route::Direct),
        );
    }
    out.push_str("\nThe same as they are, medians:\n\n| | unit | direct | HAProxy | pgbouncer | Daypass |\n| --- | --- | --- | --- | --- | --- |\n");
    for measure in measures {
        let cells: Vec<_> = Route::ALL.map(|route| shown(samples.median(*measure, route))).to_vec();
        let _ = writeln!(out, "| {} | {} | {} |", measure.what, measure.unit, cells.join(" | "));
    }
    out
}

fn cost_table(samples: &Samples, measures: &[Measure]) -> String {
    if measures.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "Costs of the proxy's process, medians (less is better):\n\n\
         | | unit | HAProxy | pgbouncer | Daypass | Daypass to pgbouncer |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for measure in measures {
        let cells: Vec<_> = Route::PROXIES.map(|route| shown(samples.median(*measure, route))).to_vec();
        let ratio = samples.ratio(*measure, Route::Daypass, Route::Pgbouncer);
        let ratio = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        let _ = writeln!(out, "| {} | {} | {} | {ratio} |", measure.what, measure.unit, cells.join(" | "));
    }
    out
}

fn times_table(title: &str, samples: &Samples, measures: &[Measure]) -> String {
    if measures.is_empty() {
        return String::new();
    }
    let mut out = format!("{title}\n\n| | p50 | goal | | p95 | longest |\n| --- | --- | --- | --- | --- | --- |\n");
    for measure in measures {
        let values = samples.of(*measure, Route::Daypass);
        let at = |percent| percentile(values, percent).map_or("-".to_owned(), |value| format!("{value:.1}"));
        let middle = value(samples, *measure);
        let (goal, met) = judged(*measure, middle);
        let middle = middle.map_or("-".to_owned(), |value| format!("**{value:.1}**"));
        let _ = writeln!(out, "| {} | {middle} | {goal} | {met} | {} | {} |", measure.what, at(95), at(100));
    }
    out
}

/// The goal, and whether it is met, in words.
fn judged(measure: Measure, value: Option<f64>) -> (String, &'static str) {
    let Some(goal) = measure.goal() else { return ("-".into(), "-") };
    let text = match goal {
        Goal::PercentOfPgbouncer(_) => format!("at least {:.1}", goal.number()),
        Goal::Millis(millis) => format!("at most {millis}"),
    };
    match value {
        Some(value) if goal.met(value) => (text, "met"),
        Some(_) => (text, "**not met**"),
        None => (text, "-"),
    }
}

/// The middle half of the values: a quarter is below, a quarter above.
fn spread(values: &[f64], digits: usize) -> String {
    match (percentile(values, 25), percentile(values, 75)) {
        (Some(low), Some(high)) => format!("{low:.digits$} to {high:.digits$}"),
        (None, _) | (_, None) => "-".into(),
    }
}

/// A number with three or four digits that matter.
fn shown(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

/// `docs/performance.md`.
pub fn page(samples: &Samples, circumstances: &Circumstances) -> String {
    let Circumstances { cpu, cores, versions, rounds, seconds, origin } = circumstances;
    format!(
        "# Performance\n\n\
         Written by `cargo xtask bench`; don't edit it. Measured: {origin}, on {cores} cores\n\
         ({cpu}) shared by client, proxy and database, on loopback, with\n\
         {versions}.\n\
         Medians of {rounds} interleaved rounds, {seconds} s for each run of pgbench.\n\n\
         {tables}\n{how}",
        versions = versions.join(", "),
        tables = tables(samples, MEASURES),
        how = HOW,
    )
}

const HOW: &str = "\
## How it is measured

- The ways: *direct* is TLS to PostgreSQL; *HAProxy* passes TCP, so TLS ends at PostgreSQL; *pgbouncer* is in session
  mode with TLS on both sides; *Daypass* has TLS on both sides and records (`record = \"full\"`), as a release build on
  its defaults.
- Each round runs every way, one after the other, another one first each time. Ratios are taken within a round, and the
  median of those ratios is shown, with the middle half in brackets: compare ratios, and only within one run.
- The database has pgbench's scale 10, all of it in memory, and durability off: what is measured is the way, not the disk.
- Connecting: pgbouncer reuses its backends from one client to the next. The others make a new one each time; Daypass
  has it recorded durably before it dials.
- CPU is user and system time of the proxy's process (`/proc/PID/stat`) over the statements of the same run. TLS at
  PostgreSQL's end isn't in it.
- Memory is the growth of the resident set by 200 idle sessions, divided by them, in a proxy that was started for it and
  had 8 sessions before.
- Revoking: `daypass revoke` on a grant with one session, or with 200. The client's end of idle sessions is seen by a
  relay in front of the gateway, since idle clients don't look at their sockets; of busy ones it is the end of psql's
  process. The target's end is seen by a loop in the database that looks each millisecond for a backend of the login. In
  a `COPY` the client first reads what is on its way.
- Asking: a role in production is asked for by one person and approved by another, each by a command line of their own:
  two processes, two TLS handshakes, two durable commits. The time of the people is not in it.
- Pages: curl signs in once a round and gets each page on one connection, as a browser keeps it; counted is from the
  request to the first byte of the answer.

To run it again, or a part of it:

    cargo xtask bench
    cargo xtask bench --only revoke-idle
    cargo xtask bench --json
";

#[cfg(test)]
mod tests {
    use super::super::measure::chosen;
    use super::*;

    fn samples() -> Samples {
        let mut samples = Samples::default();
        for measure in chosen(Some("simple-1")) {
            for (route, value) in
                [(Route::Direct, 1000.0), (Route::Haproxy, 900.0), (Route::Pgbouncer, 800.0), (Route::Daypass, 760.0)]
            {
                samples.add(measure, route, value);
            }
        }
        for (name, value) in [("cpu", 2.5), ("revoke-idle-client", 6.25)] {
            samples.add(chosen(Some(name))[0], Route::Daypass, value);
        }
        samples
    }

    #[test]
    fn a_row_of_json_has_its_goal() {
        let all = json(&samples(), MEASURES);
        let rows: Vec<_> = all.lines().collect();
        assert_eq!(
            rows,
            [
                r#"{"name":"simple-1","value":0.950,"unit":"ratio to pgbouncer","goal":0.9,"met":true,"medians":{"direct":1000.000,"haproxy":900.000,"pgbouncer":800.000,"daypass":760.000},"medians_unit":"tps"}"#,
                r#"{"name":"cpu","value":2.500,"unit":"s","goal":null,"met":null,"medians":{"daypass":2.500},"medians_unit":"s"}"#,
                r#"{"name":"revoke-idle-client","value":6.250,"unit":"ms","goal":5,"met":false,"medians":{"daypass":6.250},"medians_unit":"ms"}"#,
            ]
        );
    }

    #[test]
    fn ratios_come_first_and_goals_are_judged() {
        let shown = tables(&samples(), MEASURES);
        let ratios =
            "| `pgbench -S`, simple, 1 client | **0.95** (0.95 to 0.95) | at least 0.9 | met | 0.76 | 0.80 | 0.90 |\n";
        let values = "| `pgbench -S`, simple, 1 client | tps | 1000 | 900 | 800 | 760 |\n";
        assert!(shown.find(ratios).unwrap() < shown.find(values).unwrap(), "{shown}");
        assert!(shown.contains("closed | **6.2** | at most 5 | **not met** | 6.2 | 6.2 |\n"), "{shown}");
        assert!(!tables(&samples(), &chosen(Some("cpu"))).contains("Revoking"));
    }
}
