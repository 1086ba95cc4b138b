//! Letting a proven client in: the grant is looked up, judged again, the login made, the session recorded; then, and
//! only then, there is a permit (I1, I4).

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use data_encoding::BASE64;
use daypass_domain::{
    GrantId, Name, PrincipalId, RequestId, SessionId, Time,
    end::{EndCause, HeldFact},
    grant::{Grant, GrantEvent, GrantState, Login, MadeLogin},
    request::Request,
    resource::{Resource, Role, Target},
    session::{Session, SessionState},
    statement::Opens,
};
use daypass_policy::Decision;
use daypass_ports::{
    authority::{OpenSession, Opening, Refusal, RefusalKind},
    record::{Commit, Part, Permit, Read, RecordingKey, Revision, Terms},
    rows::key,
    secret::Secret,
    targets::{LoginSpec, StillGiven},
};
use daypass_wire::scram::ScramVerifier;
use zeroize::Zeroizing;

use crate::{
    App, Problem, ProblemKind, Result,
    ending::{grant_ids, login_name},
    entry::{access, event, session},
    facts::Facts,
    rejudge::input_of,
    retry_stale,
    taken::End,
};

/// Whose logins this process has made and seen to be as they should be.
#[derive(Default)]
pub struct Made(Mutex<BTreeSet<GrantId>>);

impl Made {
    fn set(&self) -> MutexGuard<'_, BTreeSet<GrantId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, grant: GrantId) -> bool {
        self.set().contains(&grant)
    }

    fn note(&self, grant: GrantId) {
        self.set().insert(grant);
    }

    /// It is made again at the next connection.
    pub(crate) fn forget(&self, grant: GrantId) {
        self.set().remove(&grant);
    }
}

/// A session that isn't recorded yet.
pub(crate) struct Draft {
    pub session: Session,
    pub key_part: Part,
    pub terms: Terms,
}

/// What a client came to: the grant that covers it, or why there is none.
enum Found {
    Grant(Box<Read<Grant>>),
    Other(Opening),
}

impl App {
    /// A client that proved who it is wants in.
    ///
    /// # Errors
    /// Only when nothing can be said: the store doesn't answer. A refusal is an answer.
    pub(crate) async fn admit(&self, ask: &OpenSession) -> Result<Opening> {
        if let Err(problem) = self.clock_is_sound() {
            return Ok(refused(RefusalKind::NothingGiven, &problem));
        }
        let outcome = retry_stale!(self.try_admit(ask).await);
        match outcome {
            Ok(Opening::Refused(refusal)) => {
                self.record_refusal(ask, &refusal).await;
                Ok(Opening::Refused(refusal))
            }
            Ok(opening) => Ok(opening),
            Err(problem) => Ok(refused(RefusalKind::NothingGiven, &problem)),
        }
    }

