//! One table per machine: every state against every event, as a snapshot.

mod common;

use common::{person, principal, t, target};
use daypass_domain::{
    ApprovalId, ChangeId, Digest, GrantId, InstallationId, Name, NoticeId, PayloadId, RequestId, ResourceId, SessionId,
    Span,
    approval::{Approval, Narrowing},
    change::{Change, ChangeEvent, ChangeState},
    confirmation::{Confirmation, Confirmed},
    end::{EndCause, EndConfirmation, EndProgress},
    grant::{Grant, GrantEvent, GrantState, Login, MadeLogin, Refusal},
    notice::{Hearer, News, Notice, NoticeEvent, NoticeState, Tries, Wait, Why},
    request::{Asked, Purpose, Reason, Request, RequestEvent, RequestState, Start},
    resource::Ownership,
    session::{Passed, Session, SessionEnd, SessionState},
    statement::{Looked, Opens, Outcome, Run, Sqlstate, Wants},
};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn made() -> Box<MadeLogin> {
    Box::new(MadeLogin { name: "daypass_a_b_alice".into(), target: target(), owns: Ownership::Quarantine })
}

fn grant(state: GrantState) -> Grant {
    Grant {
        id: GrantId::new(t(0), [1; 10]),
        request: RequestId::new(t(0), [2; 10]),
        holder: principal(1),
        person: person(1),
        resource: ResourceId::new(t(0), [3; 10]),
        role: name("readonly"),
        role_digest: Digest::of(b"role"),
        opens: Opens::Sessions,
        state,
    }
}

fn asked() -> Asked {
    Asked {
        requester: principal(1),
        requester_person: person(1),
        beneficiary: principal(2),
        beneficiary_person: person(2),
        resource: ResourceId::new(t(0), [3; 10]),
        role: name("readonly"),
        duration: Span::from_mins(30),
        start: Start::AtOnce,
        purpose: Purpose::Operations,
        ticket: None,
        reason: Reason::Missing,
        second_factor_age_s: None,
        wants: Wants::Sessions,
        claims: daypass_domain::trust::Attributes::default(),
    }
}

fn request(state: RequestState) -> Request {
    let id = RequestId::new(t(0), [2; 10]);
    Request {
        id,
        asked: asked(),
        role_digest: Digest::of(b"role"),
        made: t(0),
        state,
        approvals: Vec::new(),
        looked: Looked::Never,
        confirmed: Confirmed::Never,
    }
}

fn approval(by: u8) -> Approval {
    Approval {
        id: ApprovalId::new(t(0), [by; 10]),
        approver: principal(by),
        at: t(1),
        request_digest: asked().digest(),
        role_digest: Digest::of(b"role"),
        narrowing: Narrowing::default(),
    }
}

fn cell(line: &mut String, outcome: Result<String, Refusal>) {
    match outcome {
        Ok(state) => line.push_str(&format!("-> {state}")),
        Err(refusal) => line.push_str(&format!("no: {}", refusal.why)),
    }
}

#[test]
fn grants() {
    let (since, deadline) = (t(0), t(1800));
    let cause = EndCause::Released { by: principal(1) };
    let ending = |progress| GrantState::Ending { since, at: t(60), cause: cause.clone(), login: made(), progress };
    let payload = PayloadId::new(t(0), [9; 10]);
    let states = [
        ("scheduled, not due", GrantState::Scheduled { start: t(500), duration: Span::from_mins(30) }),
        ("scheduled, due", GrantState::Scheduled { start: t(50), duration: Span::from_mins(30) }),
        ("active, no login", GrantState::Active { since, deadline, login: Login::NotMade }),
        ("active, login", GrantState::Active { since, deadline, login: Login::Begun(made()) }),
        ("active, over", GrantState::Active { since, deadline: t(99), login: Login::Begun(made()) }),
        ("ending, cutting", ending(EndProgress::Cutting)),
        ("ending, unknown", ending(EndProgress::Unknown { tried: t(70), times: 3 })),
        ("ending, listed", ending(EndProgress::Listed { found: EndConfirmation::Clean })),
        (
            "ended",
            GrantState::Ended {
                at: t(60),
                cause: cause.clone(),
                confirmed: t(61),
                confirmation: EndConfirmation::Residue { items: 2, list: payload },
            },
        ),
    ];
    let events = [
        ("activate", GrantEvent::Activate),
        ("extend", GrantEvent::Extend { deadline: t(3600) }),
        ("extend to the same", GrantEvent::Extend { deadline }),
        ("login begun", GrantEvent::LoginBegun(made())),
        ("end: deadline", GrantEvent::End(EndCause::Deadline)),
        ("end: released", GrantEvent::End(cause.clone())),
        ("listed", GrantEvent::Listed(EndConfirmation::Clean)),
        ("unknown", GrantEvent::TargetUnknown),
        ("confirm", GrantEvent::Confirm),
    ];
    let mut table = String::new();
    for (from, state) in &states {
        for (what, event) in &events {
            let mut line = format!("{from:20} | {what:18} | ");
            let next = grant(state.clone()).apply(event.clone(), t(100));
            cell(&mut line, next.map(|g| show_grant(&g.state)));
            table.push_str(&line);
            table.push('\n');
        }
    }
    insta::assert_snapshot!(table);
}

