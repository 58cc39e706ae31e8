//! Goal: every rule of OTS 4.2 has a chain that breaks it and one that just does not; arrival order decides nothing.
//! Method: chains mined at a trivial target. Real headers are judged in `tests/it/vectors_ots.rs`.

use super::testchain::{EASY, Raw, chain, extend, extend_paced, hash, mine, policy, root, run};
use super::*;

type Runs = Vec<(EvidenceId, HeaderRun)>;

fn judged(runs: Runs, policy: &HeaderPolicy) -> (HeaderChain, Vec<Finding>, Counts) {
    HeaderChain::build(runs, policy)
}

fn time(raw: &Raw) -> u32 {
    u32::from_le_bytes(raw[68..72].try_into().unwrap())
}

fn fates(counts: Counts) -> (u64, u64, u64, u64) {
    assert_eq!(counts.unique, counts.accepted + counts.pending + counts.rejected + counts.quarantined);
    (counts.unique, counts.accepted, counts.pending, counts.rejected)
}

/// (rule, height) of every HDR_INVALID; any other code fails the test.
fn broken(findings: &[Finding]) -> Vec<(String, String)> {
    findings
        .iter()
        .map(|finding| {
            assert_eq!(finding.code, Code::HdrInvalid);
            let member = |name| finding.subject.get(name).unwrap().to_owned();
            (member("rule"), member("height"))
        })
        .collect()
}

fn one(rule: &str, height: u32) -> Vec<(String, String)> {
    vec![(rule.to_owned(), height.to_string())]
}

#[test]
fn a_chain_from_the_checkpoint_is_trusted_to_its_tip() {
    let headers = chain(10);
    let (chain, findings, counts) = judged(vec![run(Some(0), &headers)], &policy(0, &headers[0]));
    assert_eq!((findings, fates(counts)), (vec![], (11, 11, 0, 0)));
    for (height, raw) in (0..).zip(&headers) {
        let known = chain.at(BlockHeight(height)).unwrap();
        assert_eq!((known.hash.0, known.trust), (hash(raw), HeaderTrust::Chain));
        assert_eq!((known.root.0, known.bits), (raw[36..68].try_into().unwrap(), EASY));
        assert_eq!(known.time, UnixSeconds(time(raw).into()));
    }
    assert_eq!(chain.at(BlockHeight(11)), None);
    let tip = chain.tip().unwrap();
    assert_eq!((tip.height, tip.hash.0), (BlockHeight(10), hash(&headers[10])));
}

#[test]
fn a_block_is_final_with_six_confirmations_not_with_five() {
    let headers = chain(10);
    let (chain, ..) = judged(vec![run(Some(1), &headers[1..])], &policy(0, &headers[0]));
    assert!(chain.is_final(BlockHeight(5)));
    assert!(!chain.is_final(BlockHeight(6)));
    assert!(!chain.is_final(BlockHeight(11)));
}

#[test]
fn order_overlap_and_repetition_change_nothing() {
    let headers = chain(40);
    let fork = extend(&headers[20], 5, 9_000);
    let mut runs = vec![
        run(Some(0), &headers[..15]),
        run(Some(10), &headers[10..30]),
        run(None, &headers[25..]),
        run(None, &fork),
        run(Some(3), &headers[3..4]),
    ];
    let policy = policy(0, &headers[0]);
    let reference = format!("{:?}", judged(runs.clone(), &policy));
    runs.push(runs[1].clone());
    for turn in 0..runs.len() {
        runs.rotate_left(1);
        assert_eq!(format!("{:?}", judged(runs.clone(), &policy)), reference, "turn {turn}");
        let reversed = runs.iter().rev().cloned().collect();
        assert_eq!(format!("{:?}", judged(reversed, &policy)), reference, "turn {turn}, reversed");
    }
    let (chain, findings, counts) = judged(runs, &policy);
    assert_eq!((chain.tip().unwrap().height, findings, fates(counts)), (BlockHeight(40), vec![], (46, 46, 0, 0)));
}

