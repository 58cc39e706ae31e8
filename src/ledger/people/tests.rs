use super::*;
use crate::domain::{AsOf, BindingId, PublicKey32, TrustPolicy, UnixMicros, UnixSeconds, sha256};
use crate::evidence::MergeRecord;
use crate::verify::{SignedBinding, Verified, VerifiedSet};

#[derive(Default)]
struct Names {
    set: VerifiedSet,
}

impl Names {
    fn bind_at(mut self, at: i64, principal: &str, btc: &str, npub: &str) -> Self {
        let id = BindingId(sha256(format!("{principal} {btc} {npub} {at}").as_bytes()));
        let message = BindingMessage {
            principal: principal.to_owned(),
            btc: btc.to_owned(),
            npub: npub.to_owned(),
            nostr_key: PublicKey32::from_bytes([7; 32]),
            nonce: "00".repeat(16),
            issued_at: UnixMicros::from(UnixSeconds(at)),
            extensions: BTreeMap::new(),
        };
        self.set.bindings.insert(id, Verified::assumed(SignedBinding { id, message }, EvidenceId(id.0)));
        self
    }

    fn bind(self, principal: &str, btc: &str, npub: &str) -> Self {
        self.bind_at(100, principal, btc, npub)
    }

    fn merge(mut self, user: &str, from: &[&str]) -> Self {
        let merged_from: Vec<UserKey> = from.iter().map(|name| UserKey::from(*name)).collect();
        let evidence = EvidenceId(sha256(format!("{user} {from:?}").as_bytes()));
        self.set.merges.push((evidence, MergeRecord { user: user.into(), merged_from }));
        self
    }

    fn people(&self) -> (People, Vec<String>) {
        let policy = TrustPolicy::orangecheck_2026_10();
        let as_of = AsOf { time: UnixSeconds(100), tip: None };
        let mut findings = Vec::new();
        let people = People::of(&self.set, &policy, as_of, &mut findings);
        let about = |finding: &Finding| {
            assert_eq!((finding.code, finding.subject.get("check")), (Code::Unverifiable, Some("identity")));
            assert!(!finding.evidence.is_empty());
            finding.subject.get("user").unwrap().to_owned()
        };
        (people, findings.iter().map(about).collect())
    }
}

fn account(people: &People, name: &str) -> String {
    people.account_of(&name.into()).to_string()
}

fn principal(people: &People, name: &str) -> String {
    people.principal_of(&name.into()).to_string()
}

#[test]
fn a_binding_joins_an_address_and_a_nostr_key_to_their_principal() {
    let (people, contested) = Names::default().bind("did:oc:1", "bc1a", "npub1a").people();
    assert_eq!(
        ["did:oc:1", "bc1a", "npub1a", "bc1z"].map(|name| account(&people, name)),
        ["did:oc:1", "did:oc:1", "did:oc:1", "bc1z"]
    );
    assert_eq!(people.names_of(&"did:oc:1".into()).map(UserKey::as_str).collect::<Vec<_>>(), ["bc1a", "npub1a"]);
    assert_eq!((people.joined(), contested.len()), (2, 0));
}

#[test]
fn a_binding_of_tomorrow_joins_nothing_today() {
    assert_eq!(principal(&Names::default().bind_at(100, "did:oc:1", "bc1a", "n").people().0, "bc1a"), "did:oc:1");
    assert_eq!(principal(&Names::default().bind_at(101, "did:oc:1", "bc1a", "n").people().0, "bc1a"), "bc1a");
}

#[test]
fn who_replaces_one_key_still_signs_with_the_other() {
    let names = Names::default().bind("did:oc:1", "bc1a", "npub1a").bind("did:oc:1", "bc1b", "npub1a");
    let (people, contested) = names.bind("did:oc:1", "bc1b", "npub1b").people();
    assert_eq!(["bc1a", "bc1b", "npub1b"].map(|name| principal(&people, name)), ["did:oc:1"; 3]);
    assert_eq!(contested, [""; 0]);
}

#[test]
fn a_stranger_who_binds_own_keys_to_a_principal_joins_nobody() {
    let names = Names::default().bind("did:oc:1", "bc1a", "npub1a").bind("did:oc:1", "bc1evil", "npub1evil");
    let (people, contested) = names.people();
    assert_eq!(["bc1a", "bc1evil"].map(|name| account(&people, name)), ["bc1a", "bc1evil"]);
    assert_eq!(contested, ["did:oc:1"]);
}

#[test]
fn a_key_that_claims_two_principals_joins_neither() {
    let names = Names::default().bind("did:oc:1", "bc1evil", "npub1a").bind("did:oc:2", "bc1evil", "npub1b");
    let (people, contested) = names.bind("did:oc:3", "bc1c", "npub1c").people();
    assert_eq!(["bc1evil", "npub1a", "bc1c"].map(|name| account(&people, name)), ["bc1evil", "npub1a", "did:oc:3"]);
    assert_eq!(contested, ["did:oc:1", "did:oc:2"]);
}

#[test]
fn merged_accounts_share_their_earnings_and_keep_their_own_chains_of_custody() {
    let names = Names::default().bind("did:oc:2", "bc1b", "npub1b").merge("did:oc:1", &["did:oc:2"]);
    let (people, contested) = names.merge("did:oc:0", &["did:oc:1"]).people();
    assert_eq!(["bc1b", "did:oc:2", "did:oc:1", "did:oc:0"].map(|name| account(&people, name)), ["did:oc:0"; 4]);
    assert_eq!(
        ["bc1b", "did:oc:2", "did:oc:1"].map(|name| principal(&people, name)),
        ["did:oc:2", "did:oc:2", "did:oc:1"]
    );
    assert_eq!(contested, [""; 0]);
}

#[test]
fn a_name_that_two_accounts_claim_to_have_taken_over_stays_apart() {
    let names = Names::default().merge("did:oc:1", &["did:oc:9", "did:oc:3"]).merge("did:oc:2", &["did:oc:9"]);
    let (people, contested) = names.people();
    assert_eq!(["did:oc:9", "did:oc:3"].map(|name| account(&people, name)), ["did:oc:9", "did:oc:1"]);
    assert_eq!(contested, ["did:oc:9"]);
}

#[test]
fn one_merge_said_twice_is_one_and_a_circle_ends_at_its_lowest_name() {
    let names = Names::default().merge("b", &["a", "b"]).merge("b", &["a"]).merge("c", &["b"]).merge("a", &["c"]);
    let (people, contested) = names.merge("a", &["d"]).people();
    assert_eq!(["a", "b", "c", "d"].map(|name| account(&people, name)), ["a"; 4]);
    assert_eq!(contested, [""; 0]);
}
