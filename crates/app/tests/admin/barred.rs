//! A reset second factor bars the account until another is enrolled: no one alone resets it and then acts as its owner. // I12

use daypass_app::{
    ProblemKind,
    changes::Proposal,
    signin::Freshness,
    tokens::{TokenInput, TokenMade},
};
use daypass_domain::principal::{SecondFactor, Via};
use daypass_ports::{
    authority::{Authority as _, Door},
    rows::TokenScope,
};

use crate::{
    four_eyes::{stays_pending, world},
    world::{PASSWORD, name},
};

#[tokio::test]
async fn a_reset_factor_bars_the_account_until_another_is_enrolled() {
    let world = world().await;
    world.user_by_both("carol").await;
    let carol = world.caller("carol").await;
    world.passkey(&carol, "phone").await;
    let recovery = world.app.make_recovery_codes(&carol).await.unwrap_err();
    assert_eq!(recovery.code, "second_factor_needed", "enrolling isn't showing");
    let token = TokenInput { workload: None, scopes: [TokenScope::Request].into(), lasts: None };
    let actor = carol.acting(TokenScope::Request).unwrap();
    let TokenMade::Live { secret: token, .. } = world.app.make_token(actor, token).await.unwrap() else { panic!() };
    // One administrator alone changes nothing: the factor is still asked for.
    let id = stays_pending(&world, Proposal::ResetSecondFactor { user: name("carol") }).await;
    assert_eq!(world.try_sign_in("carol", PASSWORD, None).await.unwrap_err().kind, ProblemKind::NeedsSecondFactor);
    world.app.approve_change(&world.actor("bob").await, id).await.unwrap();
    assert!(world.app.factors(&carol).await.unwrap().ways.is_empty());
    // With the password alone one may look, and enrol, and nothing else.
    let signed_in = world.sign_in("carol").await;
    let carol = world.app.authenticate(signed_in.token.expose()).await.unwrap();
    assert!(carol.acting(TokenScope::Read).is_ok());
    for scope in [TokenScope::Request, TokenScope::Administer, TokenScope::Decide] {
        assert_eq!(carol.acting(scope).unwrap_err().code, "second_factor_reset");
    }
    let by_token = world.app.authenticate(token.expose()).await.unwrap();
    assert_eq!(by_token.acting(TokenScope::Request).unwrap_err().code, "second_factor_reset");
    assert!(matches!(world.app.door("carol").await.unwrap(), Door::Mock { .. }), "nor through the gateway");
    // Whatever actor some code may hold: they approve nothing, and policy sees no second factor.
    let actor = carol.acting(TokenScope::Read).unwrap();
    assert_eq!(world.app.freshness(actor).await.unwrap(), Freshness::Barred);
    assert!(matches!(actor.via, Via::SignIn { second_factor: SecondFactor::NotShown }));
    world.passkey(&carol, "new-phone").await;
    let carol = world.app.authenticate(signed_in.token.expose()).await.unwrap();
    assert!(carol.acting(TokenScope::Request).is_ok(), "the bar is gone");
    assert!(matches!(world.app.door("carol").await.unwrap(), Door::Known { .. }));
}
