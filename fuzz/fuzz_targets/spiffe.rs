//! SPIFFE from outside: identities are read in one way only, and a bundle's keys are never more than it says.
#![no_main]

use daypass_domain::trust::{IdPattern, SpiffeId, SvidKind};
use daypass_wire::spiffe::Bundle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(id) = text.parse::<SpiffeId>() {
        assert_eq!(id.to_string(), text);
        assert!(!id.path().split('/').any(|part| part == ".."));
        assert!(id.attributes(SvidKind::X509).is_ok() != id.path().is_empty());
    }
    if let Ok(pattern) = text.parse::<IdPattern>() {
        assert_eq!(pattern.to_string(), text);
    }
    if let Ok(bundle) = Bundle::parse(text) {
        assert!(bundle.jwt.iter().all(|key| key.get("use").is_none() && key["kid"].is_string()));
    }
});
