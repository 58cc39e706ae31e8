#!/bin/sh
# Runs a command when its tool is installed; says loudly that it was skipped when not. In CI a missing tool is an error.
tool=$1
shift
if command -v "$tool" >/dev/null 2>&1; then
  exec "$@"
fi
if [ -n "${CI:-}" ]; then
  echo "error: $tool is not installed; .ci/run must install it" >&2
  exit 1
fi
echo "SKIPPED: $tool is not installed" >&2
