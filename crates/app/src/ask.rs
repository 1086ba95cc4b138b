//! Looking: what one may see, explain, who could have what. Reading evidence is an event (I11).

use daypass_domain::{
    Digest, GrantId, Name, PayloadId, RequestId, SessionId, Time,
    grant::Grant,
    principal::Actor,
    request::{Reason, Request, RequestState},
    resource::Resource,
    session::Session,
    statement::{Looked, Wants},
};
use daypass_policy::{Act, Explanation, Input, Prospect, Scope, Thing, missing::Missing};
use daypass_ports::{
    record::{Commit, Entry, Kind, Part, Stored},
    rows::key,
    store::{Order, Query},
};

use crate::{
    App, Problem, Result,
    entry::{event, evidence, session},
    request::{Asking, request_ids},
    statements::estimate::Estimate,
};

/// A request, with what a person needs to see of it.
#[derive(Debug, Clone)]
pub struct RequestView {
    /// As it stands.
    pub request: Request,
    /// Who asks.
    pub requester: Name,
    /// Who would hold it.
    pub beneficiary: Name,
    /// On what.
    pub resource: Name,
    /// What the role gives, in words.
    pub gives: String,
    /// The reason; none when none was given, or its key was destroyed.
    pub reason: Option<String>,
    /// Who has approved.
    pub approvers: Vec<Name>,
    /// Who answers for the workload that would hold it; none when a person would.
    pub owner: Option<Name>,
    /// What would let it through, while it is pending.
    pub missing: Missing,
    /// Its one statement, when it is for one.
    pub statement: Option<StatementView>,
}

/// The statement of a request.
#[derive(Debug, Clone)]
pub struct StatementView {
    /// Its text; none when its key was destroyed.
    pub text: Option<String>,
    /// The digest of its text.
    pub digest: Digest,
    /// What the target said of it; none when nobody has looked, or its key was destroyed.
    pub estimate: Option<Estimate>,
}

impl StatementView {
    /// That there is one, and which, without a word of it.
    fn unread(self) -> Self {
        Self { text: None, estimate: None, ..self }
    }
}

/// A grant, with names.
#[derive(Debug, Clone)]
pub struct GrantView {
    /// As it stands.
    pub grant: Grant,
    /// Who holds it.
    pub holder: Name,
    /// Who answers for the workload that holds it; none when a person does.
    pub owner: Option<Name>,
    /// On what.
    pub resource: Name,
}

/// A session, with names.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// As it stands.
    pub session: Session,
    /// Who connected.
    pub principal: Name,
    /// Who answers for the workload that connected; none when a person did.
    pub owner: Option<Name>,
    /// On what.
    pub resource: Name,
    /// As which role.
    pub role: Name,
}

/// Which of a kind somebody wants to see.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Only after this id.
    pub after: Option<String>,
    /// At most so many; 50 when zero, 200 at most.
    pub most: u32,
}

impl Page {
    pub(crate) fn most(&self) -> u32 {
        match self.most {
            0 => 50,
            n => n.min(200),
        }
    }
}

impl App {
    /// Judges what somebody would ask, without asking.
    ///
    /// # Errors
    /// When there is no such resource, role or beneficiary.
    pub async fn explain(&self, actor: &Actor, asking: &Asking) -> Result<Explanation> {
        let resource = self.resource_named(&asking.resource).await?;
        let facts = self.facts(resource.value.id).await?;
        let now = self.now();
        let id = RequestId::new(now, self.id_bytes());
        let request = self.form(actor, asking, id, &facts, now).await?.0;
        let input = Input::for_request(&request, &facts.resource.value, &facts.directory, now)?;
        Ok(daypass_policy::explain(&self.policy(), &input, &facts.directory))
    }

    /// Who could have what on a resource, by the same evaluator. For those who may see its sessions.
    ///
    /// # Errors
    /// When there is no such resource, or policy doesn't let them.
    pub async fn who(&self, actor: &Actor, resource: &str) -> Result<Vec<Prospect>> {
        let resource = self.resource_named(resource).await?.value;
        self.must_be_permitted(actor, self.view_act(actor, &resource)).await?;
        let directory = self.directory().await?;
        Ok(daypass_policy::who(&self.policy(), &resource, &directory, self.now()))
    }

