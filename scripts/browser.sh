#!/bin/sh
# Opens report.html in headless Chromium without a network: the real inputs, a world of many divergences, and a report whose every
# text an attacker wrote. Needs node, npm and chromium; says loudly what is not here. RELEDGER_BROWSER_EVENTS=n sizes the world,
# SHOTS=folder keeps screenshots.
set -eu
cargo=${CARGO:-cargo}

skipped() {
  echo "browser tests SKIPPED: $1" >&2
  exit "${RELEDGER_BROWSER_SKIP:-0}"
}

CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || true)}
export CHROMIUM
[ -n "$CHROMIUM" ] || skipped "chromium is not installed"
command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || skipped "node and npm are not installed"

$cargo build --quiet --locked --bin reledger
bin=${RELEDGER_BIN:-${CARGO_TARGET_DIR:-target}/debug/reledger}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cp -r tests/browser "$work/tests"
(cd "$work/tests" && npm install --silent --no-audit --no-fund --no-package-lock) >"$work/npm.log" 2>&1 ||
  { tail -n 3 "$work/npm.log" >&2; skipped "npm can't install playwright-core and axe-core"; }

# A drill that finds what it must find is no failure of this script.
drilled() { "$bin" drill "$@" --offline --quiet --progress none >/dev/null 2>&1 || [ $? -eq 1 ] || [ $? -eq 3 ]; }
drilled -c fixtures/real/reledger.toml --run "$work/real"
"$bin" sim write --seed 7 --events "${RELEDGER_BROWSER_EVENTS:-1500}" --dir "$work/world" --quiet
# Without the operator's keys no envelope counts, and every settlement is an orphan.
sed '/^\[keys\]/,/^$/d' "$work/world/reledger.toml" >"$work/world/no-keys.toml"
drilled -c "$work/world/no-keys.toml" --run "$work/many"
cp -r "$work/real" "$work/hostile"
node "$work/tests/hostile.mjs" "$work/hostile"
"$bin" report render --to html --run "$work/hostile" -o "$work/hostile/report.html" --yes

cd "$work/tests"
REAL="$work/real" MANY="$work/many" HOSTILE="$work/hostile" node --test --test-reporter="${REPORTER:-spec}" page.test.mjs