#[test]
fn the_fork_with_more_work_wins_and_the_loser_is_kept_as_stale() {
    let headers = chain(20);
    let fork = extend(&headers[15], 7, 9_000);
    let runs = vec![run(Some(0), &headers), run(None, &fork)];
    let (chain, findings, _) = judged(runs, &policy(0, &headers[0]));
    assert!(findings.is_empty());
    assert_eq!(chain.tip().unwrap().hash.0, hash(&fork[6]));
    assert_eq!(chain.at(BlockHeight(16)).unwrap().hash.0, hash(&fork[0]));
    let lost = |at: usize| MerkleRootHash(headers[at][36..68].try_into().unwrap());
    assert_eq!(chain.stale_at(BlockHeight(16), lost(16)).unwrap().hash.0, hash(&headers[16]));
    assert_eq!(chain.stale_at(BlockHeight(17), lost(16)), None);
    assert_eq!(chain.stale_at(BlockHeight(15), lost(15)), None);
    assert_eq!(chain.stale().map(|known| known.height.0).collect::<Vec<_>>(), [16, 17, 18, 19, 20]);
}

#[test]
fn equal_work_falls_to_the_lower_hash() {
    let headers = chain(5);
    let fork = extend(&headers[4], 1, 9_000);
    let (chain, ..) = judged(vec![run(Some(0), &headers), run(Some(5), &fork)], &policy(0, &headers[0]));
    let lower = BlockHash(hash(&headers[5])).to_string().min(BlockHash(hash(&fork[0])).to_string());
    assert_eq!(chain.tip().unwrap().hash.to_string(), lower);
}

/// `EASY * seconds / two weeks` by hand: 24 bits of mantissa, 40 more for the division.
fn expected_bits(seconds: u32) -> u32 {
    let scaled = (u128::from(EASY & 0x00ff_ffff) << 40) * u128::from(seconds) / 1_209_600;
    let mut exponent = 0x20_u32;
    let mut scaled = scaled;
    while scaled < 1 << (40 + 15) {
        scaled <<= 8;
        exponent -= 1;
    }
    exponent << 24 | u32::try_from(scaled >> 40).unwrap()
}

#[test]
fn the_target_changes_every_2016_blocks_by_the_time_they_took() {
    let genesis = chain(0)[0];
    let mut headers = vec![genesis];
    headers.extend(extend_paced(&genesis, 2_015, 0, 500));
    let seconds = 2_015 * 500;
    let policy = policy(0, &headers[0]);
    let next_time = time(&headers[2_015]) + 600;
    let right = mine(hash(&headers[2_015]), root(1), next_time, expected_bits(seconds));
    let (chain, findings, _) = judged(vec![run(Some(0), &headers), run(None, &[right])], &policy);
    assert_eq!((findings, chain.tip().unwrap().height), (vec![], BlockHeight(2_016)));

    let unchanged = mine(hash(&headers[2_015]), root(1), next_time, EASY);
    let (chain, findings, counts) = judged(vec![run(Some(0), &headers), run(None, &[unchanged])], &policy);
    assert_eq!((broken(&findings), fates(counts)), (one("target", 2_016), (2_017, 2_016, 0, 1)));
    assert_eq!(chain.tip().unwrap().height, BlockHeight(2_015));
}

#[test]
fn the_target_does_not_change_inside_an_epoch() {
    let headers = chain(5);
    let harder = mine(hash(&headers[5]), root(1), time(&headers[5]) + 600, 0x203f_ffff);
    let (chain, findings, _) = judged(vec![run(Some(0), &headers), run(None, &[harder])], &policy(0, &headers[0]));
    assert_eq!((broken(&findings), chain.tip().unwrap().height), (one("target", 6), BlockHeight(5)));
}

#[test]
fn most_work_beats_most_headers_and_the_loser_is_not_believed_above_the_tip() {
    let genesis = chain(0)[0];
    let [slow, fast] = [(0, 600), (90_000, 1)].map(|(label, pace)| extend_paced(&genesis, 2_015, label, pace));
    // A hasty epoch quarters the target: one header after it weighs as much as four before, and more than two easy ones.
    let hard = mine(hash(&fast[2_014]), root(1), time(&fast[2_014]) + 600, 0x201f_ffff);
    let easy_bits = expected_bits(2_015 * 600);
    let easy = mine(hash(&slow[2_014]), root(2), time(&slow[2_014]) + 600, easy_bits);
    let easier = mine(hash(&easy), root(3), time(&easy) + 600, easy_bits);
    let runs = vec![run(Some(1), &slow), run(None, &[easy, easier]), run(Some(1), &fast), run(None, &[hard])];
    let policy = policy(0, &genesis);
    let (chain, findings, _) = judged(runs.clone(), &policy);
    assert_eq!(findings, []);
    assert_eq!((chain.tip().unwrap().height, chain.tip().unwrap().hash.0), (BlockHeight(2_016), hash(&hard)));
    assert_eq!(chain.at(BlockHeight(2_017)), None);
    let lost = MerkleRootHash(root(3));
    assert_eq!(chain.stale_at(BlockHeight(2_017), lost).unwrap().hash.0, hash(&easier));
    // Without the hard header the longer branch wins.
    let (chain, ..) = judged(runs[..3].to_vec(), &policy);
    assert_eq!(chain.tip().unwrap().hash.0, hash(&easier));
}

