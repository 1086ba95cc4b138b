//! One commit of a batch, in its own savepoint: what it expects, its rows, its entries, what it ends.

use std::{collections::HashMap, sync::Arc};

use daypass_domain::Time;
use daypass_ledger::{Frontier, Hash, NodeAt, leaf_hash};
use daypass_ports::{
    record::{CommitError, Kind, Revision},
    store::StoreError,
    world::Random,
};
use daypass_seal::MacKey;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::{
    changes,
    error::column,
    payloads::{PartError, Sealer},
    places::{Places, Stray, Where},
    prepare::{EntryDraft, Prepared, refused},
    rows::{self, Columns},
};

/// What commits are made with.
pub(crate) struct Tools {
    pub(crate) mac: MacKey,
    pub(crate) sealer: Sealer,
    pub(crate) places: Places,
    pub(crate) random: Arc<dyn Random>,
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tools(..)")
    }
}

/// Why a member of a batch doesn't become durable.
#[derive(Debug)]
pub(crate) enum MemberError {
    /// It alone: the others go on.
    Refused(CommitError),
    /// The database failed: none of the batch does.
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for MemberError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<PartError> for MemberError {
    fn from(error: PartError) -> Self {
        match error {
            PartError::Sqlite(e) => Self::Failed(e),
            PartError::Twice(_) => Self::Refused(CommitError::BadEntry { why: error.to_string() }),
            PartError::Key { .. } => Self::Refused(CommitError::NotDurable { why: error.to_string() }),
        }
    }
}

/// Where in the history a member is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) revision: Revision,
    pub(crate) time: Time,
}

/// What a batch adds to the log, until it is written at the batch's end.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) frontier: Frontier,
    leaves: Vec<(u64, Vec<u8>)>,
    nodes: Vec<(NodeAt, Hash)>,
    strays: Vec<Stray>,
}

/// A place in a tail to go back to.
#[derive(Debug)]
pub(crate) struct Mark {
    frontier: Frontier,
    leaves: usize,
    nodes: usize,
    strays: usize,
}

/// Rows in one statement: three columns each stay far below SQLite's 32,766 parameters.
const CHUNK: usize = 1_000;

impl Tail {
    pub(crate) fn new(frontier: Frontier) -> Self {
        Self { frontier, leaves: Vec::new(), nodes: Vec::new(), strays: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            frontier: self.frontier.clone(),
            leaves: self.leaves.len(),
            nodes: self.nodes.len(),
            strays: self.strays.len(),
        }
    }

    pub(crate) fn back_to(&mut self, mark: Mark) {
        self.frontier = mark.frontier;
        self.leaves.truncate(mark.leaves);
        self.nodes.truncate(mark.nodes);
        self.strays.truncate(mark.strays);
    }

    /// What has come for places elsewhere since a mark.
    pub(crate) fn strays_since(&self, mark: &Mark) -> impl Iterator<Item = &Stray> {
        self.strays.iter().skip(mark.strays)
    }

    /// What goes to a place elsewhere, before the leaves are written.
    pub(crate) fn strays_of(&self, place: usize) -> Vec<&Stray> {
        self.strays.iter().filter(|stray| stray.place == place).collect()
    }

    fn append(&mut self, leaf: Vec<u8>) {
        let seq = self.frontier.size();
        self.nodes.extend(self.frontier.append(leaf_hash(&leaf)));
        self.leaves.push((seq, leaf));
    }

    /// Writes the batch's leaves and nodes.
    pub(crate) async fn write(&self, db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        for chunk in self.leaves.chunks(CHUNK) {
            let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO leaves (seq, bytes) ");
            insert.push_values(chunk, |mut row, (seq, bytes)| {
                row.push_bind(column(*seq)).push_bind(&bytes[..]);
            });
            insert.build().persistent(false).execute(&mut *db).await?;
        }
        for chunk in self.nodes.chunks(CHUNK) {
            let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO nodes (level, idx, hash) ");
            insert.push_values(chunk, |mut row, (at, hash)| {
                row.push_bind(i64::from(at.level)).push_bind(column(at.index)).push_bind(&hash.0[..]);
            });
            insert.build().persistent(false).execute(&mut *db).await?;
        }
        Ok(())
    }
}

