//! The reaper: backends of our logins that no gateway session claims, logins that no live grant covers (I5).

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::{Time, resource::HostPort};
use daypass_ports::kits::{KitLogins, Seen, Sighting};
use daypass_ports::targets::{
    Administration, Claim, ClaimSet, Claims, LoginName, ReapReport, ReapedBackend, TargetError, application_name,
};
use tokio_postgres::types::Type;

use super::{
    connect::{Pool, Session},
    kit, roles,
};

/// A backend of one of our logins.
#[derive(Debug, Clone)]
struct Backend {
    login: LoginName,
    pid: i32,
    /// Process id and start, so that a number that was given anew isn't ended for its predecessor.
    key: String,
    name: String,
    client: Option<String>,
    /// When it connected, on the server's clock.
    since: Time,
    database: Option<String>,
}

pub(super) async fn reap(pool: &Pool, at: &Administration, claims: &dyn Claims) -> Result<ReapReport, TargetError> {
    let mut report = ReapReport::default();
    let session = pool.primary(at).await?;
    let there = roles::of_installation(&session, at.installation).await?;
    let backends = backends(&session, &there.keys().collect()).await?;
    let mut elsewhere = Vec::new();
    for replica in &at.target.replicas {
        match on_replica(pool, at, replica, &there.keys().collect()).await {
            Ok(found) => elsewhere.push(found),
            Err(error) => report.unknown.push(error),
        }
    }
    // Only now: whoever dialled before we looked had registered a claim before it dialled.
    let kits = claims.emergency().await?;
    let claims = claims.claims().await?;
    let (of_kits, others) = apart(backends, &kits);
    report.emergency.extend(sightings(of_kits, &session.address));
    let doomed = unclaimed(others, &claims);
    report.ended.extend(end(&session, doomed).await?);
    // What ends doesn't wait for what counts, and goes on where that fails.
    match kit::traces(&session, kits.keys()).await {
        Ok(found) => {
            let sighting = |(login, found)| Sighting { login, seen: Seen::Traces { found } };
            report.emergency.extend(found.into_iter().map(sighting));
            pool.give_back(session);
        }
        Err(error) => report.unknown.push(error),
    }
    // Gateways dial the primary only: at a replica nothing of ours is claimed, and process ids say nothing.
    for (session, found) in elsewhere {
        let (of_kits, others) = apart(found, &kits);
        report.emergency.extend(sightings(of_kits, &session.address));
        match end(&session, others).await {
            Ok(ended) => {
                report.ended.extend(ended);
                pool.give_back(session);
            }
            Err(error) => report.unknown.push(error),
        }
    }
    report.uncovered =
        there.into_keys().filter(|login| !claims.contains_key(login) && !kits.contains_key(login)).collect();
    Ok(report)
}

/// The backends that came by the credential of an emergency kit, which stay; and all others. One that connected before
/// its kit's credential was replaced came by another one, and is among the others.
fn apart(backends: Vec<Backend>, kits: &KitLogins) -> (Vec<Backend>, Vec<Backend>) {
    backends.into_iter().partition(|backend| match kits.get(&backend.login) {
        Some(replaced) => replaced.is_none_or(|at| backend.since >= at),
        None => false,
    })
}

fn sightings(backends: Vec<Backend>, server: &str) -> impl Iterator<Item = Sighting> {
    backends.into_iter().map(move |backend| Sighting {
        login: backend.login,
        seen: Seen::Session {
            key: backend.key,
            since: backend.since,
            application_name: backend.name,
            client_address: backend.client,
            database: backend.database,
            server: server.to_owned(),
        },
    })
}

async fn on_replica(
    pool: &Pool,
    at: &Administration,
    replica: &HostPort,
    logins: &BTreeSet<&LoginName>,
) -> Result<(Session, Vec<Backend>), TargetError> {
    let session = pool.take(at, replica, &at.target.database).await?;
    let found = backends(&session, logins).await?;
    Ok((session, found))
}

