//! Signed envelopes: address, signature, wrapper, fields, and one identity claimed twice.

use serde_json::{Value, json};

use super::Generator;
use super::stall::{EARLIER, SESSION, STAMP, Stall, about, accepted, first_free, refused, stamp_at};
use crate::domain::{Code, Subject};
use crate::sim::envelope::{Artifact, Envelope};
use crate::sim::scene::{AS_OF, KID, NoRoom, Planting, Scene, iso};

/// The key that was in force before [`KID`].
const BEFORE: &str = "env-2026-05";

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::EnvAddressMismatch,
        name: "another-address",
        near_miss: "its own address",
        fault: another_address,
        miss: an_honest_event,
    },
    Generator {
        code: Code::EnvUnsigned,
        name: "no-signature",
        near_miss: "the signature in a tag",
        fault: no_signature,
        miss: the_signature_in_a_tag,
    },
    Generator {
        code: Code::EnvUnsigned,
        name: "no-key-id",
        near_miss: "the signature in a tag",
        fault: no_key_id,
        miss: the_signature_in_a_tag,
    },
    Generator {
        code: Code::EnvSigBad,
        name: "signed-by-the-key-before",
        near_miss: "signed and named by the key before",
        fault: signed_by_the_key_before,
        miss: signed_and_named_by_the_key_before,
    },
    Generator {
        code: Code::EnvWrapperDisagrees,
        name: "a-wrapper-with-another-amount",
        near_miss: "a wrapper with the same amount",
        fault: a_wrapper_with_another_amount,
        miss: a_wrapper_with_the_same_amount,
    },
    Generator {
        code: Code::EnvDuplicateKey,
        name: "one-key-twice",
        near_miss: "one key in two objects",
        fault: one_key_twice,
        miss: one_key_in_two_objects,
    },
    Generator {
        code: Code::EnvSchema,
        name: "no-class",
        near_miss: "a member of the future",
        fault: no_class,
        miss: a_member_of_the_future,
    },
    Generator {
        code: Code::EnvSchema,
        name: "the-version-after-the-last",
        near_miss: "the last version, with a window",
        fault: the_version_after_the_last,
        miss: the_last_version,
    },
    Generator {
        code: Code::EnvSchema,
        name: "a-window-under-the-version-before",
        near_miss: "a window that is none under the version before",
        fault: a_window_under_the_version_before,
        miss: no_window_under_the_version_before,
    },
    Generator {
        code: Code::EnvSchema,
        name: "an-agent-under-the-version-of-humans",
        near_miss: "a human under the version of humans",
        fault: an_agent_under_the_version_of_humans,
        miss: a_human_under_the_version_of_humans,
    },
    Generator {
        code: Code::EnvSchema,
        name: "an-offset-instead-of-utc",
        near_miss: "utc with a fraction",
        fault: an_offset_instead_of_utc,
        miss: utc_with_a_fraction,
    },
    Generator {
        code: Code::EnvEquivocation,
        name: "a-second-manifest",
        near_miss: "one manifest twice",
        fault: a_second_manifest,
        miss: one_manifest_twice,
    },
    Generator {
        code: Code::EnvEquivocation,
        name: "one-key-for-two-contents",
        near_miss: "one key at two times",
        fault: one_key_for_two_contents,
        miss: one_key_at_two_times,
    },
    Generator {
        code: Code::EnvDoubleBilling,
        name: "one-key-at-two-times",
        near_miss: "one key in two projects",
        fault: one_key_at_two_times,
        miss: one_key_in_two_projects,
    },
    Generator {
        code: Code::EnvTime,
        name: "a-second-after-the-as-of",
        near_miss: "at the as-of",
        fault: a_second_after_the_as_of,
        miss: at_the_as_of,
    },
];

