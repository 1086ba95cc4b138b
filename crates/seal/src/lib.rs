//! Keys derived, secrets sealed, rows authenticated: pure; nonces and random bytes are arguments.
//!
//! One [`MasterKey`] is the root. Everything else is derived from it by purpose and context (HKDF-SHA256, RFC 5869), so
//! that a key for one thing never opens another:
//!
//! ```text
//! MasterKey ─┬─ SealingKey   seals small things (AES-256-GCM), and wraps data keys
//!            ├─ MacKey       authenticates rows (HMAC-SHA256)
//!            └─ password_for a target password that exists only for one grant (I6)
//! DataKey    ─┬─ SealingKey  one part of one payload
//!             └─ FrameSealer, FrameOpener   the frames of one session's recording
//! ```
//!
//! A [`DataKey`] belongs to one subject or one session, and is stored only as a [`WrappedKey`]: destroying that erases
//! everything sealed under it, while digests of the ciphertext still verify (I9).
//!
//! Beside all that, an emergency kit is sealed to two people: [`split`] makes two shares of a secret, and [`age_seal`] an
//! age file of each, which opens with the person's own key and nothing of ours.

mod age;
mod frames;
mod mac;
mod master;
mod sealing;
mod shares;

pub use age::{AGE_PLAIN_MAX, AgeError, AgeRandom, BadRecipient, Recipient, age_seal};
pub use frames::{
    FRAME_OVERHEAD, FrameError, FrameOpener, FrameSealer, FrameStream, MAX_FRAME_PLAIN, Opened, SegmentId, StreamEnd,
    TornBecause,
};
pub use mac::{MacKey, MacMismatch, encode_parts};
pub use master::{MasterKey, MasterKeyError};
pub use sealing::{DataKey, NONCE_LEN, OpenError, SEAL_OVERHEAD, SealingKey, WrappedKey};
pub use shares::{SECRET_LEN, Share, join, split};
