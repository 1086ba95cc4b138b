//! Keys derived, secrets sealed, rows authenticated: pure; nonces are arguments.
