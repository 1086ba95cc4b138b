//! Going to a provider, and coming back.

use std::net::IpAddr;

use daypass_domain::{
    Name, Span,
    trust::{Claims, ClientProof, OidcClient, Provider},
};
use daypass_ports::{
    identity::{Authorization, Client, Code, Polled},
    record::Commit,
    secret::Secret,
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    super::{BrowserSignIn, SIGN_IN_LASTS, SignedIn, of_identity},
    attempt::{Attempt, Kept, Return, Way, stale},
};
use crate::{App, Problem, ProblemKind, Result};

/// A provider, for whoever wants in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderView {
    /// What it is called here.
    pub name: Name,
    /// What people know it as.
    pub title: String,
}

/// A sign-in that was begun in a browser.
#[derive(Debug)]
pub struct Began {
    /// Where the browser goes.
    pub url: String,
    /// What whoever began it needs to finish it.
    pub attempt: Secret,
}

/// A sign-in that was begun on another device.
#[derive(Debug)]
pub struct DeviceBegan {
    /// What the person types there.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: Option<String>,
    /// How often to ask whether it is finished.
    pub interval: Span,
    /// What whoever began it needs to finish it.
    pub attempt: Secret,
}

/// What somebody comes back with.
#[derive(Debug, Clone)]
pub enum Came {
    /// A browser brought a code.
    Code(CameBack),
    /// They ask whether the sign-in on the other device is finished.
    Device,
}

/// What a provider sends a browser back with (RFC 6749, 4.1.2).
#[derive(Debug, Clone)]
pub struct CameBack {
    /// The code.
    pub code: Secret,
    /// What we sent along.
    pub state: String,
    /// Whose answer it is, where the provider says so (RFC 9207).
    pub issuer: Option<String>,
}

/// A browser that is in.
#[derive(Debug)]
pub struct FinishedInBrowser {
    /// Its sign-in.
    pub sign_in: BrowserSignIn,
    /// Which of our pages they wanted to see, as whoever began it said.
    pub next: String,
}

/// What came of it.
#[derive(Debug)]
pub enum Finished {
    /// Nobody signed in on the other device yet: ask again after this long.
    NotYet(Span),
    /// They are in.
    SignedIn(Box<SignedIn>),
}

