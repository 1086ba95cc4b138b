//! From files to policies: parsing, strict validation, ids, and what else is refused.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    str::FromStr,
};

use cedar_policy::{Policy, PolicyId, PolicySet as Cedar, ValidationMode, Validator};

use crate::{
    problem::{self, Place, PolicyProblem},
    quorum::Quorum,
    schema::{self, EntityKind},
    set::{BYTES_MAX, FILES_MAX},
};

/// The longest `@id`, and the longest `@why`, in bytes.
const ANNOTATION_MAX: usize = 400;

/// How deep brackets may nest in a policy. Deeper is never written by people, and exhausts stacks.
const NESTING_MAX: usize = 64;

/// The longest policy, with the comments before it.
const POLICY_BYTES_MAX: usize = 8 << 10;

/// The most operators in a policy that a chain can be made of (`&&`, `||`, `+`, `-`, `*`, `if`): each makes the parsed
/// policy a level deeper, and judging it as well. Lists in brackets count nothing.
const OPERATORS_MAX: usize = 128;

/// The most dots in a policy: a chain of them is deep too, though no attribute of the schema is.
const DOTS_MAX: usize = 512;

pub(crate) type Read = Vec<(Policy, String, Place)>;

/// Reads all files.
pub(crate) fn read(files: &BTreeMap<String, String>) -> Result<Read, Vec<PolicyProblem>> {
    let mut problems = too_much(files);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut policies: Read = Vec::new();
    for (file, text) in files {
        match read_file(file, text) {
            Ok(found) => policies.extend(found),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        problems.extend(same_ids(&policies));
    }
    if problems.is_empty() {
        problems.extend(validate(files, &policies));
    }
    if problems.is_empty() {
        return Ok(policies);
    }
    problems.sort_by(|a, b| (&a.file, a.place, &a.what).cmp(&(&b.file, b.place, &b.what)));
    Err(problems)
}

fn problem(file: &str, place: Place, what: String, help: &str) -> PolicyProblem {
    PolicyProblem { file: file.to_owned(), place, policy: None, what, help: help.to_owned() }
}

fn too_much(files: &BTreeMap<String, String>) -> Vec<PolicyProblem> {
    let bytes: usize = files.values().map(String::len).sum();
    let mut problems = Vec::new();
    if files.len() > FILES_MAX {
        let what = format!("there are {} policy files, and at most {FILES_MAX} are read", files.len());
        problems.push(problem("(all files)", Place::START, what, "Put several policies into one file"));
    }
    if bytes > BYTES_MAX {
        let what = format!("the policy files hold {bytes} bytes, and at most {BYTES_MAX} are read");
        problems.push(problem(
            "(all files)",
            Place::START,
            what,
            "Say with groups and labels what names say one by one",
        ));
    }
    problems
}

fn read_file(file: &str, text: &str) -> Result<Read, Vec<PolicyProblem>> {
    if let Some(found) = outsized(file, text) {
        return Err(vec![found]);
    }
    let parsed = Cedar::from_str(text).map_err(|errors| problem::of_parsing(file, text, &errors))?;
    let mut problems = Vec::new();
    for template in parsed.templates() {
        let place = Place::of(text, text.find(&template.to_cedar()).unwrap_or(0));
        let what = "it is a template: it has a ?principal or ?resource to fill in".to_owned();
        problems.push(problem(file, place, what, "Name a group or a resource instead"));
    }
    let mut found: Vec<&Policy> = parsed.policies().collect();
    // The parser numbers them as they come: policy0, policy1, ...
    found.sort_by_key(|p| p.id().to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX));
    let (mut policies, mut from) = (Vec::new(), 0);
    for (index, policy) in found.into_iter().enumerate() {
        let source = policy.to_cedar().unwrap_or_default();
        let start = text[from..].find(&source).map_or(from, |at| from + at);
        from = (start + source.len()).min(text.len());
        let place = Place::of(text, start);
        let id = match policy.annotation("id") {
            Some(id) if !id.is_empty() => id.to_owned(),
            Some(_) | None => format!("{file}#{}", index + 1),
        };
        problems.extend(check(file, text, place, start, &source, policy).into_iter().map(|mut p| {
            p.policy = Some(id.clone());
            p
        }));
        policies.push((policy.new_id(PolicyId::new(id)), file.to_owned(), place));
    }
    if problems.is_empty() { Ok(policies) } else { Err(problems) }
}

/// What is wrong with one policy, besides what Cedar itself finds.
fn check(file: &str, text: &str, place: Place, start: usize, source: &str, policy: &Policy) -> Vec<PolicyProblem> {
    let mut problems = Vec::new();
    for (key, value) in policy.annotations() {
        let odd = value.len() > ANNOTATION_MAX || value.chars().any(char::is_control);
        if (key == "id" || key == "why") && odd {
            let what =
                format!("its @{key} has line breaks or other control characters, or over {ANNOTATION_MAX} bytes");
            problems.push(problem(file, place, what, "It is shown to people: keep it to one short line"));
        }
        if key != "id" && key != "why" {
            let what = format!("it has an annotation @{key}, which means nothing here");
            problems.push(problem(file, place, what, "Use @id and @why, and comments (//) for the rest"));
        }
    }
    for uid in policy.entity_literals() {
        let Some(name) = schema::id_of(EntityKind::Quorum, &uid) else { continue };
        if let Err(bad) = name.parse::<Quorum>() {
            let within = source.find(&format!("Quorum::\"{name}\"")).unwrap_or(0);
            let what = format!("`{}` isn't a quorum: {bad}", name.escape_default());
            let help = "Write counts and groups, like Quorum::\"1 dba-leads, 1 security\", or Quorum::\"2 anyone\"";
            problems.push(problem(file, Place::of(text, start + within), what, help));
        }
    }
    problems
}

