//! What a target says of a statement before it runs.

use daypass_wire::postgres::once::{End, Kept, Over};
use serde::{Deserialize, Serialize};

/// The longest plan that is kept, in characters.
const PLAN_CHARS: usize = 8_000;

/// What a target says of a statement before it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "estimate", rename_all = "snake_case")]
pub enum Estimate {
    /// It planned it.
    Planned {
        /// How many rows it expects to give or to change; absent when its plan doesn't say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
        /// What it expects it to cost, in its own units (a page read in sequence is 1), rounded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost: Option<u64>,
        /// The plan, in its words.
        plan: String,
    },
    /// It didn't.
    NotPlanned {
        /// Why.
        why: String,
    },
}

impl Estimate {
    /// Of a look that is over.
    #[must_use]
    pub fn of(over: &Over) -> Self {
        match &over.end {
            End::Looked | End::Committed => Self::planned(over),
            End::Refused(error) => Self::NotPlanned {
                why: format!(
                    "the target doesn't estimate it: {} ({}). EXPLAIN takes SELECT, INSERT, UPDATE, DELETE, MERGE and VALUES; of \
                     anything else, DDL above all, it says nothing",
                    error.message, error.sqlstate
                ),
            },
            End::NoEffect(broken) | End::Unknown(broken) => {
                Self::NotPlanned { why: format!("the look broke off: {}", super::over::why(broken)) }
            }
        }
    }

    fn planned(over: &Over) -> Self {
        let lines: Vec<&str> = over.given.rows.iter().filter_map(|row| row.first()?.as_deref()).collect();
        let (rows, cost) = numbers(&lines);
        let mut plan: String = lines.join("\n").chars().take(PLAN_CHARS).collect();
        if over.given.kept() == Kept::First || plan.len() < lines.iter().map(|l| l.len() + 1).sum::<usize>() - 1 {
            plan.push_str("\n(the plan goes on)");
        }
        Self::Planned { rows, cost, plan }
    }
}

/// `Update on accounts  (cost=0.00..2.25 rows=0 width=0)`: the cost of all, and how many rows: of what changes rows,
/// those that the node below finds.
fn numbers(lines: &[&str]) -> (Option<u64>, Option<u64>) {
    let nodes: Vec<(&str, &str)> = lines.iter().filter_map(|line| line.split_once("(cost=")).collect();
    let field = |of: Option<&(&str, &str)>, name: &str| {
        of.and_then(|(_, after)| after.split_once(name)).map(|(_, rest)| rest.to_owned())
    };
    let cost = field(nodes.first(), "..").and_then(|rest| rest.split(['.', ' ']).next()?.parse().ok());
    let changes = ["Insert on", "Update on", "Delete on", "Merge on"];
    let top = nodes.first().filter(|(name, _)| !changes.iter().any(|word| name.trim_start().starts_with(word)));
    let rows = field(top.or(nodes.get(1)), "rows=").and_then(|rest| rest.split([' ', ')']).next()?.parse().ok());
    (rows, cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_those_that_change() {
        let update = [
            "Update on accounts  (cost=0.00..2.25 rows=0 width=0)",
            "  ->  Seq Scan on accounts  (cost=0.00..2.25 rows=40 width=10)",
            "        Filter: (balance < 0)",
        ];
        assert_eq!(numbers(&update), (Some(40), Some(2)));
        assert_eq!(numbers(&["Aggregate  (cost=2.25..2.26 rows=1 width=8)"]), (Some(1), Some(2)));
        assert_eq!(numbers(&["something else"]), (None, None));
        assert_eq!(numbers(&[]), (None, None));
    }
}
