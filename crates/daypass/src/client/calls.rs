//! The REST API, a function a call: which path takes and gives what.

use std::time::Duration;

use daypass_api::{
    Mode, Page, Problem, SecretText,
    changes::{ApproveChange, Change, ChangeDetail, Proposed},
    directories::{DeclareDirectory, Directory},
    factors::{FactorList, RecoveryCodes},
    grants::{Extend, Grant, Receipt, Revoke},
    identity::{
        self, ApplyTrust, BeginSignIn, FinishSignIn, Provider, SignInBegun, SignInFinished, TokenExchanged, Trust,
    },
    ledger::LogKey,
    notices::{Notice, Trial, TryNotices},
    people::{Group, Invite, NewGroup, NewMail, NewUser, NewWorkload, Principal},
    policy::{ActivePolicy, ApplyPolicy, CheckPolicy, Explanation, PolicyChecked, Prospect},
    requests::{Answered, Approve, Confirm, Deny, NewRequest, Request, WhichRequests},
    resources::{ApplyResources, Finding, Resource, ResourceDetail},
    sessions::Session,
    signin::{
        AcceptInvitation, ChangePassword, Code, ConnectionSecret, EnrolTotp, Enrolled, Me, SecondFactorShown, SetUp,
        SignIn, SignedIn, TotpEnrolment,
    },
    statements::Ran,
    tokens::{NewToken, Token, TokenMade},
};
use reqwest::Method;

use super::http::{Api, segment};
use crate::failure::Failure;

/// How long a statement may run: no grant lasts longer, as a rule.
const RUN_PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// How long a look may take: it has a minute, and waits for its gateway before.
const LOOK_PATIENCE: Duration = Duration::from_secs(90);

/// Whose grants or sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// One's own.
    Mine,
    /// Everybody's, as far as one may see.
    All,
}

impl Whose {
    fn word(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::All => "all",
        }
    }
}

/// Makes the first administrator.
pub async fn set_up(api: &Api, body: &SetUp) -> Result<Enrolled, Failure> {
    api.post("/v1/setup", body).await
}

/// Takes an invitation up.
pub async fn accept(api: &Api, body: &AcceptInvitation) -> Result<Enrolled, Failure> {
    api.post("/v1/invitations/accept", body).await
}

/// Signs in, or says why not: a code may be missing.
pub async fn sign_in(api: &Api, body: &SignIn) -> Result<Result<SignedIn, Problem>, Failure> {
    api.try_post("/v1/signin", body).await
}

/// The providers that people sign in by.
pub async fn providers(api: &Api) -> Result<Vec<Provider>, Failure> {
    api.list("/v1/signin/providers").await
}

/// Begins a sign-in by a provider.
pub async fn begin_sign_in(api: &Api, body: &BeginSignIn) -> Result<SignInBegun, Failure> {
    api.post("/v1/signin/oidc/begin", body).await
}

/// Finishes a sign-in by a provider.
pub async fn finish_sign_in(api: &Api, body: &FinishSignIn) -> Result<SignInFinished, Failure> {
    api.post("/v1/signin/oidc/finish", body).await
}

/// A token of ours for a workload's own.
pub async fn exchange(api: &Api, token: &SecretText, workload: Option<String>) -> Result<TokenExchanged, Failure> {
    let mut pairs = vec![
        ("grant_type", identity::TOKEN_EXCHANGE),
        ("subject_token_type", identity::JWT_TYPE),
        ("subject_token", token.expose()),
    ];
    pairs.extend(workload.as_deref().map(|workload| ("workload", workload)));
    api.post_form("/v1/token", &pairs).await
}

/// A token of ours for the certificate that the connection shows.
pub async fn exchange_certificate(api: &Api, workload: Option<String>) -> Result<TokenExchanged, Failure> {
    let mut pairs = vec![("grant_type", identity::CLIENT_CREDENTIALS)];
    pairs.extend(workload.as_deref().map(|workload| ("workload", workload)));
    api.post_form("/v1/token", &pairs).await
}

/// Whose word is taken.
pub async fn trust(api: &Api) -> Result<Trust, Failure> {
    api.get("/v1/trust").await
}

/// Declares whose word is taken.
pub async fn apply_trust(api: &Api, file: &str, text: String, mode: Mode) -> Result<Proposed, Failure> {
    api.post("/v1/trust/apply", &ApplyTrust { file: file.to_owned(), text, mode }).await
}

/// Signs out.
pub async fn sign_out(api: &Api) -> Result<(), Failure> {
    api.act_quietly(Method::POST, "/v1/signout").await
}

