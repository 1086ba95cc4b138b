//! What tests share: throwaway servers, and the world that they find there.

pub mod pg;

pub use daypass_scratch as scratch;
pub use pg::Pg;
