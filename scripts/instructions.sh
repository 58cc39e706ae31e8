#!/bin/sh
# Counts the instructions of verification and projection under callgrind and holds them against benches/instructions.json, within 3 %.
# `--write` makes these the known counts. They are those of one compiler, one valgrind and one maker of processors, which the file names:
# C libraries copy memory in other ways on other processors.
set -eu
cargo=${CARGO:-cargo}
if ! command -v valgrind >/dev/null 2>&1; then
  echo "instructions SKIPPED: valgrind is not installed" >&2
  exit 0
fi
if [ "$(uname -m)" != x86_64 ] || ! grep -qw avx2 /proc/cpuinfo; then
  echo "instructions SKIPPED: counts are known for x86-64 with AVX2 only" >&2
  exit 0
fi
known=benches/instructions.json
facts="$(rustc --version), $(valgrind --version), $(sed -n 's/^vendor_id[^:]*: //p;T;q' /proc/cpuinfo)"
if [ "${1:-}" != --write ] && ! grep -qF "\"$facts\"" "$known"; then
  echo "instructions SKIPPED: $known was counted elsewhere than on $facts" >&2
  exit 0
fi
bench=$($cargo bench --locked --quiet --profile guard --bench instructions --no-run --message-format=json |
  sed -n 's/.*"executable":"\([^"]*instructions-[^"]*\)".*/\1/p')
"$bench" prepare
count() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no --toggle-collect="*$1_counted*" "$bench" "$1" 2>&1 |
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
verify=$(count verify)
project=$(count project)
if [ "${1:-}" = --write ]; then
  printf '{\n  "counted_on": "%s",\n  "verify": %s,\n  "project": %s\n}\n' "$facts" "$verify" "$project" >"$known"
fi
"$bench" compare "$known" "verify=$verify" "project=$project"
