//! What the committer keeps in memory of the log, and how it is read back and checked against its own signature.

use std::collections::HashMap;

use daypass_domain::Time;
use daypass_ledger::{
    Frontier, Hash, Leaf, NodeAt, SignedCheckpoint, VerifierKey, hash::HASH_BYTES, leaf_hash, tree::frontier_nodes,
};
use daypass_ports::record::Revision;
use sqlx::SqliteConnection;

use crate::error::column;

/// The log as it stands in the database.
#[derive(Debug, Clone)]
pub(crate) struct LogState {
    pub(crate) revision: Revision,
    pub(crate) frontier: Frontier,
    /// The time of the newest entry.
    pub(crate) last_time: Time,
    pub(crate) head: SignedCheckpoint,
}

/// Why the log couldn't be read back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Sqlite(#[from] sqlx::Error),
    #[error("{0}")]
    Damaged(String),
}

fn damaged(why: impl std::fmt::Display) -> LoadError {
    LoadError::Damaged(why.to_string())
}

impl LogState {
    /// Reads the head and the tree's right edge, and checks both against the signature and the newest entry.
    pub(crate) async fn load(db: &mut SqliteConnection, key: &VerifierKey) -> Result<Self, LoadError> {
        let (revision, note): (i64, String) = sqlx::query_as("SELECT revision, note FROM head")
            .fetch_optional(&mut *db)
            .await?
            .ok_or_else(|| damaged("it has no head"))?;
        let revision = u64::try_from(revision).map_err(|_| damaged("its revision is negative"))?;
        let head = SignedCheckpoint::parse(note.as_bytes()).map_err(damaged)?;
        let (size, root) = {
            let head = head.verify(key).map_err(damaged)?;
            (head.size, head.root)
        };
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM leaves").fetch_one(&mut *db).await?;
        let entries = newest.map_or(Some(0), |seq| u64::try_from(seq).ok()?.checked_add(1));
        if entries != Some(size) {
            return Err(damaged(format_args!("its head signs {size} entries, and {entries:?} are there")));
        }
        let edge = frontier_nodes(size);
        let nodes = read_nodes(db, &edge).await?;
        let frontier = Frontier::load(size, &|at| nodes.get(&at).copied()).map_err(damaged)?;
        if frontier.root() != root {
            return Err(damaged("its entries don't hash to what its head signs"));
        }
        let last_time = newest_time(db, size).await?;
        Ok(Self { revision: Revision(revision), frontier, last_time, head })
    }
}

async fn newest_time(db: &mut SqliteConnection, size: u64) -> Result<Time, LoadError> {
    let Some(seq) = size.checked_sub(1) else {
        return Ok(Time::from_micros(0));
    };
    let bytes: Vec<u8> =
        sqlx::query_scalar("SELECT bytes FROM leaves WHERE seq = $1").bind(column(seq)).fetch_one(&mut *db).await?;
    let at = NodeAt { level: 0, index: seq };
    let hash = read_nodes(db, &[at]).await?.get(&at).copied();
    let leaf = Leaf::parse(&bytes).map_err(damaged)?;
    if hash != Some(leaf_hash(&bytes)) || leaf.header().seq != seq {
        return Err(damaged("its newest entry isn't the one that was signed"));
    }
    Ok(Time::from_micros(leaf.header().time_us))
}

/// The nodes that are there, of those asked for.
pub(crate) async fn read_nodes(
    db: &mut SqliteConnection,
    wanted: &[NodeAt],
) -> Result<HashMap<NodeAt, Hash>, sqlx::Error> {
    let mut nodes = HashMap::with_capacity(wanted.len());
    for (first, last) in runs(wanted) {
        let found: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT idx, hash FROM nodes WHERE level = $1 AND idx BETWEEN $2 AND $3")
                .bind(i64::from(first.level))
                .bind(column(first.index))
                .bind(column(last))
                .fetch_all(&mut *db)
                .await?;
        for (index, hash) in found {
            // What isn't a node isn't found, and whoever looks for it says that it is missing.
            if let (Ok(index), Ok(hash)) = (u64::try_from(index), <[u8; HASH_BYTES]>::try_from(hash)) {
                nodes.insert(NodeAt { level: first.level, index }, Hash(hash));
            }
        }
    }
    Ok(nodes)
}

/// Neighbouring nodes as runs, each with its first node and its last index, so that a run is one query.
fn runs(wanted: &[NodeAt]) -> Vec<(NodeAt, u64)> {
    let mut sorted = wanted.to_vec();
    sorted.sort();
    let mut runs: Vec<(NodeAt, u64)> = Vec::new();
    for at in sorted {
        match runs.last_mut() {
            Some((first, last)) if first.level == at.level && at.index <= last.saturating_add(1) => *last = at.index,
            Some(_) | None => runs.push((at, at.index)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_run() {
        let at = |level, index| NodeAt { level, index };
        let wanted = [at(1, 7), at(0, 4), at(0, 3), at(0, 3), at(1, 5), at(0, 9), at(1, 6)];
        assert_eq!(runs(&wanted), [(at(0, 3), 4), (at(0, 9), 9), (at(1, 5), 7)]);
        assert_eq!(runs(&[]), []);
    }
}
