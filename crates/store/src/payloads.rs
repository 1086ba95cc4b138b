//! Payload parts under the keys of their scopes. // I9

use daypass_domain::PayloadId;
use daypass_ledger::{KeyScope, Leaf, OpenPart, leaf::SALT_BYTES};
use daypass_ports::{
    store::StoreError,
    world::{Random, random_bytes},
};
use daypass_seal::{DataKey, SealingKey, WrappedKey, encode_parts};
use serde_json::Value;
use sqlx::{SqliteConnection, SqlitePool};
use zeroize::Zeroizing;

use crate::{
    error::{column, number, unreadable},
    places::Places,
    prepare::PartSlot,
};

/// A data key's own id: a scope gets another key when its first was destroyed.
type KeyId = [u8; 16];

/// Where a part is in the log.
#[derive(Debug, Clone, Copy)]
struct Place {
    seq: u64,
    part: u64,
}

/// What a part's sealing is bound to: its id, its place in the log, its key.
fn bound(id: &str, place: Place, key: &[u8]) -> Vec<u8> {
    encode_parts(&[b"payload", id.as_bytes(), &place.seq.to_be_bytes(), &place.part.to_be_bytes(), key])
}

/// What a data key's wrapping is bound to.
fn wrapping(scope: &str, id: &[u8]) -> Vec<u8> {
    encode_parts(&[b"data key", scope.as_bytes(), id])
}

/// Why a part can't be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PartError {
    #[error(transparent)]
    Sqlite(#[from] sqlx::Error),
    #[error("the payload {0} is already there; give each part an id of its own")]
    Twice(String),
    #[error("the data key of {scope} does not open: {why}")]
    Key { scope: KeyScope, why: daypass_seal::OpenError },
}

/// Seals parts and opens them.
#[derive(Debug)]
pub(crate) struct Sealer {
    /// Wraps data keys.
    pub(crate) wrapping: SealingKey,
}

