//! What enters the ledger, and under whose key (I1, I9).

use daypass_domain::{Name, PayloadId, PrincipalId, SessionId, principal::Person};
use daypass_ports::record::{Entry, Part, RetentionClass, Scope};
use serde::Serialize;

use crate::App;

/// Every event there is, readable in the leaf headers. A golden file lists them.
pub mod event {
    macro_rules! events {
        ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
            $($(#[$doc])* pub const $name: &str = $text;)*
            /// All of them.
            pub const ALL: &[&str] = &[$($text),*];
        };
    }

    events! {
        /// The installation was set up.
        INSTALLED = "installation.created";
        /// A single-use set-up token was made: whoever uses it becomes the first administrator.
        SETUP_TOKEN_MADE = "installation.setup_token_made";
        /// The first administrator was made.
        SET_UP = "installation.set_up";
        /// From here on, changes to what decisions read need a second administrator, for ever. // I12
        FOUR_EYES = "installation.four_eyes";
        /// The server started.
        STARTED = "server.started";
        /// The data folder was restored from a backup.
        RESTORED = "installation.restored";
        /// A request was judged: granted, pending or refused. Its decision is in the payload (I7).
        REQUESTED = "request.made";
        /// A person approved.
        APPROVED = "request.approved";
        /// The owner of a workload confirmed what it asks: no approval. // I8
        CONFIRMED = "request.confirmed";
        /// A person took an approval back.
        APPROVAL_WITHDRAWN = "request.approval_withdrawn";
        /// A person said no.
        DENIED = "request.denied";
        /// The requester took it back.
        WITHDRAWN = "request.withdrawn";
        /// Nobody answered in time.
        EXPIRED = "request.expired";
        /// A grant was given, to start later.
        GRANT_SCHEDULED = "grant.scheduled";
        /// A grant opens doors.
        GRANT_ACTIVATED = "grant.activated";
        /// A grant's deadline moved.
        GRANT_EXTENDED = "grant.extended";
        /// A login is about to be made at the target.
        LOGIN_BEGUN = "grant.login_begun";
        /// A grant ended.
        GRANT_ENDED = "grant.ended";
        /// No backend is left; what remains at the target is listed.
        END_LISTED = "grant.end_listed";
        /// The end at the target isn't known.
        END_UNKNOWN = "grant.end_unknown";
        /// The end at the target is confirmed.
        END_CONFIRMED = "grant.end_confirmed";
        /// A grant or a request was judged again, with another outcome than before.
        REJUDGED = "decision.flipped";
        /// An extension or an activation was judged, and refused.
        REFUSED = "decision.refused";
        /// A session was admitted.
        SESSION_OPENED = "session.opened";
        /// A client that proved who it is was refused.
        SESSION_REFUSED = "session.refused";
        /// An approver's look at a statement was given: a grant that opens nothing else.
        LOOK_GIVEN = "statement.look_given";
        /// The run of a statement is begun: from here on it may have run. // I1
        STATEMENT_BEGUN = "statement.begun";
        /// What came of a statement's run is known, or known to be unknown.
        STATEMENT_OVER = "statement.over";
        /// What the target said of a statement before it runs.
        LOOKED = "statement.looked";
        /// A session is over.
        SESSION_CLOSED = "session.closed";
        /// Somebody ended one session.
        SESSION_KILLED = "session.killed";
        /// A second of recording is durable.
        RECORDING_SEALED = "recording.sealed";
        /// Something at the target that nobody claims was ended.
        REAPED = "target.reaped";
        /// The login of an emergency kit is at its target, with the credential that was sealed last.
        KIT_SEALED = "kit.sealed";
        /// An emergency kit was seen in use: a session of its login, or what one left. Nobody ended it.
        KIT_USED = "kit.used";
        /// The use of an emergency kit still waits for its rotation or its review: everybody is reminded.
        KIT_OPEN = "kit.still_open";
        /// Somebody who holds no half of it reviewed the use of an emergency kit.
        KIT_REVIEWED = "kit.reviewed";
        /// An emergency kit is taken away.
        KIT_REMOVED = "kit.removed";
        /// No session of a kit's login is left; what remains at the target is listed.
        KIT_LISTED = "kit.end_listed";
        /// The end of a kit's login isn't known.
        KIT_UNKNOWN = "kit.end_unknown";
        /// The login of an emergency kit is gone, and that is confirmed.
        KIT_GONE = "kit.end_confirmed";
        /// A change to what decisions read was proposed.
        CHANGE_PROPOSED = "change.proposed";
        /// A change was done.
        CHANGE_COMMITTED = "change.committed";
        /// A change was turned down, or taken back, or expired.
        CHANGE_ENDED = "change.ended";
        /// A directory's connector made a user.
        DIRECTORY_USER_MADE = "directory.user_made";
        /// A directory said something else of a user, or that they are active again.
        DIRECTORY_USER_CHANGED = "directory.user_changed";
        /// A directory has a user no longer.
        DIRECTORY_USER_REMOVED = "directory.user_removed";
        /// A transmitter signalled something of somebody, and what became of it.
        SIGNAL_RECEIVED = "signal.received";
        /// A transmitter was asked to show that its signals arrive.
        SIGNALS_VERIFYING = "signal.verification_asked";
        /// A directory made, changed or removed a group, and with it who is in ours.
        DIRECTORY_GROUP_CHANGED = "directory.group_changed";
        /// A principal was disabled.
        PRINCIPAL_DISABLED = "principal.disabled";
        /// An invitation was taken up, and a first password set.
        INVITATION_USED = "principal.invitation_used";
        /// A person signed in.
        SIGNED_IN = "signin.made";
        /// A person signed out.
        SIGNED_OUT = "signin.ended";
        /// A second factor was shown again in a sign-in.
        SECOND_FACTOR_SHOWN = "signin.second_factor_shown";
        /// A principal's personal connection secret was given to it, for its token.
        CONNECTION_SECRET_GIVEN = "signin.connection_secret_given";
        /// Somebody failed to sign in.
        SIGN_IN_FAILED = "signin.failed";
        /// A second factor was enrolled.
        FACTOR_ENROLLED = "factor.enrolled";
        /// A passkey was removed by its owner.
        FACTOR_REMOVED = "factor.removed";
        /// A passkey was shown whose counter had gone back: there may be a copy of it. It was refused.
        PASSKEY_SUSPECT = "factor.passkey_suspect";
        /// Recovery codes were made; those of before are void.
        RECOVERY_CODES_MADE = "factor.recovery_codes_made";
        /// A recovery code was used in the place of a second factor.
        RECOVERY_CODE_USED = "factor.recovery_code_used";
        /// A password was changed by its owner.
        PASSWORD_CHANGED = "factor.password_changed";
        /// A provider says that somebody signed out there: their sign-ins by it ended.
        PROVIDER_SIGNED_OUT = "signin.ended_by_provider";
        /// Somebody whom a provider knows is, from now on, this user.
        LINKED = "principal.linked";
        /// A user was made on a provider's word, as its trust allows.
        PROVISIONED = "principal.provisioned";
        /// Memberships of somebody who signed in follow their provider's word, as its trust allows.
        GROUPS_FOLLOWED = "group.followed_provider";
        /// A workload brought a token of its own, and got one of ours.
        TOKEN_EXCHANGED = "token.exchanged";
        /// A token was made.
        TOKEN_MADE = "token.made";
        /// A token was revoked.
        TOKEN_REVOKED = "token.revoked";
        /// The policies were switched.
        POLICY_SWITCHED = "policy.switched";
        /// A channel took a notice: who was told what, when.
        NOTICE_SENT = "notice.sent";
        /// A notice couldn't be sent, and isn't tried any more.
        NOTICE_GIVEN_UP = "notice.given_up";
        /// Somebody tries whether notices arrive.
        NOTICE_TRIED = "notice.tried";
        /// Another product was told whether somebody has access, or who has.
        DECISION_TOLD = "decision.told";
        /// Somebody read evidence (I11).
        EVIDENCE_READ = "evidence.read";
    }
}

impl App {
    /// A new id's ten random bytes.
    pub(crate) fn id_bytes(&self) -> [u8; 10] {
        self.random()
    }

