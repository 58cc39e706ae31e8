"""Gives what `reledger report render` writes to hledger and beancount, which judge it.

Worlds of the simulator are written, captured, rebuilt and rendered by the command. Of each both programs must accept the
journal, hold on every account what the simulator's oracle posts there, and refuse it when one posting is off by 1 msat, when two
postings of one transaction are (it still balances: only the assertions tell), and when one assertion is. Then the worked example
of the specification, whose balances stand here, and a journal of hostile names.

    RELEDGER=target/debug/reledger JOURNALS=dir python3 peers/journals.py    (dir: what the example `journals` wrote)

RELEDGER_PEERS_WORLDS worlds from seed RELEDGER_PEERS_SEED on; bean-check and bean-query are looked for in RELEDGER_PEERS_VENV/bin
first. Exit 0: everything agreed, or the program that is missing was named; 1: something differs.
"""

import csv
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

WORLDS = int(os.environ.get("RELEDGER_PEERS_WORLDS", "50"))
SEED = int(os.environ.get("RELEDGER_PEERS_SEED", "1"))
EVENTS = 40
RELEDGER = os.environ.get("RELEDGER", "target/debug/reledger")
VENV = os.path.join(os.environ.get("RELEDGER_PEERS_VENV", ""), "bin")
AS_OF = "2026-10-01T00:00:00Z"
# TREASURY 5.2: deposit 100,000 sats; one envelope 60 = 12 + 39 + 9; rebate 9; payout 39 with fee 3.
WORKED = {
    "A:Custody:oc-me-v1": 99_958_000,
    "L:Escrow:pk_live_x": -99_949_000,
    "L:Platform:Accrued": -9_000,
    "L:Rebate:pk_live_x": 0,
    "L:User:bc1quser:Available": 0,
}


class Differs(Exception):
    """One side says something else."""


def run(*args, **more):
    return subprocess.run(args, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **more)


