//! A token's signature, and then everything that it says (RFC 7519, 7.2; RFC 8725; OpenID Connect Core 1.0, 3.1.3.7).
//!
//! The algorithm is one that is declared for the issuer, never what the token alone says; all of them take public keys, so
//! a public key is never taken for a shared secret.

use daypass_domain::{
    Span, Time,
    trust::{Algorithm, Claims, Issuer},
};
use daypass_ports::{
    identity::{CLOCK_SKEW, Expected, IdentityError, TokenKind},
    signals::SIGNAL_AGE,
};
use daypass_wire::{
    jwt::{Header, Unverified},
    secevent,
};
use jsonwebtoken::{Algorithm as Signature, DecodingKey, crypto};

use super::{Oidc, keys::NamedBy};

/// A token that is good for longer than this is a stored secret, whatever it is called: Kubernetes' old ones never end.
const LIVES_MOST: Span = Span::from_mins(24 * 60);
/// How long ago a logout token may have been made: a recorded one ends nothing later (Back-Channel Logout 1.0, 2.6).
const LOGOUT_AGE: Span = Span::from_mins(5);
/// What every logout token says (Back-Channel Logout 1.0, 2.4).
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

pub(super) fn refused(why: impl Into<String>) -> IdentityError {
    IdentityError::Refused(why.into())
}

/// What the token says, once all of it is checked.
pub(super) async fn verify(
    oidc: &Oidc,
    issuer: &Issuer,
    expected: &Expected<'_>,
    token: &str,
) -> Result<Claims, IdentityError> {
    let read = Unverified::parse(token).map_err(|e| refused(e.to_string()))?;
    // Before anything is fetched: whoever sends what can't be good causes no traffic.
    let algorithm = allowed(issuer, &read.header)?;
    typed(&read.header, expected.kind)?;
    if read.issuer() != Some(issuer.url.as_str()) {
        return Err(refused("it is of another issuer"));
    }
    in_time(&Claims::new(read.claims.clone()), expected)?;
    signed(oidc, issuer, &read, algorithm, named_by(expected.kind)).await?;
    let claims = Claims::new(read.claims);
    addressed(&claims, expected)?;
    of_kind(&claims, expected.kind)?;
    Ok(claims)
}

fn allowed(issuer: &Issuer, header: &Header) -> Result<Algorithm, IdentityError> {
    let named = Algorithm::named(&header.alg).filter(|algorithm| issuer.algorithms.contains(algorithm));
    named.ok_or_else(|| {
        let fine: Vec<&str> = issuer.algorithms.iter().map(|a| a.as_str()).collect();
        refused(format!("it isn't signed by what is declared for its issuer: {}", fine.join(", ")))
    })
}

/// RFC 8725, 3.11. ID tokens and those of workloads say `JWT` or nothing; logout tokens should say what they are, and signals
/// must (RFC 8417, 2.3).
pub(super) fn typed(header: &Header, kind: TokenKind) -> Result<(), IdentityError> {
    let fits = match (kind, header.typ.as_deref()) {
        (TokenKind::Signal, said) => said == Some(secevent::TYPE),
        (_, None | Some("jwt"))
        | (TokenKind::Logout, Some("logout+jwt"))
        // JWT-SVID, 2.3.
        | (TokenKind::JwtSvid, Some("jose")) => true,
        (TokenKind::IdToken | TokenKind::Workload | TokenKind::JwtSvid | TokenKind::Logout, Some(_)) => false,
    };
    if fits { Ok(()) } else { Err(refused("its header says that it is a token of another kind")) }
}

/// ID tokens come from the provider itself, in answer to a code; the others from whoever sends them.
const fn named_by(kind: TokenKind) -> NamedBy {
    match kind {
        TokenKind::IdToken => NamedBy::Issuer,
        TokenKind::Workload | TokenKind::JwtSvid | TokenKind::Logout | TokenKind::Signal => NamedBy::Anybody,
    }
}

async fn signed(
    oidc: &Oidc,
    issuer: &Issuer,
    read: &Unverified<'_>,
    algorithm: Algorithm,
    by: NamedBy,
) -> Result<(), IdentityError> {
    let keys = oidc.keys_for(issuer, algorithm, read.header.kid.as_deref(), by).await?;
    signed_by(read, algorithm, &keys)
}

/// By one of these keys.
pub(super) fn signed_by(
    read: &Unverified<'_>,
    algorithm: Algorithm,
    keys: &[DecodingKey],
) -> Result<(), IdentityError> {
    if keys.is_empty() {
        return Err(refused("its issuer has no such key (any more)"));
    }
    let by = |key| crypto::verify(read.signature, read.signed.as_bytes(), key, of(algorithm)).unwrap_or(false);
    if keys.iter().any(by) { Ok(()) } else { Err(refused("its signature isn't its issuer's")) }
}