impl Sealer {
    /// Seals one part of the entry `seq` and files it.
    pub(crate) async fn write(
        &self,
        db: &mut SqliteConnection,
        random: &dyn Random,
        (seq, part): (u64, u64),
        slot: &PartSlot,
        open: &OpenPart,
    ) -> Result<(), PartError> {
        let (key_id, key) = self.key_of(db, random, &open.scope).await?;
        let mut plain = Zeroizing::new(Vec::with_capacity(SALT_BYTES + open.payload.len()));
        plain.extend_from_slice(&open.salt);
        plain.extend_from_slice(&open.payload);
        let sealed = key.sealing_key().seal(slot.nonce, &bound(&slot.id, Place { seq, part }, &key_id), &plain);
        let written = sqlx::query(
            "INSERT INTO payloads (id, seq, part, data_key, sealed) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(&slot.id)
        .bind(column(seq))
        .bind(column(part))
        .bind(&key_id[..])
        .bind(sealed)
        .execute(db)
        .await?;
        if written.rows_affected() == 1 { Ok(()) } else { Err(PartError::Twice(slot.id.clone())) }
    }

    /// The key of a scope: the one in use, or a new one, which becomes durable with the commit that needs it.
    async fn key_of(
        &self,
        db: &mut SqliteConnection,
        random: &dyn Random,
        scope: &KeyScope,
    ) -> Result<(KeyId, DataKey), PartError> {
        let label = scope.to_string();
        let found: Option<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT id, wrapped FROM data_keys WHERE scope = $1 AND wrapped IS NOT NULL")
                .bind(&label)
                .fetch_optional(&mut *db)
                .await?;
        if let Some((id, wrapped)) = found {
            let refused = |why| PartError::Key { scope: scope.clone(), why };
            let key =
                self.wrapping.unwrap(&wrapping(&label, &id), &WrappedKey::from_bytes(wrapped)).map_err(refused)?;
            let id = id.try_into().map_err(|_| refused(daypass_seal::OpenError::Rejected))?;
            return Ok((id, key));
        }
        let id: KeyId = random_bytes(random);
        let key = DataKey::from_bytes(random_bytes(random));
        let wrapped = self.wrapping.wrap(random_bytes(random), &wrapping(&label, &id), &key);
        sqlx::query("INSERT INTO data_keys (id, scope, wrapped) VALUES ($1, $2, $3)")
            .bind(&id[..])
            .bind(&label)
            .bind(wrapped.as_bytes())
            .execute(db)
            .await?;
        Ok((id, key))
    }

    /// What a part says, checked against the commitment in its leaf; nothing when its key is gone, or when there is none.
    pub(crate) async fn read(
        &self,
        home: &SqlitePool,
        places: &Places,
        id: PayloadId,
    ) -> Result<Option<Value>, StoreError> {
        let name = id.to_string();
        let Some((seq, part, sealed, key_id, scope, Some(wrapped))) = find(home, places, &name).await? else {
            return Ok(None);
        };
        let leaf: Option<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM leaves WHERE seq = $1")
            .bind(seq)
            .fetch_optional(home)
            .await
            .map_err(unreadable)?;
        // A part whose commit failed after it was durable in its region: no entry names it.
        let Some(leaf) = leaf else { return Ok(None) };
        let failed = |why: &dyn std::fmt::Display| {
            unreadable(format_args!("the payload {name} is not what was recorded: {why}. Restore a backup"))
        };
        let place = Place { seq: number(seq)?, part: number(part)? };
        let key = self
            .wrapping
            .unwrap(&wrapping(&scope, &key_id), &WrappedKey::from_bytes(wrapped))
            .map_err(|e| failed(&e))?;
        let plain = key.sealing_key().open(&bound(&name, place, &key_id), &sealed).map_err(|e| failed(&e))?;
        let (salt, payload) =
            plain.split_first_chunk::<SALT_BYTES>().ok_or_else(|| failed(&"it is too short to be one"))?;
        let leaf = Leaf::parse(&leaf).map_err(|e| failed(&e))?;
        let index = usize::try_from(place.part).unwrap_or(usize::MAX);
        if leaf.header().seq != place.seq || !leaf.check_part(index, salt, payload) {
            return Err(failed(&"the ledger's entry commits to something else"));
        }
        serde_json::from_slice(payload).map(Some).map_err(|e| failed(&e))
    }
}

/// A part as it is filed: `seq, part, sealed`, then its key's `id, scope, wrapped`.
type Filed = (i64, i64, Vec<u8>, Vec<u8>, String, Option<Vec<u8>>);

/// Finds a part wherever it is kept. A place that is away is an error only when no other has it.
async fn find(home: &SqlitePool, places: &Places, name: &str) -> Result<Option<Filed>, StoreError> {
    if let Some(found) = filed(home, name).await.map_err(unreadable)? {
        return Ok(Some(found));
    }
    let mut away = None;
    for place in places.elsewhere() {
        match filed(&place.pool, name).await {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => {}
            Err(error) => away = Some(unreadable(format_args!("the region {}: {error}", place.region()))),
        }
    }
    away.map_or(Ok(None), Err)
}

async fn filed(pool: &SqlitePool, name: &str) -> Result<Option<Filed>, sqlx::Error> {
    sqlx::query_as(
        "SELECT p.seq, p.part, p.sealed, k.id, k.scope, k.wrapped FROM payloads p \
         JOIN data_keys k ON k.id = p.data_key WHERE p.id = $1",
    )
    .bind(name)
    .fetch_optional(pool)
    .await
}

/// Destroys the keys of a scope, and tells how many there were. What they sealed can't be opened any more. // I9
pub(crate) async fn destroy(db: &mut SqliteConnection, scope: &KeyScope) -> Result<u64, sqlx::Error> {
    sqlx::query("UPDATE data_keys SET wrapped = NULL WHERE scope = $1 AND wrapped IS NOT NULL")
        .bind(scope.to_string())
        .execute(db)
        .await
        .map(|done| done.rows_affected())
}
