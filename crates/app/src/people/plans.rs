//! What changes to people would do (I12): planned here, done by [`crate::changes`].

use std::collections::BTreeSet;

use daypass_domain::{
    Name, PrincipalId,
    principal::{Group, Kind, Principal, Standing},
};
use daypass_ports::{
    record::{Commit, Read},
    rows::{Bar, Factors, Invitation, Link, SignIn, Token, key},
};

use super::invite::{Half, INVITATION_KEY, INVITATION_LASTS, half_hash, half_of, invitation_hash, whole};
use crate::{
    App, Problem, Result,
    changes::{Doers, Hand, Handed, Kept, Prepared, Turn},
};

impl App {
    pub(crate) async fn plan_create_user(&self, name: &Name, hand: Hand<'_>) -> Result<Prepared> {
        self.name_is_free(name).await?;
        let user = self.new_principal(name, Kind::User);
        let mut prepared = Prepared {
            words: vec![format!("make the user `{name}`, who sets a password by an invitation")],
            ids: vec![("subject_principal", user.id.to_string())],
            ..Prepared::default()
        };
        prepared.commit.put(&user);
        prepared.commit.put(&Factors::none_of(user.id));
        self.invite(&user, hand, &mut prepared);
        Ok(prepared)
    }

    /// A user and their groups at once. Joining a group is an act of its own in policies, judged and recorded beside it.
    pub(crate) async fn plan_invite(
        &self,
        name: &Name,
        groups: &BTreeSet<Name>,
        doers: Doers<'_>,
        hand: Hand<'_>,
    ) -> Result<Prepared> {
        self.name_is_free(name).await?;
        let user = self.new_principal(name, Kind::User);
        let mut prepared = Prepared {
            words: vec![format!("make the user `{name}`, who sets a password by an invitation")],
            ids: vec![("subject_principal", user.id.to_string())],
            ..Prepared::default()
        };
        prepared.commit.put(&user);
        prepared.commit.put(&Factors::none_of(user.id));
        if !groups.is_empty() {
            let decision = self.may_administer(doers.actor, crate::changes::GROUP).await?;
            prepared.parts.push(self.decision_part(&decision));
        }
        for group in groups {
            let read = self.group_named(group.as_str()).await?;
            let mut next = read.value.clone();
            next.members.insert(user.id);
            prepared.words.push(format!("put `{name}` into the group `{group}`"));
            prepared.ids.push(("group", next.id.to_string()));
            prepared.commit.replace(&read, &next);
            if crate::changes::is_administrators(&next) {
                prepared.turn = Turn::Members(next.members);
            }
        }
        self.invite(&user, hand, &mut prepared);
        Ok(prepared)
    }

    pub(crate) async fn plan_create_workload(&self, name: &Name, owner: &Name) -> Result<Prepared> {
        self.name_is_free(name).await?;
        let owner = self.user_named(owner).await?;
        must_be_active(&owner.value)?;
        let workload = self.new_principal(name, Kind::Workload { owner: owner.value.id });
        let mut prepared = Prepared {
            words: vec![format!("make the workload `{name}`, for which `{}` answers", owner.value.name)],
            ids: vec![("subject_principal", workload.id.to_string())],
            ..Prepared::default()
        };
        prepared.commit.expect(&owner);
        prepared.commit.put(&workload);
        Ok(prepared)
    }

    pub(crate) async fn plan_enable(&self, name: &Name) -> Result<Prepared> {
        let read = self.principal_named(name.as_str()).await?;
        let id = read.value.id;
        let mut prepared = Prepared::default();
        if read.value.is_active() {
            return Ok(prepared);
        }
        prepared.words.push(format!("let `{name}` act again, with the password and second factor that it had"));
        prepared.ids.push(("subject_principal", id.to_string()));
        prepared.commit.replace(&read, &Principal { standing: Standing::Active, ..read.value.clone() });
        prepared.turn = Turn::Enabled(id);
        Ok(prepared)
    }

