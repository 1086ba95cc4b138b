//! Numbers and texts as they stand in a record.

use bytes::Bytes;
use serde::de::DeserializeOwned;

/// Writing them.
pub(super) trait Writing {
    /// LEB128.
    fn number(&mut self, number: u64);
    /// A length and the bytes.
    fn counted(&mut self, bytes: &[u8]);
    /// One byte that says whether there are any, then as [`Writing::counted`].
    fn maybe(&mut self, bytes: Option<&[u8]>);
}

impl Writing for Vec<u8> {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.push(number as u8);
    }

    fn counted(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }

    fn maybe(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.push(0),
            Some(bytes) => {
                self.push(1);
                self.counted(bytes);
            }
        }
    }
}

/// A record that makes no sense: written by another version, or not by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record of the recording can't be understood: {0} was expected. A newer version may have written it")]
pub struct Malformed(pub &'static str);

/// Reading them.
pub(super) struct Reading<'a>(&'a [u8]);

impl<'a> Reading<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed("more"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed("more"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed("a number of 64 bits"));
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed("the end of a number"))
    }

    pub fn counted(&mut self) -> Result<Bytes, Malformed> {
        let len = usize::try_from(self.number()?).map_err(|_| Malformed("a length"))?;
        self.take(len).map(Bytes::copy_from_slice)
    }

    pub fn maybe(&mut self) -> Result<Option<Bytes>, Malformed> {
        match self.byte()? {
            0 => Ok(None),
            1 => self.counted().map(Some),
            _ => Err(Malformed("something or nothing")),
        }
    }

    pub fn maybe_array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Malformed> {
        let found = self.maybe()?;
        found.map(|bytes| bytes.as_ref().try_into().map_err(|_| Malformed("a fixed length"))).transpose()
    }

    pub fn json<T: DeserializeOwned>(&mut self) -> Result<T, Malformed> {
        let text = std::mem::take(&mut self.0);
        serde_json::from_slice(text).map_err(|_| Malformed("JSON of a known form"))
    }

    pub fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed("the end")) }
    }
}
