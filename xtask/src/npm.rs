//! What the tests take from npm: pinned and checked by a lock file, installed under `target/tools` and nowhere else.

use crate::shell::{self, Failure, fail, on_path, root};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command as Process;

/// Sees that axe-core is there, with which the tests look at the pages.
pub fn install_axe() -> Result<(), Failure> {
    let why = "axe-core, by which the tests look at the pages, is an npm package";
    install(&root().join("xtask/axe"), &root().join("target/tools/axe"), why, |_| Ok(()))
}

/// Sees that what the lock file in `source` says is in `home`. What was put there under another lock file is replaced.
/// `finish` does what else is to be done in a folder that has the packages.
pub fn install(
    source: &Path,
    home: &Path,
    why: &str,
    finish: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let lock = source.join("package-lock.json");
    let wanted = fs::read(&lock).map_err(|error| Failure(format!("can't read {}: {error}", lock.display())))?;
    if fs::read(home.join("installed")).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    if !on_path("npm") {
        return fail(format!("npm isn't here: install it (Debian: sudo apt-get install npm). {why}"));
    }
    // Beside, then renamed: what is there is whole.
    let fresh = home.with_extension(format!("new-{}", std::process::id()));
    let done = fill(source, &fresh, &wanted, finish).and_then(|()| replace(&fresh, home));
    if done.is_err() {
        // Whatever is left of it goes; the error says more than this could.
        let _ = fs::remove_dir_all(&fresh);
    }
    done
}

fn fill(
    source: &Path,
    folder: &Path,
    lock: &[u8],
    finish: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure(format!("can't fill {}: {error}", folder.display()));
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(failed)?;
    fs::copy(source.join("package.json"), folder.join("package.json")).map_err(failed)?;
    fs::write(folder.join("package-lock.json"), lock).map_err(failed)?;
    // `ci` takes what the lock file says, by its SHA-512, or nothing.
    let mut npm = Process::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
    shell::run(&mut npm)?;
    finish(folder)?;
    fs::write(folder.join("installed"), lock).map_err(failed)
}

fn replace(fresh: &Path, home: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure(format!("can't put packages into {}: {error}", home.display()));
    if home.exists() {
        fs::remove_dir_all(home).map_err(failed)?;
    }
    fs::rename(fresh, home).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axe_is_pinned_with_its_hash() {
        let lock = fs::read_to_string(root().join("xtask/axe/package-lock.json")).unwrap();
        let package = fs::read_to_string(root().join("xtask/axe/package.json")).unwrap();
        let (_, entry) = lock.split_once("\"node_modules/axe-core\": {").unwrap();
        let (_, version) = entry.split_once("\"version\": ").unwrap();
        let (version, _) = version.split_once(',').unwrap();
        assert!(package.contains(&format!("\"axe-core\": {version}")), "{version}");
        assert!(entry.contains("\"integrity\": \"sha512-"), "{entry}");
        assert_eq!(lock.matches("\"node_modules/").count(), 1);
    }
}
