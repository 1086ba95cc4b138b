//! What the local configuration binds credential names to: `env:`, `file:`, `exec:` (I12).

use std::{collections::BTreeMap, fmt, path::PathBuf, process::Stdio, time::Duration};

use async_trait::async_trait;
use daypass_domain::Name;
use daypass_ports::secret::{CredentialError, Credentials, Secret};
use serde::Deserialize;
use tokio::io::AsyncReadExt;

/// The longest secret that is read, in bytes.
const SECRET_BYTES: u64 = 16 * 1024;
/// How long a command may take to give a secret.
const COMMAND_TIME: Duration = Duration::from_secs(15);

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Binding {
    /// An environment variable of the server.
    Env(String),
    /// A file; its content without the line end.
    File(PathBuf),
    /// A command, split at spaces, run without a shell; what it prints, without the line end.
    Exec(Vec<String>),
}

/// Why a text is no binding.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no binding: write env:NAME, file:/path or exec:/path/to/command arguments")]
pub struct BadBinding(String);

/// Why a binding gives no secret. Never what it gave.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The system says no.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// There is no such variable.
    #[error("the environment variable isn't set")]
    NotSet,
    /// The command failed.
    #[error("the command failed ({0}); run it by hand to see what it says")]
    Failed(std::process::ExitStatus),
    /// The command takes too long.
    #[error("the command gave nothing in {} s", COMMAND_TIME.as_secs())]
    TooSlow,
    /// It isn't text, or too long, or empty.
    #[error("it gives {0}, not a secret of 1 byte to 16 KiB of text")]
    NoSecret(&'static str),
}

impl TryFrom<String> for Binding {
    type Error = BadBinding;
    fn try_from(text: String) -> Result<Self, BadBinding> {
        let rest = |prefix: &str| text.strip_prefix(prefix).map(str::trim).filter(|r| !r.is_empty());
        if let Some(name) = rest("env:") {
            return Ok(Self::Env(name.to_owned()));
        }
        if let Some(path) = rest("file:") {
            return Ok(Self::File(PathBuf::from(path)));
        }
        if let Some(command) = rest("exec:") {
            return Ok(Self::Exec(command.split_whitespace().map(ToOwned::to_owned).collect()));
        }
        // What stands there may be a secret that somebody wrote in place of a binding: only its length is shown.
        Err(BadBinding(format!("a text of {} characters", text.chars().count())))
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            // Arguments may carry what nobody should see.
            Self::Exec(command) => write!(f, "exec:{}", command.first().map_or("", String::as_str)),
        }
    }
}

impl Binding {
    /// The secret, read now.
    pub async fn read(&self) -> Result<Secret, Unreadable> {
        let bytes = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| Unreadable::NotSet)?.into_bytes(),
            Self::File(path) => {
                let mut bytes = Vec::new();
                tokio::fs::File::open(path).await?.take(SECRET_BYTES + 1).read_to_end(&mut bytes).await?;
                bytes
            }
            Self::Exec(command) => run(command).await?,
        };
        let text = String::from_utf8(bytes).map_err(|_| Unreadable::NoSecret("bytes that aren't text"))?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err(Unreadable::NoSecret("nothing"));
        }
        if text.len() as u64 > SECRET_BYTES {
            return Err(Unreadable::NoSecret("too much"));
        }
        Ok(Secret::new(text.to_owned()))
    }
}

async fn run(command: &[String]) -> Result<Vec<u8>, Unreadable> {
    let Some((program, arguments)) = command.split_first() else { return Err(Unreadable::NoSecret("nothing")) };
    let child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(COMMAND_TIME, child).await.map_err(|_| Unreadable::TooSlow)??;
    if !output.status.success() {
        return Err(Unreadable::Failed(output.status));
    }
    Ok(output.stdout)
}

/// The bindings of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Bound(pub BTreeMap<Name, Binding>);

#[async_trait]
impl Credentials for Bound {
    async fn credential(&self, name: &Name) -> Result<Secret, CredentialError> {
        let binding = self.0.get(name).ok_or_else(|| CredentialError::NotBound(name.clone()))?;
        binding.read().await.map_err(|why| CredentialError::Unreadable {
            name: name.clone(),
            binding: binding.to_string(),
            why: why.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(text: &str) -> Result<Binding, BadBinding> {
        Binding::try_from(text.to_owned())
    }

    #[tokio::test]
    async fn secrets_come_from_where_they_are_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cret\n").unwrap();
        let file = binding(&format!("file:{}", path.display())).unwrap();
        assert_eq!(file.read().await.unwrap().expose(), "s3cret");
        let exec = binding("exec:/bin/echo from a command").unwrap();
        assert_eq!(exec.read().await.unwrap().expose(), "from a command");
        assert!(binding("env:DAYPASS_NO_SUCH_VARIABLE").unwrap().read().await.is_err());
        assert!(binding("exec:/bin/false").unwrap().read().await.is_err());
    }

    #[test]
    fn a_secret_in_place_of_a_binding_is_not_shown() {
        let error = binding("hunter2").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        let shown = binding("exec:/usr/bin/vault read token=s3cret").unwrap().to_string();
        assert_eq!(shown, "exec:/usr/bin/vault");
    }
}