/// Parallel workers go with their leader, and aren't claimed themselves.
async fn backends(session: &Session, logins: &BTreeSet<&LoginName>) -> Result<Vec<Backend>, TargetError> {
    let names: Vec<&str> = logins.iter().map(|login| login.as_str()).collect();
    let sql = "SELECT usename::text, pid, concat(pid, ' ', backend_start), coalesce(application_name, ''), \
         host(client_addr), (extract(epoch FROM backend_start) * 1000000)::int8, datname::text \
         FROM pg_stat_activity WHERE usename = ANY ($1) \
         AND coalesce(backend_type, '') <> 'parallel worker' ORDER BY backend_start, pid";
    let mut found = Vec::new();
    for row in session.rows("show backends of logins", sql, &[(&names, Type::TEXT_ARRAY)]).await? {
        if let Ok(login) = session.get::<String>(&row, 0)?.parse() {
            let (pid, key) = (session.get(&row, 1)?, session.get(&row, 2)?);
            let (name, client, database) = (session.get(&row, 3)?, session.get(&row, 4)?, session.get(&row, 6)?);
            let since = Time::from_micros(session.get(&row, 5)?);
            found.push(Backend { login, pid, key, name, client, since, database });
        }
    }
    Ok(found)
}

/// A connected session claims its process. A dialling one claims one process that carries its name: the first.
fn unclaimed(backends: Vec<Backend>, claims: &ClaimSet) -> Vec<Backend> {
    let mut pids: BTreeSet<(LoginName, i32)> = BTreeSet::new();
    let mut names: BTreeMap<(LoginName, String), ()> = BTreeMap::new();
    for (login, sessions) in claims {
        for (session, claim) in sessions {
            match claim {
                Claim::Connected { pid } => {
                    pids.insert((login.clone(), *pid));
                }
                Claim::Dialling => {
                    names.insert((login.clone(), application_name(*session)), ());
                }
            }
        }
    }
    let claimed = |backend: &Backend| pids.contains(&(backend.login.clone(), backend.pid));
    let (_, rest): (Vec<Backend>, Vec<Backend>) = backends.into_iter().partition(claimed);
    rest.into_iter().filter(|b| names.remove(&(b.login.clone(), b.name.clone())).is_none()).collect()
}

async fn end(session: &Session, doomed: Vec<Backend>) -> Result<Vec<ReapedBackend>, TargetError> {
    if doomed.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<&str> = doomed.iter().map(|backend| backend.key.as_str()).collect();
    let names: Vec<&str> = doomed.iter().map(|backend| backend.login.as_str()).collect();
    let sql = "SELECT concat(pid, ' ', backend_start), pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE usename = ANY ($1) AND concat(pid, ' ', backend_start) = ANY ($2)";
    let rows = session.rows("end backends", sql, &[(&names, Type::TEXT_ARRAY), (&keys, Type::TEXT_ARRAY)]).await?;
    let mut ended = BTreeSet::new();
    for row in &rows {
        ended.insert(session.get::<String>(row, 0)?);
    }
    let reaped = doomed.into_iter().filter(|backend| ended.contains(&backend.key)).map(|backend| ReapedBackend {
        login: backend.login,
        pid: backend.pid,
        application_name: backend.name,
        client_address: backend.client,
        server: session.address.clone(),
    });
    Ok(reaped.collect())
}

#[cfg(test)]
mod tests {
    use daypass_domain::{SessionId, Time};

    use super::*;

    fn backend(pid: i32, name: &str) -> Backend {
        let login = "daypass_abababababab_cdcdcdcdcdcd_alice".parse().unwrap();
        Backend {
            login,
            pid,
            key: pid.to_string(),
            name: name.to_owned(),
            client: None,
            since: Time::from_micros(i64::from(pid)),
            database: None,
        }
    }

    #[test]
    fn i5_a_claim_covers_one_backend_whatever_others_call_themselves() {
        let session = SessionId::new(Time::from_micros(0), [3; 10]);
        let name = application_name(session);
        let found = vec![backend(1, &name), backend(2, &name), backend(3, "psql")];
        let with = |claim| BTreeMap::from([(found[0].login.clone(), BTreeMap::from([(session, claim)]))]);
        let left = |claims: &ClaimSet| unclaimed(found.clone(), claims).iter().map(|b| b.pid).collect::<Vec<_>>();
        assert_eq!(left(&ClaimSet::new()), [1, 2, 3]);
        assert_eq!(left(&with(Claim::Dialling)), [2, 3]);
        // Connected: it may have changed its name, and who took its name isn't it.
        assert_eq!(left(&with(Claim::Connected { pid: 3 })), [1, 2]);
    }
}