    pub(crate) async fn plan_invite_again(&self, name: &Name, hand: Hand<'_>) -> Result<Prepared> {
        let user = self.user_named(name).await?;
        must_be_active(&user.value)?;
        let mut prepared = Prepared {
            words: vec![
                format!("bar `{name}` until they set a new password by a new invitation"),
                format!(
                    "end the sign-ins, tokens and second factor of `{name}`; their grants and their workloads go on"
                ),
            ],
            ids: vec![("subject_principal", user.value.id.to_string())],
            ..Prepared::default()
        };
        if !self.store_ref().find::<Link>(key::LINKED, &user.value.id.to_string()).await?.is_empty() {
            prepared
                .words
                .push(format!("mind that `{name}` can go on signing in by a provider: disable them to bar that"));
        }
        // Barred until then: so somebody else must be able to mend it when the code is lost.
        self.must_leave_an_administrator(&self.administrators().await?.value, user.value.id).await?;
        prepared.commit.expect(&user);
        self.drop_credentials(user.value.id, &mut prepared.commit).await?;
        let factors = self.factors_of(user.value.id).await?;
        prepared.commit.replace(&factors, &Factors::none_of(user.value.id));
        self.invite(&user.value, hand, &mut prepared);
        Ok(prepared)
    }

    pub(crate) async fn plan_reset_second_factor(&self, name: &Name) -> Result<Prepared> {
        let user = self.user_named(name).await?;
        let factors = self.factors_of(user.value.id).await?;
        let mut prepared = Prepared::default();
        if !factors.value.has_second_factor() {
            return Ok(prepared);
        }
        prepared.words.push(format!("forget every second factor and recovery code of `{name}`"));
        prepared.words.push(format!("end the sign-ins of `{name}`, and bar the account until they enrol another"));
        prepared.ids.push(("subject_principal", user.value.id.to_string()));
        let bare = Factors {
            totp: None,
            passkeys: Vec::new(),
            recovery_codes: Vec::new(),
            bar: Bar::UntilEnrolled { since: self.now() },
            connection: None,
            ..factors.value.clone()
        };
        prepared.commit.replace(&factors, &bare);
        for sign_in in self.store_ref().find::<SignIn>(key::PRINCIPAL, &user.value.id.to_string()).await? {
            prepared.commit.delete(&sign_in);
        }
        Ok(prepared)
    }

    pub(crate) async fn plan_add_member(&self, group: &Name, member: &Name) -> Result<Prepared> {
        let group = self.group_named(group.as_str()).await?;
        let member = self.principal_named(member.as_str()).await?;
        let mut prepared = Prepared::default();
        if group.value.members.contains(&member.value.id) {
            return Ok(prepared);
        }
        let mut next = group.value.clone();
        next.members.insert(member.value.id);
        prepared.words.push(format!("put `{}` into the group `{}`", member.value.name, next.name));
        prepared.ids = group_ids(&next, member.value.id);
        prepared.commit.expect(&member);
        prepared.commit.replace(&group, &next);
        if crate::changes::is_administrators(&next) {
            prepared.turn = Turn::Members(next.members);
        }
        Ok(prepared)
    }

    pub(crate) async fn plan_remove_member(&self, group: &Name, member: &Name) -> Result<Prepared> {
        let group = self.group_named(group.as_str()).await?;
        let member = self.principal_named(member.as_str()).await?;
        let mut prepared = Prepared::default();
        let mut next = group.value.clone();
        if !next.members.remove(&member.value.id) {
            return Ok(prepared);
        }
        if crate::changes::is_administrators(&next) {
            self.must_leave_an_administrator(&group.value, member.value.id).await?;
        }
        prepared.words.push(format!("take `{}` out of the group `{}`", member.value.name, next.name));
        prepared.ids = group_ids(&next, member.value.id);
        prepared.commit.replace(&group, &next);
        Ok(prepared)
    }

    pub(crate) async fn plan_delete_group(&self, name: &Name) -> Result<Prepared> {
        let group = self.group_named(name.as_str()).await?;
        if crate::changes::is_administrators(&group.value) {
            return Err(Problem::conflict(
                "administrators_stay",
                format!("the group `{name}` can't be deleted: it is what administers Daypass"),
                "take members out of it instead",
            ));
        }
        let resources = self.store_ref().all::<daypass_domain::resource::Resource>().await?;
        if let Some(owned) = resources.iter().find(|r| r.value.owner == *name) {
            return Err(Problem::conflict(
                "group_owns",
                format!("the group `{name}` answers for the resource `{}`", owned.value.name),
                "give the resource another owner first",
            ));
        }
        let mut prepared = Prepared {
            words: vec![format!("delete the group `{name}`, with its {} members", group.value.members.len())],
            ids: vec![("group", group.value.id.to_string())],
            ..Prepared::default()
        };
        prepared.commit.delete(&group);
        Ok(prepared)
    }

