//! Why there is no throwaway server.

/// Why a throwaway server couldn't be made or used. Carries no password.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// PostgreSQL isn't installed where we look.
    #[error(
        "no PostgreSQL server was found (looked for `initdb` and `postgres` in {searched}): install the Debian package \
         `postgresql`, or put its programs on the PATH"
    )]
    NoPostgres {
        /// Where we looked.
        searched: String,
    },
    /// A program of PostgreSQL is missing beside the others.
    #[error(
        "`{program}` is missing in {folder}: install the Debian packages `postgresql` and `postgresql-client`, or let \
         {} name a folder with a whole server in it",
        crate::CHOSEN
    )]
    NoProgram {
        /// Which.
        program: String,
        /// Where it should be.
        folder: String,
    },
    /// Root can't run PostgreSQL, and there is nobody else to run it as.
    #[error("PostgreSQL refuses to run as root, and neither a user `postgres` nor `nobody` exists: create one of them")]
    NoUser,
    /// The system refused something.
    #[error("can't {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program of PostgreSQL failed.
    #[error("`{program}` failed: {said}")]
    Program {
        /// Which.
        program: String,
        /// The end of what it wrote.
        said: String,
    },
    /// The server stopped, or didn't become ready.
    #[error("the throwaway PostgreSQL didn't become ready: {log}")]
    NotReady {
        /// The end of its log.
        log: String,
    },
    /// The certificate couldn't be made.
    #[error("can't make a certificate for the throwaway PostgreSQL: {0}")]
    Certificate(String),
}

impl ScratchError {
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}