fn show_grant(state: &GrantState) -> String {
    match state {
        GrantState::Scheduled { start, .. } => format!("scheduled for {start}"),
        GrantState::Active { deadline, login, .. } => {
            let login = match login {
                Login::NotMade => "no login",
                Login::Begun(_) => "login",
            };
            format!("active until {deadline}, {login}")
        }
        GrantState::Ending { cause, progress, .. } => format!("ending ({}), {progress:?}", cause.word()),
        GrantState::Ended { cause, confirmation, .. } => format!("ended ({}), {confirmation:?}", cause.word()),
    }
}

#[test]
fn requests() {
    let payload = PayloadId::new(t(0), [9; 10]);
    let states = [
        ("pending", RequestState::Pending { expires: t(1000) }),
        ("pending, over", RequestState::Pending { expires: t(99) }),
        ("granted", RequestState::Granted { grant: GrantId::new(t(0), [1; 10]), at: t(50) }),
        ("denied", RequestState::Denied { by: principal(3), at: t(50), note: payload }),
        ("forbidden", RequestState::Forbidden { at: t(50), policies: vec!["p".into()] }),
        ("withdrawn", RequestState::Withdrawn { at: t(50) }),
        ("expired", RequestState::Expired { at: t(50) }),
    ];
    let longer = Narrowing { duration: Some(Span::from_mins(31)), role: None };
    let events = [
        ("approve: another", RequestEvent::Approve { approval: approval(3), person: person(3) }),
        ("approve: requester", RequestEvent::Approve { approval: approval(1), person: person(1) }),
        ("approve: beneficiary", RequestEvent::Approve { approval: approval(2), person: person(2) }),
        (
            "approve: other text",
            RequestEvent::Approve {
                approval: Approval { request_digest: Digest::of(b"x"), ..approval(3) },
                person: person(3),
            },
        ),
        (
            "approve: other role",
            RequestEvent::Approve {
                approval: Approval { role_digest: Digest::of(b"x"), ..approval(3) },
                person: person(3),
            },
        ),
        (
            "approve: longer",
            RequestEvent::Approve { approval: Approval { narrowing: longer, ..approval(3) }, person: person(3) },
        ),
        ("confirm: beneficiary", RequestEvent::Confirm { confirmation: confirmation(2), person: person(2) }),
        ("look", RequestEvent::Look(Looked::Then { at: t(90), estimate: payload })),
        ("withdraw approval", RequestEvent::WithdrawApproval { approver: principal(3) }),
        ("deny: another", RequestEvent::Deny { by: principal(3), person: person(3), note: payload }),
        ("deny: requester", RequestEvent::Deny { by: principal(1), person: person(1), note: payload }),
        ("withdraw", RequestEvent::Withdraw),
        ("expire", RequestEvent::Expire),
        ("grant", RequestEvent::Grant(GrantId::new(t(0), [1; 10]))),
        ("forbid", RequestEvent::Forbid(vec!["p".into()])),
    ];
    let mut table = String::new();
    for (from, state) in &states {
        for (what, event) in &events {
            let mut line = format!("{from:14} | {what:21} | ");
            let next = request(state.clone()).apply(event.clone(), t(100));
            cell(&mut line, next.map(|r| format!("{}, {} approvals", r.state.word(), r.approvals.len())));
            table.push_str(&line);
            table.push('\n');
        }
    }
    insta::assert_snapshot!(table);
}

