//! What a store must do ([`contract`], for every store there will be), and what this one does against crashes, full disks,
//! and people who write to its folder.

mod backup;
mod contract;
mod contract_log;
mod contract_model;
mod durable;
mod forged;
mod kill;
mod opening;
mod payloads;
mod places;
mod support;

use support::Fixture;

/// Runs a contract test against the SQLite store, each in a folder of its own.
macro_rules! contract {
    ($($module:ident: $($name:ident),* $(,)?;)*) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let fixture = Fixture::new();
            let store = fixture.open().await;
            $module::$name(store.clone(), fixture.clock.clone()).await;
            store.close().await;
        }
    )*)*};
}

contract! {
    contract: a_value_comes_back_with_its_version,
        a_stale_commit_leaves_nothing,
        a_row_that_should_not_be_there_is_stale,
        a_deleted_row_is_gone_and_so_are_its_keys,
        rows_are_found_by_their_keys_as_they_are_now,
        many_values_under_a_key_all_come,
        due_rows_come_oldest_first,
        pages_go_both_ways,
        what_ended_is_told_from_any_revision,
        each_commit_moves_the_revision_and_is_told,
        time_never_goes_back,
        nothing_waits_in_the_end;
    contract_log: concurrent_commits_are_all_there_or_stale,
        an_entry_that_does_not_fit_is_refused_alone,
        the_log_verifies_at_every_size,
        a_receipt_proves_its_entry_alone,
        a_file_of_the_log_is_one_spelling_and_within_the_head,
        leaves_come_in_order_from_anywhere,
        a_payload_says_what_was_recorded,
        a_payload_id_is_used_once;
    contract_model: random_steps_do_what_a_model_does;
}
