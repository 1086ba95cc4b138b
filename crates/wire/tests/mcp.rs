//! The Model Context Protocol: what is spoken, and what hostile or careless lines come to.

use daypass_wire::mcp::{BATCH_MAX, CALLS_MAX, LINE_MAX, Line, Lines, Machine, Offer, Output, VERSIONS};
use proptest::prelude::*;
use serde_json::{Value, json};

fn machine() -> Machine {
    let tools = vec![json!({"name": "look"}), json!({"name": "do"})];
    Machine::new(Offer { name: "test", version: "1", instructions: "be kind", tools })
}

fn whole(value: &Value) -> Line {
    Line::Whole(value.to_string().into_bytes())
}

fn initialize(version: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}
    }})
}

fn agreed(version: &str) -> Machine {
    let mut machine = machine();
    machine.line(&whole(&initialize(version)));
    machine.line(&whole(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})));
    machine
}

/// What is said to one message, and nothing else is done.
fn said(machine: &mut Machine, value: &Value) -> Value {
    match machine.line(&whole(value)).as_slice() {
        [Output::Say(line)] => serde_json::from_str(line).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("{answer}"))
}

fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

fn call(id: impl Into<Value>) -> Value {
    request(id, "tools/call", json!({"name": "look", "arguments": {"at": "it"}}))
}

#[test]
fn the_clients_revision_is_spoken_where_it_is_known_and_the_newest_otherwise() {
    for version in VERSIONS {
        let answer = said(&mut machine(), &initialize(version));
        assert_eq!(answer["result"]["protocolVersion"], version);
        assert_eq!(answer["result"]["serverInfo"]["name"], "test");
        assert!(answer["result"]["capabilities"]["tools"].is_object());
    }
    for other in ["2026-07-28", "1.0.0", ""] {
        assert_eq!(said(&mut machine(), &initialize(other))["result"]["protocolVersion"], VERSIONS[0]);
    }
    assert_eq!(code(&said(&mut machine(), &request(1, "initialize", json!({})))), -32_602);
    assert_eq!(code(&said(&mut agreed(VERSIONS[0]), &initialize(VERSIONS[0]))), -32_600);
}

#[test]
fn nothing_but_a_ping_goes_before_the_handshake() {
    let mut fresh = machine();
    assert_eq!(said(&mut fresh, &request("a", "ping", json!({}))), json!({"jsonrpc": "2.0", "id": "a", "result": {}}));
    // So clients of a later revision, which asks like this first, know that this one has a handshake.
    assert_eq!(code(&said(&mut fresh, &request(1, "server/discover", json!({})))), -32_601);
    for method in ["tools/list", "tools/call"] {
        assert_eq!(code(&said(&mut fresh, &request(1, method, json!({"name": "look"})))), -32_600, "{method}");
    }
}

#[test]
fn a_call_is_handed_over_and_answered_by_its_id() {
    let mut machine = agreed(VERSIONS[1]);
    let listed = said(&mut machine, &request(1, "tools/list", json!({})));
    assert_eq!(listed["result"]["tools"][1]["name"], "do");
    assert_eq!(code(&said(&mut machine, &request(1, "tools/list", json!({"cursor": "x"})))), -32_602);
    let begun = machine.line(&whole(&call("one")));
    let [Output::Call { ticket, tool, arguments }] = begun.as_slice() else { panic!("{begun:?}") };
    assert_eq!((tool.as_str(), &arguments["at"]), ("look", &json!("it")));
    // Another with the same id would leave nobody knowing which is answered.
    assert_eq!(code(&said(&mut machine, &call("one"))), -32_600);
    let line = machine.done(*ticket, json!({"content": []})).unwrap();
    assert!(!line.contains('\n'));
    assert_eq!(
        serde_json::from_str::<Value>(&line).unwrap(),
        json!({"jsonrpc": "2.0", "id": "one", "result": {"content": []}})
    );
    assert_eq!(machine.done(*ticket, json!({})), None, "once");
}

