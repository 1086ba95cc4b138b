//! Which tokens are passwords.

use std::ops::Range;

use super::decode::decode;
use super::lex::{Doubts, Escapes, Lexer, Token, What};
use super::words;

/// SQL in strings in SQL is looked into so deep; what is deeper and hints at a password is left out whole.
const DEPTH_MAX: usize = 6;

/// Words that may stand between PASSWORD and the password, or that are other options of a role.
const OPTION_WORDS: [&str; 28] = [
    "encrypted",
    "unencrypted",
    "to",
    "as",
    "is",
    "set",
    "add",
    "using",
    "with",
    "like",
    "in",
    "login",
    "nologin",
    "superuser",
    "nosuperuser",
    "createdb",
    "nocreatedb",
    "createrole",
    "nocreaterole",
    "inherit",
    "noinherit",
    "replication",
    "noreplication",
    "bypassrls",
    "nobypassrls",
    "connection",
    "limit",
    "password",
];
/// What is made or altered with passwords.
const OBJECTS: [&str; 7] = ["role", "user", "group", "server", "subscription", "foreign", "mapping"];

/// Whether a password comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Armed {
    No,
    /// After the keyword PASSWORD, in a statement about a role or the like: whatever comes is the password.
    Keyword,
    /// After an option that holds a secret.
    Option,
    /// After a column or variable whose name speaks of a password: a string next to it.
    Near,
}

/// Where in a statement we are.
#[derive(Debug)]
struct Statement {
    armed: Armed,
    /// ALTER or CREATE was the last word.
    verb: bool,
    /// It makes or alters something with passwords.
    credential: bool,
    subscription: bool,
    /// A string of it is SQL about a password, so every other string may be one.
    tainted: bool,
    /// A password was just left out: a string that follows is its continuation.
    continued: bool,
}

impl Statement {
    fn new() -> Self {
        Self { armed: Armed::No, verb: false, credential: false, subscription: false, tainted: false, continued: false }
    }
}

/// Finds what to leave out of `text`, which begins at `base` of the whole.
pub(super) fn find(text: &[u8], base: usize, doubts: Doubts, depth: usize, found: &mut Vec<Range<usize>>) {
    let mut finder = Finder { text, base, doubts, depth, statement: Statement::new(), found };
    for token in Lexer::new(text, doubts) {
        finder.token(&token);
    }
}

struct Finder<'a, 'f> {
    text: &'a [u8],
    base: usize,
    doubts: Doubts,
    depth: usize,
    statement: Statement,
    found: &'f mut Vec<Range<usize>>,
}

impl Finder<'_, '_> {
    fn leave_out(&mut self, range: &Range<usize>) {
        self.found.push(self.base + range.start..self.base + range.end);
    }

    fn token(&mut self, token: &Token) {
        match token.what {
            What::Word => self.word(token),
            What::Name { escaped } => self.name(token, escaped),
            What::Text(escapes) => {
                let inside = |finder: &mut Self| finder.inside_text(token, escapes);
                self.string(token, inside);
            }
            What::Dollar => self.string(token, |finder| finder.inside_raw(token)),
            What::Comment => self.comment(token),
            What::Number => {
                if self.statement.armed == Armed::Keyword {
                    self.leave_out(&token.all);
                }
            }
            What::Parameter => self.statement.armed = Armed::No,
            What::Other(byte) => self.other(token, byte),
        }
    }

