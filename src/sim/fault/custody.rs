//! Custody: descriptors, graduations, rotations (FORMATS 8). Guardians sign with keys of P2WPKH addresses.

use serde_json::{Value, json};

use super::Generator;
use super::stall::DAY;
use crate::domain::{Code, Subject, sha256};
use crate::sim::scene::{AS_OF, Planting, Scene, iso};
use crate::sim::world::Proven;

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::RebDescriptor,
        name: "under-another-id",
        near_miss: "under its id",
        fault: a_descriptor_under_another_id,
        miss: a_descriptor_under_its_id,
    },
    Generator {
        code: Code::RebDescriptor,
        name: "five-of-four",
        near_miss: "under its id",
        fault: five_of_four,
        miss: a_well_formed_descriptor,
    },
    Generator {
        code: Code::RebDescriptor,
        name: "a-graduation-out-of-anothers-descriptor",
        near_miss: "a graduation out of one's own",
        fault: out_of_anothers_descriptor,
        miss: out_of_ones_own_descriptor,
    },
    Generator {
        code: Code::RebQuorum,
        name: "two-of-three-guardians",
        near_miss: "three guardians",
        fault: two_of_three_guardians,
        miss: three_guardians,
    },
    Generator {
        code: Code::RebQuorum,
        name: "the-third-signature-fails",
        near_miss: "the fourth signature fails",
        fault: the_third_signature_fails,
        miss: the_fourth_signature_fails,
    },
    Generator {
        code: Code::RebQuorum,
        name: "a-rotation-signed-by-the-new-guardians",
        near_miss: "a rotation signed by guardians of both",
        fault: signed_by_the_new_guardians,
        miss: signed_by_guardians_of_both,
    },
    Generator {
        code: Code::RebSigner,
        name: "an-outsider-beside-a-quorum",
        near_miss: "all four guardians",
        fault: an_outsider_beside_a_quorum,
        miss: all_four_guardians,
    },
    Generator {
        code: Code::RebSigner,
        name: "a-guardian-listed-twice",
        near_miss: "all four guardians",
        fault: a_guardian_listed_twice,
        miss: each_guardian_once,
    },
    Generator {
        code: Code::RebSelfKey,
        name: "no-signature-of-the-user",
        near_miss: "three guardians and the user",
        fault: no_signature_of_the_user,
        miss: three_guardians,
    },
    Generator {
        code: Code::RebFork,
        name: "two-rotations-out-of-one",
        near_miss: "two rotations in a row",
        fault: two_rotations_out_of_one,
        miss: two_rotations_in_a_row,
    },
    Generator {
        code: Code::RebProfile,
        name: "signed-as-lines",
        near_miss: "descriptors alone",
        fault: signed_as_lines,
        miss: descriptors_alone,
    },
    Generator {
        code: Code::RebProfile,
        name: "signed-as-json",
        near_miss: "descriptors alone",
        fault: signed_as_json,
        miss: descriptors_alone,
    },
];

/// Guardians who sign a step, and how.
pub(super) struct Signers<'a> {
    /// Guardians by their numbers.
    pub(super) guardians: &'a [&'a str],
    /// Guardians who are listed with a signature of something else.
    pub(super) failing: &'a [&'a str],
    /// Whether the user signs too.
    pub(super) user: bool,
    /// Whether they sign the canonical JSON (FORMATS 8.4, profile J) and not the lines (L).
    pub(super) json: bool,
}

pub(super) const ENOUGH: Signers<'_> = Signers { guardians: &["1", "2", "3"], failing: &[], user: true, json: false };
const OLD: [&str; 4] = ["1", "2", "3", "4"];
const NEW: [&str; 4] = ["1", "2", "3", "5"];
const NEWER: [&str; 4] = ["1", "2", "3", "6"];
const AT: i64 = AS_OF - 16 * DAY;

/// A graduation or rotation that stands in the file.
pub(super) struct Step {
    what: &'static str,
    /// The hash of its lines (FORMATS 8.4, profile L).
    pub(super) id: String,
    address: String,
}

impl Step {
    pub(super) fn subject(&self) -> Subject {
        Subject::new(self.what, &self.id).and("address", &self.address)
    }

    /// It does not hold, for that reason: no ledger may follow it.
    fn fails(self, scene: &mut Scene, code: Code) -> Subject {
        scene.discounted.insert(self.id.clone());
        scene.tell(code, self.subject())
    }
}

fn signature(scene: &Scene, label: &str, message: &str) -> Value {
    json!({"address": scene.hand.address(label), "sig": scene.hand.message(label, message)})
}

