//! Bytes into lines, each of bounded length.

/// The longest line that is read, in bytes: the longest statement that is taken, however its JSON is escaped, fits.
pub const LINE_MAX: usize = 1 << 20;

/// A line that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A whole one, without its end.
    Whole(Vec<u8>),
    /// One that was longer than is read. What it said is gone; the next one is read again.
    TooLong,
}

/// Bytes as they come, cut into lines.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
    /// Whether the line that is begun was too long already.
    over: Over,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Over {
    #[default]
    No,
    Yes,
}

impl Lines {
    /// Takes bytes in, and gives the lines that they end. At the end of everything, a line without an end is none.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut pieces = bytes.split(|b| *b == b'\n');
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.add(piece);
            lines.push(self.end());
        }
        self.add(last);
        lines
    }

    fn add(&mut self, piece: &[u8]) {
        if self.over == Over::Yes {
            return;
        }
        if self.begun.len() + piece.len() > LINE_MAX {
            self.begun = Vec::new();
            self.over = Over::Yes;
            return;
        }
        self.begun.extend_from_slice(piece);
    }

    fn end(&mut self) -> Line {
        let mut line = std::mem::take(&mut self.begun);
        match std::mem::take(&mut self.over) {
            Over::Yes => Line::TooLong,
            Over::No => {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                Line::Whole(line)
            }
        }
    }
}
