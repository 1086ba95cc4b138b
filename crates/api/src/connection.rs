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
}

/// The hosts and the ports of gateways, each with commas between.
#[must_use]
pub fn hosts_and_ports(gateways: &[String]) -> (String, String) {
    let parts: Vec<(&str, &str)> = gateways.iter().map(|g| g.rsplit_once(':').unwrap_or((g, "7432"))).collect();
    let hosts: Vec<&str> = parts.iter().map(|(host, _)| host.trim_matches(['[', ']'])).collect();
    let ports: Vec<&str> = parts.iter().map(|(_, port)| *port).collect();
    (hosts.join(","), ports.join(","))
}

/// A value of a connection string.
fn quoted(value: &str) -> String {
    if !value.is_empty() && !value.contains([' ', '\'', '\\', '\t', '\n']) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}
