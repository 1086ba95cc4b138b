//! From the command line to the verb of a client.

use daypass_api::requests::WhichRequests;

use super::{SessionVerb, Verb};
use crate::{
    client::calls::{WhichChanges, Whose},
    failure::Failure,
    mcp,
    verbs::{
        Context, ambient, answering, asking, changes, connect, directories, emergency, exec, factors, grants, ledger,
        notices, people, policy, resources, sessions, show, signals, signin, tokens, trust,
    },
};

/// Does what a client does: it comes in as whoever this runs as, and goes on to the verb.
pub(super) async fn client_verb(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match &verb {
        // An agent comes in by itself, and never as the person who is signed in here.
        Verb::Setup(_) | Verb::Login(_) | Verb::Logout | Verb::Accept(_) | Verb::Mcp(_) => {}
        Verb::Run(args) => ambient::come_in(context, Some(&args.svid)).await?,
        _ => ambient::come_in(context, None).await?,
    }
    match verb {
        Verb::Setup(args) => signin::setup(context, args).await,
        Verb::Login(args) => signin::login(context, args).await,
        Verb::Logout => signin::logout(context).await,
        Verb::Accept(args) => signin::accept(context, args).await,
        Verb::Whoami => signin::whoami(context).await,
        Verb::Password(args) => factors::password(context, args).await,
        Verb::Totp(verb) => factors::totp(context, verb).await,
        Verb::SecondFactor { code } => factors::second_factor(context, code).await,
        Verb::Factors => factors::list(context).await,
        Verb::RecoveryCodes(args) => factors::recovery_codes(context, args).await,
        Verb::Resources { name } => resources::resources(context, name).await,
        Verb::Apply(args) => resources::apply(context, args).await,
        Verb::Doctor { resource } => resources::doctor(context, &resource).await,
        Verb::Who { resource } => resources::who(context, &resource).await,
        Verb::Request(args) => asking::request(context, args).await,
        Verb::Explain(args) => asking::explain(context, args).await,
        Verb::Requests(args) => {
            let which = if args.to_answer { WhichRequests::ToAnswer } else { WhichRequests::Mine };
            asking::requests(context, which).await
        }
        Verb::Inbox => asking::requests(context, WhichRequests::ToAnswer).await,
        Verb::Show { id } | Verb::Session(SessionVerb::Show { id }) => show::show(context, &id).await,
        Verb::Approve(args) => answering::approve(context, args).await,
        Verb::Confirm(args) => answering::confirm(context, args).await,
        Verb::Deny(args) => answering::deny(context, args).await,
        Verb::Withdraw { id } => asking::withdraw(context, &id).await,
        Verb::Exec(args) => exec::exec(context, args).await,
        Verb::Look { id } => exec::look(context, &id).await,
        Verb::WithdrawApproval { id } => answering::withdraw_approval(context, &id).await,
        Verb::Grants { all } => grants::list(context, whose(all)).await,
        Verb::Extend(args) => grants::extend(context, args).await,
        Verb::Release { id } => grants::release(context, &id).await,
        Verb::Revoke(args) => grants::revoke(context, args).await,
        Verb::Connect(args) => connect::connect(context, args).await,
        Verb::Run(args) => connect::run(context, args).await,
        Verb::Mcp(args) => mcp::mcp(context, args).await,
        Verb::Sessions { all } => sessions::list(context, whose(all)).await,
        Verb::Session(SessionVerb::Kill { id }) => sessions::kill(context, &id).await,
        Verb::Users => people::user(context, people::UserVerb::List).await,
        Verb::Groups => people::group(context, people::GroupVerb::List).await,
        Verb::Tokens => tokens::token(context, tokens::TokenVerb::List { workload: None }).await,
        Verb::User(verb) => people::user(context, verb).await,
        Verb::Invite(args) => people::invite(context, args).await,
        Verb::Workload(verb) => people::workload(context, verb).await,
        Verb::Group(verb) => people::group(context, verb).await,
        Verb::Directory(verb) => directories::directory(context, verb).await,
        Verb::Signals(verb) => signals::signals(context, verb).await,
        Verb::EmergencyKit(verb) => emergency::kit(context, verb).await,
        Verb::Token(verb) => tokens::token(context, verb).await,
        Verb::Policy(verb) => policy::policy(context, verb).await,
        Verb::Trust(verb) => trust::trust(context, verb).await,
        Verb::Changes { all } => {
            changes::list(context, if all { WhichChanges::All } else { WhichChanges::Pending }).await
        }
        Verb::Reject { id } => changes::reject(context, &id).await,
        Verb::Notices(args) => notices::notices(context, args).await,
        Verb::Ledger(verb) => ledger::ledger(context, verb).await,
        Verb::Serve(_) | Verb::Demo(_) | Verb::Backup(_) | Verb::Restore(_) | Verb::Completions { .. } => Ok(()),
    }
}

fn whose(all: bool) -> Whose {
    if all { Whose::All } else { Whose::Mine }
}
