//! Records that can't be read: a flood of junk must not become a flood of findings.

use std::collections::BTreeMap;

use crate::domain::{Code, EvidenceId, Finding, Subject};

/// Unreadable records of one media told one by one. Junk has nothing to tell but its hash, and anyone can send it to a
/// relay by the million; the rest is counted, and its bytes are kept like all others.
const TOLD_MAX: usize = 1_000;

/// Gathers findings about unreadable records. Which ones are told depends on their ids only, never on their order.
#[derive(Debug, Default)]
pub(super) struct Unread {
    by_media: BTreeMap<(Code, String), Records>,
}

#[derive(Debug, Default)]
struct Records {
    /// Those with the lowest ids.
    told: BTreeMap<EvidenceId, Vec<Finding>>,
    more: u64,
}

impl Unread {
    /// Takes the findings that say a record can't be read; gives back the others.
    pub(super) fn take(&mut self, evidence: EvidenceId, findings: Vec<Finding>) -> Vec<Finding> {
        let (unread, others): (Vec<_>, Vec<_>) = findings.into_iter().partition(is_unread);
        for finding in unread {
            let media = finding.subject.get("media").unwrap_or_default().to_owned();
            let records = self.by_media.entry((finding.code, media)).or_default();
            records.told.entry(evidence).or_default().push(finding);
            if records.told.len() > TOLD_MAX {
                records.told.pop_last();
                records.more += 1;
            }
        }
        others
    }

    /// The findings: the first ones singly, the rest as one with its count.
    pub(super) fn finish(self) -> impl Iterator<Item = Finding> {
        self.by_media.into_iter().flat_map(|((code, media), records)| {
            let severity = records.told.values().flatten().find_map(|finding| finding.severity_override);
            let rest = (records.more > 0).then(|| {
                let finding = Finding::new(code, Subject::new("media", media).and("class", "more"))
                    .with_values("readable records", format!("{} more that are not", records.more))
                    .with_explanation(
                        "these records can't be read either; their bytes are kept, counted as quarantined",
                    );
                severity.map_or(finding.clone(), |severity| finding.with_severity(severity))
            });
            records.told.into_values().flatten().chain(rest)
        })
    }
}

/// About a whole record, named by its media and hash, and nothing in it.
fn is_unread(finding: &Finding) -> bool {
    let about = &finding.subject;
    matches!(finding.code, Code::EvtMalformed | Code::SrcParse)
        && about.get("media").is_some()
        && about.get("sha256").is_some()
        && about.get("key").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Media, sha256};

    fn junk(number: usize) -> (EvidenceId, Vec<Finding>) {
        let digest = sha256(&number.to_be_bytes());
        let subject = Subject::new("media", Media::NostrEvent).and("sha256", digest);
        (EvidenceId(digest), vec![Finding::new(Code::EvtMalformed, subject)])
    }

    fn gathered(numbers: impl Iterator<Item = usize>) -> Vec<Finding> {
        let mut unread = Unread::default();
        for number in numbers {
            let (evidence, findings) = junk(number);
            assert!(unread.take(evidence, findings).is_empty());
        }
        unread.finish().collect()
    }

    #[test]
    fn a_flood_is_counted_and_in_any_order_the_same_are_told() {
        let forwards = gathered(0..TOLD_MAX + 7);
        assert_eq!(forwards, gathered((0..TOLD_MAX + 7).rev()));
        assert_eq!(forwards.len(), TOLD_MAX + 1);
        assert_eq!(forwards.last().unwrap().observed, "7 more that are not");
        // The near miss: as many as are told.
        assert!(gathered(0..TOLD_MAX).iter().all(|finding| finding.subject.get("class").is_none()));
    }

    #[test]
    fn other_findings_pass() {
        let mut unread = Unread::default();
        let (evidence, _) = junk(1);
        let other = Finding::new(Code::EvtBadSig, Subject::new("media", "x").and("sha256", "y"));
        assert_eq!(unread.take(evidence, vec![other.clone()]), vec![other]);
    }
}
