//! One lock per login at the target, that makings and endings hold (I5).
//!
//! An advisory lock of the session, in the administration's database: it goes with the connection, so a Daypass that
//! dies leaves none behind.

use std::{collections::BTreeMap, time::Duration};

use daypass_domain::Digest;
use daypass_ports::targets::{LoginName, TargetError};
use tokio::time::sleep;
use tokio_postgres::types::Type;

use super::connect::Session;

/// How often a taken lock is tried, and how long between tries: a making takes some tens of milliseconds.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_millis(50);

fn key(login: &LoginName) -> i64 {
    let digest = Digest::of(format!("daypass login lock\n{login}").as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest.bytes()[..8]);
    i64::from_be_bytes(first)
}

/// Locks as many of the logins as can be had within three seconds; the others come back as the second part.
///
/// It tries and never waits inside the server: so no two sessions can wait for each other.
pub(super) async fn lock(
    session: &Session,
    logins: impl IntoIterator<Item = &LoginName>,
) -> Result<(Vec<LoginName>, Vec<LoginName>), TargetError> {
    let mut wanted: BTreeMap<i64, &LoginName> = logins.into_iter().map(|login| (key(login), login)).collect();
    let mut held = Vec::new();
    let sql = "SELECT k FROM unnest($1::int8[]) k WHERE pg_try_advisory_lock(k)";
    for turn in 0..TRIES {
        if turn > 0 {
            sleep(PAUSE).await;
        }
        let keys: Vec<i64> = wanted.keys().copied().collect();
        for row in session.rows("lock a login", sql, &[(&keys, Type::INT8_ARRAY)]).await? {
            if let Some(login) = wanted.remove(&session.get(&row, 0)?) {
                held.push(login.clone());
            }
        }
        if wanted.is_empty() {
            break;
        }
    }
    Ok((held, wanted.into_values().cloned().collect()))
}

/// Gives back all that a session holds.
pub(super) async fn unlock(session: &Session) -> Result<(), TargetError> {
    session.run("unlock a login", "SELECT pg_advisory_unlock_all()").await
}
