//! Servers that are none: they end in one sentence, whatever they send.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use reledger::target::{Access, Address, Link, TargetError};

use super::runs::{restore, small};
use crate::support::{code, shown, stderr};

/// Answers every piece of every question with these bytes, then waits for the next, or closes after the first.
fn answers(bytes: Vec<u8>, stays: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut piece = [0; 4_096];
            while stream.read(&mut piece).is_ok_and(|size| size > 0) {
                if stream.write_all(&bytes).is_err() || !stays {
                    break;
                }
            }
        }
    });
    url
}

fn bulk(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

#[test]
fn a_server_that_is_none_ends_in_one_sentence() {
    let deep = b"*1\r\n".repeat(5_000);
    let info = |version: &str| bulk(&format!("redis_version:{version}\r\nrole:master\r\ncluster_enabled:0\r\n"));
    for (bytes, stays, wanted, said) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), true, 8, "protocol"),
        (b"\x16\x03\x01\x02\x00\xff\r\n\x00".to_vec(), true, 8, "protocol"),
        (deep, true, 8, "protocol"),
        (b"$100\r\nredis_ver".to_vec(), false, 8, "reached"),
        (b"$-5\r\n".to_vec(), true, 8, "no answer to it"),
        (b":7\r\n".to_vec(), true, 8, "no answer to it"),
        (bulk("nothing"), true, 8, "no answer to it"),
        (b"-LOADING Redis is loading the dataset in memory\r\n".to_vec(), true, 8, "LOADING"),
        (b"-ERR max number of clients reached\r\n".to_vec(), true, 8, "max number"),
        (b"-NOAUTH Authentication required.\r\n".to_vec(), true, 2, "password"),
        (info("4.0.14"), true, 2, "6.0"),
        // One that answers everything with what INFO has.
        (info("7.0.15"), true, 8, "answers"),
    ] {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        let output = restore(&answers(bytes, stays), small(), &[]);
        assert_eq!(code(&output), wanted, "{text}: {}", shown(&output));
        assert!(stderr(&output).contains(said), "{text}: {}", shown(&output));
        assert!(!stderr(&output).contains("panicked"), "{text}: {}", shown(&output));
    }
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    // The system takes the connection and nobody ever accepts it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: Address = format!("redis://{}", listener.local_addr().unwrap()).parse().unwrap();
    let access = Access { silence: Duration::from_millis(200), ..Access::default() };
    let error = Link::open(&address, &access).err().unwrap();
    assert!(matches!(&error, TargetError::Unreachable { what } if what.contains("does not answer")), "{error}");
}