#[test]
fn a_time_must_exceed_the_median_of_eleven() {
    let headers = chain(20);
    let median = time(&headers[15]);
    let next = |time| run(None, &[mine(hash(&headers[20]), root(1), time, EASY)]);
    let policy = policy(0, &headers[0]);
    let (_, findings, _) = judged(vec![run(Some(0), &headers), next(median)], &policy);
    assert_eq!(broken(&findings), one("median time past", 21));
    // Earlier than its parent is allowed: real epochs 20 and 21 hold 49 such headers (OTS 4.2).
    let (chain, findings, _) = judged(vec![run(Some(0), &headers), next(median + 1)], &policy);
    assert_eq!((findings, chain.tip().unwrap().height), (vec![], BlockHeight(21)));
}

#[test]
fn too_few_ancestors_prove_no_median() {
    let headers = chain(20);
    let early = mine(hash(&headers[20]), root(1), time(&headers[19]), EASY);
    let runs = vec![run(Some(19), &[headers[19], headers[20], early])];
    let (_, findings, _) = judged(runs, &policy(19, &headers[19]));
    assert_eq!(findings, []);
}

#[test]
fn one_flipped_byte_cuts_the_run_there() {
    let headers = chain(20);
    let mut damaged = headers.clone();
    damaged[12][40] ^= 1;
    while pow::is_met(pow::target(EASY).unwrap(), hash(&damaged[12])) {
        damaged[12][40] = damaged[12][40].wrapping_add(1);
    }
    let (chain, findings, counts) = judged(vec![run(Some(0), &damaged)], &policy(0, &headers[0]));
    assert_eq!((broken(&findings), fates(counts)), (one("proof of work", 12), (21, 20, 0, 1)));
    assert_eq!(chain.tip().unwrap().height, BlockHeight(11));
    assert_eq!(chain.at(BlockHeight(12)), None);
    assert_eq!(chain.at(BlockHeight(13)).unwrap().trust, HeaderTrust::Isolated);
    // The whole run heals it.
    let (chain, ..) = judged(vec![run(Some(0), &damaged), run(Some(0), &headers)], &policy(0, &headers[0]));
    assert_eq!(chain.at(BlockHeight(13)).unwrap().trust, HeaderTrust::Chain);
}

#[test]
fn a_run_whose_headers_do_not_link_is_invalid() {
    let headers = chain(10);
    let runs = vec![run(Some(0), &[headers[0], headers[1], headers[3]])];
    let (chain, findings, _) = judged(runs, &policy(0, &headers[0]));
    assert_eq!((broken(&findings), chain.tip().unwrap().height), (one("previous hash", 2), BlockHeight(1)));
}

#[test]
fn a_target_easier_than_the_policys_limit_is_invalid() {
    let headers = chain(2);
    let strict = HeaderPolicy { pow_limit: 0x203f_ffff, ..policy(0, &headers[0]) };
    let (chain, findings, _) = judged(vec![run(Some(0), &headers)], &strict);
    assert_eq!((broken(&findings), chain.is_empty()), (one("proof of work", 0), true));
    for bits in [0, 0x2100_ffff, 0xff7f_ffff] {
        let mut odd = headers[1];
        odd[72..76].copy_from_slice(&u32::to_le_bytes(bits));
        let (_, findings, _) = judged(vec![run(Some(1), &[odd])], &policy(0, &headers[0]));
        assert_eq!(broken(&findings), one("proof of work", 1), "{bits:08x}");
    }
}

#[test]
fn a_policy_whose_limit_is_no_target_accepts_no_header() {
    let headers = chain(3);
    let policy = HeaderPolicy { pow_limit: 0, ..policy(0, &headers[0]) };
    let (chain, findings, counts) = judged(vec![run(Some(0), &headers)], &policy);
    assert!(chain.is_empty(), "{:?}", chain.tip());
    assert_eq!((findings.is_empty(), counts.accepted), (false, 0));
}

