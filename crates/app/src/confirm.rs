//! The owner of a workload stands by what it asks. That is no approval: it suffices only where policy says so and the owner
//! could have the same without anybody's approval (I8).

use daypass_domain::{
    RequestId,
    confirmation::Confirmation,
    notice::KnownTo,
    principal::{Actor, Person},
    request::{Request, RequestEvent},
};
use daypass_policy::Word;
use daypass_ports::record::Commit;

use crate::{
    App, Problem, ProblemKind, Result,
    approve::{Seen, person_only, unseen},
    entry::{decision, event},
    facts::Facts,
    request::{Answered, request_ids},
    retry_stale,
    signin::Giving,
};

impl App {
    /// Confirms what one's own workload asks. `seen` is the digest of what the owner looked at.
    ///
    /// # Errors
    /// When it is a token that confirms (I8), their second factor has to be shown first, they don't own the workload, their
    /// word would change nothing, it has changed since they looked, or it isn't pending.
    pub async fn confirm(&self, actor: &Actor, id: RequestId, seen: Seen) -> Result<Answered> {
        self.clock_is_sound()?;
        person_only(actor)?;
        self.must_be_fresh(actor, Giving::Confirmation).await?;
        retry_stale!(self.try_confirm(actor, id, seen).await)
    }

    async fn try_confirm(&self, actor: &Actor, id: RequestId, seen: Seen) -> Result<Answered> {
        let now = self.now();
        let read = self.request_row(id).await?;
        if !read.value.is_confirmed_by(actor.person) {
            return Err(Problem::not_allowed(
                "not_its_owner",
                "only the owner of the workload that asks for itself confirms its request",
                "if your approval counts, give that: `daypass approve`",
            ));
        }
        let facts = self.facts(read.value.asked.resource).await?;
        let (request_digest, role_digest) = (self.digest_seen(&read.value, seen).await?, read.value.role_digest);
        let current = facts.resource.value.roles.get(&read.value.asked.role).map(|r| r.digest(&facts.resource.value));
        if current != Some(role_digest) {
            return Err(Problem::conflict(
                "role_changed",
                "the role was changed since it was asked for, so a confirmation of it would be void",
                "the workload has to ask again",
            ));
        }
        if read.value.is_pending()
            && read.value.confirmed.is_never()
            && !self.waits_for_its_owner(&read.value, &facts)?
        {
            return Err(Problem::not_allowed(
                "confirms_nothing",
                "your confirmation would change nothing: policy asks for something else, or you couldn't have it \
                 without somebody's approval yourself",
                "`daypass show` says what it needs",
            ));
        }
        let second_factor_age_s = self.second_factor_age_s(actor);
        let confirmation =
            Confirmation { by: actor.principal, at: now, request_digest, role_digest, second_factor_age_s };
        let event = RequestEvent::Confirm { confirmation: confirmation.clone(), person: actor.person };
        let request = read.value.clone().apply(event, now)?;

        let judged = self.judge(&request, &facts, now)?;
        if self.policy().owner_confirmed(&judged.input) == Word::Missing {
            return Err(Problem::new(
                ProblemKind::NeedsSecondFactor,
                "second_factor_needed",
                "you could have this yourself only with a second factor, so a confirmation of it takes one, shown just before",
                "give the code that your authenticator shows now: `daypass confirm --code CODE`; or confirm it on its page",
            ));
        }
        let (request, outcome) = self.settle(request, &judged, &facts, now)?;
        let mut commit = Commit::default();
        facts.expect(&mut commit);
        commit.expect(&read);
        let region = facts.resource.value.region.clone();
        let said = vec![self.subject_part(actor.principal, &confirmation)];
        commit.entry(decision(event::CONFIRMED, request_ids(&request), region, said));
        let parts = vec![self.decision_part(&judged)];
        let known_to = KnownTo::Doer { principal: actor.principal };
        self.tell_of_settled(&request, &outcome, known_to, &mut commit);
        self.record_settled(&request, &outcome, event::REJUDGED, parts, &facts, &mut commit);
        let intent = self.commit(commit, ()).await?;
        let entry = intent.committed().entries.first().copied().unwrap_or_default();
        Ok(Answered { request, outcome, entry })
    }

    /// What was looked at: a statement is confirmed by whoever has seen it. // I8
    async fn digest_seen(&self, request: &Request, seen: Seen) -> Result<daypass_domain::Digest> {
        if request.asked.wants.is_sessions() {
            return Ok(match seen {
                Seen::AsItIs => request.asked.digest(),
                Seen::Digest(digest) => digest,
            });
        }
        let Seen::Digest(digest) = seen else { return Err(unseen()) };
        // What is gone, or isn't what was asked for, is confirmed by nobody.
        self.statement_of(request).await?;
        Ok(digest)
    }

    /// Whether this person's confirmation would bring a pending request nearer, as the evaluator sees it.
    pub(crate) async fn confirms(&self, person: Person, request: &Request) -> Result<bool> {
        if !request.is_pending() || !request.confirmed.is_never() || !request.is_confirmed_by(person) {
            return Ok(false);
        }
        let facts = self.facts(request.asked.resource).await?;
        self.waits_for_its_owner(request, &facts)
    }

    /// Whether a request waits for something of this actor: an approval, or their own confirmation.
    pub(crate) async fn is_asked(&self, actor: &Actor, request: &Request) -> Result<bool> {
        let owner = actor.person.id() == actor.principal && self.confirms(actor.person, request).await?;
        Ok(owner || self.counts(actor, request).await?)
    }

    fn waits_for_its_owner(&self, request: &Request, facts: &Facts) -> Result<bool> {
        let judged = self.judge(request, facts, self.now())?;
        let missing = self.missing(&judged, facts);
        // Where it takes more than what people say, the owner's word would let nothing through.
        Ok(missing.ways.iter().any(|way| way.waits_for_people() && way.asks_the_owner()))
    }
}
