//! Rows under a MAC: reading them, and what the MAC covers.

use daypass_domain::Time;
use daypass_ports::{
    record::Kind,
    store::{Order, Query, Row, StoreError},
};
use daypass_seal::MacKey;
use sqlx::{SqliteConnection, SqlitePool};

use crate::error::{number, unreadable};

/// A row's columns, as they stand: `id, version, keys, body, due_us, mac`.
pub(crate) type Columns = (String, i64, String, String, Option<i64>, Vec<u8>);

/// Above every id: ids are UTF-8, and no character is above this one.
const ABOVE_ALL: &str = "\u{10FFFF}";

/// The code of a row. Everything that a row says is under it: a row can't be changed, copied to another id or kind, or
/// filed under another key or due time, without this key.
pub(crate) fn mac(
    key: &MacKey,
    kind: Kind,
    id: &str,
    version: i64,
    keys: &str,
    body: &str,
    due: Option<i64>,
) -> [u8; 32] {
    key.mac(&parts(kind, id, &version.to_be_bytes(), keys, body, &due_bytes(due)))
}

fn parts<'a>(kind: Kind, id: &'a str, version: &'a [u8], keys: &'a str, body: &'a str, due: &'a [u8]) -> [&'a [u8]; 7] {
    [b"row", kind.as_str().as_bytes(), id.as_bytes(), version, keys.as_bytes(), body.as_bytes(), due]
}

/// Never due is no bytes, which no time is.
fn due_bytes(due: Option<i64>) -> Vec<u8> {
    due.map(|us| us.to_be_bytes().to_vec()).unwrap_or_default()
}

/// Whether the row's columns are what this Daypass wrote.
pub(crate) fn verify(key: &MacKey, kind: Kind, columns: &Columns) -> Result<(), StoreError> {
    let (id, version, keys, body, due, tag) = columns;
    let (version, due) = (version.to_be_bytes(), due_bytes(*due));
    key.verify(&parts(kind, id, &version, keys, body, &due), tag)
        .map_err(|_| StoreError::Forged { kind, id: id.clone() })
}

/// The row that verified columns say.
fn row(kind: Kind, columns: Columns) -> Result<Row, StoreError> {
    let (id, version, _, body, _, _) = columns;
    let body =
        serde_json::from_str(&body).map_err(|e| StoreError::Unknown { kind, id: id.clone(), why: e.to_string() })?;
    Ok(Row { id, version: number(version)?, body })
}

/// Reads rows and checks each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) pool: &'a SqlitePool,
    pub(crate) key: &'a MacKey,
}

impl Reader<'_> {
    pub(crate) async fn row(&self, kind: Kind, id: &str) -> Result<Option<Row>, StoreError> {
        let mut db = self.pool.acquire().await.map_err(unreadable)?;
        let columns = columns(&mut db, kind, id).await.map_err(unreadable)?;
        columns.map(|c| self.checked(kind, c)).transpose()
    }

    pub(crate) async fn rows(&self, query: Query<'_>) -> Result<Vec<Row>, StoreError> {
        let kind = query.kind;
        let after = query.after.unwrap_or(match query.order {
            Order::Rising => "",
            Order::Falling => ABOVE_ALL,
        });
        let select = match (query.by.is_some(), query.order) {
            (false, Order::Rising) => ALL_RISING,
            (false, Order::Falling) => ALL_FALLING,
            (true, Order::Rising) => KEY_RISING,
            (true, Order::Falling) => KEY_FALLING,
        };
        let mut statement =
            sqlx::query_as::<_, Columns>(select).bind(kind.as_str()).bind(after).bind(i64::from(query.most));
        if let Some((key, value)) = query.by {
            statement = statement.bind(key).bind(value);
        }
        let found = statement.fetch_all(self.pool).await.map_err(unreadable)?;
        found
            .into_iter()
            .map(|columns| {
                if let Some(by) = query.by
                    && !has_key(&columns.2, by)
                {
                    return Err(StoreError::Forged { kind, id: columns.0 });
                }
                self.checked(kind, columns)
            })
            .collect()
    }

    pub(crate) async fn due(&self, kind: Kind, now: Time, most: u32) -> Result<Vec<Row>, StoreError> {
        let found: Vec<Columns> = sqlx::query_as(
            "SELECT id, version, keys, body, due_us, mac FROM rows \
             WHERE kind = $1 AND due_us IS NOT NULL AND due_us <= $2 ORDER BY due_us, id LIMIT $3",
        )
        .bind(kind.as_str())
        .bind(now.micros())
        .bind(i64::from(most))
        .fetch_all(self.pool)
        .await
        .map_err(unreadable)?;
        found.into_iter().map(|columns| self.checked(kind, columns)).collect()
    }

    /// Unverified, as it only says when to look: whoever looks gets rows that were verified.
    pub(crate) async fn next_due(&self) -> Result<Option<Time>, StoreError> {
        let due: Option<i64> = sqlx::query_scalar("SELECT min(due_us) FROM rows WHERE due_us IS NOT NULL")
            .fetch_one(self.pool)
            .await
            .map_err(unreadable)?;
        Ok(due.map(Time::from_micros))
    }

    fn checked(&self, kind: Kind, columns: Columns) -> Result<Row, StoreError> {
        verify(self.key, kind, &columns)?;
        row(kind, columns)
    }
}