/// Signs and records the object; gives the hash of its lines, whichever form was signed.
fn record(scene: &mut Scene, user: &str, mut object: Value, lines: &[String], signers: &Signers<'_>) -> String {
    let lines = lines.join("\n");
    // Sorted members without white space: RFC 8785, since all keys and texts here are ASCII.
    let message = if signers.json { object.to_string() } else { lines.clone() };
    if signers.json {
        scene.world.proven.insert(sha256(message.as_bytes()).to_hex(), Proven::Never);
    }
    let of = |guardian: &&str| format!("{user} {guardian}");
    let mut proof: Vec<Value> =
        signers.guardians.iter().map(|guardian| signature(scene, &of(guardian), &message)).collect();
    proof.extend(signers.failing.iter().map(|guardian| signature(scene, &of(guardian), "something else")));
    if signers.user {
        let mut own = signature(scene, user, &message);
        own["kind"] = "self-key".into();
        proof.push(own);
    }
    object["proof"] = proof.into();
    scene.record(&object);
    sha256(lines.as_bytes()).to_hex()
}

/// A graduation of that user out of that descriptor to a single key (FORMATS 8.4).
pub(super) fn graduation(scene: &mut Scene, user: &str, from: &str, at: i64, signers: &Signers<'_>) -> Step {
    let (address, claimed) = (scene.hand.address(user), iso(at));
    let object = json!({
        "v": 1, "kind": "orangecheck-graduation", "address": address, "from_federation": format!("fed:{from}"),
        "to": "single-key", "graduated_at": claimed,
    });
    let lines = [
        "oc-attest:graduation:v1".to_owned(),
        format!("address: {address}"),
        format!("from_federation: fed:{from}"),
        "to: single-key".to_owned(),
        format!("graduated_at: {claimed}"),
    ];
    let id = record(scene, user, object, &lines, signers);
    Step { what: "graduation", id, address }
}

/// A rotation between descriptors (FORMATS 8.5), signed by the three guardians that all have in common.
fn rotation(scene: &mut Scene, user: &str, from: &str, to: &str, at: i64) -> Step {
    rotation_by(scene, user, [from, to], at, ENOUGH.guardians)
}

fn rotation_by(scene: &mut Scene, user: &str, [from, to]: [&str; 2], at: i64, guardians: &[&str]) -> Step {
    let (address, claimed) = (scene.hand.address(user), iso(at));
    let object = json!({
        "v": 1, "kind": "orangecheck-federation-rotation", "address": address,
        "from_federation": format!("fed:{from}"), "to_federation": format!("fed:{to}"), "rotated_at": claimed,
    });
    let lines = [
        "oc-attest:federation-rotation:v1".to_owned(),
        format!("address: {address}"),
        format!("from_federation: fed:{from}"),
        format!("to_federation: fed:{to}"),
        format!("rotated_at: {claimed}"),
    ];
    let id = record(scene, user, object, &lines, &Signers { user: false, guardians, ..ENOUGH });
    Step { what: "rotation", id, address }
}

/// Records a descriptor of that user that holds; gives its id.
pub(super) fn known(scene: &mut Scene, user: &str, guardians: [&str; 4]) -> String {
    let descriptor = scene.descriptor(user, &guardians);
    scene.record(&descriptor.value);
    descriptor.id
}

/// A user with guardians: label and descriptor.
pub(super) fn guarded(scene: &mut Scene) -> (String, String) {
    let user = scene.unique();
    let descriptor = known(scene, &user, OLD);
    (user, descriptor)
}

fn graduate(scene: &mut Scene, signers: &Signers<'_>) -> Step {
    let (user, from) = guarded(scene);
    graduation(scene, &user, &from, AT, signers)
}

fn refused(scene: &mut Scene, code: Code, signers: &Signers<'_>) -> Planting {
    Ok(graduate(scene, signers).fails(scene, code))
}

fn accepted(scene: &mut Scene, signers: &Signers<'_>) -> Planting {
    Ok(graduate(scene, signers).subject())
}

fn malformed(scene: &mut Scene, problem: &str, edit: impl FnOnce(&mut Value, &Scene, &str)) -> Planting {
    let user = scene.unique();
    let mut descriptor = scene.descriptor(&user, &OLD);
    edit(&mut descriptor.value, scene, &user);
    scene.record(&descriptor.value);
    let id = sha256(canonical(&descriptor.value).as_bytes()).to_hex();
    scene.discounted.insert(id.clone());
    let subject = Subject::new("descriptor", format!("fed:{id}")).and("problem", problem);
    Ok(scene.tell(Code::RebDescriptor, subject))
}

/// The lines of a descriptor as it stands (FORMATS 8.1).
fn canonical(value: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = vec!["oc-attest:federation-custody:v1".to_owned()];
    lines.push(format!("address: {}", text(&value["address"])));
    lines.push(format!("threshold: {}", text(&value["threshold"])));
    let guardians = value["guardians"].as_array().into_iter().flatten();
    lines.extend(guardians.map(|guardian| format!("guardian: {}", text(&guardian["address"]))));
    lines.join("\n")
}

fn a_descriptor_under_another_id(scene: &mut Scene) -> Planting {
    malformed(scene, "id", |value, scene, user| value["id"] = scene.descriptor(user, &NEW).fed().into())
}

fn five_of_four(scene: &mut Scene) -> Planting {
    malformed(scene, "form", |value, _, _| value["threshold"] = "5-of-4".into())
}

