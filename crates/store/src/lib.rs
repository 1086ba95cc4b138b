//! The durable commit: SQLite, rows under a MAC, the ledger and its payloads.