const ALL_RISING: &str = "SELECT id, version, keys, body, due_us, mac FROM rows \
     WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3";
const ALL_FALLING: &str = "SELECT id, version, keys, body, due_us, mac FROM rows \
     WHERE kind = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
const KEY_RISING: &str = "SELECT r.id, r.version, r.keys, r.body, r.due_us, r.mac FROM row_keys k JOIN rows r USING (row) \
     WHERE k.kind = $1 AND k.id > $2 AND k.key = $4 AND k.value = $5 AND r.kind = $1 ORDER BY k.id LIMIT $3";
const KEY_FALLING: &str = "SELECT r.id, r.version, r.keys, r.body, r.due_us, r.mac FROM row_keys k JOIN rows r USING (row) \
     WHERE k.kind = $1 AND k.id < $2 AND k.key = $4 AND k.value = $5 AND r.kind = $1 ORDER BY k.id DESC LIMIT $3";

/// One row's columns.
pub(crate) async fn columns(db: &mut SqliteConnection, kind: Kind, id: &str) -> Result<Option<Columns>, sqlx::Error> {
    sqlx::query_as("SELECT id, version, keys, body, due_us, mac FROM rows WHERE kind = $1 AND id = $2")
        .bind(kind.as_str())
        .bind(id)
        .fetch_optional(db)
        .await
}

/// A row's keys as its column holds them: JSON of sorted pairs, so that the same keys are the same text.
pub(crate) fn keys_column(pairs: &[(&'static str, String)]) -> String {
    // Strings always have a JSON form.
    serde_json::to_string(pairs).unwrap_or_default()
}

fn has_key(keys: &str, (key, value): (&str, &str)) -> bool {
    let pairs: Vec<(String, String)> = serde_json::from_str(keys).unwrap_or_default();
    pairs.iter().any(|(k, v)| k == key && v == value)
}

/// Writes a row over what is there.
pub(crate) async fn write(
    db: &mut SqliteConnection,
    key: &MacKey,
    kind: Kind,
    id: &str,
    put: &crate::prepare::Put,
    old: Option<&Columns>,
) -> Result<Columns, sqlx::Error> {
    let version = old.map_or(1, |(_, version, ..)| version.saturating_add(1));
    let tag = mac(key, kind, id, version, &put.keys, &put.body, put.due);
    let row: i64 = sqlx::query_scalar(
        "INSERT INTO rows (kind, id, version, keys, body, due_us, mac) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, keys = excluded.keys, body = excluded.body, \
         due_us = excluded.due_us, mac = excluded.mac RETURNING row",
    )
    .bind(kind.as_str())
    .bind(id)
    .bind(version)
    .bind(&put.keys)
    .bind(&put.body)
    .bind(put.due)
    .bind(&tag[..])
    .fetch_one(&mut *db)
    .await?;
    if old.is_none_or(|(_, _, keys, ..)| *keys != put.keys) {
        sqlx::query("DELETE FROM row_keys WHERE row = $1").bind(row).execute(&mut *db).await?;
        for (key, value) in &put.pairs {
            sqlx::query("INSERT INTO row_keys (kind, key, value, id, row) VALUES ($1, $2, $3, $4, $5)")
                .bind(kind.as_str())
                .bind(key)
                .bind(value)
                .bind(id)
                .bind(row)
                .execute(&mut *db)
                .await?;
        }
    }
    Ok((id.to_owned(), version, put.keys.clone(), put.body.clone(), put.due, tag.to_vec()))
}

/// Removes a row and its keys.
pub(crate) async fn delete(db: &mut SqliteConnection, kind: Kind, id: &str) -> Result<(), sqlx::Error> {
    let statement = sqlx::query("DELETE FROM rows WHERE kind = $1 AND id = $2").bind(kind.as_str()).bind(id);
    statement.execute(db).await.map(drop)
}

/// The version of what is there, 0 when nothing is; an error when what is there isn't ours.
pub(crate) fn version_of(key: &MacKey, kind: Kind, columns: Option<&Columns>) -> Result<u64, StoreError> {
    match columns {
        None => Ok(0),
        Some(columns) => {
            verify(key, kind, columns)?;
            number(columns.1)
        }
    }
}
