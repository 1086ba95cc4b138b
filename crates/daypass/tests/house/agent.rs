//! An AI agent with a real client of the Model Context Protocol (npm: `@modelcontextprotocol/sdk`), a real server and a real
//! PostgreSQL: it lists, asks, its owner confirms, it runs statements, and gives back.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::world::{Person, World, ended, until};

/// What people of dba have of a lab at once; everybody else with an approval; a workload by its owner's confirmation too.
const POLICIES: &str = r#"
@id("dba-in-the-lab")
permit(principal is User in Group::"dba", action == Action::"use", resource)
when { resource.resource.environment == Environment::"lab" && context.asked.reason_given };
@id("approved")
permit(principal, action == Action::"use", resource)
when { context.asked.reason_given && context.now.quorums.contains(Quorum::"1 anyone") };
@id("owner-confirms")
permit(principal is Workload, action == Action::"use", resource)
when { context.asked.reason_given && context.now.owner_confirmed };
"#;

/// Alice is of dba and owns `agent`, whose token is in a file.
struct House {
    world: World,
    token_file: PathBuf,
}

impl House {
    fn new() -> Self {
        let world = World::new();
        let (ada, alice) = (world.person("ada"), world.person("alice"));
        ada.ok(&["group", "create", "dba"]);
        ada.ok(&["group", "add", "dba", "alice"]);
        ada.ok(&["workload", "create", "agent", "--owner", "alice"]);
        let folder = world.folder.path().join("policies");
        fs::create_dir(&folder).unwrap();
        for (file, text) in daypass_policy::starter_files() {
            fs::write(folder.join(&file), text).unwrap();
        }
        fs::write(folder.join("access.cedar"), POLICIES).unwrap();
        ada.ok(&["policy", "apply", folder.to_str().unwrap()]);
        let made = alice.json(&["token", "create", "--workload", "agent", "--scope", "read,request"]);
        let token_file = world.folder.path().join("agent.token");
        fs::write(&token_file, made["secret"].as_str().unwrap()).unwrap();
        Self { world, token_file }
    }

    fn alice(&self) -> Person {
        self.world.person("alice")
    }

    /// `daypass mcp`, as somebody configures it for an agent on a machine where nobody is signed in.
    fn mcp(&self) -> Command {
        let mut command = self.world.person("runner").command(&["mcp", "--token-file"]);
        command.arg(&self.token_file);
        self.dress(&mut command);
        command
    }

    fn dress(&self, command: &mut Command) {
        command.env("DAYPASS_SERVER", self.world.url()).env("DAYPASS_AUTHORITY", self.world.authority());
        command.env_remove("DAYPASS_PASSWORD");
    }

    fn agent(&self) -> Agent {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/agent");
        assert!(folder.join("node_modules").is_dir(), "run `cargo xtask setup test`: it installs the client");
        let runner = self.world.person("runner");
        // The environment of a command of theirs, and the client in its place.
        let mut command = Command::new("node");
        command.arg(folder.join("client.mjs")).arg(env!("CARGO_BIN_EXE_daypass"));
        command.args(["mcp", "--token-file"]).arg(&self.token_file).env("DAYPASS_PROFILE", &runner.profile);
        command.env_remove("DAYPASS_TOKEN").env_remove("DAYPASS_ID_TOKEN").env_remove("ACTIONS_ID_TOKEN_REQUEST_URL");
        self.dress(&mut command);
        Agent::start(command)
    }

    /// Alice's inbox, once something is in it.
    fn waiting(&self) -> Value {
        let alice = self.alice();
        until("the request waits for its owner", || alice.json(&["inbox"]).get(0).cloned())
    }

    fn live(&self) -> usize {
        let grants = self.world.person("ada").json(&["grants", "--all"]);
        grants.as_array().unwrap().iter().filter(|grant| grant["state"]["state"] == "active").count()
    }
}

