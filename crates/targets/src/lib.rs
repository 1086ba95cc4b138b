//! Making and ending access at the target.
