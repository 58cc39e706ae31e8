//! Bodies of OC Me artifacts, read out of the signed bytes (FORMATS 3.2 to 3.8). Unknown members are left alone.

use super::fields::Fields;
use super::json::{self, Json, JsonError};
use super::kept;
use super::limits::RECIPIENTS_MAX;
use super::route::is_kind_of;
use super::{
    ActivityAttestation, BillableEvent, CustodyState, Distribution, DistributionShare, DropManifest, DropRef,
    EventClass, OcMeBody, OcMeKind, Payment, PayoutBinding, Rebind,
};
use crate::domain::{ProjectKey, Sats};

/// Why the fields of signed bytes can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// A key stands twice in one object: the bytes can be read two ways.
    #[error("duplicate key {0}")]
    DuplicateKey(String),
    /// Not JSON, or a member is missing or of another form.
    #[error("{member} is {found}, expected {expected}")]
    Schema {
        /// The member; `body` for the bytes as a whole.
        member: String,
        /// The form that it should have.
        expected: String,
        /// What stands there, as JSON and shortened; `missing` when nothing does.
        found: String,
    },
    /// An amount is negative, fractional or above the supply.
    #[error("member {member} is {found}, not an amount of satoshi")]
    Amount {
        /// The member.
        member: String,
        /// Its source text.
        found: String,
    },
    /// The signed `kind` names another artifact.
    #[error("the signed kind is {0}")]
    Kind(String),
}

impl BodyError {
    pub(super) fn schema(member: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Schema { member: member.into(), expected: expected.into(), found: found.into() }
    }
}

impl From<JsonError> for BodyError {
    fn from(error: JsonError) -> Self {
        match error.duplicate_key {
            Some(key) => Self::DuplicateKey(key),
            None => Self::schema("body", "JSON", error.to_string()),
        }
    }
}

/// Reads the body of an artifact of that kind out of its signed bytes.
///
/// # Errors
/// [`BodyError`]. The amounts of one artifact are not added up here: sums are the ledger's business.
pub fn parse_body(kind: OcMeKind, bytes: &[u8]) -> Result<OcMeBody, BodyError> {
    read_body(kind, &json::parse(bytes)?)
}

/// As [`parse_body`], of signed bytes that were read already.
pub(super) fn read_body(kind: OcMeKind, json: &Json<'_>) -> Result<OcMeBody, BodyError> {
    let fields = Fields::of(json).ok_or_else(|| BodyError::schema("body", "a JSON object", "another value"))?;
    match fields.text("kind")? {
        Some(found) if !is_kind_of(kind, found) => return Err(BodyError::Kind(found.to_owned())),
        Some(_) | None => {}
    }
    if fields.has("v") && !matches!(kind, OcMeKind::Event | OcMeKind::Activity) {
        known_version(fields)?;
    }
    match kind {
        OcMeKind::Event => event(fields).map(OcMeBody::Event),
        OcMeKind::Payment => payment(fields).map(OcMeBody::Payment),
        OcMeKind::Rebind => rebind(fields, json).map(OcMeBody::Rebind),
        OcMeKind::Trust => Ok(OcMeBody::Trust),
        OcMeKind::PayoutBinding => payout_binding(fields).map(OcMeBody::PayoutBinding),
        OcMeKind::Distribution => distribution(fields).map(OcMeBody::Distribution),
        OcMeKind::Drop => drop_manifest(fields).map(OcMeBody::Drop),
        OcMeKind::Activity => activity(fields).map(OcMeBody::Activity),
    }
}