/// The client, and what it says.
struct Agent {
    child: Child,
    asks: Option<ChildStdin>,
    said: Lines<BufReader<ChildStdout>>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Agent {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (asks, said) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()).lines());
        let mut agent = Self { child, asks, said };
        let hello = agent.hears();
        assert_eq!(hello["server"]["name"], "daypass", "{hello}");
        agent
    }

    fn hears(&mut self) -> Value {
        let line = self.said.next().expect("the client ended").unwrap();
        let value: Value = serde_json::from_str(&line).unwrap();
        assert!(value.get("broken").is_none(), "something that is no message was written: {value}");
        value
    }

    fn asks(&mut self, what: &Value) -> Value {
        writeln!(self.asks.as_mut().unwrap(), "{what}").unwrap();
        self.hears()
    }

    fn calls(&mut self, tool: &str, arguments: Value) -> Value {
        self.asks(&json!({"tool": tool, "arguments": arguments}))
    }

    /// The structured content of a call that went well.
    fn well(&mut self, tool: &str, arguments: Value) -> Value {
        let said = self.calls(tool, arguments);
        assert_eq!(said["isError"], false, "{said}");
        let text: Value = serde_json::from_str(said["content"][1]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, said["structuredContent"], "the same as text");
        said["structuredContent"].clone()
    }

    /// The words of a call that didn't.
    fn badly(&mut self, tool: &str, arguments: Value) -> String {
        let said = self.calls(tool, arguments);
        assert_eq!(said["isError"], true, "{said}");
        said["content"][0]["text"].as_str().unwrap().to_owned()
    }

    /// Closes its input, as a client does that goes; waits until it has.
    fn leaves(mut self) {
        self.asks = None;
        until("the client ends", || self.child.try_wait().unwrap());
    }
}

fn statement(sql: &str) -> Value {
    json!({"resource": "playground", "role": "readwrite", "reason": "Refund 4711", "sql": sql})
}

