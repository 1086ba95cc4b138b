//! Whatever a transmitter of signals sends, as a token or as an answer: nothing panics, what is taken keeps the bounds, and
//! what is refused has words.
#![no_main]

use daypass_wire::{
    jwt::{Header, Unverified, strict},
    secevent::{EVENTS_MAX, Set, TEXT_MAX, TYPE, poll::Answered},
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Err(why) = Set::parse(text)
    {
        assert!(!why.to_string().is_empty());
    }
    // The claims alone, so that not every input has to be base64.
    let Some(value) = strict(data) else { return };
    let _ = Answered::read(&value);
    let Value::Object(fields) = value else { return };
    let header = Header { alg: "ES256".into(), kid: None, typ: Some(TYPE.into()) };
    let claims = fields.into_iter().collect();
    let token = Unverified { header, claims, signed: "", signature: "" };
    if let Ok(set) = Set::read(&token) {
        assert!((1..=TEXT_MAX).contains(&set.jti.len()) && (1..=EVENTS_MAX).contains(&set.events.len()));
        assert!(!token.claims.contains_key("sub") && !token.claims.contains_key("exp"));
        assert!(set.subject.person().is_none_or(|who| who.canonical().get("format").is_some()));
    }
});
