//! The owner's confirmation of what their workload asks (I8): whether it is given, and whether it suffices. It does only
//! where the owner could have the same without anybody's approval, as the one evaluator says of the owner.
//!
//! Cedar can't ask what somebody else would be answered, so policies read `context.now.owner_confirmed`, and the code here
//! finds out whether it is so, as it does for quorums. It is a fact and no verdict: a policy that doesn't read it gives
//! nothing by it, and what forbids a workload forbids it all the same. It is held: it is found out anew at each judgement,
//! so what rests on it ends when the owner could no longer have it.

use std::collections::BTreeSet;

use daypass_domain::{signals::Told, trust::Attributes};

use crate::{Act, Input, Party, PartyKind, PolicySet, evaluate::Case};

/// The attribute by which policies read it.
pub(crate) const READ_AS: &str = "owner_confirmed";

/// What is found out for policies, since they can't: neither count people nor ask about others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The quorums that are met.
    pub quorums: BTreeSet<String>,
    /// Whether the owner's confirmation stands, and suffices.
    pub confirmation: Word,
}

/// Whether an owner's confirmation stands, and suffices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Word {
    /// There is none, or the owner couldn't have it without somebody's approval.
    #[default]
    Missing,
    /// There is one, and the owner could have the same at once.
    Suffices,
}

impl Word {
    /// As policies read it.
    pub(crate) const fn is_given(self) -> bool {
        match self {
            Self::Missing => false,
            Self::Suffices => true,
        }
    }
}

/// The owner of the workload that asks, asked about in its place.
pub(crate) struct Owner {
    case: Case,
}

impl Owner {
    /// Where a workload would hold what it or its owner asks for; nothing where nobody's confirmation could matter.
    pub(crate) fn of(input: &Input) -> Option<Self> {
        let Act::Use(used) = &input.act else { return None };
        let PartyKind::Workload { owner } = &input.principal.kind else { return None };
        let nobody_else_asks = used.asked.requester == used.asked.beneficiary;
        // The owner that the request names, and the one that it has now, are one.
        if !nobody_else_asks
            || used.asked.beneficiary != input.principal.person
            || owner.id != input.principal.person.id()
        {
            return None;
        }
        let principal = Party {
            id: owner.id,
            name: owner.name.clone(),
            person: input.principal.person,
            kind: PartyKind::User,
            active: input.principal.active,
            groups: owner.groups.clone(),
            told: input.principal.told.clone(),
        };
        let asks = Input { at: input.at, principal, act: theirs(&input.act, None) };
        Case::of(&asks).ok().map(|case| Self { case })
    }

    /// Whether the owner would be permitted the same at once, if they asked for it themselves, having shown a second
    /// factor so long ago, and where transmitters of signals said this of them: by nobody's approval, and by no
    /// confirmation. // I8
    pub(crate) fn could_have(
        &self,
        policies: &PolicySet,
        act: &Act,
        told: &Told,
        second_factor_age_s: Option<i64>,
    ) -> bool {
        self.case.judge_told(policies, &theirs(act, second_factor_age_s), &Found::default(), told).is_permitted()
    }
}

/// What the workload asks, as its owner would ask it: a person's token says nothing, and nobody has said yes.
fn theirs(act: &Act, second_factor_age_s: Option<i64>) -> Act {
    let mut act = act.clone();
    if let Act::Use(used) = &mut act {
        used.approvals.clear();
        used.confirmation = None;
        used.asked.claims = Attributes::default();
        used.asked.second_factor_age_s = second_factor_age_s;
    }
    act
}

impl PolicySet {
    /// Whether the owner of the workload that asks has confirmed it, and could have it without anybody's approval. // I8
    #[must_use]
    pub fn owner_confirmed(&self, input: &Input) -> Word {
        let Act::Use(used) = &input.act else { return Word::Missing };
        let Some(given) = used.confirmation.filter(|_| self.literals().reads(READ_AS)) else { return Word::Missing };
        match Owner::of(input) {
            Some(owner) if owner.could_have(self, &input.act, &input.principal.told, given.second_factor_age_s) => {
                Word::Suffices
            }
            Some(_) | None => Word::Missing,
        }
    }

    /// What these policies are told beside what is asked.
    pub(crate) fn found(&self, input: &Input) -> Found {
        Found { quorums: self.quorums_met(input), confirmation: self.owner_confirmed(input) }
    }
}
