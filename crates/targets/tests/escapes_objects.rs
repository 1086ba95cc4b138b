//! Ways in which something outlives its session, each countered or listed, and looked at from the target. // I5

mod common;

use common::{PASSWORD, World, has};
use daypass_domain::resource::PgRole;
use daypass_ports::targets::{LoginName, Removal, ResidueKind, TargetError};

#[tokio::test]
async fn i5_prepared_transactions_are_rolled_back_before_the_drop() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    let gid = format!("it's \\ mine {login}");
    let quoted = gid.replace('\'', "''");
    client.batch_execute("BEGIN; UPDATE accounts SET balance = 0").await.unwrap();
    client.batch_execute(&format!("PREPARE TRANSACTION '{quoted}'")).await.unwrap();
    drop(client);
    let locks = "SELECT count(*) FROM pg_locks WHERE relation = 'accounts'::regclass AND mode = 'RowExclusiveLock'";
    assert_eq!(world.ask(locks).await, "1");
    let residue = world.end(&world.ending(1)).await;
    assert!(has(&residue.undone, ResidueKind::PreparedTransaction, &gid), "{residue:?}");
    assert!(residue.items.is_empty() && residue.kept.is_empty(), "{residue:?}");
    assert_eq!(world.ask("SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()").await, "0");
    assert_eq!(world.ask(locks).await, "0");
    assert_eq!(world.ask("SELECT count(*) FROM accounts WHERE balance <> 100").await, "0");
}

#[tokio::test]
async fn i5_a_transaction_prepared_in_another_database_is_rolled_back_there() {
    let world = World::new().await;
    let (login, _client) = world.enter(1, &[&world.pg.write]).await;
    let other = world.pg.connect_to(&world.pg.other_database, login.as_str(), PASSWORD).await.unwrap();
    let prepare = format!("BEGIN; CREATE TABLE half (n int); PREPARE TRANSACTION 'there {login}'");
    other.batch_execute(&prepare).await.unwrap();
    let residue = world.end(&world.ending(1)).await;
    assert!(has(&residue.undone, ResidueKind::PreparedTransaction, login.as_str()));
    let left = format!("SELECT count(*) FROM pg_prepared_xacts WHERE database = '{}'", world.pg.other_database);
    assert_eq!(world.ask(&left).await, "0");
}

#[tokio::test]
async fn i5_a_transaction_prepared_as_another_role_is_listed() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    world.let_become(&client, &login, &world.pg.write).await;
    let prepare = format!("SET ROLE {}; BEGIN; UPDATE accounts SET balance = 0 WHERE id = 1", world.pg.write);
    client.batch_execute(&prepare).await.unwrap();
    client.batch_execute(&format!("PREPARE TRANSACTION 'as write {login}'")).await.unwrap();
    let residue = world.end(&world.ending(1)).await;
    assert!(has(&residue.items, ResidueKind::PreparedTransaction, login.as_str()), "{residue:?}");
    world.root(&format!("ROLLBACK PREPARED 'as write {login}'")).await;
}

#[tokio::test]
async fn i5_owned_objects_go_to_quarantine_and_are_listed() {
    let world = World::new().await;
    let (_, client) = world.enter(1, &[&world.pg.write]).await;
    client.batch_execute("CREATE TABLE mine (n int); CREATE SEQUENCE counted; CREATE VIEW seen AS SELECT 1; \
        CREATE TYPE kind AS ENUM ('a'); GRANT SELECT ON mine TO PUBLIC; SELECT lo_create(4242); CREATE TEMP TABLE gone (n int); \
        ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC").await.unwrap();
    let residue = world.end(&world.ending(1)).await;
    for name in ["mine", "counted", "seen", "kind", "4242"] {
        assert!(has(&residue.items, ResidueKind::Object, name), "{name}: {residue:?}");
    }
    assert!(residue.items.iter().any(|item| item.name.contains("mine") && item.detail.contains("PUBLIC")));
    assert!(!has(&residue.items, ResidueKind::Object, "gone"), "{residue:?}");
    assert!(residue.undone.iter().any(|item| item.kind == ResidueKind::DefaultPrivileges), "{residue:?}");
    assert!(residue.kept.is_empty());
    let quarantine = LoginName::quarantine(world.at.installation);
    let owner = "SELECT string_agg(DISTINCT relowner::regrole::text, ',') FROM pg_class WHERE relname IN ('mine', 'counted', 'seen')";
    assert_eq!(world.ask(owner).await, quarantine);
    assert_eq!(world.ask("SELECT lomowner::regrole FROM pg_largeobject_metadata WHERE oid = 4242").await, quarantine);
    assert_eq!(world.ask("SELECT count(*) FROM pg_default_acl").await, "0");
    let powers = format!(
        "SELECT rolcanlogin OR rolsuper OR rolcreaterole OR EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid) \
        FROM pg_roles r WHERE rolname = '{quarantine}'"
    );
    assert_eq!(world.ask(&powers).await, "false");
}

