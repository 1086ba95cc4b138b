//! A throwaway server does what its documentation says.

use daypass_scratch::{Binaries, CHOSEN, Options, Scratch, ScratchError};

/// What says in the tests' output which server they ran on says the truth.
#[test]
fn the_server_is_the_one_that_was_chosen() {
    let binaries = Binaries::find().unwrap();
    if let Some(chosen) = std::env::var_os(CHOSEN) {
        assert!(binaries.folder().starts_with(std::path::Path::new(&chosen).canonicalize().unwrap()));
    }
    let program = std::process::Command::new(binaries.program("postgres").unwrap()).arg("--version").output().unwrap();
    let scratch = Scratch::start_in(binaries, Options::default()).unwrap();
    let running = scratch.sql("postgres", "SHOW server_version").unwrap();
    let said = String::from_utf8(program.stdout).unwrap();
    assert!(said.trim().ends_with(running.trim()), "{said} runs as {running}");
}

#[test]
fn a_server_starts_restarts_and_goes_away_with_its_folder() {
    let mut scratch = Scratch::start(Options::default().setting("work_mem", "5MB")).unwrap();
    assert_eq!(scratch.sql("postgres", "SHOW work_mem").unwrap().trim(), "5MB");
    assert_eq!(scratch.sql("postgres", "SHOW max_prepared_transactions").unwrap().trim(), "10");
    assert_eq!(
        scratch.sql("postgres", "SELECT rolsuper FROM pg_roles WHERE rolname = 'postgres'").unwrap().trim(),
        "t"
    );
    let port = scratch.port();
    scratch.sql("postgres", "CREATE TABLE kept (n int)").unwrap();
    scratch.kill();
    assert!(matches!(scratch.sql("postgres", "SELECT 1"), Err(ScratchError::Program { .. })));
    scratch.restart().unwrap();
    assert_eq!(scratch.port(), port);
    assert_eq!(scratch.sql("postgres", "SELECT count(*) FROM kept").unwrap().trim(), "0");
    let folder = scratch.socket_dir().to_owned();
    drop(scratch);
    assert!(!folder.exists());
}

#[test]
fn only_tls_is_taken_and_the_log_says_so() {
    let scratch = Scratch::start(Options::default()).unwrap();
    let psql = |mode: &str| {
        std::process::Command::new(scratch.psql_path().unwrap())
            .args(["-X", "-A", "-t", "-c", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "-d"])
            .arg(format!("host=127.0.0.1 port={} user=postgres dbname=postgres {mode}", scratch.port()))
            .env("PGPASSWORD", scratch.superuser_password())
            .output()
            .unwrap()
    };
    let root = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(root.path(), scratch.ca_pem()).unwrap();
    let verified = psql(&format!("sslmode=verify-full channel_binding=require sslrootcert={}", root.path().display()));
    assert_eq!(String::from_utf8_lossy(&verified.stdout).trim(), "t", "{verified:?}");
    assert!(!psql("sslmode=disable").status.success());
    assert!(scratch.log().contains("no pg_hba.conf entry"));
}

#[test]
fn a_standby_follows() {
    let primary = Scratch::start(Options::default()).unwrap();
    let standby = primary.standby().unwrap();
    primary.sql("postgres", "CREATE TABLE seen (n int); INSERT INTO seen VALUES (7)").unwrap();
    assert_eq!(standby.sql("postgres", "SELECT pg_is_in_recovery()").unwrap().trim(), "t");
    let followed = (0..2_000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        standby.sql("postgres", "SELECT n FROM seen").is_ok_and(|n| n.trim() == "7")
    });
    assert!(followed);
}
