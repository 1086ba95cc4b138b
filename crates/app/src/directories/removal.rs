//! A directory's user is gone: cut, disabled, out of its groups, and what was said of them forgotten.

use daypass_domain::{
    Time,
    principal::{Actor, Standing},
};
use daypass_ports::directories::DirectoryGroup;

use super::{
    groups::Filling,
    users::{forget, ids_of},
};
use crate::{
    App, Result,
    changes::{Prepared, leaving_may_give},
    entry::{administration, event},
    retry_stale,
};

impl App {
    /// The directory has the user no longer. Their principal stays, disabled: what it did is in the ledger. Should the
    /// directory name them again, they are somebody new.
    ///
    /// # Errors
    /// When the directory has no such user, or nobody would be left to administer.
    pub async fn drop_directory_user(&self, actor: &Actor, id: &str) -> Result<()> {
        let received = self.now();
        let directory = self.speaking(actor).await?.value;
        let known = self.known(&directory, id).await?;
        let commit = async { retry_stale!(self.try_drop_directory_user(actor, id, received).await) };
        self.cut_around(known.principal.value.id, commit).await
    }

    async fn try_drop_directory_user(&self, actor: &Actor, id: &str, received: Time) -> Result<()> {
        let settings = self.settings().await?;
        let directory = self.speaking(actor).await?;
        let known = self.known(&directory.value, id).await?;
        let who = known.principal.value.id;
        let mut prepared = Prepared::default();
        prepared.commit.expect(&directory);
        forget(&known, &mut prepared.commit);
        for group in self.groups_of(&directory.value).await? {
            let mut next = DirectoryGroup { changed: self.now(), ..group.value.clone() };
            if !next.members.remove(&who) {
                continue;
            }
            prepared.commit.replace(&group, &next);
            // Where leaving may give, the disabled principal stays in ours: there it can do nothing, and frees nobody.
            if !leaving_may_give(self.policy().files(), &group.value.fills) {
                let (before, after) = (group.value.members.clone(), next.members.clone());
                let filling = Filling { before, after, group: &group.value.fills };
                self.fill(&directory.value, &[filling], &mut prepared).await?;
            }
        }
        let region = settings.value.region.clone();
        if known.principal.value.is_active() {
            let standing = Standing::Disabled { at: self.now(), by: actor.principal };
            self.plan_disable(&known.principal, standing, &mut prepared).await?;
            let disabled = administration(event::PRINCIPAL_DISABLED, ids_of(actor, who), region, Vec::new());
            prepared.commit.entry(disabled);
        }
        let ids = ids_of(actor, who);
        let entry = self.entered(event::DIRECTORY_USER_REMOVED, ids, &settings, &directory.value, None, received);
        self.carry_out(&settings, prepared, entry, |_| {}).await?;
        Ok(())
    }
}
