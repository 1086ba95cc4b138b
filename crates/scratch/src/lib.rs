//! Throwaway PostgreSQL servers, for the demo and the tests.
