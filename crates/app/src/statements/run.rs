//! Running the one statement of a grant, once.

use std::time::Duration;

use daypass_domain::{
    GrantId, Time,
    grant::Grant,
    principal::Actor,
    request::Request,
    statement::{Opens, Run},
};
use daypass_ports::{
    authority::{Refusal, Statement},
    record::{Commit, Part, Permit},
    targets::Claim,
};
use daypass_wire::postgres::once::{How, Over};

use super::{Done, how, waiting::Line};
use crate::{
    App, Problem, ProblemKind, Result,
    ending::grant_ids,
    entry::{event, session},
    facts::Facts,
    grants::Receipt,
    retry_stale,
};

/// How long a gateway may take to come for a statement.
const TAKE_MOST: Duration = Duration::from_secs(10);
/// How long a gateway's question for the next statement is kept waiting.
const NEXT_MOST: Duration = Duration::from_secs(1);

/// What came of a run, for whom it was run.
#[derive(Debug)]
pub struct Ran {
    /// What the target said.
    pub over: Over,
    /// The end of the grant.
    pub receipt: Receipt,
}

impl App {
    /// Runs the statement of a grant. Its holder may, and the owner of a workload that holds it; once.
    ///
    /// # Errors
    /// When there is no such grant of theirs, it is for sessions, or the run was begun before. That the target refuses the
    /// statement is an answer, not an error.
    pub async fn run_statement(&self, actor: &Actor, id: GrantId) -> Result<Ran> {
        let read = self.grant_row(id).await?;
        if read.value.person != actor.person {
            return Err(Problem::not_found("grant", id));
        }
        may_run(&read.value, self.now())?;
        let Done { over, ended } = self.through_a_gateway(id).await?;
        let ordered = ended.as_ref().map_or_else(|| self.now(), |committed| committed.at);
        let receipt = self.receipt(vec![id], ordered, ended).await?;
        Ok(Ran { over, receipt })
    }

    /// Waits for a gateway to take it, and for what comes of it.
    pub(super) async fn through_a_gateway(&self, id: GrantId) -> Result<Done> {
        let (place, mut answered) = self.statements.want(id);
        let answer = match tokio::time::timeout(TAKE_MOST, &mut answered).await {
            Ok(answer) => answer,
            Err(_) => match self.statements.leave(place) {
                Line::Left => {
                    return Err(Problem::new(
                        ProblemKind::Unavailable,
                        "no_gateway",
                        "no gateway came for the statement, so it wasn't begun",
                        "try again while the grant lives; if it lasts, ask whoever runs Daypass",
                    ));
                }
                Line::Taken => answered.await,
            },
        };
        answer.unwrap_or_else(|_| {
            let what = "what came of the statement isn't known";
            Err(Problem::unavailable(what))
        })
    }

    /// The next statement for a gateway, when there is one: that it is begun is durable by then. // I1, I4
    pub(crate) async fn statement_to_run(&self) -> Option<Statement> {
        let wanted = self.statements.next(NEXT_MOST).await?;
        match retry_stale!(self.try_begin(wanted.grant).await) {
            Ok(statement) => {
                let session = statement.permit.terms().session;
                // Claimed before it can dial, so that the reaper never takes it for a stranger's. // I5
                self.nodes.set_claim(session, Claim::Dialling);
                self.statements.runs(session, wanted.answer);
                Some(statement)
            }
            Err(problem) => {
                // Whoever asked may have gone: then nobody needs to know.
                let _ = wanted.answer.send(Err(problem));
                None
            }
        }
    }

    async fn try_begin(&self, id: GrantId) -> Result<Statement> {
        self.clock_is_sound()?;
        let grant = self.grant_row(id).await?;
        may_run(&grant.value, self.now())?;
        let how = how(&grant.value)?;
        let facts = self.facts(grant.value.resource).await?;
        let request = self.request_row(grant.value.request).await?;
        let sql = self.statement_of(&request.value).await?;
        let said = self.run_is_permitted(&grant.value, &request.value, &facts).await?;
        let role = facts.resource.value.roles.get(&grant.value.role).cloned();
        let role = role.ok_or_else(|| Problem::not_found("role", &grant.value.role))?;
        if role.digest(&facts.resource.value) != grant.value.role_digest {
            return Err(Problem::conflict("role_changed", "the role was changed since it was granted", "ask again"));
        }
        let (grant, login) = self.with_login(grant, &role, &facts).await?;
        if self.taken.is_ended(id) {
            return Err(Problem::new(ProblemKind::Stale, "changed_meanwhile", "the grant ended meanwhile", ""));
        }
        let mut draft = self.draft_session(&grant.value, grant.value.holder, None, &login, &facts)?;
        let session_id = draft.session.id;
        let begun = grant.value.clone().begin_run(session_id, self.now())?;
        let mut commit = Commit::default();
        facts.expect(&mut commit);
        commit.expect(&request);
        commit.replace(&grant, &begun);
        draft.terms.judged_on.clone_from(&commit.expect);
        commit.put(&draft.session);
        let mut ids = grant_ids(&grant.value);
        ids.push(("session", session_id.to_string()));
        let region = facts.resource.value.region.clone();
        let opened = self.session_part(session_id, &serde_json::json!({ "statement": sql, "how": word(how) }));
        let parts = std::iter::once(opened).chain(said).collect();
        commit.entry(session(event::SESSION_OPENED, ids.clone(), region.clone(), vec![draft.key_part]));
        commit.entry(session(event::STATEMENT_BEGUN, ids, region, parts));
        let intent = self.commit(commit, draft.terms).await?;
        Ok(Statement { permit: Permit::from(intent), sql, how })
    }

    /// Judged again, as at each opening of a session; a look, by whether its approver's answer still counts. // I2
    async fn run_is_permitted(&self, grant: &Grant, request: &Request, facts: &Facts) -> Result<Option<Part>> {
        let now = self.now();
        match grant.opens {
            Opens::Sessions => Ok(None),
            Opens::Statement { .. } => match self.still_permitted(grant, request, facts, now).await? {
                Ok(decision) => Ok(Some(self.decision_part(&decision))),
                Err(Refusal { kind: _, message, detail, hint }) => {
                    Err(Problem::not_allowed("no_longer_permitted", format!("{message}: {detail}"), hint))
                }
            },
            Opens::Look { .. } => {
                let policy = self.policy();
                let resource = &facts.resource.value;
                if crate::approve::counts_under(&policy, &facts.directory, resource, request, grant.holder, now)? {
                    return Ok(None);
                }
                Err(Problem::not_allowed("not_an_approver", "your answer to this request counts for nothing now", ""))
            }
        }
    }
}

fn word(how: How) -> &'static str {
    match how {
        How::Run => "run",
        How::Look => "look",
    }
}

/// Whether its run can be begun, in words.
fn may_run(grant: &Grant, now: Time) -> Result<()> {
    let next = "a statement is run once: look at the target, and ask again if it has to be run";
    match grant.opens.run() {
        None => return Err(super::for_sessions()),
        Some(Run::NotBegun) => {}
        Some(Run::Begun { .. }) => {
            return Err(Problem::conflict("begun_already", "its statement was begun already, and may have run", next));
        }
        Some(Run::Over { outcome, .. }) => {
            return Err(Problem::conflict("run_already", format!("its statement is over: {outcome}"), next));
        }
    }
    if grant.is_live(now) {
        return Ok(());
    }
    let what = format!("its grant is {}, so its statement isn't run", grant.state.word());
    Err(Problem::conflict("not_active", what, "ask again with `daypass exec`"))
}
