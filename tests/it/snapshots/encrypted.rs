//! Encrypted snapshots: opened by whom they are for, and by nobody else; the reference implementation reads ours and we read its.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use reledger::sim::World;
use reledger::sim::seals::{SnapshotManifest, pack_snapshot};
use serde_json::Value;

use super::making::{file, key, make};
use crate::checkpoints::desk::{Desk, NOW};
use crate::support::{code, report_bytes, shown, stderr};

/// A desk, and files of two identities of which the first is who snapshots are for.
struct Sealed {
    desk: Desk,
    recipient: String,
}

impl Sealed {
    fn new() -> Self {
        let desk = Desk::new();
        let identities = [Identity::generate(), Identity::generate()];
        for (name, identity) in ["own", "other"].into_iter().zip(&identities) {
            fs::write(desk.path(name), format!("# {name}\n{}\n", identity.to_string().expose_secret())).unwrap();
            fs::set_permissions(desk.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self { desk, recipient: identities[0].to_public().to_string() }
    }

    fn make(&self, now: &str) -> Value {
        make(&self.desk, now, &["--encrypt-to", &self.recipient])
    }
}

/// What the format makes of these bytes for that recipient.
fn encrypted(recipient: &str, bytes: &[u8]) -> Vec<u8> {
    let recipient: age::x25519::Recipient = recipient.parse().unwrap();
    let encryptor = age::Encryptor::with_recipients([&recipient as &dyn age::Recipient].into_iter()).unwrap();
    let mut stream = encryptor.wrap_output(Vec::new()).unwrap();
    stream.write_all(bytes).unwrap();
    stream.finish().unwrap()
}

#[test]
fn an_encrypted_snapshot_is_opened_by_its_identity_everywhere_and_by_nothing_else() {
    let sealed = Sealed::new();
    let desk = &sealed.desk;
    let made = sealed.make(NOW);
    let (archive, key, own) = (file(&made), key(&made), desk.text("own"));
    assert!(archive.ends_with(".tar.zst.age") && made["encrypted"] == true, "{made}");
    assert!(fs::read(&archive).unwrap().starts_with(b"age-encryption.org/v1\n"));
    let judged = report_bytes(&desk.path("run"));
    let verify = ["snapshot", "verify", &archive, "--key", &key];
    assert!(desk.ends(&verify, 2).contains("--identity"));
    assert!(desk.ends(&[&verify[..], &["--identity", &desk.text("other")]].concat(), 5).contains("for others"));
    desk.ends(&[&verify[..], &["--identity", &own]].concat(), 0);
    // Several may be named; one of them opens it.
    desk.ends(&[&verify[..], &["--identity", &desk.text("other"), "--identity", &own]].concat(), 0);
    assert!(desk.ends(&["snapshot", "inspect", &archive, "--identity", &own], 0).contains("report.json"));
    desk.ends(&["snapshot", "inspect", &archive], 2);
    // The signature is inside: who can open it says nothing about who made it.
    let strangers = ["snapshot", "verify", &archive, "--identity", &own, "--key", &"ab".repeat(32)];
    assert!(desk.ends(&strangers, 5).contains("signature_mismatch"));
    fs::remove_dir_all(desk.path("run")).unwrap();
    let restore = ["snapshot", "restore", &archive, "--key", &key];
    desk.ends(&restore, 2);
    desk.ends(&[&restore[..], &["--identity", &desk.text("other")]].concat(), 5);
    assert!(!desk.path("run").exists());
    desk.ends(&[&restore[..], &["--identity", &own]].concat(), 0);
    assert_eq!(report_bytes(&desk.path("run")), judged);
    fs::remove_dir_all(desk.path("run")).unwrap();
    let config = Desk::config();
    let whole = ["replay", "-c", &config, "--from-snapshot", &archive, "--key", &key];
    desk.ends(&whole, 2);
    desk.ends(&[&whole[..], &["--identity", &own]].concat(), 0);
    // What others can read is no secret.
    fs::set_permissions(desk.path("own"), fs::Permissions::from_mode(0o644)).unwrap();
    desk.ends(&[&verify[..], &["--identity", &own]].concat(), 6);
    fs::set_permissions(desk.path("own"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(desk.path("own"), "AGE-SECRET-KEY-1NONE\n").unwrap();
    assert!(!desk.ends(&[&verify[..], &["--identity", &own]].concat(), 2).contains("SECRET-KEY-1NONE"));
}

#[test]
fn who_makes_the_next_one_need_not_open_the_last_and_pruning_does() {
    let sealed = Sealed::new();
    let desk = &sealed.desk;
    assert_eq!(sealed.make(NOW)["sequence"], 0);
    assert_eq!(sealed.make("2026-10-03T00:00:00Z")["is_new"], false, "nothing has changed");
    desk.grow();
    let next = sealed.make("2026-10-04T00:00:00Z");
    assert_eq!((&next["sequence"], &next["is_new"]), (&1.into(), &true.into()));
    // A number that was told of and whose archive was never named: it is made, under the next.
    fs::remove_file(file(&next)).unwrap();
    let again = sealed.make("2026-10-05T00:00:00Z");
    assert_eq!((&again["sequence"], &again["is_new"]), (&2.into(), &true.into()));
    let (shots, key) = (desk.text("shots"), key(&again));
    let prune = ["snapshot", "prune", &shots, "--key", &key, "--keep-last", "1"];
    desk.ends(&prune, 2);
    let told = desk.json(&[&prune[..], &["--identity", &desk.text("own")]].concat(), 0);
    assert_eq!(told["snapshots"].as_array().map(Vec::len), Some(2), "{told}");
    assert!(fs::metadata(file(&again)).is_ok());
    let left = fs::read_dir(desk.path("shots")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.filter(|name| !name.to_str().unwrap().starts_with('.')).count(), 1);
    desk.shrink();
    fs::remove_file(desk.path("shots/.newest")).unwrap();
    let (secret, to) = (desk.text("one"), sealed.recipient.clone());
    let create = ["snapshot", "create", "--sign-with", &secret, "--out", &shots, "--encrypt-to", &to];
    assert!(desk.ends(&create, 2).contains(".newest"));
    for wrong in ["age1none", "ssh-ed25519 AAAA"] {
        desk.ends(&["snapshot", "create", "--sign-with", &secret, "--encrypt-to", wrong], 2);
    }
}

#[test]
fn a_ciphertext_that_was_altered_cut_off_or_made_to_hurt_is_refused_and_nothing_is_restored() {
    let sealed = Sealed::new();
    let desk = &sealed.desk;
    let made = sealed.make(NOW);
    let (bytes, key, own) = (fs::read(file(&made)).unwrap(), key(&made), desk.text("own"));
    fs::remove_dir_all(desk.path("run")).unwrap();
    let place = desk.text("bad.tar.zst.age");
    let refused = |bytes: &[u8], codes: &[i32]| {
        fs::write(&place, bytes).unwrap();
        let output = desk.run(&["snapshot", "restore", &place, "--key", &key, "--identity", &own]);
        assert!(codes.contains(&code(&output)), "{}", shown(&output));
        assert!(!desk.path("run").exists());
        stderr(&output)
    };
    let header = bytes.windows(5).position(|part| part == b"\n--- ").unwrap();
    let chunk = 64 * 1024 + 16;
    let payload = header + 1 + bytes[header + 1..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    // In the header, in the nonce, in each part of the payload; at the ends of chunks and between them.
    for at in
        [10, header - 3, header + 7, payload + 3, payload + 20, payload + (bytes.len() - payload) / 2, bytes.len() - 1]
    {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        refused(&changed, &[5]);
    }
    for length in
        [0, 10, header, payload, payload + 16, payload + 40, payload + 16 + chunk, bytes.len() - 17, bytes.len() - 1]
    {
        refused(&bytes[..length.min(bytes.len() - 1)], &[5]);
    }
    refused(&[bytes.as_slice(), b"x"].concat(), &[5]);
    // Scrypt is as much work as the file says.
    let scrypt =
        b"age-encryption.org/v1\n-> scrypt c2FsdHNhbHRzYWx0c2FsdA 30\nYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\n--- bWFj\n";
    assert!(refused(scrypt, &[6]).contains("passphrase"));
    assert!(refused(b"-----BEGIN AGE ENCRYPTED FILE-----\n", &[2]).contains("text form"));
    refused(&[b"age-encryption.org/v1\n-> X25519 ".as_slice(), &vec![b'a'; 200_000]].concat(), &[5]);
    // What is unsafe inside is as unsafe as it was outside.
    let hand = World::generate(5, 10).hand();
    let members = vec![("../outside".to_owned(), b"x".to_vec())];
    let hostile = pack_snapshot(&hand, &SnapshotManifest::of(0, 1, &members), &members);
    let hostile_key = hand.ed25519_public("seal");
    fs::write(&place, encrypted(&sealed.recipient, &hostile)).unwrap();
    desk.ends(&["snapshot", "restore", &place, "--key", &hostile_key, "--identity", &own], 6);
    let bomb = zstd::encode_all(std::io::Read::take(std::io::repeat(0), 64 << 20), 3).unwrap();
    refused(&encrypted(&sealed.recipient, &bomb), &[5, 6]);
    // And an archive that is not encrypted needs no identity, and is not harmed by one.
    fs::create_dir(desk.path("run")).unwrap();
    desk.grow();
    let plain = make(desk, "2026-10-04T00:00:00Z", &[]);
    desk.ends(&["snapshot", "verify", &file(&plain), "--key", &key, "--identity", &own], 0);
}

#[test]
fn the_reference_reads_what_we_write_and_we_read_what_it_writes() {
    let sealed = Sealed::new();
    let desk = &sealed.desk;
    if Command::new("age").arg("--version").output().is_err() {
        eprintln!(
            "SKIPPED: no `age` here (Debian package age): what we encrypt was not read by another implementation"
        );
        return;
    }
    let made = sealed.make(NOW);
    let (key, own) = (key(&made), desk.text("own"));
    let plain = desk.text("plain.tar.zst");
    let age = |args: &[&str]| {
        let output = Command::new("age").args(args).output().unwrap();
        assert!(output.status.success(), "{args:?} {}", shown(&output));
    };
    age(&["--decrypt", "-i", &own, "-o", &plain, &file(&made)]);
    desk.ends(&["snapshot", "verify", &plain, "--key", &key], 0);
    let theirs = desk.text("theirs.tar.zst.age");
    age(&["-r", &sealed.recipient, "-o", &theirs, &plain]);
    desk.ends(&["snapshot", "verify", &theirs, "--key", &key, "--identity", &own], 0);
    // For several, of whom we are one.
    let other = Identity::generate().to_public().to_string();
    let both = desk.text("both.tar.zst.age");
    age(&["-r", &other, "-r", &sealed.recipient, "-o", &both, &plain]);
    desk.ends(&["snapshot", "verify", &both, "--key", &key, "--identity", &own], 0);
    let armored = desk.text("armored.tar.zst.age");
    age(&["-a", "-r", &sealed.recipient, "-o", &armored, &plain]);
    desk.ends(&["snapshot", "verify", &armored, "--key", &key, "--identity", &own], 2);
}
