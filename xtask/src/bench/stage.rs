//! The temporary folder of a run, and the servers in it. All of it goes when this is dropped, or when this process dies.

use super::parse;
use crate::shell::{Failure, fail, line};
use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a server may take to start or to stop, and anything else that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Who servers run as that refuse to run as root.
#[derive(Debug, Clone, Copy)]
pub enum RunAs {
    Us,
    User { uid: u32, gid: u32 },
}

/// The folder.
pub struct Stage {
    folder: PathBuf,
    pub run_as: RunAs,
    watchdog: Child,
}

impl Stage {
    pub fn set() -> Result<Self, Failure> {
        let run_as = run_as()?;
        // Root's TMPDIR may be closed to others; and a Unix socket's path has 107 bytes at most.
        let base = match run_as {
            RunAs::Us => std::env::temp_dir(),
            RunAs::User { .. } => PathBuf::from("/tmp"),
        };
        let folder = base.join(format!("daypass-bench-{}", std::process::id()));
        // Fails where there is one already: nobody puts a folder or a link of theirs under our feet.
        fs::create_dir(&folder).map_err(|error| Failure(format!("cannot make {}: {error}", folder.display())))?;
        fs::set_permissions(&folder, Permissions::from_mode(0o711)).map_err(io("set the permissions of the folder"))?;
        let watchdog = watchdog(&folder)?;
        let stage = Self { folder, run_as, watchdog };
        stage.room("pids", RunAs::Us)?;
        Ok(stage)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A folder in it that only `owner` reads.
    pub fn room(&self, name: &str, owner: RunAs) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        fs::create_dir(&path).map_err(io(&format!("make {}", path.display())))?;
        fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(io("set the permissions of a folder"))?;
        own(&path, owner)?;
        Ok(path)
    }

    /// Starts a server; what it says goes to a file.
    pub fn start(&self, name: &'static str, mut command: Command) -> Result<Server, Failure> {
        let log = self.path(&format!("{name}.log"));
        let file = File::create(&log).map_err(io(&format!("write {}", log.display())))?;
        let errors = file.try_clone().map_err(io("write a log"))?;
        let shown = line(&command);
        // A group of its own: Ctrl-C at a terminal shall reach us, and the watchdog ends it when we are gone.
        command.stdin(Stdio::null()).stdout(file).stderr(errors).process_group(0);
        let child = command.spawn().map_err(|error| Failure(format!("`{shown}` did not start: {error}")))?;
        let server = Server { name, child, log };
        let pid = self.path("pids").join(name);
        fs::write(&pid, format!("{}\n", server.pid())).map_err(io(&format!("write {}", pid.display())))?;
        Ok(server)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The servers were dropped before. Then nothing is left to watch.
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A running server. It is stopped when this is dropped.
pub struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Server {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it is ready.
    pub fn wait(&mut self, ready: impl Fn() -> bool) -> Result<(), Failure> {
        let until = Instant::now() + PATIENCE;
        while !ready() {
            if self.child.try_wait().map_err(io("wait for a server"))?.is_some() || Instant::now() > until {
                let said = fs::read_to_string(&self.log).unwrap_or_default();
                return fail(format!("{} didn't start:\n{said}", self.name));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// CPU seconds so far, threads included.
    pub fn cpu(&self, ticks_a_second: f64) -> Result<f64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).map_err(io("read /proc"))?;
        let ticks = parse::ticks(&stat).ok_or_else(|| Failure(format!("/proc says of {}: {stat}", self.name)))?;
        Ok(ticks / ticks_a_second)
    }

    /// Resident memory in KB.
    pub fn memory(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).map_err(io("read /proc"))?;
        parse::resident(&status).ok_or_else(|| Failure(format!("/proc doesn't say what memory {} has", self.name)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After SIGTERM PostgreSQL waits for its clients, until SIGINT. That one HAProxy ignores where a shell had it
        // ignored for us. Patience for one that listens to neither has an end.
        for signal in ["-TERM", "-INT"] {
            let _ = Command::new("kill").args([signal, &self.pid().to_string()]).stderr(Stdio::null()).status();
        }
        let until = Instant::now() + Duration::from_secs(8);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends the servers and the folder when the pipe to it closes, which happens however this process dies.
fn watchdog(folder: &Path) -> Result<Child, Failure> {
    let script = r#"trap '' INT TERM HUP; read -r _; pids=$(cat "$1"/pids/*)
        kill -TERM $pids; kill -INT $pids; sleep 2; kill -KILL $pids; rm -rf -- "$1""#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "daypass-bench"]).arg(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().map_err(io("start /bin/sh"))
}

fn run_as() -> Result<RunAs, Failure> {
    let status = fs::read_to_string("/proc/self/status").map_err(io("read /proc/self/status"))?;
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).and_then(|ids| ids.split_whitespace().nth(1));
    if uid != Some("0") {
        return Ok(RunAs::Us);
    }
    let passwd = fs::read_to_string("/etc/passwd").map_err(io("read /etc/passwd"))?;
    match ["postgres", "nobody"].iter().find_map(|name| parse::user(&passwd, name)) {
        Some((uid, gid)) => Ok(RunAs::User { uid, gid }),
        None => fail("PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody`"),
    }
}

/// A command that runs as this user, outside of our folders.
pub fn command(program: impl AsRef<std::ffi::OsStr>, run_as: RunAs) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").current_dir("/");
    if let RunAs::User { uid, gid } = run_as {
        command.uid(uid).gid(gid);
    }
    command
}

/// Writes a file that only `owner` reads.
pub fn write(path: &Path, text: &str, owner: RunAs) -> Result<(), Failure> {
    let what = format!("write {}", path.display());
    fs::write(path, text).map_err(io(&what))?;
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(io(&what))?;
    own(path, owner)
}

fn own(path: &Path, owner: RunAs) -> Result<(), Failure> {
    match owner {
        RunAs::Us => Ok(()),
        RunAs::User { uid, gid } => chown(path, Some(uid), Some(gid)).map_err(io("give a file to the server's user")),
    }
}

pub fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(io("find a free port"))?;
    Ok(listener.local_addr().map_err(io("find a free port"))?.port())
}

/// Whether somebody listens there.
pub fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Hexadecimal digits for a password.
pub fn random() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    let mut source = File::open("/dev/urandom").map_err(io("read /dev/urandom"))?;
    std::io::Read::read_exact(&mut source, &mut bytes).map_err(io("read /dev/urandom"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// An error of the system, as a failure.
pub fn io(what: &str) -> impl FnOnce(std::io::Error) -> Failure + use<> {
    let what = what.to_owned();
    move |error| Failure(format!("cannot {what}: {error}"))
}
