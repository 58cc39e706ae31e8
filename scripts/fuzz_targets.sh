#!/bin/sh
# Runs every fuzz target, FUZZ_JOBS at a time, FUZZ_SECONDS each, from the committed corpora. What is found beyond them
# goes to fuzz/work/, which is not kept; a crash goes to fuzz/artifacts/ and fails the run.
set -u
seconds=${FUZZ_SECONDS:-600}
jobs=${FUZZ_JOBS:-2}
cargo=${CARGO:-cargo}
cd "$(dirname "$0")/.." || exit 1
# No sanitizer: the code forbids `unsafe`. Overflow checks and assertions are on (fuzz/Cargo.toml).
"$cargo" +nightly fuzz build --sanitizer none || exit 1
"$cargo" +nightly fuzz list | xargs -P "$jobs" -I TARGET sh -c '
  names=names; [ TARGET = config_toml ] && names=config
  mkdir -p fuzz/work/TARGET
  "$0" +nightly fuzz run --sanitizer none TARGET fuzz/work/TARGET fuzz/corpus/TARGET -- \
    -max_total_time="$1" -timeout=20 -rss_limit_mb=2048 -dict="fuzz/$names.dict" -print_final_stats=1 \
    >fuzz/work/TARGET.log 2>&1
  code=$?
  echo "TARGET: exit $code, $(grep -c . fuzz/work/TARGET.log) lines in fuzz/work/TARGET.log"
  exit $code' "$cargo" "$seconds"