#[tokio::test]
async fn i5_owned_objects_of_a_declared_owner_are_kept() {
    let world = World::new().await;
    let (_, client) = world.enter(1, &[&world.pg.owner]).await;
    client
        .batch_execute(
            "CREATE TABLE invoices (n int); ALTER TABLE accounts ADD COLUMN note text; \
        CREATE FUNCTION plus(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1'; CREATE SCHEMA billing",
        )
        .await
        .unwrap();
    let residue = world.end(&world.ending_kept(1)).await;
    assert!(has(&residue.kept, ResidueKind::Object, "invoices"), "{residue:?}");
    assert!(has(&residue.kept, ResidueKind::Function, "plus"), "{residue:?}");
    assert!(has(&residue.kept, ResidueKind::Object, "billing"), "{residue:?}");
    assert!(residue.items.is_empty(), "{residue:?}");
    let owner = world.pg.owner.as_str();
    assert_eq!(world.ask("SELECT relowner::regrole FROM pg_class WHERE relname = 'invoices'").await, owner);
    assert_eq!(world.ask("SELECT proowner::regrole FROM pg_proc WHERE proname = 'plus'").await, owner);
    assert_eq!(world.ask("SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'billing'").await, owner);
    // The administrator borrowed the owner for that, and gave it back.
    assert!(!world.administrator_is(&world.pg.owner).await);
}

#[tokio::test]
async fn i5_security_definer_functions_become_harmless() {
    let world = World::new().await;
    let (_, client) = world.enter(1, &[&world.pg.write]).await;
    client.batch_execute("CREATE SCHEMA AUTHORIZATION CURRENT_USER").await.unwrap_err();
    client
        .batch_execute(
            "CREATE FUNCTION trap() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS \
        'SELECT sum(balance)::bigint FROM public.accounts'; GRANT EXECUTE ON FUNCTION trap() TO PUBLIC",
        )
        .await
        .unwrap();
    let residue = world.end(&world.ending(1)).await;
    let listed = residue.items.iter().find(|item| item.kind == ResidueKind::SecurityDefiner).unwrap();
    assert!(listed.name.contains("trap") && listed.detail.contains("PUBLIC"), "{listed:?}");
    let quarantine = LoginName::quarantine(world.at.installation);
    assert_eq!(world.ask("SELECT proowner::regrole FROM pg_proc WHERE proname = 'trap'").await, quarantine);
    let may = format!("SELECT has_function_privilege('{}', 'trap()', 'EXECUTE')", world.pg.read);
    assert_eq!(world.ask(&may).await, "false");
    // Even its new owner can't read what the login could.
    let reads = format!("SELECT has_table_privilege('{quarantine}', 'accounts', 'SELECT')");
    assert_eq!(world.ask(&reads).await, "false");
    assert!(!world.administrator_is(&world.pg.write).await);
}

#[tokio::test]
async fn i5_a_function_in_a_schema_that_its_maker_locked_is_handed_over_too() {
    let world = World::new().await;
    world.root(&format!("GRANT CREATE ON DATABASE {} TO {}", world.pg.database, world.pg.write)).await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    client.batch_execute(&format!("CREATE SCHEMA \"lo'ck\"; CREATE FUNCTION \"lo'ck\".f() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'; \
        REVOKE ALL ON SCHEMA \"lo'ck\" FROM \"{login}\"")).await.unwrap();
    let residue = world.end(&world.ending(1)).await;
    assert!(has(&residue.items, ResidueKind::SecurityDefiner, "f()"), "{residue:?}");
}

#[tokio::test]
async fn i5_a_trigger_on_somebody_elses_table_is_told_with_its_function() {
    let world = World::new().await;
    let (_, client) = world.enter(1, &[&world.pg.owner]).await;
    client
        .batch_execute(
            "CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
        CREATE TRIGGER spying BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION spy()",
        )
        .await
        .unwrap();
    let residue = world.end(&world.ending(1)).await;
    let listed = residue.items.iter().find(|item| item.kind == ResidueKind::Function).unwrap();
    assert!(listed.detail.contains("spying on"), "{listed:?}");
}

