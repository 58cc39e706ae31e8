//! Activity attestations (FORMATS 3.8): every number of theirs against the events that they speak for.

use serde_json::{Value, json};

use super::Generator;
use super::stall::{DAY, SESSION, STAMP, Stall};
use crate::domain::{Code, Media, RawEvidence, Subject};
use crate::sim::envelope::Artifact;
use crate::sim::scene::{AS_OF, NoRoom, Planting, Scene, iso};
use crate::sim::world::Proven;

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::ActivityMismatch,
        name: "an-event-too-many",
        near_miss: "a later expiry",
        fault: an_event_too_many,
        miss: a_later_expiry,
    },
    Generator {
        code: Code::ActivityMismatch,
        name: "an-agent-as-a-human",
        near_miss: "an agent as an agent",
        fault: an_agent_as_a_human,
        miss: as_it_was,
    },
    Generator {
        code: Code::ActivityMismatch,
        name: "a-satoshi-too-many",
        near_miss: "the satoshi that were earned",
        fault: a_satoshi_too_many,
        miss: as_it_was,
    },
    Generator {
        code: Code::ActivityMismatch,
        name: "another-integrator",
        near_miss: "the integrators that there were",
        fault: another_integrator,
        miss: as_it_was,
    },
    Generator {
        code: Code::ActivityMismatch,
        name: "a-day-fewer",
        near_miss: "the days that there were",
        fault: a_day_fewer,
        miss: as_it_was,
    },
    Generator {
        code: Code::ActivityMismatch,
        name: "an-older-beginning",
        near_miss: "the first event's time",
        fault: an_older_beginning,
        miss: as_it_was,
    },
    Generator {
        code: Code::ActivityMismatch,
        name: "an-event-of-the-second-after",
        near_miss: "an event of that very second",
        fault: an_event_of_the_second_after,
        miss: as_it_was,
    },
    Generator {
        code: Code::EnvSchema,
        name: "a-statement-that-expired-before-it-was-made",
        near_miss: "a statement that expires as it is made",
        fault: expired_before_it_was_made,
        miss: expires_as_it_is_made,
    },
];

/// When the attestation was computed.
const COMPUTED: i64 = AS_OF - 2 * DAY;

/// Three events of a new user, the last of them in the very second that the attestation speaks for, or after it.
fn attest(scene: &mut Scene, after: i64, edit: impl FnOnce(&mut Value)) -> Planting {
    let stall = Stall::for_did(scene);
    let first = COMPUTED - DAY;
    stall.bill(scene, &STAMP, first)?;
    let mut agent = stall.event(scene, &SESSION, first + 60);
    agent["v"] = 3.into();
    agent["is_agent"] = true.into();
    scene.bill(&agent)?;
    stall.bill(scene, &STAMP, COMPUTED + after)?;
    let mut body = json!({
        "v": 1, "kind": Artifact::Activity.name(), "did_oc": stall.user, "event_count": 3, "human_event_count": 2,
        "lifetime_sats": 2 * STAMP.split[2] + SESSION.split[2], "distinct_integrator_count": 1,
        "oldest_event_at": iso(first), "active_days": 2, "computed_at": iso(COMPUTED),
        "expires_at": iso(COMPUTED + 30 * DAY),
    });
    edit(&mut body);
    Ok(Subject::new("envelope", bundle(scene, &body)).and("user", &stall.user))
}

/// Hands the attestation out beside Nostr, as it travels; gives its id.
fn bundle(scene: &mut Scene, body: &Value) -> String {
    let carrier = scene.sign(body);
    let bundle = json!({
        "attestation": {"id": carrier.id}, "sig": carrier.content["sig"], "kid": carrier.content["kid"],
        "canonical_b64": carrier.content["canonical_b64"], "ots": carrier.content["ots"],
    });
    scene.world.activity.push(bundle.to_string());
    scene.world.proven.insert(carrier.id.clone(), Proven::Waits(AS_OF - 3_600));
    carrier.id
}

fn as_it_was(scene: &mut Scene) -> Planting {
    attest(scene, 0, |_| ())
}

fn a_later_expiry(scene: &mut Scene) -> Planting {
    attest(scene, 0, |body| body["expires_at"] = "2027-01-01T00:00:00Z".into())
}

fn miscounted(scene: &mut Scene, name: &str, by: i64) -> Planting {
    attest(scene, 0, |body| body[name] = (body[name].as_i64().unwrap_or(0) + by).into())
}

fn an_event_too_many(scene: &mut Scene) -> Planting {
    miscounted(scene, "event_count", 1)
}

fn an_agent_as_a_human(scene: &mut Scene) -> Planting {
    miscounted(scene, "human_event_count", 1)
}

fn a_satoshi_too_many(scene: &mut Scene) -> Planting {
    miscounted(scene, "lifetime_sats", 1)
}

fn another_integrator(scene: &mut Scene) -> Planting {
    miscounted(scene, "distinct_integrator_count", 1)
}

fn a_day_fewer(scene: &mut Scene) -> Planting {
    miscounted(scene, "active_days", -1)
}

fn an_older_beginning(scene: &mut Scene) -> Planting {
    attest(scene, 0, |body| body["oldest_event_at"] = iso(COMPUTED - DAY - 1).into())
}

fn an_event_of_the_second_after(scene: &mut Scene) -> Planting {
    attest(scene, 1, |_| ())
}

/// An attestation that expires so many seconds after it was computed, as the judge of carriers names it.
fn expiring(scene: &mut Scene, after: i64) -> Planting {
    let subject = attest(scene, 0, |body| body["expires_at"] = iso(COMPUTED + after).into())?;
    let envelope = subject.get("envelope").ok_or(NoRoom)?.to_owned();
    let bundle = scene.world.activity.last().ok_or(NoRoom)?;
    let evidence = RawEvidence::id_of(Media::Activity, "", bundle.as_bytes());
    Ok(Subject::new("envelope", envelope).and("evidence", evidence))
}

fn expired_before_it_was_made(scene: &mut Scene) -> Planting {
    let subject = expiring(scene, -1)?;
    scene.discounted.insert(subject.get("envelope").ok_or(NoRoom)?.to_owned());
    Ok(scene.tell(Code::EnvSchema, subject))
}

fn expires_as_it_is_made(scene: &mut Scene) -> Planting {
    expiring(scene, 0)
}
