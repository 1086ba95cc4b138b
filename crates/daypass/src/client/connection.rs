//! Saved connections: what a database client is told. Host, port, user and database never change from grant to grant.

use std::path::{Path, PathBuf};

use daypass_api::{
    Timestamp,
    connection::{ConnectionText, SecretAt, hosts_and_ports},
    signin::ConnectionSecret,
};
use zeroize::Zeroizing;

use super::{
    calls,
    http::{Api, segment},
    profile::{Passfile, Profile},
};
use crate::failure::Failure;

/// Everything that a client of a database needs.
pub struct Connection {
    /// `host:port` of the gateways, the first to be tried first.
    pub gateways: Vec<String>,
    /// The user: one's name, or name:role.
    pub user: String,
    /// The database: the resource, or resource:database.
    pub database: String,
    /// Whose signature on the gateway's certificate is believed.
    pub authority: PathBuf,
    /// The file that the personal secret is in.
    pub passfile: PathBuf,
    /// The personal secret. It opens nothing by itself.
    secret: Zeroizing<String>,
}

/// What to connect to.
pub struct Wanted<'a> {
    /// The resource.
    pub resource: &'a str,
    /// One of its databases, when not its default.
    pub database: Option<&'a str>,
    /// One of one's roles, when one holds several.
    pub role: Option<&'a str>,
}

impl Connection {
    /// The connection that is wanted, for who is signed in. With a token there is no sign-in, and a secret is asked
    /// for; it is kept like one.
    pub async fn prepare(profile: &Profile, api: &Api, wanted: &Wanted<'_>) -> Result<Self, Failure> {
        let by_token = api.speaks_by_token();
        let kept = if by_token { None } else { kept_secret(profile) };
        let passfile = if by_token { Passfile::Token } else { Passfile::SignIn };
        let (user, gateways, secret) = match kept {
            Some(kept) => kept,
            None => {
                let given = Self::keep_anew(profile, api, passfile).await?;
                (given.user, given.gateway, Zeroizing::new(given.secret.expose().to_owned()))
            }
        };
        Ok(Self {
            gateways,
            user: wanted.role.map_or(user.clone(), |role| format!("{user}:{role}")),
            database: wanted.database.map_or(wanted.resource.to_owned(), |d| format!("{}:{d}", wanted.resource)),
            authority: profile.authority_path(),
            passfile: profile.passfile_path(passfile),
            secret,
        })
    }

    /// Asks for a connection secret, and keeps it in the place of what was kept.
    pub async fn keep_anew(profile: &Profile, api: &Api, whose: Passfile) -> Result<ConnectionSecret, Failure> {
        let given = calls::connection_secret(api).await?;
        profile.keep_passfile(whose, &given.gateway, &given.user, given.secret.expose())?;
        Ok(given)
    }

    /// The variables that libpq and its kin read (PostgreSQL: Environment Variables).
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let (hosts, ports) = hosts_and_ports(&self.gateways);
        vec![
            ("PGHOST", hosts),
            ("PGPORT", ports),
            ("PGUSER", self.user.clone()),
            ("PGDATABASE", self.database.clone()),
            ("PGPASSFILE", shown_path(&self.passfile)),
            ("PGSSLMODE", "verify-full".to_owned()),
            ("PGSSLROOTCERT", shown_path(&self.authority)),
            ("PGCHANNELBINDING", "require".to_owned()),
        ]
    }

    /// The connection as a text for any client of libpq. It carries no secret.
    #[must_use]
    pub fn text(&self) -> String {
        ConnectionText {
            gateways: &self.gateways,
            user: &self.user,
            database: &self.database,
            authority: &shown_path(&self.authority),
            secret: SecretAt::Passfile(&shown_path(&self.passfile)),
        }
        .text()
    }

    /// The connection as an address, the secret in it: for the environment of a child, and nowhere else. Programs that
    /// aren't libpq read no passfile.
    #[must_use]
    pub fn url(&self) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "postgresql://{}:{}@{}/{}?sslmode=verify-full&sslrootcert={}&channel_binding=require",
            segment(&self.user),
            segment(&self.secret),
            self.gateways.join(","),
            segment(&self.database),
            segment(&shown_path(&self.authority)),
        ))
    }

    /// The personal secret, for the environment of a child.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

/// The sign-in's user, gateways and secret, while they are good.
fn kept_secret(profile: &Profile) -> Option<(String, Vec<String>, Zeroizing<String>)> {
    let sign_in = profile.sign_in().ok()?;
    let expires: Timestamp = sign_in.expires.parse().ok()?;
    if expires.micros() <= jiff::Timestamp::now().as_microsecond() {
        return None;
    }
    Some((sign_in.user, sign_in.gateways, profile.passfile_secret()?))
}

fn shown_path(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        Connection {
            gateways: vec!["localhost:7432".into(), "[::1]:7433".into()],
            user: "alice:readonly".into(),
            database: "orders:archive".into(),
            authority: "/home/al ice/authority.pem".into(),
            passfile: "/home/al ice/pgpass".into(),
            secret: Zeroizing::new("s/ec@ret".into()),
        }
    }

    #[test]
    fn a_saved_connection_carries_no_secret_and_insists_on_tls() {
        let text = connection().text();
        assert_eq!(
            text,
            "host=localhost,::1 port=7432,7433 user=alice:readonly dbname=orders:archive sslmode=verify-full \
             sslrootcert='/home/al ice/authority.pem' channel_binding=require passfile='/home/al ice/pgpass'"
        );
        assert!(connection().variables().iter().all(|(_, value)| !value.contains("ec@ret")));
    }

    #[test]
    fn the_address_is_escaped() {
        let url = connection().url();
        assert!(url.starts_with("postgresql://alice%3Areadonly:s%2Fec%40ret@localhost:7432,[::1]:7433/"), "{}", *url);
        assert!(url.contains("/orders%3Aarchive?sslmode=verify-full"), "{}", *url);
    }
}
