//! What a statement gave, as far as it is kept.

use super::super::{error::PgError, frame::FrameError, read::Reader};

/// The most rows that are kept.
pub const ROWS_MAX: usize = 10_000;
/// The most bytes of rows that are kept, as they came.
pub const ROWS_LEN_MAX: usize = 1 << 20;
/// The most notices that are kept.
pub const NOTICES_MAX: usize = 20;
/// The most bytes of notices that are kept, as they came: with them too, what is answered stays short enough to be read.
pub const NOTICES_LEN_MAX: usize = 64 << 10;

/// What a statement gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given {
    /// Its columns; none when it gives no rows.
    pub columns: Vec<Column>,
    /// Its rows, from the first on; each value as text, `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many rows there were, kept or not.
    pub counted: u64,
    /// What it did, in the server's words: `UPDATE 3`. Empty until it was done.
    pub tag: String,
    /// What the server said besides.
    pub notices: Vec<PgError>,
    len: usize,
    notices_len: usize,
    full: Full,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type's OID (`pg_type.oid`).
    pub type_oid: u32,
}

/// Whether all rows were kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All.
    All,
    /// The first ones: there were more than a result may have.
    First,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Full {
    #[default]
    No,
    /// Once a row was dropped, all that follow are: what is kept is the beginning, without holes.
    Yes,
}

impl Given {
    /// Whether all rows were kept.
    #[must_use]
    pub fn kept(&self) -> Kept {
        match self.full {
            Full::No => Kept::All,
            Full::Yes => Kept::First,
        }
    }

    /// How many rows the command tag speaks of; 0 when it says none.
    #[must_use]
    pub fn rows_told(&self) -> u64 {
        self.tag.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    /// Bytes that one more row may have.
    pub(super) fn room(&self) -> usize {
        match self.full {
            Full::Yes => 0,
            Full::No if self.rows.len() >= ROWS_MAX => 0,
            Full::No => ROWS_LEN_MAX - self.len,
        }
    }

    /// A row that isn't kept.
    pub(super) fn dropped(&mut self) {
        self.counted += 1;
        self.full = Full::Yes;
    }

    pub(super) fn notice(&mut self, notice: PgError, len: usize) {
        if self.notices.len() < NOTICES_MAX && self.notices_len + len <= NOTICES_LEN_MAX {
            self.notices_len += len;
            self.notices.push(notice);
        }
    }

    /// RowDescription.
    pub(super) fn columns(&mut self, body: &[u8]) -> Result<(), FrameError> {
        let mut reader = Reader::new(body);
        let count = reader.i16("the number of columns")?;
        self.columns.clear();
        for _ in 0..count {
            let name = text(reader.text("a column's name")?);
            let _table = reader.i32("a column's table")?;
            let _number = reader.i16("a column's number")?;
            let type_oid = reader.i32("a column's type")?.cast_unsigned();
            let _len = reader.i16("a type's length")?;
            let _modifier = reader.i32("a type's modifier")?;
            let _format = reader.i16("a column's format")?;
            self.columns.push(Column { name, type_oid });
        }
        Ok(())
    }

    /// DataRow.
    pub(super) fn row(&mut self, body: &[u8]) -> Result<(), FrameError> {
        let mut reader = Reader::new(body);
        let count = reader.i16("the number of values")?;
        let mut row = Vec::new();
        for _ in 0..count {
            let len = reader.i32("a value's length")?;
            row.push(match usize::try_from(len) {
                Ok(len) => Some(text(reader.bytes(len, "a value")?)),
                // -1 is NULL.
                Err(_) => None,
            });
        }
        self.counted += 1;
        self.len += body.len();
        self.rows.push(row);
        Ok(())
    }
}

/// The connection's encoding is UTF-8; what isn't (`SQL_ASCII` holds anything) is replaced.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