    /// An invitation: the whole code for one who acts alone; halves for two, so that neither can use it alone. // I12
    fn invite(&self, user: &Principal, hand: Hand<'_>, prepared: &mut Prepared) {
        let now = self.now();
        let hash = match hand {
            Hand::Alone => {
                let (first, second) = (self.new_half(), self.new_half());
                prepared.handed = Handed::Invitation(whole(&first, &second));
                invitation_hash(half_hash(first.expose()), half_hash(second.expose()))
            }
            Hand::First => {
                let first = self.new_half();
                prepared.kept = Kept::InvitationHalf { hash: half_hash(first.expose()) };
                prepared.handed = Handed::InvitationHalf(first);
                return;
            }
            Hand::Second(Kept::InvitationHalf { hash }) => {
                let second = self.new_half();
                let both = invitation_hash(*hash, half_hash(second.expose()));
                prepared.handed = Handed::InvitationHalf(second);
                both
            }
            // A change that keeps no half was not made by `Hand::First`; then nobody can take the invitation up.
            Hand::Second(Kept::Nothing | Kept::Token { .. } | Kept::Bearer { .. } | Kept::Kit { .. }) => return,
        };
        prepared.commit.put(&Invitation {
            principal: user.id,
            name: user.name.clone(),
            hash,
            expires: now + INVITATION_LASTS,
        });
    }

    fn new_half(&self) -> Half {
        let random = zeroize::Zeroizing::new(self.random::<16>());
        half_of(&*random)
    }

    /// Everything by which a principal could act, except its password and second factor.
    pub(crate) async fn drop_credentials(&self, id: PrincipalId, commit: &mut Commit) -> Result<()> {
        let whose = id.to_string();
        for sign_in in self.store_ref().find::<SignIn>(key::PRINCIPAL, &whose).await? {
            commit.delete(&sign_in);
        }
        for token in self.store_ref().find::<Token>(key::PRINCIPAL, &whose).await? {
            commit.delete(&token);
        }
        for invitation in self.store_ref().find::<Invitation>(INVITATION_KEY, &whose).await? {
            commit.delete(&invitation);
        }
        self.drop_connection_secret(id, commit).await
    }

    pub(crate) async fn user_named(&self, name: &Name) -> Result<Read<Principal>> {
        let read = self.principal_named(name.as_str()).await?;
        match read.value.kind {
            Kind::User => Ok(read),
            Kind::Workload { .. } => Err(Problem::invalid(
                "not_a_user",
                format!("`{name}` is a workload, and this is for people"),
                "name a user",
            )),
        }
    }

    /// One namespace for users and workloads: both are user names at the gateway.
    async fn name_is_free(&self, name: &Name) -> Result<()> {
        if self.store_ref().find::<Principal>(key::NAME, name.as_str()).await?.is_empty() {
            return Ok(());
        }
        Err(Problem::conflict(
            "name_taken",
            format!("there is a user or a workload `{name}` already, or was one"),
            "choose another name; to let a disabled one act again, enable it",
        ))
    }

    pub(crate) fn new_principal(&self, name: &Name, kind: Kind) -> Principal {
        let id = PrincipalId::new(self.now(), self.id_bytes());
        Principal { id, name: name.clone(), kind, standing: Standing::Active }
    }

    /// Somebody who can sign in must go on administering.
    pub(crate) async fn must_leave_an_administrator(&self, group: &Group, leaving: PrincipalId) -> Result<()> {
        if !group.members.contains(&leaving) || self.others_administer(group, leaving).await? {
            return Ok(());
        }
        Err(Problem::conflict(
            "last_administrator",
            "nobody who can sign in would be left to administer Daypass",
            "make somebody else an administrator first",
        ))
    }
}

fn must_be_active(principal: &Principal) -> Result<()> {
    if principal.is_active() {
        return Ok(());
    }
    let name = &principal.name;
    Err(Problem::conflict("disabled", format!("`{name}` is disabled"), format!("`daypass user enable {name}` first")))
}

fn group_ids(group: &Group, member: PrincipalId) -> Vec<(&'static str, String)> {
    vec![("group", group.id.to_string()), ("subject_principal", member.to_string())]
}
