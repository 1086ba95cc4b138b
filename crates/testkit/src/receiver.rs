//! What notices are posted to: HTTPS by Python's own library, which checks signatures by itself.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::json;

use crate::{
    certificate::Certificate,
    python::{self, Python},
};

const PROGRAM: &str = include_str!("receiver.py");

/// A request as it came.
#[derive(Debug, Clone, Deserialize)]
pub struct Got {
    /// Its method.
    pub method: String,
    /// Its path, with the query.
    pub path: String,
    /// Its headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: String,
    /// Whether it has a signature of Standard Webhooks that is good.
    pub verified: bool,
}

/// A receiver that runs. The first part of a path says how it answers: `ok`, `moved` (a redirect to `ok`), `busy` (429,
/// for 7 seconds), `long` (400 with a million letters), `never`, `api` (as Slack's Web API does), others 404.
#[derive(Debug)]
pub struct Receiver {
    python: Python,
    file: PathBuf,
    certificate: Certificate,
}

impl Receiver {
    /// Starts one that keeps what it needs in a folder. Signatures are checked by the secret.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn start(folder: &Path, secret: &str) -> Self {
        let certificate = Certificate::in_folder(folder);
        let file = folder.join("requests.jsonl");
        let asked = json!({
            "secret": secret, "file": file,
            "certificate": certificate.certificate, "key": certificate.key,
        });
        Self { python: Python::start(folder, PROGRAM, &asked), file, certificate }
    }

    /// The address of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.python.port)
    }

    /// The certificate to believe.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.certificate.certificate
    }

    /// Every request that came, oldest first.
    ///
    /// # Panics
    /// When its list can't be read.
    #[must_use]
    pub fn got(&self) -> Vec<Got> {
        python::lines(&self.file)
    }
}
