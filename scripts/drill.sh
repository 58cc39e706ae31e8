#!/bin/sh
# The main job, twice: on the real inputs, which must end red and say why; on an honest world, which must end clean.
set -u
bin=${RELEDGER_BIN:-${CARGO_TARGET_DIR:-target}/debug/reledger}
out=${OUT:-out}
rm -rf "$out/real" "$out/honest" "$out/world"
mkdir -p "$out"

echo "== 1. the real inputs: fixtures/real"
"$bin" drill -c fixtures/real/reledger.toml --run "$out/real" --offline --progress plain
real=$?

echo
echo "== 2. a seeded honest world, over loopback"
"$bin" sim serve --seed 7 --events 300 --dir "$out/world" >"$out/world.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null' EXIT INT TERM
tries=0
until [ -s "$out/world/reledger-loopback.toml" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 600 ] || ! kill -0 "$server" 2>/dev/null; then
    echo "the world did not come up:" >&2
    cat "$out/world.log" >&2
    exit 1
  fi
  sleep 0.1
done
"$bin" drill -c "$out/world/reledger-loopback.toml" --run "$out/honest" --progress plain
honest=$?

echo
echo "real inputs: exit $real, report $out/real/report.json"
echo "honest world: exit $honest, report $out/honest/report.json"
case $real in
  1 | 3) ;;
  *) echo "error: the real inputs must end divergent (1) or incomplete (3)" >&2; exit 1 ;;
esac
[ "$honest" -eq 0 ] || { echo "error: the honest world must end clean" >&2; exit 1; }
