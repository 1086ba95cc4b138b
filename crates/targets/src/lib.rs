//! Making and ending access at the target.
//!
//! [`postgres`] is the only kind there is: it implements `ports::targets::Targets` and `ports::dial::Dialer`.

pub mod postgres;
