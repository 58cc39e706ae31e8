//! A store over TLS: its certificate is believed when the named authority signed it, and not else.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::runs::{restore, small};
use super::server::{Server, free_port};
use crate::support::{arg, code, shown, stderr};

/// Runs openssl in the folder; false where there is none.
fn openssl(folder: &Path, words: &str) -> bool {
    let mut command = Command::new("openssl");
    command.args(words.split(' ')).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Two authorities, and a certificate for loopback that the first one signed.
fn certificates(folder: &Path) -> bool {
    fs::write(folder.join("for"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    let own = |name: &str| {
        let subject = format!("-subj /CN={name} -days 36500 -keyout {name}.key -out {name}.pem");
        openssl(folder, &format!("req -x509 {curve} {subject}"))
    };
    own("right")
        && own("wrong")
        && openssl(folder, &format!("req {curve} -subj /CN=store -keyout store.key -out store.csr"))
        && openssl(
            folder,
            "x509 -req -in store.csr -CA right.pem -CAkey right.key -set_serial 1 -days 36500 -extfile for -out store.pem",
        )
}

#[test]
fn the_right_authority_opens_a_store_over_tls_and_no_other_does() {
    if !super::server::is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(certificates(folder.path()), "openssl makes certificates");
    let file = |name: &str| arg(&folder.path().join(name)).to_owned();
    let port = free_port().to_string();
    let (store, key, right) = (file("store.pem"), file("store.key"), file("right.pem"));
    let tls = ["--tls-port", &port, "--tls-cert-file", &store, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let more = [&tls[..], &["--tls-ca-cert-file", &right]].concat();
    let Some(server) = Server::start(&more) else { return };
    let url = format!("rediss://127.0.0.1:{port}");
    // The public authorities, another authority, and another name.
    for (url, more) in [
        (url.clone(), vec![]),
        (url.clone(), vec!["--tls-ca".to_owned(), file("wrong.pem")]),
        (format!("rediss://localhost:{port}"), vec!["--tls-ca".to_owned(), file("right.pem")]),
    ] {
        let words: Vec<&str> = more.iter().map(String::as_str).collect();
        let output = restore(&url, small(), &words);
        assert_eq!(code(&output), 8, "{url} {more:?}: {}", shown(&output));
        assert!(stderr(&output).contains("can't be reached"), "{}", shown(&output));
        assert!(server.held().is_empty());
    }
    let output = restore(&url, small(), &["--tls-ca", &file("right.pem")]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let output = restore(&server.url(), small(), &["--compare-only"]);
    assert_eq!(code(&output), 0, "what came over TLS is there: {}", shown(&output));
    let output = restore(&url, small(), &["--tls-ca", &key]);
    assert_eq!(code(&output), 2, "{}", shown(&output));
}
