//! The log as it is read: tiles and bundles made when they are asked for, proofs, the head.

use daypass_ledger::{
    BundleAt, Checkpoint, Frontier, InclusionProof, NoteSigner, Origin, Resource, SignedCheckpoint, TileAt, TlogProof,
    VerifierKey, bundle, hash::HASH_BYTES, leaf_hash, merkle::inclusion_nodes,
};
use daypass_ports::store::StoreError;
use sqlx::{SqliteConnection, SqlitePool};

use crate::{
    error::{column, number, unreadable},
    logstate::read_nodes,
};

/// The newest signed checkpoint.
pub(crate) async fn checkpoint(pool: &SqlitePool) -> Result<String, StoreError> {
    sqlx::query_scalar("SELECT note FROM head").fetch_one(pool).await.map_err(unreadable)
}

async fn head(db: &mut SqliteConnection) -> Result<SignedCheckpoint, StoreError> {
    let note: String = sqlx::query_scalar("SELECT note FROM head").fetch_one(db).await.map_err(unreadable)?;
    SignedCheckpoint::parse(note.as_bytes()).map_err(unreadable)
}

/// A file of the log, if the newest checkpoint covers it. Another spelling of a path names nothing.
pub(crate) async fn file(pool: &SqlitePool, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let Ok(resource) = path.parse::<Resource>() else {
        return Ok(None);
    };
    // One snapshot, so that what the head covers is there.
    let mut db = pool.begin().await.map_err(unreadable)?;
    let head = head(&mut db).await?;
    if resource.min_size() > head.unverified().size {
        return Ok(None);
    }
    match resource {
        Resource::Checkpoint => Ok(Some(head.to_bytes())),
        Resource::Tile(at) => tile(&mut db, at).await.map(Some),
        Resource::Entries(at) => entries(&mut db, at).await.map(Some),
    }
}

async fn tile(db: &mut SqliteConnection, at: TileAt) -> Result<Vec<u8>, StoreError> {
    let nodes: Vec<_> = at.nodes().collect();
    let Some(first) = nodes.first() else {
        return Ok(Vec::new());
    };
    let hashes: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT hash FROM nodes WHERE level = $1 AND idx >= $2 AND idx < $3 ORDER BY idx")
            .bind(i64::from(first.level))
            .bind(column(first.index))
            .bind(column(first.index.saturating_add(u64::from(at.width()))))
            .fetch_all(db)
            .await
            .map_err(unreadable)?;
    if hashes.len() != nodes.len() || hashes.iter().any(|hash| hash.len() != HASH_BYTES) {
        return Err(unreadable(format_args!("nodes of the log's {at} are missing; restore a backup")));
    }
    Ok(hashes.concat())
}

async fn entries(db: &mut SqliteConnection, at: BundleAt) -> Result<Vec<u8>, StoreError> {
    let leaves = read_leaves(db, at.first_entry(), u32::from(at.width())).await?;
    if leaves.len() != usize::from(at.width()) {
        return Err(unreadable(format_args!("entries of the log's {at} are missing; restore a backup")));
    }
    let bytes: Vec<_> = leaves.into_iter().map(|(_, bytes)| bytes).collect();
    bundle::encode(&bytes).map_err(unreadable)
}

/// Entries with their places, each proven to be in the log that the newest head signs: whoever holds the database can't
/// have an altered entry shown to a person.
pub(crate) async fn leaves(
    pool: &SqlitePool,
    key: &VerifierKey,
    from: u64,
    most: u32,
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let mut db = pool.begin().await.map_err(unreadable)?;
    let signed = head(&mut db).await?;
    let head = signed.verify(key).map_err(unreadable)?;
    let leaves = read_leaves(&mut db, from, most).await?;
    let mut wanted = Vec::new();
    for (seq, _) in &leaves {
        wanted.extend(inclusion_nodes(*seq, head.size).map_err(unreadable)?);
    }
    let nodes = read_nodes(&mut db, &wanted).await.map_err(unreadable)?;
    for ((seq, leaf), place) in leaves.iter().zip(from..) {
        let altered =
            || unreadable(format_args!("entry {place} of the log was altered or taken out; restore a backup"));
        let proof = InclusionProof::build(place, head.size, &|at| nodes.get(&at).copied()).map_err(|_| altered())?;
        if *seq != place || proof.verify(leaf_hash(leaf), head.root).is_err() {
            return Err(altered());
        }
    }
    Ok(leaves)
}

async fn read_leaves(db: &mut SqliteConnection, from: u64, most: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let found: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT seq, bytes FROM leaves WHERE seq >= $1 ORDER BY seq LIMIT $2")
            .bind(column(from))
            .bind(i64::from(most))
            .fetch_all(db)
            .await
            .map_err(unreadable)?;
    found.into_iter().map(|(seq, bytes)| Ok((number(seq)?, bytes))).collect()
}

/// The proof that an entry is in the log, in the newest checkpoint.
pub(crate) async fn receipt(pool: &SqlitePool, entry: u64) -> Result<String, StoreError> {
    let mut db = pool.begin().await.map_err(unreadable)?;
    let head = head(&mut db).await?;
    let size = head.unverified().size;
    let wanted = inclusion_nodes(entry, size).map_err(unreadable)?;
    let nodes = read_nodes(&mut db, &wanted).await.map_err(unreadable)?;
    let proof = InclusionProof::build(entry, size, &|at| nodes.get(&at).copied()).map_err(unreadable)?;
    Ok(TlogProof::new(proof, head).map_err(unreadable)?.to_string())
}

/// The signed head of the log with this edge.
pub(crate) fn sign(frontier: &Frontier, signer: &NoteSigner) -> Result<SignedCheckpoint, String> {
    let origin = Origin::from(signer.verifier().name());
    let head = Checkpoint::new(origin, frontier.size(), frontier.root()).map_err(|e| e.to_string())?;
    SignedCheckpoint::sign(head, signer).map_err(|e| e.to_string())
}
