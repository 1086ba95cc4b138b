//! Signed tokens from outside: nothing panics, and what is read is what every other reader of JSON would read.
#![no_main]

use daypass_wire::jwt::{Unverified, strict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(value) = strict(data) {
        // Not equal: a fraction may be rounded when it is written.
        assert!(strict(value.to_string().as_bytes()).is_some());
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(read) = Unverified::parse(text) {
        assert_eq!(format!("{}.{}", read.signed, read.signature), text);
        assert!(read.header.typ.is_none_or(|typ| typ == typ.to_ascii_lowercase()));
    }
});
