//! A mail server that writes down what it gets: Debian's aiosmtpd, in a process of its own that ends with the test.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::json;

use crate::{
    certificate::Certificate,
    python::{self, Python},
};

const PROGRAM: &str = include_str!("mail.py");

/// How a mail server protects its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// By STARTTLS, which it demands.
    Starttls,
    /// From the first byte.
    Implicit,
    /// Not at all: it knows no STARTTLS.
    None,
}

impl Tls {
    fn word(self) -> &'static str {
        match self {
            Self::Starttls => "starttls",
            Self::Implicit => "implicit",
            Self::None => "none",
        }
    }
}

/// What kind of mail server. It refuses whoever is called `nobody` for good.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// How connections are protected.
    pub tls: Tls,
    /// The password that anybody must sign in with; an empty one asks nobody to.
    pub password: &'static str,
    /// How many mails it puts off, before it takes one.
    pub later: u32,
    /// Its port; 0 for any.
    pub port: u16,
}

/// A mail as it came.
#[derive(Debug, Clone, Deserialize)]
pub struct Mail {
    /// To whom, by the envelope.
    pub to: Vec<String>,
    /// From whom, by the envelope.
    pub from: String,
    /// Headers and text.
    pub data: String,
    /// Whether it came over TLS.
    pub tls: bool,
    /// As whom its sender signed in.
    pub login: Option<String>,
    /// Whether it was taken.
    pub taken: bool,
}

impl Mail {
    /// What a header says, where it is on one line.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.data.split("\r\n\r\n").next()?;
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A mail server that runs.
#[derive(Debug)]
pub struct MailServer {
    python: Python,
    file: PathBuf,
    certificate: Certificate,
}

impl MailServer {
    /// Starts one that keeps what it needs in a folder: a second one there goes on with the same certificate and list.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn start(folder: &Path, kind: Kind) -> Self {
        fs::create_dir_all(folder).unwrap();
        let known = Certificate { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
        let certificate = if known.key.exists() { known } else { Certificate::in_folder(folder) };
        let file = folder.join("mails.jsonl");
        let asked = json!({
            "tls": kind.tls.word(), "password": kind.password, "later": kind.later, "port": kind.port, "file": file,
            "certificate": certificate.certificate, "key": certificate.key,
        });
        Self { python: Python::start(folder, PROGRAM, &asked), file, certificate }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.python.port
    }

    /// The certificate to believe.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.certificate.certificate
    }

    /// Every mail that it was given, oldest first, whether it took it or not.
    ///
    /// # Panics
    /// When its list can't be read.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        python::lines(&self.file)
    }
}
