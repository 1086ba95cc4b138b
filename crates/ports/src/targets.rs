//! Making and ending access at a target.
