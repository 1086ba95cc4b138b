//! Policy sets: checked, planned against every live grant, switched in one commit with the endings that follow (I2, I12).

use std::collections::BTreeMap;

use daypass_domain::{
    Digest, Time,
    end::EndCause,
    principal::{Actor, Group},
};
use daypass_policy::{Act, Input, PolicySet, refuse_unlabelled_without_approval};
use daypass_ports::{
    record::Read,
    rows::{PolicyFiles, Settings},
};

use crate::{
    App, Problem, Result,
    changes::{Base, Doers, Mode, Outcome, POLICY, Prepared, Proposal},
    start::parse,
};

/// What was found about policies that could be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The digest of the set.
    pub digest: Digest,
    /// How many policies it has.
    pub policies: usize,
    /// What may not be meant, each with its place.
    pub warnings: Vec<String>,
}

/// What became of a policy set.
#[derive(Debug)]
pub struct PolicyApplied {
    /// Whether it was done.
    pub outcome: Outcome,
    /// What was found about it.
    pub checked: Checked,
    /// What was, or would be, done: one line each. None when it is active already.
    pub plan: Vec<String>,
}

/// The active policy set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentPolicy {
    /// Its digest.
    pub digest: Digest,
    /// Since when it is active.
    pub since: Time,
    /// File name to Cedar text.
    pub files: BTreeMap<String, String>,
}

impl App {
    /// Parses and checks policies, and uses them for nothing. For whoever may change them: checking is work, and tells
    /// which groups there are.
    ///
    /// # Errors
    /// With every place where they can't be understood, or with what they would give away unlabelled and unapproved.
    pub async fn check_policy(&self, actor: &Actor, files: &BTreeMap<String, String>) -> Result<Checked> {
        self.may_administer(actor, POLICY).await?;
        Ok(self.candidate(files).await?.1)
    }

    async fn candidate(&self, files: &BTreeMap<String, String>) -> Result<(PolicySet, Checked)> {
        let files = files.clone();
        // Seconds of computing, when there are many policies: not on a thread that others wait for.
        let read = tokio::task::spawn_blocking(move || {
            let set = parse(&files)?;
            refuse_unlabelled_without_approval(&set).map_err(|refusal| {
                Problem::invalid("gives_unlabelled", refusal.to_string(), "narrow that policy, and check again")
            })?;
            Ok::<_, Problem>(set)
        });
        let set = read.await.map_err(|e| Problem::unavailable(format!("the policies can't be checked: {e}")))??;
        let groups = self.store_ref().all::<Group>().await?.into_iter().map(|g| g.value.name).collect();
        let warnings = set.warnings(&groups).iter().map(ToString::to_string).collect();
        let checked = Checked { digest: set.digest(), policies: set.policies().count(), warnings };
        Ok((set, checked))
    }

    /// Applies a policy set: a change. Every live grant is judged under it first; those that it doesn't permit end in the
    /// commit that switches. // I2, I12
    ///
    /// # Errors
    /// As [`App::check_policy`]; when the active policy doesn't permit it; or when the new one would let whoever does this
    /// never change it again.
    pub async fn apply_policy(
        &self,
        actor: &Actor,
        files: BTreeMap<String, String>,
        mode: Mode,
    ) -> Result<PolicyApplied> {
        let checked = self.check_policy(actor, &files).await?;
        let proposal = Proposal::Policy { files };
        match mode {
            Mode::DryRun => {
                let plan = self.preview(actor, &proposal).await?;
                Ok(PolicyApplied { outcome: Outcome::NothingToDo, checked, plan })
            }
            Mode::Apply => {
                let proposed = self.propose(actor, proposal).await?;
                Ok(PolicyApplied { outcome: proposed.outcome, checked, plan: proposed.plan })
            }
        }
    }

    /// The switch, for [`crate::changes`].
    pub(crate) async fn plan_policy_switch(
        &self,
        files: &BTreeMap<String, String>,
        doers: Doers<'_>,
    ) -> Result<Prepared> {
        let (set, _) = self.candidate(files).await?;
        let active = self.settings().await?.value.policy;
        let digest = set.digest();
        let mut prepared = Prepared { base: Base::Policy { digest: active }, ..Prepared::default() };
        if digest == active {
            return Ok(prepared);
        }
        self.must_not_lock_out(&set, doers).await?;
        prepared.words.push(format!("use the policy set {digest} in the place of {active}"));
        prepared.words.extend(file_words(self.policy().files(), files));
        let judged = self.judge_live(&set, None).await?;
        for one in &judged {
            // Judged under the candidate on this version of the grant: an extension meanwhile makes the commit stale.
            prepared.commit.expect(&one.grant);
        }
        let ends = self.flipped(judged, &EndCause::PolicyChanged { policy: digest });
        if !ends.is_empty() {
            prepared.words.push(format!("end {} live grants that the new policies don't permit", ends.len()));
        }
        self.plan_ends(&ends, &mut prepared.commit).await?;
        if self.store_ref().get::<PolicyFiles>(&digest.to_string()).await?.is_none() {
            prepared.commit.put(&PolicyFiles { digest, files: files.clone() });
        }
        prepared.ids.push(("policy", digest.to_string()));
        prepared.policy = Some(set);
        Ok(prepared)
    }

    /// Whoever switches must be able to switch again: under the new set, they may still change policies.
    async fn must_not_lock_out(&self, set: &PolicySet, doers: Doers<'_>) -> Result<()> {
        let directory = self.directory().await?;
        for id in [doers.proposer, doers.actor.principal] {
            let principal = directory.party(id).ok_or_else(|| Problem::not_found("principal", id))?;
            // With a second factor shown this moment: a set may ask for one.
            let act = Act::Administer { subject: POLICY.to_owned(), second_factor_age_s: Some(0) };
            let name = principal.name.clone();
            let input = Input { at: self.now(), principal, act };
            let verdict = daypass_policy::judge(set, &input);
            if !verdict.is_permitted() {
                return Err(Problem::conflict(
                    "locks_out",
                    format!("under these policies `{name}` could never change policies again: {verdict}"),
                    "permit Action::\"administer\" to whoever applies them, as administer.cedar of the starter policies does",
                ));
            }
        }
        Ok(())
    }

    /// The active policy set.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn current_policy(&self) -> Result<CurrentPolicy> {
        let settings = self.settings_and_policy().await?.value;
        let files = self.policy().files().clone();
        Ok(CurrentPolicy { digest: settings.policy, since: settings.policy_since, files })
    }

    /// The settings, with the policy set in memory being the one that they name: between a switch's commit and its taking
    /// effect in memory, somebody could otherwise judge under the old set and expect the new settings.
    pub(crate) async fn settings_and_policy(&self) -> Result<Read<Settings>> {
        let settings = self.settings().await?;
        if self.policy().digest() != settings.value.policy {
            let set = self.policy_by_digest(settings.value.policy).await?;
            self.set_policy(set);
        }
        Ok(settings)
    }
}

/// Which of the files change.
fn file_words(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let mut words = Vec::new();
    for (file, text) in new {
        match old.get(file) {
            None => words.push(format!("add the file {file}")),
            Some(was) if was != text => words.push(format!("change the file {file}")),
            Some(_) => {}
        }
    }
    words.extend(old.keys().filter(|f| !new.contains_key(*f)).map(|f| format!("drop the file {f}")));
    words
}
