//! What tests share: throwaway servers, fixed clocks, contract tests.
