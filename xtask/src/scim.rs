//! Other people's testers of SCIM servers, from PyPI into `target/tools/scim`: pinned, each by its version.

use crate::shell::{self, Failure, fail, on_path, root};
use std::fs;
use std::path::PathBuf;
use std::process::Command as Process;

/// Sees that they are there. What was put there under other pins is replaced.
pub fn install() -> Result<(), Failure> {
    let (home, pins) = (root().join("target/tools/scim"), pins());
    let wanted = fs::read(&pins).map_err(|error| Failure(format!("can't read {}: {error}", pins.display())))?;
    if fs::read(home.join("installed")).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    if !on_path("python3") {
        return fail("the testers of SCIM are Python programs. Install it (Debian: sudo apt-get install python3-venv)");
    }
    // A virtual environment knows its own path, so it is made where it stays; the last file says that it is whole.
    shell::run(Process::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
    let mut pip = Process::new(home.join("bin/pip"));
    pip.args(["install", "--quiet", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "-r"]);
    shell::run(pip.arg(&pins))?;
    let done = home.join("installed");
    fs::write(&done, wanted).map_err(|error| Failure(format!("can't write {}: {error}", done.display())))
}

fn pins() -> PathBuf {
    root().join("xtask/scim/requirements.txt")
}
