//! The cut: NOLOGIN, terminate, scan again until none, at the primary and every declared replica (I5).
//!
//! Two connections work at once. One sets NOLOGIN; the other terminates, from the first moment on and until NOLOGIN
//! stands and a scan after it finds nobody. So whoever holds up NOLOGIN (a session that has changed its own password in
//! an open transaction holds the row) is ended by the other, and a prepared transaction that holds it up is rolled back.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use daypass_domain::resource::HostPort;
use daypass_ports::targets::{Administration, CutReport, LoginName, Presence, TargetError};
use futures_util::future::join_all;
use tokio::time::sleep;
use tokio_postgres::types::Type;

use super::{
    connect::{Pool, Session},
    error::{self, DENIED, INTERNAL, lacking},
    names::{array, ident, literal},
    prepared,
};

/// How long backends may take to end. A terminated backend that is in a system call may need a while.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long NOLOGIN may wait before we look at what holds it up.
const HELD_UP: Duration = Duration::from_millis(60);
/// Between scans: the first ones come fast, because most backends end within a millisecond or two.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

type Answers = BTreeMap<LoginName, Result<CutReport, TargetError>>;

/// Process ids that were ended, by login.
type Ended = HashMap<String, BTreeSet<i32>>;

pub(super) async fn cut(pool: &Pool, at: &Administration, logins: &[LoginName]) -> Vec<Result<CutReport, TargetError>> {
    let ours: Vec<&LoginName> = logins.iter().filter(|login| login.is_of(at.installation)).collect();
    let answers = cut_apart(pool, at, &ours).await;
    logins
        .iter()
        .map(|login| match answers.get(login) {
            Some(answer) => answer.clone(),
            None => Err(TargetError::NotOurs { role: login.to_string() }),
        })
        .collect()
}

/// All together; in halves when that fails, so that one that can't be ended keeps no other: a dozen rounds find one
/// among thousands. Where nothing can be asked at all, halves wouldn't help.
async fn cut_apart(pool: &Pool, at: &Administration, logins: &[&LoginName]) -> Answers {
    let answers = cut_ours(pool, at, logins).await;
    let hopeless = |error: &TargetError| {
        matches!(error, TargetError::Unreachable { .. } | TargetError::AdministratorRefused { .. })
    };
    if logins.len() < 2 || !answers.values().any(|answer| answer.as_ref().is_err_and(|error| !hopeless(error))) {
        return answers;
    }
    let (some, others) = logins.split_at(logins.len() / 2);
    let mut answers = Box::pin(cut_apart(pool, at, some)).await;
    answers.extend(Box::pin(cut_apart(pool, at, others)).await);
    answers
}

/// All of them together: either all have ended, or all carry the error.
async fn cut_ours(pool: &Pool, at: &Administration, logins: &[&LoginName]) -> Answers {
    if logins.is_empty() {
        return BTreeMap::new();
    }
    let names: Vec<&str> = logins.iter().map(|login| login.as_str()).collect();
    let replicas = join_all(at.target.replicas.iter().map(|replica| cut_replica(pool, at, replica, &names)));
    let (primary, replicas) = tokio::join!(cut_primary(pool, at, &names), replicas);
    let outcome = primary.and_then(|(mut ended, there)| {
        for replica in replicas {
            for (name, pids) in replica? {
                // Numbers of another machine: count them apart.
                ended.entry(name).or_default().extend(pids.into_iter().map(|pid| -pid));
            }
        }
        Ok((ended, there))
    });
    let report = |login: &LoginName| match &outcome {
        Ok((ended, there)) => Ok(CutReport {
            login: login.clone(),
            backends_ended: ended.get(login.as_str()).map_or(0, |pids| u32::try_from(pids.len()).unwrap_or(u32::MAX)),
            presence: if there.contains(login.as_str()) { Presence::There } else { Presence::Gone },
        }),
        Err(error) => Err(error.clone()),
    };
    logins.iter().map(|login| ((*login).clone(), report(login))).collect()
}

async fn cut_primary(
    pool: &Pool,
    at: &Administration,
    names: &[&str],
) -> Result<(Ended, BTreeSet<String>), TargetError> {
    let (closer, sweeper) = tokio::try_join!(pool.primary(at), pool.primary(at))?;
    let closed = AtomicBool::new(false);
    let holder = Holder { pool, at, names, waiting: closer.pid };
    // Whichever fails ends both: the answer is then the error, and the caller tries again.
    let (there, ended) =
        tokio::try_join!(close(&closer, names, &closed), sweep(&sweeper, at, names, &closed, Some(&holder)))?;
    pool.give_back(closer);
    pool.give_back(sweeper);
    Ok((ended, there))
}