#[test]
fn a_run_without_a_height_waits_for_the_header_it_links_to() {
    let headers = chain(10);
    let policy = policy(0, &headers[0]);
    let late = run(None, &headers[6..]);
    let (chain, findings, counts) = judged(vec![run(Some(0), &headers[..5]), late.clone()], &policy);
    assert_eq!((findings.len(), findings[0].code, fates(counts)), (1, Code::Unverifiable, (10, 5, 5, 0)));
    assert_eq!(chain.at(BlockHeight(6)), None);
    let runs = vec![run(Some(0), &headers[..5]), late, run(None, &headers[5..6])];
    let (chain, findings, counts) = judged(runs, &policy);
    assert_eq!((findings, fates(counts), chain.tip().unwrap().height), (vec![], (11, 11, 0, 0), BlockHeight(10)));
}

#[test]
fn a_claimed_height_that_the_links_contradict_is_invalid() {
    let headers = chain(10);
    let policy = policy(0, &headers[0]);
    let all = run(Some(0), &headers);
    let (chain, findings, counts) = judged(vec![all.clone(), run(Some(7), &headers[4..6])], &policy);
    assert_eq!((broken(&findings), fates(counts)), (one("claimed height", 7), (11, 11, 0, 0)));
    assert_eq!(chain.at(BlockHeight(7)).unwrap().hash.0, hash(&headers[7]));
    assert!(judged(vec![all, run(Some(4), &headers[4..6])], &policy).1.is_empty());
}

#[test]
fn another_header_at_the_checkpoints_height_is_invalid() {
    let (ours, theirs) = (chain(8), extend(&chain(4)[4], 4, 9_000));
    let policy = policy(6, &ours[6]);
    let (chain, findings, _) = judged(vec![run(Some(0), &ours)], &policy);
    assert!(findings.is_empty());
    assert_eq!(chain.tip().unwrap().height, BlockHeight(8));
    // Linked to the real chain, and standing alone with only a claim.
    let (_, findings, _) = judged(vec![run(Some(0), &ours), run(None, &theirs)], &policy);
    assert_eq!(broken(&findings), one("pinned header", 6));
    let (chain, findings, counts) = judged(vec![run(Some(5), &theirs)], &policy);
    assert_eq!((broken(&findings), fates(counts), chain.is_empty()), (one("pinned header", 6), (4, 0, 4, 0), true));
    assert!(judged(vec![run(Some(7), &theirs)], &policy).1.is_empty());
}

#[test]
fn the_checkpoint_commits_to_its_ancestors() {
    let headers = chain(12);
    let (chain, ..) = judged(vec![run(None, &headers)], &policy(8, &headers[8]));
    assert_eq!(chain.at(BlockHeight(3)).unwrap().trust, HeaderTrust::PinnedEpoch);
    assert_eq!(chain.at(BlockHeight(9)).unwrap().trust, HeaderTrust::Chain);
    assert!(chain.is_final(BlockHeight(3)) && chain.is_final(BlockHeight(8)) && !chain.is_final(BlockHeight(9)));
}

#[test]
fn lone_headers_are_isolated_and_never_final() {
    let headers = chain(30);
    let runs = vec![run(Some(0), &headers[..3]), run(Some(9), &headers[9..])];
    let (chain, findings, counts) = judged(runs, &policy(0, &headers[0]));
    assert_eq!((findings, fates(counts)), (vec![], (25, 25, 0, 0)));
    assert_eq!(chain.at(BlockHeight(9)).unwrap().trust, HeaderTrust::Isolated);
    assert!(!chain.is_final(BlockHeight(9)));
    assert_eq!(chain.tip().unwrap().height, BlockHeight(2));
}

#[test]
fn heights_beyond_32_bits_are_refused_without_a_panic() {
    let headers = chain(3);
    let (_, findings, _) = judged(vec![run(Some(u32::MAX - 1), &headers)], &policy(9, &headers[0]));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].subject.get("rule"), Some("height fits 32 bits"));
}

#[test]
fn no_runs_make_an_empty_chain() {
    let policy = policy(0, &chain(0)[0]);
    let (chain, findings, counts) = judged(Vec::new(), &policy);
    assert!(chain.is_empty() && findings.is_empty() && chain.tip().is_none());
    assert_eq!(fates(counts), (0, 0, 0, 0));
}
