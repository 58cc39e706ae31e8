#!/bin/sh
# Builds what a user would otherwise pick and measures it beside this project (peers/src/speed/). Packages of npm and PyPI go into a
# folder of their own, by name and version; what can't be installed or built is skipped, and the table says so.
set -eu
cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-$PWD/target}
folder=$target/bench
tools=${RELEDGER_PEERS_TOOLS:-${TMPDIR:-/tmp}/reledger-peers}
mkdir -p "$folder/proofs" "$tools"

if command -v npm >/dev/null 2>&1; then
  # One dependency names a package by a version that the registry has withdrawn; Node has that module itself.
  mkdir -p "$tools/fs"
  echo '{ "name": "fs", "version": "0.0.1" }' >"$tools/fs/package.json"
  cat >"$tools/package.json" <<'JSON'
{
  "private": true,
  "dependencies": { "nostr-tools": "2.25.2", "nostr-wasm": "0.1.0", "opentimestamps": "0.4.9" },
  "overrides": { "fs": "file:fs" }
}
JSON
  (cd "$tools" && npm install --no-audit --no-fund --ignore-scripts) >"$tools/npm.log" 2>&1 ||
    { echo "packages of npm can't be installed:" && tail -n 2 "$tools/npm.log"; } >&2
else
  echo "npm is not installed" >&2
fi
if [ ! -x "$tools/bin/pip" ] || ! "$tools/bin/pip" show -q opentimestamps 2>/dev/null; then
  { python3 -m venv "$tools" && "$tools/bin/pip" -q install opentimestamps==0.4.5 python-bitcoinlib==0.12.2; } >"$tools/pip.log" 2>&1 ||
    { echo "packages of PyPI can't be installed:" && tail -n 2 "$tools/pip.log"; } >&2
fi

$cargo build --quiet --locked --release --bin reledger
# nostrdb is C: where it does not build, the rest is measured.
for features in nostrdb speed; do
  if $cargo build --quiet --locked --release --manifest-path peers/Cargo.toml --target-dir "$target/peers" \
    --features "$features" --bin speed 2>"$folder/build.log"; then
    break
  fi
  { echo "peers with feature $features do not build:" && tail -n 5 "$folder/build.log"; } >&2
done

tar -xf fixtures/ots/block702861/proofs.tar -C "$folder/proofs"
cp fixtures/ots/block702861/702861.header "$folder/proofs/"
RELEDGER_BENCH_FOLDER=$folder RELEDGER_BENCH_BIN=$target/release/reledger RELEDGER_PEERS_TOOLS=$tools \
  "$target/peers/release/speed"
