//! SPIFFE IDs: what is one is written in one way only, and what is none is never taken for one.

use daypass_domain::trust::{
    BadSpiffeId, Bundle, IdPattern, SPIFFE_ID_MAX, SpiffeId, SpiffeTrust, SvidKind, TRUST_DOMAIN_MAX, Trust,
    TrustDomain,
};
use proptest::prelude::*;

fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

#[test]
fn what_spiffe_says_is_one_is_one() {
    for (text, domain, path) in [
        ("spiffe://example.org", "example.org", ""),
        ("spiffe://example.org/a", "example.org", "/a"),
        ("spiffe://prod_1.example.org/ns/shop/sa/Nightly.v2", "prod_1.example.org", "/ns/shop/sa/Nightly.v2"),
        ("spiffe://td/...", "td", "/..."),
    ] {
        let read = id(text);
        assert_eq!((read.domain().as_str(), read.path(), read.to_string().as_str()), (domain, path, text));
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_none() {
    for (text, why) in [
        ("", BadSpiffeId::Scheme),
        ("https://example.org/a", BadSpiffeId::Scheme),
        ("SPIFFE://example.org/a", BadSpiffeId::Scheme),
        ("spiffe:/example.org/a", BadSpiffeId::Scheme),
        (" spiffe://example.org/a", BadSpiffeId::Scheme),
        ("spiffe://", BadSpiffeId::Domain),
        ("spiffe:///a", BadSpiffeId::Domain),
        ("spiffe://Example.org/a", BadSpiffeId::Domain),
        ("spiffe://example.org:8443/a", BadSpiffeId::Domain),
        ("spiffe://user@example.org/a", BadSpiffeId::Domain),
        ("spiffe://exämple.org/a", BadSpiffeId::Domain),
        ("spiffe://example.org?x", BadSpiffeId::Domain),
        ("spiffe://example.org#x", BadSpiffeId::Domain),
        ("spiffe://example.org/", BadSpiffeId::Segment),
        ("spiffe://example.org/a/", BadSpiffeId::Segment),
        ("spiffe://example.org//a", BadSpiffeId::Segment),
        ("spiffe://example.org/./a", BadSpiffeId::Segment),
        ("spiffe://example.org/a/../b", BadSpiffeId::Segment),
        ("spiffe://example.org/%61", BadSpiffeId::Segment),
        ("spiffe://example.org/a?x", BadSpiffeId::Segment),
        ("spiffe://example.org/a#x", BadSpiffeId::Segment),
        ("spiffe://example.org/a b", BadSpiffeId::Segment),
        ("spiffe://example.org/a\n", BadSpiffeId::Segment),
        ("spiffe://example.org/a\0", BadSpiffeId::Segment),
        ("spiffe://example.org/a*", BadSpiffeId::Segment),
    ] {
        assert_eq!(text.parse::<SpiffeId>(), Err(why), "{text:?}");
    }
}

#[test]
fn lengths_are_those_of_the_standard() {
    let domain = "d".repeat(TRUST_DOMAIN_MAX);
    assert!(domain.parse::<TrustDomain>().is_ok());
    assert_eq!(format!("{domain}d").parse::<TrustDomain>(), Err(BadSpiffeId::Domain));
    let start = "spiffe://d/";
    let longest = format!("{start}{}", "a".repeat(SPIFFE_ID_MAX - start.len()));
    assert_eq!(longest.len(), SPIFFE_ID_MAX);
    let read = id(&longest);
    assert_eq!(format!("{longest}a").parse::<SpiffeId>(), Err(BadSpiffeId::TooLong));
    // And policy can read the longest.
    let read: Vec<String> = read.attributes(SvidKind::Jwt).unwrap().iter().map(|(_, text)| text.to_owned()).collect();
    assert!(read.contains(&longest));
}

#[test]
fn a_pattern_is_one_identity_or_what_is_below_it_by_whole_segments() {
    let below: IdPattern = "spiffe://example.org/ns/shop/*".parse().unwrap();
    assert!(below.admits(&id("spiffe://example.org/ns/shop/a")));
    assert!(below.admits(&id("spiffe://example.org/ns/shop/a/b")));
    for other in [
        "spiffe://example.org/ns/shop",
        "spiffe://example.org/ns/shopping/a",
        "spiffe://example.org/ns",
        "spiffe://example.org",
        "spiffe://other.example.org/ns/shop/a",
    ] {
        assert!(!below.admits(&id(other)), "{other}");
    }
    let one: IdPattern = "spiffe://example.org/ns/shop".parse().unwrap();
    assert!(one.admits(&id("spiffe://example.org/ns/shop")));
    assert!(!one.admits(&id("spiffe://example.org/ns/shop/a")));
    for (bad, why) in [
        ("spiffe://example.org/*", BadSpiffeId::Everybody),
        ("spiffe://example.org", BadSpiffeId::Everybody),
        ("spiffe://*", BadSpiffeId::Scheme),
        ("*", BadSpiffeId::Scheme),
        ("spiffe://example.org/a/*/b", BadSpiffeId::Segment),
        ("spiffe://example.org/a*", BadSpiffeId::Segment),
    ] {
        // What remains of `spiffe://*` without its end is no scheme any more.
        let read = bad.parse::<IdPattern>();
        assert_eq!(read, Err(why), "{bad}");
    }
}

#[test]
fn a_token_is_told_by_who_it_is_for_and_where_the_authorities_are() {
    let trust = SpiffeTrust {
        workload: "nightly".parse().unwrap(),
        ids: ["spiffe://example.org/a".parse().unwrap()].into(),
        audience: None,
    };
    let at = |bundle: Bundle| Trust {
        domains: [("example.org".parse().unwrap(), bundle)].into(),
        spiffe: vec![trust.clone()],
        ..Trust::default()
    };
    let endpoint = |url: &str| at(Bundle::Endpoint { url: url.parse().unwrap(), authorities: None });
    let (one, other) = (endpoint("https://one.example/b"), endpoint("https://other.example/b"));
    assert_ne!(one.digest_of(&trust), other.digest_of(&trust));
    // Keys that rotate end nothing.
    let given = |text: &str| at(Bundle::Given(text.to_owned())).digest_of(&trust);
    assert_eq!(given("one"), given("two"));
    let wider = SpiffeTrust { audience: Some("daypass".to_owned()), ..trust.clone() };
    assert_ne!(one.digest_of(&trust), one.digest_of(&wider));
    let another = SpiffeTrust { ids: ["spiffe://example.org/b".parse().unwrap()].into(), ..trust.clone() };
    assert_ne!(one.digest_of(&trust), one.digest_of(&another));
    // From an endpoint to a bundle: whoever had that endpoint is believed no more.
    assert_ne!(one.digest_of(&trust), given("one"));
    assert_eq!(one.standing(), [one.digest_of(&trust)].into());
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_the_same(text in "(spiffe://)?[a-zA-Z0-9._/%:@?#*-]{0,60}") {
        if let Ok(read) = text.parse::<SpiffeId>() {
            prop_assert_eq!(read.to_string(), &*text);
            prop_assert!(read.domain().as_str().parse::<TrustDomain>().is_ok());
            prop_assert!(!read.path().split('/').any(|part| part == ".." || part == "."));
        }
        if let Ok(pattern) = text.parse::<IdPattern>() {
            prop_assert_eq!(pattern.to_string(), &*text);
        }
    }

    #[test]
    fn made_of_good_parts_it_is_good_and_of_a_bad_one_it_is_not(
        domain in "[a-z0-9._-]{1,40}",
        parts in prop::collection::vec("[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,20}", 1..6),
        bad in "[^a-zA-Z0-9._/-]",
        at in any::<prop::sample::Index>(),
    ) {
        let good = format!("spiffe://{domain}/{}", parts.join("/"));
        let read: SpiffeId = good.parse().unwrap();
        prop_assert_eq!(read.path(), format!("/{}", parts.join("/")));
        // Below its parent, and itself, and nothing else.
        let above = good.rsplit_once('/').unwrap().0;
        if parts.len() > 1 {
            let below = format!("{above}/*");
            prop_assert!(below.parse::<IdPattern>().unwrap().admits(&read));
            prop_assert!(!above.parse::<IdPattern>().unwrap().admits(&read));
        }
        prop_assert!(good.parse::<IdPattern>().unwrap().admits(&read));
        let mut spoilt = good.clone();
        let start = "spiffe://".len();
        spoilt.insert_str(start + at.index(good.len() - start), &bad);
        prop_assert!(spoilt.parse::<SpiffeId>().is_err(), "{spoilt:?}");
    }

    #[test]
    fn nothing_panics(text in ".{0,120}") {
        let _ = text.parse::<SpiffeId>();
        let _ = text.parse::<IdPattern>();
    }
}