    fn word(&mut self, token: &Token) {
        let word = &self.text[token.all.clone()];
        let is_one_of = |words: &[&str]| words.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes()));
        let statement = &mut self.statement;
        statement.continued = false;
        if statement.verb && is_one_of(&OBJECTS) {
            statement.credential = true;
            statement.subscription |= is_one_of(&["subscription"]);
        }
        statement.verb = is_one_of(&["alter", "create"]);
        if statement.credential && is_one_of(&["password"]) {
            statement.armed = Armed::Keyword;
        } else if statement.subscription && is_one_of(&["connection"]) {
            statement.armed = Armed::Option;
        } else if statement.armed == Armed::Keyword {
            if is_one_of(&["null", "valid", "options"]) {
                statement.armed = Armed::No;
            } else if !is_one_of(&OPTION_WORDS) {
                self.leave_out(&token.all);
            }
        } else if statement.credential && words::names_secret(word) {
            statement.armed = Armed::Option;
        } else if words::names_password(word) {
            statement.armed = Armed::Near;
        } else if !is_one_of(&OPTION_WORDS) {
            statement.armed = Armed::No;
        }
    }

    fn name(&mut self, token: &Token, escaped: bool) {
        self.statement.verb = false;
        self.statement.continued = false;
        let name = &self.text[token.inner.clone()];
        match self.statement.armed {
            // Quoted the wrong way, but a password.
            Armed::Keyword => self.leave_out(&token.all),
            Armed::Option | Armed::Near | Armed::No => {
                self.statement.armed = if self.statement.credential && (escaped || words::names_secret(name)) {
                    Armed::Option
                } else if words::names_password(name) {
                    Armed::Near
                } else {
                    Armed::No
                };
            }
        }
    }

    fn string(&mut self, token: &Token, inside: impl FnOnce(&mut Self)) {
        let statement = &mut self.statement;
        statement.verb = false;
        if statement.armed != Armed::No || statement.continued || statement.tainted {
            statement.armed = Armed::No;
            statement.continued = true;
            self.leave_out(&token.all);
        } else {
            inside(self);
        }
    }

    /// A string in single quotes is left out whole if anything in it is.
    fn inside_text(&mut self, token: &Token, escapes: Escapes) {
        let inner = decode(&self.text[token.inner.clone()], escapes);
        let mut found = Vec::new();
        look_into(&inner, 0, self.doubts, self.depth + 1, &mut found);
        if !found.is_empty() {
            self.leave_out(&token.all);
        }
        self.statement.tainted |= words::makes_with_password(&inner);
    }

    /// What is in dollar quotes is mostly code, which is worth keeping, and is written as it is.
    fn inside_raw(&mut self, token: &Token) {
        let inner = &self.text[token.inner.clone()];
        look_into(inner, self.base + token.inner.start, self.doubts, self.depth + 1, self.found);
        self.statement.tainted |= words::makes_with_password(inner);
    }

    fn comment(&mut self, token: &Token) {
        let inner = &self.text[token.inner.clone()];
        if self.statement.armed != Armed::No && inner.iter().any(|byte| b"'\"$".contains(byte)) {
            self.leave_out(&token.all);
        } else {
            look_into(inner, self.base + token.inner.start, self.doubts, self.depth + 1, self.found);
        }
    }

    fn other(&mut self, token: &Token, byte: u8) {
        match (byte, self.statement.armed) {
            (b';', _) => self.statement = Statement::new(),
            (b',', Armed::Near) => {
                self.statement.armed = Armed::No;
                self.statement.continued = false;
            }
            (b',' | b'(' | b')' | b'=' | b':' | b'>', _) => self.statement.continued = false,
            (_, Armed::Keyword) => self.leave_out(&token.all),
            (_, Armed::No | Armed::Option | Armed::Near) => {}
        }
    }
}

/// Looks into a string or a comment, as SQL and as a connection string.
fn look_into(inner: &[u8], base: usize, doubts: Doubts, depth: usize, found: &mut Vec<Range<usize>>) {
    if !words::hints(inner) {
        return;
    }
    if depth > DEPTH_MAX {
        found.push(base..base + inner.len());
        return;
    }
    let mut secrets = Vec::new();
    words::connection_secrets(inner, &mut secrets);
    found.extend(secrets.into_iter().map(|range| base + range.start..base + range.end));
    find(inner, base, doubts, depth, found);
}
