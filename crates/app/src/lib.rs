//! Use cases, one a file: load, judge, commit, effect.
