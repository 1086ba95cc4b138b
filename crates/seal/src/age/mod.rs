//! Sealing a small thing to one person, so that they open it with the program `age` and nothing of ours.
//!
//! The format is age v1 (C2SP `age.md`), with one recipient of the kind X25519, in its armor: text that survives paper.
//! Only sealing is here. Opening is for the person's own `age`, with an identity that never comes to this machine.

mod recipient;

pub use recipient::{BadRecipient, Recipient};

use aws_lc_rs::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    agreement::{self, PrivateKey, UnparsedPublicKey, X25519},
    hkdf, hmac,
};
use data_encoding::{BASE64, BASE64_NOPAD};
use zeroize::{Zeroize, Zeroizing};

/// Fresh random bytes for one sealed file. Take them from the system's generator, and never twice.
pub struct AgeRandom {
    /// The secret key that is used once, and forgotten.
    pub ephemeral: [u8; 32],
    /// The key of the file.
    pub file_key: [u8; 16],
    /// What makes the key of the payload another in each file.
    pub nonce: [u8; 16],
}

impl Drop for AgeRandom {
    fn drop(&mut self) {
        self.ephemeral.zeroize();
        self.file_key.zeroize();
    }
}

/// The longest thing that is sealed: one chunk of the format.
pub const AGE_PLAIN_MAX: usize = 64 * 1024;

/// Why nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AgeError {
    /// It is too long.
    #[error("{0} bytes are too many for one sealed file: at most 65536 fit")]
    TooLong(usize),
    /// The recipient is a point that gives everybody the same secret. Parsing refuses those; this is the second lock.
    #[error("the recipient's key is one that anybody can open: make another with `age-keygen`")]
    Weak,
    /// The library refused; it says no more.
    #[error("the cryptographic library refused to seal; this is a bug")]
    Library,
}

const VERSION: &str = "age-encryption.org/v1";
const X25519_LABEL: &[u8] = b"age-encryption.org/v1/X25519";
const ARMOR_BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const ARMOR_END: &str = "-----END AGE ENCRYPTED FILE-----";
/// Characters on a line of the armor, and of a stanza's body.
const COLUMNS: usize = 64;

/// `plain`, so that only the recipient's identity opens it: an age file in its armor.
///
/// # Errors
/// [`AgeError`]; what is usual never fails.
pub fn age_seal(recipient: &Recipient, random: &AgeRandom, plain: &[u8]) -> Result<String, AgeError> {
    if plain.len() > AGE_PLAIN_MAX {
        return Err(AgeError::TooLong(plain.len()));
    }
    let (share, wrapped) = wrap(recipient, random)?;
    let mut header =
        format!("{VERSION}\n-> X25519 {}\n{}\n---", BASE64_NOPAD.encode(&share), BASE64_NOPAD.encode(&wrapped));
    let mac_key = derive(&random.file_key, b"", b"header")?;
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*mac_key), header.as_bytes());
    header.push_str(&format!(" {}\n", BASE64_NOPAD.encode(mac.as_ref())));

    let payload_key = derive(&random.file_key, &random.nonce, b"payload")?;
    // One chunk, which is the first (a counter of zeros) and the last (a one after it).
    let mut counter = [0; 12];
    counter[11] = 1;
    let mut file = header.into_bytes();
    file.extend_from_slice(&random.nonce);
    file.extend_from_slice(&encrypt(&payload_key, counter, plain)?);
    Ok(armored(&file))
}

/// The ephemeral share, and the file key under what it and the recipient agree on.
fn wrap(recipient: &Recipient, random: &AgeRandom) -> Result<([u8; 32], Vec<u8>), AgeError> {
    let secret = PrivateKey::from_private_key(&X25519, &random.ephemeral).map_err(|_| AgeError::Library)?;
    let public = secret.compute_public_key().map_err(|_| AgeError::Library)?;
    let share: [u8; 32] = public.as_ref().try_into().map_err(|_| AgeError::Library)?;
    let mut salt = share.to_vec();
    salt.extend_from_slice(recipient.key());
    let key =
        agreed(&secret, recipient.key(), |shared| derive(shared, &salt, X25519_LABEL)).ok_or(AgeError::Weak)??;
    Ok((share, encrypt(&key, [0; 12], &random.file_key)?))
}

/// What a secret and a public key agree on; nothing where the public key is of small order: then it says nothing of the
/// secret, and anybody knows it.
fn agreed<R>(secret: &PrivateKey, public: &[u8; 32], then: impl FnOnce(&[u8]) -> R) -> Option<R> {
    agreement::agree(secret, UnparsedPublicKey::new(&X25519, public), (), |shared| {
        if shared.iter().all(|b| *b == 0) { Err(()) } else { Ok(then(shared)) }
    })
    .ok()
}

struct Len32;

impl hkdf::KeyType for Len32 {
    fn len(&self) -> usize {
        32
    }
}

fn derive(secret: &[u8], salt: &[u8], label: &[u8]) -> Result<Zeroizing<[u8; 32]>, AgeError> {
    let mut key = Zeroizing::new([0; 32]);
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    prk.expand(&[label], Len32).and_then(|okm| okm.fill(&mut *key)).map_err(|_| AgeError::Library)?;
    Ok(key)
}

fn encrypt(key: &[u8; 32], nonce: [u8; 12], plain: &[u8]) -> Result<Vec<u8>, AgeError> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| AgeError::Library)?;
    let mut sealed = Zeroizing::new(plain.to_vec());
    // So that it isn't moved, and left behind in plain, when the tag comes.
    sealed.reserve_exact(CHACHA20_POLY1305.tag_len());
    let nonce = Nonce::assume_unique_for_key(nonce);
    LessSafeKey::new(key).seal_in_place_append_tag(nonce, Aad::empty(), &mut *sealed).map_err(|_| AgeError::Library)?;
    Ok(std::mem::take(&mut *sealed))
}

fn armored(file: &[u8]) -> String {
    let encoded = BASE64.encode(file);
    let mut text = format!("{ARMOR_BEGIN}\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII: any place is between two letters.
        let (line, after) = rest.split_at(rest.len().min(COLUMNS));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(ARMOR_END);
    text.push('\n');
    text
}
