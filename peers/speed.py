"""What a user of Python would take for the same work.

    python3 speed.py pure FILE COUNT               the first COUNT events, one a line, by arithmetic on Python's own integers: affine
                                                   double-and-add, as operators' archive scripts have it
    python3 speed.py opentimestamps FOLDER PASSES  proofs NNNN.ots of one block, beside its 80-byte header, by python-opentimestamps

The last line that is printed is an answer as `src/speed/answer.rs` reads it.
"""

import hashlib
import json
import pathlib
import platform
import sys

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
SHOWN = 1000


def add(a, b):
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0] and a[1] != b[1]:
        return None
    if a == b:
        slope = 3 * a[0] * a[0] * pow(2 * a[1], P - 2, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], P - 2, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(point, scalar):
    result = None
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def lift(x):
    if x >= P:
        return None
    y_squared = (pow(x, 3, P) + 7) % P
    y = pow(y_squared, (P + 1) // 4, P)
    if y * y % P != y_squared:
        return None
    return x, y if y % 2 == 0 else P - y


def schnorr(message, key, signature):
    """BIP-340, "Verification"."""
    point = lift(int.from_bytes(key, "big"))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if point is None or r >= P or s >= N:
        return False
    tag = hashlib.sha256(b"BIP0340/challenge").digest()
    challenge = int.from_bytes(hashlib.sha256(tag + tag + signature[:32] + key + message).digest(), "big") % N
    sum_ = add(multiply(G, s), multiply(point, N - challenge))
    return sum_ is not None and sum_[1] % 2 == 0 and sum_[0] == r


def holds(event):
    parts = [0, event["pubkey"], event["created_at"], event["kind"], event["tags"], event["content"]]
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    identity = hashlib.sha256(text.encode()).digest()
    if identity.hex() != event["id"]:
        return False
    return schnorr(identity, bytes.fromhex(event["pubkey"]), bytes.fromhex(event["sig"]))


def answer(taken, refused, version):
    print(json.dumps({"taken": taken, "refused": refused[:SHOWN], "version": version}))


def events(file, count):
    taken, refused = 0, []
    with open(file, encoding="utf-8") as lines:
        for number, line in zip(range(count), lines):
            if holds(json.loads(line)):
                taken += 1
            else:
                refused.append(number)
    answer(taken, refused, f"Python {platform.python_version()}")


def proofs(folder, passes):
    from importlib.metadata import version

    from bitcoin.core import CBlockHeader
    from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, VerificationError
    from opentimestamps.core.serialize import BytesDeserializationContext, DeserializationError
    from opentimestamps.core.timestamp import DetachedTimestampFile

    header = CBlockHeader.deserialize(next(pathlib.Path(folder).glob("*.header")).read_bytes())
    files = [path.read_bytes() for path in sorted(pathlib.Path(folder).glob("*.ots"))]
    taken, refused = 0, []
    for _ in range(passes):
        for number, data in enumerate(files):
            held = False
            try:
                proof = DetachedTimestampFile.deserialize(BytesDeserializationContext(data))
                for message, attestation in proof.timestamp.all_attestations():
                    if isinstance(attestation, BitcoinBlockHeaderAttestation):
                        attestation.verify_against_blockheader(message, header)
                        held = True
            except (DeserializationError, VerificationError):
                held = False
            if held:
                taken += 1
            else:
                refused.append(number)
    answer(taken, refused, f"{version('opentimestamps')}, Python {platform.python_version()}")


if __name__ == "__main__":
    what, place, number = sys.argv[1:4]
    if what == "pure":
        events(place, int(number))
    else:
        proofs(place, int(number))