/// Who calls.
pub async fn me(api: &Api) -> Result<Me, Failure> {
    api.get("/v1/me").await
}

/// Another password.
pub async fn change_password(api: &Api, body: &ChangePassword) -> Result<(), Failure> {
    api.post_quietly("/v1/me/password", body).await
}

/// Begins to enrol a second factor.
pub async fn enrol_totp(api: &Api, body: &EnrolTotp) -> Result<TotpEnrolment, Failure> {
    api.post("/v1/me/totp", body).await
}

/// Makes an enrolled second factor count.
pub async fn confirm_totp(api: &Api, body: &Code) -> Result<(), Failure> {
    api.post_quietly("/v1/me/totp/confirm", body).await
}

/// Shows the second factor again.
pub async fn second_factor(api: &Api, body: &Code) -> Result<SecondFactorShown, Failure> {
    api.post("/v1/signin/second-factor", body).await
}

/// One's second factors.
pub async fn factors(api: &Api) -> Result<FactorList, Failure> {
    api.get("/v1/me/factors").await
}

/// New recovery codes.
pub async fn recovery_codes(api: &Api) -> Result<RecoveryCodes, Failure> {
    api.act(Method::POST, "/v1/me/recovery-codes").await
}

/// A new connection secret.
pub async fn connection_secret(api: &Api) -> Result<ConnectionSecret, Failure> {
    api.act(Method::POST, "/v1/me/connection-secret").await
}

/// What there is to ask for.
pub async fn resources(api: &Api) -> Result<Vec<Resource>, Failure> {
    api.list("/v1/resources").await
}

/// One resource.
pub async fn resource(api: &Api, name: &str) -> Result<ResourceDetail, Failure> {
    api.get(&format!("/v1/resources/{}", segment(name))).await
}

/// Applies a document.
pub async fn apply_resources(api: &Api, file: &str, text: String, mode: Mode) -> Result<Proposed, Failure> {
    api.post("/v1/resources/apply", &ApplyResources { file: file.to_owned(), text, mode }).await
}

/// What the administrator login can and can't do.
pub async fn doctor(api: &Api, name: &str) -> Result<Vec<Finding>, Failure> {
    api.list(&format!("/v1/resources/{}/doctor", segment(name))).await
}

/// Who could have what of a resource.
pub async fn who(api: &Api, name: &str) -> Result<Vec<Prospect>, Failure> {
    api.list(&format!("/v1/resources/{}/who", segment(name))).await
}

/// Asks for a role.
pub async fn request(api: &Api, body: &NewRequest) -> Result<Answered, Failure> {
    api.post_once("/v1/requests", body).await
}

/// What would be answered.
pub async fn explain(api: &Api, body: &NewRequest) -> Result<Explanation, Failure> {
    api.post("/v1/explain", body).await
}

/// Requests.
pub async fn requests(api: &Api, which: WhichRequests) -> Result<Vec<Request>, Failure> {
    let which = match which {
        WhichRequests::Mine => "mine",
        WhichRequests::ToAnswer => "to_answer",
    };
    api.list(&format!("/v1/requests?which={which}")).await
}

/// One request.
pub async fn request_shown(api: &Api, id: &str) -> Result<Request, Failure> {
    api.get(&format!("/v1/requests/{}", segment(id))).await
}

/// One request, once it is answered, or as it is when the server has waited so many seconds.
pub async fn request_waiting(api: &Api, id: &str, wait_s: u32) -> Result<Request, Failure> {
    api.get(&format!("/v1/requests/{}?wait_s={wait_s}", segment(id))).await
}

/// Says yes to a request, or says why not: a second factor may be missing.
pub async fn approve(api: &Api, id: &str, body: &Approve) -> Result<Result<Answered, Problem>, Failure> {
    api.try_post_once(&format!("/v1/requests/{}/approve", segment(id)), body).await
}

/// Stands by what one's own workload asks, or says why not: a second factor may be missing.
pub async fn confirm(api: &Api, id: &str, body: &Confirm) -> Result<Result<Answered, Problem>, Failure> {
    api.try_post_once(&format!("/v1/requests/{}/confirm", segment(id)), body).await
}

/// Runs the one statement of a grant. It may take as long as the grant lasts.
pub async fn run_statement(api: &Api, grant: &str) -> Result<Ran, Failure> {
    api.patient(RUN_PATIENCE).act(Method::POST, &format!("/v1/grants/{}/run", segment(grant))).await
}

/// Has the target estimate the statement of a request.
pub async fn look(api: &Api, id: &str) -> Result<Request, Failure> {
    api.patient(LOOK_PATIENCE).act(Method::POST, &format!("/v1/requests/{}/look", segment(id))).await
}