/// NOLOGIN for all that are there, in one transaction; says which are there.
async fn close(session: &Session, names: &[&str], closed: &AtomicBool) -> Result<BTreeSet<String>, TargetError> {
    let body = format!(
        "DECLARE name pg_catalog.text; BEGIN \
         FOR name IN SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = ANY ({}) AND rolcanlogin LOOP \
         EXECUTE pg_catalog.format('ALTER ROLE %I NOLOGIN', name); END LOOP; END",
        array(names.iter().copied())
    );
    let sql = format!("DO {}", literal(&body));
    let since = Instant::now();
    loop {
        match session.run("close logins", &sql).await {
            Ok(()) => break,
            // The row was changed by another transaction at the same time, or is still held: again.
            Err(error) if again(&error) && since.elapsed() < PATIENCE => sleep(FIRST_PAUSE).await,
            Err(error) => return Err(error),
        }
    }
    closed.store(true, Ordering::Release);
    let sql = "SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1)";
    let rows = session.rows("show its roles", sql, &[(&names, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(|row| session.get(row, 0)).collect()
}

fn again(error: &TargetError) -> bool {
    matches!(error, TargetError::TimedOut { .. }) || error::sqlstate(error) == Some(INTERNAL)
}

/// Terminates until the logins are closed and a scan that began after that finds nobody.
async fn sweep(
    session: &Session,
    at: &Administration,
    names: &[&str],
    closed: &AtomicBool,
    holder: Option<&Holder<'_>>,
) -> Result<Ended, TargetError> {
    let since = Instant::now();
    let mut ended = Ended::new();
    let mut pause = FIRST_PAUSE;
    let mut look_at_holder = HELD_UP;
    loop {
        let was_closed = closed.load(Ordering::Acquire);
        let found = terminate(session, at, names, &mut ended).await?;
        match found.first() {
            None if was_closed => return Ok(ended),
            Some(name) if since.elapsed() > PATIENCE => return Err(stuck(session, name, found.len())),
            None | Some(_) => {}
        }
        if let (false, Some(holder)) = (was_closed, holder)
            && since.elapsed() > look_at_holder
        {
            holder.release(session).await?;
            look_at_holder = since.elapsed() + HELD_UP;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One round: everybody who is there is told to end. Gives the name of each backend that was found.
async fn terminate(
    session: &Session,
    at: &Administration,
    names: &[&str],
    ended: &mut Ended,
) -> Result<Vec<String>, TargetError> {
    let sql = "SELECT usename::text, pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY ($1)";
    let rows = session.rows("end a login's backends", sql, &[(&names, Type::TEXT_ARRAY)]).await;
    let rows = rows.map_err(|error| {
        lacking(error, "end the backends of its own logins", || {
            format!("GRANT pg_signal_backend TO {}", ident(at.target.administrator.as_str()))
        })
    })?;
    let mut found = Vec::new();
    for row in &rows {
        let name: String = session.get(row, 0)?;
        ended.entry(name.clone()).or_default().insert(session.get(row, 1)?);
        found.push(name);
    }
    Ok(found)
}

fn stuck(session: &Session, name: &str, backends: usize) -> TargetError {
    let address = session.address.clone();
    match name.parse() {
        Ok(login) => {
            TargetError::StillConnected { login, backends: u32::try_from(backends).unwrap_or(u32::MAX), address }
        }
        Err(_) => TargetError::TimedOut { address, what: "end a login's backends" },
    }
}

/// A replica: backends there end now; that nobody comes back is known once it has replayed NOLOGIN.
async fn cut_replica(
    pool: &Pool,
    at: &Administration,
    replica: &HostPort,
    names: &[&str],
) -> Result<Ended, TargetError> {
    let session = pool.take(at, replica, "postgres").await;
    let session = match session {
        Ok(session) => session,
        // No database of that name, or it isn't open to us: the one of the administration is.
        Err(error) if error::sqlstate(&error).is_some() => pool.take(at, replica, &at.target.database).await?,
        Err(error) => return Err(error),
    };
    let closed = AtomicBool::new(false);
    let (ended, ()) =
        tokio::try_join!(sweep(&session, at, names, &closed, None), replayed(pool, at, replica, names, &closed))?;
    pool.give_back(session);
    Ok(ended)
}

async fn replayed(
    pool: &Pool,
    at: &Administration,
    replica: &HostPort,
    names: &[&str],
    closed: &AtomicBool,
) -> Result<(), TargetError> {
    let session = pool.take(at, replica, &at.target.database).await?;
    let sql = "SELECT FROM pg_roles WHERE rolname = ANY ($1) AND rolcanlogin LIMIT 1";
    let since = Instant::now();
    while !session.rows("show its roles", sql, &[(&names, Type::TEXT_ARRAY)]).await?.is_empty() {
        if since.elapsed() > PATIENCE {
            return Err(TargetError::ReplicaBehind { address: session.address });
        }
        sleep(FIRST_PAUSE * 5).await;
    }
    closed.store(true, Ordering::Release);
    pool.give_back(session);
    Ok(())
}

/// Who may hold up NOLOGIN though no backend of the login is left: transactions that the logins prepared, or that were
/// prepared in another role's name after they had touched a login's row.
struct Holder<'a> {
    pool: &'a Pool,
    at: &'a Administration,
    names: &'a [&'a str],
    waiting: i32,
}

impl Holder<'_> {
    async fn release(&self, session: &Session) -> Result<(), TargetError> {
        let sql = "SELECT gid, owner::text, database::text FROM pg_prepared_xacts WHERE owner = ANY ($1) OR transaction \
             IN (SELECT transactionid FROM pg_locks WHERE pid = $2 AND NOT granted AND locktype = 'transactionid')";
        let parameters: [super::connect::Parameter<'_>; 2] =
            [(&self.names, Type::TEXT_ARRAY), (&self.waiting, Type::INT4)];
        for row in session.rows("show prepared transactions", sql, &parameters).await? {
            let found = prepared::Prepared::read(session, &row)?;
            match prepared::roll_back(self.pool, self.at, &found).await {
                // Where we may not, NOLOGIN times out and says so; terminating goes on meanwhile.
                Ok(()) => {}
                Err(error) if error::sqlstate(&error) == Some(DENIED) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
