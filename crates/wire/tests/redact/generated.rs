//! Statements put together at random around a secret.

use daypass_wire::postgres::redact::{mentions_password, redact, redact_value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Bytes that no generated statement has, so that finding them means a leak.
const SECRET: &str = "Zq7Zq7";

fn gap() -> impl Strategy<Value = String> {
    select(vec![" ", "\n", "\t ", " /* c */ ", " /* 'a /* b */ */ ", " -- it's\n", "  "]).prop_map(String::from)
}

/// A password with the secret and what needs quoting.
fn password() -> impl Strategy<Value = String> {
    let noise = "[a-z0-9 '\\\\\"$;éソ-]{0,6}";
    (noise, noise).prop_map(|(before, after)| format!("{before}{SECRET}{after}"))
}

/// The ways to write a string.
fn literal() -> impl Strategy<Value = String> {
    let doubled = |text: &str| text.replace('\'', "''");
    prop_oneof![
        password().prop_map(move |p| format!("'{}'", doubled(&p))),
        password().prop_map(|p| format!("E'{}'", p.replace('\\', "\\\\").replace('\'', "\\'"))),
        password().prop_map(move |p| format!("e'{}'", doubled(&p.replace('\\', "\\\\")))),
        password().prop_map(move |p| format!("U&'{}'", doubled(&p.replace('\\', "\\\\")))),
        password().prop_map(move |p| format!("'x'\n'{}'", doubled(&p))),
        password().prop_map(|p| format!("$${}$$", p.replace('$', ""))),
        (password(), "[a-z_]{1,5}").prop_map(|(p, tag)| format!("${tag}${}${tag}$", p.replace('$', ""))),
    ]
}

fn cased(word: &'static str) -> impl Strategy<Value = String> {
    vec(any::<bool>(), word.len()).prop_map(move |upper| {
        word.chars().zip(upper).map(|(c, upper)| if upper { c.to_ascii_uppercase() } else { c }).collect()
    })
}

fn verb() -> impl Strategy<Value = String> {
    prop_oneof![cased("alter"), cased("create")]
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["a", "\"a b\"", "\"it's\"", "\"a\"\"b\"", "U&\"\\0061\"", "été", "a$1", "password_admin", "e"])
        .prop_map(String::from)
}

fn role() -> impl Strategy<Value = String> {
    let object = prop_oneof![cased("role"), cased("user"), cased("group")];
    let option = || select(vec!["", "LOGIN", "ENCRYPTED", "VALID UNTIL 'x' ", "IN ROLE b", "CONNECTION LIMIT 3"]);
    (verb(), gap(), object, gap(), name(), (gap(), option(), gap()), cased("password"), gap(), literal(), option())
        .prop_map(|(verb, g1, object, g2, name, (g3, before, g4), password, g5, literal, after)| {
            format!("{verb}{g1}{object}{g2}{name}{g3}{before}{g4}{password}{g5}{literal} {after}")
        })
}

fn options() -> impl Strategy<Value = String> {
    let object = select(vec!["USER MAPPING FOR a SERVER s", "SERVER s", "FOREIGN DATA WRAPPER w"]);
    let option =
        select(vec!["password", "PASSWORD", "\"password\"", "SET password", "ADD sslpassword", "api_key", "secret"]);
    (verb(), gap(), object, gap(), option, gap(), literal()).prop_map(|(verb, g1, object, g2, option, g3, literal)| {
        format!("{verb}{g1}{object} OPTIONS{g2}(host 'h', {option}{g3}{literal}, port '5')")
    })
}

fn connection() -> impl Strategy<Value = String> {
    let strings = select(vec![
        format!("host=h password={SECRET} user=u"),
        format!("password = '{SECRET}'"),
        format!("postgresql://u:{SECRET}@h/d"),
        format!("postgres://h/d?password={SECRET}"),
    ]);
    let quoted = (strings, 0..4).prop_map(|(string, how)| match how {
        0 => format!("'{}'", string.replace('\'', "''")),
        1 => format!("E'{}'", string.replace('\'', "\\'")),
        2 => format!("$${string}$$"),
        _ => format!("$t${string}$t$"),
    });
    let around = select(vec![
        "SELECT dblink_connect(@)",
        "CREATE SUBSCRIPTION s CONNECTION @ PUBLICATION p",
        "SET x = @",
        "SELECT 'a', @, 'b'",
    ]);
    (around, quoted).prop_map(|(around, quoted)| around.replace('@', &quoted))
}

