//! The ledger as others see it: against naive models, independent implementations and attackers.

mod attacks;
mod fixtures;
mod golden;
mod leaves;
mod notes;
mod parsers;
mod proofs;
mod tiles;
mod trees;