#[test]
fn an_agent_asks_its_owner_confirms_it_runs_statements_and_gives_back() {
    let house = House::new();
    let mut agent = house.agent();
    let tools = agent.asks(&json!({"do": "list"}));
    let names: Vec<&str> =
        tools["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["list_access", "request_access", "wait_for_grant", "run_statement", "release_access"]);
    let listed = agent.well("list_access", json!({}));
    assert_eq!((&listed["workload"], &listed["owner"]), (&json!("agent"), &json!("alice")));
    let says = |resource: &str| {
        let offers = listed["can_ask"].as_array().unwrap();
        offers.iter().find(|o| o["resource"] == resource && o["role"] == "readwrite").unwrap()["says"].to_string()
    };
    assert!(says("playground").contains("alice's own confirmation"), "{listed}");
    assert!(!says("orders").contains("confirmation") && says("orders").contains("approval"), "{listed}");

    // It asks for a role for a while, and waits for its owner.
    let wish = json!({"resource": "playground", "role": "readwrite", "reason": "Refund 4711", "minutes": 10});
    let asked = agent.well("request_access", wish);
    assert_eq!((&asked["outcome"], &asked["who"]), (&json!("pending"), &json!(["ada", "alice", "bob"])), "{asked}");
    let request = asked["request"].as_str().unwrap().to_owned();
    let waits = agent.well("wait_for_grant", json!({"request": request, "seconds": 1}));
    assert_eq!(waits["outcome"], "pending");
    let alice = house.alice();
    let waiting = house.waiting();
    assert_eq!(
        (&waiting["id"], &waiting["requester"], &waiting["owner"]),
        (&json!(request), &json!("agent"), &json!("alice"))
    );
    let shown = alice.ok(&["show", &request]);
    assert!(shown.contains("agent, of alice") && shown.contains("alice's own confirmation"), "{shown}");
    // Nobody else confirms it; and what it could have by approval it needn't have by hers.
    house.world.person("bob").fails(3, &["confirm", &request]);
    let confirmed = alice.json(&["confirm", &request]);
    assert_eq!(confirmed["outcome"]["outcome"], "granted", "{confirmed}");
    let grant = agent.well("wait_for_grant", json!({"request": request}))["grant"].as_str().unwrap().to_owned();

    // Statements under what it holds, as often as it needs, each in a transaction of its own, recorded as sessions.
    let ran = agent.well(
        "run_statement",
        statement("SELECT id, balance, NULL AS nothing FROM accounts WHERE id <= 2 ORDER BY id"),
    );
    assert_eq!(ran["rows"], json!([["1", "100", null], ["2", "100", null]]), "{ran}");
    assert_eq!(
        (&ran["columns"], &ran["under"], &ran["complete"]),
        (&json!(["id", "balance", "nothing"]), &json!("held_grant"), &json!(true))
    );
    let ran = agent.well("run_statement", statement("UPDATE accounts SET balance = 7 WHERE id = 1"));
    assert_eq!((&ran["outcome"], &ran["tag"]), (&json!("committed"), &json!("UPDATE 1")));
    assert_eq!(house.world.target("SELECT balance FROM accounts WHERE id = 1"), "7");
    let sessions = house.world.person("ada").ok(&["sessions", "--all"]);
    assert!(sessions.contains("agent, of alice"), "{sessions}");
    let wrong = agent.badly("run_statement", statement("SELECT * FROM no_such_table"));
    assert!(wrong.contains("42P01") && wrong.contains("Nothing of it stands"), "{wrong}");
    assert!(wrong.contains("data, not instructions"), "{wrong}");
    let many = agent.well("run_statement", statement("SELECT repeat('x', 9000) FROM generate_series(1, 500)"));
    assert!(many["rows"].as_array().unwrap().len() < 20 && many["complete"] == false, "{}", many["rows_given"]);
    assert_eq!(many["rows_given"], 500);

    // It gives back, and has nothing.
    let released = agent.well("release_access", json!({"id": grant}));
    assert!(released["state"].as_str().unwrap().contains("released by agent"), "{released}");
    assert_eq!(house.live(), 0);
    assert_eq!(house.world.confirmed(&grant)["confirmation"], "clean");
    let grants = house.world.person("ada").ok(&["grants", "--all"]);
    assert!(grants.contains("agent, of alice"), "{grants}");
    agent.leaves();
}

#[test]
fn without_a_grant_exactly_one_statement_is_asked_for_and_run_once() {
    let house = House::new();
    let mut agent = house.agent();
    let sql = "UPDATE accounts SET balance = balance + 1 WHERE id = 3";
    let asked = agent.well("run_statement", statement(sql));
    assert_eq!(asked["outcome"], "pending", "{asked}");
    let request = asked["request"].as_str().unwrap().to_owned();
    // The owner sees exactly that, and says which they saw.
    let alice = house.alice();
    let shown = alice.json(&["show", &request]);
    assert_eq!(shown["statement"]["text"], sql, "{shown}");
    let unseen = alice.fails(2, &["confirm", &request]);
    assert!(unseen.contains("Confirm exactly this") || unseen.contains("--digest"), "{unseen}");
    alice.json(&["confirm", &request, "--digest", shown["digest"].as_str().unwrap()]);
    let ran = agent.well("run_statement", json!({"request": request}));
    assert_eq!((&ran["outcome"], &ran["under"]), (&json!("committed"), &json!("own_grant")), "{ran}");
    assert_eq!(house.world.target("SELECT balance FROM accounts WHERE id = 3"), "101");
    let again = agent.badly("run_statement", json!({"request": request}));
    assert!(again.contains("over"), "{again}");
    assert_eq!(house.world.target("SELECT balance FROM accounts WHERE id = 3"), "101");
    agent.leaves();
}

#[test]
fn what_it_holds_and_waits_for_is_given_back_when_it_goes() {
    let house = House::new();
    let mut agent = house.agent();
    let wish = |resource: &str| json!({"resource": resource, "role": "readonly", "reason": "to look"});
    let request = agent.well("request_access", wish("playground"))["request"].as_str().unwrap().to_owned();
    house.alice().json(&["confirm", &request]);
    assert_eq!(agent.well("wait_for_grant", json!({"request": request}))["outcome"], "granted");
    let waits = agent.well("request_access", wish("orders"))["request"].as_str().unwrap().to_owned();
    assert_eq!(house.live(), 1);
    agent.leaves();
    until("what it held has ended", || (house.live() == 0).then_some(()));
    let ada = house.world.person("ada");
    until("what waited is taken back", || (ada.json(&["show", &waits])["state"]["state"] == "withdrawn").then_some(()));
}

#[test]
fn a_grant_ends_when_its_owner_could_no_longer_have_it() {
    let house = House::new();
    let mut agent = house.agent();
    let wish = json!({"resource": "playground", "role": "readonly", "reason": "to look"});
    let request = agent.well("request_access", wish)["request"].as_str().unwrap().to_owned();
    house.alice().json(&["confirm", &request]);
    assert_eq!(agent.well("wait_for_grant", json!({"request": request}))["outcome"], "granted");
    house.world.person("ada").ok(&["group", "remove", "dba", "alice"]);
    assert_eq!(house.live(), 0);
    let said = agent.badly("wait_for_grant", json!({"request": request}));
    assert!(said.contains("a fact that it rested on is gone"), "{said}");
    agent.leaves();
}

#[test]
fn a_statement_that_is_cancelled_is_cut_and_has_no_effect() {
    let house = House::new();
    let mut agent = house.agent();
    let wish = json!({"resource": "playground", "role": "readwrite", "reason": "Refund 4711"});
    let request = agent.well("request_access", wish)["request"].as_str().unwrap().to_owned();
    house.alice().json(&["confirm", &request]);
    agent.well("run_statement", statement("SELECT 1"));
    let sql = "UPDATE accounts SET balance = (SELECT 7 FROM pg_sleep(3600)) WHERE id = 2";
    let abort = json!({"do": "abort", "after": 3000, "tool": "run_statement", "arguments": statement(sql)});
    writeln!(agent.asks.as_mut().unwrap(), "{abort}").unwrap();
    let running =
        "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'daypass%' AND query LIKE 'UPDATE accounts%'";
    let runs = |so_many: &str| until("so many run", || (house.world.target(running) == so_many).then_some(()));
    runs("1");
    assert!(agent.hears()["error"].is_string());
    // What no session claims any more is ended at the target.
    runs("0");
    assert_eq!(house.world.target("SELECT balance FROM accounts WHERE id = 2"), "100");
    agent.leaves();
}

#[test]
fn what_makes_no_sense_is_answered_in_words() {
    let house = House::new();
    let mut agent = house.agent();
    for (tool, arguments, words) in [
        ("list_access", json!({"all": true}), "unknown field"),
        ("request_access", json!({"resource": "playground"}), "missing field"),
        ("request_access", json!({"resource": "nowhere", "role": "x", "reason": "y"}), "nowhere"),
        ("request_access", json!({"resource": "playground", "role": "x", "reason": "y"}), "its roles are"),
        (
            "request_access",
            json!({"resource": "playground", "role": "readonly", "reason": "y", "minutes": 0}),
            "1 to 480",
        ),
        ("wait_for_grant", json!({"request": "request_nonsense"}), "request"),
        ("wait_for_grant", json!({"request": "x", "seconds": 900}), "1 to 50"),
        ("run_statement", json!({"sql": "SELECT 1"}), "`resource`"),
        ("run_statement", statement("COMMIT"), "COMMIT"),
        ("release_access", json!({"id": "alice"}), "grant_"),
    ] {
        let said = agent.badly(tool, arguments.clone());
        assert!(said.contains(words), "{tool} {arguments}: {said}");
    }
    let unknown = agent.calls("approve", json!({}));
    assert!(unknown["error"].as_str().unwrap().contains("Unknown tool"), "{unknown}");
    // One that is cancelled is over for both; the next is answered.
    let wish = json!({"resource": "orders", "role": "readonly", "reason": "to look"});
    let request = agent.well("request_access", wish)["request"].clone();
    let wait = json!({"do": "abort", "after": 200, "tool": "wait_for_grant", "arguments": {"request": request, "seconds": 50}});
    assert!(agent.asks(&wait)["error"].is_string());
    assert_eq!(agent.asks(&json!({"do": "ping"})), json!({}));
    agent.leaves();
}

#[test]
fn a_person_is_no_agent_and_nobody_is_nobody() {
    let house = House::new();
    // Alice's own token, where the agent's should be.
    let made = house.alice().json(&["token", "create", "--scope", "read,request"]);
    fs::write(&house.token_file, made["secret"].as_str().unwrap()).unwrap();
    let said = house.agent().badly("list_access", json!({}));
    assert!(said.contains("acts as a workload") && said.contains("daypass workload create"), "{said}");
    fs::write(&house.token_file, "hunter2").unwrap();
    let said = house.agent().badly("list_access", json!({}));
    assert!(said.contains("no API token") && !said.contains("hunter2"), "{said}");
    fs::write(&house.token_file, "dpt_nobodys").unwrap();
    let said = house.agent().badly("list_access", json!({}));
    assert!(said.contains("daypass token create") && !said.contains("daypass login"), "{said}");
}

/// A conversation of raw lines.
struct Raw {
    child: Child,
    asks: Option<ChildStdin>,
    said: Lines<BufReader<ChildStdout>>,
}

impl Raw {
    fn start(house: &House) -> Self {
        let mut child = house.mcp().stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (asks, said) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()).lines());
        Self { child, asks, said }
    }

    fn writes(&mut self, bytes: &[u8]) {
        let pipe = self.asks.as_mut().unwrap();
        pipe.write_all(bytes).unwrap();
        pipe.write_all(b"\n").unwrap();
        pipe.flush().unwrap();
    }

    fn hears(&mut self) -> Value {
        serde_json::from_str(&self.said.next().expect("it ended").unwrap()).unwrap()
    }

    fn code(&mut self, line: &[u8]) -> i64 {
        self.writes(line);
        let said = self.hears();
        said["error"]["code"].as_i64().unwrap_or_else(|| panic!("{said}"))
    }

    fn initialize(&mut self, version: &str) {
        let params =
            json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}});
        self.writes(
            json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string().as_bytes(),
        );
        assert_eq!(self.hears()["result"]["protocolVersion"], version);
        self.writes(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    }
}

