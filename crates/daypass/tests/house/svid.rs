//! A SPIFFE workload runs where it has a certificate and nothing else: made by OpenSSL, as SPIFFE says what one is.

use std::{fs, process::Command};

use crate::{
    oidc::trust,
    world::{Person, Said, World, ended, port},
};

const ID: &str = "spiffe://prod.example.org/ns/shop/sa/nightly";

/// An authority, one below it, and workloads' certificates, by OpenSSL.
struct Authority<'a>(&'a World);

impl Authority<'_> {
    fn new(world: &World) -> Authority<'_> {
        fs::create_dir(world.path("spiffe")).unwrap();
        let authority = Authority(world);
        authority.key("ca");
        authority.extensions("ca", "CA:TRUE", "keyCertSign,cRLSign", "");
        let made = ["req", "-x509", "-new", "-key", "ca.key", "-days", "2", "-subj", "/CN=authority", "-out", "ca.pem"];
        authority.openssl(&[&made[..], &["-config", "ca.cnf", "-extensions", "it"]].concat());
        authority.signed("below", "ca", "CA:TRUE,pathlen:0", "keyCertSign,cRLSign", "");
        authority
    }

    fn path(&self, name: &str) -> String {
        self.0.path(&format!("spiffe/{name}"))
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        let output = command.args(arguments).current_dir(self.0.path("spiffe")).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", Said::of(&output).all());
    }

    fn key(&self, name: &str) {
        let file = format!("{name}.key");
        self.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &file]);
    }

    fn extensions(&self, name: &str, basic: &str, usage: &str, more: &str) {
        let text = format!(
            "[req]\ndistinguished_name = dn\n[dn]\n[it]\nbasicConstraints = critical,{basic}\n\
             keyUsage = critical,{usage}\nsubjectKeyIdentifier = hash\n{more}\n"
        );
        fs::write(self.path(&format!("{name}.cnf")), text).unwrap();
    }

    fn signed(&self, name: &str, by: &str, basic: &str, usage: &str, more: &str) {
        self.key(name);
        self.extensions(name, basic, usage, more);
        let file = |end: &str| format!("{name}.{end}");
        let subject = format!("/CN={name}");
        let asked =
            ["req", "-new", "-key", &file("key"), "-subj", &subject, "-config", &file("cnf"), "-out", &file("csr")];
        self.openssl(&asked);
        let (certificate, key) = (format!("{by}.pem"), format!("{by}.key"));
        let signed = ["x509", "-req", "-in", &file("csr"), "-CA", &certificate, "-CAkey", &key, "-days", "1"];
        let how = ["-set_serial", "7", "-extfile", &file("cnf"), "-extensions", "it", "-out", &file("pem")];
        self.openssl(&[&signed[..], &how[..]].concat());
    }

    /// A workload's certificate with its chain, and its key.
    fn svid(&self, name: &str, id: &str) -> (String, String) {
        let more = format!("extendedKeyUsage = serverAuth,clientAuth\nsubjectAltName = URI:{id}");
        self.signed(name, "below", "CA:FALSE", "digitalSignature", &more);
        let read = |of: &str| fs::read_to_string(self.path(&format!("{of}.pem"))).unwrap();
        fs::write(self.path(&format!("{name}.chain")), read(name) + &read("below")).unwrap();
        (self.path(&format!("{name}.chain")), self.path(&format!("{name}.key")))
    }

    /// What the trust domain publishes.
    fn bundle(&self) -> String {
        let pem = fs::read_to_string(self.path("ca.pem")).unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        format!("{{\"spiffe_sequence\":1,\"keys\":[{{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":[\"{body}\"]}}]}}")
    }
}

/// A world with a listener for workloads, where one identity is `nightly`, whose owner is ada.
fn world() -> (World, u16) {
    let mut world = World::new();
    let workloads = port();
    let own = world.settings_text();
    fs::write(world.settings(), format!("workloads = \"127.0.0.1:{workloads}\"\n{own}")).unwrap();
    world.stop();
    world.start();
    world.person("ada").ok(&["workload", "create", "nightly", "--owner", "ada"]);
    (world, workloads)
}

