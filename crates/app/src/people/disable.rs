//! Disabling: taken at once, by one administrator or by the directory that says who works here, whatever else holds. // I1

use daypass_domain::{
    Name, PrincipalId,
    end::EndCause,
    principal::{Actor, Principal, Standing},
};
use daypass_ports::{record::Read, rows::key};

use crate::{
    App, Result,
    changes::{PRINCIPAL, Prepared},
    entry::{administration, event},
    retry_stale,
    taken::End,
};

impl App {
    /// Disables a principal: it and the workloads that it owns may do nothing any more, and their grants end. Taking away
    /// never waits for a second administrator; enabling again is a change.
    ///
    /// # Errors
    /// When policy doesn't permit it, it would leave nobody to administer, or it can't be recorded (the grants are cut
    /// all the same).
    pub async fn disable(&self, actor: &Actor, name: &Name) -> Result<()> {
        let target = self.principal_named(name.as_str()).await?.value;
        self.may_administer(actor, PRINCIPAL).await?;
        self.cut_around(target.id, async { retry_stale!(self.try_disable(actor, target.id).await) }).await
    }

    async fn try_disable(&self, actor: &Actor, id: PrincipalId) -> Result<()> {
        let settings = self.settings_and_policy().await?;
        let decision = self.may_administer(actor, PRINCIPAL).await?;
        let read = self.principal(id).await?;
        if !read.value.is_active() {
            return Ok(());
        }
        let mut prepared = Prepared::default();
        let standing = Standing::Disabled { at: self.now(), by: actor.principal };
        self.plan_disable(&read, standing, &mut prepared).await?;
        let mut ids = vec![("principal", id.to_string())];
        ids.extend(crate::entry::owner_id(id, read.value.person()));
        if actor.principal != id {
            ids.push(("by", actor.principal.to_string()));
        }
        let parts = vec![self.decision_part(&decision)];
        let entry = administration(event::PRINCIPAL_DISABLED, ids, settings.value.region.clone(), parts);
        self.carry_out(&settings, prepared, entry, |_| {}).await?;
        Ok(())
    }

    /// Ends what a principal and its workloads hold, around the commit that disables it. // I1
    ///
    /// # Errors
    /// When it would leave nobody to administer; then nothing is done. Or when something can't be recorded; then the
    /// grants are cut all the same.
    pub(crate) async fn cut_around<T>(&self, id: PrincipalId, commit: impl Future<Output = Result<T>>) -> Result<T> {
        self.must_leave_an_administrator(&self.administrators().await?.value, id).await?;
        let whose = self.with_workloads(id).await?;
        let cause = EndCause::Disabled { principal: id };
        // Cut first: that waits for nothing. What opens between here and the commit is ended after it.
        let cut = self.end_grants(End::all(&self.live_grants_of(&whose).await?, &cause)).await;
        let done = commit.await?;
        self.end_grants(End::all(&self.live_grants_of(&whose).await?, &cause)).await?;
        cut?;
        Ok(done)
    }

    /// Plans that a principal may do nothing any more, and that it and its workloads prove themselves by nothing.
    pub(crate) async fn plan_disable(
        &self,
        read: &Read<Principal>,
        standing: Standing,
        prepared: &mut Prepared,
    ) -> Result<()> {
        self.must_leave_an_administrator(&self.administrators().await?.value, read.value.id).await?;
        prepared.commit.replace(read, &Principal { standing, ..read.value.clone() });
        for one in self.with_workloads(read.value.id).await? {
            self.drop_credentials(one, &mut prepared.commit).await?;
        }
        Ok(())
    }

    /// A principal and the workloads that it owns.
    async fn with_workloads(&self, id: PrincipalId) -> Result<Vec<PrincipalId>> {
        let owned = self.store_ref().find::<Principal>(key::OWNER, &id.to_string()).await?;
        Ok(std::iter::once(id).chain(owned.into_iter().map(|p| p.value.id)).collect())
    }
}
