//! Transactions prepared for two-phase commit: they outlive their connection, and their owner's role, with their locks.

use std::time::Duration;

use daypass_ports::targets::{Administration, TargetError};
use tokio::time::sleep;
use tokio_postgres::{Row, types::Type};

use super::{
    connect::{Pool, Session},
    error::{self, NO_SUCH},
    names::{ident, literal},
};

/// One that is there.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) gid: String,
    pub(super) owner: String,
    pub(super) database: String,
}

/// `object_not_in_prerequisite_state`: somebody else is just ending it.
const IN_USE: &str = "55000";

impl Prepared {
    /// From a row of gid, owner, database.
    pub(super) fn read(session: &Session, row: &Row) -> Result<Self, TargetError> {
        Ok(Self { gid: session.get(row, 0)?, owner: session.get(row, 1)?, database: session.get(row, 2)? })
    }
}

/// Those whose owner is one of the names.
pub(super) async fn of_owners(session: &Session, names: &[&str]) -> Result<Vec<Prepared>, TargetError> {
    let sql = "SELECT gid, owner::text, database::text FROM pg_prepared_xacts WHERE owner = ANY ($1) ORDER BY gid";
    let rows = session.rows("show prepared transactions", sql, &[(&names, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(|row| Prepared::read(session, row)).collect()
}

/// Rolls one back, in its own database and as its owner: the administrator itself may not. One that is gone is fine.
pub(super) async fn roll_back(pool: &Pool, at: &Administration, found: &Prepared) -> Result<(), TargetError> {
    let session = pool.take(at, &at.target.address, &found.database).await?;
    let owner = ident(&found.owner);
    let administrator = ident(at.target.administrator.as_str());
    let borrowed = !is_member(&session, &found.owner).await?;
    if borrowed {
        session.run("lend a role to the administrator", &format!("GRANT {owner} TO {administrator}")).await?;
    }
    let ended = end_as(&session, &owner, &found.gid).await;
    if borrowed {
        session.run("take a lent role back", &format!("REVOKE {owner} FROM {administrator}")).await?;
    }
    ended?;
    pool.give_back(session);
    Ok(())
}

async fn end_as(session: &Session, owner: &str, gid: &str) -> Result<(), TargetError> {
    session.run("act as the owner of a prepared transaction", &format!("SET ROLE {owner}")).await?;
    let ended = end(session, gid).await;
    session.run("act as the administrator again", "RESET ROLE").await?;
    ended
}

async fn is_member(session: &Session, role: &str) -> Result<bool, TargetError> {
    // From 16 on a membership may come without the right to SET ROLE.
    let sql = match session.version {
        160_000.. => "SELECT pg_has_role($1, 'SET')",
        _ => "SELECT pg_has_role($1, 'MEMBER')",
    };
    session.get(&session.row("tell a membership", sql, &[(&role, Type::NAME)]).await?, 0)
}

async fn end(session: &Session, gid: &str) -> Result<(), TargetError> {
    let sql = format!("ROLLBACK PREPARED {}", literal(gid));
    for _ in 0..20 {
        match session.run("roll back a prepared transaction", &sql).await {
            Err(error) if error::sqlstate(&error) == Some(NO_SUCH) => return Ok(()),
            Err(error) if error::sqlstate(&error) == Some(IN_USE) => sleep(Duration::from_millis(20)).await,
            other => return other,
        }
    }
    Err(TargetError::TimedOut { address: session.address.clone(), what: "roll back a prepared transaction" })
}