impl App {
    /// The providers that people sign in by: for anybody, since whoever isn't in yet must choose one.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn providers(&self) -> Result<Vec<ProviderView>> {
        let trust = self.trust(&mut Commit::default()).await?;
        let view = |(name, provider): (Name, Provider)| ProviderView { name, title: provider.title };
        Ok(trust.providers.into_iter().map(view).collect())
    }

    /// Begins a sign-in by a provider, in a browser.
    ///
    /// # Errors
    /// When there is no such provider, or it can't be reached.
    pub async fn begin_provider_sign_in(&self, provider: Option<&Name>, to: &Return, peer: IpAddr) -> Result<Began> {
        let (name, provider) = self.provider(provider).await?;
        self.limits.take_for_code(peer, self.clock.boot())?;
        let (state, nonce, verifier) = (self.word(), self.word(), self.word());
        let challenge = data_encoding::BASE64URL_NOPAD.encode(&Sha256::digest(verifier.as_bytes()));
        let redirect_uri = to.uri();
        let words = &provider.second_factor;
        let asks_when = !(words.amr.is_empty() && words.acr.is_empty());
        let asked = Authorization {
            redirect_uri: &redirect_uri,
            state: &state,
            nonce: &nonce,
            challenge: &challenge,
            // Asked for, the provider says when they signed in there: only then is the age of a factor known.
            max_age: asks_when.then_some(SIGN_IN_LASTS),
        };
        let kept = to.kept();
        // No secret is needed to send somebody there.
        let client = known_as(&provider, kept.client(&provider), None, &[]);
        let url = self.identity.authorize(&client, &asked).await.map_err(of_identity)?;
        let attempt = self.seal_attempt(&name, Way::Code { state, nonce, verifier, redirect_uri, kept });
        Ok(Began { url, attempt })
    }

    /// Begins a sign-in by a provider, on another device.
    ///
    /// # Errors
    /// When there is no such provider, it can't be reached, or doesn't offer that.
    pub async fn begin_device_sign_in(&self, provider: Option<&Name>, peer: IpAddr) -> Result<DeviceBegan> {
        let (name, provider) = self.provider(provider).await?;
        self.limits.take_for_code(peer, self.clock.boot())?;
        let ours = provider.for_programs();
        let secret = self.client_secret(ours).await?;
        let client = known_as(&provider, ours, secret.as_ref(), &[]);
        let begun = self.identity.begin_device(&client).await.map_err(of_identity)?;
        Ok(DeviceBegan {
            user_code: begun.user_code,
            verification_uri: begun.verification_uri,
            verification_uri_complete: begun.verification_uri_complete,
            interval: begun.interval,
            attempt: self.seal_attempt(&name, Way::Device { code: begun.code.expose().to_owned() }),
        })
    }

    /// Finishes a sign-in that a program began.
    ///
    /// # Errors
    /// When it isn't the one that was begun, the provider says no, or whom it names isn't known here.
    pub async fn finish_provider_sign_in(&self, attempt: &Secret, came: Came, peer: IpAddr) -> Result<Finished> {
        self.counted(peer, self.try_finish(attempt, came, peer)).await
    }

    /// Finishes a sign-in that a browser began, on our own pages.
    ///
    /// # Errors
    /// As [`App::finish_provider_sign_in`].
    pub async fn finish_provider_sign_in_browser(
        &self,
        attempt: &Secret,
        came: CameBack,
        peer: IpAddr,
    ) -> Result<FinishedInBrowser> {
        self.counted(peer, self.try_finish_browser(attempt, came, peer)).await
    }

    /// Within the limits of whoever comes, whom a success costs nothing; what was no good is in the ledger.
    async fn counted<T: Send>(&self, peer: IpAddr, finish: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.limits.take_for_code(peer, self.clock.boot())?;
        self.clock_is_sound()?;
        match finish.await {
            Ok(finished) => {
                self.limits.give_back_code(peer, self.clock.boot());
                Ok(finished)
            }
            Err(problem) => {
                if problem.kind == ProblemKind::Unauthenticated {
                    self.record_failure(None, peer).await;
                }
                Err(problem)
            }
        }
    }

    async fn try_finish(&self, attempt: &Secret, came: Came, peer: IpAddr) -> Result<Finished> {
        let attempt = self.open_attempt(attempt)?;
        let (name, provider) = self.provider(Some(&attempt.provider)).await?;
        let claims = match (&attempt.way, &came) {
            (Way::Code { kept: Kept::Program, .. }, Came::Code(came)) => {
                self.redeemed(&attempt, &provider, came).await?
            }
            (Way::Device { code }, Came::Device) => match self.polled(&provider, code).await? {
                Polled::NotYet(span) => return Ok(Finished::NotYet(span)),
                Polled::Done(claims) => claims,
            },
            (Way::Code { .. } | Way::Device { .. }, Came::Code(_) | Came::Device) => return Err(stale()),
        };
        Ok(Finished::SignedIn(Box::new(self.enter_by(&name, &provider, &claims, peer).await?)))
    }

    async fn try_finish_browser(&self, attempt: &Secret, came: CameBack, peer: IpAddr) -> Result<FinishedInBrowser> {
        let attempt = self.open_attempt(attempt)?;
        let next = match &attempt.way {
            Way::Code { kept: Kept::Browser { next }, .. } => next.clone(),
            Way::Code { kept: Kept::Program, .. } | Way::Device { .. } => return Err(stale()),
        };
        let (name, provider) = self.provider(Some(&attempt.provider)).await?;
        let claims = self.redeemed(&attempt, &provider, &came).await?;
        let sign_in = self.enter_browser_by(&name, &provider, &claims, peer).await?;
        Ok(FinishedInBrowser { sign_in, next })
    }

    /// Whom the code names that a browser came back with, if it went from here.
    async fn redeemed(&self, attempt: &Attempt, provider: &Provider, came: &CameBack) -> Result<Claims> {
        let Way::Code { state, nonce, verifier, redirect_uri, kept } = &attempt.way else { return Err(stale()) };
        if !bool::from(state.as_bytes().ct_eq(came.state.as_bytes())) {
            return Err(stale());
        }
        self.spend_attempt(attempt, nonce)?;
        let ours = kept.client(provider);
        let secret = self.client_secret(ours).await?;
        let needs = needs(provider);
        let client = known_as(provider, ours, secret.as_ref(), &needs);
        let verifier = Secret::new(verifier.clone());
        let code = Code { code: &came.code, verifier: &verifier, redirect_uri, nonce, said: came.issuer.as_deref() };
        self.identity.redeem(&client, &code, self.now()).await.map_err(of_identity)
    }

    async fn polled(&self, provider: &Provider, code: &str) -> Result<Polled> {
        let ours = provider.for_programs();
        let secret = self.client_secret(ours).await?;
        let needs = needs(provider);
        let client = known_as(provider, ours, secret.as_ref(), &needs);
        let code = Secret::new(code.to_owned());
        self.identity.poll_device(&client, &code, self.now()).await.map_err(of_identity)
    }

    /// The provider of that name; the only one when none is named.
    async fn provider(&self, name: Option<&Name>) -> Result<(Name, Provider)> {
        let mut providers = self.trust(&mut Commit::default()).await?.providers;
        let known: Vec<String> = providers.keys().map(ToString::to_string).collect();
        let name = match (name, known.as_slice()) {
            (Some(name), _) => Some(name.clone()),
            (None, [_]) => providers.keys().next().cloned(),
            (None, _) => None,
        };
        let found = name.and_then(|name| providers.remove_entry(&name));
        found.ok_or_else(|| {
            let next = if known.is_empty() {
                "sign in with a password; administrators declare providers with `daypass trust`".to_owned()
            } else {
                format!("name one of: {}", known.join(", "))
            };
            Problem::new(ProblemKind::NotFound, "no_such_provider", "nobody signs in by a provider of that name", next)
        })
    }

    async fn client_secret(&self, client: &OidcClient) -> Result<Option<Secret>> {
        match &client.proof {
            ClientProof::Public => Ok(None),
            ClientProof::Secret(name) => Ok(Some(self.credentials.credential(name).await?)),
        }
    }

    /// 256 unpredictable bits, as a text that needs no escaping.
    fn word(&self) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&self.random::<32>())
    }
}

/// The claims that it must say, in the ID token or where it keeps the rest.
fn needs(provider: &Provider) -> Vec<&str> {
    let mut needs = vec![provider.names.claim.as_str()];
    if !provider.groups.of.is_empty() {
        needs.push(&provider.groups.claim);
    }
    needs
}

/// We, as the provider knows us.
fn known_as<'a>(
    provider: &'a Provider,
    client: &'a OidcClient,
    secret: Option<&'a Secret>,
    needs: &'a [&'a str],
) -> Client<'a> {
    Client { issuer: &provider.issuer, id: &client.id, secret, scopes: &provider.scopes, needs }
}