/// The rows of one commit, as they stand while it runs.
type Seen = HashMap<(Kind, String), Option<Columns>>;

/// Runs one commit, and gives the sequence numbers of its entries.
pub(crate) async fn run(
    db: &mut SqliteConnection,
    tools: &Tools,
    commit: &Prepared,
    at: Point,
    tail: &mut Tail,
) -> Result<Vec<u64>, MemberError> {
    let mut seen = Seen::new();
    for expect in &commit.expect {
        let found = look(db, &mut seen, expect.kind, &expect.id).await?;
        let version = rows::version_of(&tools.mac, expect.kind, found.as_ref());
        // A row that isn't ours is stale too: whoever reads it again is told that it was forged.
        if version != Ok(expect.version) {
            return Err(MemberError::Refused(CommitError::Stale { kind: expect.kind, id: expect.id.clone() }));
        }
    }
    write_rows(db, tools, commit, &mut seen).await?;
    let mut places = Vec::with_capacity(commit.entries.len());
    for entry in &commit.entries {
        places.push(append(db, tools, entry, at.time, tail).await?);
    }
    changes::write(db, at.revision, commit).await?;
    Ok(places)
}

async fn look<'s>(
    db: &mut SqliteConnection,
    seen: &'s mut Seen,
    kind: Kind,
    id: &str,
) -> Result<&'s Option<Columns>, sqlx::Error> {
    match seen.entry((kind, id.to_owned())) {
        std::collections::hash_map::Entry::Occupied(there) => Ok(there.into_mut()),
        std::collections::hash_map::Entry::Vacant(free) => Ok(free.insert(rows::columns(db, kind, id).await?)),
    }
}

async fn write_rows(
    db: &mut SqliteConnection,
    tools: &Tools,
    commit: &Prepared,
    seen: &mut Seen,
) -> Result<(), MemberError> {
    for write in &commit.writes {
        let old = look(db, seen, write.kind, &write.id).await?;
        if let Err(StoreError::Forged { kind, id }) = rows::version_of(&tools.mac, write.kind, old.as_ref()) {
            return Err(MemberError::Refused(CommitError::Stale { kind, id }));
        }
        let new = match &write.put {
            Some(put) => Some(rows::write(db, &tools.mac, write.kind, &write.id, put, old.as_ref()).await?),
            None => {
                rows::delete(db, write.kind, &write.id).await?;
                None
            }
        };
        seen.insert((write.kind, write.id.clone()), new);
    }
    Ok(())
}

async fn append(
    db: &mut SqliteConnection,
    tools: &Tools,
    entry: &EntryDraft,
    time: Time,
    tail: &mut Tail,
) -> Result<u64, MemberError> {
    let seq = tail.frontier.size();
    let (leaf, parts) =
        entry.draft.seal(seq, time.micros(), &entry.salts).map_err(|e| MemberError::Refused(refused(&e)))?;
    // I10
    match tools.places.of(entry.draft.region()).map_err(MemberError::Refused)? {
        Where::Home => {
            for (part, (slot, open)) in (0_u64..).zip(entry.parts.iter().zip(&parts)) {
                tools.sealer.write(db, &*tools.random, (seq, part), slot, open).await?;
            }
        }
        Where::Elsewhere(place) => {
            let strays = (0_u64..).zip(entry.parts.iter().cloned().zip(parts));
            tail.strays.extend(strays.map(|(part, (slot, open))| Stray { place, at: (seq, part), slot, open }));
        }
    }
    tail.append(leaf.to_bytes());
    Ok(seq)
}
