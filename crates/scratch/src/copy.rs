//! A copy of a running server, to start a standby from. Done here rather than with `pg_basebackup`, which takes no server
//! newer than itself: a build that is a server alone has none of its own.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::{ScratchError, folder::Folder};

/// Files of the running server that aren't its standby's, at the top of the data folder. Its log of writes comes over
/// replication.
const NOT_COPIED: [&str; 4] = ["postmaster.pid", "postmaster.opts", "pg_wal", "pg_replslot"];

/// Copies `data` into the data folder of `into`, between the start and the end of a backup that `psql` holds open.
pub(crate) fn copy(psql: &mut Command, data: &Path, into: &Folder) -> Result<(), ScratchError> {
    let backup = Backup::begin(psql)?;
    let to = into.data();
    let failed = || ScratchError::system("copy the data folder of a throwaway PostgreSQL");
    fs::create_dir(&to).map_err(failed())?;
    copy_folder(data, &to, &NOT_COPIED).map_err(failed())?;
    for emptied in ["pg_wal", "pg_replslot"] {
        fs::create_dir(to.join(emptied)).map_err(failed())?;
    }
    fs::write(to.join("backup_label"), backup.end()?).map_err(failed())?;
    fs::write(to.join("standby.signal"), "").map_err(failed())?;
    into.own_all(&to)
}

/// What vanishes while we look was of no matter: the log of writes says what became of it.
fn copy_folder(from: &Path, to: &Path, without: &[&str]) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if without.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let target = to.join(entry.file_name());
        let copied = match entry.file_type()?.is_dir() {
            true => fs::create_dir(&target).and_then(|()| copy_folder(&entry.path(), &target, &[])),
            false => fs::copy(entry.path(), &target).map(drop),
        };
        match copied {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

/// A `psql` in which a backup has begun.
struct Backup {
    psql: Child,
    said: BufReader<ChildStdout>,
    stop: &'static str,
}

/// Ends what `psql` answers to one question.
const MARK: &str = "-- that was all";

impl Backup {
    fn begin(psql: &mut Command) -> Result<Self, ScratchError> {
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut psql = psql.spawn().map_err(ScratchError::system("start psql"))?;
        let said = psql.stdout.take().ok_or_else(|| Self::silent(&mut psql))?;
        let mut backup = Self { psql, said: BufReader::new(said), stop: "" };
        let version = backup.ask("SHOW server_version_num")?;
        // Renamed in 15, with an argument less.
        let (start, stop) = match version.trim().parse::<u32>() {
            Ok(150_000..) => ("pg_backup_start('standby', true)", "SELECT labelfile FROM pg_backup_stop(false)"),
            _ => ("pg_start_backup('standby', true, false)", "SELECT labelfile FROM pg_stop_backup(false, false)"),
        };
        backup.stop = stop;
        backup.ask(&format!("SELECT {start}"))?;
        Ok(backup)
    }

    /// Its label, which belongs into the copy.
    fn end(mut self) -> Result<String, ScratchError> {
        let label = self.ask(self.stop)?;
        drop(self.psql.stdin.take());
        self.psql.wait().map_err(ScratchError::system("wait for psql"))?;
        Ok(label)
    }

    fn ask(&mut self, sql: &str) -> Result<String, ScratchError> {
        let asked = self.psql.stdin.as_mut().map(|psql| writeln!(psql, "{sql};\n\\echo {MARK}"));
        if asked.is_none_or(|asked| asked.is_err()) {
            return Err(Self::silent(&mut self.psql));
        }
        let mut answer = String::new();
        while !answer.ends_with(&format!("{MARK}\n")) {
            if self.said.read_line(&mut answer).map_err(ScratchError::system("read what psql says"))? == 0 {
                return Err(Self::silent(&mut self.psql));
            }
        }
        Ok(answer.trim_end_matches('\n').trim_end_matches(MARK).to_owned())
    }

    /// It stopped before it answered: what it complained of.
    fn silent(psql: &mut Child) -> ScratchError {
        let mut said = String::new();
        drop(psql.stdin.take());
        if let Some(complaints) = psql.stderr.as_mut() {
            // What can't be read isn't said.
            let _ = complaints.read_to_string(&mut said);
        }
        let _ = psql.wait();
        ScratchError::Program { program: "psql".into(), said }
    }
}
