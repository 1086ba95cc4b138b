//! What can be done for a commit before it is its turn: texts, limits, random bytes. On the caller's task, so that the
//! committer has less to do.

use daypass_ledger::{
    Draft, EventType, KeyScope, Region,
    leaf::{LeafError, SALT_BYTES},
};
use daypass_ports::{
    record::{Commit, CommitError, Due, Entry, Expect, Kind, Scope, Write, Written},
    world::{Random, random_bytes},
};
use daypass_seal::NONCE_LEN;

use crate::rows::keys_column;

/// The longest body of a row, in bytes of JSON.
const MAX_BODY: usize = 8 * 1024 * 1024;
/// The most bytes of an id, or of a key's value.
const MAX_ID: usize = 1024;

/// A commit that is ready to run.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) expect: Vec<Expect>,
    pub(crate) writes: Vec<RowWrite>,
    pub(crate) entries: Vec<EntryDraft>,
    /// Grant ids with the JSON of their cause.
    pub(crate) ended: Vec<(String, String)>,
    pub(crate) killed: Vec<String>,
}

/// A row to write.
#[derive(Debug)]
pub(crate) struct RowWrite {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    /// Nothing deletes.
    pub(crate) put: Option<Put>,
}

/// A row's content as its columns will have it.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) body: String,
    pub(crate) keys: String,
    pub(crate) pairs: Vec<(&'static str, String)>,
    pub(crate) due: Option<i64>,
}

/// An entry without its place and time.
#[derive(Debug)]
pub(crate) struct EntryDraft {
    pub(crate) draft: Draft,
    pub(crate) salts: Vec<[u8; SALT_BYTES]>,
    pub(crate) parts: Vec<PartSlot>,
}

/// Where a part goes.
#[derive(Debug, Clone)]
pub(crate) struct PartSlot {
    pub(crate) id: String,
    pub(crate) nonce: [u8; NONCE_LEN],
}

/// Prepares a commit.
pub(crate) fn prepare(commit: Commit, random: &dyn Random) -> Result<Prepared, CommitError> {
    let writes = commit.writes.into_iter().map(row_write).collect::<Result<_, _>>()?;
    let entries = commit
        .entries
        .into_iter()
        .map(|entry| entry_draft(entry, random).map_err(|e| refused(&e)))
        .collect::<Result<_, _>>()?;
    let ended = commit
        .ended
        .into_iter()
        .map(|(grant, cause)| match serde_json::to_string(&cause) {
            Ok(cause) => Ok((grant.to_string(), cause)),
            Err(e) => Err(CommitError::BadEntry { why: format!("the cause of {grant}'s end has no JSON form: {e}") }),
        })
        .collect::<Result<_, _>>()?;
    let killed = commit.killed.iter().map(ToString::to_string).collect();
    Ok(Prepared { expect: commit.expect, writes, entries, ended, killed })
}

/// An entry that the ledger refuses.
pub(crate) fn refused(error: &LeafError) -> CommitError {
    CommitError::BadEntry { why: error.to_string() }
}

fn row_write(write: Write) -> Result<RowWrite, CommitError> {
    let Write { kind, id, what } = write;
    let bad = |why: &str| CommitError::BadEntry { why: format!("{} {}: {why}", kind.as_str(), cut(&id)) };
    if id.is_empty() || id.len() > MAX_ID {
        return Err(bad("a row's id has 1 to 1024 bytes"));
    }
    let put = match what {
        Written::Delete => None,
        Written::Put { body, keys: mut pairs, due } => {
            let body = body.to_string();
            if body.len() > MAX_BODY {
                return Err(bad("a row's content has at most 8 MiB"));
            }
            if pairs.iter().any(|(_, value)| value.len() > MAX_ID) {
                return Err(bad("a key's value has at most 1024 bytes"));
            }
            pairs.sort();
            pairs.dedup();
            let due = match due {
                Due::Never => None,
                Due::At(time) => Some(time.micros()),
            };
            Some(Put { body, keys: keys_column(&pairs), pairs, due })
        }
    };
    Ok(RowWrite { kind, id, put })
}

fn cut(id: &str) -> String {
    id.chars().take(80).flat_map(char::escape_default).collect()
}

fn entry_draft(entry: Entry, random: &dyn Random) -> Result<EntryDraft, LeafError> {
    let mut draft = Draft::new(EventType::new(entry.event)?, Region::new(entry.region.as_str())?, entry.retention);
    for (kind, id) in entry.ids {
        draft = draft.id(kind, id);
    }
    let mut parts = Vec::with_capacity(entry.parts.len());
    let mut salts = Vec::with_capacity(entry.parts.len());
    for part in entry.parts {
        draft = draft.part(key_scope(&part.scope), part.content);
        salts.push(random_bytes(random));
        parts.push(PartSlot { id: part.id.to_string(), nonce: random_bytes(random) });
    }
    // What sealing refuses is better known now, when no other commit waits: the place and the time change nothing of it.
    draft.seal(0, 0, &salts)?;
    Ok(EntryDraft { draft, salts, parts })
}

/// A scope as a leaf and a key's file name it.
pub(crate) fn key_scope(scope: &Scope) -> KeyScope {
    match scope {
        Scope::Subject(principal) => KeyScope::Subject(principal.to_string()),
        Scope::Session(session) => KeyScope::Session(session.to_string()),
        Scope::Operational => KeyScope::Operational,
    }
}
