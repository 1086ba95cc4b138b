//! Passwords: Argon2id, a few at a time, and the same work for somebody who doesn't exist.

use std::sync::atomic::Ordering;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};
use daypass_ports::secret::Secret;

use super::attempts::{HASH_QUEUE, too_many};
use crate::{App, Problem, Result};

/// The fewest characters of a password (NIST SP 800-63B asks for 8; there is no second chance here while no second
/// factor is enrolled).
pub const PASSWORD_MIN: usize = 12;
/// The most bytes.
pub const PASSWORD_MAX: usize = 1_024;

/// OWASP's second parameter set for Argon2id: 19 MiB, two passes, one lane.
fn hasher() -> Argon2<'static> {
    // The numbers are within Argon2's limits; the crate's own default is the same set.
    let params = Params::new(19 * 1_024, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Whether a password may be one.
///
/// # Errors
/// When it is too short, too long, or the name itself.
pub fn check_new_password(password: &Secret, name: &str) -> Result<()> {
    let refuse =
        |what: String| Err(Problem::invalid("bad_password", what, "choose another, a few random words for example"));
    let text = password.expose();
    if text.chars().count() < PASSWORD_MIN {
        return refuse(format!("the password has fewer than {PASSWORD_MIN} characters"));
    }
    if text.len() > PASSWORD_MAX {
        return refuse(format!("the password has more than {PASSWORD_MAX} bytes"));
    }
    if text.eq_ignore_ascii_case(name) {
        return refuse("the password is the name".into());
    }
    let first = text.chars().next();
    if text.chars().all(|c| Some(c) == first) {
        return refuse("the password is one character, again and again".into());
    }
    Ok(())
}

impl App {
    /// The PHC string of a new password.
    pub(crate) async fn hash_password(&self, password: Secret) -> Result<String> {
        let salt = self.random::<16>();
        self.hashing(move || {
            let salt = SaltString::encode_b64(&salt).map_err(|e| e.to_string())?;
            let hash = hasher().hash_password(password.expose().as_bytes(), &salt).map_err(|e| e.to_string())?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether a password fits; with nothing to compare it to, the same work for a no.
    pub(super) async fn password_fits(&self, password: Secret, phc: Option<String>) -> Result<bool> {
        if password.expose().len() > PASSWORD_MAX {
            return Ok(false);
        }
        self.hashing(move || {
            let text = password.expose().as_bytes();
            let Some(phc) = phc else {
                let mut nothing = [0; 32];
                hasher().hash_password_into(text, b"nobody is here", &mut nothing).map_err(|e| e.to_string())?;
                return Ok(false);
            };
            let hash = PasswordHash::new(&phc).map_err(|e| e.to_string())?;
            Ok(hasher().verify_password(text, &hash).is_ok())
        })
        .await
    }

    /// Runs slow work on a thread of its own, a few at a time: a flood neither eats the memory nor stops the server.
    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> std::result::Result<T, String> + Send + 'static,
    ) -> Result<T> {
        struct Waiting<'a>(&'a std::sync::atomic::AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let ahead = self.limits.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.limits.waiting);
        if ahead >= HASH_QUEUE {
            return Err(too_many(5));
        }
        let broken = |why: String| Problem::unavailable(format!("a password can't be checked now: {why}"));
        let _permit = self.limits.hashing.acquire().await.map_err(|e| broken(e.to_string()))?;
        tokio::task::spawn_blocking(work).await.map_err(|e| broken(e.to_string()))?.map_err(broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused_with_a_reason() {
        let check = |text: &str| check_new_password(&Secret::new(text.into()), "alice.of.wonderland");
        assert!(check("correct horse battery").is_ok());
        for (bad, why) in [
            ("short", "fewer than 12"),
            ("Alice.of.Wonderland", "is the name"),
            ("aaaaaaaaaaaaaaaa", "again and again"),
            (&"x y".repeat(500), "more than 1024"),
        ] {
            let problem = check(bad).unwrap_err();
            assert!(problem.what.contains(why), "{bad}: {problem}");
        }
        assert!(check("ÄÖÜäöüÄÖÜäöü").is_ok(), "characters are counted, not bytes");
    }
}
