"""Gives what `reledger report render` writes to readers of others, which judge it.

Every rendering of an honest world, of the real inputs and of hostile reports is read by Python's csv, by lxml with the XML Schema of
JUnit that Jenkins uses, by both parsers of prometheus_client (OpenMetrics and the classic text of node-exporter's textfile
collector), by markdown-it with tables and linkify; every published schema is held against the metaschema of JSON Schema 2020-12, and
every document against its schema, formats included.

    RELEDGER=target/debug/reledger RENDERINGS=target/debug/examples/renderings JUNIT_XSD=junit-10.xsd python3 tests/renderings/check.py

RELEDGER_RENDERINGS strings (5000) from seed RELEDGER_RENDERINGS_SEED on. Exit 0: everything agreed, or the reader that is missing was
named; 1: something differs. With RELEDGER_RENDERINGS_ALL set, a missing reader is a failure.
"""

import csv
import html.parser
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import unicodedata
import xml.etree.ElementTree as ElementTree

from hostile import Strings, filled, grown

RELEDGER = os.environ.get("RELEDGER", "target/debug/reledger")
EXAMPLE = os.environ.get("RENDERINGS", "target/debug/examples/renderings")
WANTED = int(os.environ.get("RELEDGER_RENDERINGS", "5000"))
SEED = int(os.environ.get("RELEDGER_RENDERINGS_SEED", "1"))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RENDERINGS = {
    "text": ["text"], "md": ["md"], "junit": ["junit"], "openmetrics": ["openmetrics"], "html": ["html"],
    "divergences": ["csv", "--table", "divergences"], "coverage": ["csv", "--table", "coverage"], "checks": ["csv", "--table", "checks"],
}
FORMULA = "=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20\u2212"
missing = []


class Differs(Exception):
    """A reader says something else than the report."""


def need(condition, what):
    if not condition:
        raise Differs(what)


