//! The page that a holder prints: what two people do when Daypass is down, with what Debian ships and nothing of ours.

use daypass_domain::{
    Name,
    kit::Kit,
    resource::{PostgresTarget, Resource, Target, TargetTls},
};

/// Which files are called what: after the resource and the holder.
#[must_use]
pub fn file_name(resource: &Name, holder: &Name, ending: &str) -> String {
    format!("emergency-{resource}-{holder}.{ending}")
}

/// The page of one of the two. Plain text, narrow enough for any printer.
pub(super) fn page(resource: &Resource, kit: &Kit, holders: &[Name; 2], which: usize, sealed: &str) -> String {
    let Target::Postgres(target) = &kit.target;
    let (own, other) = (&holders[which], &holders[1 - which]);
    let name = &resource.name;
    let (id, at, login) = (kit.id, kit.sealed.at, &kit.login);
    let (number, other_number) = (which + 1, 2 - which);
    let connect = connect(target, login);
    let trust = trust(target);
    let file = file_name(name, own, "age");
    let page = file_name(name, own, "txt");
    format!(
        r#"EMERGENCY KIT FOR {name}, HALF {number} OF 2: {own}

Kit      {id}
Sealed   {at}
Half {number}   {own} (this page)
Half {other_number}   {other}
Server   {address}, database {database}
Login    {login}

For when Daypass is down and {name} must be reached all the same. It takes
both of you, {own} and {other}: neither half says anything alone. Keep
this page where {other} can't get at it, and the age key (the file that
age-keygen made for you) apart from this page. Both pages must name the same
kit and the same time of sealing; older ones open nothing.

Whoever logs in with it is seen: every administrator is told, as soon as
Daypass is back. The kit must then be sealed anew, and somebody else than
the two of you reviews what was done. So write down why, and what you do.


STEP 1. Each of you opens your half, where your age key is. It takes the
program age (Debian: apt install age). With the file {file}:

    age --decrypt --identity YOUR-AGE-KEY {file}

Or from this text, as {page}, scanned or typed, without that file:

    sed -n '/BEGIN AGE/,/END AGE/p' {page} |
      age --decrypt --identity YOUR-AGE-KEY

It prints 64 digits and letters (0-9, a-f): your half of the password.


STEP 2. Together, on one machine that reaches the server and has psql
(Debian: apt install postgresql-client).{trust}
Type these lines into a shell, or put them into a file and run it with sh.
They ask for the two halves, in either order, and join them:

---- 8< ----
printf 'One half:       '; read -r a
printf 'The other half: '; read -r b
p=
while [ -n "$a" ]; do
  p=$p$(printf %02x $((0x${{a%"${{a#??}}"}} ^ 0x${{b%"${{b#??}}"}})))
  a=${{a#??}}; b=${{b#??}}
done
PGPASSWORD=$p psql "{connect}"
---- 8< ----

If the server says that the password is wrong: one half was mistyped, or the
kit was sealed anew since, or removed.


STEP 3. Afterwards: close psql and the shell. Once Daypass is back:

    daypass emergency-kit rotate {id}

and somebody else than {own} and {other}:

    daypass emergency-kit review {id} --words "what happened"


HALF {number}, SEALED TO {own}:

{sealed}"#,
        address = target.address,
        database = target.database,
    )
}

/// What psql is told, on one line. Names come from a declaration, so they are quoted for libpq and for the shell's double
/// quotes, in which the line stands.
fn connect(target: &PostgresTarget, login: &str) -> String {
    let security = match &target.tls {
        TargetTls::Verify { authorities: None } => "sslmode=verify-full sslrootcert=/etc/ssl/certs/ca-certificates.crt",
        TargetTls::Verify { authorities: Some(_) } => "sslmode=verify-full sslrootcert=server-ca.pem",
        TargetTls::Pin { .. } => "sslmode=require",
        TargetTls::LoopbackPlaintext => "sslmode=disable",
    };
    format!(
        "host={} port={} dbname={} user={} {security}",
        quoted(&target.address.host),
        target.address.port,
        quoted(&target.database),
        quoted(login)
    )
}

fn quoted(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    if !value.is_empty() && value.bytes().all(plain) {
        return value.to_owned();
    }
    let mut out = String::from("'");
    for c in value.chars() {
        match c {
            // For libpq a backslash, which the shell's double quotes want doubled.
            '\'' => out.push_str("\\\\'"),
            '\\' => out.push_str("\\\\\\\\"),
            '"' | '$' | '`' => out.extend(['\\', c]),
            other => out.push(other),
        }
    }
    out.push('\'');
    out
}

/// How to know that it is the right server, before a password goes there.
fn trust(target: &PostgresTarget) -> String {
    match &target.tls {
        TargetTls::Verify { authorities: None } => String::new(),
        TargetTls::Verify { authorities: Some(pem) } => format!(
            "\nPut these certificates, by which the server is known, into a file called\nserver-ca.pem in the same place:\n\n{}\n",
            pem.trim()
        ),
        TargetTls::Pin { sha256 } => format!(
            "\nFirst see that it is the right server: the SHA-256 of its certificate is\n{sha256}\nand this prints what the \
             server shows (Debian: apt install openssl):\n\n    openssl s_client -starttls postgres -connect {} </dev/null |\n      \
             openssl x509 -outform der | sha256sum\n",
            target.address
        ),
        TargetTls::LoopbackPlaintext => {
            "\nThis server is declared without TLS: it can be reached from its own machine\nonly, so sit at that one."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_quotes() {
        assert_eq!(quoted("orders"), "orders");
        assert_eq!(quoted("my orders"), "'my orders'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted(r#"a'b\c"d$(e)`f`"#), r#"'a\\'b\\\\c\"d\$(e)\`f\`'"#);
    }
}
