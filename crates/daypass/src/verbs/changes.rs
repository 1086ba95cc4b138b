//! Changes to what decisions read (I12): done at once, or pending until another administrator approves.

use daypass_api::changes::{ChangeDetail, Handed, Outcome, Proposed, Standing};

use super::{
    Context,
    output::{self, Rows},
    words,
};
use crate::{
    client::calls::{self, WhichChanges},
    failure::{Exit, Failure},
    say,
};

/// Shows what came of a change. That it waits for another administrator is an answer with an exit code of its own.
pub fn finish(context: &Context, proposed: &Proposed) -> Result<(), Failure> {
    context.format.show(proposed, proposed_words)?;
    match &proposed.outcome {
        Outcome::Planned | Outcome::NothingToDo | Outcome::Done => Ok(()),
        Outcome::Pending { change, .. } => Err(Failure::new(
            Exit::Pending,
            "it isn't done yet: another administrator has to approve it",
            format!("they: daypass approve {}", say::shown(change.as_str())),
        )),
    }
}

/// What came of a change, for people.
pub fn proposed_words(proposed: &Proposed) -> String {
    let mut lines: Vec<String> = proposed.plan.iter().map(|line| format!("  {}", say::shown(line))).collect();
    lines.extend(proposed.warnings.iter().map(|line| format!("  warning: {}", say::shown(line))));
    lines.push(match &proposed.outcome {
        Outcome::Planned => "Nothing was done: this is a plan.".to_owned(),
        Outcome::NothingToDo => "Nothing to do.".to_owned(),
        Outcome::Done => "Done.".to_owned(),
        Outcome::Pending { change, expires } => format!(
            "Pending until {}: another administrator has to approve it with\n  daypass approve {change}",
            words::until(*expires)
        ),
    });
    match &proposed.handed {
        None => {}
        Some(Handed::Invitation { code }) => {
            lines.push(format!("Their invitation, good once:\n  daypass accept {}", code.expose()));
        }
        Some(Handed::InvitationHalf { half }) => lines.push(format!(
            "Your half of their invitation (the other administrator has the other one; both, with a dot between, are the \
             code):\n  {}",
            half.expose()
        )),
        Some(Handed::Kit { kit, files }) => {
            let names: Vec<&str> = files.iter().map(|file| file.holder.as_str()).collect();
            lines.push(format!(
                "{kit}, for {}: it opens nothing before the change is done, and the target has it.",
                say::shown(&names.join(" and "))
            ));
        }
        Some(Handed::Token { token }) => lines.push(format!("The token, shown once:\n  {}", token.expose())),
    }
    lines.join("\n")
}

/// Lists changes.
pub async fn list(context: &Context, which: WhichChanges) -> Result<(), Failure> {
    let changes = calls::changes(&context.api()?, which).await?;
    context.format.show(&changes, |changes| {
        let mut rows = Rows::new(&["id", "what", "by", "state"], "No change waits.");
        for change in changes {
            let state = words::change_state(&change.state);
            rows.row([&change.id.to_string(), &change.subject, &change.proposer, &state]);
        }
        rows.text()
    })
}

/// One change, for people.
pub fn shown(detail: &ChangeDetail) -> String {
    let standing = match &detail.standing {
        Standing::Fine => "can be approved as it is".to_owned(),
        Standing::Outdated { why } => format!("can't be approved any more: {why}"),
        Standing::Over => "over".to_owned(),
    };
    let fields = output::fields(&[
        ("change", detail.change.id.to_string()),
        ("what", detail.change.subject.clone()),
        ("by", detail.change.proposer.clone()),
        ("state", words::change_state(&detail.change.state)),
        ("standing", standing),
        ("digest", detail.change.digest.clone()),
    ]);
    let plan: Vec<String> = detail.plan.iter().map(|line| format!("  {}", say::shown(line))).collect();
    format!("{fields}\n{}", plan.join("\n"))
}

/// Says no to a change, or takes one's own back.
pub async fn reject(context: &Context, id: &str) -> Result<(), Failure> {
    calls::reject_change(&context.api()?, id).await?;
    say::note(&format!("{} is rejected.", say::shown(id)));
    Ok(())
}
