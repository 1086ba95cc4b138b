//! What tests share: throwaway servers with the world that they find there, and a world that stands still.

pub mod pg;
pub mod still;

pub use daypass_scratch as scratch;
pub use pg::Pg;
