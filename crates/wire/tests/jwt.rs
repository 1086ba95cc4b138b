//! Hostile tokens: read without panic, and refused with a word that says why and repeats nothing of them.

use data_encoding::BASE64URL_NOPAD;
use daypass_wire::jwt::{BadToken, TOKEN_MAX, Unverified, strict};
use proptest::prelude::*;

fn token(header: &str, claims: &str) -> String {
    format!("{}.{}.c2ln", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()))
}

const HEADER: &str = r#"{"alg":"RS256","kid":"one","typ":"application/JWT"}"#;

#[test]
fn a_token_is_read() {
    let text = token(HEADER, r#"{"iss":"https://issuer.example","n":1.5,"list":[1,null,true,"x"]}"#);
    let read = Unverified::parse(&text).unwrap();
    assert_eq!(read.header.alg, "RS256");
    assert_eq!(read.header.kid.as_deref(), Some("one"));
    assert_eq!(read.header.typ.as_deref(), Some("jwt"));
    assert_eq!(read.issuer(), Some("https://issuer.example"));
    assert_eq!(format!("{}.{}", read.signed, read.signature), text);
}

#[test]
fn what_is_no_token_is_refused_and_said() {
    let long = token(HEADER, &format!(r#"{{"x":"{}"}}"#, "y".repeat(TOKEN_MAX)));
    let many: Vec<String> = (0..300).map(|n| format!(r#""c{n}":{n}"#)).collect();
    let cases = [
        (long, BadToken::TooLong),
        ("a.b".to_owned(), BadToken::NotThreeParts),
        (format!("{}.x", token(HEADER, "{}")), BadToken::NotThreeParts),
        (format!("{}=", token(HEADER, "{}")), BadToken::NotBase64),
        (token(HEADER, "{}").replace('.', "+."), BadToken::NotBase64),
        // Trailing bits that mean nothing would let one token have two spellings.
        (token(HEADER, "{}").replace(".c2ln", ".c2lo").replace("c2lo", "c2m"), BadToken::NotBase64),
        (token("[]", "{}"), BadToken::NotAnObject),
        (token(HEADER, "\"text\""), BadToken::NotAnObject),
        (token(HEADER, "{} {}"), BadToken::NotAnObject),
        (token(HEADER, r#"{"sub":"a","sub":"b"}"#), BadToken::NotAnObject),
        (token(HEADER, r#"{"a":{"sub":"a","s\u0075b":"b"}}"#), BadToken::NotAnObject),
        (token(r#"{"alg":"RS256","alg":"none"}"#, "{}"), BadToken::NotAnObject),
        (token(r#"{"kid":"one"}"#, "{}"), BadToken::BadHeader("alg")),
        (token(r#"{"alg":["RS256"]}"#, "{}"), BadToken::BadHeader("alg")),
        (token(r#"{"alg":"RS256","kid":7}"#, "{}"), BadToken::BadHeader("kid")),
        (token(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(300)), "{}"), BadToken::BadHeader("kid")),
        (token(r#"{"alg":"RS256","crit":["b64"],"b64":false}"#, "{}"), BadToken::Critical),
        (token(HEADER, &format!("{{{}}}", many.join(","))), BadToken::TooManyClaims),
    ];
    for (text, why) in cases {
        let shown: String = text.chars().take(60).collect();
        assert_eq!(Unverified::parse(&text), Err(why), "{shown}");
    }
}

#[test]
fn deep_nesting_is_refused_before_the_stack_is_used_up() {
    assert_eq!(strict("[".repeat(100_000).as_bytes()), None);
    assert!(strict(format!("{}{}", "[".repeat(100), "]".repeat(100)).as_bytes()).is_some());
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(text in "[ -~]{0,200}") {
        let _ = Unverified::parse(&text);
    }

    #[test]
    fn what_is_read_is_the_json_that_others_read(header in "[a-z\"{}:,]{0,60}", claims in "[a-z0-9\"{}:,\\[\\]]{0,120}") {
        let text = token(&header, &claims);
        if let Ok(read) = Unverified::parse(&text) {
            let other: serde_json::Value = serde_json::from_str(&claims).unwrap();
            prop_assert_eq!(serde_json::to_value(&read.claims).unwrap(), other);
        }
    }
}
