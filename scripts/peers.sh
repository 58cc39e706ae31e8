#!/bin/sh
# Compares fees with JavaScript's, gives rendered journals to hledger and beancount, then captures relays that this project did
# not write. Installs beancount beside itself and unpacks hledger where it can, builds nostr-rs-relay when it can; says loudly
# what is not here. `scripts/peers.sh fees` and `scripts/peers.sh journals` do only that.
set -eu
cargo=${CARGO:-cargo}

# hledger (Debian) and beancount (PyPI) judge journals: peers/journals.py. What is missing goes below the temporary folder.
journals() {
  if ! command -v python3 >/dev/null 2>&1; then
    echo "journals SKIPPED: python3 is not installed" >&2
    return 0
  fi
  tools=${RELEDGER_PEERS_TOOLS:-${TMPDIR:-/tmp}/reledger-peers}
  mkdir -p "$tools"
  if ! command -v hledger >/dev/null 2>&1 && [ ! -x "$tools/usr/bin/hledger" ]; then
    (cd "$tools" && apt-get -qq download hledger && dpkg -x hledger_*.deb .) >"$tools/hledger.log" 2>&1 ||
      { echo "hledger can't be fetched:" && tail -n 2 "$tools/hledger.log"; } >&2
  fi
  if ! command -v bean-check >/dev/null 2>&1 && [ ! -x "$tools/bin/bean-query" ]; then
    { python3 -m venv "$tools" && "$tools/bin/pip" -q install beancount==3.2.3 beanquery==0.2.0; } >"$tools/beancount.log" 2>&1 ||
      { echo "beancount can't be installed:" && tail -n 2 "$tools/beancount.log"; } >&2
  fi
  $cargo build --quiet --locked --bin reledger --example journals
  examples=$(mktemp -d)
  "${CARGO_TARGET_DIR:-target}/debug/examples/journals" "$examples" >/dev/null
  failed=0
  PATH=$PATH:$tools/usr/bin RELEDGER="${CARGO_TARGET_DIR:-target}/debug/reledger" JOURNALS=$examples \
    RELEDGER_PEERS_VENV=$tools python3 peers/journals.py || failed=1
  rm -rf "$examples"
  return $failed
}

relays_and_fees() {
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
  RELEDGER_PEERS_BIN=$bin $cargo run --quiet --locked --manifest-path peers/Cargo.toml --target-dir target/peers -- "$@"
}

case ${1:-} in
  journals) journals ;;
  fees) relays_and_fees fees ;;
  *)
    # One that fails keeps no other from being heard.
    ended=0
    journals || ended=1
    relays_and_fees "$@" || ended=1
    exit $ended
    ;;
esac