const fn of(algorithm: Algorithm) -> Signature {
    match algorithm {
        Algorithm::Rs256 => Signature::RS256,
        Algorithm::Rs384 => Signature::RS384,
        Algorithm::Rs512 => Signature::RS512,
        Algorithm::Ps256 => Signature::PS256,
        Algorithm::Ps384 => Signature::PS384,
        Algorithm::Ps512 => Signature::PS512,
        Algorithm::Es256 => Signature::ES256,
        Algorithm::Es384 => Signature::ES384,
        Algorithm::EdDsa => Signature::EdDSA,
    }
}

pub(super) fn in_time(claims: &Claims, expected: &Expected<'_>) -> Result<(), IdentityError> {
    let now = expected.now;
    let time = |claim: &str| match (claims.says(claim), claims.time(claim)) {
        (true, None) => Err(refused(format!("its `{claim}` is no time"))),
        (_, time) => Ok(time),
    };
    let missing = |claim: &str| refused(format!("it says no `{claim}`"));
    let early = |at: Time| at > now + CLOCK_SKEW;
    let issued = match (expected.kind, time("iat")?) {
        (_, Some(issued)) => issued,
        // JWT-SVID, 3, demands the end alone.
        (TokenKind::JwtSvid, None) => now,
        (TokenKind::IdToken | TokenKind::Workload | TokenKind::Logout | TokenKind::Signal, None) => {
            return Err(missing("iat"));
        }
    };
    if early(issued) || time("nbf")?.is_some_and(early) {
        return Err(refused("it isn't good yet: look at the clocks of both"));
    }
    let old = |age: Span| issued + age + CLOCK_SKEW <= now;
    if expected.kind == TokenKind::Signal {
        // It says that something happened, and so never expires; it only gets too old to be news.
        return if old(SIGNAL_AGE) { Err(refused("it was made too long ago")) } else { Ok(()) };
    }
    let ends = match (expected.kind, time("exp")?) {
        (_, Some(ends)) => ends,
        // Back-Channel Logout 1.0 had none before its last revision.
        (TokenKind::Logout, None) => issued + LOGOUT_AGE,
        (TokenKind::IdToken | TokenKind::Workload | TokenKind::JwtSvid | TokenKind::Signal, None) => {
            return Err(missing("exp"));
        }
    };
    if ends + CLOCK_SKEW <= now {
        return Err(refused("it has expired: get a new one"));
    }
    if ends.since(issued) > LIVES_MOST {
        return Err(refused("it lives for more than a day, so it is a secret that is kept somewhere"));
    }
    if expected.kind == TokenKind::Logout && old(LOGOUT_AGE) {
        return Err(refused("it was made too long ago"));
    }
    Ok(())
}

pub(super) fn addressed(claims: &Claims, expected: &Expected<'_>) -> Result<(), IdentityError> {
    let audiences = claims.texts("aud");
    if !audiences.contains(&expected.audience) {
        return Err(refused("it is for another audience"));
    }
    let authorized = claims.text("azp");
    // OpenID Connect Core 1.0, 3.1.3.7, 4 and 5.
    let ours = match (expected.kind, &authorized) {
        (TokenKind::IdToken, Some(authorized)) => authorized == expected.audience,
        (TokenKind::IdToken, None) => audiences.len() == 1,
        (TokenKind::Workload | TokenKind::JwtSvid | TokenKind::Logout | TokenKind::Signal, _) => true,
    };
    if ours { Ok(()) } else { Err(refused("it was made for another client")) }
}

pub(super) fn of_kind(claims: &Claims, kind: TokenKind) -> Result<(), IdentityError> {
    let subject = claims.text("sub").filter(|s| (1..=255).contains(&s.len()));
    let fine = match kind {
        TokenKind::IdToken | TokenKind::Workload => subject.is_some() && !claims.says("events"),
        // Whose subject is read as a SPIFFE ID, which is stricter.
        TokenKind::JwtSvid => claims.says("sub") && !claims.says("events"),
        TokenKind::Signal => {
            let never = secevent::NEVER.iter().any(|claim| claims.says(claim));
            let says = claims.text("jti").is_some() && !claims.names("sub_id").is_empty();
            says && !never && !claims.names("events").is_empty()
        }
        TokenKind::Logout => {
            let session = claims.text("sid").filter(|s| !s.is_empty());
            let who = subject.is_some() || session.is_some();
            who && claims.text("jti").is_some()
                && !claims.says("nonce")
                && claims.names("events").contains(&LOGOUT_EVENT)
        }
    };
    if fine { Ok(()) } else { Err(refused("it doesn't say what a token of its kind says")) }
}
