//! Daypass.
fn main() {}