    fn view_act(&self, actor: &Actor, resource: &Resource) -> Act {
        Act::ViewSessions { resource: Thing::of(resource), second_factor_age_s: self.second_factor_age_s(actor) }
    }

    async fn may_view(&self, actor: &Actor, resource: &Resource) -> bool {
        self.must_be_permitted(actor, self.view_act(actor, resource)).await.is_ok()
    }

    /// Every resource: names, roles and what they give are no secret among those who may ask for them.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn resources(&self) -> Result<Vec<Resource>> {
        let mut all: Vec<Resource> = self.store_ref().all::<Resource>().await?.into_iter().map(|r| r.value).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Requests that concern the actor: their own, and those that wait for their answer.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn requests(&self, actor: &Actor, which: Requests, page: &Page) -> Result<Vec<RequestView>> {
        let mine = actor.principal.to_string();
        let by = match which {
            Requests::Mine => (key::REQUESTER, mine.as_str()),
            Requests::ToAnswer => (key::STATE, "pending"),
        };
        let query = Query {
            kind: Kind::Request,
            by: Some(by),
            after: page.after.as_deref(),
            order: Order::Falling,
            most: page.most(),
        };
        let mut views = Vec::new();
        for read in self.store_ref().page::<Request>(query).await? {
            let shown = match which {
                Requests::Mine => true,
                Requests::ToAnswer => self.is_asked(actor, &read.value).await.unwrap_or(false),
            };
            if shown {
                let mut view = self.request_view(read.value).await?;
                // Whoever wants to read a statement, and what the target said of it, looks at the request: an entry. // I11
                view.statement = view.statement.map(StatementView::unread);
                views.push(view);
            }
        }
        Ok(views)
    }

    /// One request. Its parties, those who may answer it, and administrators may see it; when it isn't a party who
    /// looks, that is an entry. // I11
    ///
    /// # Errors
    /// When there is none that they may see.
    pub async fn request_shown(&self, actor: &Actor, id: RequestId) -> Result<RequestView> {
        let read = self.request_row(id).await?;
        let request = read.value;
        if !request.is_party(actor.person) {
            let approver = request.approvals.iter().any(|a| a.approver == actor.principal);
            let may = approver
                || self.counts(actor, &request).await.unwrap_or(false)
                || self.may_read(actor, Some(request.asked.resource)).await;
            if !may {
                return Err(Problem::not_found("request", id));
            }
            let region = match self.facts(request.asked.resource).await {
                Ok(facts) => facts.resource.value.region,
                Err(_) => self.region().await?,
            };
            let mut ids = request_ids(&request);
            ids.push(("reader", actor.principal.to_string()));
            let mut commit = Commit::default();
            commit.entry(evidence(event::EVIDENCE_READ, ids, region, Vec::new()));
            self.commit(commit, ()).await?;
        }
        self.request_view(request).await
    }

    async fn may_read(&self, actor: &Actor, resource: Option<daypass_domain::ResourceId>) -> bool {
        let scope = match resource {
            Some(id) => match self.store_ref().get::<Resource>(&id.to_string()).await {
                Ok(Some(read)) => Scope::Resource { resource: Thing::of(&read.value) },
                Ok(None) | Err(_) => Scope::Installation,
            },
            None => Scope::Installation,
        };
        let act = Act::ReadEvidence { scope, second_factor_age_s: self.second_factor_age_s(actor) };
        self.must_be_permitted(actor, act).await.is_ok()
    }

    async fn request_view(&self, request: Request) -> Result<RequestView> {
        let facts = self.facts(request.asked.resource).await.ok();
        let missing = match (&request.state, &facts) {
            (RequestState::Pending { .. }, Some(facts)) => match self.judge(&request, facts, self.now()) {
                Ok(judged) => self.missing(&judged, facts),
                Err(_) => Missing::default(),
            },
            (_, _) => Missing::default(),
        };
        let reason = match &request.asked.reason {
            Reason::Missing => None,
            Reason::Kept { at, .. } => self.text(*at).await?,
        };
        let mut approvers = Vec::new();
        for approval in &request.approvals {
            approvers.push(self.name_of(approval.approver).await?);
        }
        let gives = facts.as_ref().and_then(|f| f.resource.value.roles.get(&request.asked.role));
        Ok(RequestView {
            requester: self.name_of(request.asked.requester).await?,
            beneficiary: self.name_of(request.asked.beneficiary).await?,
            owner: self.owner_name(request.asked.beneficiary, request.asked.beneficiary_person).await?,
            resource: self.resource_name(request.asked.resource).await?,
            gives: gives.map_or_else(String::new, |r| r.description.clone()),
            reason,
            approvers,
            missing,
            statement: self.statement_view(&request).await?,
            request,
        })
    }

