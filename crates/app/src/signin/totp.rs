//! One-time codes by time (RFC 6238 over RFC 4226): SHA-1, six digits, thirty seconds, one step either way.

use aws_lc_rs::hmac;
use daypass_domain::Time;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// Seconds of a step.
const STEP_SECS: i64 = 30;
/// Bytes of a new secret: the length of HMAC-SHA-1's output, as RFC 4226 recommends.
pub(super) const SECRET_LEN: usize = 20;

/// The step of a time.
fn step_of(now: Time) -> u64 {
    u64::try_from(now.micros().div_euclid(1_000_000).div_euclid(STEP_SECS)).unwrap_or(0)
}

/// The code of a step (RFC 4226, 5.3).
fn code_of(secret: &[u8], step: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes[bytes.len() - 1] & 0x0f);
    let word = [bytes[offset] & 0x7f, bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]];
    u32::from_be_bytes(word) % 1_000_000
}

/// The step that a code is good for, if it is: now, one before, one after, and later than the last that was used (none
/// is good twice, RFC 6238, 5.2).
pub(super) fn fits(secret: &[u8], code: &str, now: Time, last_used: u64) -> Option<u64> {
    let digits: String = code.chars().filter(|c| *c != ' ').collect();
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let given: u32 = digits.parse().ok()?;
    let now = step_of(now);
    let mut found = 0_u64;
    for step in now.saturating_sub(1)..=now + 1 {
        let same = code_of(secret, step).ct_eq(&given);
        found.conditional_assign(&step, same);
    }
    (found > last_used).then_some(found)
}

/// What an authenticator's app reads (the Key URI format), and the secret in the form that people type.
pub(super) fn enrolment_uri(secret: &[u8], name: &str) -> (String, String) {
    let text = data_encoding::BASE32_NOPAD.encode(secret);
    let uri = format!("otpauth://totp/Daypass:{name}?secret={text}&issuer=Daypass&algorithm=SHA1&digits=6&period=30");
    (text, uri)
}

/// The code for a secret in base32, for clients and tests of the same protocol.
///
/// Nothing when the text isn't base32.
#[must_use]
pub fn code_for(secret_base32: &str, now: Time) -> Option<String> {
    let secret = data_encoding::BASE32_NOPAD.decode(secret_base32.as_bytes()).ok()?;
    Some(format!("{:06}", code_of(&secret, step_of(now))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    fn at(seconds: i64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn the_vectors_of_rfc_6238() {
        // Appendix B, SHA1, the last six of eight digits.
        for (seconds, code) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(code_of(SECRET, step_of(at(seconds))), code, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_either_way_and_once() {
        let now = at(1_111_111_111);
        let step = step_of(now);
        let code = |step| format!("{:06}", code_of(SECRET, step));
        assert_eq!(fits(SECRET, &code(step), now, 0), Some(step));
        assert_eq!(fits(SECRET, &code(step - 1), now, 0), Some(step - 1));
        assert_eq!(fits(SECRET, &code(step + 1), now, 0), Some(step + 1));
        assert_eq!(fits(SECRET, &code(step + 2), now, 0), None);
        assert_eq!(fits(SECRET, &code(step), now, step), None, "used already");
        assert_eq!(fits(SECRET, &code(step - 1), now, step), None, "older than one that was used");
        let spaced = format!("{} {}", &code(step)[..3], &code(step)[3..]);
        assert_eq!(fits(SECRET, &spaced, now, 0), Some(step));
        for bad in ["", "12345", "1234567", "abcdef", "-12345", "١٢٣٤٥٦"] {
            assert_eq!(fits(SECRET, bad, now, 0), None, "{bad}");
        }
    }
}