    async fn try_admit(&self, ask: &OpenSession) -> Result<Opening> {
        // Before anything is read: whoever is told to wait for more than this misses nothing that lands meanwhile.
        let revision = *self.store_ref().watch().borrow();
        let now = self.now();
        let resource = match self.resource_named(&ask.resource).await {
            Ok(resource) => resource,
            Err(problem) if problem.kind == ProblemKind::NotFound => {
                return Ok(Opening::Refused(no_such_resource(ask)));
            }
            Err(problem) => return Err(problem),
        };
        let facts = self.facts(resource.value.id).await?;
        let grant = match self.covering(ask, &facts, revision, now).await? {
            Found::Grant(grant) => *grant,
            Found::Other(opening) => return Ok(opening),
        };
        let request = self.request_row(grant.value.request).await?;
        let decision = match self.still_permitted(&grant.value, &request.value, &facts, now).await? {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Opening::Refused(refusal)),
        };
        let role = facts.resource.value.roles.get(&grant.value.role);
        let Some(role) = role.cloned() else {
            return Ok(Opening::Refused(no_such_resource(ask)));
        };
        if let Some(refusal) = self.too_many(&grant.value, &facts.resource.value).await? {
            return Ok(Opening::Refused(refusal));
        }
        let (grant, login) = match self.with_login(grant, &role, &facts).await {
            Ok(made) => made,
            Err(problem) if matches!(problem.code, Problem::TARGET | Problem::CREDENTIAL) => {
                return Ok(refused(RefusalKind::TargetUnavailable, &problem));
            }
            // The store's word, and none about the target: read anew, or nothing is given now.
            Err(problem) => return Err(problem),
        };
        self.permit(ask, &grant, &login, &request, &facts, &decision).await
    }

    /// The live grant that covers what the client named: the one with the latest deadline where there are several of
    /// one role.
    async fn covering(&self, ask: &OpenSession, facts: &Facts, revision: Revision, now: Time) -> Result<Found> {
        let resource = &facts.resource.value;
        let mut held: Vec<_> = self.held_by(ask.principal).await?;
        held.retain(|g| g.value.resource == resource.id && g.value.is_live(now));
        let statement = held.iter().find_map(one_statement);
        held.retain(|g| g.value.opens_doors(now));
        if let Some(role) = &ask.role {
            held.retain(|g| g.value.role.as_str() == role);
        }
        let roles: BTreeSet<&Name> = held.iter().map(|g| &g.value.role).collect();
        if roles.len() > 1 {
            let roles: Vec<&str> = roles.iter().map(|r| r.as_str()).collect();
            return Ok(Found::Other(Opening::Refused(which_role(ask, &roles))));
        }
        let deadline = |g: &Read<Grant>| match g.value.state {
            GrantState::Active { deadline, .. } => deadline,
            GrantState::Scheduled { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => now,
        };
        match held.into_iter().max_by_key(deadline) {
            Some(grant) => Ok(Found::Grant(Box::new(grant))),
            None => match (self.waits_or_not(ask, facts, revision).await?, statement) {
                (Opening::Refused(_), Some(request)) => Ok(Found::Other(Opening::Refused(no_door(ask, request)))),
                (opening, _) => Ok(Found::Other(opening)),
            },
        }
    }

    /// No grant: is there a request that may still become one?
    async fn waits_or_not(&self, ask: &OpenSession, facts: &Facts, revision: Revision) -> Result<Opening> {
        let requests = self.store_ref().find::<Request>(key::PENDING_HOLDER, &ask.principal.to_string()).await?;
        let pending = requests.into_iter().rev().find(|r| {
            r.value.asked.resource == facts.resource.value.id
                && r.value.asked.wants.is_sessions()
                && ask.role.as_ref().is_none_or(|role| r.value.asked.role.as_str() == role)
        });
        if let Some(request) = pending {
            let judged = self.judge(&request.value, facts, self.now())?;
            let missing = self.missing(&judged, facts).to_string();
            return Ok(Opening::Waiting { request: request.value.id, missing, revision });
        }
        Ok(Opening::Refused(no_grant(ask, &facts.resource.value)))
    }

    /// Judged again at each opening: a grant lives only while policy permits it. // I2
    pub(crate) async fn still_permitted(
        &self,
        grant: &Grant,
        request: &Request,
        facts: &Facts,
        now: Time,
    ) -> Result<std::result::Result<Decision, Refusal>> {
        let decision = self.decide(input_of(grant, request, &facts.resource.value, &facts.directory, now)?);
        let definition = facts.resource.value.roles.get(&grant.role).map(|r| r.digest(&facts.resource.value));
        if definition != Some(grant.role_digest) {
            self.end_grants(End::all(&[grant.id], &EndCause::RoleChanged)).await?;
            let problem = Problem::conflict("role_changed", EndCause::RoleChanged.to_string(), "ask for it again");
            return Ok(Err(refusal(RefusalKind::Forbidden, &problem)));
        }
        if decision.verdict.is_permitted() {
            return Ok(Ok(decision));
        }
        let part = self.decision_part(&decision);
        let cause = EndCause::FactGone { fact: HeldFact::Judged };
        self.end_grants(vec![End { grant: grant.id, cause, said: vec![part] }]).await?;
        let why = format!("policy no longer permits it: {}", decision.verdict);
        let problem = Problem::not_allowed("fact_gone", why, "`daypass explain` says what is missing");
        Ok(Err(refusal(RefusalKind::Forbidden, &problem)))
    }

    async fn too_many(&self, grant: &Grant, resource: &Resource) -> Result<Option<Refusal>> {
        let open = self.store_ref().find::<Session>(key::OPEN_GRANT, &grant.id.to_string()).await?.len();
        if open < usize::from(resource.limits.sessions) {
            return Ok(None);
        }
        let problem = Problem::new(
            ProblemKind::Conflict,
            "too_many_sessions",
            format!("{open} sessions are open under this grant, which is as many as {} allows", resource.name),
            "close one of them: `daypass sessions`",
        );
        Ok(Some(refusal(RefusalKind::TooMany, &problem)))
    }

    /// The grant's login, made now if it wasn't: its beginning is durable before anything exists at the target. // I1, I5
    pub(crate) async fn with_login(
        &self,
        grant: Read<Grant>,
        role: &Role,
        facts: &Facts,
    ) -> Result<(Read<Grant>, MadeLogin)> {
        let holder = self.principal(grant.value.holder).await?.value;
        let login = MadeLogin {
            name: grant.value.login_name(facts.settings.value.installation, &holder.name),
            target: facts.resource.value.target.clone(),
            owns: role.owns.clone(),
        };
        let (grant, login) = match &grant.value.state {
            GrantState::Active { login: Login::Begun(made), .. } => {
                let made = (**made).clone();
                (grant, made)
            }
            GrantState::Active { login: Login::NotMade, .. }
            | GrantState::Scheduled { .. }
            | GrantState::Ending { .. }
            | GrantState::Ended { .. } => (self.begin_login(grant, &login, facts).await?, login),
        };
        if !self.made.has(grant.value.id) {
            self.make_login(&grant.value, &login, role, facts).await?;
            self.made.note(grant.value.id);
        }
        Ok((grant, login))
    }

    async fn begin_login(&self, read: Read<Grant>, login: &MadeLogin, facts: &Facts) -> Result<Read<Grant>> {
        let next = read.value.clone().apply(GrantEvent::LoginBegun(Box::new(login.clone())), self.now())?;
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let region = facts.resource.value.region.clone();
        let parts = vec![self.operational_part(login)];
        commit.entry(access(event::LOGIN_BEGUN, grant_ids(&next), region, parts));
        self.commit(commit, ()).await?;
        Ok(Read { value: next, version: read.version + 1 })
    }

    async fn make_login(&self, grant: &Grant, login: &MadeLogin, role: &Role, facts: &Facts) -> Result<()> {
        let GrantState::Active { deadline, .. } = grant.state else { return Ok(()) };
        let at = self.administration(grant.resource, &login.target).await?;
        let name = login_name(login)?;
        let password = self.login_password(grant.id);
        let salt = self.keys.derive("target-login-salt", &grant.id.bytes());
        let salt: [u8; 16] = std::array::from_fn(|i| salt[i]);
        let verifier = ScramVerifier::from_password(password.expose().as_bytes(), salt, SCRAM_ITERATIONS)
            .map_err(|e| Problem::unavailable(e.to_string()))?;
        let spec = LoginSpec {
            grant: grant.id,
            name,
            verifier: verifier.to_postgres().to_string(),
            member_of: role.member_of.clone(),
            connection_limit: facts.resource.value.limits.sessions,
            deadline,
        };
        self.targets.make(&at, &spec, self).await?;
        Ok(())
    }

    /// The same whenever it is asked for, so that it is kept nowhere; 256 bits under the master key. // I6
    fn login_password(&self, grant: GrantId) -> Secret {
        Secret::new(self.keys.password_for("target-login", &grant.bytes()).to_string())
    }

    /// Records the session; the permit is made of the proof of that. // I1, I4
    async fn permit(
        &self,
        ask: &OpenSession,
        grant: &Read<Grant>,
        login: &MadeLogin,
        request: &Read<Request>,
        facts: &Facts,
        decision: &Decision,
    ) -> Result<Opening> {
        if self.taken.is_ended(grant.value.id) {
            // Taken since it was looked up, and not written yet: looked at again, it isn't there.
            return Err(Problem::new(ProblemKind::Stale, "changed_meanwhile", "the grant ended meanwhile", ""));
        }
        let mut draft = self.draft_session(&grant.value, ask.principal, ask.database.as_deref(), login, facts)?;
        let id = draft.session.id;
        let mut commit = Commit::default();
        facts.expect(&mut commit);
        commit.expect(grant);
        commit.expect(request);
        draft.terms.judged_on.clone_from(&commit.expect);
        draft.terms.policy = decision.policy;
        commit.put(&draft.session);
        let mut ids = grant_ids(&grant.value);
        ids.push(("session", id.to_string()));
        let parts = vec![self.session_part(id, &opened_part(ask)), self.decision_part(decision), draft.key_part];
        commit.entry(session(event::SESSION_OPENED, ids, draft.terms.region.clone(), parts));
        let intent = self.commit(commit, draft.terms).await?;
        Ok(Opening::Admitted(Box::new(Permit::from(intent))))
    }

    /// A session under a live grant, with the terms of its permit. Nothing is durable yet, so there is no permit.
    pub(crate) fn draft_session(
        &self,
        grant: &Grant,
        principal: PrincipalId,
        database: Option<&str>,
        login: &MadeLogin,
        facts: &Facts,
    ) -> Result<Draft> {
        let now = self.now();
        let GrantState::Active { deadline, .. } = grant.state else {
            return Err(Problem::conflict("not_active", "the grant isn't active", ""));
        };
        let resource = &facts.resource.value;
        let Target::Postgres(target) = &login.target;
        let id = SessionId::new(now, self.id_bytes());
        // A key of its own, kept under the session's key only: destroying that erases the recording. // I9
        let recording_key = RecordingKey(Zeroizing::new(self.random()));
        let key_part = self.session_part(id, &BASE64.encode(recording_key.0.as_slice()));
        let session = Session {
            id,
            grant: grant.id,
            principal,
            recording: key_part.id,
            state: SessionState::Open { since: now },
        };
        let terms = Terms {
            session: id,
            grant: grant.id,
            principal,
            resource: resource.id,
            resource_name: resource.name.clone(),
            role: grant.role.clone(),
            target: target.clone(),
            database: database.map_or_else(|| target.database.clone(), ToOwned::to_owned),
            login: login.name.clone(),
            password: self.login_password(grant.id),
            deadline,
            remaining: deadline.since(now),
            region: resource.region.clone(),
            record: resource.record,
            recording_key,
            limits: resource.limits,
            policy: facts.settings.value.policy,
            judged_on: Vec::new(),
        };
        Ok(Draft { session, key_part, terms })
    }

    /// A refusal of a client that proved who it is, is an event too. It is given whether this can be recorded or not.
    async fn record_refusal(&self, ask: &OpenSession, refusal: &Refusal) {
        let Ok(region) = self.region().await else { return };
        let mut ids = vec![("principal", ask.principal.to_string()), ("outcome", kind_word(refusal.kind).to_owned())];
        if let Ok(read) = self.principal(ask.principal).await {
            ids.extend(crate::entry::owner_id(ask.principal, read.value.person()));
        }
        let part = self.subject_part(ask.principal, &(opened_part(ask), refusal.message.clone()));
        let mut commit = Commit::default();
        commit.entry(session(event::SESSION_REFUSED, ids, region, vec![part]));
        if let Err(error) = self.commit(commit, ()).await {
            tracing::warn!(%error, "a refusal couldn't be recorded");
        }
    }

    /// Whether the grant stands, by every word that there is: asked right before a login opens.
    async fn stands(&self, grant: GrantId) -> Result<bool> {
        let read = self.grant_row(grant).await?;
        Ok(read.value.is_live(self.now()) && !self.taken.is_ended(grant) && self.clock_is_sound().is_ok())
    }
}

