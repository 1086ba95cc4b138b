//! Disabling: taken at once, by one administrator, whatever else holds. // I1

use daypass_domain::{
    Name, PrincipalId,
    end::EndCause,
    principal::{Actor, Principal, Standing},
};
use daypass_ports::rows::key;

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
        self.must_leave_an_administrator(&self.administrators().await?.value, target.id).await?;
        let whose = self.with_workloads(target.id).await?;
        let cause = EndCause::Disabled { principal: target.id };
        // Cut first: that waits for nothing. What opens between here and the commit is ended after it.
        let cut = self.end_grants(End::all(&self.live_grants_of(&whose).await?, &cause)).await;
        retry_stale!(self.try_disable(actor, target.id, &whose).await)?;
        self.end_grants(End::all(&self.live_grants_of(&whose).await?, &cause)).await?;
        cut?;
        Ok(())
    }

    async fn try_disable(&self, actor: &Actor, id: PrincipalId, whose: &[PrincipalId]) -> Result<()> {
        let settings = self.settings_and_policy().await?;
        let decision = self.may_administer(actor, PRINCIPAL).await?;
        self.must_leave_an_administrator(&self.administrators().await?.value, id).await?;
        let read = self.principal(id).await?;
        if !read.value.is_active() {
            return Ok(());
        }
        let mut prepared = Prepared::default();
        let standing = Standing::Disabled { at: self.now(), by: actor.principal };
        prepared.commit.replace(&read, &Principal { standing, ..read.value.clone() });
        for one in whose {
            self.drop_credentials(*one, &mut prepared.commit).await?;
        }
        let mut ids = vec![("principal", id.to_string())];
        if actor.principal != id {
            ids.push(("by", actor.principal.to_string()));
        }
        let parts = vec![self.decision_part(&decision)];
        let entry = administration(event::PRINCIPAL_DISABLED, ids, settings.value.region.clone(), parts);
        self.carry_out(&settings, prepared, entry, |_| {}).await?;
        Ok(())
    }

    /// A principal and the workloads that it owns.
    async fn with_workloads(&self, id: PrincipalId) -> Result<Vec<PrincipalId>> {
        let owned = self.store_ref().find::<Principal>(key::OWNER, &id.to_string()).await?;
        Ok(std::iter::once(id).chain(owned.into_iter().map(|p| p.value.id)).collect())
    }
}
