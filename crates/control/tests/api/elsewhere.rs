//! What the matrix leaves to other tests.

/// What can succeed only once, or takes a code of this moment: audited by the test named here.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("/v1/token", "identity::a_job_gets_a_token_for_its_own_and_both_are_in_its_entries"),
    ("/v1/signin/oidc/finish", "crates/daypass/tests/house/oidc.rs"),
    ("/signin/oidc/callback", "crates/daypass/tests/house/oidc_pages.rs"),
    ("/signin/oidc/logout", "crates/daypass/tests/house/oidc.rs"),
    ("/v1/setup", "story::the_first_steps_are_audited"),
    ("/v1/invitations/accept", "story::the_first_steps_are_audited"),
    ("/v1/me/totp/confirm", "story::a_second_factor_is_enrolled_and_shown"),
    ("/v1/signin/second-factor", "story::a_second_factor_is_enrolled_and_shown"),
    ("/v1/me/passkeys/finish", "factors::a_passkey_is_enrolled_and_another_takes_the_first"),
    ("/v1/me/passkeys/{id}", "factors::recovery_codes_are_made_and_each_is_good_once"),
    ("/v1/me/recovery-codes", "factors::recovery_codes_are_made_and_each_is_good_once"),
    ("/signin/second-factor", "factors::a_browser_signs_in_with_a_passkey"),
    ("/factors/passkeys", "factors::a_browser_signs_in_with_a_passkey"),
    ("/factors/passkeys/{id}/remove", "factors::the_last_second_factor_stays"),
    ("/factors/recovery-codes", "factors::recovery_codes_are_made_and_each_is_good_once"),
    ("/welcome", "factors::an_invitation_is_taken_up_on_a_page"),
    ("/v1/requests/{id}/confirm", "confirm::an_owner_confirms_what_their_workload_asks_and_nobody_else_does"),
    ("/requests/{id}/confirm", "confirm::an_owner_confirms_on_the_page_and_a_token_nowhere"),
    ("/signals/{name}", "house: signals::what_is_no_signal_is_refused_and_said"),
    ("/v1/signals/{name}/verify", "house: signals::a_transmitter_that_is_asked_is_heard"),
    ("/v1/emergency-kits/{id}/review", "house: emergency::two_people_get_in_while_daypass_is_down"),
    // There is no target here: the whole house has one.
    ("/v1/requests/{id}/look", "house: statements::a_look_estimates_and_changes_nothing"),
    ("/v1/grants/{id}/run", "house: statements::an_approved_update_runs_once_and_nothing_of_it_is_left"),
];
