//! What a client keeps: which server, its authority, who is signed in, the newest checkpoint seen.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    failure::{Exit, Failure},
    serve::folders::{private_file, private_folder, xdg},
};

/// The folder of a client, and what is in it.
#[derive(Debug, Clone)]
pub struct Profile {
    folder: PathBuf,
}

/// `server.json`: which server, once it showed that it is the one that the set-up token pins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// `https://host:port`.
    pub url: String,
    /// Its authority's certificate, PEM.
    pub authority_pem: String,
}

/// `signin.json`: who is signed in.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignIn {
    /// The bearer token.
    pub token: String,
    /// The user name for connections.
    pub user: String,
    /// Until when, RFC 3339.
    pub expires: String,
    /// `host:port` of the gateways.
    pub gateways: Vec<String>,
    /// The log's verifier key: the one that was first seen is kept.
    pub log_key: String,
}

/// `checkpoint-<authority>.json`: the newest checkpoint that this client has seen. Whoever rewrites the log before it is caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The log's verifier key.
    pub log_key: String,
    /// The signed checkpoint, as it was served.
    pub checkpoint: String,
}

/// Whose secret a passfile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passfile {
    /// That of who is signed in.
    SignIn,
    /// That of whom an API token speaks for: it must not take the place of the other.
    Token,
}

impl Passfile {
    fn name(self) -> &'static str {
        match self {
            Self::SignIn => "pgpass",
            Self::Token => "pgpass-token",
        }
    }
}

impl Profile {
    /// The profile in `$DAYPASS_PROFILE`, or the user's.
    pub fn find() -> Result<Self, Failure> {
        let folder = match std::env::var_os("DAYPASS_PROFILE").filter(|v| !v.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => xdg("XDG_CONFIG_HOME", ".config").map_err(Failure::setting)?.join("client"),
        };
        Ok(Self { folder })
    }

    /// The server.
    pub fn server(&self) -> Result<Server, Failure> {
        self.read("server.json")?.ok_or_else(|| {
            Failure::new(
                Exit::SignIn,
                "no server is known here",
                "daypass setup --server https://HOST:7443 TOKEN, or daypass login --server https://HOST:7443 --authority ca.pem",
            )
        })
    }

    /// Keeps the server, and its authority where libpq can find it.
    pub fn keep_server(&self, server: &Server) -> Result<(), Failure> {
        self.write_text("authority.pem", &server.authority_pem)?;
        self.write("server.json", server)
    }

    /// Who is signed in.
    pub fn sign_in(&self) -> Result<SignIn, Failure> {
        self.read("signin.json")?.ok_or_else(|| Failure::new(Exit::SignIn, "you aren't signed in", "daypass login"))
    }

    /// Keeps who is signed in.
    pub fn keep_sign_in(&self, sign_in: &SignIn) -> Result<(), Failure> {
        self.write("signin.json", sign_in)
    }

