//! A PostgreSQL with an administrator login, roles, and a database with something in it.
//!
//! Helpers here panic where a test would have to `unwrap`: a test that can't set up its world has failed.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering},
};

use daypass_domain::{
    InstallationId, ResourceId, Time,
    resource::{HostPort, PgRole, PostgresTarget, TargetTls},
};
use daypass_ports::targets::{Administration, Secret};
use daypass_scratch::{Options, Scratch};
use tokio_postgres::{Client, Config, Error, NoTls};

/// What the administrator login's password is.
pub const ADMINISTRATOR_PASSWORD: &str = "the administrator's own password";

/// A database of one test, on a server that is the test's own or shared by the process.
#[derive(Debug, Clone)]
pub struct Pg {
    server: Arc<Scratch>,
    /// The database with the table `accounts` (1,000 rows of `id int`, `holder text`, `balance bigint`): `orders`.
    pub database: String,
    /// A second, empty database: `ledger`.
    pub other_database: String,
    /// The administrator login: CREATEROLE, no superuser: `gatekeeper`.
    pub administrator: PgRole,
    /// May read `accounts`: `app_read`.
    pub read: PgRole,
    /// May read and write `accounts`, and create in the schema `public` of both databases: `app_write`.
    pub write: PgRole,
    /// Owns `accounts` and both databases: `app_owner`.
    pub owner: PgRole,
    /// Whose logins these are. Each world has its own.
    pub installation: InstallationId,
}

static WORLDS: AtomicU32 = AtomicU32::new(1);

/// The shared server is never dropped, as statics aren't: its watchdog ends it with the process.
static SHARED: OnceLock<Arc<Scratch>> = OnceLock::new();

impl Pg {
    /// A world on the server that all tests of this process share; its names end in a number of its own.
    pub async fn start() -> Self {
        let server =
            tokio::task::spawn_blocking(|| SHARED.get_or_init(|| Arc::new(launch(Options::default()))).clone());
        Self::furnish(server.await.unwrap(), true).await
    }

    /// A world on a server of its own, with plain names: for tests that stop it, or read its log.
    pub async fn alone(options: Options) -> Self {
        let server = tokio::task::spawn_blocking(|| Arc::new(launch(options)));
        Self::furnish(server.await.unwrap(), false).await
    }

    async fn furnish(server: Arc<Scratch>, shared: bool) -> Self {
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let name = |base: &str| if shared { format!("{base}_{number}") } else { base.to_owned() };
        let role = |base: &str| name(base).parse::<PgRole>().unwrap();
        let mut random = [7; 10];
        random[6..].copy_from_slice(&number.to_be_bytes());
        let pg = Self {
            server,
            database: name("orders"),
            other_database: name("ledger"),
            administrator: role("gatekeeper"),
            read: role("app_read"),
            write: role("app_write"),
            owner: role("app_owner"),
            installation: InstallationId::new(Time::from_micros(1_700_000_000_000_000), random),
        };
        pg.create().await;
        pg
    }

    async fn create(&self) {
        let Self { database, other_database, administrator, read, write, owner, .. } = self;
        let root = self.superuser_in("postgres").await;
        root.batch_execute(&format!(
            "CREATE ROLE {administrator} LOGIN CREATEROLE PASSWORD '{}';
             CREATE ROLE {read}; CREATE ROLE {write}; CREATE ROLE {owner};",
            ADMINISTRATOR_PASSWORD.replace('\'', "''")
        ))
        .await
        .unwrap();
        if self.version().await >= 160_000 {
            // The least that does: neither their rights, nor the right to act as them.
            let sql =
                format!("GRANT {read}, {write}, {owner} TO {administrator} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE");
            root.batch_execute(&sql).await.unwrap();
        }
        for name in [database, other_database] {
            root.batch_execute(&format!("CREATE DATABASE {name} OWNER {owner}")).await.unwrap();
            let sql = format!("GRANT CREATE ON SCHEMA public TO {write}");
            self.superuser_in(name).await.batch_execute(&sql).await.unwrap();
        }
        let accounts = format!(
            "CREATE TABLE accounts (id int PRIMARY KEY, holder text NOT NULL, balance bigint NOT NULL);
             INSERT INTO accounts SELECT n, 'holder ' || n, 100 FROM generate_series(1, 1000) n;
             ALTER TABLE accounts OWNER TO {owner};
             GRANT SELECT ON accounts TO {read};
             GRANT SELECT, INSERT, UPDATE, DELETE ON accounts TO {write};"
        );
        self.superuser().await.batch_execute(&accounts).await.unwrap();
    }