#[async_trait]
impl StillGiven for App {
    async fn still_given(&self, grant: GrantId) -> bool {
        self.stands(grant).await.unwrap_or(false)
    }
}

/// PBKDF2 rounds of a login's verifier. PostgreSQL's default; the password has 256 random bits, so more buys nothing.
const SCRAM_ITERATIONS: u32 = 4_096;

fn opened_part(ask: &OpenSession) -> serde_json::Value {
    serde_json::json!({
        "peer": ask.peer,
        "application": ask.application,
        "resource": ask.resource,
        "database": ask.database,
        "role": ask.role,
        "node": ask.node.0,
    })
}

fn kind_word(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::NoSuchResource => "no_such_resource",
        RefusalKind::NoGrant => "no_grant",
        RefusalKind::WhichRole => "which_role",
        RefusalKind::Forbidden => "forbidden",
        RefusalKind::TargetUnavailable => "target_unavailable",
        RefusalKind::TooMany => "too_many",
        RefusalKind::NothingGiven => "nothing_given",
    }
}

fn refused(kind: RefusalKind, problem: &Problem) -> Opening {
    Opening::Refused(refusal(kind, problem))
}

fn refusal(kind: RefusalKind, problem: &Problem) -> Refusal {
    let message = match kind {
        RefusalKind::TargetUnavailable => "Daypass can't reach the database for you",
        RefusalKind::NothingGiven => "Daypass can't give access now",
        RefusalKind::NoSuchResource
        | RefusalKind::NoGrant
        | RefusalKind::WhichRole
        | RefusalKind::Forbidden
        | RefusalKind::TooMany => "access refused",
    };
    let hint = match (problem.next.as_str(), kind) {
        ("", RefusalKind::NothingGiven) => "Try again; if it lasts, ask whoever runs Daypass.",
        (next, _) => next,
    };
    Refusal { kind, message: message.to_owned(), detail: problem.what.clone(), hint: hint.to_owned() }
}