#[tokio::test]
async fn i5_what_was_made_after_set_role_is_listed() {
    let world = World::new().await;
    world.root("CREATE TABLE before (n int)").await;
    world.root(&format!("ALTER TABLE before OWNER TO {}", world.pg.write)).await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    world.let_become(&client, &login, &world.pg.write).await;
    client.batch_execute(&format!("SET ROLE {}; CREATE TABLE smuggled (n int)", world.pg.write)).await.unwrap();
    let residue = world.end(&world.ending(1)).await;
    assert!(has(&residue.items, ResidueKind::MadeAsAnother, "smuggled"), "{residue:?}");
    assert!(!has(&residue.items, ResidueKind::MadeAsAnother, "before"), "{residue:?}");
}

#[tokio::test]
async fn i5_what_was_made_as_the_declared_owner_is_kept() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.owner]).await;
    world.let_become(&client, &login, &world.pg.owner).await;
    client.batch_execute(&format!("SET ROLE {}; CREATE TABLE migrated (n int)", world.pg.owner)).await.unwrap();
    let residue = world.end(&world.ending_kept(1)).await;
    assert!(has(&residue.kept, ResidueKind::MadeAsAnother, "migrated"), "{residue:?}");
    assert!(residue.items.is_empty(), "{residue:?}");
}

#[tokio::test]
async fn i5_what_was_opened_to_public_on_somebody_elses_object_is_listed() {
    let world = World::new().await;
    let (_, client) = world.enter(1, &[&world.pg.owner]).await;
    client.batch_execute("GRANT SELECT ON accounts TO PUBLIC").await.unwrap();
    let residue = world.end(&world.ending(1)).await;
    let listed = residue.items.iter().find(|item| item.kind == ResidueKind::PublicGrant).unwrap();
    assert!(listed.name.contains("accounts") && listed.detail.contains("SELECT"), "{listed:?}");
}

#[tokio::test]
async fn i5_memberships_that_were_given_are_taken_back_or_listed() {
    let world = World::new().await;
    // Somebody was careless once: the role may be given on by whoever has it.
    world.root(&format!("GRANT {} TO {} WITH ADMIN OPTION", world.pg.read, world.pg.write)).await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    let bob = format!("bob_{}", world.pg.read);
    world.root(&format!("CREATE ROLE {bob} LOGIN PASSWORD 'x'")).await;
    // Up to 14 the login could do this by itself.
    world.root(&format!("GRANT \"{login}\" TO {bob}")).await;
    let newer = world.pg.version().await >= 160_000;
    // In the role's own name, or (where the login can't act as it) by what it inherits.
    let as_role = if newer { String::new() } else { format!("SET ROLE {}; ", world.pg.write) };
    client.batch_execute(&format!("{as_role}GRANT {} TO {bob}", world.pg.read)).await.unwrap();
    world.cut(1).await.unwrap();
    let residue = world.list(&world.ending(1)).await.unwrap();
    assert!(has(&residue.undone, ResidueKind::Membership, &bob), "{residue:?}");
    assert!(has(&residue.items, ResidueKind::Membership, &bob), "{residue:?}");
    // From 16 on what a superuser gave only a superuser takes, and the end of the login.
    let is_member = world.ask(&format!("SELECT pg_has_role('{bob}', '{login}', 'MEMBER')")).await;
    let how = if newer { ("true", "goes with the login") } else { ("false", "taken back") };
    assert!(is_member == how.0 && residue.undone.iter().any(|item| item.detail.contains(how.1)), "{residue:?}");
    world.remove(&residue).await.unwrap();
    let left =
        format!("SELECT string_agg(roleid::regrole::text, ',') FROM pg_auth_members WHERE member = '{bob}'::regrole");
    assert_eq!(world.ask(&left).await, world.pg.read.as_str());
    world.root(&format!("DROP ROLE {bob}")).await;
}

