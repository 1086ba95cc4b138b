//! SQL's tokens, as far as it takes to tell strings from what is around them (PostgreSQL manual, "Lexical Structure").

use std::ops::Range;

/// What can't be known from a text alone, so that all of it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres) struct Doubts {
    /// `standard_conforming_strings` is off: a backslash escapes in plain strings too.
    pub backslashes: bool,
    /// The client's encoding has characters of two bytes whose second may be a backslash (SJIS, BIG5, GBK, GB18030, JOHAB).
    pub pairs: bool,
}

impl Doubts {
    /// Those that make a difference to this text.
    pub fn of(text: &[u8]) -> Vec<Self> {
        let mut all = vec![Self { backslashes: false, pairs: false }];
        if text.contains(&b'\\') {
            all.push(Self { backslashes: true, pairs: false });
            if text.windows(2).any(|two| two[0] >= 0x80 && two[1] == b'\\') {
                all.push(Self { backslashes: false, pairs: true });
                all.push(Self { backslashes: true, pairs: true });
            }
        }
        all
    }
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres) enum What {
    /// A keyword or an unquoted name.
    Word,
    /// `"..."`; `escaped` with `U&`.
    Name { escaped: bool },
    /// `'...'` of any kind.
    Text(Escapes),
    /// `$tag$...$tag$`.
    Dollar,
    /// `--` or `/* */`.
    Comment,
    /// A number.
    Number,
    /// `$1`.
    Parameter,
    /// Any other byte.
    Other(u8),
}

/// How a string's inside is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres) enum Escapes {
    /// Only quotes are doubled.
    None,
    /// `\n`, `\x41` and so on.
    Backslash,
    /// `U&'\0041'`.
    Unicode,
}

/// A token: all of it, and what is between its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::postgres) struct Token {
    pub what: What,
    pub all: Range<usize>,
    pub inner: Range<usize>,
}

/// Gives the tokens of a text in order; whitespace is left out. What has no end goes on to the text's.
#[derive(Debug)]
pub(in crate::postgres) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    doubts: Doubts,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8], doubts: Doubts) -> Self {
        Self { text, at: 0, doubts }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_while(&mut self, is: impl Fn(u8) -> bool) {
        while self.text.get(self.at).is_some_and(|byte| is(*byte)) {
            self.at += 1;
        }
    }

    /// Goes to `end`, or the text's end.
    fn token(&mut self, what: What, start: usize, inner: Range<usize>) -> Token {
        self.at = self.at.min(self.text.len());
        Token { what, all: start..self.at, inner: inner.start.min(self.at)..inner.end.min(self.at) }
    }

    /// From the quote at `self.at`.
    fn quoted(&mut self, what: What, start: usize, quote: u8, escapes: Escapes) -> Token {
        self.at += 1;
        let from = self.at;
        let mut to = self.text.len();
        while let Some(byte) = self.text.get(self.at).copied() {
            // The second byte of a pair is never a quote.
            let pair = self.doubts.pairs && (0x81..=0xfe).contains(&byte) && self.peek(1) >= 0x30;
            if pair || (byte == b'\\' && escapes == Escapes::Backslash) || (byte == quote && self.peek(1) == quote) {
                self.at += 2;
            } else if byte == quote {
                to = self.at;
                self.at += 1;
                break;
            } else {
                self.at += 1;
            }
        }
        self.token(what, start, from..to)
    }

    fn string(&mut self, start: usize, escapes: Escapes) -> Token {
        let escapes = if self.doubts.backslashes && escapes == Escapes::None { Escapes::Backslash } else { escapes };
        self.quoted(What::Text(escapes), start, b'\'', escapes)
    }

    fn line_comment(&mut self, start: usize) -> Token {
        self.skip_while(|byte| byte != b'\n' && byte != b'\r');
        let end = self.at;
        self.token(What::Comment, start, start + 2..end)
    }

    fn block_comment(&mut self, start: usize) -> Token {
        self.at += 2;
        let mut depth = 1;
        while self.at < self.text.len() && depth > 0 {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        let end = if depth == 0 { self.at - 2 } else { self.text.len() };
        self.token(What::Comment, start, start + 2..end.max(start + 2))
    }

    fn dollar(&mut self, start: usize) -> Token {
        self.at += 1;
        if self.peek(0).is_ascii_digit() {
            self.skip_while(|byte| byte.is_ascii_digit());
            return self.token(What::Parameter, start, start..start);
        }
        self.skip_while(|byte| is_word(byte) && byte != b'$');
        if self.peek(0) != b'$' {
            self.at = start + 1;
            return self.token(What::Other(b'$'), start, start..start);
        }
        self.at += 1;
        let tag = &self.text[start..self.at];
        let from = self.at;
        let found = self.text[from..].windows(tag.len()).position(|part| part == tag);
        let to = found.map_or(self.text.len(), |found| from + found);
        self.at = to + tag.len();
        self.token(What::Dollar, start, from..to)
    }

    fn word(&mut self, start: usize) -> Token {
        self.skip_while(is_word);
        let word = &self.text[start..self.at];
        match (word, self.peek(0), self.peek(1)) {
            (b"e" | b"E", b'\'', _) => self.string(start, Escapes::Backslash),
            (b"n" | b"N" | b"b" | b"B" | b"x" | b"X", b'\'', _) => self.string(start, Escapes::None),
            (b"u" | b"U", b'&', b'\'') => {
                self.at += 1;
                self.string(start, Escapes::Unicode)
            }
            (b"u" | b"U", b'&', b'"') => {
                self.at += 1;
                self.quoted(What::Name { escaped: true }, start, b'"', Escapes::None)
            }
            _ => {
                let end = self.at;
                self.token(What::Word, start, start..end)
            }
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c));
        let start = self.at;
        let byte = *self.text.get(start)?;
        Some(match (byte, self.peek(1)) {
            (b'\'', _) => self.string(start, Escapes::None),
            (b'"', _) => self.quoted(What::Name { escaped: false }, start, b'"', Escapes::None),
            (b'-', b'-') => self.line_comment(start),
            (b'/', b'*') => self.block_comment(start),
            (b'$', _) => self.dollar(start),
            (b'0'..=b'9', _) => {
                self.skip_while(|byte| byte.is_ascii_digit() || byte == b'.');
                self.token(What::Number, start, start..start)
            }
            _ if is_word(byte) => self.word(start),
            _ => {
                self.at += 1;
                self.token(What::Other(byte), start, start..start)
            }
        })
    }
}

/// Letters, digits, `_`, `$`, and every byte of characters that aren't ASCII.
pub(in crate::postgres) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}