fn event(fields: Fields<'_, '_>) -> Result<BillableEvent, BodyError> {
    let (drop, is_agent) = (drop_ref(fields)?, fields.flag("is_agent")?);
    let v = event_version(fields, is_agent, drop.is_some())?;
    let class = EventClass::of_name(fields.need_text("class")?)
        .ok_or_else(|| BodyError::schema("class", "\"A\", \"B\" or \"C\"", fields.shown("class")))?;
    let gross = fields.need_sats("gross_fee_sats")?;
    let platform = fields.need_sats("platform_fee_sats")?;
    let user_earned = fields.need_sats("user_earned_sats")?;
    let rebate = match fields.sats("site_rebate_sats")? {
        Some(rebate) => rebate,
        None if v == 1 => remainder(gross, platform, user_earned)?,
        None => return Err(BodyError::schema("site_rebate_sats", "an amount of satoshi", "missing")),
    };
    Ok(BillableEvent {
        v,
        class,
        subtype: fields.need_text("subtype")?.into(),
        occurred_at: fields.need_time(&["occurred_at"])?,
        site: site(fields)?.into(),
        user: fields.need_user()?,
        project: fields.text("project_key")?.map(ProjectKey::from),
        gross,
        platform,
        user_earned,
        rebate,
        is_agent: is_agent.unwrap_or(false),
        drop,
        payment_amount: match fields.object("context")? {
            Some(context) => context.sats("payment_amount_sats")?,
            None => None,
        },
        idempotency_key: fields.text("idempotency_key")?.map(str::to_owned),
    })
}

/// A version that says nothing of what its members mean can't be counted, whatever the kind.
fn known_version(fields: Fields<'_, '_>) -> Result<u8, BodyError> {
    let v = fields.version().filter(|v| (1..=4).contains(v));
    v.ok_or_else(|| BodyError::schema("v", "1 to 4, the known versions", fields.shown("v")))
}

/// The version, which says what members there are: 2 for a human's event, 3 exactly with `is_agent`, 4 exactly with
/// `drop` (FORMATS 3.2). A member that says nothing, `is_agent` false or `drop` null, contradicts no version below its own.
fn event_version(fields: Fields<'_, '_>, is_agent: Option<bool>, has_drop: bool) -> Result<u8, BodyError> {
    let v = known_version(fields)?;
    let contradiction = match v {
        4 if !has_drop => ("2 or 3 without drop", "without drop"),
        1..=3 if has_drop => ("4 with drop", "with drop"),
        3 if is_agent.is_none() => ("2 without is_agent", "without is_agent"),
        1 | 2 if is_agent == Some(true) => ("3 with is_agent", "with is_agent"),
        _ => return Ok(v),
    };
    let (expected, found) = contradiction;
    Err(BodyError::schema("v", expected, format!("{v} {found}")))
}

/// The v1 form has no rebate member: the rebate is what the other two parts leave (FORMATS 3.2).
fn remainder(gross: Sats, platform: Sats, user_earned: Sats) -> Result<Sats, BodyError> {
    let rest = gross.checked_sub(platform).and_then(|rest| rest.checked_sub(user_earned));
    rest.ok_or_else(|| BodyError::Amount {
        member: "site_rebate_sats".to_owned(),
        found: format!("{gross} - {platform} - {user_earned}"),
    })
}

/// `site` as `{domain}` or text, else `site_domain`.
fn site(fields: Fields<'_, '_>) -> Result<String, BodyError> {
    if let Some(site) = fields.object_or_text("site")? {
        return match site {
            Ok(object) => object.need_text("domain").map(str::to_owned),
            Err(text) => Ok(text.to_owned()),
        };
    }
    fields.need_text("site_domain").map(str::to_owned)
}

fn drop_ref(fields: Fields<'_, '_>) -> Result<Option<DropRef>, BodyError> {
    let Some(reference) = fields.object("drop")? else { return Ok(None) };
    Ok(Some(DropRef {
        window: reference.need_text("window_id")?.into(),
        close_height_target: reference.height("close_height_target")?,
    }))
}

fn payment(fields: Fields<'_, '_>) -> Result<Payment, BodyError> {
    Ok(Payment {
        status: fields.need_text("status")?.to_owned(),
        sats_charged: fields.sats("sats_charged")?,
        user_envelope_id: fields.id("user_envelope_id")?,
        occurred_at: fields.need_time(&["occurred_at"])?,
        user: fields.user()?,
    })
}

fn rebind(fields: Fields<'_, '_>, json: &Json<'_>) -> Result<Rebind, BodyError> {
    Ok(Rebind {
        user: fields.need_user()?,
        from: state(fields, &["from", "from_state", "from_signing_method"])?,
        to: state(fields, &["to", "to_state", "to_signing_method"])?,
        from_federation: fields.text("from_federation")?.map(str::to_owned),
        to_federation: fields.text("to_federation")?.map(str::to_owned),
        at: fields.need_time(&["occurred_at", "rebound_at"])?,
        prev: fields.id("prev")?,
        graduation: fields.id("graduation_id")?.map(|id| id.0),
        changed: kept::changed(json),
    })
}

