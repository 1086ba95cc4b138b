//! Users, as directories say them.

use daypass_domain::{
    PrincipalId, Time,
    principal::{Actor, Kind, Principal, Standing},
};
use daypass_ports::{
    directories::{Directory, DirectoryUser, directory_key},
    record::{Commit, Entry, Read},
    rows::{Factors, Settings},
};
use daypass_scim::User;
use serde::Serialize;

use super::{Anew, Known, UserView};
use crate::{
    App, Problem, Result,
    changes::{Prepared, Turn},
    entry::{administration, event},
    retry_stale,
};

/// What an entry about a directory's user says: sealed under the user's key. // I9
#[derive(Serialize)]
struct Entered<'a> {
    directory: &'a str,
    said: Option<&'a User>,
    /// When the connector's call came in: from here the time until everything is dead counts.
    received_us: i64,
}

/// What becomes of somebody's being active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Stays,
    Leaves,
    Returns,
}

impl Anew<User> {
    fn of(&self, before: User) -> Result<User> {
        match self {
            Self::Whole(user) => Ok(user.clone()),
            Self::Patch(patch) => Ok(patch.of_user(before)?),
        }
    }
}

impl App {
    /// The users of the actor's directory, in the order of their ids.
    ///
    /// # Errors
    /// When the actor speaks for no directory.
    pub async fn directory_users(&self, actor: &Actor) -> Result<Vec<UserView>> {
        let directory = self.speaking(actor).await?.value;
        let rows = self.store_ref().find::<DirectoryUser>(directory_key::DIRECTORY, directory.name.as_str()).await?;
        let mut users = Vec::with_capacity(rows.len());
        for row in rows {
            users.push(view(&self.known(&directory, &row.value.principal.to_string()).await?));
        }
        users.sort_by_key(|user| user.id);
        Ok(users)
    }

    /// One user of the actor's directory.
    ///
    /// # Errors
    /// When the actor speaks for no directory, or it has no such user.
    pub async fn directory_user(&self, actor: &Actor, id: &str) -> Result<UserView> {
        let directory = self.speaking(actor).await?.value;
        Ok(view(&self.known(&directory, id).await?))
    }

    /// The user whom the actor's directory knows by this name, if there is one: without reading the others.
    ///
    /// # Errors
    /// When the actor speaks for no directory.
    pub async fn directory_user_named(&self, actor: &Actor, user_name: &str) -> Result<Vec<UserView>> {
        let directory = self.speaking(actor).await?.value;
        match self.user_said(&directory, user_name).await? {
            Some(row) => Ok(vec![view(&self.known(&directory, &row.value.principal.to_string()).await?)]),
            None => Ok(Vec::new()),
        }
    }

    /// A new user: a principal of its own, without a password and in no group. It never becomes one that was here
    /// before, whatever it is called. // I12
    ///
    /// # Errors
    /// When the actor speaks for no directory, or that has such a user already.
    pub async fn make_directory_user(&self, actor: &Actor, said: &User) -> Result<UserView> {
        let received = self.now();
        retry_stale!(self.try_make_directory_user(actor, said, received).await)
    }

    async fn try_make_directory_user(&self, actor: &Actor, said: &User, received: Time) -> Result<UserView> {
        let settings = self.settings().await?;
        let directory = self.speaking(actor).await?;
        self.said_name_is_free(&directory.value, &said.user_name, None).await?;
        let name = self.name_for(&said.user_name).await?;
        let mut principal = self.new_principal(&name, Kind::User);
        if !said.active {
            principal.standing = Standing::Disabled { at: self.now(), by: actor.principal };
        }
        let row = self.row_of(&directory.value, principal.id, said, self.now());
        let mut prepared = Prepared::default();
        prepared.commit.expect(&directory);
        prepared.commit.put(&Factors::none_of(principal.id));
        prepared.commit.put(&principal);
        prepared.commit.put(&row);
        let ids = ids_of(actor, principal.id);
        let entry = self.entered(event::DIRECTORY_USER_MADE, ids, &settings, &directory.value, Some(said), received);
        self.carry_out(&settings, prepared, entry, |_| {}).await?;
        Ok(UserView { id: principal.id, said: said.clone(), made: row.made, changed: row.changed })
    }

    /// What the directory says anew of a user. Whoever isn't active any more is cut before anything is written. // I1
    ///
    /// # Errors
    /// When the directory has no such user, what it says can't be, an administrator had disabled the user, or nobody
    /// would be left to administer.
    pub async fn change_directory_user(&self, actor: &Actor, id: &str, anew: &Anew<User>) -> Result<UserView> {
        let received = self.now();
        let directory = self.speaking(actor).await?.value;
        let known = self.known(&directory, id).await?;
        let next = anew.of(known.said.clone())?;
        let commit = async { retry_stale!(self.try_change_directory_user(actor, id, anew, received).await) };
        match step(&known.said, &next) {
            Step::Stays | Step::Returns => commit.await,
            Step::Leaves => self.cut_around(known.principal.value.id, commit).await,
        }
    }

