//! Passwords in SQL: a table of cases, and generated ones.

mod generated;

use daypass_wire::postgres::redact::{mentions_password, redact, redact_value};

fn clean(sql: &[u8]) -> String {
    String::from_utf8_lossy(&redact(sql)).into_owned()
}

/// Each case, and what is written down.
fn table(cases: &[&str]) -> String {
    cases.iter().map(|sql| format!("{sql}\n=> {}\n", clean(sql.as_bytes()))).collect()
}

#[test]
fn roles() {
    insta::assert_snapshot!(table(&[
        "ALTER ROLE a PASSWORD 'hunter2'",
        "alter user a with encrypted password 'hunter2' valid until '2030-01-01'",
        "CREATE ROLE a LOGIN UNENCRYPTED PASSWORD 'hunter2' CONNECTION LIMIT 5",
        "CREATE GROUP a PASSWORD'hunter2'NOLOGIN",
        "ALTER ROLE a PASSWORD NULL",
        "ALTER ROLE a PASSWORD NULL VALID UNTIL '2030-01-01'",
        "ALTER ROLE a PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5'",
        "ALTER ROLE a PASSWORD 'it''s hunter2'",
        "ALTER ROLE a PASSWORD 'hun'\n  'ter2'",
        "ALTER ROLE a PASSWORD E'hun\\'ter2'",
        "ALTER ROLE a PASSWORD U&'hunter\\0032'",
        "ALTER ROLE a PASSWORD u&'hunter!0032' UESCAPE '!'",
        "ALTER ROLE a PASSWORD $$hunter2$$",
        "ALTER ROLE a PASSWORD $x$hun$$ter2$x$ LOGIN",
        "ALTER ROLE a /* 'x' */ PASSWORD /* why /* not */ */ 'hunter2' -- done",
        "ALTER ROLE a PASSWORD -- 'old'\n'hunter2'",
        "ALTER ROLE a PASSWORD $1",
        "ALTER ROLE password_admin RENAME TO bob",
        "ALTER ROLE \"the password\" LOGIN",
        "ALTER ROLE a PASSWORD 'one'; ALTER ROLE b PASSWORD 'two'; SELECT 'three'",
        "ALTER ROLE a SET search_path = 'public'",
    ]));
}

#[test]
fn mistakes() {
    insta::assert_snapshot!(table(&[
        "ALTER ROLE a PASSWORD hunter2",
        "ALTER ROLE a PASSWORD = 'hunter2'",
        "ALTER ROLE a PASSWORD TO 'hunter2';",
        "ALTER ROLE a PASSWORD \"hunter2\"",
        "ALTER ROLE a PASSWORD 123456",
        "ALTER ROLE a PASSWORD ‘hunter2’",
        "ALTER ROLE a PASSWORD 'hunter2",
        "ALTER ROLE a PASSWORD $$hunter2",
        "ALTER ROLE a PASSWORD",
        "ALTER ROLE a PASSWORD hunter-2!x",
    ]));
}

#[test]
fn options() {
    insta::assert_snapshot!(table(&[
        "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'u', password 'hunter2')",
        "ALTER USER MAPPING FOR a SERVER s OPTIONS (SET password 'hunter2', ADD user 'u')",
        "CREATE USER MAPPING FOR a SERVER s OPTIONS (\"user\" 'u', \"password\" 'hunter2')",
        "CREATE USER MAPPING FOR a SERVER s OPTIONS (U&\"p\\0061ssword\" 'hunter2')",
        "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', sslpassword 'hunter2')",
        "ALTER SERVER s OPTIONS (SET api_key 'hunter2', SET aws_secret_access_key 'hunter2', SET host 'h')",
        "ALTER FOREIGN DATA WRAPPER w OPTIONS (ADD token 'hunter2')",
        "CREATE SUBSCRIPTION s CONNECTION 'host=h password=hunter2' PUBLICATION p",
        "ALTER SUBSCRIPTION s CONNECTION 'postgresql://u:hunter2@h/d'",
        "CREATE SUBSCRIPTION s CONNECTION E'host=h p\\141ssword=hunter2' PUBLICATION p WITH (slot_name = 'x')",
    ]));
}

#[test]
fn connection_strings() {
    insta::assert_snapshot!(table(&[
        "SELECT dblink_connect('c', 'host=h user=u password=hunter2 dbname=d')",
        "SELECT * FROM dblink('password = ''hunter2''', 'SELECT a FROM t WHERE b = 1') AS t(a int)",
        "SELECT dblink_connect($$host=h password=hunter2 dbname=d$$)",
        "SELECT dblink_connect('postgres://u:hunter2@h/d')",
        "SELECT dblink_connect('postgres://h/d?p%61ssword=hunter2')",
        "SELECT dblink_exec('c', 'ALTER ROLE a PASSWORD ''hunter2''')",
        "ALTER SYSTEM SET primary_conninfo = 'host=h PASSWORD=hunter2'",
        "SELECT 'https://example.org/?q=1', 'see http://u:hunter2@h/'",
        "COPY a FROM PROGRAM 'curl https://u:hunter2@h/x'",
    ]));
}

