//! What a throwaway server shall be like.

/// What a throwaway server shall be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which connections over TCP it takes.
    pub encryption: Encryption,
    /// Whether it survives a loss of power.
    pub durability: Durability,
    /// Lines for `postgresql.conf`, name and value; the value is quoted for you. They come last, so they win.
    pub settings: Vec<(String, String)>,
}

/// Which connections over TCP a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// With TLS only; others are refused by `pg_hba.conf`.
    Required,
    /// Both.
    Offered,
    /// None: it answers a request for TLS with no.
    Off,
}

/// Whether a server survives a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It doesn't, and is faster. A crash of the server alone still loses nothing.
    Off,
    /// As PostgreSQL does by default.
    On,
}

impl Default for Options {
    fn default() -> Self {
        Self { encryption: Encryption::Required, durability: Durability::Off, settings: Vec::new() }
    }
}

impl Options {
    /// With one more setting.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `postgresql.conf`, appended to what `initdb` wrote.
    pub(crate) fn conf(&self, sockets: &str) -> String {
        let mut lines = vec![
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", sockets),
            ("password_encryption", "scram-sha-256"),
            ("max_connections", "300"),
            ("max_prepared_transactions", "10"),
            ("wal_level", "logical"),
            ("max_wal_senders", "5"),
            ("shared_buffers", "32MB"),
            ("log_line_prefix", "%m [%p] %u@%d "),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
        ];
        lines.push(("ssl", if self.encryption == Encryption::Off { "off" } else { "on" }));
        if self.durability == Durability::Off {
            lines.extend([("fsync", "off"), ("full_page_writes", "off")]);
        }
        let given = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        lines.into_iter().chain(given).fold("\n".to_owned(), |mut text, (name, value)| {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\\', "\\\\").replace('\'', "''")));
            text
        })
    }

    /// `pg_hba.conf`. What no line matches is refused.
    pub(crate) fn hba(&self) -> String {
        let host = match self.encryption {
            Encryption::Required => "hostssl",
            Encryption::Offered => "host",
            Encryption::Off => "hostnossl",
        };
        format!(
            "local all all scram-sha-256\n\
             local replication postgres scram-sha-256\n\
             {host} all all 127.0.0.1/32 scram-sha-256\n"
        )
    }
}
