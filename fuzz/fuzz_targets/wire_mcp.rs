//! Whatever an agent's client sends: nothing panics, what is said is one line of JSON each, and only offered tools are called.
#![no_main]

use daypass_wire::mcp::{CALLS_MAX, LINE_MAX, Line, Lines, Machine, Offer, Output};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let tools = vec![json!({"name": "look"})];
    let mut machine = Machine::new(Offer { name: "fuzz", version: "1", instructions: "", tools });
    let (mut lines, mut begun) = (Lines::default(), Vec::new());
    for line in lines.take(data) {
        if let Line::Whole(line) = &line {
            assert!(line.len() <= LINE_MAX);
        }
        for output in machine.line(&line) {
            match output {
                Output::Say(said) => one_line(&said),
                Output::Call { ticket, tool, .. } => {
                    assert_eq!(tool, "look");
                    begun.push(ticket);
                }
                Output::Stop(ticket) => assert!(begun.contains(&ticket)),
            }
        }
        assert!(machine.under_way().count() <= CALLS_MAX);
    }
    for ticket in begun {
        if let Some(said) = machine.done(ticket, json!({})) {
            one_line(&said);
        }
    }
    assert_eq!(machine.under_way().count(), 0);
});

fn one_line(said: &str) {
    assert!(!said.contains('\n') && serde_json::from_str::<Value>(said).is_ok());
}
