//! Invitations: single-use codes by which somebody sets a first password; and the set-up token, which makes the first
//! administrator.

use std::net::IpAddr;

use daypass_domain::{
    Digest, PrincipalId, Span, Time,
    principal::{ADMINISTRATORS, Kind},
};
use daypass_ports::{
    record::{Commit, Read},
    rows::{Factors, Invitation},
    secret::Secret,
};

use crate::{
    App, Problem, ProblemKind, Result,
    changes::{Prepared, Turn},
    entry::{administration, event},
    facts::name as read_name,
    retry_stale,
    signin::check_new_password,
};

/// How long an invitation is good.
pub const INVITATION_LASTS: Span = Span::from_mins(7 * 24 * 60);
/// How long a set-up token is good.
const SETUP_LASTS: Span = Span::from_mins(15);
/// The key that invitations are found by, besides their hash.
pub(super) const INVITATION_KEY: &str = "invitation";

/// One half of a code: 128 random bits in base64url.
pub(super) type Half = Secret;

/// Whom set-up tokens are for, until somebody takes one up: nobody.
fn nobody() -> PrincipalId {
    PrincipalId::new(Time::from_micros(0), [0; 10])
}

/// Both halves as they are given to the invited person.
pub(super) fn whole(first: &Half, second: &Half) -> Secret {
    Secret::new(format!("{}.{}", first.expose(), second.expose()))
}

/// A half of random bytes, in letters and digits: it is typed after a command, where a leading `-` would be an option.
pub(super) fn half_of(random: &[u8]) -> Half {
    Secret::new(data_encoding::BASE32_NOPAD.encode(random))
}

pub(super) fn half_hash(half: &str) -> Digest {
    Digest::of_value("invitation half", &half)
}

pub(super) fn invitation_hash(first: Digest, second: Digest) -> Digest {
    Digest::of_value("invitation", &(first, second))
}

/// What the set-up token and the invitations that a code could be for are found by: its halves in either order.
fn hashes_of(code: &str) -> Vec<Digest> {
    let code = code.trim();
    if code.len() > 100 {
        return Vec::new();
    }
    let Some((first, second)) = code.split_once('.') else { return Vec::new() };
    let (first, second) = (half_hash(first.trim()), half_hash(second.trim()));
    vec![invitation_hash(first, second), invitation_hash(second, first)]
}

