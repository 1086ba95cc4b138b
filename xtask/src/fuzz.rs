//! A short run of every fuzz target, on the stable toolchain and without cargo-fuzz.

use crate::manifest;
use crate::setup::{self, For};
use crate::shell::{self, Failure, cargo, fail, output, root};
use std::fs;
use std::process::{Command as Process, Stdio};

pub const COMMAND: crate::Command = crate::Command {
    name: "fuzz",
    summary: "Run every fuzz target for a while",
    help: "\
Usage: cargo xtask fuzz [--seconds N] [TARGET]...

Builds the targets in fuzz/fuzz_targets with coverage instrumentation (no sanitizer: there is no unsafe code), and runs
each for N seconds (10 unless said otherwise) on the seeds in fuzz/seeds and on what earlier runs found in fuzz/corpus.
An input that crashes a target is left in fuzz/artifacts; pass its path to the target's program to repeat it.

Examples:
  cargo xtask fuzz                              every target, 10 seconds each
  cargo xtask fuzz --seconds 600 seal_frames    one target, ten minutes
",
    run,
};

/// How long CI runs a target, in seconds.
pub const SHORT: &str = "10";

/// What instruments code for libFuzzer. All of it is stable, and none of it touches build scripts, since a target is named.
const INSTRUMENT: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

fn run(args: &[String]) -> Result<(), Failure> {
    let (seconds, wanted) = parse(args)?;
    let targets = targets()?;
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(*name)) {
        return fail(format!("there is no fuzz target {unknown}; there are {}", targets.join(", ")));
    }
    setup::ensure(&[For::Fuzz])?;
    let host = host()?;
    let mut build = cargo(&["build", "--manifest-path", "fuzz/Cargo.toml", "--release", "--bins", "--target", &host]);
    // Its own folder: other flags would rebuild everything that the other commands share.
    build.env("RUSTFLAGS", INSTRUMENT).args(["--target-dir", "fuzz/target"]);
    shell::run(&mut build)?;
    for name in targets.iter().filter(|name| wanted.is_empty() || wanted.contains(name)) {
        run_target(name, &host, seconds)?;
    }
    Ok(())
}

fn parse(args: &[String]) -> Result<(u32, Vec<String>), Failure> {
    let (mut seconds, mut wanted) = (SHORT, Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => seconds = args.next().map_or("", String::as_str),
            flag if flag.starts_with('-') => return fail(format!("`cargo xtask fuzz` has no option {flag}")),
            name => wanted.push(name.to_string()),
        }
    }
    match seconds.parse() {
        Ok(number) if number > 0 => Ok((number, wanted)),
        _ => fail("--seconds takes a number from 1"),
    }
}

/// The targets, which stand both as files and in the manifest.
fn targets() -> Result<Vec<String>, Failure> {
    let read = |path: &str| {
        fs::read_to_string(root().join(path)).map_err(|error| Failure(format!("cannot read {path}: {error}")))
    };
    let text = read("fuzz/Cargo.toml")?;
    let declared = match manifest::parse("fuzz/Cargo.toml", &text) {
        Ok(manifest) => manifest.bins,
        Err(unreadable) => return fail(format!("fuzz/Cargo.toml:{}: {}", unreadable.line, unreadable.what)),
    };
    let folder = fs::read_dir(root().join("fuzz/fuzz_targets"));
    let folder = folder.map_err(|error| Failure(format!("cannot read fuzz/fuzz_targets: {error}")))?;
    let names = folder.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut files: Vec<String> = names.filter_map(|name| name.strip_suffix(".rs").map(str::to_string)).collect();
    files.sort();
    match undeclared(&files, &declared) {
        None => Ok(files),
        Some(advice) => fail(advice),
    }
}

fn undeclared(files: &[String], declared: &[String]) -> Option<String> {
    let lines = |name: &String| {
        format!(
            "\n[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\ntest = false\ndoc = false\nbench = false\n"
        )
    };
    let missing: String = files.iter().filter(|name| !declared.contains(name)).map(lines).collect();
    (!missing.is_empty()).then(|| format!("a fuzz target isn't declared: add to fuzz/Cargo.toml\n{missing}"))
}

/// The platform that this toolchain builds for.
fn host() -> Result<String, Failure> {
    let version = output(&mut cargo(&["--version", "--verbose"]))?;
    match version.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) => Ok(host.to_string()),
        None => fail("`cargo --version --verbose` names no host"),
    }
}

fn run_target(name: &str, host: &str, seconds: u32) -> Result<(), Failure> {
    let (corpus, seeds, artifacts) =
        (format!("fuzz/corpus/{name}"), format!("fuzz/seeds/{name}"), format!("fuzz/artifacts/{name}/"));
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(root().join(folder)).map_err(|error| Failure(format!("cannot make {folder}: {error}")))?;
    }
    let mut target = Process::new(root().join(format!("fuzz/target/{host}/release/{name}")));
    target.current_dir(root()).arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={artifacts}"));
    // A hung input is a bug too, and so is one that eats memory.
    target.args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", &corpus]);
    if root().join(&seeds).is_dir() {
        target.arg(&seeds);
    }
    let line = shell::line(&target);
    eprintln!("+ {line}");
    let ran = match target.stdin(Stdio::null()).output() {
        Ok(ran) => ran,
        Err(error) => return fail(format!("`{line}` did not start: {error}")),
    };
    let said = String::from_utf8_lossy(&ran.stderr);
    if !ran.status.success() {
        eprintln!("{said}");
        return fail(format!("{name} failed ({}); the input is in {artifacts}", ran.status));
    }
    match executed(&said) {
        Some(inputs) if inputs > 0 => eprintln!("{name}: {inputs} inputs in {seconds} s, none failed"),
        _ => return fail(format!("{name} ran no input:\n{said}")),
    }
    Ok(())
}

/// How many inputs libFuzzer says that it ran.
fn executed(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(args: &[&str]) -> Vec<String> {
        args.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn arguments_are_read() {
        assert_eq!(parse(&[]).unwrap(), (10, vec![]));
        assert_eq!(parse(&args(&["a", "--seconds", "3"])).unwrap(), (3, args(&["a"])));
        for wrong in [&["--seconds"][..], &["--seconds", "0"], &["--seconds", "x"], &["--fast"]] {
            assert!(parse(&args(wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn libfuzzers_count_is_read() {
        assert_eq!(executed("#2 INITED\nstat::number_of_executed_units: 1503\nstat::x: 1\n"), Some(1503));
        assert_eq!(executed("ERROR: no interesting inputs"), None);
    }

    #[test]
    fn a_target_that_is_not_declared_is_named_with_what_declares_it() {
        assert_eq!(undeclared(&args(&["a"]), &args(&["a", "b"])), None);
        let advice = undeclared(&args(&["a", "b"]), &args(&["a"])).unwrap();
        assert!(advice.contains("[[bin]]\nname = \"b\"\npath = \"fuzz_targets/b.rs\"\n"), "{advice}");
    }
}
