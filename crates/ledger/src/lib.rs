//! The Merkle log, its leaves, checkpoints and proofs (C2SP formats): pure.
