//! Ending, at the targets, what nobody claims: backends without a session, logins without a grant (I5).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use daypass_domain::{
    GrantId, ResourceId, SessionId,
    grant::Grant,
    resource::{Resource, Target},
    session::Session,
};
use daypass_ports::{
    kits::KitLogins,
    record::{Commit, Read},
    rows::key,
    targets::{Administration, Claim, ClaimSet, Claims, Ending, LoginName, ReapReport, Residue},
};

use crate::{
    App, Result,
    ending::{login_name, login_of, of_no_grant, target_key},
    entry::{access, event},
};

/// How often targets on which logins were made are looked at.
const EVERY: Duration = Duration::from_secs(10);
/// Every so many rounds, all targets are looked at: for what a lost store no longer knows of.
const ALL_EVERY: u32 = 30;

impl App {
    /// Looks at the targets, for ever: all of them at the start.
    pub async fn run_reaper(self: Arc<Self>) {
        let mut round = 0_u32;
        loop {
            let whole = round.is_multiple_of(ALL_EVERY);
            if let Err(problem) = self.reap(if whole { Reach::Everywhere } else { Reach::WhereLoginsAre }).await {
                tracing::warn!(%problem, "a target can't be looked at; it is tried again");
            }
            round = round.wrapping_add(1);
            tokio::time::sleep(EVERY).await;
        }
    }

    /// One round.
    ///
    /// # Errors
    /// When the store doesn't answer. What targets don't answer is logged, and tried again in the next round.
    pub async fn reap(self: &Arc<Self>, reach: Reach) -> Result<()> {
        let mut targets: BTreeMap<String, (ResourceId, Target)> = BTreeMap::new();
        let mut add = |resource: ResourceId, target: &Target| {
            targets.entry(target_key(target)).or_insert_with(|| (resource, target.clone()));
        };
        match reach {
            Reach::Everywhere => {
                for resource in self.store_ref().all::<Resource>().await? {
                    add(resource.value.id, &resource.value.target);
                }
            }
            Reach::WhereLoginsAre => {}
        }
        let grants = self.store_ref().find::<Grant>(key::STATE, "active").await?;
        for grant in &grants {
            if let Some(login) = login_of(&grant.value) {
                add(grant.value.resource, &login.target);
            }
        }
        for kit in self.standing_kits().await? {
            add(kit.value.resource, &kit.value.target);
        }
        for (resource, target) in targets.into_values() {
            if let Err(problem) = self.reap_target(resource, &target).await {
                tracing::warn!(%resource, %problem, "a target can't be looked at; it is tried again");
            }
        }
        Ok(())
    }

    async fn reap_target(self: &Arc<Self>, resource: ResourceId, target: &Target) -> Result<()> {
        let at = self.administration(resource, target).await?;
        let claims = ClaimsAt { app: Arc::clone(self), target: target.clone() };
        let report = self.targets.reap(&at, &claims).await?;
        self.record_reaped(&at, &report).await?;
        self.record_sightings(target, &report.emergency).await?;
        let orphans = self.orphans(&at, &report.uncovered).await?;
        if !orphans.is_empty() {
            self.end_orphans(&at, &orphans).await?;
        }
        Ok(())
    }

    /// Of the logins that no live grant covers, those that no ending is at work on either.
    async fn orphans(&self, at: &Administration, uncovered: &[LoginName]) -> Result<Vec<LoginName>> {
        if uncovered.is_empty() {
            return Ok(Vec::new());
        }
        let mut known = self.store_ref().find::<Grant>(key::STATE, "ending").await?;
        known.extend(self.store_ref().find::<Grant>(key::STATE, "active").await?);
        let kits = self.kits_at_work().await?;
        let at_work = |login: &LoginName| {
            known.iter().any(|g| login.is_for(g.value.id)) || kits.iter().any(|kit| login.is_of_kit(*kit))
        };
        let orphans = uncovered.iter().filter(|l| l.is_of(at.installation) && !at_work(l));
        Ok(orphans.cloned().collect())
    }

    /// Ends logins that no grant of ours knows: left by a process that died, or by a store that was restored.
    async fn end_orphans(&self, at: &Administration, logins: &[LoginName]) -> Result<()> {
        for cut in self.targets.cut(at, logins).await {
            cut?;
        }
        let endings: Vec<Ending> = logins.iter().cloned().map(of_no_grant).collect();
        let mut listed: Vec<Residue> = Vec::new();
        for residue in self.targets.list(at, &endings).await {
            listed.push(residue?);
        }
        let mut commit = Commit::default();
        let region = self.region().await?;
        for residue in &listed {
            let ids = vec![("resource", at.resource.to_string()), ("outcome", "orphan_login".to_owned())];
            commit.entry(access(event::REAPED, ids, region.clone(), vec![self.operational_part(residue)]));
        }
        self.commit(commit, ()).await?; // I5: the list before the drop
        for removed in self.targets.remove(at, &listed).await {
            removed?;
        }
        Ok(())
    }

    async fn record_reaped(&self, at: &Administration, report: &ReapReport) -> Result<()> {
        for error in &report.unknown {
            tracing::warn!(%error, "a part of a target can't be looked at; it is tried again");
        }
        if report.ended.is_empty() {
            return Ok(());
        }
        let region = self.region().await?;
        let mut commit = Commit::default();
        for backend in &report.ended {
            let ids = vec![("resource", at.resource.to_string()), ("outcome", "unclaimed_backend".to_owned())];
            let part = self.operational_part(&serde_json::json!({
                "login": backend.login,
                "pid": backend.pid,
                "application_name": backend.application_name,
                "client_address": backend.client_address,
                "server": backend.server,
            }));
            commit.entry(access(event::REAPED, ids, region.clone(), vec![part]));
        }
        self.commit(commit, ()).await?;
        Ok(())
    }
}

/// Which targets a round looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All that are declared, and where logins are.
    Everywhere,
    /// Where logins of live grants are.
    WhereLoginsAre,
}

struct ClaimsAt {
    app: Arc<App>,
    target: Target,
}

#[async_trait]
impl Claims for ClaimsAt {
    async fn claims(&self) -> std::result::Result<ClaimSet, daypass_ports::targets::ClaimsUnknown> {
        self.app
            .claim_set(&self.target)
            .await
            .map_err(|problem| daypass_ports::targets::ClaimsUnknown { why: problem.to_string() })
    }

    async fn emergency(&self) -> std::result::Result<KitLogins, daypass_ports::targets::ClaimsUnknown> {
        self.app
            .kit_logins(&self.target)
            .await
            .map_err(|problem| daypass_ports::targets::ClaimsUnknown { why: problem.to_string() })
    }
}

impl App {
    async fn claim_set(&self, target: &Target) -> Result<ClaimSet> {
        let grants = self.store_ref().find::<Grant>(key::STATE, "active").await?;
        let mut claims = ClaimSet::new();
        let here = target_key(target);
        for Read { value: grant, .. } in &grants {
            let Some(login) = login_of(grant) else { continue };
            if target_key(&login.target) == here && !self.taken.is_ended(grant.id) {
                claims.insert(login_name(&login)?, self.claims_under(grant.id).await?);
            }
        }
        Ok(claims)
    }

    async fn claims_under(&self, grant: GrantId) -> Result<BTreeMap<SessionId, Claim>> {
        let open: Vec<Read<Session>> = self.store_ref().find(key::OPEN_GRANT, &grant.to_string()).await?;
        Ok(open.into_iter().filter_map(|s| Some((s.value.id, self.nodes.claim(s.value.id)?))).collect())
    }
}