    /// The server.
    #[must_use]
    pub fn scratch(&self) -> &Scratch {
        &self.server
    }

    /// The server, to stop, kill or restart it. None while something else holds it, as it is when it is shared.
    pub fn scratch_mut(&mut self) -> Option<&mut Scratch> {
        Arc::get_mut(&mut self.server)
    }

    /// Its address over TCP.
    #[must_use]
    pub fn address(&self) -> HostPort {
        HostPort { host: "127.0.0.1".into(), port: self.server.port() }
    }

    /// As a resource would declare it: TLS, verified under the server's own authority.
    #[must_use]
    pub fn target(&self) -> PostgresTarget {
        PostgresTarget {
            address: self.address(),
            database: self.database.clone(),
            credential: "orders-admin".parse().unwrap(),
            administrator: self.administrator.clone(),
            tls: TargetTls::Verify { authorities: Some(self.server.ca_pem().to_owned()) },
            replicas: Vec::new(),
        }
    }

    /// With the administrator's password.
    #[must_use]
    pub fn administration(&self) -> Administration {
        Administration {
            resource: ResourceId::new(Time::from_micros(1_700_000_000_000_000), [9; 10]),
            target: self.target(),
            password: Secret::new(ADMINISTRATOR_PASSWORD.to_owned()),
            installation: self.installation,
        }
    }

    /// A superuser in this world's database, to see what is really there.
    pub async fn superuser(&self) -> Client {
        self.superuser_in(&self.database).await
    }

    /// A superuser in another database.
    pub async fn superuser_in(&self, database: &str) -> Client {
        connect(&self.server, database, "postgres", self.server.superuser_password()).await.unwrap()
    }

    /// A connection past any gateway, over the Unix socket, with a password.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn connect_as(&self, login: &str, password: &str) -> Result<Client, Error> {
        connect(&self.server, &self.database, login, password).await
    }

    /// The same into another database.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn connect_to(&self, database: &str, login: &str, password: &str) -> Result<Client, Error> {
        connect(&self.server, database, login, password).await
    }

    /// The process ids of a login's backends.
    pub async fn backends_of(&self, login: &str) -> Vec<i32> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE usename = $1 ORDER BY pid";
        self.superuser().await.query(sql, &[&login]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// The server's version, like 150004.
    pub async fn version(&self) -> i32 {
        let root = self.superuser_in("postgres").await;
        root.query_one("SELECT current_setting('server_version_num')::int", &[]).await.unwrap().get(0)
    }

    /// Whether there is such a role.
    pub async fn has_role(&self, name: &str) -> bool {
        let sql = "SELECT FROM pg_roles WHERE rolname = $1";
        self.superuser().await.query_opt(sql, &[&name]).await.unwrap().is_some()
    }
}

fn launch(options: Options) -> Scratch {
    Scratch::start(options).unwrap_or_else(|error| panic!("{error}"))
}

/// Connects to a throwaway server over its Unix socket.
///
/// # Errors
/// When the server refuses it.
pub async fn connect(server: &Scratch, database: &str, user: &str, password: &str) -> Result<Client, Error> {
    let mut config = Config::new();
    config.host_path(server.socket_dir()).port(server.port()).dbname(database).user(user).password(password);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
