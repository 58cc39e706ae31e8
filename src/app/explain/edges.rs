//! Who names whom: every reference from one thing of a run to another, visited once.

use super::model::{Class, Name};
use crate::domain::{AttestationId, BindingId, DescriptorId, Digest32, EnvelopeId, EvidenceId};
use crate::evidence::{AttestationMessage, OcMeBody, Rebind};
use crate::verify::{Verified, VerifiedSet};

/// One end of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Node<'a> {
    /// By digest.
    Digest(Class, Digest32),
    /// By text.
    Text(Class, &'a str),
    /// A block by height.
    Block(u32),
}

impl Node<'_> {
    pub(super) fn name(self) -> Name {
        match self {
            Self::Digest(class, digest) => Name { class, id: digest.to_hex() },
            Self::Text(class, text) => Name { class, id: text.to_owned() },
            Self::Block(height) => Name { class: Class::Block, id: height.to_string() },
        }
    }
}

/// Is told (from, as what, to).
pub(in crate::app) type Visit<'v> = dyn for<'n> FnMut(Node<'n>, &'static str, Node<'n>) + 'v;

/// The relation of a thing to the evidence that brought it.
pub(super) const CARRIER: &str = "carrier";

/// Visits every reference.
pub(in crate::app) fn visit(set: &VerifiedSet, visit: &mut Visit<'_>) {
    for (id, envelope) in &set.envelopes {
        let node = Node::Digest(Class::Envelope, id.0);
        visit(node, "key", Node::Text(Class::Kid, envelope.fact().kid.as_str()));
        body(node, &envelope.fact().body, visit);
        carried(node, &envelope, visit);
    }
    attested(set, visit);
    custody(set, visit);
    money(set, visit);
    for (digest, state) in &set.anchors {
        let node = Node::Digest(class_of(set, digest), digest);
        state.confirmed.iter().for_each(|anchor| visit(node, "anchor", Node::Block(anchor.height.0)));
        state.stale.iter().for_each(|stale| visit(node, "stale-anchor", Node::Block(stale.height.0)));
        state.header_missing.iter().for_each(|height| visit(node, "unchecked-anchor", Node::Block(height.0)));
        state.proofs.iter().for_each(|proof| visit(node, "proof", evidence(proof)));
    }
    for (id, event) in &set.events {
        visit(evidence(id), "event", Node::Digest(Class::Event, event.id.0));
    }
}

/// What a digest is the id of.
pub(super) fn class_of(set: &VerifiedSet, digest: Digest32) -> Class {
    let attestation = AttestationId(digest);
    if set.envelopes.contains_key(&EnvelopeId(digest)) {
        Class::Envelope
    } else if set.attestations.contains_key(&attestation) || set.claimed_attestations.contains_key(&attestation) {
        Class::Attestation
    } else if set.graduations.contains_key(&digest) {
        Class::Graduation
    } else if set.rotations.contains_key(&digest) {
        Class::Rotation
    } else if set.descriptors.contains_key(&DescriptorId(digest)) {
        Class::Descriptor
    } else if set.bindings.contains_key(&BindingId(digest)) {
        Class::Binding
    } else {
        Class::Digest
    }
}

fn evidence<'a>(id: EvidenceId) -> Node<'a> {
    Node::Digest(Class::Evidence, id.0)
}

fn envelope<'a>(id: EnvelopeId) -> Node<'a> {
    Node::Digest(Class::Envelope, id.0)
}

fn user(text: &str) -> Node<'_> {
    Node::Text(Class::User, text)
}

fn carried<T>(node: Node<'_>, fact: &Verified<T>, visit: &mut Visit<'_>) {
    fact.carriers().iter().for_each(|id| visit(node, CARRIER, evidence(id)));
}

/// An id that stands somewhere as text.
fn named<'a>(text: Option<&str>, of: impl Fn(Digest32) -> Node<'a>) -> Option<Node<'a>> {
    let text = text?.to_ascii_lowercase();
    text.strip_prefix("fed:").unwrap_or(&text).parse().ok().map(of)
}

fn body<'a>(node: Node<'a>, body: &'a OcMeBody, visit: &mut Visit<'_>) {
    match body {
        OcMeBody::Event(event) => {
            visit(node, "user", user(event.user.as_str()));
            event
                .project
                .iter()
                .for_each(|project| visit(node, "project", Node::Text(Class::Project, project.as_str())));
            if let Some(drop) = &event.drop {
                visit(node, "window", Node::Text(Class::Window, drop.window.as_str()));
            }
        }
        OcMeBody::Payment(payment) => {
            payment.user.iter().for_each(|name| visit(node, "user", user(name.as_str())));
            payment.user_envelope_id.into_iter().for_each(|id| visit(node, "payment-for", envelope(id)));
        }
        OcMeBody::Rebind(rebind) => self::rebind(node, rebind, visit),
        OcMeBody::PayoutBinding(binding) => {
            visit(node, "user", user(binding.user.as_str()));
            visit(node, "destination", user(&binding.destination));
        }
        OcMeBody::Distribution(shares) => {
            for share in &shares.recipients {
                visit(node, "user", user(share.user.as_str()));
                let binding = named(share.binding.as_deref(), |id| envelope(EnvelopeId(id)));
                if let Some(binding) = binding {
                    visit(node, "payout-binding", binding);
                }
            }
        }
        OcMeBody::Drop(drop) => {
            visit(node, "window", Node::Text(Class::Window, drop.window.as_str()));
            drop.event_ids.iter().for_each(|id| visit(node, "member", envelope(*id)));
        }
        OcMeBody::Activity(activity) => visit(node, "user", user(activity.user.as_str())),
        OcMeBody::Trust => {}
    }
}