fn no_such_resource(ask: &OpenSession) -> Refusal {
    let shown: String = ask.resource.chars().take(63).flat_map(char::escape_debug).collect();
    Refusal {
        kind: RefusalKind::NoSuchResource,
        message: format!("there is no resource \"{shown}\""),
        detail: "The database of a connection through Daypass is the name of a resource, or resource:database.".into(),
        hint: "See what there is with: daypass resources".into(),
    }
}

fn no_grant(ask: &OpenSession, resource: &Resource) -> Refusal {
    let role = ask.role.clone().or_else(|| resource.roles.keys().next().map(ToString::to_string));
    let role = role.unwrap_or_else(|| "ROLE".to_owned());
    Refusal {
        kind: RefusalKind::NoGrant,
        message: format!("you have no access to \"{}\" now", resource.name),
        detail: "Nobody has standing access: it is asked for, for a reason and a while.".into(),
        hint: format!("Ask for it with: daypass request {} --role {role} --for 30m --reason \"...\"", resource.name),
    }
}

/// The request of a grant that is for one statement.
fn one_statement(grant: &Read<Grant>) -> Option<RequestId> {
    match grant.value.opens {
        Opens::Statement { .. } => Some(grant.value.request),
        Opens::Sessions | Opens::Look { .. } => None,
    }
}

fn no_door(ask: &OpenSession, request: RequestId) -> Refusal {
    Refusal {
        kind: RefusalKind::NoGrant,
        message: format!("your grant on \"{}\" is for one statement, and opens no session", ask.resource),
        detail: "Exactly the statement that was approved is run, once.".into(),
        hint: format!("Run it with: daypass exec --request {request}"),
    }
}

fn which_role(ask: &OpenSession, roles: &[&str]) -> Refusal {
    Refusal {
        kind: RefusalKind::WhichRole,
        message: format!("you hold several roles on \"{}\": {}", ask.resource, roles.join(", ")),
        detail: "A session belongs to one grant.".into(),
        hint: format!("Say which in the user name, like: yourname:{}", roles.first().unwrap_or(&"role")),
    }
}
