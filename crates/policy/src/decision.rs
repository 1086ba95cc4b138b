//! One judgement, with all that is needed to make it again (I7).

use std::collections::BTreeSet;

use daypass_domain::{DecisionId, Digest};
use serde::{Deserialize, Serialize};

use crate::{Input, PolicySet, Verdict, judge};

/// One judgement, with all that is needed to make it again under another policy. // I7
///
/// It names people, so it is a payload for the ledger and belongs in the resource's region, never in a header (I9, I10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// The facts and every entity that a policy could read.
    pub input: Input,
    /// The policy set that judged.
    pub policy: Digest,
    /// Which of the quorums named in that policy set were met, as written there.
    pub quorums: BTreeSet<String>,
    /// What it answered, with the policies that determined it.
    pub verdict: Verdict,
}

impl Decision {
    /// Judges, and keeps what was read.
    #[must_use]
    pub fn make(id: DecisionId, policies: &PolicySet, input: Input) -> Self {
        let verdict = judge(policies, &input);
        Self { id, policy: policies.digest(), quorums: policies.quorums_met(&input), verdict, input }
    }

    /// What `policies` would have answered to the same facts.
    pub fn replay(&self, policies: &PolicySet) -> Verdict {
        judge(policies, &self.input)
    }
}
