//! Traits, one per noun, and the proofs that only a durable commit makes.

pub mod targets;
