//! Cedar: judge, explain, missing. Pure; returns a Verdict, nothing more.
