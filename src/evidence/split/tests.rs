//! Goal: every container yields the same records, however the stream is cut into chunks, in bounded memory.

use proptest::prelude::*;

use super::*;
use crate::domain::sha256;

const NAMES: &[&str] = &["settlements", "invoices"];
const LIMIT: usize = 64;

fn split_in(container: Container, limit: usize, chunks: &[&[u8]]) -> (Vec<Piece>, StreamEnd) {
    let mut pieces = Vec::new();
    let mut splitter = RecordSplitter::new(container, limit);
    for chunk in chunks {
        splitter.feed(chunk, &mut |piece| pieces.push(piece));
        assert!(splitter.buffered() <= limit + 1, "the buffer is bounded by the record limit");
    }
    let end = splitter.finish(&mut |piece| pieces.push(piece));
    (pieces, end)
}

fn split(text: &str) -> (Vec<Piece>, StreamEnd) {
    split_in(Container::Detect(NAMES), LIMIT, &[text.as_bytes()])
}

/// The records as text, when there is nothing but records and the stream ended properly.
fn records(text: &str) -> Vec<String> {
    let (pieces, end) = split(text);
    assert_eq!(end, StreamEnd::Proper, "{text}");
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Record { offset, bytes } => {
                let at = usize::try_from(offset).unwrap();
                assert_eq!(&text.as_bytes()[at..at + bytes.len()], bytes, "the offset points at the record");
                String::from_utf8(bytes).unwrap()
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

fn record(offset: u64, text: &str) -> Piece {
    Piece::Record { offset, bytes: text.as_bytes().to_vec() }
}

#[test]
fn three_containers_yield_the_same_records() {
    let expected = [r#"{"a":1}"#, r#"{"b":"]},\" {"}"#];
    for text in [
        "{\"a\":1}\n{\"b\":\"]},\\\" {\"}\n",
        "{\"a\":1}\r\n\r\n{\"b\":\"]},\\\" {\"}",
        "\u{feff}{\"a\":1}\n{\"b\":\"]},\\\" {\"}",
        "[{\"a\":1},{\"b\":\"]},\\\" {\"}]",
        " [\n  {\"a\":1} ,\r\n  {\"b\":\"]},\\\" {\"}\n]\n",
        "\u{feff}[{\"a\":1},{\"b\":\"]},\\\" {\"}]",
        "{\"settlements\":[{\"a\":1},{\"b\":\"]},\\\" {\"}]}",
        "{\n  \"ok\": true,\n  \"settlements\": [\n    {\"a\":1},\n    {\"b\":\"]},\\\" {\"}\n  ],\n  \"next\": \"2\"\n}\n",
        "{\"settlements\":[{\"a\":1}],\"invoices\":[{\"b\":\"]},\\\" {\"}]}",
        "[{\"a\":1}]\n[{\"b\":\"]},\\\" {\"}]",
        "{\"settlements\":[{\"a\":1}]}\n{\"settlements\":[{\"b\":\"]},\\\" {\"}]}\n",
    ] {
        assert_eq!(records(text), expected, "{text}");
    }
}

#[test]
fn what_only_looks_like_a_container_is_a_record() {
    for text in [
        r#"{"settlements":"[{}]"}"#,
        r#"{"settlements":{"a":[{}]}}"#,
        r#"{"a":{"settlements":[{}]}}"#,
        r#"{"x":"settlements","y":[{}]}"#,
        r#"{"settlements2":[{}]}"#,
        "{\n  \"user\": \"u\",\n  \"balance_sats\": 3\n}",
        r#"["EVENT",{"a":1}]"#,
        r#"[7,"kind",["ln",1],2,{}]"#,
    ] {
        assert_eq!(records(text), [text]);
    }
}

#[test]
fn nothing_beside_a_containers_array_is_lost_in_silence() {
    assert_eq!(records(r#"{"ok":true,"settlements":[{"a":1}],"n":2}"#), [r#"{"a":1}"#]);
    assert_eq!(records(r#"{"event":{},"settlements":[{"a":1}]}"#), [r#"{"event":{},"settlements":"#, r#"{"a":1}"#]);
    assert_eq!(records(r#"{"settlements":[{"a":1}],"event":{}}"#), [r#"{"a":1}"#, r#","event":{}}"#]);
}

#[test]
fn garbage_lines_are_records_like_any_other() {
    let text = "{\"a\":1}\nnot json {\n{\"b\":[\n{\"c\":2}\n";
    assert_eq!(records(text), ["{\"a\":1}", "not json {", "{\"b\":[", "{\"c\":2}"]);
    assert_eq!(records("{\"a\":[\n{\"b\":2}\n"), ["{\"a\":[", "{\"b\":2}"], "a bad first line costs one record");
    assert_eq!(records("{\"a\":\"x\n{\"b\":2}\n"), ["{\"a\":\"x", "{\"b\":2}"]);
    assert_eq!(records("{\"a\":1} x\n{\"b\":2}\n"), ["{\"a\":1} x", "{\"b\":2}"]);
    assert_eq!(records("[{\"a\":1},,nul,{\"b\":2}]"), ["{\"a\":1}", "nul", "{\"b\":2}"]);
    assert_eq!(records("[]"), Vec::<String>::new());
    assert_eq!(records(" \r\n"), Vec::<String>::new());
}

#[test]
fn bytes_that_are_not_utf8_come_out_as_they_are() {
    let (pieces, end) = split_in(Container::Detect(NAMES), LIMIT, &[b"\xef\xbb\n\xff\n"]);
    assert_eq!(end, StreamEnd::Proper);
    assert_eq!(
        pieces,
        [
            Piece::Record { offset: 0, bytes: b"\xef\xbb".to_vec() },
            Piece::Record { offset: 3, bytes: b"\xff".to_vec() }
        ]
    );
}

#[test]
fn an_oversized_record_is_cut_and_the_rest_goes_on() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(LIMIT));
    let fits = format!("{{\"a\":\"{}\"}}", "x".repeat(LIMIT - 8));
    assert_eq!(fits.len(), LIMIT);
    let oversized = |offset| Piece::Oversized {
        offset,
        length: long.len() as u64,
        sha256: sha256(long.as_bytes()),
        prefix: long.as_bytes()[..=LIMIT].to_vec(),
    };
    let lines = format!("{long}\n{fits}\n{{}}\n");
    assert_eq!(split(&lines).0[0], oversized(0));
    assert_eq!(split(&lines).0[1..], [record(73, &fits), record(138, "{}")]);
    let array = format!("[{long},{fits}]");
    assert_eq!(split(&array), (vec![oversized(1), record(74, &fits)], StreamEnd::Proper));
    let whole = split_in(Container::Whole, LIMIT, &[long.as_bytes()]);
    assert_eq!(whole, (vec![oversized(0)], StreamEnd::Proper));
    let one_over = format!("{fits} ");
    assert_eq!(split(&one_over).0, [record(0, &fits)], "white space does not count");
}

#[test]
fn a_stream_cut_off_inside_a_record_says_so() {
    let cut = |offset, text: &str| vec![Piece::Truncated { offset, bytes: text.as_bytes().to_vec() }];
    for (text, offset, rest) in [
        ("{\"a\":", 0, "{\"a\":"),
        ("{\n  \"a\": 1", 0, "{\n  \"a\": 1"),
        ("[{\"a\":1", 1, "{\"a\":1"),
        ("{\"settlements\":[{\"a", 16, "{\"a"),
        ("[", 0, "["),
    ] {
        assert_eq!(split(text), (cut(offset, rest), StreamEnd::CutOff), "{text}");
    }
    assert_eq!(split("[{\"a\":1}"), (cut(1, "{\"a\":1}"), StreamEnd::CutOff));
    assert_eq!(split("[{\"a\":1},"), (vec![record(1, "{\"a\":1}")], StreamEnd::CutOff));
    assert_eq!(split("{\"settlements\":[]"), (vec![], StreamEnd::CutOff));
    let (pieces, end) = split("{\"a\":1}\n{\"b\":\"x");
    assert_eq!((pieces.len(), end), (2, StreamEnd::CutOff));
    assert!(matches!(pieces[1], Piece::Truncated { offset: 8, .. }));
    assert_eq!(split("{\"a\":1}\n{\"b\":2}").1, StreamEnd::Proper, "the last line needs no line feed");
}

#[test]
fn a_whole_document_keeps_its_bytes() {
    let text = "{\n  \"keys\": []\n}\n";
    let (pieces, end) = split_in(Container::Whole, LIMIT, &[b"\xef\xbb\xbf", text.as_bytes()]);
    assert_eq!((pieces, end), (vec![record(3, text)], StreamEnd::Proper));
    assert_eq!(split_in(Container::Whole, LIMIT, &[]), (vec![], StreamEnd::Proper));
}

fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        Just("{\"a\":1}".to_owned()),
        Just("{\"settlements\":[".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("}".to_owned()),
        Just("{".to_owned()),
        Just("\"k\":".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just(",".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n  ".to_owned()),
        Just("\u{feff}".to_owned()),
        "[a-z]{1,40}".prop_map(|text| text),
    ];
    (proptest::collection::vec(fragment, 0..24), 0_usize..4)
        .prop_map(|(parts, skip)| parts.concat().into_bytes().into_iter().skip(skip).collect())
}

proptest! {
    #[test]
    fn any_chunking_yields_the_same_pieces(bytes in fragments(), size in 1_usize..9, whole: bool, limit in 1_usize..48) {
        let container = if whole { Container::Whole } else { Container::Detect(NAMES) };
        let at_once = split_in(container, limit, &[&bytes]);
        let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
        prop_assert_eq!(split_in(container, limit, &chunks), at_once);
    }

    #[test]
    fn two_chunks_cut_anywhere_yield_the_same_pieces(bytes in fragments()) {
        let at_once = split_in(Container::Detect(NAMES), LIMIT, &[&bytes]);
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            prop_assert_eq!(&split_in(Container::Detect(NAMES), LIMIT, &[head, tail]), &at_once);
        }
    }

    #[test]
    fn objects_come_back_out_of_every_container(texts in proptest::collection::vec("[ -~]{0,20}", 1..8)) {
        let objects: Vec<String> = texts.iter().map(|text| serde_json::json!({"t": text}).to_string()).collect();
        let array = objects.join(",");
        for text in [objects.join("\n"), format!("[{array}]"), format!("{{\"invoices\":[{array}]}}")] {
            prop_assert_eq!(&records(&text), &objects);
        }
    }
}
