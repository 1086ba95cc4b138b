//! What a server runs in, where a test changes that: for this one process, without a trace on the machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

/// What the server runs in.
pub enum Around {
    /// The machine as it is.
    Plain,
    /// A disk that can be full: see [`fill_disk`].
    Disk,
    /// A wall clock that can be wrong: see [`set_clock`]. The clocks that nobody can set stay right, as on a real machine.
    Clock,
}

impl Around {
    /// A program in it; `folder` is the test's own.
    pub fn program(&self, program: &str, folder: &Path) -> Command {
        match self {
            Self::Plain => Command::new(program),
            Self::Disk => {
                let mut command = Command::new("sh");
                // A write beyond the limit is to fail as on a full disk, not to end the process by its signal.
                command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", program]);
                command
            }
            Self::Clock => {
                if !clock_file(folder).exists() {
                    set_clock(folder, "+0");
                }
                let mut command = Command::new(program);
                command
                    .env("LD_PRELOAD", libfaketime())
                    .env("FAKETIME_TIMESTAMP_FILE", clock_file(folder))
                    .env("FAKETIME_NO_CACHE", "1")
                    .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                    .env("DONT_FAKE_MONOTONIC", "1");
                command
            }
        }
    }
}

/// From now on no file of the process takes a byte more. The kernel refuses every write to a file, whoever the process
/// runs as: root's reserve of a file system doesn't help it, nor does what SQLite could write over.
pub fn fill_disk(server: &Child) {
    limit_files(server, Some(0));
}

/// There is room again.
pub fn make_room(server: &Child) {
    // What this process may write is what its child might before.
    limit_files(server, getrlimit(Resource::Fsize).current);
}

fn limit_files(server: &Child, current: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let pid = Pid::from_raw(i32::try_from(server.id()).unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current, maximum }).unwrap();
}

/// Sets the wall clock of the processes of a test, relative to the right time: `+0`, `-1h`, `+31m`.
pub fn set_clock(folder: &Path, offset: &str) {
    // At once, so that nobody reads half of it.
    let new = folder.join("clock.new");
    fs::write(&new, offset).unwrap();
    fs::rename(new, clock_file(folder)).unwrap();
}

fn clock_file(folder: &Path) -> PathBuf {
    folder.join("clock")
}

/// Where Debian's package `libfaketime` has it; the folder is named after the machine's kind.
fn libfaketime() -> PathBuf {
    let mut folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let library = folders.find_map(|folder| {
        let library = folder.join("faketime/libfaketimeMT.so.1");
        library.exists().then_some(library)
    });
    library.expect("libfaketime is installed: `cargo xtask setup` does it")
}