fn declared(authority: &Authority<'_>) {
    let text = format!(
        "[trust_domain.'prod.example.org']\nbundle = '''{}'''\n\n[[workload]]\nworkload = 'nightly'\nspiffe_id = '{ID}'\n",
        authority.bundle()
    );
    trust(authority.0, &text);
}

/// A command where nobody signed in, and which was told where the server is.
fn command(world: &World, at: &str, arguments: &[&str]) -> Command {
    let runner: Person = world.person("runner");
    let mut command = runner.command(arguments);
    command.env("DAYPASS_SERVER", at).env("DAYPASS_AUTHORITY", world.authority());
    command
}

const RUN: [&str; 8] = ["run", "playground", "--role", "readonly", "--for", "10m", "--reason", "the nightly report"];
const SQL: [&str; 4] = ["--", "psql", "-Atc", "SELECT current_setting('is_superuser') || ' ' || 42"];

#[test]
fn a_workload_with_a_certificate_and_nothing_else_runs_psql() {
    let (world, workloads) = world();
    let authority = Authority::new(&world);
    declared(&authority);
    let at = format!("https://localhost:{workloads}");
    let (certificates, key) = authority.svid("nightly", ID);
    let named = ["--svid", &certificates, "--svid-key", &key];
    let said = ended(command(&world, &at, &[&RUN[..], &named[..], &SQL[..]].concat()).spawn().unwrap());
    assert_eq!((said.code, said.out.trim()), (0, "off 42"), "{}", said.all());
    assert!(said.err.contains("Signed in as the workload nightly by its X.509-SVID"), "{}", said.all());
    // Nothing that opens anything is kept where it ran.
    for file in fs::read_dir(world.person("runner").profile).unwrap().map(|entry| entry.unwrap()) {
        let name = file.file_name().into_string().unwrap();
        let public = ["server.json", "authority.pem"].contains(&name.as_str()) || name.starts_with("checkpoint");
        assert!(public, "{name} is kept where a workload ran");
    }
    // Every command finds it by the environment too.
    let mut me = command(&world, &at, &["--json", "whoami"]);
    let me = ended(me.env("DAYPASS_SVID", &certificates).env("DAYPASS_SVID_KEY", &key).spawn().unwrap()).json();
    assert_eq!((me["name"].as_str(), me["kind"]["kind"].as_str()), (Some("nightly"), Some("workload")), "{me}");
    // Where browsers go nobody asks for it, and it is said where to go.
    let said = ended(command(&world, &world.url(), &[&RUN[..], &named[..], &SQL[..]].concat()).spawn().unwrap());
    assert_eq!(said.code, 2, "{}", said.all());
    assert!(said.err.contains(&format!("connect to {at}")), "{}", said.all());
}

#[test]
fn a_workload_that_nobody_declared_or_does_any_more_is_nobody() {
    let (world, workloads) = world();
    let authority = Authority::new(&world);
    declared(&authority);
    let at = format!("https://localhost:{workloads}");
    let run = |svid: &(String, String)| {
        let named = ["--svid", &svid.0, "--svid-key", &svid.1];
        ended(command(&world, &at, &[&RUN[..], &named[..], &SQL[..]].concat()).spawn().unwrap())
    };
    let said = run(&authority.svid("another", "spiffe://prod.example.org/ns/shop/sa/another"));
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(said.err.contains("nobody declared whose it is"), "{}", said.all());
    let nightly = authority.svid("nightly", ID);
    // A key that isn't the certificate's is seen before anybody is asked.
    let said = run(&(nightly.0.clone(), authority.path("another.key")));
    assert_eq!(said.code, 2, "{}", said.all());
    assert!(said.err.contains("don't fit"), "{}", said.all());
    assert_eq!(run(&nightly).code, 0);
    trust(&world, "");
    let said = run(&nightly);
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(said.err.contains("nobody declared the trust domain prod.example.org"), "{}", said.all());
    // And somebody who is signed in is told that they are.
    let said =
        world.person("ada").says(&[&RUN[..], &["--svid", &nightly.0, "--svid-key", &nightly.1], &SQL[..]].concat());
    assert_eq!(said.code, 2, "{}", said.all());
    assert!(said.err.contains("somebody is signed in here"), "{}", said.all());
}
