//! Whether leaving a group may *give* access: when a policy holds membership against somebody.
//!
//! Taking away never waits for a second person, so leaving a group is done at once; unless a policy could read it as
//! giving: a `forbid` on the group, a `permit ... unless`, a negation. That is found by reading the policies' text,
//! erring toward yes. Whoever must act at once all the same disables the account, or revokes.

use std::collections::BTreeMap;

use daypass_domain::Name;

/// Whether leaving this group, or its going, may give under these policies.
pub(crate) fn leaving_may_give(files: &BTreeMap<String, String>, group: &Name) -> bool {
    files.values().flat_map(|text| statements(text)).any(|clauses| {
        let forbids = clauses.first().is_some_and(|scope| scope.has("forbid"));
        clauses.iter().any(|clause| clause.mentions(group) && (forbids != clause.unless || clause.is_intricate()))
    })
}

/// A part of a policy: its scope, a `when` or an `unless`; its words and signs without comments, and its strings.
#[derive(Default)]
struct Clause {
    unless: bool,
    tokens: Vec<String>,
    strings: Vec<String>,
}

impl Clause {
    fn has(&self, token: &str) -> bool {
        self.tokens.iter().any(|t| t == token)
    }

    /// By name, alone or in a quorum; or as the owner of a resource, which may be any group. An escape in a string could
    /// spell any name.
    fn mentions(&self, group: &Name) -> bool {
        let names = |s: &String| s.contains('\\') || s.split([' ', ',']).any(|word| word == group.as_str());
        self.strings.iter().any(names) || self.has("owner")
    }

    /// Whether it has anything by which a membership that is lost could make it true.
    fn is_intricate(&self) -> bool {
        let compares_a_truth = self.tokens.windows(2).any(|w| {
            let [a, b] = w else { return false };
            (a == ")" && b == "=") || (a == "=" && b == "(")
        });
        self.has("!") || self.has("if") || self.has("false") || compares_a_truth
    }
}

/// The clauses of each policy.
fn statements(text: &str) -> Vec<Vec<Clause>> {
    let mut all = vec![vec![Clause::default()]];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(clauses) = all.last_mut() else { break };
        let Some(clause) = clauses.last_mut() else { break };
        match c {
            '"' => {
                let mut string = String::new();
                while let Some(inside) = chars.next() {
                    match inside {
                        '"' => break,
                        '\\' => {
                            string.push('\\');
                            string.extend(chars.next());
                        }
                        plain => string.push(plain),
                    }
                }
                clause.strings.push(string);
            }
            '/' if chars.peek() == Some(&'/') => {
                for skipped in chars.by_ref() {
                    if skipped == '\n' {
                        break;
                    }
                }
            }
            ';' => all.push(vec![Clause::default()]),
            letter if is_word(letter) => {
                let mut word = String::from(letter);
                while let Some(next) = chars.next_if(|n| is_word(*n)) {
                    word.push(next);
                }
                match word.as_str() {
                    "when" | "unless" => clauses.push(Clause { unless: word == "unless", ..Clause::default() }),
                    _ => clause.tokens.push(word),
                }
            }
            space if space.is_whitespace() => {}
            sign => clause.tokens.push(sign.to_string()),
        }
    }
    all
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gives(policy: &str) -> bool {
        let files = BTreeMap::from([("a.cedar".to_owned(), policy.to_owned())]);
        leaving_may_give(&files, &"suspended".parse().unwrap())
    }

    #[test]
    fn a_group_that_is_held_against_its_members_is_found() {
        for policy in [
            r#"forbid (principal in Group::"suspended", action, resource);"#,
            r#"permit (principal, action, resource) unless { principal in Group::"suspended" };"#,
            r#"permit (principal, action, resource) when { !(principal in Group :: "suspended") };"#,
            r#"forbid (principal in Group::"\u{73}uspended", action, resource);"#,
            r#"permit (principal, action, resource) when { if principal in Group::"suspended" then false else true };"#,
            r#"permit (principal, action, resource) when { (principal in Group::"suspended") == context.x };"#,
            r#"forbid (principal, action, resource) unless { !(principal in Group::"suspended") };"#,
            r#"forbid (principal, action, resource) when { context.now.quorums.contains(Quorum::"1 a, 1 suspended") };"#,
            "forbid (principal, action, resource) when { principal in resource.owner };",
            r#"permit (principal, action, resource); // ; "
               forbid (principal in Group::"suspended", action, resource);"#,
        ] {
            assert!(gives(policy), "{policy}");
        }
    }

    #[test]
    fn a_group_that_only_gives_to_its_members_is_left_at_once() {
        for policy in [
            r#"permit (principal in Group::"suspended", action, resource);"#,
            r#"forbid (principal in Group::"others", action, resource);"#,
            r#"forbid (principal, action, resource) unless { principal in Group::"suspended" };"#,
            r#"forbid (principal, action, resource) unless { context.now.quorums.contains(Quorum::"1 suspended") };"#,
            r#"permit (principal, action, resource); // forbid Group::"suspended""#,
            r#"permit (principal in Group::"suspended", action, resource); forbid (principal in Group::"b", action, resource);"#,
            r#"@why("not ; this") permit (principal in Group::"suspended", action, resource)
               when { resource.classification.contains(Classification::"pii") && principal == User::"a" };"#,
        ] {
            assert!(!gives(policy), "{policy}");
        }
    }
}
