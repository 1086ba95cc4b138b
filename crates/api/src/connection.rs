//! A saved connection as a client of libpq is told it (PostgreSQL: Connection Strings). It carries no secret.

/// What a connection is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionText<'a> {
    /// `host:port` of the gateways, the first to be tried first.
    pub gateways: &'a [String],
    /// The user: one's name, or `name:role`.
    pub user: &'a str,
    /// The database: the resource, or `resource:database`.
    pub database: &'a str,
    /// The file of the authority whose signature on the gateway's certificate is believed.
    pub authority: &'a str,
    /// Where the client finds the personal secret.
    pub secret: SecretAt<'a>,
}

/// Where a client finds the personal secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretAt<'a> {
    /// In this passfile.
    Passfile(&'a str),
    /// With the person, who is asked for it.
    Asked,
}

impl ConnectionText<'_> {
    /// As one line.
    #[must_use]
    pub fn text(&self) -> String {
        let (hosts, ports) = hosts_and_ports(self.gateways);
        let mut pairs = vec![
            ("host", hosts),
            ("port", ports),
            ("user", self.user.to_owned()),
            ("dbname", self.database.to_owned()),
            ("sslmode", "verify-full".to_owned()),
            ("sslrootcert", self.authority.to_owned()),
            ("channel_binding", "require".to_owned()),
        ];
        match self.secret {
            SecretAt::Passfile(path) => pairs.push(("passfile", path.to_owned())),
            SecretAt::Asked => {}
        }
        pairs.iter().map(|(key, value)| format!("{key}={}", quoted(value))).collect::<Vec<_>>().join(" ")
    }

    /// As an address that libpq, and most that take a `DATABASE_URL`, read (PostgreSQL: Connection URIs). Where the secret
    /// is found isn't said.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgresql://{}@{}/{}?sslmode=verify-full&sslrootcert={}&channel_binding=require",
            segment(self.user),
            self.gateways.join(","),
            segment(self.database),
            segment(self.authority),
        )
    }

    /// As pgJDBC reads it. Where the secret is found isn't said.
    #[must_use]
    pub fn jdbc(&self) -> String {
        format!(
            "jdbc:postgresql://{}/{}?user={}&sslmode=verify-full&sslrootcert={}",
            self.gateways.join(","),
            segment(self.database),
            segment(self.user),
            segment(self.authority),
        )
    }
}

/// The hosts and the ports of gateways, each with commas between.
#[must_use]
pub fn hosts_and_ports(gateways: &[String]) -> (String, String) {
    let parts: Vec<(&str, &str)> = gateways.iter().map(|g| g.rsplit_once(':').unwrap_or((g, "7432"))).collect();
    let hosts: Vec<&str> = parts.iter().map(|(host, _)| host.trim_matches(['[', ']'])).collect();
    let ports: Vec<&str> = parts.iter().map(|(_, port)| *port).collect();
    (hosts.join(","), ports.join(","))
}

/// A text as one segment of a path or one value of a query (RFC 3986, "unreserved").
#[must_use]
pub fn segment(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String doesn't fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    // A segment of dots alone would climb.
    if matches!(out.as_str(), "." | "..") { out.replace('.', "%2E") } else { out }
}

/// A value of a connection string.
fn quoted(value: &str) -> String {
    if !value.is_empty() && !value.contains([' ', '\'', '\\', '\t', '\n']) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_is_told_in_its_own_words() {
        let gateways = ["gate.example:7432".to_owned(), "[2001:db8::1]:7432".to_owned()];
        let text = ConnectionText {
            gateways: &gateways,
            user: "alice:readonly",
            database: "orders",
            authority: "authority.pem",
            secret: SecretAt::Asked,
        };
        assert_eq!(
            text.url(),
            "postgresql://alice%3Areadonly@gate.example:7432,[2001:db8::1]:7432/orders?sslmode=verify-full\
             &sslrootcert=authority.pem&channel_binding=require"
        );
        assert_eq!(
            text.jdbc(),
            "jdbc:postgresql://gate.example:7432,[2001:db8::1]:7432/orders?user=alice%3Areadonly&sslmode=verify-full\
             &sslrootcert=authority.pem"
        );
        assert!(text.text().starts_with("host=gate.example,2001:db8::1 port=7432,7432 user=alice:readonly"));
    }
}