/// The owner's word for what their workload asks: their own word, for that, once. // I8
#[test]
fn confirmations() {
    let of_workload = |state| {
        let asked =
            Asked { requester: principal(2), requester_person: person(1), beneficiary_person: person(1), ..asked() };
        Request { asked, ..request(state) }
    };
    let words = || Confirmation { request_digest: of_workload(pending(1000)).asked.digest(), ..confirmation(1) };
    let confirmed = Confirmed::Then(words());
    let requests = [
        ("pending", of_workload(pending(1000))),
        ("pending, over", of_workload(pending(99))),
        ("confirmed", Request { confirmed, ..of_workload(pending(1000)) }),
        ("withdrawn", of_workload(RequestState::Withdrawn { at: t(50) })),
        ("asked by another", {
            let mut request = of_workload(pending(1000));
            (request.asked.requester, request.asked.requester_person) = (principal(3), person(3));
            request
        }),
    ];
    let events = [
        ("its owner", words(), 1),
        ("somebody else", Confirmation { by: principal(3), ..words() }, 3),
        ("another's name", Confirmation { by: principal(3), ..words() }, 1),
        ("other text", Confirmation { request_digest: Digest::of(b"x"), ..words() }, 1),
        ("other role", Confirmation { role_digest: Digest::of(b"x"), ..words() }, 1),
    ];
    let mut table = String::new();
    for (from, request) in &requests {
        for (what, confirmation, by) in &events {
            let event = RequestEvent::Confirm { confirmation: confirmation.clone(), person: person(*by) };
            let mut line = format!("{from:16} | {what:14} | ");
            let next = request.clone().apply(event, t(100));
            cell(
                &mut line,
                next.map(|r| {
                    format!(
                        "{}, confirmed {}, {} approvals",
                        r.state.word(),
                        !r.confirmed.is_never(),
                        r.approvals.len()
                    )
                }),
            );
            table.push_str(&line);
            table.push('\n');
        }
    }
    insta::assert_snapshot!(table);
}

fn pending(expires: i64) -> RequestState {
    RequestState::Pending { expires: t(expires) }
}

fn confirmation(by: u8) -> Confirmation {
    Confirmation {
        by: principal(by),
        at: t(1),
        request_digest: asked().digest(),
        role_digest: Digest::of(b"role"),
        second_factor_age_s: None,
    }
}