/// Says no to a request.
pub async fn deny(api: &Api, id: &str, body: &Deny) -> Result<Request, Failure> {
    api.post_once(&format!("/v1/requests/{}/deny", segment(id)), body).await
}

/// Takes one's request back.
pub async fn withdraw(api: &Api, id: &str) -> Result<Request, Failure> {
    api.act(Method::POST, &format!("/v1/requests/{}/withdraw", segment(id))).await
}

/// Takes one's approval back.
pub async fn withdraw_approval(api: &Api, id: &str) -> Result<Request, Failure> {
    api.act(Method::POST, &format!("/v1/requests/{}/withdraw-approval", segment(id))).await
}

/// Grants.
pub async fn grants(api: &Api, whose: Whose) -> Result<Vec<Grant>, Failure> {
    api.list(&format!("/v1/grants?whose={}", whose.word())).await
}

/// One grant.
pub async fn grant(api: &Api, id: &str) -> Result<Grant, Failure> {
    api.get(&format!("/v1/grants/{}", segment(id))).await
}

/// Moves a grant's deadline.
pub async fn extend(api: &Api, id: &str, body: &Extend) -> Result<Grant, Failure> {
    api.post_once(&format!("/v1/grants/{}/extend", segment(id)), body).await
}

/// Gives a grant back.
pub async fn release(api: &Api, id: &str) -> Result<Receipt, Failure> {
    api.act(Method::POST, &format!("/v1/grants/{}/release", segment(id))).await
}

/// Takes access away.
pub async fn revoke(api: &Api, body: &Revoke) -> Result<Receipt, Failure> {
    api.post_once("/v1/revoke", body).await
}

/// Sessions.
pub async fn sessions(api: &Api, whose: Whose) -> Result<Vec<Session>, Failure> {
    api.list(&format!("/v1/sessions?whose={}", whose.word())).await
}

/// One session.
pub async fn session(api: &Api, id: &str) -> Result<Session, Failure> {
    api.get(&format!("/v1/sessions/{}", segment(id))).await
}

/// Ends one session.
pub async fn kill_session(api: &Api, id: &str) -> Result<(), Failure> {
    api.act_quietly(Method::POST, &format!("/v1/sessions/{}/kill", segment(id))).await
}

/// Users and workloads.
pub async fn principals(api: &Api) -> Result<Vec<Principal>, Failure> {
    api.list("/v1/principals").await
}

/// Makes a user.
pub async fn create_user(api: &Api, name: &str) -> Result<Proposed, Failure> {
    api.post("/v1/users", &NewUser { name: name.to_owned() }).await
}

/// Makes a user in groups, who comes by an invitation.
pub async fn invite(api: &Api, body: &Invite) -> Result<Proposed, Failure> {
    api.post("/v1/invitations", body).await
}

/// Makes a workload.
pub async fn create_workload(api: &Api, name: &str, owner: &str) -> Result<Proposed, Failure> {
    api.post("/v1/workloads", &NewWorkload { name: name.to_owned(), owner: owner.to_owned() }).await
}

/// What can be done to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserChange {
    /// Let them in again.
    Enable,
    /// Another invitation.
    Invite,
    /// Their second factor is gone.
    ResetSecondFactor,
}

/// Takes everything from a principal, now.
pub async fn disable(api: &Api, name: &str) -> Result<(), Failure> {
    api.act_quietly(Method::POST, &format!("/v1/principals/{}/disable", segment(name))).await
}

/// Proposes a change of a principal.
pub async fn change_user(api: &Api, name: &str, change: UserChange) -> Result<Proposed, Failure> {
    let verb = match change {
        UserChange::Enable => "enable",
        UserChange::Invite => "invite",
        UserChange::ResetSecondFactor => "reset-second-factor",
    };
    api.act(Method::POST, &format!("/v1/principals/{}/{verb}", segment(name))).await
}

/// Sets where a user is told.
pub async fn set_mail(api: &Api, name: &str, mail: &str) -> Result<Proposed, Failure> {
    api.post(&format!("/v1/principals/{}/mail", segment(name)), &NewMail { mail: mail.to_owned() }).await
}

/// Forgets where a user is told.
pub async fn remove_mail(api: &Api, name: &str) -> Result<Proposed, Failure> {
    api.act(Method::DELETE, &format!("/v1/principals/{}/mail", segment(name))).await
}

/// Groups.
pub async fn groups(api: &Api) -> Result<Vec<Group>, Failure> {
    api.list("/v1/groups").await
}

/// Makes an empty group.
pub async fn create_group(api: &Api, name: &str) -> Result<Group, Failure> {
    api.post("/v1/groups", &NewGroup { name: name.to_owned() }).await
}

