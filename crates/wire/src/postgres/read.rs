//! Reading what a message's body holds.

use super::frame::FrameError;

/// The rest of a body.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// From a body's beginning.
    pub fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    /// A byte. `what` names it in the error.
    ///
    /// # Errors
    /// [`FrameError::Truncated`], here and below.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, FrameError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    /// Two bytes, as all numbers big-endian.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn i16(&mut self, what: &'static str) -> Result<i16, FrameError> {
        self.array(what).map(i16::from_be_bytes)
    }

    /// Four bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn i32(&mut self, what: &'static str) -> Result<i32, FrameError> {
        self.array(what).map(i32::from_be_bytes)
    }

    /// Text up to its final zero, which is left out.
    ///
    /// # Errors
    /// When there is no zero.
    pub fn text(&mut self, what: &'static str) -> Result<&'a [u8], FrameError> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(FrameError::Truncated(what))?;
        let text = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Ok(text)
    }

    /// So many bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn bytes(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], FrameError> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(FrameError::Truncated(what))?;
        self.0 = rest;
        Ok(bytes)
    }

    /// All that is left.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], FrameError> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(FrameError::Truncated(what))?;
        self.0 = rest;
        Ok(*bytes)
    }
}
