//! What ended: kept by revision, so that a node that was away can ask for what it missed. // I3

use daypass_domain::{GrantId, SessionId, end::EndCause};
use daypass_ports::{
    record::Revision,
    store::{Changes, StoreError},
};
use sqlx::{SqliteConnection, SqlitePool};

use crate::{
    error::{column, number, unreadable},
    prepare::Prepared,
};

/// How many revisions back endings are kept.
pub(crate) const KEPT: u64 = 100_000;
/// Old endings are looked for once in so many revisions.
const PRUNE_EVERY: u64 = 1_024;

/// What ended after `since`, and the revision that this is true of.
///
/// Linearizable: one snapshot, begun after the call, so it has every commit that was answered before the call. Endings
/// older than [`KEPT`] revisions are gone; who asks from before that gets all that is kept. Such a node has long lost its
/// lease, and with it every session, so that there is nothing left for the older endings to end. Who asks from a revision
/// that isn't yet (it knew this store before a restore) gets all that is kept too.
pub(crate) async fn since(pool: &SqlitePool, since: Revision) -> Result<Changes, StoreError> {
    let mut db = pool.begin().await.map_err(unreadable)?;
    let now: i64 = sqlx::query_scalar("SELECT revision FROM head").fetch_one(&mut *db).await.map_err(unreadable)?;
    let now = number(now)?;
    let from = column(if since.0 > now { 0 } else { since.0 });
    let ended: Vec<(String, String)> =
        sqlx::query_as("SELECT grant_id, cause FROM endings WHERE revision > $1 ORDER BY revision, place")
            .bind(from)
            .fetch_all(&mut *db)
            .await
            .map_err(unreadable)?;
    let killed: Vec<String> =
        sqlx::query_scalar("SELECT session_id FROM kills WHERE revision > $1 ORDER BY revision, place")
            .bind(from)
            .fetch_all(&mut *db)
            .await
            .map_err(unreadable)?;
    let ended = ended.into_iter().map(ending).collect::<Result<_, _>>()?;
    let killed = killed.iter().map(|id| id.parse::<SessionId>().map_err(unreadable)).collect::<Result<_, _>>()?;
    Ok(Changes { revision: Revision(now), ended, killed })
}

fn ending((grant, cause): (String, String)) -> Result<(GrantId, EndCause), StoreError> {
    let grant = grant.parse().map_err(unreadable)?;
    let cause = serde_json::from_str(&cause)
        .map_err(|e| unreadable(format_args!("the cause of the end of {grant} can't be understood: {e}")))?;
    Ok((grant, cause))
}

/// Files what a commit ends.
pub(crate) async fn write(db: &mut SqliteConnection, at: Revision, commit: &Prepared) -> Result<(), sqlx::Error> {
    for (place, (grant, cause)) in (0_i64..).zip(&commit.ended) {
        sqlx::query("INSERT INTO endings (revision, place, grant_id, cause) VALUES ($1, $2, $3, $4)")
            .bind(column(at.0))
            .bind(place)
            .bind(grant)
            .bind(cause)
            .execute(&mut *db)
            .await?;
    }
    for (place, session) in (0_i64..).zip(&commit.killed) {
        sqlx::query("INSERT INTO kills (revision, place, session_id) VALUES ($1, $2, $3)")
            .bind(column(at.0))
            .bind(place)
            .bind(session)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// Forgets what is too old, now and then.
pub(crate) async fn prune(db: &mut SqliteConnection, before: Revision, after: Revision) -> Result<(), sqlx::Error> {
    if before.0 / PRUNE_EVERY == after.0 / PRUNE_EVERY {
        return Ok(());
    }
    let horizon = column(after.0.saturating_sub(KEPT));
    sqlx::query("DELETE FROM endings WHERE revision <= $1").bind(horizon).execute(&mut *db).await?;
    sqlx::query("DELETE FROM kills WHERE revision <= $1").bind(horizon).execute(&mut *db).await?;
    Ok(())
}
