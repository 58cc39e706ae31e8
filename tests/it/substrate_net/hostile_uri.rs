//! Addresses in pending attestations are foreign text: none but a listed calendar, spelled as one, is ever contacted.
//!
//! Method: a run over one proof for each form, on sockets that count who comes; the one listed calendar must get its one
//! question, and every other listener none.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use reledger::domain::{TrustPolicy, sha256};
use reledger::evidence::ots::Proof;
use reledger::substrate::{CalendarPlan, CalendarSource};
use reledger::verify::ots::allowed_host;
use tempfile::tempdir;

use super::http_server::{Answer, HttpServer};
use super::{fetch, hasty, runtime};
use crate::support::{arg, code, run, shown};

const ALICE: &str = "alice.btc.calendar.opentimestamps.org";

/// Counts connections, whoever makes them.
struct Trap {
    port: u16,
    visits: Arc<AtomicUsize>,
}

impl Trap {
    fn set(ip: &str, port: u16) -> Option<Self> {
        // A machine without IPv6 has one trap less.
        let listener = TcpListener::bind((ip, port)).ok()?;
        let port = listener.local_addr().unwrap().port();
        let visits = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&visits);
        thread::spawn(move || {
            for _ in listener.incoming() {
                seen.fetch_add(1, Ordering::SeqCst);
            }
        });
        Some(Self { port, visits })
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

/// The forms. ALICE is the listed calendar's name, OPEN its own port on this machine, TRAP another's.
const FORMS: &[&str] = &[
    // Other schemes, and none.
    "http://ALICE",
    "HTTP://ALICE",
    "ftp://ALICE",
    "file:///etc/passwd",
    "file://ALICE/x",
    "gopher://ALICE:70",
    "ws://ALICE",
    "wss://ALICE",
    "ALICE",
    "//ALICE",
    "https:ALICE",
    "https:/ALICE",
    "https:///ALICE",
    "https//ALICE",
    "javascript:alert-1",
    "data:text/plain",
    // Ports.
    "https://ALICE:443",
    "https://ALICE:80",
    "https://ALICE:8443",
    "https://ALICE:",
    "https://ALICE:0",
    "https://ALICE:99999",
    "https://evil.example:80.calendar.opentimestamps.org",
    "https://127.0.0.1:TRAP.calendar.opentimestamps.org",
    // Paths, queries, fragments.
    "https://ALICE/timestamp",
    "https://ALICE//",
    "https://ALICE/./",
    "https://ALICE/..",
    "https://ALICE/../x",
    "https://ALICE?x",
    "https://ALICE#x",
    // User names and separators.
    "https://user@ALICE",
    "https://ALICE@evil.example",
    "https://ALICE@127.0.0.1:TRAP",
    "https://ALICE\\@evil.example",
    "https://ALICE%2f@evil.example",
    "https://ALICE%00.evil.example",
    "https://ALICE\t",
    "https://ALICE\n",
    " https://ALICE",
    "https://ALICE evil",
    // Names that look alike.
    "https://ALICE.",
    "https://ALICE..",
    "https://.ALICE",
    "https://ALICE.evil.example",
    "https://evil-ALICE",
    "https://evilALICE",
    "https://eviI.ALICE",
    "https://btc.calendar.opentimestamps.org",
    "https://*.calendar.opentimestamps.org",
    "https://a.b.calendar.opentimestamps.org",
    "https://al\u{456}ce.btc.calendar.opentimestamps.org",
    "https://xn--alce-6vd.btc.calendar.opentimestamps.org",
    // This machine, the house, the cloud's metadata.
    "http://127.0.0.1:TRAP",
    "https://127.0.0.1:TRAP",
    "http://localhost:TRAP",
    "https://localhost:TRAP",
    "http://127.1:TRAP",
    "http://2130706433:TRAP",
    "http://0x7f000001:TRAP",
    "http://0x7f.1:TRAP",
    "http://0177.0.0.1:TRAP",
    "http://127.0.0.1.nip.io:TRAP",
    "http://0.0.0.0:TRAP",
    "http://0:TRAP",
    "http://127.0.0.2:TRAP",
    "http://[::1]:TRAP",
    "http://[::ffff:127.0.0.1]:TRAP",
    "http://127.0.0.1:OPEN",
    "http://localhost:OPEN",
    "http://127.0.0.1:OPEN/timestamp",
    "http://169.254.169.254",
    "https://169.254.169.254",
    "https://10.0.0.1",
    "https://192.168.0.1",
    "https://metadata.google.internal",
    "https://[fe80::1]",
    "https://[fd00::1]",
    "https://8.8.8.8",
    "",
];

/// Sixty and more forms. `open` is the listed calendar's own port on this machine, `trap` another's.
fn forms(open: u16, trap: u16) -> Vec<String> {
    let fill = |form: &&str| {
        form.replace("ALICE", ALICE).replace("TRAP", &trap.to_string()).replace("OPEN", &open.to_string())
    };
    let mut forms: Vec<String> = FORMS.iter().map(fill).collect();
    forms.push(format!("https://{}", "a".repeat(900)));
    forms.push(format!("https://{}", "a.".repeat(400)));
    forms
}

/// A proof of the form's number whose calendar is that form. Addresses of every length that OpenTimestamps allows.
fn proof(number: usize, uri: &str) -> Vec<u8> {
    let varint = |value: usize| match u8::try_from(value) {
        Ok(small) if small < 0x80 => vec![small],
        _ => vec![u8::try_from(value & 0x7f).unwrap() | 0x80, u8::try_from(value >> 7).unwrap()],
    };
    let payload = [varint(uri.len()), uri.as_bytes().to_vec()].concat();
    let digest = sha256(&number.to_be_bytes());
    let magic = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08".as_slice();
    // Like a calendar: a time of 2017 before, eight bytes after.
    let ops = [&[0xf1, 4, 0x58, 0x83, 0xf1, 0x71][..], &[0xf0, 8, 1, 2, 3, 4, 5, 6, 7, 8]].concat();
    [magic, &digest.0, &ops, b"\x00\x83\xdf\xe3\x0d\x2e\xf9\x0c\x8e", &varint(payload.len()), &payload].concat()
}

#[test]
fn sixty_forms_of_hostile_addresses_lead_to_no_connection() {
    let listed = HttpServer::start(|_, _| Answer::status(404, "Pending confirmation in Bitcoin blockchain"));
    let first = Trap::set("127.0.0.1", 0).unwrap();
    let others = ["127.0.0.2", "::1"].into_iter().filter_map(|ip| Trap::set(ip, first.port));
    let traps: Vec<Trap> = others.chain([Trap { port: first.port, visits: Arc::clone(&first.visits) }]).collect();
    let forms = forms(listed.port().parse().unwrap(), first.port);
    assert!(forms.len() >= 60, "{}", forms.len());

    let folder = tempdir().unwrap();
    let proofs = folder.path().join("proofs");
    fs::create_dir(&proofs).unwrap();
    for (number, form) in forms.iter().enumerate() {
        fs::write(proofs.join(format!("{number}.ots")), proof(number, form)).unwrap();
    }
    fs::write(proofs.join("honest.ots"), proof(usize::MAX, &format!("https://{ALICE}"))).unwrap();
    let mut config = String::new();
    writeln!(config, "[ots]\ncalendars = [\"https://{ALICE}\"]\nfiles = [\"proofs/\"]").unwrap();
    writeln!(config, "[ots.resolve]\n\"https://{ALICE}\" = \"{}\"", listed.base).unwrap();
    let file = folder.path().join("c.toml");
    fs::write(&file, config).unwrap();
    let output = run(&["capture", "-c", arg(&file), "--run", arg(&folder.path().join("run")), "--progress", "none"]);
    assert!([0, 3].contains(&code(&output)), "{}", shown(&output));
    let output = run(&["ots", "upgrade", arg(&proofs), "-c", arg(&file), "--run", arg(&folder.path().join("none"))]);
    assert_eq!(code(&output), 1, "{}", shown(&output));

    let asked: Vec<String> = listed.requests().into_iter().map(|request| request.target).collect();
    let question = format!("/timestamp/5883f171{}0102030405060708", sha256(&usize::MAX.to_be_bytes()).to_hex());
    assert_eq!(asked, [question.clone(), question], "once by each command");
    for trap in &traps {
        assert_eq!(trap.visits(), 0);
    }
}

#[test]
fn every_form_is_refused_by_each_gate_on_its_own() {
    let listed = HttpServer::start(|_, _| Answer::ok("proof"));
    let trap = Trap::set("127.0.0.1", 0).unwrap();
    let mut policy = TrustPolicy::orangecheck_2026_10();
    policy.calendars.insert(ALICE.to_owned());
    let mut refused_by_parsing = 0;
    let mut requests = Vec::new();
    for (number, form) in forms(listed.port().parse().unwrap(), trap.port).into_iter().enumerate() {
        assert_eq!(allowed_host(&form, &policy), None, "{form}");
        refused_by_parsing += usize::from(Proof::parse(&proof(number, &form)).is_err());
        requests.push((form, vec![7; 44]));
    }
    assert!((10..30).contains(&refused_by_parsing), "{refused_by_parsing}");
    // The source alone, which is given bare addresses: only spellings of the listed calendar itself pass.
    let own = format!("http://127.0.0.1:{}", listed.port());
    let alike: Vec<_> = requests.iter().filter(|(form, _)| *form != own).cloned().collect();
    let plan = CalendarPlan { http: hasty(), interval_ms: 0, ..CalendarPlan::polite(alike.clone(), vec![own]) };
    let mut source = CalendarSource::new(plan, runtime()).unwrap();
    assert_eq!(source.refused().len(), alike.len());
    fetch(&mut source);
    assert_eq!((listed.requests().len(), trap.visits()), (0, 0));
}
