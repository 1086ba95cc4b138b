//! What verifying can find, said so that a person knows what was done and what to do next.

use crate::{
    bundle::BundleError, checkpoint::CheckpointError, hash::Hash, leaf::LeafError, merkle::ProofError, note::NoteError,
};

/// Why a log doesn't verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The source failed; this says nothing about the log.
    #[error("`{path}` couldn't be read: {why}; nothing is proven either way, try again")]
    Unreadable {
        /// The path within the log.
        path: String,
        /// What the source said.
        why: String,
    },
    /// There is no `checkpoint`.
    #[error("there is no `checkpoint` here: this isn't a log, or its head was removed")]
    NoCheckpoint,
    /// The checkpoint can't be read.
    #[error("the checkpoint is malformed: {0}")]
    MalformedCheckpoint(CheckpointError),
    /// The checkpoint isn't by the trusted key, or is of another log.
    #[error("wrong key: {0}")]
    WrongKey(CheckpointError),
    /// The checkpoint claims to be by the trusted key, and isn't.
    #[error("bad signature: the checkpoint was altered after it was signed")]
    BadSignature,
    /// The signed log is shorter than the kept head, and the rest is gone.
    #[error(
        "truncated: the log has {size} entries, and you hold a checkpoint of {known}; the last \
         {gone} were removed, or an older backup was put back", gone = known.saturating_sub(*size)
    )]
    Truncated {
        /// The signed size.
        size: u64,
        /// The size that the caller holds.
        known: u64,
    },
    /// The entries up to the kept head are there, under an older checkpoint.
    #[error(
        "replayed: the checkpoint is an older one, of {size} entries; the {known} entries of the \
         checkpoint that you hold are all there, but it would have you overlook the last {gone}",
        gone = known.saturating_sub(*size)
    )]
    Replayed {
        /// The signed size.
        size: u64,
        /// The size that the caller holds.
        known: u64,
    },
    /// Two signed heads of one size: proof that the key signed two histories.
    #[error(
        "forked: the log signed two different histories of {size} entries: root {signed} here, \
         and {known} in the checkpoint that you hold; keep both, together they prove it"
    )]
    Fork {
        /// The size of both.
        size: u64,
        /// The root signed here.
        signed: Hash,
        /// The root that the caller holds.
        known: Hash,
    },
    /// Longer than the kept head, complete and signed, and not what the caller saw before.
    #[error(
        "rewritten: the first {known} of {size} entries hash to {found}, and in the checkpoint \
         that you hold to {root}; at least one of them was changed, removed or put in between, \
         and the log was signed again"
    )]
    Rewritten {
        /// The signed size.
        size: u64,
        /// The size that the caller holds.
        known: u64,
        /// The root over the first `known` entries as they are.
        found: Hash,
        /// The root that the caller holds.
        root: Hash,
    },
    /// A consistency proof doesn't hold.
    #[error(
        "the log of {size} entries isn't shown to extend the {known} of the checkpoint that you \
         hold: {why}; verify the whole log to learn more"
    )]
    NotExtended {
        /// The newer size.
        size: u64,
        /// The size that the caller holds.
        known: u64,
        /// What the proof fails at.
        why: ProofError,
    },
    /// An entry bundle is missing.
    #[error("the entries at `{path}` are missing: they were removed, or not copied")]
    MissingEntries {
        /// The path within the log.
        path: String,
    },
    /// A tile is missing.
    #[error("the tile `{path}` is missing: it was removed, or not copied")]
    MissingTile {
        /// The path within the log.
        path: String,
    },
    /// An entry bundle can't be read.
    #[error("the entries at `{path}` are malformed: {why}")]
    MalformedEntries {
        /// The path within the log.
        path: String,
        /// What is wrong with them.
        why: BundleError,
    },
    /// A tile's length is wrong.
    #[error("the tile `{path}` doesn't hold the {width} hashes that it should")]
    MalformedTile {
        /// The path within the log.
        path: String,
        /// How many hashes it should hold.
        width: u16,
    },
    /// An entry doesn't hash to what its tile says.
    #[error("entry {index} was altered or moved: it doesn't hash to what the tile `{tile}` says of it")]
    EntryMismatch {
        /// The entry's index.
        index: u64,
        /// The tile's path.
        tile: String,
    },
    /// A tile above the leaves doesn't fit the entries.
    #[error("the tile `{path}` was altered: the entries below it hash to something else")]
    TileMismatch {
        /// The tile's path.
        path: String,
    },
    /// Entries and tiles agree, and the signed root is another.
    #[error(
        "the {size} entries hash to {found}, and the signed checkpoint says {signed}: entries and \
         tiles were altered together, without the log's key"
    )]
    RootMismatch {
        /// The signed size.
        size: u64,
        /// The root over the entries as they are.
        found: Hash,
        /// The root that was signed.
        signed: Hash,
    },
    /// An entry isn't a leaf. The log signed it so.
    #[error("entry {index} is malformed, and the log signed it so: {why}")]
    MalformedLeaf {
        /// The entry's index.
        index: u64,
        /// What is wrong with it.
        why: LeafError,
    },
    /// An entry says that it is another.
    #[error(
        "entry {index} says that its place is {seq}: entries were removed or put in between \
         before the log was signed"
    )]
    WrongPlace {
        /// The entry's index.
        index: u64,
        /// The place that it claims.
        seq: u64,
    },
    /// An entry is older than the one before it.
    #[error(
        "entry {index} is of an earlier time ({time_us} us) than the entry before it \
         ({before_us} us): entries were put in later, or the log's clock rule was broken"
    )]
    TimeRunsBack {
        /// The entry's index.
        index: u64,
        /// Its time, in microseconds since 1970 UTC.
        time_us: i64,
        /// The time of the entry before.
        before_us: i64,
    },
}

impl Failure {
    /// Why a checkpoint that could be read isn't trusted.
    pub(super) fn from_untrusted(why: CheckpointError) -> Self {
        match why {
            CheckpointError::Note(NoteError::BadSignature { .. }) => Self::BadSignature,
            CheckpointError::Note(NoteError::WrongKey { .. } | NoteError::NotSigned { .. })
            | CheckpointError::OtherLog { .. } => Self::WrongKey(why),
            CheckpointError::Note(
                NoteError::TooLong(_)
                | NoteError::TooManySignatures
                | NoteError::NotText
                | NoteError::Shape
                | NoteError::SignatureLine(_),
            )
            | CheckpointError::Origin
            | CheckpointError::Shape
            | CheckpointError::Size
            | CheckpointError::Root
            | CheckpointError::Extension => Self::MalformedCheckpoint(why),
        }
    }
}