/// SQL in SQL.
fn nested() -> impl Strategy<Value = String> {
    let inner = prop_oneof![3 => role(), 1 => options(), 1 => connection()];
    inner.prop_recursive(3, 8, 1, |inner| {
        (inner, 0..5).prop_map(|(sql, how)| match how {
            0 => format!("DO {0}{sql}{0}", tag(&sql)),
            1 => format!("DO {0} BEGIN {sql}; END {0}", tag(&sql)),
            2 => format!("EXECUTE '{}'", sql.replace('\'', "''")),
            3 => format!("EXECUTE E'{}'", sql.replace('\\', "\\\\").replace('\'', "\\'")),
            _ => format!("SELECT 'x\\\\', \"q\", 1; {sql}; SELECT 'y'"),
        })
    })
}

/// A dollar quote that isn't in this text: what is nested is longer each time.
fn tag(sql: &str) -> String {
    format!("$q{}$", sql.len())
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle.as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]

    #[test]
    fn a_secret_never_comes_out(sql in nested(), before in select(vec!["", "SELECT 'a''b', $1; ", "BEGIN; ", "/* x */ "])) {
        let sql = format!("{before}{sql}");
        let clean = redact(sql.as_bytes());
        prop_assert!(!holds(&clean, SECRET), "{}\n=> {}", sql, String::from_utf8_lossy(&clean));
        prop_assert!(!holds(&redact_value(sql.as_bytes()), SECRET));
    }

    /// A text that was cut in the middle of a password.
    #[test]
    fn nor_any_of_its_beginning(sql in role(), cut in any::<prop::sample::Index>()) {
        let at = sql.find(SECRET).unwrap();
        let end = at + 1 + cut.index(SECRET.len());
        let clean = redact(&sql.as_bytes()[..end]);
        prop_assert!(!holds(&clean, &SECRET[..1]), "{}\n=> {}", &sql[..end], String::from_utf8_lossy(&clean));
    }

    /// What is left is the text's own, in order.
    #[test]
    fn nothing_is_added_and_twice_is_once(parts in vec(select(TOKENS.to_vec()), 0..40)) {
        let sql = parts.concat();
        let clean = redact(&sql).into_owned();
        let mut rest = &sql[..];
        for part in clean.split_str(b"'[redacted]'") {
            let at = (0..=rest.len()).find(|at| rest[*at..].starts_with(part));
            prop_assert!(at.is_some(), "{}", String::from_utf8_lossy(&clean));
            rest = &rest[at.unwrap() + part.len()..];
        }
        if clean != sql {
            prop_assert!(holds(&clean, "'[redacted]'"));
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300), parts in vec(select(TOKENS.to_vec()), 0..40)) {
        for text in [&bytes[..], &parts.concat()[..], &[&parts.concat()[..], &bytes[..]].concat()[..]] {
            redact(text);
            redact_value(text);
            mentions_password(text);
        }
    }
}

const TOKENS: [&[u8]; 36] = [
    b"'",
    b"\"",
    b"$$",
    b"$a$",
    b"$",
    b"\\",
    b"/*",
    b"*/",
    b"--",
    b"\n",
    b" ",
    b";",
    b"(",
    b")",
    b",",
    b"=",
    b"E'",
    b"U&'",
    b"U&\"",
    b"password",
    b"PASSWORD ",
    b"alter ",
    b"role ",
    b"subscription ",
    b"connection ",
    b"://",
    b"@",
    b":",
    b"?",
    b"\x83",
    b"\x83\\",
    b"secret",
    b"options",
    b"postgres",
    b"x",
    b"7",
];

trait SplitStr {
    fn split_str(&self, by: &[u8]) -> Vec<&[u8]>;
}

impl SplitStr for [u8] {
    fn split_str(&self, by: &[u8]) -> Vec<&[u8]> {
        let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
        while at + by.len() <= self.len() {
            if &self[at..at + by.len()] == by {
                parts.push(&self[from..at]);
                at += by.len();
                from = at;
            } else {
                at += 1;
            }
        }
        parts.push(&self[from..]);
        parts
    }
}
