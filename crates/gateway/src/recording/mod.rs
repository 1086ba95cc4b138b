//! Recordings: every statement is in the kernel before it is forwarded, sealed under its session's key. // I1, I9

pub mod disk;
pub mod segment;