fn state(fields: Fields<'_, '_>, names: &[&str]) -> Result<CustodyState, BodyError> {
    const KNOWN: &str = "\"fedimint_threshold\", \"fedimint_client\" or \"bip322\"";
    match fields.need_first_text(names)? {
        "fedimint_threshold" => Ok(CustodyState::FedimintThreshold),
        "fedimint_client" => Ok(CustodyState::FedimintClient),
        // One documentation page spells it with a hyphen (FORMATS 3.4).
        "bip322" | "bip-322" => Ok(CustodyState::Bip322),
        _ => {
            let named = names.iter().find(|name| fields.shown(name) != "missing").unwrap_or(&"from");
            Err(BodyError::schema(*named, KNOWN, fields.shown(named)))
        }
    }
}

fn payout_binding(fields: Fields<'_, '_>) -> Result<PayoutBinding, BodyError> {
    Ok(PayoutBinding {
        user: fields.need_user()?,
        destination: fields.need_text("destination")?.to_owned(),
        created_at: fields.need_time(&["created_at", "occurred_at"])?,
    })
}

fn distribution(fields: Fields<'_, '_>) -> Result<Distribution, BodyError> {
    let recipients = match fields.objects("recipients", RECIPIENTS_MAX)? {
        Some(items) => items.into_iter().map(share).collect::<Result<_, _>>()?,
        None => vec![share(fields)?],
    };
    Ok(Distribution {
        recipients,
        total: fields.sats("total_sats")?,
        created_at: fields.need_time(&["created_at", "occurred_at"])?,
    })
}

fn share(fields: Fields<'_, '_>) -> Result<DistributionShare, BodyError> {
    Ok(DistributionShare {
        user: fields.need_user()?,
        amount: fields.need_sats("amount_sats")?,
        binding: fields.text("payout_binding_id")?.map(str::to_owned),
    })
}

fn drop_manifest(fields: Fields<'_, '_>) -> Result<DropManifest, BodyError> {
    Ok(DropManifest {
        window: fields.need_text("window_id")?.into(),
        schedule: fields.text("schedule_id")?.map(str::to_owned),
        sealed_at: fields.need_time(&["sealed_at"])?,
        sealed_height: fields.height("sealed_height")?,
        event_count: fields.need_count("event_count")?,
        recipient_count: fields.count("recipient_count")?,
        gross: fields.need_sats("gross_fee_sats")?,
        user_share: fields.need_sats("user_share_sats")?,
        events_root: fields.id("events_root")?.map(|id| id.0),
        has_recipients_root: fields.has("recipients_root"),
        event_ids: fields.ids("event_ids", RECIPIENTS_MAX)?,
    })
}