#[test]
fn within_code() {
    insta::assert_snapshot!(table(&[
        "DO $$ BEGIN ALTER ROLE a PASSWORD 'hunter2'; PERFORM f('x'); END $$",
        "DO 'BEGIN ALTER ROLE a PASSWORD ''hunter2''; END'",
        "DO $a$ BEGIN EXECUTE $b$ALTER ROLE a PASSWORD 'hunter2'$b$; EXECUTE 'SELECT 1'; END $a$",
        "DO $$ BEGIN EXECUTE 'ALTER ROLE a PASSWORD ''hunter2'''; END $$",
        "DO $$ BEGIN EXECUTE format('ALTER ROLE %I PASSWORD %L', 'a', 'hunter2'); PERFORM f('x'); END $$",
        "DO $$ BEGIN EXECUTE 'ALTER ROLE a PASSWORD ' || quote_literal('hunter2'); END $$",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ALTER ROLE a PASSWORD 'hunter2'$$",
        "-- ALTER ROLE a PASSWORD 'hunter2'\nSELECT 1",
        "/* password=hunter2 */ SELECT 'a'",
    ]));
}

#[test]
fn columns() {
    insta::assert_snapshot!(table(&[
        "UPDATE users SET password = 'hunter2', name = 'bob' WHERE id = 7",
        "SELECT * FROM users WHERE name = 'bob' AND (password) = 'hunter2' AND a = 'b'",
        "SELECT login(user => 'bob', password => 'hunter2', a => 'b')",
        "SET app.password TO 'hunter2'",
        "SELECT id, password, name FROM users WHERE name = 'bob'",
        "SELECT crypt(password, 'salt')",
        "SELECT 'my password' AS a, 'b' AS c",
        "CREATE TABLE users (name text, password text NOT NULL DEFAULT 'x')",
    ]));
}

#[test]
fn what_holds_no_password_is_borrowed() {
    for sql in ["", "SELECT 1", "SELECT 'options', \"a\" -- b", "CREATE ROLE a LOGIN VALID UNTIL '2030-01-01'"] {
        assert!(matches!(redact(sql.as_bytes()), std::borrow::Cow::Borrowed(_)), "{sql}");
    }
}

/// Each byte string is read one way with one setting, and another way with another.
#[test]
fn what_can_be_read_in_several_ways_is_read_in_all() {
    let cases: [&[u8]; 8] = [
        // standard_conforming_strings on: the first string ends at the backslash.
        b"SELECT 'a\\'; ALTER ROLE a PASSWORD 'hunter2'",
        // Off: it ends later, and what looks like a string isn't.
        b"SELECT 'a\\'; ALTER ROLE a PASSWORD '; ALTER ROLE b PASSWORD 'hunter2' --'",
        b"ALTER ROLE a PASSWORD 'x\\'hunter2'",
        b"ALTER ROLE a PASSWORD 'x\\' 'hunter2'",
        // SJIS: 0x83 0x5c is one character, so its backslash escapes nothing.
        b"SELECT E'\x83\\', $$;$$; ALTER ROLE a PASSWORD 'hunter2'",
        b"ALTER ROLE a PASSWORD E'\x83\\'hunter2'",
        b"SELECT E'\x83\\\\', E'; ALTER ROLE a PASSWORD 'hunter2",
        // BIG5, GBK.
        b"SELECT '\xa5\\', 1; ALTER USER a PASSWORD 'hunter2'; SELECT '\\'",
    ];
    for sql in cases {
        assert!(!clean(sql).contains("hunter2"), "{} => {}", String::from_utf8_lossy(sql), clean(sql));
    }
}

#[test]
fn values_may_be_sql_or_connection_strings() {
    let value = |value: &[u8]| String::from_utf8_lossy(&redact_value(value)).into_owned();
    assert_eq!(value(b"host=h password=hunter2 user=u"), "host=h password='[redacted]' user=u");
    assert_eq!(value(b"host=h password='hun\\'ter 2' user=u"), "host=h password='[redacted]' user=u");
    assert_eq!(value(b"postgres://u:hunter2@h/d"), "'[redacted]'");
    assert_eq!(value(b"ALTER ROLE a PASSWORD 'hunter2'"), "ALTER ROLE a PASSWORD '[redacted]'");
    assert_eq!(value(b"bob"), "bob");
    assert_eq!(value(b"https://example.org/a"), "https://example.org/a");
}

#[test]
fn statements_that_speak_of_passwords() {
    for sql in [
        "SELECT set_password($1)",
        "UPDATE a SET PassWd = $1",
        "SELECT dblink_connect($1)",
        "SELECT vault_secret($1)",
        "ALTER USER MAPPING FOR a SERVER s OPTIONS (SET x $1)",
        "CREATE SUBSCRIPTION a CONNECTION $1",
        "SELECT $1 -- pwd",
    ] {
        assert!(mentions_password(sql.as_bytes()), "{sql}");
    }
    for sql in ["", "SELECT $1", "INSERT INTO passes VALUES ($1)", "SELECT pass_word($1)", "pass", "passw"] {
        assert_eq!(mentions_password(sql.as_bytes()), sql == "passw", "{sql}");
    }
}

/// A megabyte of what is hardest takes no more than a look at each byte a few times: nothing here finishes if it were quadratic.
#[test]
fn long_and_nested_texts_are_read_in_linear_time() {
    for part in [
        "'password",
        "$a$password",
        "/*password",
        "password=",
        "://",
        "--password\n",
        "$password",
        "E'password\\",
        "((password '",
    ] {
        let sql = part.repeat((1 << 20) / part.len());
        assert!(redact(sql.as_bytes()).len() <= 16 * sql.len());
    }
    let deep = (0..2_000)
        .fold("password".to_owned(), |inner, n| format!("$a{n}$ alter role x password 'hunter2' {inner}$a{n}$"));
    assert!(!clean(deep.as_bytes()).contains("hunter2"));
}
