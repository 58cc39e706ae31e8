//! Databases that can't be used: one clear line, a documented exit code, nothing half-written, no password told.

use tempfile::tempdir;

use super::runs::{captured, command, reference, reported, world};
use super::server::{client, common_port, own_schema, url};
use crate::support::{code, shown};

/// Runs a drill that must fail; its whole output.
fn refused(store: &str, expected: i32) -> String {
    let folder = tempdir().unwrap();
    let run = folder.path().join("run");
    let output = command("drill", world(), store, &run).output().unwrap();
    assert_eq!(code(&output), expected, "{}", shown(&output));
    assert!(!run.join("report.json").exists());
    let errors = shown(&output);
    assert_eq!(errors.lines().filter(|line| line.starts_with("reledger: ")).count(), 1, "one line: {errors}");
    assert!(!errors.contains("secret"), "{errors}");
    errors
}

fn schema(store: &str) -> &str {
    store.split_once("schema=").unwrap().1
}

#[test]
fn a_server_that_is_not_there_is_exit_8() {
    if common_port().is_none() {
        return;
    }
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let told = refused(&url(gone, "any").replace("reledger@", "reledger:secret@"), 8);
    assert!(told.contains("can't be reached"), "{told}");
}

#[test]
fn somebody_elses_schema_and_another_versions_are_exit_2_and_stay_as_they_are() {
    let Some(port) = common_port() else { return };
    let mut client = client(port);
    let (other, older, partly) = (own_schema().unwrap(), own_schema().unwrap(), own_schema().unwrap());
    let name = schema(&other);
    client.batch_execute(&format!("CREATE SCHEMA {name}; CREATE TABLE {name}.orders (id int)")).unwrap();
    let told = refused(&other, 2);
    assert!(told.contains("is not ours"), "{told}");
    let tables = format!("SELECT count(*) FROM information_schema.tables WHERE table_schema = '{name}'");
    assert_eq!(client.query_one(&tables, &[]).unwrap().get::<_, i64>(0), 1);

    let folder = tempdir().unwrap();
    captured(world(), &older, &folder.path().join("run"));
    let name = schema(&older);
    client.batch_execute(&format!("UPDATE {name}.meta SET value = '1' WHERE name = 'version'")).unwrap();
    let told = refused(&older, 2);
    assert!(told.contains("version 1") && told.contains("version 2"), "{told}");
    // The near miss: put right, it is used again.
    client.batch_execute(&format!("UPDATE {name}.meta SET value = '2' WHERE name = 'version'")).unwrap();
    let run = folder.path().join("run");
    command("rebuild", world(), &older, &run).output().unwrap();
    assert!(reported(&run) == reference());

    let name = schema(&partly);
    captured(world(), &partly, &folder.path().join("other"));
    client.batch_execute(&format!("ALTER TABLE {name}.evidence DROP COLUMN root")).unwrap();
    let told = refused(&partly, 2);
    assert!(told.contains("another form"), "{told}");
}

#[test]
fn a_role_that_may_not_write_and_a_server_without_room_are_exit_74() {
    let Some(port) = common_port() else { return };
    let mut client = client(port);
    let (store, full) = (own_schema().unwrap(), own_schema().unwrap());
    let folder = tempdir().unwrap();
    captured(world(), &store, &folder.path().join("run"));
    let name = schema(&store);
    client
        .batch_execute(&format!(
            "CREATE ROLE {name}_reader LOGIN; GRANT USAGE ON SCHEMA {name} TO {name}_reader; \
             GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {name}_reader"
        ))
        .unwrap();
    let told = refused(&store.replace("reledger@", &format!("{name}_reader:secret@")), 74);
    assert!(told.contains("takes no writes"), "{told}");
    // The same as a whole: a standby, or a database that its owner froze.
    client
        .batch_execute(&format!(
            "CREATE ROLE {name}_frozen LOGIN SUPERUSER; ALTER ROLE {name}_frozen SET default_transaction_read_only = on"
        ))
        .unwrap();
    let told = refused(&store.replace("reledger@", &format!("{name}_frozen@")), 74);
    assert!(told.contains("takes no writes"), "{told}");

    // What a full disk says, at the first row of evidence: the run goes on where it was once there is room.
    let name = schema(&full);
    let run = folder.path().join("full");
    captured(world(), &full, &folder.path().join("warm"));
    client
        .batch_execute(&format!(
            "CREATE FUNCTION {name}.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'could not extend file: no space left on device' USING ERRCODE = '53100'; END $$; \
             CREATE TRIGGER full_disk BEFORE INSERT ON {name}.evidence FOR EACH ROW EXECUTE FUNCTION {name}.full()"
        ))
        .unwrap();
    let output = command("drill", world(), &full, &run).output().unwrap();
    assert_eq!(code(&output), 74, "{}", shown(&output));
    assert!(shown(&output).contains("no space left"), "{}", shown(&output));
    assert!(!run.join("report.json").exists());
    client.batch_execute(&format!("DROP TRIGGER full_disk ON {name}.evidence")).unwrap();
    command("drill", world(), &full, &run).output().unwrap();
    assert!(reported(&run) == reference());
}

#[test]
fn a_password_is_asked_for_and_told_to_nobody() {
    let Some(port) = common_port() else { return };
    // The common server trusts everybody; what is left is that a database is not there.
    let told = refused(&format!("postgres://reledger:secret@127.0.0.1:{port}/nowhere"), 2);
    assert!(told.contains("does not let us in"), "{told}");
    let told = refused("postgres://reledger:secret@127.0.0.1/db?schema=A", 2);
    assert!(told.contains("schema"), "{told}");
    let offline = {
        let folder = tempdir().unwrap();
        let run = folder.path().join("run");
        command("rebuild", world(), "memory:", &run).output().unwrap();
        let store = url(port, "any").replace("reledger@", "reledger:secret@");
        command("drill", world(), &store, &run).arg("--offline").output().unwrap()
    };
    assert_eq!(code(&offline), 6, "{}", shown(&offline));
    assert!(!shown(&offline).contains("secret"));
}
