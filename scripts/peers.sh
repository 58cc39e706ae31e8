#!/bin/sh
# Compares fees with JavaScript's, then captures relays that this project did not write. Builds nostr-rs-relay when it can;
# says loudly what is not here. `scripts/peers.sh fees` compares fees only.
set -eu
cargo=${CARGO:-cargo}
bin=${RELEDGER_PEERS_BIN:-$PWD/target/peers-bin/bin}
log=$bin/../nostr-rs-relay.log
if [ "${1:-}" != fees ] && ! command -v nostr-rs-relay >/dev/null 2>&1 && [ ! -x "$bin/nostr-rs-relay" ]; then
  mkdir -p "$bin"
  # Not --locked: its own lock file names a crate that compilers since 1.80 refuse.
  if ! $cargo install --quiet --debug --root "$bin/.." nostr-rs-relay@0.8.12 >"$log" 2>&1; then
    echo "SKIPPED: nostr-rs-relay does not build here (it wants protoc; PROTOC=path names one):" >&2
    tail -n 5 "$log" >&2
  fi
fi
RELEDGER_PEERS_BIN=$bin exec $cargo run --quiet --locked --manifest-path peers/Cargo.toml --target-dir target/peers -- "$@"
