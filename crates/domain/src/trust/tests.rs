use serde_json::json;

use super::*;
use crate::Time;

fn claims(value: serde_json::Value) -> Claims {
    Claims::new(serde_json::from_value(value).unwrap())
}

fn issuer() -> Issuer {
    Issuer {
        url: "https://issuer.example".parse().unwrap(),
        algorithms: [Algorithm::Rs256].into(),
        keys: Keys::Discovered,
        authorities: None,
    }
}

fn provider() -> Provider {
    Provider {
        title: "Corp".into(),
        issuer: issuer(),
        client: OidcClient { id: "daypass".into(), proof: ClientProof::Public },
        native: None,
        scopes: BTreeSet::new(),
        names: Naming { claim: "email".into(), domain: Some("corp.example".into()) },
        provision: Provision::Never,
        groups: GroupMapping { claim: "groups".into(), of: [("DBAs".to_owned(), "dba".parse().unwrap())].into() },
        second_factor: SecondFactorWords { amr: ["mfa".to_owned()].into(), acr: BTreeSet::new() },
    }
}

#[test]
fn issuers_are_https_or_this_machine() {
    for good in [
        "https://a.example",
        "https://a.example/tenant/v2.0/",
        "http://localhost:1",
        "http://127.0.0.1:9/x",
        "http://[::1]:1",
    ] {
        assert!(good.parse::<IssuerUrl>().is_ok(), "{good}");
    }
    for bad in [
        "http://a.example",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://127.0.0.1.evil.example",
        "https://",
        "https:///x",
        "https://u:p@a.example",
        "https://a.example?x",
        "https://a.example#x",
        "ftp://a.example",
        "https://a.example\n",
        "https://a\\.example",
    ] {
        assert!(bad.parse::<IssuerUrl>().is_err(), "{bad}");
    }
}

#[test]
fn claims_are_found_by_name_and_by_path() {
    let said = claims(json!({
        "n": 7, "t": true, "list": ["a", 1, "b"], "kubernetes.io": {"namespace": "shop", "pod": {"name": "p"}},
        "a/b": "whole", "a": {"b": "within"}, "null": null, "exp": 1_700_000_000.5, "far": 1e300, "past": -1
    }));
    assert_eq!(said.text("n").as_deref(), Some("7"));
    assert_eq!(said.text("t").as_deref(), Some("true"));
    assert_eq!(said.text("kubernetes.io/pod/name").as_deref(), Some("p"));
    assert_eq!(said.text("a/b").as_deref(), Some("whole"));
    assert_eq!((said.text("list"), said.text("n/x"), said.text("")), (None, None, None));
    assert_eq!(said.texts("list"), ["a", "b"]);
    assert!(!said.says("null"));
    assert_eq!(said.time("exp"), Some(Time::from_micros(1_700_000_000_500_000)));
    assert_eq!((said.time("far"), said.time("past"), said.time("t")), (None, None, None));
}

#[test]
fn only_who_matches_every_claim_is_the_workload() {
    let trust = WorkloadTrust {
        workload: "deployer".parse().unwrap(),
        issuer: issuer(),
        audience: "daypass".into(),
        matches: [
            ("repository".to_owned(), ["acme/shop".to_owned()].into()),
            ("ref".to_owned(), ["refs/heads/main".to_owned(), "refs/heads/next".to_owned()].into()),
        ]
        .into(),
        attributes: [("ref".parse().unwrap(), "ref".to_owned()), ("env".parse().unwrap(), "environment".to_owned())]
            .into(),
    };
    let shop = |branch: &str| claims(json!({"repository": "acme/shop", "ref": branch}));
    assert!(trust.admits(&shop("refs/heads/next")));
    assert!(!trust.admits(&shop("refs/heads/main2")));
    assert!(!trust.admits(&claims(json!({"repository": "acme/shop"}))));
    assert!(!trust.admits(&claims(json!({"repository": ["acme/shop"], "ref": "refs/heads/main"}))));
    assert!(!WorkloadTrust { matches: BTreeMap::new(), ..trust.clone() }.admits(&shop("refs/heads/main")));
    let read: Vec<(String, String)> =
        trust.attributes_of(&shop("x")).unwrap().iter().map(|(n, t)| (n.to_string(), t.to_owned())).collect();
    assert_eq!(read, [("ref".to_owned(), "x".to_owned())]);
    // What can't be carried is refused: a policy that forbids by it must not be passed.
    for bad in [json!("a\nb"), json!(""), json!(["a"]), json!("é"), json!("x".repeat(ATTRIBUTE_MAX + 1))] {
        let said = claims(json!({"ref": bad}));
        assert!(matches!(trust.attributes_of(&said), Err(BadAttribute::NotShort(_))), "{said:?}");
    }
}

#[test]
fn people_are_who_the_provider_names_within_its_domain() {
    let name = |value| provider().name_of(&claims(value)).map(|n| n.to_string());
    assert_eq!(name(json!({"email": "Alice@Corp.example", "email_verified": true})), Ok("alice".to_owned()));
    for bad in [
        json!({"email": "alice@evil.example", "email_verified": true}),
        json!({"email": "alice", "email_verified": true}),
        json!({"email": "alice@corp.example@evil.example", "email_verified": true}),
        json!({"email": "al ice@corp.example", "email_verified": true}),
        json!({"email": "alice@corp.example", "email_verified": false}),
        json!({"email": "alice@corp.example"}),
        json!({"email": ["alice@corp.example"]}),
        json!({}),
    ] {
        assert!(name(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn groups_and_factors_are_what_was_configured_and_no_more() {
    let said = claims(json!({"groups": ["DBAs", "administrators"], "amr": ["pwd", "mfa"]}));
    assert_eq!(provider().groups_of(&said), Ok(["dba".parse().unwrap()].into()));
    assert_eq!(provider().groups_of(&claims(json!({}))), Ok(BTreeSet::new()));
    assert!(provider().groups_of(&claims(json!({"_claim_names": {"groups": "src1"}}))).is_err());
    assert!(provider().shows_second_factor(&said));
    assert!(!provider().shows_second_factor(&claims(json!({"amr": ["pwd"], "acr": "mfa"}))));
    let silent = Provider { second_factor: SecondFactorWords::default(), ..provider() };
    assert!(!silent.shows_second_factor(&said));
}

#[test]
fn a_program_is_the_client_that_was_declared_for_it() {
    assert_eq!(provider().for_programs().id, "daypass");
    let native = OidcClient { id: "daypass-cli".into(), proof: ClientProof::Public };
    let two = Provider { native: Some(native), ..provider() };
    assert_eq!((two.for_programs().id.as_str(), two.client.id.as_str()), ("daypass-cli", "daypass"));
    assert_eq!(two.clients().count(), 2);
}
