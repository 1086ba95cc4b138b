//! Cedar: judge, explain, and say what is missing. Pure: facts go in, a [`Verdict`] comes out, nothing else happens.
//!
//! | to | call |
//! | --- | --- |
//! | read policies and check them | [`PolicySet::parse`] |
//! | gather the facts of a request | [`Input::for_request`] |
//! | judge | [`judge`], or [`Decision::make`] to keep what is needed to judge again (I7) |
//! | tell people what would help | [`answer()`], [`explain`], [`who`] |
//! | refuse policies that give away what nobody labelled | [`refuse_unlabelled_without_approval`] |
//!
//! There is one evaluator. What is missing is found by asking it again with that thing added.

pub mod answer;
pub mod decision;
pub mod directory;
mod evaluate;
pub mod guard;
pub mod input;
mod literals;
pub mod missing;
mod owner;
pub mod problem;
pub mod quorum;
mod reading;
pub mod schema;
pub mod set;
pub mod starter;
pub mod verdict;
mod words;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Explanation, Prospect, answer, explain, prospects, who};
pub use decision::Decision;
pub use directory::Directory;
pub use evaluate::judge;
pub use guard::{GuardRefusal, refuse_unlabelled_without_approval};
pub use input::{
    Act, AskedFacts, BadFacts, Confirmed, Holder, Input, Party, PartyKind, Scope, Service, Thing, ThingKind, Use, Yes,
};
pub use missing::{Lack, Missing, Way, missing};
pub use owner::Word;
pub use problem::{Place, PolicyProblem};
pub use quorum::Quorum;
pub use set::PolicySet;
pub use starter::{starter, starter_files};
pub use verdict::{Failure, PolicyRef, Verdict};
pub use words::Giver;