    /// Forgets who is signed in.
    pub fn forget_sign_in(&self) -> Result<(), Failure> {
        for name in ["signin.json", "pgpass"] {
            let path = self.folder.join(name);
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(Failure::file(&path, &e)),
            }
        }
        Ok(())
    }

    /// The newest checkpoint seen of the known server's log. It stays when one goes to another server and back.
    pub fn seen(&self) -> Result<Option<Seen>, Failure> {
        match self.read::<Server>("server.json")? {
            Some(server) => self.read(&seen_name(&server)),
            None => Ok(None),
        }
    }

    /// Keeps a checkpoint, unless a newer one was kept meanwhile by another command. `newer` says whether the first is
    /// newer than the second.
    pub fn keep_seen(&self, seen: &Seen, newer: impl FnOnce(&Seen, &Seen) -> bool) -> Result<(), Failure> {
        let name = seen_name(&self.server()?);
        let path = self.folder.join("checkpoint.lock");
        private_folder(&self.folder).map_err(|e| Failure::file(&self.folder, &e))?;
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|e| Failure::file(&path, &e))?;
        // Let go of when the file is dropped.
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|e| Failure::file(&path, &e.into()))?;
        match self.read::<Seen>(&name)? {
            Some(kept) if !newer(seen, &kept) => Ok(()),
            _ => self.write(&name, seen),
        }
    }

    /// Keeps a checkpoint that contradicts the kept one, beside it: together they prove what was done.
    pub fn keep_contradiction(&self, checkpoint: &[u8]) -> Result<PathBuf, Failure> {
        let name = format!("contradiction-{}.checkpoint", &digest_of(checkpoint)[..16]);
        let path = self.folder.join(name);
        private_file(&path, checkpoint).map_err(|e| Failure::file(&path, &e))?;
        Ok(path)
    }

    /// The authority's certificate, for `sslrootcert`.
    #[must_use]
    pub fn authority_path(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// The 0600 passfile, for `PGPASSFILE` (PostgreSQL: The Password File).
    #[must_use]
    pub fn passfile_path(&self, whose: Passfile) -> PathBuf {
        self.folder.join(whose.name())
    }

    /// Writes the passfile: one line a gateway, for every database, for this user and the user with any role.
    pub fn keep_passfile(&self, whose: Passfile, gateways: &[String], user: &str, secret: &str) -> Result<(), Failure> {
        let mut text = String::new();
        for gateway in gateways {
            let (host, port) = gateway.rsplit_once(':').unwrap_or((gateway, "7432"));
            let host = escaped(host.trim_matches(['[', ']']));
            // The file has no pattern for "alice:anything", and it is this person's own file.
            text.push_str(&format!("{host}:{port}:*:{}:{}\n", escaped(user), escaped(secret)));
            text.push_str(&format!("{host}:{port}:*:*:{}\n", escaped(secret)));
        }
        self.write_text(whose.name(), &text)
    }

    /// Removes a passfile, if there is one.
    pub fn forget_passfile(&self, whose: Passfile) -> Result<(), Failure> {
        let path = self.passfile_path(whose);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Failure::file(&path, &e)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The personal secret of the sign-in, if there is one.
    pub fn passfile_secret(&self) -> Option<Zeroizing<String>> {
        let text = Zeroizing::new(fs::read_to_string(self.passfile_path(Passfile::SignIn)).ok()?);
        let fields = fields(text.lines().next()?);
        fields.into_iter().nth(4).map(Zeroizing::new)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let path = self.folder.join(name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Failure::file(&path, &e)),
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|e| Failure::setting(format!("{} can't be understood: {e}", path.display())))
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(Failure::setting)?;
        self.write_text(name, &text)
    }

    fn write_text(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path: &Path = &self.folder.join(name);
        private_file(path, text.as_bytes()).map_err(|e| Failure::file(path, &e))
    }
}

/// Where the checkpoints of a server's log are kept: by its authority, since addresses change.
fn seen_name(server: &Server) -> String {
    let lines = server.authority_pem.lines();
    // One certificate, however its lines are broken.
    let body: String = lines.filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    format!("checkpoint-{}.json", &digest_of(body.as_bytes())[..16])
}

fn digest_of(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

/// Colons and backslashes are escaped in a passfile.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(':', "\\:")
}

/// The fields of a line of a passfile.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let taken = match letter {
            ':' => {
                fields.push(String::new());
                continue;
            }
            '\\' => letters.next(),
            letter => Some(letter),
        };
        // There is always a last field.
        if let (Some(field), Some(taken)) = (fields.last_mut(), taken) {
            field.push(taken);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_passfile_is_for_this_user_only() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile { folder: folder.path().join("client") };
        profile
            .keep_passfile(Passfile::SignIn, &["localhost:7432".into(), "[::1]:7432".into()], "alice", "a:b\\c")
            .unwrap();
        let path = profile.passfile_path(Passfile::SignIn);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(path).unwrap();
        assert!(text.starts_with("localhost:7432:*:alice:a\\:b\\\\c\n"), "{text}");
        assert!(text.contains("\\:\\:1:7432:"), "{text}");
        assert_eq!(profile.passfile_secret().unwrap().as_str(), "a:b\\c");
    }

    #[test]
    fn each_server_has_its_own_kept_checkpoint_and_an_older_one_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile { folder: folder.path().join("client") };
        let server = |pem: &str| Server { url: "https://localhost:7443".into(), authority_pem: pem.into() };
        let seen = |text: &str| Seen { log_key: "key".into(), checkpoint: text.into() };
        let longer = |a: &Seen, b: &Seen| a.checkpoint.len() > b.checkpoint.len();
        profile.keep_server(&server("one")).unwrap();
        profile.keep_seen(&seen("22"), longer).unwrap();
        profile.keep_seen(&seen("1"), longer).unwrap();
        profile.keep_server(&server("two")).unwrap();
        assert_eq!(profile.seen().unwrap(), None);
        profile.keep_server(&server("one")).unwrap();
        assert_eq!(profile.seen().unwrap(), Some(seen("22")));
    }
}