    async fn statement_view(&self, request: &Request) -> Result<Option<StatementView>> {
        let Wants::Statement { at, digest } = &request.asked.wants else { return Ok(None) };
        let estimate = match &request.looked {
            Looked::Never => None,
            Looked::Then { estimate, .. } => self.store_ref().payload(*estimate).await?,
        };
        let estimate = estimate.and_then(|value| serde_json::from_value(value).ok());
        Ok(Some(StatementView { text: self.text(*at).await?, digest: *digest, estimate }))
    }

    /// A free text that a row refers to; none when its key was destroyed.
    pub(crate) async fn text(&self, at: PayloadId) -> Result<Option<String>> {
        Ok(self.store_ref().payload(at).await?.and_then(|v| v.as_str().map(ToOwned::to_owned)))
    }

    /// Grants: the actor's own, or everybody's where policy lets them see sessions.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn grants(&self, actor: &Actor, whose: Whose, page: &Page) -> Result<Vec<GrantView>> {
        let mut views = Vec::new();
        for read in self.pages_of::<Grant>(actor, whose, page).await? {
            let grant = read.value;
            if grant.person == actor.person || self.sees(actor, grant.resource).await {
                views.push(self.grant_view(grant).await?);
            }
        }
        Ok(views)
    }

    /// One grant: its holder's, or where policy lets them see sessions.
    ///
    /// # Errors
    /// When there is none that they may see.
    pub async fn grant_shown(&self, actor: &Actor, id: GrantId) -> Result<GrantView> {
        let grant = self.grant_row(id).await?.value;
        if grant.person != actor.person && !self.sees(actor, grant.resource).await {
            return Err(Problem::not_found("grant", id));
        }
        self.grant_view(grant).await
    }

    async fn grant_view(&self, grant: Grant) -> Result<GrantView> {
        let holder = self.name_of(grant.holder).await?;
        let owner = self.owner_name(grant.holder, grant.person).await?;
        let resource = self.resource_name(grant.resource).await?;
        Ok(GrantView { grant, holder, owner, resource })
    }

    /// Sessions: the actor's own, or everybody's where policy lets them. Never what was said in them.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn sessions(&self, actor: &Actor, whose: Whose, page: &Page) -> Result<Vec<SessionView>> {
        let mut views = Vec::new();
        for read in self.pages_of::<Session>(actor, whose, page).await? {
            if let Ok(view) = self.session_view(actor, read.value).await {
                views.push(view);
            }
        }
        Ok(views)
    }

    /// The sessions through which bytes pass now: the actor's own, and everybody's where policy lets them. The newest
    /// first.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn open_sessions(&self, actor: &Actor, page: &Page) -> Result<Vec<SessionView>> {
        let by = Some((key::STATE, "open"));
        let query =
            Query { kind: Kind::Session, by, after: page.after.as_deref(), order: Order::Falling, most: page.most() };
        let mut views = Vec::new();
        for read in self.store_ref().page::<Session>(query).await? {
            if let Ok(view) = self.session_view(actor, read.value).await {
                views.push(view);
            }
        }
        Ok(views)
    }

    /// One session.
    ///
    /// # Errors
    /// When there is none that they may see.
    pub async fn session_shown(&self, actor: &Actor, id: SessionId) -> Result<SessionView> {
        let read = self.store_ref().get::<Session>(&id.to_string()).await?;
        let read = read.ok_or_else(|| Problem::not_found("session", id))?;
        self.session_view(actor, read.value).await
    }

    async fn session_view(&self, actor: &Actor, session: Session) -> Result<SessionView> {
        let grant = self.grant_row(session.grant).await?.value;
        if grant.person != actor.person && !self.sees(actor, grant.resource).await {
            return Err(Problem::not_found("session", session.id));
        }
        Ok(SessionView {
            principal: self.name_of(session.principal).await?,
            owner: self.owner_name(session.principal, grant.person).await?,
            resource: self.resource_name(grant.resource).await?,
            role: grant.role,
            session,
        })
    }

    /// Ends one session, and leaves its grant. Its holder may, and whoever may revoke there. A reason that isn't empty is
    /// kept with the entry, under the key of whoever gives it.
    ///
    /// # Errors
    /// When there is none that they may end, or it is over.
    pub async fn kill_session(&self, actor: &Actor, id: SessionId, reason: &str) -> Result<()> {
        let view = self.session_shown(actor, id).await?;
        let grant = self.grant_row(view.session.grant).await?.value;
        self.may_revoke(actor, &grant).await?;
        if !view.session.is_open() {
            return Err(Problem::conflict("over_already", format!("{id} is over already"), ""));
        }
        let said = if reason.is_empty() { Vec::new() } else { vec![self.subject_part(actor.principal, &reason)] };
        self.end_session(&view.session, &[("by", actor.principal.to_string())], said).await
    }

    /// Ends one session, cut first; `by` says in its entry on whose word, and `said` is what they said.
    pub(crate) async fn end_session(
        &self,
        ended: &Session,
        by: &[(&'static str, String)],
        said: Vec<Part>,
    ) -> Result<()> {
        let id = ended.id;
        let grant = self.grant_row(ended.grant).await?.value;
        let mut ids = crate::ending::grant_ids(&grant);
        ids.push(("session", id.to_string()));
        ids.extend_from_slice(by);
        let entry = session(event::SESSION_KILLED, ids, self.region_of(&grant).await?, said);
        self.taken.kill(id, entry.clone(), self.now()); // I1: what takes away never waits
        self.record_kill(id, entry).await
    }

    /// Makes the end of one session durable. It relies on no row, so it can't be stale.
    pub(crate) async fn record_kill(&self, id: SessionId, entry: Entry) -> Result<()> {
        let mut commit = Commit::default();
        commit.entry(entry);
        commit.killed.push(id);
        self.commit(commit, ()).await?;
        self.taken.durable(&[], &[id]);
        Ok(())
    }

    async fn sees(&self, actor: &Actor, resource: daypass_domain::ResourceId) -> bool {
        match self.store_ref().get::<Resource>(&resource.to_string()).await {
            Ok(Some(read)) => self.may_view(actor, &read.value).await,
            Ok(None) | Err(_) => false,
        }
    }

    async fn pages_of<T: Stored>(
        &self,
        actor: &Actor,
        whose: Whose,
        page: &Page,
    ) -> Result<Vec<daypass_ports::record::Read<T>>> {
        let mine = actor.principal.to_string();
        let by = match whose {
            Whose::Mine => Some((key::HOLDER, mine.as_str())),
            Whose::Everybodys => None,
        };
        let query = Query { kind: T::KIND, by, after: page.after.as_deref(), order: Order::Falling, most: page.most() };
        Ok(self.store_ref().page::<T>(query).await?)
    }

    /// Opens what an entry says beyond its header. For those whom policy lets read evidence; the reading is an entry,
    /// durable before anything is shown. // I1, I11
    ///
    /// # Errors
    /// When policy doesn't let them, or there is no such payload.
    pub async fn evidence(&self, actor: &Actor, payload: PayloadId) -> Result<Option<serde_json::Value>> {
        if !self.may_read(actor, None).await {
            return Err(Problem::not_found("payload", payload));
        }
        let ids = vec![("payload", payload.to_string()), ("reader", actor.principal.to_string())];
        let mut commit = Commit::default();
        commit.entry(evidence(event::EVIDENCE_READ, ids, self.region().await?, Vec::new()));
        let intent = self.commit(commit, payload).await?;
        Ok(self.store_ref().payload(*intent.effect()).await?)
    }

    /// When authority time is now: for whoever shows what remains.
    #[must_use]
    pub fn time(&self) -> Time {
        self.now()
    }
}

/// Which requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// The actor's own.
    Mine,
    /// Those that wait for the actor's answer.
    ToAnswer,
}

/// Whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The actor's own.
    Mine,
    /// Everybody's, as far as policy lets the actor see them.
    Everybodys,
}
