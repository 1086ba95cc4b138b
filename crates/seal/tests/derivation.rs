//! What is derived stays what it is: changing any of these bytes locks every installation out of its data. The expected
//! values were computed apart, with Python's `hmac` and `cryptography`, from the construction that the docs state.

use daypass_seal::{DataKey, FrameSealer, MasterKey, MasterKeyError, SegmentId, encode_parts};
use proptest::prelude::*;

fn master() -> MasterKey {
    MasterKey::from_bytes(std::array::from_fn(|i| u8::try_from(i).unwrap()))
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[test]
fn derived_bytes_are_golden() {
    assert_eq!(
        hex(&master().derive("ledger", b"origin")),
        "d78d8dc6a5cc425c7c4a0d7d8df1a81f821dfacf0d136c8393cbde528dafd3da"
    );
    assert_eq!(hex(&master().derive("", b"")), "b8540c2d663fcdf038f67b8e19c3b9598c18f814881ce1a65e8b55864a67b6ba");
    assert_eq!(*master().password_for("target", b"grant_1"), "p-hO6FPnIiH0o3wKRWLoz_ZyvHQNxctpw6hT-JcY77w");
    assert_eq!(master().fingerprint(), "8445ba7f22bbe714");
}

#[test]
fn formats_are_golden() {
    let mac = master().mac_key("rows", b"grants").mac(&[b"a", b"bc"]);
    assert_eq!(hex(&mac), "43401a419f5a5c762c85dfe45769181d7d65318908eff22c327615206aaf0e5a");
    let sealed = master().sealing_key("payload", b"eu").seal([9; 12], b"row 1", b"hello");
    assert_eq!(hex(&sealed), "010909090909090909090909092e00b0e72764a60cb5d26df13f26ec9c9b42eab1f1");
    let mut frames = Vec::new();
    let mut sealer = FrameSealer::new(&DataKey::from_bytes([5; 32]), SegmentId::from_bytes([3; 16]));
    sealer.seal_frame(b"select 1", &mut frames).unwrap();
    sealer.finish(&mut frames);
    assert_eq!(
        hex(&frames),
        "0000001881a1dbc309dca80080b869564fdf2feaaa6a568015a14f69800000100a2e0fc34d42c7e6eb48c4861d2ddde8"
    );
}

#[test]
fn a_key_reads_the_same_in_every_form() {
    let bytes: [u8; 32] = std::array::from_fn(|i| 0xff - u8::try_from(i).unwrap());
    let wanted = MasterKey::from_bytes(bytes).fingerprint();
    let hex = hex(&bytes);
    let texts = [
        hex.clone(),
        hex.to_uppercase(),
        format!("  {hex}\n"),
        data_encoding::BASE64.encode(&bytes),
        data_encoding::BASE64_NOPAD.encode(&bytes),
        data_encoding::BASE64URL.encode(&bytes),
        data_encoding::BASE64URL_NOPAD.encode(&bytes),
    ];
    for text in texts {
        assert_eq!(MasterKey::parse(&text).unwrap().fingerprint(), wanted, "{text}");
        assert_eq!(MasterKey::read(text.as_bytes()).unwrap().fingerprint(), wanted, "{text}");
    }
    assert_eq!(MasterKey::read(&bytes).unwrap().fingerprint(), wanted);
}

#[test]
fn what_is_not_a_key_is_refused_without_being_shown() {
    let cases: [(&[u8], MasterKeyError); 8] = [
        (b"", MasterKeyError::Empty),
        (b" \n", MasterKeyError::Empty),
        (b"hunter2", MasterKeyError::Shape { len: 7 }),
        (&[b'z'; 64], MasterKeyError::Shape { len: 64 }),
        (b"0123456789abcdef0123456789abcdef", MasterKeyError::Printable),
        (b"0123456789abcdef0123456789abcdef\n", MasterKeyError::Printable),
        (&[0; 32], MasterKeyError::Constant),
        (&[b'0'; 64], MasterKeyError::Constant),
    ];
    for (given, wanted) in cases {
        let error = MasterKey::read(given).unwrap_err();
        assert_eq!(error, wanted);
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(given.len() < 7 || !shown.contains(&String::from_utf8_lossy(given)[..]), "{shown}");
        }
    }
    assert_eq!(MasterKey::read(&[0xff; 31]).unwrap_err(), MasterKeyError::Shape { len: 31 });
}

#[test]
fn keys_never_print_themselves() {
    let key = DataKey::from_bytes([0xab; 32]);
    let shown = format!(
        "{:?} {:?} {:?} {key:?} {:?} {:?}",
        master(),
        master().sealing_key("a", b""),
        master().mac_key("a", b""),
        master().sealing_key("a", b"").wrap([0; 12], b"", &key),
        FrameSealer::new(&key, SegmentId::from_bytes([0; 16])),
    );
    assert_eq!(
        shown,
        "MasterKey(..) SealingKey(..) MacKey(..) DataKey(..) WrappedKey(61 bytes) \
         FrameSealer { segment: SegmentId([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), next: 0 }"
    );
}

proptest! {
    #[test]
    fn another_purpose_or_context_gives_other_bytes(
        a in "[a-c]{0,4}", b in "[a-c]{0,4}", x in prop::collection::vec(any::<u8>(), 0..4), y in prop::collection::vec(any::<u8>(), 0..4)
    ) {
        let same = a == b && x == y;
        prop_assert_eq!(master().derive(&a, &x) == master().derive(&b, &y), same);
        prop_assert_eq!(master().password_for(&a, &x) == master().password_for(&b, &y), same);
    }

    #[test]
    fn a_password_is_safe_to_send_and_to_quote(context in prop::collection::vec(any::<u8>(), 0..40)) {
        let password = master().password_for("target", &context);
        prop_assert_eq!(password.len(), 43);
        prop_assert!(password.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }

    #[test]
    fn two_lists_of_parts_never_encode_or_authenticate_alike(
        a in prop::collection::vec(prop::collection::vec(0_u8..3, 0..3), 0..4),
        b in prop::collection::vec(prop::collection::vec(0_u8..3, 0..3), 0..4),
    ) {
        let (left, right): (Vec<&[u8]>, Vec<&[u8]>) =
            (a.iter().map(Vec::as_slice).collect(), b.iter().map(Vec::as_slice).collect());
        prop_assert_eq!(encode_parts(&left) == encode_parts(&right), a == b);
        let key = master().mac_key("rows", b"");
        prop_assert_eq!(key.verify(&left, &key.mac(&right)).is_ok(), a == b);
    }

    #[test]
    fn a_changed_or_cut_code_is_refused(part in prop::collection::vec(any::<u8>(), 0..40), bit in 0_usize..256) {
        let key = master().mac_key("rows", b"");
        let tag = key.mac(&[&part]);
        prop_assert!(key.verify(&[&part], &tag).is_ok());
        let mut changed = tag;
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(key.verify(&[&part], &changed).is_err());
        prop_assert!(key.verify(&[&part], &tag[..bit / 8]).is_err());
        prop_assert!(master().mac_key("rows", b"other").verify(&[&part], &tag).is_err());
    }

    #[test]
    fn reading_a_key_never_panics(content in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = MasterKey::read(&content);
    }
}
