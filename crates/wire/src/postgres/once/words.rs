//! What is refused before anybody is asked to approve it: so that it is said in words, early. That it is one statement, and
//! stays within its transaction, is seen to by the server and by what [`super::Once`] makes of its answers.

use super::super::redact::lex::{Doubts, Lexer, Token, What};

/// The longest statement, in bytes.
pub const STATEMENT_LEN_MAX: usize = 64 << 10;

/// Why a text can't be the one statement of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOne {
    /// Nothing but comments.
    #[error("there is no statement in it")]
    Empty,
    /// Too long to be looked at by a person.
    #[error("it has {0} bytes, and a statement that somebody is to look at has at most {STATEMENT_LEN_MAX}")]
    TooLong(usize),
    /// A zero byte: the protocol would end the statement there.
    #[error("it holds a zero byte, which PostgreSQL takes for its end")]
    Zero,
    /// `BEGIN` and its like.
    #[error(
        "{0} controls transactions, and the statement is run in a transaction of its own, which is committed after it"
    )]
    TransactionControl(String),
    /// `COPY ... FROM STDIN`, `COPY ... TO STDOUT`.
    #[error("COPY from STDIN or to STDOUT needs a client that sends or takes the rows, and there is none")]
    Copy,
}

/// The words that only control transactions, as the first of a statement.
const CONTROL: [&str; 8] = ["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"];

/// Whether a text may be the one statement of a request, as far as words can say.
///
/// # Errors
/// See [`NotOne`].
pub fn admissible(sql: &str) -> Result<(), NotOne> {
    if sql.len() > STATEMENT_LEN_MAX {
        return Err(NotOne::TooLong(sql.len()));
    }
    if sql.contains('\0') {
        return Err(NotOne::Zero);
    }
    let word = |token: &Token| sql.get(token.all.clone()).unwrap_or_default().to_ascii_uppercase();
    let mut tokens = Lexer::new(sql.as_bytes(), Doubts { backslashes: false, pairs: false })
        .filter(|token| token.what != What::Comment)
        .skip_while(|token| token.what == What::Other(b';'));
    let Some(first) = tokens.next() else { return Err(NotOne::Empty) };
    let first = word(&first);
    let mut rest = tokens.filter(|token| token.what == What::Word).map(|token| word(&token));
    if CONTROL.contains(&first.as_str()) {
        return Err(NotOne::TransactionControl(first));
    }
    match first.as_str() {
        "PREPARE" if rest.next().as_deref() == Some("TRANSACTION") => {
            Err(NotOne::TransactionControl("PREPARE TRANSACTION".to_owned()))
        }
        "COPY" if rest.any(|word| word == "STDIN" || word == "STDOUT") => Err(NotOne::Copy),
        _ => Ok(()),
    }
}
