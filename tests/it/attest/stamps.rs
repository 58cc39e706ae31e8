//! Calendars that take, refuse or answer nonsense: each told, and only what can be completed is written.

use std::fs;

use super::desk::{Desk, House};

fn stamp(desk: &Desk, house: &House, more: &[&str], expected: i32) -> Vec<(bool, String)> {
    let config = house.config();
    let told = desk.json(&[&["attest", "stamp", "-c", &config][..], more].concat(), expected);
    let calendars = told["calendars"].as_array().unwrap().iter();
    calendars
        .map(|one| (one["accepted"].as_bool().unwrap(), one["fault"].as_str().unwrap_or_default().to_owned()))
        .collect()
}

#[test]
fn each_calendar_is_told_and_only_useful_answers_are_written() {
    let desk = Desk::new();
    desk.sign("one");
    let house = House::behaving(&["calendar:0=malformed", "calendar:1=bad-url"]);
    let said = stamp(&desk, &house, &[], 3);
    assert_eq!(said.iter().filter(|(accepted, _)| *accepted).count(), 1, "{said:?}");
    assert!(said.iter().any(|(_, fault)| fault.contains("is no proof")), "{said:?}");
    assert!(said.iter().any(|(_, fault)| fault.contains("names no calendar of the list")), "{said:?}");
    let proof = fs::read(desk.path("run/attestation.json.ots")).unwrap();
    let read = opentimestamps::DetachedTimestampFile::from_reader(proof.as_slice()).unwrap();
    let attestation = reledger::domain::sha256(&fs::read(desk.attestation()).unwrap());
    assert_eq!(read.timestamp.start_digest, attestation.as_bytes());
    assert!(!String::from_utf8_lossy(&proof).contains(&house.serving.trap().to_string()));
    assert_eq!(house.serving.trapped(), 0);
    // The way to the commitment begins with a nonce: nobody learns the digest of the file.
    assert_eq!(&proof[65..67], [0xf0, 16], "sixteen bytes are appended first");
}

#[test]
fn calendars_that_give_nothing_leave_no_proof() {
    let desk = Desk::new();
    desk.sign("one");
    for how in
        ["calendar=disconnect", "calendar=rate-limit", "calendar=redirect", "calendar=oversize", "calendar=truncate"]
    {
        let house = House::behaving(&[how]);
        let said = stamp(&desk, &house, &[], 8);
        assert!(said.iter().all(|(accepted, fault)| !accepted && !fault.is_empty()), "{how}: {said:?}");
        assert_eq!(house.serving.trapped(), 0, "{how}");
        assert!(!desk.path("run/attestation.json.ots").exists(), "{how}");
    }
    // Without a list there is nobody to ask; without a proof there is nothing to complete.
    let config = desk.path("c.toml");
    fs::write(&config, "[ots]\n").unwrap();
    desk.ends(&["attest", "stamp", "-c", &desk.text("c.toml")], 2);
    desk.ends(&["attest", "stamp", "--upgrade", "-c", &desk.text("c.toml")], 2);
}
