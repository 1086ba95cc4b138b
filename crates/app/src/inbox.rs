//! What somebody is shown who shall answer a request: the request, what the role gives, what could be given in its
//! place, and what the requester asked for lately.

use daypass_domain::{
    Name, RequestId, Time,
    principal::Actor,
    request::{Request, RequestState},
    resource::Labels,
};
use daypass_ports::{
    record::Kind,
    rows::key,
    store::{Order, Query},
};

use crate::{App, Result, ask::RequestView, signin::Freshness};

/// How many of the requester's last requests are shown.
const BEFORE_MOST: u32 = 5;

/// A request as its approver sees it.
#[derive(Debug, Clone)]
pub struct ToAnswer {
    /// The request.
    pub view: RequestView,
    /// What its resource is labelled; none when the resource is gone.
    pub labels: Option<Labels>,
    /// The roles that could be given in its place, with what each gives in words.
    pub narrower: Vec<(Name, String)>,
    /// What the requester asked for before it, the newest first. Never the reasons.
    pub before: Vec<Before>,
    /// Whether the actor's answer counts.
    pub answering: Answering,
}

/// An earlier request.
#[derive(Debug, Clone)]
pub struct Before {
    /// On what.
    pub resource: Name,
    /// Which role.
    pub role: Name,
    /// When it was made.
    pub made: Time,
    /// What became of it.
    pub state: RequestState,
}

/// Whether somebody's answer to a request counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answering {
    /// It does, with what an approval takes of them.
    Counts(Freshness),
    /// It is their own workload that asks, and their confirmation is what it may wait for. That is no approval. // I8
    Confirms(Freshness),
    /// It is for others to answer, or over.
    CountsForNothing,
}

impl App {
    /// One request, as [`App::request_shown`] shows it and with the entry that it makes, and what helps to answer it.
    ///
    /// # Errors
    /// When there is none that they may see, or the reading can't be recorded. // I11
    pub async fn to_answer(&self, actor: &Actor, id: RequestId) -> Result<ToAnswer> {
        let view = self.request_shown(actor, id).await?;
        let answering = self.answering(actor, &view.request).await?;
        let resource = self.facts(view.request.asked.resource).await.ok().map(|facts| facts.resource.value);
        let (_, role) = view.request.narrowed();
        let narrower =
            resource.iter().flat_map(|r| r.roles.get(&role).into_iter().flat_map(|d| &d.narrower)).map(|n| {
                let gives = resource.as_ref().and_then(|r| r.roles.get(n)).map(|d| d.description.clone());
                (n.clone(), gives.unwrap_or_default())
            });
        Ok(ToAnswer {
            narrower: narrower.collect(),
            labels: resource.as_ref().map(|r| r.labels.clone()),
            before: self.before(&view.request).await?,
            answering,
            view,
        })
    }

    async fn answering(&self, actor: &Actor, request: &Request) -> Result<Answering> {
        if !request.is_pending() {
            return Ok(Answering::CountsForNothing);
        }
        if self.counts(actor, request).await.unwrap_or(false) {
            return Ok(Answering::Counts(self.freshness(actor).await?));
        }
        // A workload's token shows its owner's requests nowhere; were it shown one, it still confirms none.
        let owner = actor.person.id() == actor.principal;
        if owner && self.confirms(actor.person, request).await.unwrap_or(false) {
            return Ok(Answering::Confirms(self.freshness(actor).await?));
        }
        Ok(Answering::CountsForNothing)
    }

    async fn before(&self, request: &Request) -> Result<Vec<Before>> {
        let (requester, after) = (request.asked.requester.to_string(), request.id.to_string());
        let query = Query {
            kind: Kind::Request,
            by: Some((key::REQUESTER, requester.as_str())),
            after: Some(after.as_str()),
            order: Order::Falling,
            most: BEFORE_MOST,
        };
        let mut before = Vec::new();
        for read in self.store_ref().page::<Request>(query).await? {
            let Request { asked, made, state, .. } = read.value;
            let resource = self.resource_name(asked.resource).await?;
            before.push(Before { resource, role: asked.role, made, state });
        }
        Ok(before)
    }
}
