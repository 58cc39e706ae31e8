"""Reports whose every free text was chosen to break a reader, and as many that break nothing."""

import copy
import random

ATTACKS = [
    "\x1b]52;c;aGk=\x07", "\x1b[2J\x1b[31m", "\x9b31m", "\u202egpj.exe", "\u2066x\u2069", "\u200b\u200d\ufeff", "\u2028\u2029",
    "\x00", "\x7f", "\ufffe\uffff", "\r\n- item", "\n\n# heading", "\n\n```\ncode", "\n    code", "\n===\n", "\n> quote", "\t=1+1",
    "\r=1+1", "<script>alert(1)</script>", '"><svg onload=alert(1)>', "<img src=x onerror=alert(1)>", "]]>", "<![CDATA[",
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>", "-->", "<!-- x", "<?php", "&#x202e;", "&amp;lt;", "&e;",
    "=cmd|'/C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "\uff1d1", "\uff20x", "\u22121", "\xa0=1", "'=1", 'a","b', '"', "{{7*7}}",
    "{% x %}", "javascript:alert(1)", "[x](javascript:alert(1))", "![x](http://x.com/p.png)", "[x]: http://x.com", "](http://x.com)",
    "<http://x.com>", "http://x.com/a?b=c", "https://x.com", "ftp://x.com", "mailto:a@b.com", "www.example.com", "example.com",
    "//example.com", "//localhost", "xn--e1afmkfd.com", "a@b.com", "@everyone", "#123", "GH-7", "`code`", "```fence", "a|b||c\\|d",
    "|---|", "**b** __u__ ~~s~~ $x$ ==m==", "1. one", "1) one", "* x", "- x", "+ x", "# h", "> q", "[^1]", "[ ] todo", ":smile:",
    "\\", "\\\\|", "  \n", "} 1\nreledger_exit_code 0\n# EOF\n", '",evil="1', "\\n", "e\u0301\u0489", "\U0001f600",
    "\ud7ff\ue000", "<a href=x>", "</system-out>", "<failure/>",
]


class Strings:
    """Strings, no two alike; the same ones for the same seed."""

    def __init__(self, seed, hostile):
        self.dice, self.hostile, self.made = random.Random(seed), hostile, 0

    def next(self):
        self.made += 1
        if not self.hostile:
            return f"word {self.made}"
        kind = self.made % 40
        if kind == 0:
            return f"{self.made}" + self.dice.choice(ATTACKS) * 200
        if kind < 24:
            return f"{self.dice.choice(ATTACKS)} {self.made}"
        parts = [self.dice.choice(ATTACKS) for _ in range(self.dice.randint(1, 4))]
        return "".join(part[self.dice.randrange(len(part)) :] for part in parts) + f" {self.made}"


# Members whose text is a word of ours, a digest or a number: they are no place for foreign text.
KEPT = {"schema", "name@tool", "fail_on", "severity", "state@divergences", "code@divergences", "at_stake_msat"}
ROWS = 45


def is_digest(text):
    return len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)


def is_number(text):
    return text.lstrip("-").isdigit()


def grown(report, code="SET_MISSING"):
    """The report with so many lines in every list that every place is met often, its counts counted again."""
    report = copy.deepcopy(report)
    divergences = []
    for number in range(ROWS):
        state = ["open", "explained", "acknowledged"][number % 3]
        divergences.append({
            "at": 7, "at_stake_msat": "1000", "blocks": state == "open", "code": code, "severity": "error", "state": state, "step": 4,
            "fingerprint": f"{number:064x}", "values_sha256": f"{number:064x}", "subject": {"user": "u"}, "expected": "e",
            "observed": "o", "explanation": "x", "evidence": [{"id": f"{number:064x}", "role": "r"}],
        })
    report["divergences"] = divergences
    report["summary"].update(
        by_code={code: ROWS}, by_code_sats={}, explained=ROWS // 3, acknowledged=ROWS // 3, unexplained=ROWS // 3,
        by_age={"a": 1, "b": 2}, by_age_sats={}, by_project={},
    )
    line = {"source": "s", "kind": "1", "from": None, "until": 9, "basis": "none", "complete": False, "events": 1, "missing_here": 1,
            "retries": 0, "reason": "r"}
    report["coverage"] = [dict(line) for _ in range(ROWS)]
    statement = {"id": "0" * 64, "key_id": "k", "state": "s", "reason": "r", "by": "b", "issued_at": 1, "kind": "k", "fingerprint": "1" * 64,
                 "code": "c", "expires_at": 2}
    report["acknowledgements"] = [dict(statement) for _ in range(ROWS)]
    gap = {"source": "s", "from": 1, "until": 2, "reason": "r", "cite": "c", "expires": 3, "state": "s", "missing": 1}
    report["gaps"] = [dict(gap) for _ in range(ROWS)]
    report["checks"] = [{"check": "c", "items": 2, "disagreed": n % 2, "codes": ["C"]} for n in range(ROWS)]
    report["unverifiable"] = [{"check": "c", "reason": "r", "items": 1, "declared": n % 2 == 0} for n in range(ROWS)]
    report["does_not_prove"] = ["s"] * ROWS
    report["not_rebuilt"] = [{"store": "s", "consequence": "c"} for _ in range(ROWS)]
    return report


def filled(value, strings, member="", within=""):
    """The value with every free text replaced, also the names of members of maps."""
    if isinstance(value, str):
        if {member, f"{member}@{within}"} & KEPT or is_digest(value) or is_number(value):
            return value
        return strings.next()
    if isinstance(value, list):
        return [filled(one, strings, member, within) for one in value]
    if isinstance(value, dict):
        if member in {"population", "ledgers", "matching", "by_age", "subject", "totals", "trial_balance", "rail", "ledger", "blocking"}:
            return {strings.next(): filled(one, strings, "", member) for one in value.values()}
        return {name: filled(one, strings, name, member or within) for name, one in value.items()}
    return value
