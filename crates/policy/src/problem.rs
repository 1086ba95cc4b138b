//! What is wrong with policies, and where.

use std::fmt;

use cedar_policy::ParseErrors;
use miette::Diagnostic;

/// Something about a policy that somebody should change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PolicyProblem {
    /// The file, by the name it was given under.
    pub file: String,
    /// Where in it.
    pub place: Place,
    /// The policy, by its id, where it is known.
    pub policy: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

/// A place in a file. Lines and columns count from 1; a column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl Place {
    /// The start of a file.
    pub const START: Self = Self { line: 1, column: 1 };

    /// Of a byte in a text; the end of the text when it has fewer bytes.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column }
    }
}

/// `lab.cedar:3:5: in policy lab-reason: what. What to do.`
impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.place.line, self.place.column)?;
        if let Some(policy) = &self.policy {
            write!(f, "in policy {policy}: ")?;
        }
        write!(f, "{} {}", sentence(&self.what), sentence(&self.help))
    }
}

const SEE: &str = "What a policy can read is in docs/policy.md";

/// What the parser says against a file, one problem an error.
pub(crate) fn of_parsing(file: &str, text: &str, errors: &ParseErrors) -> Vec<PolicyProblem> {
    errors.iter().map(|e| of_diagnostic(file, text, None, e, "Correct the syntax there")).collect()
}

/// What Cedar's validator says against one policy.
pub(crate) fn of_validation(file: &str, text: &str, policy: &str, said: &dyn Diagnostic) -> PolicyProblem {
    of_diagnostic(file, text, Some(policy), said, SEE)
}

fn of_diagnostic(
    file: &str,
    text: &str,
    policy: Option<&str>,
    said: &dyn Diagnostic,
    otherwise: &str,
) -> PolicyProblem {
    let label = said.labels().and_then(|mut all| all.next());
    let place = label.as_ref().map_or(Place::START, |l| Place::of(text, l.offset()));
    let mut what = said.to_string();
    // Messages of the validator begin by naming the policy, which is said already.
    if let Some(policy) = policy {
        let leads = [format!("for policy `{policy}`, "), format!("for policy `{policy}`: ")];
        what = leads.iter().find_map(|lead| what.strip_prefix(lead.as_str())).unwrap_or(&what).to_owned();
    }
    if let Some(label) = label.as_ref().and_then(|l| l.label()) {
        what = format!("{what} ({label})");
    }
    let help =
        said.help().map_or_else(|| otherwise.to_owned(), |h| format!("{} {otherwise}", sentence(&h.to_string())));
    PolicyProblem { file: file.to_owned(), place, policy: policy.map(ToOwned::to_owned), what, help }
}

/// With a full stop, unless it ends in one already, or in another mark.
fn sentence(text: &str) -> String {
    let ended = text.ends_with(['.', '?', '!']);
    format!("{text}{}", if ended { "" } else { "." })
}
