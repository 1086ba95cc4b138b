//! What somebody could ask for themselves, and what each would take, by the same evaluator.

use daypass_domain::{Name, principal::Actor, resource::Labels};
use daypass_policy::Answer;

use crate::{App, Problem, Result};

/// How many roles are judged for one look: each costs a search for what is missing.
const OFFERS_MOST: usize = 200;

/// A role that can be asked for.
#[derive(Debug, Clone)]
pub struct Offer {
    /// On what.
    pub resource: Name,
    /// What that is labelled.
    pub labels: Labels,
    /// Which role.
    pub role: Name,
    /// What it gives, in words.
    pub gives: String,
    /// What they would be answered, if they asked now for an hour and gave neither reason nor ticket nor second factor.
    pub answer: Answer,
}

impl App {
    /// Every role that there is, with what the actor would be answered: at most 200.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn offers(&self, actor: &Actor) -> Result<Vec<Offer>> {
        let directory = self.directory().await?;
        let party = directory.party(actor.principal).ok_or_else(|| Problem::not_found("principal", actor.principal))?;
        let (policy, now) = (self.policy(), self.now());
        let mut offers = Vec::new();
        for resource in self.resources().await? {
            for prospect in daypass_policy::prospects(&policy, &resource, &party, &directory, now) {
                let gives = resource.roles.get(&prospect.role).map(|r| r.description.clone()).unwrap_or_default();
                offers.push(Offer {
                    resource: resource.name.clone(),
                    labels: resource.labels.clone(),
                    role: prospect.role,
                    gives,
                    answer: prospect.answer,
                });
                if offers.len() >= OFFERS_MOST {
                    return Ok(offers);
                }
            }
        }
        Ok(offers)
    }
}