    async fn try_change_directory_user(
        &self,
        actor: &Actor,
        id: &str,
        anew: &Anew<User>,
        received: Time,
    ) -> Result<UserView> {
        let settings = self.settings().await?;
        let directory = self.speaking(actor).await?;
        let known = self.known(&directory.value, id).await?;
        let next = anew.of(known.said.clone())?;
        if next == known.said {
            return Ok(view(&known));
        }
        let who = known.principal.value.id;
        self.said_name_is_free(&directory.value, &next.user_name, Some(who)).await?;
        let mut prepared = Prepared::default();
        let event = self.plan_step(actor, &known, step(&known.said, &next), &mut prepared).await?;
        let row = DirectoryUser { made: known.row.value.made, ..self.row_of(&directory.value, who, &next, self.now()) };
        prepared.commit.expect(&directory);
        prepared.commit.replace(&known.row, &row);
        let entry = self.entered(event, ids_of(actor, who), &settings, &directory.value, Some(&next), received);
        self.carry_out(&settings, prepared, entry, |_| {}).await?;
        Ok(UserView { id: who, said: next, made: row.made, changed: row.changed })
    }

    async fn plan_step(
        &self,
        actor: &Actor,
        known: &Known,
        step: Step,
        prepared: &mut Prepared,
    ) -> Result<&'static str> {
        let id = known.principal.value.id;
        match (step, &known.principal.value.standing) {
            (Step::Leaves, _) => {
                let standing = Standing::Disabled { at: self.now(), by: actor.principal };
                self.plan_disable(&known.principal, standing, prepared).await?;
                Ok(event::PRINCIPAL_DISABLED)
            }
            (Step::Returns, Standing::Disabled { by, .. }) if *by != actor.principal => Err(Problem::not_allowed(
                "disabled_here",
                "an administrator of Daypass disabled this user, so a directory can't let them act again",
                "an administrator can, with `daypass user enable`",
            )),
            (Step::Returns, Standing::DisabledBySignal { .. }) => Err(Problem::not_allowed(
                "disabled_by_signal",
                "a transmitter of signals had this user disabled, so a directory can't let them act again",
                "an administrator can, with `daypass user enable`",
            )),
            (Step::Returns, Standing::Active | Standing::Disabled { .. }) => {
                let back = Principal { standing: Standing::Active, ..known.principal.value.clone() };
                prepared.commit.replace(&known.principal, &back);
                prepared.turn = Turn::Enabled(id);
                Ok(event::DIRECTORY_USER_CHANGED)
            }
            (Step::Stays, Standing::Active | Standing::Disabled { .. } | Standing::DisabledBySignal { .. }) => {
                Ok(event::DIRECTORY_USER_CHANGED)
            }
        }
    }

    pub(crate) async fn user_said(
        &self,
        directory: &Directory,
        user_name: &str,
    ) -> Result<Option<Read<DirectoryUser>>> {
        let hash = self.said_name(directory, user_name);
        let found = self.store_ref().find::<DirectoryUser>(directory_key::SAID_NAME, &hash).await?;
        Ok(found.into_iter().find(|row| row.value.directory == directory.name))
    }

    async fn said_name_is_free(
        &self,
        directory: &Directory,
        user_name: &str,
        but_for: Option<PrincipalId>,
    ) -> Result<()> {
        match self.user_said(directory, user_name).await? {
            Some(row) if Some(row.value.principal) != but_for => Err(Problem::conflict(
                "uniqueness",
                "this directory has a user of this `userName` already",
                "change that one, or choose another `userName`",
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn row_of(&self, directory: &Directory, principal: PrincipalId, said: &User, now: Time) -> DirectoryUser {
        DirectoryUser {
            principal,
            directory: directory.name.clone(),
            said_name: self.said_name(directory, &said.user_name),
            said: self.seal_said(principal.bytes(), said),
            made: now,
            changed: now,
        }
    }

    pub(crate) fn entered(
        &self,
        event: &'static str,
        ids: Vec<(&'static str, String)>,
        settings: &Read<Settings>,
        directory: &Directory,
        said: Option<&User>,
        received: Time,
    ) -> Entry {
        let whose = ids.iter().find(|(kind, _)| *kind == "principal").and_then(|(_, id)| id.parse().ok());
        let entered = Entered { directory: directory.name.as_str(), said, received_us: received.micros() };
        let part = match whose {
            Some(whose) => self.subject_part(whose, &entered),
            None => self.operational_part(&entered),
        };
        administration(event, ids, settings.value.region.clone(), vec![part])
    }
}

fn step(before: &User, after: &User) -> Step {
    match (before.active, after.active) {
        (true, false) => Step::Leaves,
        (false, true) => Step::Returns,
        (true, true) | (false, false) => Step::Stays,
    }
}

/// As of a disabling: whom it is about, and who did it.
pub(crate) fn ids_of(actor: &Actor, whom: PrincipalId) -> Vec<(&'static str, String)> {
    vec![("principal", whom.to_string()), ("by", actor.principal.to_string())]
}

fn view(known: &Known) -> UserView {
    let row = &known.row.value;
    UserView { id: row.principal, said: known.said.clone(), made: row.made, changed: row.changed }
}

/// Takes a user's row away: what the directory said of them is gone from the store.
pub(crate) fn forget(known: &Known, commit: &mut Commit) {
    commit.delete(&known.row);
}
