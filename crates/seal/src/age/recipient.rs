//! To whom something can be sealed: an age recipient of the kind X25519, `age1` and 58 letters in Bech32 (BIP 173).

use std::{fmt, str::FromStr};

use aws_lc_rs::agreement::{PrivateKey, X25519};

use super::agreed;

const PREFIX: &str = "age";
const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// `age1`, 52 letters for 32 bytes, 6 of the checksum.
const LENGTH: usize = 62;
const CHECKSUM_LETTERS: usize = 6;
/// Longer text isn't looked at.
const LENGTH_MAX: usize = 4096;

/// A public key that a person made with `age-keygen`. Its text is `age1...`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recipient([u8; 32]);

/// Why a text isn't a recipient, and what to do. It never shows the text: that may be a secret given by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRecipient {
    /// The secret half.
    #[error(
        "that is a secret identity, which its owner gives to nobody: make a new one, and give the line after `# public key:` \
         of it, or what `age-keygen -y FILE` prints"
    )]
    Identity,
    /// Another kind that age knows: SSH keys, hardware tokens, post-quantum keys, plugins.
    #[error(
        "that is a recipient of another kind, and kits are sealed to plain age keys, so that they open with the program \
         `age` alone: make one with `age-keygen`, and give its public key, which begins with age1"
    )]
    OtherKind,
    /// Neither begins with `age1`, nor with anything else that age knows.
    #[error("a recipient is one line that begins with age1, as `age-keygen` prints it after `# public key:`")]
    NotOne,
    /// Upper and lower case.
    #[error("a recipient is written in small letters only: copy it as `age-keygen` printed it")]
    Case,
    /// Too short or too long.
    #[error("a recipient has 62 letters, and this has {0}: copy the whole line")]
    Length(usize),
    /// A letter that Bech32 doesn't have: 1, b, i and o after the beginning, say.
    #[error("letter {0} can't be in a recipient: copy it again")]
    Letter(usize),
    /// The checksum is wrong.
    #[error("the recipient's own checksum doesn't fit, so a letter of it is wrong: copy it again")]
    Checksum,
    /// A point of small order.
    #[error("whatever is sealed to that key, anybody can open: make another with `age-keygen`")]
    Weak,
}

impl Recipient {
    /// The public key.
    pub(super) fn key(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Recipient {
    type Err = BadRecipient;

    fn from_str(text: &str) -> Result<Self, BadRecipient> {
        let text = text.trim();
        let small = text.get(..LENGTH_MAX.min(text.len())).unwrap_or_default().to_ascii_lowercase();
        if small.contains("age-secret-key-") || small.contains("private key") {
            return Err(BadRecipient::Identity);
        }
        if small.starts_with("ssh-") || small.starts_with("ecdsa-") {
            return Err(BadRecipient::OtherKind);
        }
        // Bech32 has no 1 in its data: the last one ends the prefix. Plugins' prefixes are longer than `age`.
        let Some((prefix, _)) = small.rsplit_once('1').filter(|(prefix, _)| prefix.starts_with(PREFIX)) else {
            return Err(BadRecipient::NotOne);
        };
        if prefix != PREFIX && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(if prefix.starts_with("age1") { BadRecipient::OtherKind } else { BadRecipient::NotOne });
        }
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(BadRecipient::Case);
        }
        if text.len() != LENGTH {
            return Err(BadRecipient::Length(text.chars().count()));
        }
        let data = values(text)?;
        if polymod(&data) != 1 {
            return Err(BadRecipient::Checksum);
        }
        let key = bytes(&data[..data.len() - CHECKSUM_LETTERS]).ok_or(BadRecipient::Checksum)?;
        // Any secret does: with a key of small order each agrees on the same nothing.
        let any = PrivateKey::from_private_key(&X25519, &[7; 32]).map_err(|_| BadRecipient::Weak)?;
        agreed(&any, &key, |_| Self(key)).ok_or(BadRecipient::Weak)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut data = letters_of(&self.0);
        let sum = checksum(&data);
        data.extend_from_slice(&sum);
        let text: String = data.iter().map(|five| char::from(LETTERS[usize::from(*five)])).collect();
        write!(f, "{PREFIX}1{text}")
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The letters after `age1` as numbers of five bits.
fn values(text: &str) -> Result<Vec<u8>, BadRecipient> {
    let after = PREFIX.len() + 1;
    let mut data = Vec::with_capacity(LENGTH);
    for (place, letter) in text.bytes().enumerate().skip(after) {
        let five = LETTERS.iter().position(|known| *known == letter).ok_or(BadRecipient::Letter(place + 1))?;
        data.push(u8::try_from(five).map_err(|_| BadRecipient::Letter(place + 1))?);
    }
    Ok(data)
}

/// 32 bytes of 52 numbers of five bits; nothing where the four bits that are left over aren't zero.
fn bytes(data: &[u8]) -> Option<[u8; 32]> {
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    let mut out = Vec::with_capacity(32);
    for five in data {
        buffer = (buffer << 5 | u32::from(*five)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((buffer >> bits) & 0xff).ok()?);
        }
    }
    (buffer & ((1 << bits) - 1) == 0).then_some(())?;
    out.try_into().ok()
}

fn letters_of(key: &[u8; 32]) -> Vec<u8> {
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    let mut out = Vec::with_capacity(LENGTH);
    let five = |value: u32| (value & 31) as u8;
    for byte in key {
        buffer = (buffer << 8 | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(five(buffer >> bits));
        }
    }
    out.push(five(buffer << (5 - bits)));
    out
}

fn checksum(data: &[u8]) -> [u8; CHECKSUM_LETTERS] {
    let mut with_room = data.to_vec();
    with_room.extend_from_slice(&[0; CHECKSUM_LETTERS]);
    let sum = polymod(&with_room) ^ 1;
    std::array::from_fn(|n| ((sum >> (5 * (CHECKSUM_LETTERS - 1 - n))) & 31) as u8)
}

/// BIP 173, over the prefix and the data.
fn polymod(data: &[u8]) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let high = PREFIX.bytes().map(|b| b >> 5);
    let low = PREFIX.bytes().map(|b| b & 31);
    let mut sum = 1_u32;
    for value in high.chain([0]).chain(low).chain(data.iter().copied()) {
        let top = sum >> 25;
        sum = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        for (bit, generator) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                sum ^= generator;
            }
        }
    }
    sum
}