fn rebind<'a>(node: Node<'a>, rebind: &'a Rebind, visit: &mut Visit<'_>) {
    visit(node, "user", user(rebind.user.as_str()));
    rebind.prev.into_iter().for_each(|id| visit(node, "prev", envelope(id)));
    if let Some(graduation) = rebind.graduation {
        visit(node, "graduation", Node::Digest(Class::Graduation, graduation));
    }
    for (relation, federation) in [("from", &rebind.from_federation), ("to", &rebind.to_federation)] {
        let descriptor = named(federation.as_deref(), |id| Node::Digest(Class::Descriptor, id));
        if let Some(descriptor) = descriptor {
            visit(node, relation, descriptor);
        }
    }
}

fn attested<'a>(set: &'a VerifiedSet, visit: &mut Visit<'_>) {
    let message = |node: Node<'a>, message: &'a AttestationMessage, visit: &mut Visit<'_>| {
        visit(node, "user", user(&message.address));
        message.identities.iter().for_each(|identity| visit(node, "identity", user(identity)));
    };
    for (id, signed) in &set.attestations {
        let node = Node::Digest(Class::Attestation, id.0);
        message(node, &signed.fact().message, visit);
        carried(node, signed, visit);
    }
    for (id, claimed) in &set.claimed_attestations {
        let node = Node::Digest(Class::Attestation, id.0);
        claimed.fact().message.iter().for_each(|said| message(node, said, visit));
        carried(node, claimed, visit);
    }
    for (id, signed) in &set.bindings {
        let node = Node::Digest(Class::Binding, id.0);
        let said = &signed.fact().message;
        for name in [&said.principal, &said.btc, &said.npub] {
            visit(node, "user", user(name));
        }
        carried(node, signed, visit);
    }
}

fn custody(set: &VerifiedSet, visit: &mut Visit<'_>) {
    let descriptor = |id: DescriptorId| Node::Digest(Class::Descriptor, id.0);
    for (id, known) in &set.descriptors {
        let node = descriptor(*id);
        known.fact().address.iter().for_each(|address| visit(node, "user", user(address)));
        known.fact().guardians.iter().for_each(|guardian| visit(node, "guardian", user(guardian)));
        carried(node, known, visit);
    }
    for (id, graduation) in &set.graduations {
        let (node, fact) = (Node::Digest(Class::Graduation, *id), graduation.fact());
        visit(node, "user", user(&fact.address));
        visit(node, "from", descriptor(fact.from));
        fact.to_federation.into_iter().for_each(|to| visit(node, "to", descriptor(to)));
        carried(node, graduation, visit);
    }
    for (id, rotation) in &set.rotations {
        let (node, fact) = (Node::Digest(Class::Rotation, *id), rotation.fact());
        visit(node, "user", user(&fact.address));
        visit(node, "from", descriptor(fact.from));
        visit(node, "to", descriptor(fact.to));
        carried(node, rotation, visit);
    }
}

fn money(set: &VerifiedSet, visit: &mut Visit<'_>) {
    let payment = |hash: Digest32| Node::Digest(Class::Payment, hash);
    for (digest, settlement) in &set.settlements {
        let (node, event) = (Node::Digest(Class::Settlement, digest), &settlement.fact().event);
        visit(node, "operation", Node::Text(Class::Operation, event.operation.as_str()));
        if let Some(hash) = named(event.payment_hash.as_deref(), payment) {
            visit(node, "payment", hash);
        }
        event.user.iter().for_each(|name| visit(node, "user", user(name.as_str())));
        event.destination.iter().for_each(|destination| visit(node, "destination", user(destination)));
        event.project.iter().for_each(|project| visit(node, "project", Node::Text(Class::Project, project.as_str())));
        for (relation, id) in [("payout-binding", &event.payout_binding), ("distribution", &event.distribution)] {
            if let Some(id) = named(id.as_deref(), |id| envelope(EnvelopeId(id))) {
                visit(node, relation, id);
            }
        }
        carried(node, &settlement, visit);
    }
    for (id, invoice) in &set.invoices {
        visit(evidence(id), "payment", payment(invoice.payment_hash.0));
        let project = invoice.project.iter();
        project.for_each(|project| visit(evidence(id), "project", Node::Text(Class::Project, project.as_str())));
    }
    for (id, entry) in &set.payment_log {
        entry.payment_hash.iter().for_each(|hash| visit(evidence(id), "payment", payment(hash.0)));
        let operation = entry.operation.iter();
        operation.for_each(|name| visit(evidence(id), "operation", Node::Text(Class::Operation, name.as_str())));
    }
    for (id, config) in &set.configs {
        visit(evidence(*id), "project", Node::Text(Class::Project, config.project.as_str()));
    }
    for (id, record) in &set.merges {
        visit(evidence(*id), "merged-into", user(record.user.as_str()));
        record.merged_from.iter().for_each(|name| visit(evidence(*id), "merged-from", user(name.as_str())));
    }
    for (id, line) in &set.balances {
        visit(evidence(*id), "balance", user(line.user.as_str()));
    }
}
