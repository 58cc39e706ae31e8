//! The messages of a proof's tree.

use super::walk::apply;
use crate::evidence::ots::Tree;

/// The message at every node, when the proof starts from that one. Costs what parsing the tree's parts has bounded.
pub fn messages(tree: &Tree<'_>, start: &[u8]) -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = Vec::with_capacity(tree.nodes().len());
    for node in tree.nodes() {
        messages.push(match node.parent() {
            // A parent stands before its children.
            Some((parent, op)) => {
                let mut message = messages[parent].clone();
                apply(op, &mut message);
                message
            }
            None => start.to_vec(),
        });
    }
    messages
}