fn another_address(scene: &mut Scene) -> Planting {
    let body = stamp_at(scene, EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.id = scene.unique();
    carrier.content.insert("id".to_owned(), carrier.id.clone().into());
    refused(scene, Code::EnvAddressMismatch, carrier)
}

fn an_honest_event(scene: &mut Scene) -> Planting {
    let body = stamp_at(scene, EARLIER);
    let carrier = scene.sign(&body);
    accepted(scene, &body, carrier)
}

fn without(scene: &mut Scene, member: &str) -> Planting {
    let body = stamp_at(scene, EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.content.remove(member);
    refused(scene, Code::EnvUnsigned, carrier)
}

fn no_signature(scene: &mut Scene) -> Planting {
    without(scene, "sig")
}

fn no_key_id(scene: &mut Scene) -> Planting {
    without(scene, "kid")
}

fn the_signature_in_a_tag(scene: &mut Scene) -> Planting {
    let body = stamp_at(scene, EARLIER);
    let mut carrier = scene.sign(&body);
    for name in ["sig", "kid"] {
        let value = carrier.content.remove(name).ok_or(NoRoom)?;
        carrier.tags.push(vec![name.to_owned(), value.as_str().ok_or(NoRoom)?.to_owned()]);
    }
    accepted(scene, &body, carrier)
}

fn signed_by_the_key_before(scene: &mut Scene) -> Planting {
    let body = stamp_at(scene, EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.content["sig"] = scene.hand.ed25519(BEFORE, body.to_string().as_bytes()).into();
    refused(scene, Code::EnvSigBad, carrier)
}

fn signed_and_named_by_the_key_before(scene: &mut Scene) -> Planting {
    let body = stamp_at(scene, EARLIER);
    let carrier = scene.sign_bytes(body.to_string().as_bytes(), BEFORE);
    accepted(scene, &body, carrier)
}

fn a_wrapper_with_another_amount(scene: &mut Scene) -> Planting {
    let body = stamp_at(scene, EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.content.insert("gross_fee_sats".to_owned(), 1.into());
    refused(scene, Code::EnvWrapperDisagrees, carrier)
}

fn a_wrapper_with_the_same_amount(scene: &mut Scene) -> Planting {
    let body = stamp_at(scene, EARLIER);
    let mut carrier = scene.sign(&body);
    carrier.content.insert("gross_fee_sats".to_owned(), body["gross_fee_sats"].clone());
    accepted(scene, &body, carrier)
}

fn one_key_twice(scene: &mut Scene) -> Planting {
    let bytes = stamp_at(scene, EARLIER).to_string().replacen('{', "{\"v\":2,", 1);
    let carrier = scene.sign_bytes(bytes.as_bytes(), KID);
    refused(scene, Code::EnvDuplicateKey, carrier)
}

fn one_key_in_two_objects(scene: &mut Scene) -> Planting {
    let mut body = stamp_at(scene, EARLIER);
    body["site"]["v"] = 2.into();
    let carrier = scene.sign(&body);
    accepted(scene, &body, carrier)
}

fn no_class(scene: &mut Scene) -> Planting {
    let mut body = stamp_at(scene, EARLIER);
    body.as_object_mut().ok_or(NoRoom)?.remove("class");
    let carrier = scene.sign(&body);
    refused(scene, Code::EnvSchema, carrier)
}

fn a_member_of_the_future(scene: &mut Scene) -> Planting {
    let mut body = stamp_at(scene, EARLIER);
    body["settlement_hint"] = json!({"v": 9});
    let carrier = scene.sign(&body);
    accepted(scene, &body, carrier)
}

fn the_version_after_the_last(scene: &mut Scene) -> Planting {
    let mut body = stamp_at(scene, EARLIER);
    body["v"] = 5.into();
    let carrier = scene.sign(&body);
    refused(scene, Code::EnvSchema, carrier)
}

fn the_last_version(scene: &mut Scene) -> Planting {
    let window = json!({"window_id": format!("w_{:.12}", scene.unique()), "close_height_target": null});
    readable(scene, |body| {
        body["v"] = 4.into();
        body["drop"] = window;
    })
}

/// A stamp with that edit, which nobody can read any more.
fn unreadable(scene: &mut Scene, edit: impl FnOnce(&mut Value)) -> Planting {
    let mut body = stamp_at(scene, EARLIER);
    edit(&mut body);
    let carrier = scene.sign(&body);
    refused(scene, Code::EnvSchema, carrier)
}

/// A stamp with that edit, which counts as before.
fn readable(scene: &mut Scene, edit: impl FnOnce(&mut Value)) -> Planting {
    let mut body = stamp_at(scene, EARLIER);
    edit(&mut body);
    let carrier = scene.sign(&body);
    accepted(scene, &body, carrier)
}

fn a_window_under_the_version_before(scene: &mut Scene) -> Planting {
    let window = json!({"window_id": format!("w_{:.12}", scene.unique()), "close_height_target": null});
    unreadable(scene, |body| {
        body["v"] = 3.into();
        body["is_agent"] = false.into();
        body["drop"] = window;
    })
}

fn no_window_under_the_version_before(scene: &mut Scene) -> Planting {
    readable(scene, |body| {
        body["v"] = 3.into();
        body["is_agent"] = false.into();
        body["drop"] = Value::Null;
    })
}

fn an_agent_under_the_version_of_humans(scene: &mut Scene) -> Planting {
    unreadable(scene, |body| body["is_agent"] = true.into())
}

fn a_human_under_the_version_of_humans(scene: &mut Scene) -> Planting {
    readable(scene, |body| body["is_agent"] = false.into())
}

fn an_offset_instead_of_utc(scene: &mut Scene) -> Planting {
    unreadable(scene, |body| body["occurred_at"] = iso(EARLIER).replace('Z', "+00:00").into())
}

fn utc_with_a_fraction(scene: &mut Scene) -> Planting {
    readable(scene, |body| body["occurred_at"] = iso(EARLIER).replace('Z', ".000Z").into())
}

/// A manifest of the world with its window, for this fault alone.
fn a_manifest(scene: &mut Scene) -> Result<(Envelope, String), NoRoom> {
    let windows: Vec<(String, Envelope)> = scene
        .bodies(Artifact::Drop)
        .filter_map(|(envelope, body)| Some((body["window_id"].as_str()?.to_owned(), envelope.clone())))
        .collect();
    let names = windows.iter().map(|(window, _)| window.clone());
    let window = first_free(scene, names, |window| format!("window {window}"))?;
    let found = windows.into_iter().find(|(one, _)| *one == window).ok_or(NoRoom)?;
    Ok((found.1, window))
}

fn a_second_manifest(scene: &mut Scene) -> Planting {
    let (held, window) = a_manifest(scene)?;
    let mut body: Value = serde_json::from_slice(&held.canonical).map_err(|_| NoRoom)?;
    body["label"] = "another label".into();
    let carrier = scene.sign(&body);
    scene.put(carrier);
    Ok(Subject::new("window", window))
}

fn one_manifest_twice(scene: &mut Scene) -> Planting {
    let (held, window) = a_manifest(scene)?;
    let carrier = scene.sign_bytes(&held.canonical, held.kid.as_str());
    let content = Value::Object(carrier.content).to_string();
    let tags = vec![vec!["d".to_owned(), format!("{}:{}", carrier.prefix, carrier.id)]];
    // Not by `put`, which would say that the proof in this carrier is the only one.
    let event = scene.hand.event("a stranger", 30_087, AS_OF - 60, tags, content);
    scene.put_event(event);
    Ok(Subject::new("window", window))
}

fn claimed(body: &Value) -> Subject {
    Subject::new("project", body["project_key"].as_str().unwrap_or_default())
        .and("idempotency_key", body["idempotency_key"].as_str().unwrap_or_default())
}

fn one_key_for_two_contents(scene: &mut Scene) -> Planting {
    let stall = Stall::open(scene);
    let first = stall.event(scene, &STAMP, EARLIER);
    let mut second = stall.event(scene, &SESSION, EARLIER);
    second["idempotency_key"] = first["idempotency_key"].clone();
    scene.bill(&first)?;
    scene.bill(&second)?;
    Ok(claimed(&first))
}

fn one_key_at_two_times(scene: &mut Scene) -> Planting {
    let first = stamp_at(scene, EARLIER);
    let mut second = first.clone();
    second["occurred_at"] = iso(EARLIER + 1).into();
    scene.bill(&first)?;
    scene.bill(&second)?;
    Ok(claimed(&first))
}

fn one_key_in_two_projects(scene: &mut Scene) -> Planting {
    let first = stamp_at(scene, EARLIER);
    let mut second = stamp_at(scene, EARLIER);
    second["idempotency_key"] = first["idempotency_key"].clone();
    scene.bill(&first)?;
    scene.bill(&second)?;
    Ok(claimed(&first))
}

fn a_second_after_the_as_of(scene: &mut Scene) -> Planting {
    let body = stamp_at(scene, AS_OF + 1);
    let carrier = scene.sign(&body);
    Ok(about(&scene.put(carrier)))
}

fn at_the_as_of(scene: &mut Scene) -> Planting {
    // Nothing is newer: no objective about the newest record can be missed any more.
    scene.claim("config budgets")?;
    let body = stamp_at(scene, AS_OF);
    Ok(about(&scene.bill(&body)?))
}
