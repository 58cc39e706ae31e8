#!/bin/sh
# Turns off one check after the other (tests/mutants/*.patch) and asks `sim run` whether it notices. Needs an unchanged
# work tree of src/; builds in a folder of its own. WORLDS sets how many worlds each mutant faces.
set -eu
cd "$(dirname "$0")/.."
worlds=${WORLDS:-50}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export CARGO_TARGET_DIR="${MUTANTS_TARGET:-$PWD/target/mutants}"
mkdir -p "$copy/tests"
cp -R Cargo.toml Cargo.lock src benches rustfmt.toml clippy.toml README.md "$copy/"
cp -R tests/it tests/mutants "$copy/tests/"
mkdir -p "$copy/docs" && cp -R docs/schema "$copy/docs/"
[ -d fixtures ] && ln -s "$PWD/fixtures" "$copy/fixtures"

judge() {
    (cd "$copy" && cargo build --locked --quiet --bin reledger) || return 99
    "$CARGO_TARGET_DIR/debug/reledger" sim run --worlds "$worlds" --faults all --quiet --progress none >"$copy/out" 2>&1
}

if ! judge; then
    echo "the unchanged program differs from its oracle:"
    tail -n 12 "$copy/out"
    exit 1
fi
echo "unchanged: agrees over $worlds worlds"
survivors=0
for patch in "$copy"/tests/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    (cd "$copy" && patch --quiet --strip=1 --input="$patch")
    status=0
    judge || status=$?
    case $status in
    1) echo "caught    $name" ;;
    0) echo "SURVIVED  $name" && survivors=$((survivors + 1)) ;;
    *) echo "BROKEN    $name (exit $status)" && survivors=$((survivors + 1)) ;;
    esac
    (cd "$copy" && patch --quiet --strip=1 --reverse --input="$patch")
done
[ "$survivors" -eq 0 ]
