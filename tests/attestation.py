"""A second reader of attestations, from docs/attest.md and RFC 8032 alone: python3 attestation.py FILE RUN KEY...

Ends with 0 when every KEY has signed FILE and FILE is about the report and the manifest in the folder RUN.
Needs nothing but the standard library.
"""

import base64
import hashlib
import json
import pathlib
import sys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def even_x(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        raise ValueError("no point")
    return P - x if x & 1 != sign else x


def point(data):
    number = int.from_bytes(data, "little")
    y = number & (2**255 - 1)
    if y >= P:
        raise ValueError("no canonical point")
    return even_x(y, number >> 255), y


def add(a, b):
    k = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + k, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - k, -1, P)
    return x % P, y % P


def times(scalar, base):
    total = (0, 1)
    while scalar:
        if scalar & 1:
            total = add(total, base)
        base, scalar = add(base, base), scalar >> 1
    return total


BASE_Y = 4 * pow(5, -1, P) % P
BASE = (even_x(BASE_Y, 0), BASE_Y)


def holds(key, message, sig):
    s = int.from_bytes(sig[32:], "little")
    digest = hashlib.sha512(sig[:32] + key + message).digest()
    h = int.from_bytes(digest, "little") % L
    return len(sig) == 64 and s < L and times(s, BASE) == add(point(sig[:32]), times(h, point(key)))


def main(file, run, keys):
    envelope = json.loads(pathlib.Path(file).read_text())
    kind, body = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
    for key in keys:
        sigs = [one["sig"] for one in envelope["signatures"] if one.get("keyid") == key]
        if not sigs or not all(holds(bytes.fromhex(key), message, base64.b64decode(sig)) for sig in sigs):
            sys.exit(f"{key} has not signed")
    subjects = {one["name"]: one["digest"] for one in json.loads(body)["subject"]}
    for name in ("report.json", "evidence/manifest.json"):
        if subjects[name]["sha256"] != hashlib.sha256((pathlib.Path(run) / name).read_bytes()).hexdigest():
            sys.exit(f"{name} differs")
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