#[test]
fn changes() {
    let digest = Digest::of(b"content");
    let states = [
        ("pending", ChangeState::Pending { expires: t(1000) }),
        ("pending, over", ChangeState::Pending { expires: t(99) }),
        ("committed", ChangeState::Committed { approver: principal(2), at: t(50) }),
        ("rejected", ChangeState::Rejected { by: principal(2), at: t(50) }),
        ("expired", ChangeState::Expired { at: t(50) }),
    ];
    let events = [
        ("approve: another", ChangeEvent::Approve { by: principal(2), person: person(2), digest }),
        ("approve: proposer", ChangeEvent::Approve { by: principal(1), person: person(1), digest }),
        ("approve: workload of proposer", ChangeEvent::Approve { by: principal(7), person: person(1), digest }),
        (
            "approve: something else",
            ChangeEvent::Approve { by: principal(2), person: person(2), digest: Digest::of(b"other") },
        ),
        ("reject", ChangeEvent::Reject { by: principal(1) }),
        ("expire", ChangeEvent::Expire),
    ];
    let mut table = String::new();
    for (from, state) in &states {
        for (what, event) in &events {
            let change = Change {
                id: ChangeId::new(t(0), [1; 10]),
                proposer: principal(1),
                proposer_person: person(1),
                subject: "policy".into(),
                digest,
                content: PayloadId::new(t(0), [9; 10]),
                made: t(0),
                state: state.clone(),
            };
            let mut line = format!("{from:14} | {what:30} | ");
            cell(&mut line, change.apply(event.clone(), t(100)).map(|c| c.state.word().to_owned()));
            table.push_str(&line);
            table.push('\n');
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn sessions() {
    let open = Session {
        id: SessionId::new(t(0), [1; 10]),
        grant: GrantId::new(t(0), [1; 10]),
        principal: principal(1),
        recording: PayloadId::new(t(0), [9; 10]),
        state: SessionState::Open { since: t(0) },
    };
    let closed = open.close(t(5), SessionEnd::GrantEnded, Passed::default()).unwrap();
    assert!(!closed.is_open());
    let again = closed.close(t(6), SessionEnd::ClientLeft, Passed::default()).unwrap_err();
    assert_eq!(again.to_string(), "a session that is closed can't close: it has ended already");
}

#[test]
fn runs() {
    let (since, deadline) = (t(0), t(1800));
    let session = SessionId::new(t(0), [1; 10]);
    let active = GrantState::Active { since, deadline, login: Login::NotMade };
    let over = GrantState::Ended {
        at: t(60),
        cause: EndCause::StatementOver,
        confirmed: t(61),
        confirmation: EndConfirmation::Clean,
    };
    let runs = [
        ("not begun", Run::NotBegun),
        ("begun", Run::Begun { session, at: t(50) }),
        ("over", Run::Over { session, at: t(60), outcome: Outcome::Unknown }),
    ];
    let mut table = String::new();
    for (grant_is, state) in [("active", &active), ("ended", &over)] {
        let opens = |opens: Opens| Grant { opens, ..grant(state.clone()) };
        let mut cases = vec![("sessions".to_owned(), opens(Opens::Sessions))];
        for (how, run) in runs {
            cases.push((format!("statement, {how}"), opens(Opens::Statement { run })));
            cases.push((format!("look, {how}"), opens(Opens::Look { run })));
        }
        for (what, grant) in cases {
            let show = |grant: Grant| match grant.opens.run() {
                Some(Run::NotBegun) | None => "not begun".to_owned(),
                Some(Run::Begun { .. }) => "begun".to_owned(),
                Some(Run::Over { outcome, .. }) => outcome.to_string(),
            };
            for (event, next) in [
                ("begin", grant.clone().begin_run(session, t(100))),
                ("over", grant.clone().end_run(Outcome::Committed { rows: 3 }, t(100))),
                ("extend", grant.clone().apply(GrantEvent::Extend { deadline: t(3600) }, t(100))),
            ] {
                let mut line = format!("{grant_is:6} | {what:20} | {event:6} | ");
                cell(&mut line, next.map(show));
                table.push_str(&line);
                table.push('\n');
            }
            assert_eq!(grant.opens_doors(t(100)), grant_is == "active" && what == "sessions", "{what}");
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn what_was_written_before_there_were_statements_reads_as_it_was() {
    let request = request(RequestState::Pending { expires: t(1000) });
    let written = serde_json::to_value((&request, grant(GrantState::Scheduled { start: t(1), duration: Span::ZERO })));
    let text = written.unwrap().to_string();
    assert!(!text.contains("wants") && !text.contains("opens") && !text.contains("looked"), "{text}");
    let (back, _): (Request, Grant) = serde_json::from_str(&text).unwrap();
    assert_eq!(back, request);
    // I8: an approval covers the statement, to the last byte.
    let of = |text: &[u8]| {
        let at = PayloadId::new(t(0), [9; 10]);
        Asked { wants: Wants::Statement { at, digest: Digest::of(text) }, ..asked() }.digest()
    };
    assert_ne!(of(b"DELETE FROM t WHERE a = 1"), of(b"DELETE FROM t WHERE a = 10"));
    assert_ne!(of(b""), asked().digest());
    assert!(Sqlstate::try_from("4260".to_owned()).is_err() && Sqlstate::try_from("42601".to_owned()).is_ok());
}

#[test]
fn a_login_says_who_it_is_and_fits_postgresql() {
    let grant = grant(GrantState::Active { since: t(0), deadline: t(1), login: Login::NotMade });
    let installation = InstallationId::new(t(0), [0xab; 10]);
    let long = name(&"x".repeat(63));
    let login = grant.login_name(installation, &long);
    assert!(login.len() <= 63, "{login}");
    assert!(login.starts_with("daypass_abababababab_010101010101_xxx"), "{login}");
}

#[test]
fn notices() {
    let waiting = |so_far| NoticeState::Waiting { next: t(99), so_far };
    let (down, no) = (Why::Unreachable, Why::Refused { code: 404 });
    let states = [
        ("waiting", t(0), waiting(Tries::None)),
        ("waiting, 3 tries", t(0), waiting(Tries::Failed { times: 3, why: down })),
        ("waiting, 99 tries", t(0), waiting(Tries::Failed { times: 99, why: down })),
        ("waiting, for a day", t(100 - 86_400), waiting(Tries::None)),
        ("sent", t(0), NoticeState::Sent { at: t(50) }),
        ("given up", t(0), NoticeState::GivenUp { at: t(50), tries: 1, why: no }),
        ("moot", t(0), NoticeState::Moot { at: t(50) }),
    ];
    let events = [
        ("delivered", NoticeEvent::Delivered),
        ("failed, may pass", NoticeEvent::Failed { why: down, wait: Wait::Usual }),
        ("asks for a minute", NoticeEvent::Failed { why: down, wait: Wait::AtLeast(Span::from_secs(60)) }),
        ("asks for a day", NoticeEvent::Failed { why: down, wait: Wait::AtLeast(Span::from_mins(24 * 60)) }),
        ("failed for good", NoticeEvent::Failed { why: no, wait: Wait::Usual }),
        ("moot", NoticeEvent::Moot),
    ];
    let mut table = String::new();
    for (from, made, state) in &states {
        for (what, event) in events {
            let notice = Notice {
                id: NoticeId::new(t(0), [1; 10]),
                news: News::Trial,
                hearer: Hearer::Room,
                channel: name("room"),
                made: *made,
                state: state.clone(),
            };
            let mut line = format!("{from:18} | {what:17} | ");
            cell(&mut line, notice.apply(event, t(100)).map(|n| notice_word(&n.state)));
            table.push_str(&line);
            table.push('\n');
        }
    }
    insta::assert_snapshot!(table);
}

fn notice_word(state: &NoticeState) -> String {
    match state {
        NoticeState::Waiting { next, so_far } => {
            format!("waiting, {} tries, next in {}", so_far.times(), next.since(t(100)))
        }
        NoticeState::GivenUp { tries, .. } => format!("given_up, {tries} tries"),
        NoticeState::Sent { .. } | NoticeState::Moot { .. } => state.word().to_owned(),
    }
}