impl App {
    /// Whether nobody administers yet.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn needs_setup(&self) -> Result<bool> {
        Ok(self.administrators().await?.value.members.is_empty())
    }

    /// A new set-up token, good for fifteen minutes and once; every earlier one is void.
    ///
    /// # Errors
    /// When somebody administers already, or it can't be recorded.
    pub async fn issue_setup_token(&self) -> Result<Secret> {
        retry_stale!(self.try_issue_setup_token().await)
    }

    async fn try_issue_setup_token(&self) -> Result<Secret> {
        self.must_need_setup().await?;
        let mut commit = Commit::default();
        for old in self.store_ref().find::<Invitation>(INVITATION_KEY, &nobody().to_string()).await? {
            commit.delete(&old);
        }
        commit.expect(&self.administrators().await?);
        let halves = zeroize::Zeroizing::new(self.random::<32>());
        let (first, second) = halves.split_at(16);
        let [first, second] = [first, second].map(half_of);
        let hash = invitation_hash(half_hash(first.expose()), half_hash(second.expose()));
        // The first administrator chooses a name when taking it up; this one stands in for it.
        let name = read_name("set-up")?;
        commit.put(&Invitation { principal: nobody(), name, hash, expires: self.now() + SETUP_LASTS });
        commit.entry(administration(event::SETUP_TOKEN_MADE, Vec::new(), self.region().await?, Vec::new()));
        Ok(self.commit(commit, whole(&first, &second)).await?.into_effect())
    }

    /// Makes the first administrator.
    ///
    /// # Errors
    /// When the token is wrong, used or too old, somebody administers already, or the name or password can't be one.
    pub async fn setup(&self, code: &Secret, name: &str, password: Secret, peer: IpAddr) -> Result<PrincipalId> {
        let name = read_name(name)?;
        self.must_need_setup().await?;
        check_new_password(&password, name.as_str())?;
        self.limits.take_for_code(peer, self.clock.boot())?;
        // Looked up before the password is hashed, so that guessing costs us nothing.
        self.invitation(code).await?.filter(|i| i.value.principal == nobody()).ok_or_else(bad_code)?;
        let phc = self.hash_password(password).await?;
        retry_stale!(self.try_setup(code, &name, &phc).await)
    }

    async fn try_setup(&self, code: &Secret, name: &daypass_domain::Name, phc: &str) -> Result<PrincipalId> {
        self.must_need_setup().await?;
        let settings = self.settings().await?;
        let invitation = self.invitation(code).await?.filter(|i| i.value.principal == nobody()).ok_or_else(bad_code)?;
        let administrators = self.administrators().await?;
        let user = self.new_principal(name, Kind::User);
        let mut group = administrators.value.clone();
        group.members.insert(user.id);
        let mut commit = Commit::default();
        commit.delete(&invitation);
        commit.put(&user);
        commit.put(&Factors { password: Some(phc.to_owned()), ..Factors::none_of(user.id) });
        commit.replace(&administrators, &group);
        let prepared = Prepared { commit, turn: Turn::Members(group.members), ..Prepared::default() };
        let part = self.subject_part(user.id, &name);
        let ids = vec![("principal", user.id.to_string()), ("group", group.id.to_string())];
        let entry = administration(event::SET_UP, ids, settings.value.region.clone(), vec![part]);
        self.carry_out(&settings, prepared, entry, |_| {}).await?;
        Ok(user.id)
    }

    async fn must_need_setup(&self) -> Result<()> {
        if self.needs_setup().await? {
            return Ok(());
        }
        Err(Problem::conflict(
            "set_up_already",
            format!("this Daypass is set up: there is somebody in the group `{ADMINISTRATORS}`"),
            "sign in with `daypass login`, or ask an administrator to invite you",
        ))
    }

    /// Takes an invitation up: its code is used, and the password set.
    ///
    /// # Errors
    /// When the code is wrong, used or too old, the account is disabled, or the password can't be one.
    pub async fn accept_invitation(&self, code: &Secret, password: Secret, peer: IpAddr) -> Result<PrincipalId> {
        self.limits.take_for_code(peer, self.clock.boot())?;
        let invitation = self.usable_invitation(code).await?;
        check_new_password(&password, invitation.value.name.as_str())?;
        let phc = self.hash_password(password).await?;
        retry_stale!(self.try_accept_invitation(code, &phc).await)
    }

    async fn try_accept_invitation(&self, code: &Secret, phc: &str) -> Result<PrincipalId> {
        let settings = self.settings().await?;
        let invitation = self.usable_invitation(code).await?;
        let id = invitation.value.principal;
        let factors = self.factors_of(id).await?;
        let mut commit = Commit::default();
        commit.delete(&invitation);
        commit.replace(&factors, &Factors { password: Some(phc.to_owned()), ..factors.value.clone() });
        let administers = self.administrators().await?.value.members.contains(&id);
        let turn = if administers { Turn::TookUp(id) } else { Turn::Nothing };
        let prepared = Prepared { commit, turn, ..Prepared::default() };
        let ids = vec![("principal", id.to_string())];
        let entry = administration(event::INVITATION_USED, ids, settings.value.region.clone(), Vec::new());
        self.carry_out(&settings, prepared, entry, |_| {}).await?;
        Ok(id)
    }

    async fn usable_invitation(&self, code: &Secret) -> Result<Read<Invitation>> {
        let found = self.invitation(code).await?.filter(|i| i.value.principal != nobody());
        let found = found.ok_or_else(bad_code)?;
        self.active(found.value.principal).await?.ok_or_else(bad_code)?;
        Ok(found)
    }

    async fn invitation(&self, code: &Secret) -> Result<Option<Read<Invitation>>> {
        for hash in hashes_of(code.expose()) {
            let id = format!("invitation {hash}");
            if let Some(found) = self.store_ref().get::<Invitation>(&id).await?
                && self.now() < found.value.expires
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

fn bad_code() -> Problem {
    Problem::new(
        ProblemKind::Unauthenticated,
        "bad_code",
        "the code is wrong, was used, or is too old",
        "check it (an invitation may come in two halves: write both with a dot between), or ask for a new one; \
         a restart of the server makes a new set-up token",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_with_its_halves_in_either_order() {
        let (a, b) = (Secret::new("aaaa".into()), Secret::new("bbbb".into()));
        let hash = invitation_hash(half_hash("aaaa"), half_hash("bbbb"));
        assert!(hashes_of(whole(&a, &b).expose()).contains(&hash));
        assert!(hashes_of(" bbbb . aaaa ").contains(&hash));
        assert!(!hashes_of("aaaa.aaaa").contains(&hash));
        assert!(hashes_of("aaaa").is_empty(), "half a code is nothing");
        assert!(hashes_of(&"x.".repeat(100)).is_empty());
    }
}