#[test]
fn careless_and_hostile_lines_are_answered_and_the_talk_goes_on() {
    let house = House::new();
    let mut raw = Raw::start(&house);
    assert_eq!(raw.code(br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#), -32_600, "not before the handshake");
    raw.initialize("2025-06-18");
    assert_eq!(raw.code(b"{ nonsense"), -32_700);
    assert_eq!(raw.code(b"\xff\xfe"), -32_700);
    assert_eq!(raw.code(br#"{"jsonrpc":"2.0","id":1,"method":"resources/list"}"#), -32_601);
    assert_eq!(raw.code(br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#), -32_600, "no batches in this revision");
    assert_eq!(raw.code(&vec![b'x'; 3 << 20]), -32_600, "a line that is too long");
    assert_eq!(raw.code("[".repeat(100_000).as_bytes()), -32_700);
    raw.writes(br#"{"jsonrpc":"2.0","id":"still","method":"ping"}"#);
    assert_eq!(raw.hears(), json!({"jsonrpc": "2.0", "id": "still", "result": {}}));
    // At the end of its input it goes, at once and with nothing more to say.
    raw.asks = None;
    assert!(raw.said.next().is_none());
    assert_eq!(until("it ends", || raw.child.try_wait().unwrap()).code(), Some(0));
}

#[test]
fn a_batch_is_answered_together_where_there_are_batches() {
    let house = House::new();
    let mut raw = Raw::start(&house);
    raw.initialize("2025-03-26");
    let call = json!({"name": "list_access", "arguments": {}});
    raw.writes(
        json!([
            {"jsonrpc": "2.0", "id": 1, "method": "ping"},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call},
            {"jsonrpc": "2.0", "method": "notifications/unknown"},
        ])
        .to_string()
        .as_bytes(),
    );
    let answers = raw.hears();
    assert_eq!(answers.as_array().map(Vec::len), Some(2), "{answers}");
    assert_eq!(answers[1]["result"]["structuredContent"]["owner"], "alice", "{answers}");
    // Whoever is told to stop, stops, though somebody still holds its input open.
    let pid = rustix::process::Pid::from_raw(i32::try_from(raw.child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(until("it ends", || raw.child.try_wait().unwrap()).success());
}

#[test]
fn what_was_asked_and_cancelled_on_its_way_is_taken_back_when_it_goes() {
    let house = House::new();
    let mut raw = Raw::start(&house);
    raw.initialize("2025-11-25");
    let call = |id: u32, name: &str, arguments: Value| {
        let params = json!({"name": name, "arguments": arguments});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
    };
    raw.writes(call(1, "list_access", json!({})).as_bytes());
    raw.hears();
    let wish = json!({"resource": "playground", "role": "readonly", "reason": "to look"});
    raw.writes(call(2, "request_access", wish).as_bytes());
    std::thread::sleep(std::time::Duration::from_millis(5));
    raw.writes(br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#);
    raw.asks = None;
    until("it ends", || raw.child.try_wait().unwrap());
    assert_eq!(house.alice().json(&["inbox"]), json!([]));
}

#[test]
fn a_job_is_an_agent_by_the_token_of_where_it_runs() {
    let house = House::new();
    let provider = crate::provider::Provider::start(&house.world);
    crate::oidc::trust(
        &house.world,
        &format!(
            "[[workload]]\nworkload = 'agent'\npreset = 'github'\nissuer = '{}'\naudience = '{}'\n\
             match = {{ repository = 'acme/shop' }}\n",
            provider.issuer,
            house.world.url()
        ),
    );
    let mut command = house.world.person("runner").command(&["mcp"]);
    house.dress(&mut command);
    command
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/test/job?repository=acme/shop", provider.issuer))
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of the job");
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (asks, said) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()).lines());
    let mut raw = Raw { child, asks, said };
    raw.initialize("2025-11-25");
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_access"}});
    raw.writes(call.to_string().as_bytes());
    assert_eq!(raw.hears()["result"]["structuredContent"]["workload"], "agent");
    raw.asks = None;
    let said = ended(raw.child);
    assert_eq!(said.code, 0, "{}", said.all());
}
