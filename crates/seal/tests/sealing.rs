//! What is sealed opens with the same key, place and kind only, and whatever comes from storage is survived.

use daypass_seal::{DataKey, MasterKey, OpenError, SEAL_OVERHEAD, SealingKey, WrappedKey};
use proptest::prelude::*;

fn key() -> SealingKey {
    MasterKey::from_bytes([7; 32]).sealing_key("payload", b"eu")
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..max)
}

#[test]
fn a_wrapped_key_is_not_data_and_data_is_not_a_key() {
    let wrapped = key().wrap([1; 12], b"subject", &DataKey::from_bytes([2; 32]));
    assert_eq!(key().open(b"subject", wrapped.as_bytes()).unwrap_err(), OpenError::Rejected);
    let sealed = key().seal([1; 12], b"subject", &[2; 32]);
    assert_eq!(key().unwrap(b"subject", &WrappedKey::from_bytes(sealed)).unwrap_err(), OpenError::Rejected);
}

#[test]
fn a_newer_format_is_named() {
    let mut sealed = key().seal([1; 12], b"", b"x");
    sealed[0] = 2;
    assert_eq!(key().open(b"", &sealed).unwrap_err(), OpenError::Version { version: 2 });
}

proptest! {
    #[test]
    fn what_is_sealed_opens(nonce in any::<[u8; 12]>(), aad in bytes(40), plain in bytes(300)) {
        let sealed = key().seal(nonce, &aad, &plain);
        prop_assert_eq!(sealed.len(), plain.len() + SEAL_OVERHEAD);
        prop_assert_eq!(&*key().open(&aad, &sealed).unwrap(), &plain);
    }

    #[test]
    fn a_flipped_bit_is_rejected(plain in bytes(60), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut sealed = key().seal([1; 12], b"row", &plain);
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(key().open(b"row", &sealed).is_err());
    }

    #[test]
    fn a_cut_is_rejected(plain in bytes(60), at in any::<prop::sample::Index>()) {
        let sealed = key().seal([1; 12], b"row", &plain);
        prop_assert!(key().open(b"row", &sealed[..at.index(sealed.len())]).is_err());
    }

    #[test]
    fn another_place_or_key_is_rejected(aad in bytes(20), other in bytes(20), plain in bytes(60)) {
        prop_assume!(aad != other);
        let sealed = key().seal([1; 12], &aad, &plain);
        prop_assert_eq!(key().open(&other, &sealed).unwrap_err(), OpenError::Rejected);
        let elsewhere = MasterKey::from_bytes([7; 32]).sealing_key("payload", b"us");
        prop_assert_eq!(elsewhere.open(&aad, &sealed).unwrap_err(), OpenError::Rejected);
    }

    // I9: what was sealed under a data key opens through its wrapped form, for its owner only.
    #[test]
    fn a_data_key_comes_back_for_its_owner_only(secret in any::<[u8; 32]>(), owner in bytes(20), other in bytes(20)) {
        prop_assume!(owner != other);
        let data = DataKey::from_bytes(secret);
        let sealed = data.sealing_key().seal([4; 12], b"part", b"reason");
        let wrapped = WrappedKey::from_bytes(key().wrap([3; 12], &owner, &data).as_bytes().to_vec());
        let back = key().unwrap(&owner, &wrapped).unwrap();
        prop_assert_eq!(&**back.sealing_key().open(b"part", &sealed).unwrap(), b"reason");
        prop_assert_eq!(key().unwrap(&other, &wrapped).unwrap_err(), OpenError::Rejected);
    }

    #[test]
    fn random_bytes_never_open_nor_panic(aad in bytes(20), mut sealed in bytes(200), versioned in any::<bool>()) {
        if let (true, Some(first)) = (versioned, sealed.first_mut()) {
            *first = 1;
        }
        prop_assert!(key().open(&aad, &sealed).is_err());
        prop_assert!(key().unwrap(&aad, &WrappedKey::from_bytes(sealed)).is_err());
    }
}
