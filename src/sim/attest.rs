//! What users sign themselves: attestations (FORMATS 7), bindings (7.6) and device records of the family.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bitcoin::secp256k1::{All, Secp256k1};

use super::cast::User;
use super::json::{Object, array, pretty};
use super::keys::npub;
use super::nostr::{Draft, SimEvent, sign, tag};
use super::rng::Rng;
use super::time::{DAY, HOUR, Millis, START, iso_millis, iso_seconds, seconds};
use crate::domain::{AttestationId, sha256};

/// An attestation before it is carried anywhere: its anchor may come later.
pub(super) struct Attestation {
    pub(super) id: AttestationId,
    pub(super) at: Millis,
    pub(super) has_bond: bool,
    user: usize,
    message: String,
    signature: String,
    identities: Vec<(&'static str, String)>,
}

/// Attestations of every third user, each second one with a bond.
pub(super) fn attestations(seed: u64, users: &[User], secp: &Secp256k1<All>) -> Vec<Attestation> {
    let mut rng = Rng::new(seed, "attestations");
    (0..users.len())
        .step_by(3)
        .map(|index| {
            let user = &users[index];
            let at = START + rng.range(0, 110) * DAY + rng.range(6 * HOUR, 22 * HOUR);
            let has_bond = index % 2 == 0;
            let mut identities = vec![("github", user.handle.clone())];
            if rng.chance(40) {
                identities.push(("dns", format!("{}.example", user.handle)));
            }
            identities.sort();
            let list: Vec<String> = identities.iter().map(|(protocol, name)| format!("{protocol}:{name}")).collect();
            let mut message = format!(
                "orangecheck\nidentities: {}\naddress: {}\n\
                 purpose: portable reputation attestation (non-custodial)\nnonce: {}\nissued_at: {}\n\
                 ack: I attest control of this address and bind it to my identities.\n",
                list.join(","),
                user.wallet.address,
                rng.hex::<16>(),
                iso_millis(at),
            );
            if has_bond {
                message = format!("{message}bond: {}\n", 10_000 * (1 + rng.below(90)));
            }
            let signature = user.wallet.sign_message(secp, &message);
            let id = AttestationId(sha256(message.as_bytes()));
            Attestation { id, at, has_bond, user: index, message, signature, identities }
        })
        .collect()
}

impl Attestation {
    /// The Nostr event that carries it, published by the user's key; `ots` is the finished member, when there is one.
    pub(super) fn carry(&self, users: &[User], secp: &Secp256k1<All>, ots: Option<&str>) -> SimEvent {
        let user = &users[self.user];
        let id = self.id.to_string();
        let identities = self
            .identities
            .iter()
            .map(|(protocol, name)| Object::new().text("protocol", protocol).text("identifier", name).compact());
        let mut content = Object::new()
            .text("attestation_id", &id)
            .text("scheme", "bip322")
            .text("address", &user.wallet.address)
            .raw("identities", array(identities))
            .text("message", &self.message)
            .text("message_b64url", URL_SAFE_NO_PAD.encode(&self.message))
            .text("signature", &self.signature)
            .text("issued_at", iso_millis(self.at))
            .text("verification_url", format!("https://ochk.io/attest/{id}"));
        if let Some(ots) = ots {
            content = content.raw("ots", ots);
        }
        let issued_at = iso_millis(self.at);
        let mut tags = vec![
            tag(["d", &id]),
            tag(["address", &user.wallet.address]),
            tag(["scheme", "bip322"]),
            tag(["issued_at", &issued_at]),
        ];
        tags.extend(self.identities.iter().map(|(protocol, name)| tag(["i", &format!("{protocol}:{name}")])));
        let created_at = seconds(self.at);
        sign(secp, &user.nostr, Draft { kind: 30_078, created_at, tags, content: pretty(&content.compact()) })
    }
}

/// Bindings of every other `did:oc:` user, those with another account among them: principal, address and Nostr key are
/// one. Published by the bound key.
pub(super) fn bindings(seed: u64, users: &[User], secp: &Secp256k1<All>) -> Vec<SimEvent> {
    let mut rng = Rng::new(seed, "bindings");
    users
        .iter()
        .filter(|user| user.is_did)
        .step_by(2)
        .map(|user| {
            let at = user.bound_at;
            let message = format!(
                "orangecheck-binding\nv: 1\nprincipal: {}\nbtc: {}\nnostr: {}\nnonce: {}\nissued_at: {}\n\
                 ack: I attest the keys named in this message are one principal.\n",
                user.key,
                user.wallet.address,
                npub(&user.nostr),
                rng.hex::<16>(),
                iso_seconds(at),
            );
            let signature = user.wallet.sign_message(secp, &message);
            let tags = vec![
                tag(["d", &format!("oc-attest-binding:{}", sha256(message.as_bytes()))]),
                tag(["btc", &user.wallet.address]),
                tag(["oc", "binding-attestation"]),
                tag(["v", "1"]),
            ];
            let content = Object::new().text("message", &message).text("btc_signature", signature).compact();
            sign(secp, &user.nostr, Draft { kind: 30_079, created_at: seconds(at), tags, content })
        })
        .collect()
}

/// Device records of the family's lock: stored by an auditor, not judged.
pub(super) fn devices(seed: u64, users: &[User], secp: &Secp256k1<All>) -> Vec<SimEvent> {
    let mut rng = Rng::new(seed, "devices");
    users
        .iter()
        .step_by(9)
        .map(|user| {
            let at = START + rng.range(1, 100) * DAY + rng.range(6 * HOUR, 22 * HOUR);
            let (device, key) = (rng.hex::<16>(), rng.hex::<32>());
            let address = &user.wallet.address;
            let content = format!(
                "oc-lock:device-bind:v2\naddress: {address}\ndevice_pk: {key}\ndevice_id: {device}\ncreated_at: {}\n",
                iso_millis(at)
            );
            let signature = user.wallet.sign_message(secp, &content);
            let tags = vec![
                tag(["d", &format!("oc-lock:device:{address}")]),
                tag(["addr", address]),
                tag(["device_id", &device]),
                tag(["device_pk", &key]),
                tag(["alg", "x25519"]),
                tag(["binding_sig", &signature]),
            ];
            sign(secp, &user.nostr, Draft { kind: 30_078, created_at: seconds(at), tags, content })
        })
        .collect()
}