fn same_ids(policies: &Read) -> Vec<PolicyProblem> {
    let mut first: BTreeMap<String, (&str, Place)> = BTreeMap::new();
    let mut problems = Vec::new();
    for (policy, file, place) in policies {
        match first.entry(policy.id().to_string()) {
            Entry::Vacant(free) => drop(free.insert((file, *place))),
            Entry::Occupied(taken) => {
                let (other, at) = taken.get();
                let what =
                    format!("another policy has the id `{}` too, at {other}:{}:{}", taken.key(), at.line, at.column);
                problems.push(problem(file, *place, what, "Give each policy an @id of its own"));
            }
        }
    }
    problems
}

/// Cedar's strict validation. Its warnings count as well: a policy that can never apply is a `forbid` that forbids
/// nothing, and letters that look like others are no accident.
fn validate(files: &BTreeMap<String, String>, policies: &Read) -> Vec<PolicyProblem> {
    let set = match Cedar::from_policies(policies.iter().map(|(p, _, _)| p.clone())) {
        Ok(set) => set,
        Err(e) => {
            return vec![problem("(all files)", Place::START, e.to_string(), "Give each policy an @id of its own")];
        }
    };
    let result = Validator::new(schema::PARSED.clone()).validate(&set, ValidationMode::Strict);
    let places: BTreeMap<String, (&str, Place)> =
        policies.iter().map(|(p, file, place)| (p.id().to_string(), (file.as_str(), *place))).collect();
    let told = |id: &PolicyId, said: &dyn miette::Diagnostic| {
        let id = id.to_string();
        let (file, place) = places.get(&id).copied().unwrap_or(("(all files)", Place::START));
        let text = files.get(file).map_or("", String::as_str);
        let mut found = problem::of_validation(file, text, &id, said);
        if found.place == Place::START {
            found.place = place;
        }
        found
    };
    let mut problems: Vec<PolicyProblem> = result.validation_errors().map(|e| told(e.policy_id(), e)).collect();
    let wrong: BTreeSet<Option<String>> = problems.iter().map(|p| p.policy.clone()).collect();
    // That a policy with an error in it can never apply is no news.
    let warnings = result.validation_warnings().map(|w| told(w.policy_id(), w));
    problems.extend(warnings.filter(|w| !wrong.contains(&w.policy)));
    problems
}

/// Refuses what would exhaust the stack of the parser or the evaluator, before it is parsed. Strings and comments don't
/// count, except in length.
fn outsized(file: &str, text: &str) -> Option<PolicyProblem> {
    let mut size = Size::default();
    let (mut start, mut before, mut rest) = (0, ' ', text.char_indices().peekable());
    while let Some((at, c)) = rest.next() {
        let next = rest.peek().map_or(' ', |(_, c)| *c);
        match c {
            '"' => skip_string(&mut rest),
            '/' if next == '/' => while rest.next().is_some_and(|(_, c)| c != '\n') {},
            ';' => (start, size) = (at + 1, Size::default()),
            c => size.count(before, c, &text[at..]),
        }
        before = c;
        if let Some((what, help)) = size.excess(at.saturating_sub(start)) {
            let first = text[start..].find(|c: char| !c.is_whitespace()).map_or(start, |skip| start + skip);
            return Some(problem(file, Place::of(text, first), what, help));
        }
    }
    None
}

/// How large a policy is so far.
#[derive(Default)]
struct Size {
    depth: usize,
    operators: usize,
    dots: usize,
}

impl Size {
    fn count(&mut self, before: char, c: char, from_here: &str) {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        match c {
            '(' | '[' | '{' => self.depth += 1,
            ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
            '+' | '-' | '*' => self.operators += 1,
            '&' | '|' if before == c => self.operators += 1,
            'i' if !word(before) && from_here.starts_with("if") && !from_here[2..].starts_with(word) => {
                self.operators += 1;
            }
            '.' => self.dots += 1,
            _ => {}
        }
    }

    /// What is too much, and what to do.
    fn excess(&self, bytes: usize) -> Option<(String, &'static str)> {
        let over = |n, most, what| (n > most).then(|| format!("the policy that begins here has over {most} {what}"));
        let flat = "Write it flatter, or as several policies";
        let list = "Split it, compare with a list (`[\"a\", \"b\"].contains(...)`), or say with a group what it lists";
        let deep = over(self.depth, NESTING_MAX, "brackets within each other").map(|what| (what, flat));
        deep.or_else(|| over(self.operators, OPERATORS_MAX, "operators").map(|what| (what, list)))
            .or_else(|| over(self.dots, DOTS_MAX, "dots").map(|what| (what, list)))
            .or_else(|| over(bytes, POLICY_BYTES_MAX, "bytes").map(|what| (what, list)))
    }
}

/// Skips to behind the closing quote.
fn skip_string(rest: &mut impl Iterator<Item = (usize, char)>) {
    while let Some((_, c)) = rest.next() {
        match c {
            '\\' => drop(rest.next()),
            '"' => return,
            _ => {}
        }
    }
}