def reledger(*args, codes=(0,)):
    done = subprocess.run([RELEDGER, *args], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode not in codes:
        raise Differs(f"reledger {' '.join(args)}: exit {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode("utf-8")


def is_live(character):
    """What a terminal acts on: controls, format characters but for those of scripts, line and paragraph separators."""
    return unicodedata.category(character) in ("Cc", "Zl", "Zp") or character in "\u061c\u200b\u200e\u200f\u2060\ufeff" or (
        "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069" or "\U000e0000" <= character <= "\U000e0fff")


def inert(text):
    found = [f"{ord(one):x}" for line in text.replace("\r\n", "\n").split("\n") for one in line if is_live(one)]
    need(not found, f"live characters: {found[:5]}")


class Csv:
    """RFC 4180 by Python's own reader."""

    name, renderings = "csv of Python", ["divergences", "coverage", "checks"]

    def structure(self, text):
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        for cell in (cell for row in rows for cell in row):
            need(cell[:1] not in tuple(FORMULA) and cell.lstrip()[:1] not in tuple(FORMULA), f"a formula: {cell[:40]!r}")
        return [len(row) for row in rows]


class Junit:
    """XML by expat and, with the schema of Jenkins, by lxml."""

    name, renderings = "XML of Python", ["junit"]

    def __init__(self):
        self.schema = None
        path = os.environ.get("JUNIT_XSD", "")
        try:
            from lxml import etree

            self.etree = etree
            if os.path.exists(path):
                self.schema = etree.XMLSchema(etree.parse(path))
                self.name += " and the schema of Jenkins"
            else:
                missing.append("the XML Schema of JUnit (JUNIT_XSD)")
        except ImportError:
            missing.append("lxml")

    def structure(self, text):
        root = ElementTree.fromstring(text)
        if self.schema is not None:
            tree = self.etree.fromstring(text.encode(), self.etree.XMLParser(resolve_entities=False))
            need(self.schema.validate(tree), f"the schema of JUnit: {self.schema.error_log.last_error}")
            need(tree.getroottree().docinfo.internalDTD is None, "a document type")
        (suite,) = root
        cases = list(suite)
        count = lambda kind: sum(case.find(kind) is not None for case in cases)
        counts = {"tests": len(cases), "failures": count("failure"), "errors": count("error"), "skipped": count("skipped")}
        need(counts == {name: int(suite.get(name)) for name in counts}, f"the suite counts otherwise: {counts}")
        return sorted((one.tag, *sorted(one.keys())) for one in root.iter())


class Metrics:
    """Both parsers of prometheus_client."""

    name, renderings = "prometheus_client (OpenMetrics and classic)", ["openmetrics"]

    def __init__(self):
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict
        from prometheus_client.parser import text_string_to_metric_families as classic

        self.parsers = [strict, classic]

    def structure(self, text):
        both = []
        for parse in self.parsers:
            samples = [one for family in parse(text) for one in family.samples]
            keys = [(one.name, tuple(sorted(one.labels.items()))) for one in samples]
            need(len(keys) == len(set(keys)), "a sample stands twice")
            inert("".join(value for one in samples for value in one.labels.values()))
            both.append({key: one.value for key, one in zip(keys, samples)})
        need(both[0] == both[1], "the two parsers read different samples")
        return sorted((name, len(labels)) for name, labels in both[0])


class Markdown:
    """CommonMark with tables, strikethrough and linkify."""

    name, renderings = "markdown-it with linkify", ["md"]
    OURS = {"heading", "paragraph", "table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item"}

    def __init__(self):
        from linkify_it import LinkifyIt  # noqa: F401
        from markdown_it import MarkdownIt

        self.reader = MarkdownIt("gfm-like", {"html": True, "linkify": True})

    def structure(self, text):
        tokens = self.reader.parse(text)
        inline = [child for token in tokens for child in token.children or []]
        kinds = {token.type for token in inline}
        need(kinds <= {"text", "code_inline", "strong_open", "strong_close"}, f"markup out of text: {kinds}")
        blocks = {re.sub("_(open|close)$", "", token.type) for token in tokens} - {"inline"}
        need(blocks <= self.OURS, f"blocks out of text: {blocks}")
        shown = "".join(child.content for child in inline)
        # What readers look for in the rendered text, where no escape is left.
        need(not re.search(r"@\w|#\d|\bgh-\d", shown, re.I), "a mention or a reference")
        need("<" not in text, "a raw `<`")
        # Readers drop cells beyond the header's, so a pipe too many would only be missed.
        for block in text.split("\n\n"):
            need(len({line.count("|") for line in block.splitlines()}) <= 1 or block[0] != "|", "a row with other cells than its header")
        return [token.type for token in tokens if token.type != "inline"]


class Text:
    """The summary for a terminal."""

    name, renderings = "lines", ["text"]

    def structure(self, text):
        need(text.count("\n") <= 40, "more than forty lines")
        return text.count("\n")


class Html:
    """HTML by Python's reader; a browser judges the page in `make test-browser`."""

    name, renderings = "HTML of Python", ["html"]

    def structure(self, text):
        found = []

        class Reader(html.parser.HTMLParser):
            def handle_starttag(self, tag, attrs):
                found.append((tag, *sorted(name for name, _ in attrs)))
                need(not any(name.startswith("on") for name, _ in attrs), f"a handler in {tag}")

            def handle_comment(self, data):
                need(False, "a comment")

        reader = Reader()
        reader.feed(text)
        reader.close()
        return sorted(found)


def readers():
    found = {}
    for kind in (Csv, Junit, Metrics, Markdown, Text, Html):
        try:
            reader = kind()
        except ImportError as error:
            missing.append(f"{kind.__doc__} ({error})")
            continue
        for rendering in reader.renderings:
            found[rendering] = reader
    return found


def renderings(run, wanted):
    return {name: reledger("report", "render", "--to", *RENDERINGS[name], "--run", run) for name in wanted}


def loose(folder, report, wanted):
    """Renderings of a report that no run wrote: the command refuses it, the library's example does not."""
    path = os.path.join(folder, "loose.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(report, file)
    done = subprocess.run([EXAMPLE, path, folder], capture_output=True, check=False)
    need(done.returncode == 0, f"a report is not rendered: {done.stderr.decode()}")
    texts = {}
    for name in wanted:
        with open(os.path.join(folder, name), encoding="utf-8", newline="") as file:
            texts[name] = file.read()
    return texts


def hostile(folder, source, found):
    with open(os.path.join(source, "report.json"), encoding="utf-8") as file:
        report = grown(json.load(file))
    plain_strings = Strings(0, hostile=False)
    plain = loose(folder, filled(report, plain_strings), found)
    made, seed = 0, SEED
    while made < WANTED:
        strings = Strings(seed, hostile=True)
        for name, text in loose(folder, filled(report, strings), found).items():
            inert(text)
            mine, theirs = found[name].structure(plain[name]), found[name].structure(text)
            need(mine == theirs, f"{name}, seed {seed}: structure differs: {differing(mine, theirs)}")
        made, seed = made + strings.made, seed + 1
    return made, seed - SEED


def differing(mine, theirs):
    if not isinstance(mine, list):
        return f"{mine} and {theirs}"
    for at, (one, other) in enumerate(zip(mine, theirs)):
        if one != other:
            return f"at {at}: {one} and {other}"
    return f"{len(mine)} and {len(theirs)}"


def written(value):
    """A time or a day of TOML as JSON has them."""
    return value.isoformat().replace("+00:00", "Z")


# Members that came later (docs/report-schema.md): an earlier report lacks them, and has no other difference.
LATER = {
    "acknowledgements", "coverage_by_month", "custody", "gaps", "matching", "not_rebuilt", "runbook", "acknowledged",
    "by_age_sats", "by_code_sats", "by_project", "negative_sats", "negative_users", "excluded_sats", "excluded_users", "at", "at_stake_msat", "values_sha256", "codes",
}


def earlier_schema(schema):
    """The schema of reports without its demand for what came later."""
    if isinstance(schema, list):
        return [earlier_schema(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: earlier_schema(one) for name, one in schema.items()}
    if isinstance(schema.get("required"), list):
        changed["required"] = [name for name in schema["required"] if name not in LATER]
    return changed


def schemas(folder, runs, configs):
    try:
        from jsonschema import Draft202012Validator as Validator
    except ImportError:
        missing.append("jsonschema")
        return 0, 0
    named = {}
    for file in sorted(os.listdir(os.path.join(ROOT, "docs/schema"))):
        name = file.removesuffix(".schema.json")
        named[name] = json.loads(reledger("schema", name))
        Validator.check_schema(named[name])
    validators = {name: Validator(schema, format_checker=Validator.FORMAT_CHECKER) for name, schema in named.items()}
    validators["earlier report"] = Validator(earlier_schema(named["report"]), format_checker=Validator.FORMAT_CHECKER)
    count = 0

    def holds(name, value, about):
        nonlocal count
        count += 1
        first = next(validators[name].iter_errors(value), None)
        need(first is None, f"{about} breaks the schema {name}: {first and first.json_path} {first and first.message[:200]}")

    for run in runs:
        with open(os.path.join(run, "report.json"), encoding="utf-8") as file:
            report = json.load(file)
        holds("report", report, run)
        for one in report["divergences"]:
            holds("divergence", one, run)
    again = os.path.join(folder, "events")
    done = subprocess.run([RELEDGER, "drill", "-c", configs[0], "--run", again, "--progress", "json"], capture_output=True, check=False)
    events = [line for line in done.stderr.decode().splitlines() if line.startswith("{")]
    need(len(events) > 3, "a run tells its progress")
    for line in events:
        holds("events", json.loads(line), "an event")
    own = os.path.join(folder, "init.toml")
    reledger("init", own)
    for one in [*configs, own]:
        with open(one, "rb") as file:
            holds("config", json.loads(json.dumps(tomllib.load(file), default=written)), one)
    earlier = os.path.join(ROOT, "fixtures/reports")
    for file in sorted(os.listdir(earlier)) if os.path.isdir(earlier) else []:
        if file.endswith(".json"):
            with open(os.path.join(earlier, file), encoding="utf-8") as opened:
                holds("earlier report", json.load(opened), file)
    return len(named), count


def main():
    found = readers()
    with tempfile.TemporaryDirectory() as folder:
        runs, configs = [], []
        for seed in (1, 6):
            world = os.path.join(folder, f"world-{seed}")
            reledger("sim", "write", "--seed", str(seed), "--events", "20", "--dir", world)
            configs.append(os.path.join(world, "reledger.toml"))
        configs.append(os.path.join(ROOT, "fixtures/real/reledger.toml"))
        for number, config in enumerate(configs):
            run = os.path.join(folder, f"run-{number}")
            reledger("drill", "-c", config, "--run", run, "--progress", "none", "-q", codes=(0, 1, 3))
            runs.append(run)
        for run in runs:
            for name, text in renderings(run, found).items():
                inert(text)
                found[name].structure(text)
        made, reports = hostile(folder, runs[0], found)
        kinds, documents = schemas(folder, runs, configs)
    for reader in sorted({reader.name for reader in found.values()}):
        print(f"renderings: {reader}: agreed")
    print(f"renderings: {made} hostile strings in {reports} reports through {len(found)} renderings changed no structure")
    print(f"renderings: {kinds} schemas are schemas, {documents} documents obey them")


if __name__ == "__main__":
    try:
        main()
    except Differs as error:
        sys.exit(f"renderings: {error}")
    for one in missing:
        print(f"renderings SKIPPED: not installed: {one}", file=sys.stderr)
    if missing and os.environ.get("RELEDGER_RENDERINGS_ALL"):
        sys.exit("renderings: a reader is missing")