#[tokio::test]
async fn i5_creating_roles_slots_and_programs_is_withheld() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.write, &world.pg.owner]).await;
    let comment = format!("COMMENT ON ROLE \"{login}\" IS 'mine'");
    for withheld in [
        comment.as_str(),
        "CREATE ROLE another LOGIN",
        "SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
        "SELECT pg_create_physical_replication_slot('s')",
        "CREATE DATABASE more",
        "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
        "COPY accounts TO PROGRAM 'cat'",
        "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION f()",
        "ALTER ROLE CURRENT_USER VALID UNTIL 'infinity'",
        "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
        "SET ROLE postgres",
    ] {
        let error = client.batch_execute(withheld).await.unwrap_err();
        assert!(error.code().is_some_and(|code| ["42501", "42883"].contains(&code.code())), "{withheld}: {error:?}");
    }
    let residue = world.end(&world.ending(1)).await;
    assert!(residue.items.is_empty() && residue.kept.is_empty() && residue.objects == 0, "{residue:?}");
}

/// What is started on the server's machine would outlive every backend, so it is never started.
#[tokio::test]
async fn i5_copy_to_and_from_a_program_is_withheld() {
    let world = World::new().await;
    let (_, client) = world.enter(1, &[&world.pg.write, &world.pg.owner]).await;
    let trace = world.pg.scratch().data_dir().join(format!("started_{}", world.pg.database));
    let program = format!("PROGRAM 'touch {}'", trace.display());
    let written = world.pg.scratch().data_dir().join("written").display().to_string();
    for withheld in [
        format!("COPY accounts TO {program}"),
        format!("COPY accounts FROM {program}"),
        format!("DO $do$ BEGIN EXECUTE $x$COPY (SELECT 1) TO {program}$x$; END $do$"),
        format!("COPY accounts TO '{written}'"),
        "COPY accounts FROM '/etc/passwd'".into(),
        format!("SELECT lo_export(1, '{written}')"),
    ] {
        let error = client.batch_execute(&withheld).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{withheld}: {error:?}");
    }
    assert!(!trace.exists());
    // It isn't that the server can't.
    world.root(&format!("COPY (SELECT 1) TO {program}")).await;
    assert!(trace.exists());
}

#[tokio::test]
async fn i5_roles_that_give_what_cant_be_taken_back_are_refused() {
    let world = World::new().await;
    for (number, power) in ["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"].iter().enumerate() {
        let strong: PgRole = format!("strong_{number}_{}", world.pg.read).parse().unwrap();
        let behind: PgRole = format!("behind_{number}_{}", world.pg.read).parse().unwrap();
        world.root(&format!("CREATE ROLE {strong} {power}; CREATE ROLE {behind}; GRANT {strong} TO {behind}")).await;
        for role in [&strong, &behind] {
            let refused = world.make(1, &[role]).await.unwrap_err();
            assert!(matches!(&refused, TargetError::RoleTooStrong { why, .. } if why.contains(power)), "{refused:?}");
        }
    }
    let mut of_the_server = vec!["pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"];
    if world.pg.version().await >= 160_000 {
        of_the_server.push("pg_create_subscription");
    }
    for role in of_the_server {
        let refused = world.make(1, &[&role.parse().unwrap()]).await;
        assert!(matches!(refused, Err(TargetError::RoleTooStrong { .. })), "{role}: {refused:?}");
    }
    let missing = "nobody_made_this".parse().unwrap();
    assert!(matches!(world.make(1, &[&missing]).await, Err(TargetError::RoleMissing { .. })));
    assert!(!world.pg.has_role(world.login(1).as_str()).await);
}

#[tokio::test]
async fn i5_an_attribute_that_somebody_gave_the_login_is_residue() {
    let world = World::new().await;
    let (login, _client) = world.enter(1, &[&world.pg.read]).await;
    world.root(&format!("ALTER ROLE \"{login}\" CREATEROLE")).await;
    let residue = world.end(&world.ending(1)).await;
    assert!(has(&residue.items, ResidueKind::Attribute, "CREATEROLE"), "{residue:?}");
}

#[tokio::test]
async fn i5_objects_in_another_database_are_ended_there() {
    let world = World::new().await;
    let (login, _client) = world.enter(1, &[&world.pg.write]).await;
    let other = world.pg.connect_to(&world.pg.other_database, login.as_str(), PASSWORD).await.unwrap();
    other.batch_execute("CREATE TABLE far (n int)").await.unwrap();
    let residue = world.end(&world.ending(1)).await;
    let far = residue.items.iter().find(|item| item.name.contains("far")).unwrap();
    assert_eq!(far.database.as_deref(), Some(world.pg.other_database.as_str()));
    let owner =
        world.ask_in(&world.pg.other_database, "SELECT relowner::regrole FROM pg_class WHERE relname = 'far'").await;
    assert_eq!(owner, LoginName::quarantine(world.at.installation));
}