fn well_formed(scene: &mut Scene, problem: &str) -> Planting {
    let user = scene.unique();
    let mut descriptor = scene.descriptor(&user, &OLD);
    descriptor.value["id"] = descriptor.fed().into();
    scene.record(&descriptor.value);
    Ok(Subject::new("descriptor", descriptor.fed()).and("problem", problem))
}

fn a_descriptor_under_its_id(scene: &mut Scene) -> Planting {
    well_formed(scene, "id")
}

fn a_well_formed_descriptor(scene: &mut Scene) -> Planting {
    well_formed(scene, "form")
}

fn out_of_anothers_descriptor(scene: &mut Scene) -> Planting {
    let (_, from) = guarded(scene);
    let (user, _) = guarded(scene);
    Ok(graduation(scene, &user, &from, AT, &ENOUGH).fails(scene, Code::RebDescriptor))
}

fn out_of_ones_own_descriptor(scene: &mut Scene) -> Planting {
    accepted(scene, &ENOUGH)
}

fn two_of_three_guardians(scene: &mut Scene) -> Planting {
    refused(scene, Code::RebQuorum, &Signers { guardians: &["1", "2"], ..ENOUGH })
}

fn three_guardians(scene: &mut Scene) -> Planting {
    accepted(scene, &ENOUGH)
}

fn the_third_signature_fails(scene: &mut Scene) -> Planting {
    refused(scene, Code::RebQuorum, &Signers { guardians: &["1", "2"], failing: &["3"], ..ENOUGH })
}

fn the_fourth_signature_fails(scene: &mut Scene) -> Planting {
    accepted(scene, &Signers { failing: &["4"], ..ENOUGH })
}

/// A rotation that three guardians of the descriptor entered sign.
fn rotated_by(scene: &mut Scene, entered: [&str; 4], signers: [&str; 3]) -> (String, Step) {
    let (user, old) = guarded(scene);
    let new = known(scene, &user, entered);
    let step = rotation_by(scene, &user, [&old, &new], AT, &signers);
    (user, step)
}

fn signed_by_the_new_guardians(scene: &mut Scene) -> Planting {
    let signers = ["5", "6", "7"];
    let (user, step) = rotated_by(scene, ["5", "6", "7", "8"], signers);
    for signer in signers {
        let address = scene.hand.address(&format!("{user} {signer}"));
        scene.tell(Code::RebSigner, step.subject().and("signer", address));
    }
    Ok(step.fails(scene, Code::RebQuorum))
}

fn signed_by_guardians_of_both(scene: &mut Scene) -> Planting {
    Ok(rotated_by(scene, ["2", "3", "4", "5"], ["2", "3", "4"]).1.subject())
}

/// A quorum with one signer more; gives that signer's subject.
fn with_signer(scene: &mut Scene, guardians: &[&str], signer: &str, code: Option<Code>) -> Planting {
    let (user, from) = guarded(scene);
    let step = graduation(scene, &user, &from, AT, &Signers { guardians, ..ENOUGH });
    let subject = step.subject().and("signer", scene.hand.address(&format!("{user} {signer}")));
    Ok(code.map_or(subject.clone(), |code| scene.tell(code, subject)))
}

fn an_outsider_beside_a_quorum(scene: &mut Scene) -> Planting {
    with_signer(scene, &["1", "2", "3", "5"], "5", Some(Code::RebSigner))
}

fn all_four_guardians(scene: &mut Scene) -> Planting {
    with_signer(scene, &OLD, "4", None)
}

fn a_guardian_listed_twice(scene: &mut Scene) -> Planting {
    with_signer(scene, &["1", "2", "3", "1"], "1", Some(Code::RebSigner))
}

fn each_guardian_once(scene: &mut Scene) -> Planting {
    with_signer(scene, &OLD, "1", None)
}

fn no_signature_of_the_user(scene: &mut Scene) -> Planting {
    refused(scene, Code::RebSelfKey, &Signers { user: false, ..ENOUGH })
}

/// Two rotations, the second out of the first descriptor or out of the one that the first enters.
fn rotate_twice(scene: &mut Scene, forks: bool) -> Planting {
    let (user, old) = guarded(scene);
    let (new, newer) = (known(scene, &user, NEW), known(scene, &user, NEWER));
    rotation(scene, &user, &old, &new, AT);
    let second = rotation(scene, &user, if forks { &old } else { &new }, &newer, AT + DAY);
    Ok(Subject::new("descriptor", old).and("user", second.address))
}

fn two_rotations_out_of_one(scene: &mut Scene) -> Planting {
    rotate_twice(scene, true)
}

fn two_rotations_in_a_row(scene: &mut Scene) -> Planting {
    rotate_twice(scene, false)
}

fn signed_as_lines(scene: &mut Scene) -> Planting {
    accepted(scene, &ENOUGH)
}

fn signed_as_json(scene: &mut Scene) -> Planting {
    accepted(scene, &Signers { json: true, ..ENOUGH })
}

fn descriptors_alone(scene: &mut Scene) -> Planting {
    let (user, old) = guarded(scene);
    known(scene, &user, NEW);
    Ok(Subject::new("descriptor", old))
}