/// Removes a group.
pub async fn delete_group(api: &Api, name: &str) -> Result<Proposed, Failure> {
    api.act(Method::DELETE, &format!("/v1/groups/{}", segment(name))).await
}

/// Puts somebody into a group.
pub async fn add_member(api: &Api, group: &str, member: &str) -> Result<Proposed, Failure> {
    api.act(Method::PUT, &format!("/v1/groups/{}/members/{}", segment(group), segment(member))).await
}

/// Takes somebody out of a group.
pub async fn remove_member(api: &Api, group: &str, member: &str) -> Result<Proposed, Failure> {
    api.act(Method::DELETE, &format!("/v1/groups/{}/members/{}", segment(group), segment(member))).await
}

/// The declared directories.
pub async fn directories(api: &Api) -> Result<Vec<Directory>, Failure> {
    api.list("/v1/directories").await
}

/// Declares a directory.
pub async fn declare_directory(api: &Api, body: &DeclareDirectory) -> Result<Proposed, Failure> {
    api.post("/v1/directories", body).await
}

/// Tokens of oneself, or of a workload.
pub async fn tokens(api: &Api, workload: Option<&str>) -> Result<Vec<Token>, Failure> {
    let of = workload.map(|name| format!("?workload={}", segment(name))).unwrap_or_default();
    api.list(&format!("/v1/tokens{of}")).await
}

/// Makes a token.
pub async fn create_token(api: &Api, body: &NewToken) -> Result<TokenMade, Failure> {
    api.post("/v1/tokens", body).await
}

/// Ends a token.
pub async fn revoke_token(api: &Api, id: &str) -> Result<(), Failure> {
    api.act_quietly(Method::DELETE, &format!("/v1/tokens/{}", segment(id))).await
}

/// The active policies.
pub async fn policy(api: &Api) -> Result<ActivePolicy, Failure> {
    api.get("/v1/policy").await
}

/// Checks policies.
pub async fn check_policy(api: &Api, body: &CheckPolicy) -> Result<PolicyChecked, Failure> {
    api.post("/v1/policy/check", body).await
}

/// Applies policies.
pub async fn apply_policy(api: &Api, body: &ApplyPolicy) -> Result<Proposed, Failure> {
    api.post("/v1/policy/apply", body).await
}

/// Which notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichNotices {
    /// A page of the newest.
    Newest,
    /// All that are kept.
    All,
}

/// Notices, the newest first.
pub async fn notices(api: &Api, which: WhichNotices) -> Result<Vec<Notice>, Failure> {
    match which {
        WhichNotices::Newest => Ok(api.get::<Page<Notice>>("/v1/notices").await?.items),
        WhichNotices::All => api.list("/v1/notices?most=200").await,
    }
}

/// One notice.
pub async fn notice(api: &Api, id: &str) -> Result<Notice, Failure> {
    api.get(&format!("/v1/notices/{}", segment(id))).await
}

/// Sends somebody a trial.
pub async fn try_notices(api: &Api, body: &TryNotices) -> Result<Trial, Failure> {
    api.post_once("/v1/notices/test", body).await
}

/// Which changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichChanges {
    /// Those that wait.
    Pending,
    /// All of them.
    All,
}

/// Changes.
pub async fn changes(api: &Api, which: WhichChanges) -> Result<Vec<Change>, Failure> {
    let which = match which {
        WhichChanges::Pending => "pending",
        WhichChanges::All => "all",
    };
    api.list(&format!("/v1/changes?which={which}")).await
}

/// One change.
pub async fn change(api: &Api, id: &str) -> Result<ChangeDetail, Failure> {
    api.get(&format!("/v1/changes/{}", segment(id))).await
}

/// Says yes to a change.
pub async fn approve_change(api: &Api, id: &str, body: &ApproveChange) -> Result<Proposed, Failure> {
    api.post(&format!("/v1/changes/{}/approve", segment(id)), body).await
}

/// Says no to a change.
pub async fn reject_change(api: &Api, id: &str) -> Result<(), Failure> {
    api.act_quietly(Method::POST, &format!("/v1/changes/{}/reject", segment(id))).await
}

/// The log's verifier key.
pub async fn log_key(api: &Api) -> Result<LogKey, Failure> {
    api.get("/v1/ledger/key").await
}

/// The proof of one entry (C2SP tlog-proof).
pub async fn receipt(api: &Api, seq: u64) -> Result<Vec<u8>, Failure> {
    api.bytes(&format!("/v1/ledger/receipts/{seq}")).await
}
