"""A second reader of proofs out of checkpoints, from docs/checkpoint.md and RFC 9162 alone: python3 checkpoint_proof.py FILE KEY...

Ends with 0 when the proof holds and KEYs sealed every checkpoint in it. Needs nothing but the standard library.
"""

import hashlib
import json
import sys

from attestation import holds


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def body_of(line, keys):
    body = json.dumps(line["body"], sort_keys=True, separators=(",", ":")).encode()
    signed = b"".join(len(part).to_bytes(8, "big") + part for part in (b"reledger/checkpoint/1", body))
    if line["key_id"] not in keys or not holds(bytes.fromhex(line["key_id"]), signed, bytes.fromhex(line["sig"])):
        sys.exit("signature_mismatch")
    return line["body"], hashlib.sha256(body).hexdigest(), bytes.fromhex(line["body"]["root"])


def walk(at, last, old, new, path):
    """Both roots from the bottom up: what stands on the left is part of the old tree too (RFC 9162, 2.1.3.2 and 2.1.4.2)."""
    for sibling in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            old, new = node(sibling, old), node(sibling, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = node(new, sibling)
        at, last = at >> 1, last >> 1
    return (old, new) if last == 0 else None


def judge(proof, keys):
    path = [bytes.fromhex(one) for one in proof["path"]]
    if proof["schema"] == "reledger/inclusion-proof/1":
        (body, _, root), index = body_of(proof["checkpoint"], keys), proof["index"]
        leaf = hashlib.sha256(b"\x00" + bytes.fromhex(proof["item"])).digest()
        both = walk(index, body["tree_size"] - 1, leaf, leaf, path) if index < body["tree_size"] else None
        return both is not None and both[1] == root
    (older, digest, old), (newer, _, new) = body_of(proof["older"], keys), body_of(proof["newer"], keys)
    if older["seq"] + 1 == newer["seq"] and newer["previous_checkpoint_sha256"] != digest:
        return False
    at, last = older["tree_size"] - 1, newer["tree_size"] - 1
    if at in (-1, last):
        return not path and (at == -1 or old == new)
    while at & 1:
        at, last = at >> 1, last >> 1
    path = path if at else [old, *path]
    return at < last and len(path) > 1 and walk(at, last, path[0], path[0], path[1:]) == (old, new)


if __name__ == "__main__":
    print("ok") if judge(json.load(open(sys.argv[1])), sys.argv[2:]) else sys.exit("the path does not hold")
