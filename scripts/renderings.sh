#!/bin/sh
# Gives what `reledger report render` writes, of honest, real and hostile reports, to readers of others: tests/renderings/check.py.
# Installs them by name beside the temporary folder; what can't be installed is said loudly and fails nothing here.
set -eu
cargo=${CARGO:-cargo}
if ! command -v python3 >/dev/null 2>&1; then
  echo "renderings SKIPPED: python3 is not installed" >&2
  exit 0
fi
tools=${RELEDGER_RENDERINGS_TOOLS:-${TMPDIR:-/tmp}/reledger-renderings}
mkdir -p "$tools"
if [ ! -x "$tools/bin/python" ]; then
  python3 -m venv "$tools" >"$tools/venv.log" 2>&1 || { echo "no virtual environment:" && tail -n 2 "$tools/venv.log"; } >&2
fi
# One by one: what is missing keeps no other from being heard.
for package in jsonschema==4.26.0 rfc3339-validator==0.1.4 prometheus_client==0.26.0 markdown-it-py==4.3.0 linkify-it-py==2.2.0 \
  lxml==6.1.3; do
  "$tools/bin/python" -m pip -q install "$package" >"$tools/pip.log" 2>&1 ||
    { echo "$package can't be installed:" && tail -n 2 "$tools/pip.log"; } >&2
done
# The schema of JUnit's XML that Jenkins publishes (MIT) is in pytest's sources; it is read there and is no part of this project.
if [ ! -f "$tools/junit-10.xsd" ]; then
  { "$tools/bin/python" -m pip -q install setuptools setuptools_scm wheel &&
    "$tools/bin/python" -m pip -q download --no-deps --no-binary :all: --no-build-isolation -d "$tools" pytest==8.4.2 &&
    tar -xzf "$tools/pytest-8.4.2.tar.gz" -C "$tools" --strip-components=3 pytest-8.4.2/testing/example_scripts/junit-10.xsd; } \
    >"$tools/xsd.log" 2>&1 || { echo "the schema of JUnit can't be fetched:" && tail -n 2 "$tools/xsd.log"; } >&2
fi
$cargo build --quiet --locked --bin reledger --example renderings
python=$tools/bin/python
[ -x "$python" ] || python=python3
target=${CARGO_TARGET_DIR:-target}/debug
RELEDGER="$target/reledger" RENDERINGS="$target/examples/renderings" JUNIT_XSD="$tools/junit-10.xsd" "$python" tests/renderings/check.py