#[tokio::test]
async fn i5_privileges_that_others_gave_the_login_dont_keep_it() {
    let world = World::new().await;
    let (login, _client) = world.enter(1, &[&world.pg.read]).await;
    world
        .root(&format!(
            "GRANT UPDATE ON accounts TO \"{login}\"; GRANT CONNECT ON DATABASE {} TO \"{login}\";
        CREATE POLICY p ON accounts TO \"{login}\" USING (true)",
            world.pg.other_database
        ))
        .await;
    let residue = world.end(&world.ending(1)).await;
    assert!(residue.items.is_empty(), "{residue:?}");
    assert!(residue.objects > 0);
}

#[tokio::test]
async fn i5_privileges_that_a_user_gave_their_own_login_dont_keep_it() {
    let world = World::new().await;
    world.root(&format!("GRANT INSERT ON accounts TO {} WITH GRANT OPTION", world.pg.write)).await;
    let (login, client) = world.enter(1, &[&world.pg.write, &world.pg.owner]).await;
    // One as the role that may give it on, one as the owner: only who gave it can take it back. Where the login can't act
    // as them, PostgreSQL gives in the name of the one whose right it is.
    let (write, owner) = (&world.pg.write, &world.pg.owner);
    let given = match world.pg.version().await {
        160_000.. => ["".to_owned(), "".to_owned()],
        _ => [format!("SET ROLE {write}; "), format!("SET ROLE {owner}; ")],
    };
    let sql = format!(
        "{}GRANT INSERT ON accounts TO \"{login}\"; {}GRANT UPDATE (holder) ON accounts TO \"{login}\"",
        given[0], given[1]
    );
    client.batch_execute(&sql).await.unwrap();
    world.end(&world.ending(1)).await;
    // Nobody is left a member of anybody by that.
    for role in [&world.pg.write, &world.pg.owner] {
        assert!(!world.administrator_is(role).await, "{role}");
    }
    let administrator = world.pg.administrator.as_str();
    let left = format!(
        "SELECT count(*) FROM pg_auth_members WHERE grantor = '{administrator}'::regrole AND roleid IN \
        ('{}'::regrole, '{}'::regrole)",
        world.pg.write, world.pg.owner
    );
    assert_eq!(world.ask(&left).await, "0");
}

#[tokio::test]
async fn i5_hostile_names_are_data() {
    let world = World::new().await;
    let (_, client) = world.enter(1, &[&world.pg.write]).await;
    let name = "a\"; DROP TABLE accounts; --' \\ \u{1b}[2J";
    client.batch_execute(&format!("CREATE TABLE \"{}\" (n int)", name.replace('"', "\"\""))).await.unwrap();
    let function = name.replace('"', "\"\"");
    client
        .batch_execute(&format!(
            "CREATE FUNCTION \"{function}\"() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'"
        ))
        .await
        .unwrap();
    // Functions and operators with familiar names, where a careless administrator would find them first.
    client
        .batch_execute(
            "CREATE FUNCTION public.pg_terminate_backend(int) RETURNS bool LANGUAGE sql AS 'SELECT true'; \
        CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE sql AS 'SELECT ''SELECT 1'''",
        )
        .await
        .unwrap();
    let residue = world.end(&world.ending(1)).await;
    let listed = residue.items.iter().find(|item| item.kind == ResidueKind::Object).unwrap();
    assert!(listed.name.contains("DROP TABLE accounts"), "{listed:?}");
    assert!(!listed.to_string().contains('\u{1b}'));
    assert_eq!(world.ask("SELECT count(*) FROM accounts").await, "1000");
}

#[tokio::test]
async fn i5_a_reader_leaves_nothing() {
    let world = World::new().await;
    let (_, client) = world.enter(1, &[&world.pg.read]).await;
    client.batch_execute("SELECT count(*) FROM accounts").await.unwrap();
    world.cut(1).await.unwrap();
    let residue = world.list(&world.ending(1)).await.unwrap();
    assert!(residue.items.is_empty() && residue.kept.is_empty() && residue.undone.is_empty(), "{residue:?}");
    assert_eq!(world.remove(&residue).await.unwrap().how, Removal::Dropped);
}
