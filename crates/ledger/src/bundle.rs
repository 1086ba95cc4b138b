//! Entry bundles: entries one after the other, each behind its length in two bytes, the high byte
//! first (C2SP `tlog-tiles`, "Log entries").

/// The longest entry: what two bytes of length can say.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// The length in front of each entry, in bytes.
const LENGTH_BYTES: usize = 2;

/// Why bytes are not the bundle they should be, or can't become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// An entry that the format can't hold.
    #[error("an entry of {bytes} bytes is longer than a log entry may be ({MAX_ENTRY_BYTES} bytes)")]
    EntryTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The bytes end within an entry.
    #[error("the bundle ends within its entry {entry}: it was cut short")]
    CutShort {
        /// The entry's number within the bundle, from 0.
        entry: usize,
    },
    /// More or fewer entries than the path says.
    #[error("the bundle should hold {need} entries, and holds {have}")]
    WrongCount {
        /// How many its path says.
        need: u16,
        /// How many there are; one more than `need` stands for any larger number.
        have: usize,
    },
}

/// Appends one entry to a bundle's bytes.
///
/// # Errors
/// [`BundleError::EntryTooLong`].
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let too_long = BundleError::EntryTooLong { bytes: entry.len() };
    let length = u16::try_from(entry.len()).map_err(|_| too_long)?;
    bundle.extend(length.to_be_bytes());
    bundle.extend(entry);
    Ok(())
}

/// A bundle of these entries, in order.
///
/// # Errors
/// [`BundleError::EntryTooLong`].
pub fn encode<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, BundleError> {
    let mut bundle = Vec::new();
    for entry in entries {
        push_entry(&mut bundle, entry.as_ref())?;
    }
    Ok(bundle)
}

/// The entries of a bundle that should hold exactly `width` of them, and nothing more.
///
/// # Errors
/// [`BundleError::CutShort`], [`BundleError::WrongCount`].
pub fn parse(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bundle;
    while !rest.is_empty() {
        if entries.len() == usize::from(width) {
            return Err(BundleError::WrongCount { need: width, have: entries.len() + 1 });
        }
        let cut_short = BundleError::CutShort { entry: entries.len() };
        let Some((length, after)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
            return Err(cut_short);
        };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((entry, after)) = after.split_at_checked(length) else {
            return Err(cut_short);
        };
        entries.push(entry);
        rest = after;
    }
    if entries.len() == usize::from(width) {
        Ok(entries)
    } else {
        Err(BundleError::WrongCount { need: width, have: entries.len() })
    }
}