#[test]
fn what_is_stopped_is_answered_no_more() {
    let mut machine = agreed(VERSIONS[0]);
    let begun = machine.line(&whole(&call(7)));
    let [Output::Call { ticket, .. }] = begun.as_slice() else { panic!("{begun:?}") };
    let cancel =
        |id: Value| json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    for nothing in [json!(8), json!("7"), Value::Null, json!([7])] {
        assert_eq!(machine.line(&whole(&cancel(nothing))), []);
    }
    assert_eq!(machine.line(&whole(&cancel(json!(7)))), [Output::Stop(*ticket)]);
    assert_eq!(machine.done(*ticket, json!({})), None);
    assert_eq!(machine.under_way().count(), 0);
}

#[test]
fn only_so_much_is_under_way_at_once() {
    let mut machine = agreed(VERSIONS[0]);
    for id in 0..CALLS_MAX {
        assert!(matches!(machine.line(&whole(&call(id))).as_slice(), [Output::Call { .. }]));
    }
    assert_eq!(code(&said(&mut machine, &call("more"))), -32_000);
    assert!(said(&mut machine, &request("still", "ping", json!({})))["result"].is_object());
}

#[test]
fn what_is_no_message_is_refused_and_said() {
    let mut machine = agreed(VERSIONS[0]);
    let cases: [(&str, i64); 19] = [
        ("{", -32_700),
        ("nonsense", -32_700),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, -32_700),
        ("\u{feff}{}", -32_700),
        ("null", -32_600),
        ("\"ping\"", -32_600),
        ("{}", -32_600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32_600),
        (r#"{"id":1,"method":"ping"}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#, -32_602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"resources/list"}"#, -32_601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm"}}"#, -32_602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"do","arguments":[]}}"#, -32_602),
        ("[]", -32_600),
    ];
    for (line, expected) in cases {
        let outputs = machine.line(&Line::Whole(line.as_bytes().to_vec()));
        let [Output::Say(answer)] = outputs.as_slice() else { panic!("{line}: {outputs:?}") };
        assert_eq!(code(&serde_json::from_str(answer).unwrap()), expected, "{line}");
    }
    let deep = "[".repeat(200_000);
    assert!(matches!(machine.line(&Line::Whole(deep.into_bytes())).as_slice(), [Output::Say(_)]));
    assert!(matches!(machine.line(&Line::Whole(vec![0xff, 0xfe])).as_slice(), [Output::Say(_)]));
    // What wants no answer gets none, whatever it says.
    for silent in [
        "",
        "  ",
        r#"{"jsonrpc":"2.0","method":"unknown"}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":[1]}"#,
        r#"{"jsonrpc":"2.0","id":9,"result":{}}"#,
    ] {
        assert_eq!(machine.line(&Line::Whole(silent.as_bytes().to_vec())), [], "{silent}");
    }
    // Nobody's words come back whole, or with what would break the line.
    let answer = said(&mut machine, &request(1, &format!("a\n\u{202e}{}", "x".repeat(5_000)), json!({})));
    let what = answer["error"]["message"].as_str().unwrap();
    assert!(what.len() < 300 && !what.contains('\n') && !what.contains('\u{202e}'), "{what}");
}

