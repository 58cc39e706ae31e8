//! Names of one person: bindings and merge records that contradict each other, and payments under another name.

use serde_json::{Value, json};

use super::Generator;
use super::stall::DAY;
use crate::domain::{Code, Subject, sha256};
use crate::sim::scene::{AS_OF, Planting, Scene, iso};

/// When newcomers bind and earn.
const EARLIER: i64 = AS_OF - 5 * DAY;

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::Unverifiable,
        name: "a-stranger-binds-keys-to-a-principal",
        near_miss: "a second address with the same Nostr key",
        fault: a_stranger_binds,
        miss: a_second_address,
    },
    Generator {
        code: Code::Unverifiable,
        name: "one-key-for-two-principals",
        near_miss: "one key for one principal, twice",
        fault: one_key_for_two,
        miss: one_key_twice,
    },
    Generator {
        code: Code::Unverifiable,
        name: "an-account-that-two-took-over",
        near_miss: "one merge said twice",
        fault: two_took_over,
        miss: one_took_over_twice,
    },
    Generator {
        code: Code::SetOrphan,
        name: "paid-under-a-name-that-a-stranger-bound",
        near_miss: "paid under a bound name",
        fault: paid_under_a_contested_name,
        miss: paid_under_a_bound_name,
    },
    Generator {
        code: Code::SetOrphan,
        name: "paid-under-a-name-of-nobody",
        near_miss: "paid after a merge, under the name that is left",
        fault: paid_under_a_name_of_nobody,
        miss: paid_after_a_merge,
    },
];

fn did(scene: &mut Scene) -> String {
    let name: String = scene.unique().chars().take(32).collect();
    format!("did:oc:{name}")
}

/// A binding of these keys to that principal; `key` names the wallet, `nostr` the Nostr key, which publishes it.
fn bind(scene: &mut Scene, principal: &str, key: &str, nostr: &str) {
    let nonce: String = scene.unique().chars().take(32).collect();
    let message = format!(
        "orangecheck-binding\nv: 1\nprincipal: {principal}\nbtc: {}\nnostr: {}\nnonce: {nonce}\nissued_at: {}\n\
         ack: I attest the keys named in this message are one principal.\n",
        scene.hand.address(key),
        scene.hand.npub(nostr),
        iso(EARLIER),
    );
    let d = format!("oc-attest-binding:{}", sha256(message.as_bytes()));
    let content = json!({"message": message, "btc_signature": scene.hand.message(key, &message)});
    let event = scene.hand.event(nostr, 30_079, EARLIER, vec![vec!["d".to_owned(), d]], content.to_string());
    scene.put_event(event);
}

/// A principal whose first binding names a key of its own; a second one names these.
fn bound_twice(scene: &mut Scene, key: &str, nostr: &str) -> Subject {
    let (principal, own) = (did(scene), scene.unique());
    let (key, nostr) = (key.replace("own", &own), nostr.replace("own", &own));
    bind(scene, &principal, &own, &own);
    bind(scene, &principal, &key, &nostr);
    contested(&principal)
}

fn contested(name: &str) -> Subject {
    Subject::new("user", name).and("check", "identity")
}

fn a_stranger_binds(scene: &mut Scene) -> Planting {
    let subject = bound_twice(scene, "not own", "not own");
    Ok(scene.tell_explained(Code::Unverifiable, subject))
}

fn a_second_address(scene: &mut Scene) -> Planting {
    Ok(bound_twice(scene, "another own", "own"))
}

fn one_key_for_two(scene: &mut Scene) -> Planting {
    let (first, second, key) = (did(scene), did(scene), scene.unique());
    for principal in [&first, &second] {
        bind(scene, principal, &key, &format!("nostr of {principal}"));
        scene.tell_explained(Code::Unverifiable, contested(principal));
    }
    Ok(contested(&first))
}

fn one_key_twice(scene: &mut Scene) -> Planting {
    Ok(bound_twice(scene, "own", "another own"))
}

fn merge(scene: &mut Scene, user: &str, from: &str) {
    scene.record(&json!({"did_oc": user, "merged_from": [from]}));
}

fn two_took_over(scene: &mut Scene) -> Planting {
    let (left, first, second) = (did(scene), did(scene), did(scene));
    merge(scene, &first, &left);
    merge(scene, &second, &left);
    Ok(scene.tell_explained(Code::Unverifiable, contested(&left)))
}

fn one_took_over_twice(scene: &mut Scene) -> Planting {
    let (left, first) = (did(scene), did(scene));
    merge(scene, &first, &left);
    scene.record(&json!({"user": first, "merged_from": [left, left]}));
    Ok(contested(&left))
}

/// A newcomer earns under an address, and is paid under a `did:oc:` that the statement does not list.
fn paid_as(scene: &mut Scene, join: impl FnOnce(&mut Scene, &str, &str), is_joined: bool) -> Planting {
    let label = scene.unique();
    let (address, principal) = (scene.hand.address(&label), did(scene));
    scene.world.balances.push(json!({"user": address, "balance_sats": 0}).to_string());
    let sats = scene.earn(&address, EARLIER)?;
    join(scene, &principal, &label);
    let binding = scene.bind(&principal, EARLIER + DAY - 3_600);
    let batch = scene.distribution(&[(&principal, sats, &binding)], sats, EARLIER + DAY - 600);
    let paid = scene.pay(&principal, &binding, &batch.id, sats, EARLIER + DAY);
    if is_joined {
        scene.credit(&address, -i64::try_from(sats).unwrap_or_default())?;
    } else {
        let line: Value = json!({"user": principal, "balance_sats": -i64::try_from(sats).unwrap_or_default()});
        scene.world.balances.push(line.to_string());
    }
    Ok(Subject::new("settlement", paid.digest))
}

fn paid_under_a_contested_name(scene: &mut Scene) -> Planting {
    let join = |scene: &mut Scene, principal: &str, key: &str| {
        bind(scene, principal, key, key);
        bind(scene, principal, "a stranger's wallet", "a stranger's nostr");
        scene.tell_explained(Code::Unverifiable, contested(principal));
    };
    scene.claim("a stranger's wallet")?;
    paid_as(scene, join, false)
}

fn paid_under_a_bound_name(scene: &mut Scene) -> Planting {
    paid_as(scene, |scene, principal, key| bind(scene, principal, key, key), true)
}

fn paid_under_a_name_of_nobody(scene: &mut Scene) -> Planting {
    paid_as(scene, |_, _, _| {}, false)
}

fn paid_after_a_merge(scene: &mut Scene) -> Planting {
    let join = |scene: &mut Scene, principal: &str, key: &str| {
        let address = scene.hand.address(key);
        merge(scene, principal, &address);
    };
    paid_as(scene, join, true)
}
