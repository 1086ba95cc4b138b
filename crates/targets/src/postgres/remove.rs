//! Dropping logins whose list is durable: hand over in every database, drop, see that they are gone (I5).

use std::collections::{BTreeMap, BTreeSet};

use daypass_ports::targets::{Administration, LoginName, Removal, Removed, Residue, TargetError};
use tokio_postgres::types::Type;

use super::{
    connect::{Pool, Session},
    handover, inventory,
    list::{Answers, in_order, lock_and_cut},
    lock,
    names::ident,
    prepared,
    roles::{self, Login},
};

/// Logins under lock at once: their locks share a table with everybody else's at the server.
const AT_ONCE: usize = 200;

pub(super) async fn remove(pool: &Pool, at: &Administration, listed: &[Residue]) -> Vec<Result<Removed, TargetError>> {
    let mut answers = Vec::new();
    for some in listed.chunks(AT_ONCE) {
        let logins: Vec<LoginName> = some.iter().map(|residue| residue.ending.login.clone()).collect();
        let answered = match under_lock(pool, at, &logins, some).await {
            Ok(answers) => answers,
            Err(error) => logins.iter().map(|login| (login.clone(), Err(error.clone()))).collect(),
        };
        answers.extend(in_order(&logins, &answered));
    }
    answers
}

async fn under_lock(
    pool: &Pool,
    at: &Administration,
    logins: &[LoginName],
    listed: &[Residue],
) -> Result<Answers<Removed>, TargetError> {
    let session = pool.primary(at).await?;
    let (failed, going) = lock_and_cut(pool, at, &session, logins).await?;
    let there = roles::of_names(&session, at.installation, &going).await?;
    let mut answers: Answers<Removed> =
        failed.into_iter().filter_map(|(login, answer)| Some((login, Err(answer.err()?)))).collect();
    for login in going.iter().filter(|login| !there.contains_key(*login)) {
        answers.insert(login.clone(), Ok(Removed { login: login.clone(), how: Removal::WasGone }));
    }
    let mut ready = refuse_stale(&session, &there, listed, &mut answers).await?;
    clear(pool, at, &session, &mut ready, listed, &mut answers).await?;
    drop_all(&session, &ready, &mut answers).await?;
    lock::unlock(&session).await?;
    pool.give_back(session);
    Ok(answers)
}

/// What a list doesn't cover isn't dropped. No backend is left and nobody is a member, so nothing new can have come;
/// this is for lists of another time, and for bugs.
async fn refuse_stale(
    session: &Session,
    there: &BTreeMap<LoginName, Login>,
    listed: &[Residue],
    answers: &mut Answers<Removed>,
) -> Result<Vec<Login>, TargetError> {
    let oids: Vec<u32> = there.values().map(|login| login.oid).collect();
    let names: Vec<&str> = there.keys().map(LoginName::as_str).collect();
    let counts = inventory::owned_by(session, &oids).await?;
    let prepared: BTreeSet<String> =
        prepared::of_owners(session, &names).await?.into_iter().map(|found| found.owner).collect();
    let mut ready = Vec::new();
    for login in there.values() {
        let covered = listed.iter().filter(|residue| residue.ending.login == login.name).map(|residue| residue.objects);
        let owned = counts.get(&login.oid).copied().unwrap_or(0);
        if covered.max().is_some_and(|most| owned <= most) && !prepared.contains(login.name.as_str()) {
            ready.push(login.clone());
        } else {
            let stale = TargetError::ListStale { login: login.name.clone() };
            answers.insert(login.name.clone(), Err(stale));
        }
    }
    Ok(ready)
}

/// Hands over in every database where any of them has something. Who fails leaves `ready`.
async fn clear(
    pool: &Pool,
    at: &Administration,
    session: &Session,
    ready: &mut Vec<Login>,
    listed: &[Residue],
    answers: &mut Answers<Removed>,
) -> Result<(), TargetError> {
    let oids: Vec<u32> = ready.iter().map(|login| login.oid).collect();
    let owning = inventory::owned_by(session, &oids).await?;
    let databases = inventory::databases_of(session, at, &oids).await?;
    if databases.is_empty() {
        return Ok(());
    }
    handover::see_to_quarantine(session, at).await?;
    for database in databases {
        let inside = pool.take(at, &at.target.address, &database).await?;
        let mut failed = BTreeSet::new();
        for login in ready.iter().filter(|login| owning.contains_key(&login.oid)) {
            let Some(residue) = listed.iter().find(|residue| residue.ending.login == login.name) else {
                continue;
            };
            if let Err(error) = handover::hand_over(&inside, at, login, &residue.ending.owns).await {
                failed.insert(login.name.clone());
                answers.insert(login.name.clone(), Err(error));
            }
        }
        ready.retain(|login| !failed.contains(&login.name));
        pool.give_back(inside);
    }
    Ok(())
}

/// All in one statement; one by one when that fails, so that the one that can't be dropped keeps no other.
async fn drop_all(session: &Session, ready: &[Login], answers: &mut Answers<Removed>) -> Result<(), TargetError> {
    if ready.is_empty() {
        return Ok(());
    }
    let drop = |logins: &[Login]| {
        let names: Vec<String> = logins.iter().map(|login| ident(login.name.as_str())).collect();
        format!("DROP ROLE IF EXISTS {}", names.join(", "))
    };
    if session.run("drop logins", &drop(ready)).await.is_err() {
        for login in ready {
            if let Err(error) = session.run("drop a login", &drop(std::slice::from_ref(login))).await {
                answers.insert(login.name.clone(), Err(error));
            }
        }
    }
    see_gone(session, ready, answers).await
}

/// Neither in the catalog by name, nor among the backends by number.
async fn see_gone(session: &Session, ready: &[Login], answers: &mut Answers<Removed>) -> Result<(), TargetError> {
    let oids: Vec<u32> = ready.iter().map(|login| login.oid).collect();
    let sql = "SELECT oid, true FROM pg_roles WHERE oid = ANY ($1) \
         UNION ALL SELECT usesysid, false FROM pg_stat_activity WHERE usesysid = ANY ($1)";
    let mut role_left = BTreeSet::new();
    let mut backends_left: BTreeMap<u32, u32> = BTreeMap::new();
    for row in session.rows("see that logins are gone", sql, &[(&oids, Type::OID_ARRAY)]).await? {
        let oid: u32 = session.get(&row, 0)?;
        if session.get(&row, 1)? {
            role_left.insert(oid);
        } else {
            *backends_left.entry(oid).or_default() += 1;
        }
    }
    for login in ready {
        if answers.contains_key(&login.name) {
            continue;
        }
        let name = login.name.clone();
        let address = session.address.clone();
        let answer = match backends_left.get(&login.oid) {
            Some(backends) => Err(TargetError::StillConnected { login: name, backends: *backends, address }),
            None if role_left.contains(&login.oid) => {
                Err(TargetError::TimedOut { address, what: "show that a dropped login is gone" })
            }
            None => Ok(Removed { login: name, how: Removal::Dropped }),
        };
        answers.insert(login.name.clone(), answer);
    }
    Ok(())
}