def reledger(*args):
    done = run(RELEDGER, *args, "-q", "--progress", "none", "--offline")
    if done.returncode != 0:
        raise Differs(f"reledger {' '.join(args)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Hledger:
    """hledger's journal and hledger."""

    name = "hledger"
    posting = re.compile(r"^(    \S+  )(-?\d+)( MSAT)$")
    assertion = re.compile(r"^(    \S+  0 MSAT = )(-?\d+)( MSAT)$")
    says_unbalanced = "could not balance|unbalanced"
    says_assertion = "balance assertion"

    def __init__(self):
        self.program = shutil.which("hledger")
        if self.program is None:
            raise FileNotFoundError("hledger is not installed (Debian: apt-get install hledger)")
        self.version = run(self.program, "--version").stdout.strip()
        self.checks = ["ordereddates"]
        # Releases since 1.29 know it.
        if "unknown" not in run(self.program, "-f", os.devnull, "check", "recentassertions").stderr:
            self.checks.append("recentassertions")

    def check(self, path):
        done = run(self.program, "-f", path, "check", "--strict", *self.checks)
        return done.returncode, done.stdout + done.stderr

    def totals(self, path):
        done = run(self.program, "-f", path, "balance", "-N", "-E", "--flat", "--no-elide", "-O", "csv")
        rows = list(csv.reader(io.StringIO(done.stdout)))[1:]
        return {account: int(amount.split()[0]) for account, amount in rows}

    @staticmethod
    def natives(lines):
        found = (re.match(r"^account (\S+)  ; .*native: (\S+)$", line) for line in lines)
        return {one[1]: urllib.parse.unquote(one[2]) for one in found if one}


class Beancount:
    """beancount's language, bean-check and bean-query."""

    name = "beancount"
    posting = re.compile(r"^(  [A-Z]\S+  )(-?\d+)( MSAT)$")
    assertion = re.compile(r"^(\S+ balance \S+  )(-?\d+)( ~ 0 MSAT)$")
    says_unbalanced = "does not balance"
    says_assertion = "Balance failed"

    def __init__(self):
        path = os.pathsep.join([VENV, os.environ.get("PATH", "")])
        self.program, self.query = shutil.which("bean-check", path=path), shutil.which("bean-query", path=path)
        if self.program is None or self.query is None:
            raise FileNotFoundError("bean-check or bean-query is not installed (pip install beancount beanquery)")
        self.version = run(self.program, "--version").stdout.strip()

    def check(self, path):
        done = run(self.program, "--no-cache", path)
        return done.returncode, done.stdout + done.stderr

    def totals(self, path):
        done = run(self.query, "-f", "csv", path, "SELECT account, sum(number) GROUP BY account")
        rows = list(csv.reader(io.StringIO(done.stdout)))[1:]
        return {account.strip(): int(amount) for account, amount in rows}

    @staticmethod
    def natives(lines):
        found, opened = {}, ""
        for line in lines:
            words = line.split()
            if len(words) == 4 and words[1] == "open":
                opened = words[2]
            elif words[:1] == ["native:"]:
                found[opened] = urllib.parse.unquote(words[1].strip('"'))
        return found


def text_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def is_same(what, ours, theirs):
    if ours != theirs:
        differing = {key: (ours.get(key), theirs.get(key)) for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
        raise Differs(f"{what}: {len(differing)} accounts differ, ours and theirs: {dict(list(differing.items())[:5])}")


def accepted(peer, path, ours):
    code, said = peer.check(path)
    if code != 0:
        raise Differs(f"{path} is refused: {said[:500]}")
    natives = peer.natives(text_of(path).splitlines())
    totals = {natives[account]: amount for account, amount in peer.totals(path).items()}
    is_same(path, ours, totals)
    return len(totals)


def off_by_one(line, pattern, by):
    head, amount, tail = pattern.match(line).groups()
    return f"{head}{int(amount) + by}{tail}"


def mutations(peer, lines, draw):
    """What is changed, the lines with it, and what the program must say of it."""
    postings = [at for at, line in enumerate(lines) if peer.posting.match(line)]
    # Postings of one transaction stand one after the other.
    pairs = [at for at in postings if at + 1 in set(postings)]
    asserted = [at for at, line in enumerate(lines) if peer.assertion.match(line)]
    by = draw.choice([-1, 1])
    for what, places, pattern, said in [
        ("one posting", [(draw.choice(postings), by)], peer.posting, peer.says_unbalanced),
        ("two postings", [(at, sign) for first in [draw.choice(pairs)] for at, sign in [(first, by), (first + 1, -by)]],
         peer.posting, peer.says_assertion),
        ("one assertion", [(draw.choice(asserted), by)], peer.assertion, peer.says_assertion),
    ]:
        changed = list(lines)
        for at, sign in places:
            changed[at] = off_by_one(changed[at], pattern, sign)
        yield what, places[0][0], changed, said


def refused(peer, path, folder, draw):
    lines = text_of(path).split("\n")
    count = 0
    for what, at, changed, said in mutations(peer, lines, draw):
        other = os.path.join(folder, f"changed.{peer.name}")
        with open(other, "w", encoding="utf-8", newline="") as file:
            file.write("\n".join(changed))
        code, answer = peer.check(other)
        if code == 0:
            raise Differs(f"{path}: {what} off by 1 msat at line {at + 1} is accepted")
        if not re.search(said, answer, re.IGNORECASE):
            raise Differs(f"{path}: {what} off by 1 msat at line {at + 1} is refused for another reason: {answer[:500]}")
        count += 1
    return count


def csv_totals(path):
    totals = {}
    for row in csv.DictReader(io.StringIO(text_of(path))):
        account = urllib.parse.unquote(row["native"])
        totals[account] = totals.get(account, 0) + int(row["debit_msat"] or 0) - int(row["credit_msat"] or 0)
    return totals


def oracle(world):
    totals = {}
    with open(os.path.join(world, "expected.json"), encoding="utf-8") as file:
        expected = json.load(file)
    for leaf in expected["leaves"]["treasury"]:
        for account, amount in json.loads(leaf)["postings"]:
            totals[account] = totals.get(account, 0) + int(amount)
    return totals, len(expected["leaves"]["treasury"])


def judge_world(seed, peers, folder, tally):
    world, run_dir = os.path.join(folder, f"world-{seed}"), os.path.join(folder, f"run-{seed}")
    noise = ["--noise"] if seed % 2 else []
    reledger("sim", "write", "--seed", str(seed), "--events", str(EVENTS), "--dir", world, *noise)
    config = os.path.join(world, "reledger.toml")
    reledger("capture", "-c", config, "--run", run_dir)
    reledger("rebuild", "-c", config, "--run", run_dir, "--as-of", AS_OF)
    ours, entries = oracle(world)
    tally["entries"] += entries
    tally["accounts"] += len(ours)
    render = ["report", "render", "--run", run_dir, "--reveal-users", "--to"]
    rows = os.path.join(folder, f"{seed}.csv")
    reledger(*render, "csv", "-o", rows)
    is_same(rows, ours, csv_totals(rows))
    for peer in peers:
        for detail in ["entries", "days"] if seed % 5 == 0 else ["entries"]:
            path = os.path.join(folder, f"{seed}-{detail}.{peer.name}")
            reledger(*render, peer.name, "--detail", detail, "-o", path)
            accepted(peer, path, ours)
            tally["accepted"] += 1
            tally["refused"] += refused(peer, path, folder, random.Random(f"{seed} {detail} {peer.name}"))
    shutil.rmtree(world)
    shutil.rmtree(run_dir)


def judge_examples(peers, folder, draw):
    endings = {"hledger": "journal", "beancount": "beancount"}
    hostile = csv_totals(os.path.join(folder, "hostile.csv"))
    for peer in peers:
        for name, ours in [("worked", WORKED), ("hostile", hostile)]:
            path = os.path.join(folder, f"{name}.{endings[peer.name]}")
            accounts = accepted(peer, path, ours)
            refused(peer, path, folder, draw)
            print(f"journals {name}: {peer.name} agrees on {accounts} accounts and refuses 3 changes", flush=True)


def main():
    peers = []
    for kind in [Hledger, Beancount]:
        try:
            peers.append(kind())
        except FileNotFoundError as why:
            print(f"journals SKIPPED: {why}", flush=True)
    if not peers:
        return 0
    tally = {"entries": 0, "accounts": 0, "accepted": 0, "refused": 0}
    try:
        if "JOURNALS" in os.environ:
            judge_examples(peers, os.environ["JOURNALS"], random.Random(SEED))
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(SEED, SEED + WORLDS):
                judge_world(seed, peers, folder, tally)
    except Differs as what:
        print(f"journals FAILED: {what}")
        return 1
    versions = ", ".join(peer.version for peer in peers)
    print(
        f"journals seeds {SEED} to {SEED + WORLDS - 1}: {WORLDS} worlds, {tally['entries']} entries, {tally['accounts']} accounts; "
        f"{tally['accepted']} exports accepted, {tally['refused']} changes of 1 msat refused; 0 disagreements with {versions}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
