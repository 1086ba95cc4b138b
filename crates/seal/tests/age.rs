//! Files that the real `age` opens, recipients that are refused, and shares of which one says nothing.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use daypass_seal::{AGE_PLAIN_MAX, AgeError, AgeRandom, BadRecipient, Recipient, age_seal, join, split};
use proptest::prelude::*;

/// From the age project's own documentation of its format: an identity and its recipient.
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

fn random(seed: u8) -> AgeRandom {
    AgeRandom { ephemeral: [seed; 32], file_key: [seed ^ 0x55; 16], nonce: [seed ^ 0xaa; 16] }
}

/// What the real program makes of a file, for whoever holds the identity.
fn opened(identity: &str, file: &str) -> Result<Vec<u8>, String> {
    let folder =
        std::env::temp_dir().join(format!("daypass-age-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::create_dir_all(&folder).unwrap();
    let key = folder.join("key.txt");
    std::fs::write(&key, identity).unwrap();
    let mut age = Command::new("age")
        .args(["--decrypt", "--identity"])
        .arg(&key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program age: cargo xtask setup installs it");
    // One whom it isn't for reads no further than the header.
    let _ = age.stdin.take().unwrap().write_all(file.as_bytes());
    let output = age.wait_with_output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// A new identity of the real program, and its recipient.
fn generated() -> (String, String) {
    let output = Command::new("age-keygen").output().expect("the program age-keygen comes with age");
    let text = String::from_utf8(output.stdout).unwrap();
    let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    (text, recipient)
}

#[test]
fn the_real_age_opens_what_was_sealed_and_only_for_whom() {
    let (identity, recipient) = generated();
    let (other, _) = generated();
    let recipient: Recipient = recipient.parse().unwrap();
    let whole_chunk = vec![b'x'; AGE_PLAIN_MAX];
    for plain in [&b""[..], b"a", b"0123456789abcdef\n", &whole_chunk] {
        let file = age_seal(&recipient, &random(9), plain).unwrap();
        assert_eq!(opened(&identity, &file).as_deref(), Ok(plain));
        assert!(opened(&other, &file).unwrap_err().contains("no identity matched"));
    }
    let too_long = vec![0; AGE_PLAIN_MAX + 1];
    assert_eq!(age_seal(&recipient, &random(9), &too_long), Err(AgeError::TooLong(too_long.len())));
}

#[test]
fn a_changed_file_does_not_open() {
    let (identity, recipient) = generated();
    let file = age_seal(&recipient.parse().unwrap(), &random(3), b"secret").unwrap();
    let middle = file.len() / 2;
    let other = if file.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let changed = format!("{}{other}{}", &file[..middle], &file[middle + 1..]);
    assert!(opened(&identity, &changed).is_err());
}

#[test]
fn a_known_recipient_and_known_random_bytes_give_a_known_file() {
    let recipient: Recipient = RECIPIENT.parse().unwrap();
    let file = age_seal(&recipient, &random(1), b"black is white\n").unwrap();
    assert_eq!(opened(IDENTITY, &file).as_deref(), Ok(&b"black is white\n"[..]));
    assert_eq!(file, include_str!("golden/age.txt"));
    assert!(file.lines().all(|line| line.len() <= 64));
}

#[test]
fn a_recipient_reads_back_and_every_wrong_letter_is_seen() {
    let (_, text) = generated();
    let recipient: Recipient = text.parse().unwrap();
    assert_eq!(recipient.to_string(), text);
    assert_eq!(format!(" {text}\n").parse(), Ok(recipient));
    for place in 4..text.len() {
        for letter in ["q", "p", "7"] {
            let wrong = format!("{}{letter}{}", &text[..place], &text[place + 1..]);
            if wrong != text {
                assert_eq!(wrong.parse::<Recipient>(), Err(BadRecipient::Checksum), "{place}");
            }
        }
    }
}

#[test]
fn what_is_no_recipient_is_refused_with_its_reason() {
    let refused = |text: &str| text.parse::<Recipient>().unwrap_err();
    let mut mixed = RECIPIENT.to_owned();
    mixed.replace_range(20..30, &RECIPIENT[20..30].to_uppercase());
    for (text, why) in [
        (IDENTITY, BadRecipient::Identity),
        ("# created: x\nAGE-SECRET-KEY-1QQQ", BadRecipient::Identity),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", BadRecipient::Identity),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", BadRecipient::OtherKind),
        ("age1yubikey1qwertyuiop", BadRecipient::OtherKind),
        ("age1pq1qqqqqqqqqq", BadRecipient::OtherKind),
        ("", BadRecipient::NotOne),
        ("alice@example.com", BadRecipient::NotOne),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", BadRecipient::NotOne),
        (&mixed, BadRecipient::Case),
        (&RECIPIENT.to_uppercase(), BadRecipient::Case),
        (&RECIPIENT[..61], BadRecipient::Length(61)),
        (&format!("{RECIPIENT}q"), BadRecipient::Length(63)),
        (&RECIPIENT.replacen("zv", "zb", 1), BadRecipient::Letter(6)),
    ] {
        assert_eq!(refused(text), why, "{text}");
    }
    // No message repeats what may be a secret.
    assert!(!refused(IDENTITY).to_string().contains("GFPYY"));
}

/// The points of small order, and one above the field that is the same as zero: in Bech32, as `age` would write them.
#[test]
fn keys_that_anybody_can_open_are_refused() {
    let field: [u8; 32] = std::array::from_fn(|n| match n {
        0 => 0xed,
        31 => 0x7f,
        _ => 0xff,
    });
    let before = |mut key: [u8; 32]| {
        key[0] -= 1;
        key
    };
    let mut one = [0; 32];
    one[0] = 1;
    let eight = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800";
    let other_eight = "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157";
    let of_hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap();
    for key in [[0; 32], one, field, before(field), of_hex(eight), of_hex(other_eight)] {
        assert_eq!(bech32(&key).parse::<Recipient>(), Err(BadRecipient::Weak));
    }
    let mut base = [0; 32];
    base[0] = 9;
    assert_eq!(bech32(&base).parse::<Recipient>().unwrap().to_string(), bech32(&base));
}

/// Bech32 written anew, as BIP 173 describes it: the code that is tested can't write what it refuses to read.
fn bech32(key: &[u8; 32]) -> String {
    const LETTERS: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let bits: Vec<u8> = key.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let mut data: Vec<u8> =
        bits.chunks(5).map(|five| (0..5).fold(0, |value, n| value << 1 | five.get(n).copied().unwrap_or(0))).collect();
    let mut values: Vec<u32> = b"age".iter().map(|b| u32::from(b >> 5)).collect();
    values.push(0);
    values.extend(b"age".iter().map(|b| u32::from(b & 31)));
    values.extend(data.iter().map(|five| u32::from(*five)).chain([0; 6]));
    let sum = values.iter().fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let shifted = (sum & 0x01ff_ffff) << 5 ^ value;
        [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3_u32]
            .iter()
            .enumerate()
            .fold(shifted, |sum, (bit, generator)| if top >> bit & 1 == 1 { sum ^ generator } else { sum })
    }) ^ 1;
    data.extend((0..6).map(|n| (sum >> (5 * (5 - n)) & 31) as u8));
    let text: String = data.iter().map(|five| char::from(LETTERS[usize::from(*five)])).collect();
    format!("age1{text}")
}

proptest! {
    #[test]
    fn two_shares_give_the_secret_in_either_order(secret: [u8; 32], pad: [u8; 32]) {
        let [one, other] = split(secret, pad);
        prop_assert_eq!(*join(&one, &other), secret);
        prop_assert_eq!(*join(&other, &one), secret);
    }

    /// Whatever a share says, any secret at all could be behind it: for each there is a pad that gives this very share.
    #[test]
    fn one_share_alone_fits_every_secret(secret: [u8; 32], pad: [u8; 32], other_secret: [u8; 32]) {
        let shares = split(secret, pad);
        let fitting: [[u8; 32]; 2] = [
            *shares[0].bytes(),
            std::array::from_fn(|n| other_secret[n] ^ shares[1].bytes()[n]),
        ];
        for (which, pad) in fitting.into_iter().enumerate() {
            let again = split(other_secret, pad);
            prop_assert_eq!(again[which].bytes(), shares[which].bytes());
        }
    }

    #[test]
    fn no_text_makes_the_reader_fail_otherwise_than_by_saying_why(text in ".{0,80}") {
        if let Ok(recipient) = text.parse::<Recipient>() {
            prop_assert_eq!(recipient.to_string(), text.trim());
        }
    }
}