/// The one artifact whose bytes are known whole (FORMATS 3.8). What expires before it was computed was never valid: such a
/// statement contradicts itself.
fn activity(fields: Fields<'_, '_>) -> Result<ActivityAttestation, BodyError> {
    let found = fields.shown("v");
    if fields.version() != Some(1) {
        return Err(BodyError::schema("v", "1, the known version", found));
    }
    let (computed_at, expires_at) = (fields.need_time(&["computed_at"])?, fields.need_time(&["expires_at"])?);
    if expires_at < computed_at {
        let expected = format!("a time not before computed_at {}", fields.shown("computed_at"));
        return Err(BodyError::schema("expires_at", expected, fields.shown("expires_at")));
    }
    Ok(ActivityAttestation {
        user: fields.need_user()?,
        event_count: fields.need_count("event_count")?,
        human_event_count: fields.need_count("human_event_count")?,
        lifetime: fields.need_sats("lifetime_sats")?,
        distinct_integrator_count: fields.need_count("distinct_integrator_count")?,
        oldest_event_at: fields.time("oldest_event_at")?,
        active_days: fields.need_count("active_days")?,
        computed_at,
        expires_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BlockHeight, UserKey};

    // FORMATS 3.2: the published v1 demo without its `id`.
    const V1: &str = r#"{"v":1,"kind":"oc-me-event","class":"B","subtype":"payment_authorization","identity":"bc1q3rd2n9c8e5h7w4xkpvluvkz4qzeurgmvy3le3lr","site":"breez.example","gross_fee_sats":2050,"platform_fee_sats":410,"user_earned_sats":1538,"occurred_at":"2026-04-29T23:23:01.331Z","context":{"kind":"B","subtype":"payment_authorization","payment_amount_sats":410000,"payment_currency":"sat"}}"#;
    const V4: &str = r#"{"v":4,"class":"C","subtype":"session_creation","user_address":"u","did_oc":"other","site":{"domain":"fold.example","display_name":"Fold"},"gross_fee_sats":60,"platform_fee_sats":12,"user_earned_sats":39,"site_rebate_sats":9,"occurred_at":"2026-04-19T03:33:23Z","is_agent":true,"drop":{"window_id":"w_1","close_height_target":null},"project_key":"pk_live_1","idempotency_key":"k","future":[1]}"#;

    fn parse(kind: OcMeKind, text: &str) -> Result<OcMeBody, BodyError> {
        parse_body(kind, text.as_bytes())
    }

    fn with(text: &str, replace: &str, by: &str) -> Result<OcMeBody, BodyError> {
        assert!(text.contains(replace), "{replace}");
        parse(OcMeKind::Event, &text.replacen(replace, by, 1))
    }

    fn sats(sats: u64) -> Sats {
        Sats::new(sats).unwrap()
    }

    #[test]
    fn the_published_v1_event_reads_and_its_rebate_is_the_remainder() {
        let Ok(OcMeBody::Event(event)) = parse(OcMeKind::Event, V1) else { panic!("{:?}", parse(OcMeKind::Event, V1)) };
        assert_eq!((event.v, event.class, event.site.as_str()), (1, EventClass::B, "breez.example"));
        // FORMATS 4.5: demo 0.005 x 410000, share 0.75.
        assert_eq!([event.gross, event.platform, event.user_earned, event.rebate], [2050, 410, 1538, 102].map(sats));
        assert_eq!((event.payment_amount, event.is_agent), (Some(sats(410_000)), false));
        assert!(matches!(with(V1, "1538", "1641"), Err(BodyError::Amount { .. })));
    }

    #[test]
    fn a_v4_event_reads_with_its_drop_window_and_prefers_the_address() {
        let Ok(OcMeBody::Event(event)) = parse(OcMeKind::Event, V4) else { panic!("{:?}", parse(OcMeKind::Event, V4)) };
        assert_eq!((event.user, event.is_agent), (UserKey::from("u"), true));
        assert_eq!(event.drop, Some(DropRef { window: "w_1".into(), close_height_target: None }));
        assert_eq!((event.project, event.idempotency_key), (Some("pk_live_1".into()), Some("k".to_owned())));
        let Ok(OcMeBody::Event(event)) = with(V4, ":null}", ":850000}") else { panic!("a height is a height") };
        assert_eq!(event.drop.unwrap().close_height_target, Some(BlockHeight(850_000)));
    }

    #[test]
    fn an_amount_that_is_none_is_out_of_range_and_not_a_schema_fault() {
        for amount in ["-1", "59.5", "6e1", "2100000000000001", "9007199254740993", "99999999999999999999"] {
            let error = with(V4, ":60,", &format!(":{amount},")).unwrap_err();
            assert_eq!(error, BodyError::Amount { member: "gross_fee_sats".to_owned(), found: amount.to_owned() });
        }
        assert!(with(V4, ":60,", ":2100000000000000,").is_ok());
        assert!(matches!(with(V4, ":60,", ":\"60\","), Err(BodyError::Schema { .. })));
    }

    #[test]
    fn a_missing_or_misshapen_member_is_a_schema_fault() {
        for (replace, by) in [
            (r#""v":4"#, r#""v":5"#),
            (r#""v":4,"#, ""),
            (r#""class":"C""#, r#""class":"D""#),
            (r#""user_address":"u","did_oc":"other","#, ""),
            (r#""site":{"domain":"fold.example","display_name":"Fold"},"#, ""),
            (r#""site_rebate_sats":9,"#, ""),
            ("2026-04-19T03:33:23Z", "yesterday"),
            (r#""is_agent":true"#, r#""is_agent":1"#),
            (r#""window_id":"w_1""#, r#""window":"w_1""#),
        ] {
            assert!(matches!(with(V4, replace, by), Err(BodyError::Schema { .. })), "{by}");
        }
        assert!(with(V4, r#""site":{"domain":"fold.example","display_name":"Fold"}"#, r#""site_domain":"f""#).is_ok());
        assert!(with(V4, r#""user_address":"u","#, "").is_ok());
    }

    #[test]
    fn a_duplicate_key_at_any_depth_and_a_foreign_kind_are_told_apart() {
        assert_eq!(with(V4, r#""v":4"#, r#""v":4,"v":4"#), Err(BodyError::DuplicateKey("v".to_owned())));
        let inner = with(V4, r#"{"window_id""#, r#"{"window_id":"w_2","window_id""#);
        assert_eq!(inner, Err(BodyError::DuplicateKey("window_id".to_owned())));
        assert_eq!(with(V1, "oc-me-event", "oc-me-payment"), Err(BodyError::Kind("oc-me-payment".to_owned())));
        assert!(with(V1, "oc-me-event", "oc-billable-event").is_ok());
    }

    #[test]
    fn the_other_kinds_read_by_their_tolerant_names() {
        let id = "ab".repeat(32);
        let rebind = format!(
            r#"{{"did_oc":"d","from_state":"fedimint_threshold","to":"bip-322","rebound_at":"2026-01-01T00:00:00Z","prev":"{id}"}}"#
        );
        let Ok(OcMeBody::Rebind(rebind)) = parse(OcMeKind::Rebind, &rebind) else { panic!("a rebind") };
        assert_eq!((rebind.from, rebind.to), (CustodyState::FedimintThreshold, CustodyState::Bip322));
        assert_eq!(rebind.prev.unwrap().to_string(), id);
        let one = r#"{"user":"u","amount_sats":5,"occurred_at":"2026-01-01T00:00:00Z"}"#;
        let many = r#"{"recipients":[{"user":"u","amount_sats":5,"payout_binding_id":"b"},{"user":"v","amount_sats":6}],"total_sats":11,"created_at":"2026-01-01T00:00:00Z"}"#;
        let Ok(OcMeBody::Distribution(one)) = parse(OcMeKind::Distribution, one) else { panic!("one recipient") };
        let Ok(OcMeBody::Distribution(many)) = parse(OcMeKind::Distribution, many) else { panic!("two recipients") };
        assert_eq!((one.recipients.len(), one.total), (1, None));
        assert_eq!((many.recipients.len(), many.total), (2, Some(sats(11))));
        let payment = r#"{"status":"authorized","sats_charged":9,"occurred_at":"2026-01-01T00:00:00Z"}"#;
        assert!(matches!(parse(OcMeKind::Payment, payment), Ok(OcMeBody::Payment(_))));
        let payout = r#"{"user":"u","destination":"a@b","created_at":"2026-01-01T00:00:00Z"}"#;
        assert!(matches!(parse(OcMeKind::PayoutBinding, payout), Ok(OcMeBody::PayoutBinding(_))));
        let drop = format!(
            r#"{{"window_id":"w","sealed_at":"2026-01-01T00:00:00Z","event_count":1,"gross_fee_sats":1,"user_share_sats":0,"event_ids":["{id}"],"sealed_height":null}}"#
        );
        let Ok(OcMeBody::Drop(drop)) = parse(OcMeKind::Drop, &drop) else { panic!("a manifest") };
        assert_eq!((drop.event_ids.len(), drop.sealed_height, drop.events_root), (1, None, None));
        assert_eq!(parse(OcMeKind::Trust, "{}"), Ok(OcMeBody::Trust));
        assert!(matches!(parse(OcMeKind::Trust, "[]"), Err(BodyError::Schema { .. })));
        assert_eq!(
            parse(OcMeKind::Trust, r#"{"v":9}"#),
            Err(BodyError::schema("v", "1 to 4, the known versions", "9"))
        );
    }
}
