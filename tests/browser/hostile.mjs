// Puts an attacker's texts into every free text of the report of the run in a folder: `node hostile.mjs RUN`.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const texts = [
  "<script>window.pwned=1;alert(1)</script>", "\"><img src=x onerror=window.pwned=2>", "'><svg onload=alert(3)>", "</script><script>window.pwned=4</script>",
  "</td></tr></table><h1>CLEAN</h1>", "<!--", "-->", "]]>", "&lt;script&gt;", "&#x202e;", "javascript:window.pwned=5", "<a href=javascript:alert(6)>click</a>",
  "\u202egnp.exe", "\u2066x\u2069", "\u0000\u0007\u001b]52;c;AAAA\u0007", "\u009b31m", "a\u200bb\u200fc\ufeff", "<base href=//evil.example>", "<meta http-equiv=refresh content=0>",
  "{{constructor.constructor('window.pwned=7')()}}", "${window.pwned=8}", "`-alert(9)-`", "\u2028window.pwned=10\u2029", "=cmd|'/C calc'!A0", "x".repeat(5000), "<x ".repeat(300),
];
let turn = 0;
const next = (kept) => `${kept.slice(0, 12)}${texts[turn++ % texts.length]}`;
const [reportFile, recordFile] = ["report.json", "run.json"].map((name) => join(process.argv[2], name));
const report = JSON.parse(readFileSync(reportFile, "utf8"));
const digest = (text) => /^[0-9a-f]{64}$/.test(text);
const renamed = (map, of = (value) => value) => Object.fromEntries(Object.entries(map).map(([name, value]) => [next(name), of(value)]));
for (const one of report.divergences) {
  one.subject = renamed(one.subject, (value) => (digest(value) ? value : next(value)));
  for (const name of ["expected", "observed", "explanation"]) one[name] = next(one[name]);
  for (const evidence of one.evidence) evidence.role = next(evidence.role);
}
for (const row of report.coverage) [row.source, row.kind, row.reason] = [next(row.source), next(row.kind), next(row.reason)];
for (const row of report.coverage_by_month) row.source = next(row.source);
for (const row of report.unverifiable) [row.check, row.reason] = [next(row.check), next(row.reason)];
for (const row of report.checks) row.check = next(row.check);
report.gaps.push({ source: next("s"), from: 1, until: 2_000_000, reason: next("r"), cite: next("c"), expires: 3_000_000, state: next("active"), missing: 1 });
report.custody.changes += 1;
report.custody.latest.push({ at: 5, id: "ab".repeat(32), user: next("u"), change: next("rebind"), from: next("f"), to: next("t"), counts: true, anchor_height: null });
report.custody.months[next("2026-01")] = { rebind: 1, [next("x")]: 2 };
report.custody.states[next("s")] = 1;
report.population = renamed(report.population);
report.summary.by_project[next("p")] = { by_age: { ">93d": 1 }, by_age_sats: {} };
for (const ledger of Object.values(report.ledgers)) ledger.totals = renamed(ledger.totals);
report.acknowledgements.push({ id: "ab".repeat(32), key_id: next("k"), state: next("holds"), reason: next("r"), by: next("b"), issued_at: 1, kind: next("acknowledgement"), fingerprint: "cd".repeat(32), code: next("X"), expires_at: 9 });
report.runbook.reasons.push(next("r"));
for (const step of report.runbook.steps) [step.name, step.verdict, step.reason] = [next(step.name), next(step.verdict), next(step.reason)];
report.verdict.sentence = next(report.verdict.sentence);
report.verdict.conditions.push(next("c"));
report.does_not_prove.push(next("d"));
report.not_rebuilt.push({ store: next("n"), consequence: next("n") });
report.balances.sample.seed = next("s");
report.inputs.profile = next("p");
writeFileSync(reportFile, JSON.stringify(report));
// The custody log tells of another report: this run is of a version that kept none.
const record = JSON.parse(readFileSync(recordFile, "utf8"));
delete record.custody_head;
writeFileSync(recordFile, JSON.stringify(record));
rmSync(join(process.argv[2], "evidence", "custody.jsonl"));