    /// A part under the key of a person.
    pub(crate) fn subject_part(&self, subject: PrincipalId, content: &impl Serialize) -> Part {
        self.part(Scope::Subject(subject), content)
    }

    /// A part under the key of a session.
    pub(crate) fn session_part(&self, session: SessionId, content: &impl Serialize) -> Part {
        self.part(Scope::Session(session), content)
    }

    /// A part under the installation's key.
    pub(crate) fn operational_part(&self, content: &impl Serialize) -> Part {
        self.part(Scope::Operational, content)
    }

    /// A part under the key of a scope.
    pub(crate) fn part(&self, scope: Scope, content: &impl Serialize) -> Part {
        // Our payloads are plain data, which always has a JSON form.
        let content = serde_json::to_value(content).unwrap_or_default();
        Part { id: PayloadId::new(self.now(), self.id_bytes()), scope, content }
    }
}

/// Who answers for a workload: named beside it, wherever an entry names a holder.
pub(crate) fn owner_id(holder: PrincipalId, person: Person) -> Option<(&'static str, String)> {
    (person.id() != holder).then(|| ("owner", person.id().to_string()))
}

/// An entry about access.
pub(crate) fn access(event: &'static str, ids: Vec<(&'static str, String)>, region: Name, parts: Vec<Part>) -> Entry {
    Entry { event, ids, region, retention: RetentionClass::Access, parts }
}

/// An entry about a decision.
pub(crate) fn decision(event: &'static str, ids: Vec<(&'static str, String)>, region: Name, parts: Vec<Part>) -> Entry {
    Entry { event, ids, region, retention: RetentionClass::Decision, parts }
}

/// An entry about administering Daypass.
pub(crate) fn administration(
    event: &'static str,
    ids: Vec<(&'static str, String)>,
    region: Name,
    parts: Vec<Part>,
) -> Entry {
    Entry { event, ids, region, retention: RetentionClass::Administration, parts }
}

/// An entry about a session.
pub(crate) fn session(event: &'static str, ids: Vec<(&'static str, String)>, region: Name, parts: Vec<Part>) -> Entry {
    Entry { event, ids, region, retention: RetentionClass::Session, parts }
}

/// An entry about evidence.
pub(crate) fn evidence(event: &'static str, ids: Vec<(&'static str, String)>, region: Name, parts: Vec<Part>) -> Entry {
    Entry { event, ids, region, retention: RetentionClass::Evidence, parts }
}
