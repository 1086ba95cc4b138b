//! Recovery codes: ten, each good once in the place of a second factor, shown when they are made and never again.
//!
//! A code has 128 random bits, so nobody guesses one, and a fast hash is enough; the hash is keyed, so that whoever reads
//! the store can't even tell whether a code that they found somewhere is one of these.

use daypass_domain::{Digest, PrincipalId};
use daypass_ports::{
    record::Commit,
    rows::{Factors, RECOVERY_CODES, RecoveryCode},
    secret::Secret,
};
use subtle::{Choice, ConstantTimeEq as _};

use super::{Caller, wrong};
use crate::{
    App, Problem, Result,
    entry::{administration, event},
    retry_stale,
};

const PURPOSE: &str = "recovery-code";
/// The characters of a code: 128 bits in base32.
const CHARS: usize = 26;

impl App {
    /// Ten new recovery codes; those of before are void.
    ///
    /// # Errors
    /// When no second factor is enrolled, or none was shown just now.
    pub async fn make_recovery_codes(&self, caller: &Caller) -> Result<Vec<Secret>> {
        caller.sign_in()?;
        self.must_have_shown(caller).await?;
        retry_stale!(self.try_make_recovery_codes(caller.principal()).await)
    }

    async fn try_make_recovery_codes(&self, id: PrincipalId) -> Result<Vec<Secret>> {
        let read = self.factors_of(id).await?;
        if !read.value.has_second_factor() {
            return Err(Problem::conflict(
                "no_second_factor",
                "recovery codes stand in for a second factor, and none is enrolled for this account",
                "enrol one on the page /factors of this server, or with `daypass totp enrol`",
            ));
        }
        let codes: Vec<Secret> = (0..RECOVERY_CODES).map(|_| self.new_recovery_code()).collect();
        let mut next = read.value.clone();
        next.recovery_codes =
            codes.iter().map(|code| RecoveryCode { hash: self.recovery_hash(id, &plain(code.expose())) }).collect();
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let ids = vec![("principal", id.to_string())];
        commit.entry(administration(event::RECOVERY_CODES_MADE, ids, self.region().await?, Vec::new()));
        Ok(self.commit(commit, codes).await?.into_effect())
    }

    /// Uses a recovery code up.
    pub(super) async fn use_recovery_code(
        &self,
        factors: &mut Factors,
        code: &Secret,
        commit: &mut Commit,
    ) -> Result<()> {
        let id = factors.principal;
        let typed = plain(code.expose());
        if typed.len() != CHARS {
            return Err(wrong());
        }
        let hash = self.recovery_hash(id, &typed);
        let same = |kept: &RecoveryCode| kept.hash.bytes().as_slice().ct_eq(hash.bytes().as_slice());
        let found = factors.recovery_codes.iter().fold(Choice::from(0), |found, kept| found | same(kept));
        if !bool::from(found) {
            return Err(wrong());
        }
        factors.recovery_codes.retain(|kept| !bool::from(same(kept)));
        let ids = vec![("principal", id.to_string()), ("left", factors.recovery_codes.len().to_string())];
        commit.entry(administration(event::RECOVERY_CODE_USED, ids, self.region().await?, Vec::new()));
        Ok(())
    }

    /// In groups of five, for people who write it down.
    fn new_recovery_code(&self) -> Secret {
        let random = zeroize::Zeroizing::new(self.random::<16>());
        let text = zeroize::Zeroizing::new(data_encoding::BASE32_NOPAD.encode(&*random).to_lowercase());
        let mut grouped = String::with_capacity(CHARS + 5);
        for (i, c) in text.chars().enumerate() {
            if i > 0 && i % 5 == 0 && i < CHARS - 1 {
                grouped.push('-');
            }
            grouped.push(c);
        }
        Secret::new(grouped)
    }

    fn recovery_hash(&self, id: PrincipalId, plain: &str) -> Digest {
        Digest::of(&self.keys.mac_key(PURPOSE, &id.bytes()).mac(&[plain.as_bytes()]))
    }
}

/// As it was made, however it was typed.
fn plain(typed: &str) -> zeroize::Zeroizing<String> {
    let kept = typed.chars().filter(char::is_ascii_alphanumeric).take(CHARS + 1);
    zeroize::Zeroizing::new(kept.map(|c| c.to_ascii_lowercase()).collect())
}