#[test]
fn a_batch_is_for_the_revision_that_has_them() {
    let both = json!([request(1, "ping", json!({})), call(2), json!({"jsonrpc": "2.0", "method": "x"}), 7, call(3)]);
    for version in ["2025-11-25", "2025-06-18", "2024-11-05"] {
        assert_eq!(code(&said(&mut agreed(version), &both)), -32_600, "{version}");
    }
    let mut machine = agreed("2025-03-26");
    let outputs = machine.line(&whole(&both));
    let tickets: Vec<_> = outputs
        .iter()
        .map(|output| match output {
            Output::Call { ticket, .. } => *ticket,
            Output::Say(_) | Output::Stop(_) => panic!("{outputs:?}"),
        })
        .collect();
    assert_eq!(machine.done(tickets[1], json!("three")), None, "they go out together");
    let answers: Value = serde_json::from_str(&machine.done(tickets[0], json!("two")).unwrap()).unwrap();
    let ids: Vec<&Value> = answers.as_array().unwrap().iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&json!(1), &Value::Null, &json!(3), &json!(2)]);
    // Of notifications alone nothing is said; and the handshake isn't part of any.
    assert_eq!(machine.line(&whole(&json!([{"jsonrpc": "2.0", "method": "x"}]))), []);
    assert_eq!(code(&said(&mut machine, &json!([initialize("2025-03-26")]))[0]), -32_600);
    let many: Vec<Value> = (0..=BATCH_MAX).map(|id| request(id, "ping", json!({}))).collect();
    assert_eq!(code(&said(&mut machine, &Value::Array(many))), -32_600);
    // One that is stopped keeps the others from nobody.
    let outputs = machine.line(&whole(&json!([request(1, "ping", json!({})), call(2)])));
    let [Output::Call { ticket, .. }] = outputs.as_slice() else { panic!("{outputs:?}") };
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}});
    let outputs = machine.line(&whole(&cancel));
    let [Output::Stop(stopped), Output::Say(rest)] = outputs.as_slice() else { panic!("{outputs:?}") };
    assert_eq!((stopped, serde_json::from_str::<Value>(rest).unwrap()[0]["id"].clone()), (ticket, json!(1)));
}

#[test]
fn a_line_that_is_too_long_is_passed_over_and_the_next_is_read() {
    let mut lines = Lines::default();
    let long = vec![b'x'; LINE_MAX + 1];
    assert_eq!(lines.take(&long), []);
    assert_eq!(lines.take(&long), []);
    assert_eq!(lines.take(b"\n{}\r\npa"), [Line::TooLong, Line::Whole(b"{}".to_vec())]);
    assert_eq!(lines.take(b"rt\n"), [Line::Whole(b"part".to_vec())]);
    let fits = vec![b'y'; LINE_MAX];
    assert_eq!(lines.take(&[fits.as_slice(), b"\n"].concat()), [Line::Whole(fits)]);
    assert_eq!(
        code(
            &serde_json::from_str(match machine().line(&Line::TooLong).as_slice() {
                [Output::Say(line)] => line,
                other => panic!("{other:?}"),
            })
            .unwrap()
        ),
        -32_600
    );
}

proptest! {
    /// However bytes are cut into pieces, the lines are the same.
    #[test]
    fn lines_are_the_same_however_they_come(bytes in prop::collection::vec(prop::sample::select(b"ab\r\n{}".to_vec()), 0..200), cut in 1..20_usize) {
        let mut at_once = Lines::default();
        let mut in_pieces = Lines::default();
        let whole = at_once.take(&bytes);
        let pieces: Vec<Line> = bytes.chunks(cut).flat_map(|piece| in_pieces.take(piece)).collect();
        prop_assert_eq!(whole, pieces);
    }

    /// Whatever is said, what is answered is one line of JSON each, and no call is begun that isn't offered.
    #[test]
    fn whatever_comes_the_answer_is_lines_of_json(
        id in prop_oneof![any::<i64>().prop_map(Value::from), ".{0,8}".prop_map(Value::from), Just(Value::Null), Just(json!([1]))],
        method in prop_oneof![Just("tools/call".to_owned()), Just("tools/list".to_owned()), Just("initialize".to_owned()), ".{0,20}"],
        params in prop_oneof![Just(json!({"name": "do"})), Just(json!({"name": "x", "arguments": 1})), Just(json!(3)), Just(Value::Null)],
        version in prop::sample::select(VERSIONS.to_vec()),
        batch in any::<bool>(),
    ) {
        let mut machine = agreed(version);
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let message = if batch { json!([message.clone(), message]) } else { message };
        for output in machine.line(&whole(&message)) {
            match output {
                Output::Say(line) => {
                    prop_assert!(!line.contains('\n'));
                    prop_assert!(serde_json::from_str::<Value>(&line).is_ok());
                }
                Output::Call { tool, .. } => prop_assert!(tool == "do"),
                Output::Stop(_) => prop_assert!(false, "nothing was stopped"),
            }
        }
    }
}
