#!/usr/bin/env bash
# How long does `make book` take from nothing, and again? Works on a fresh clone in a new folder,
# with a cache of its own; what pip has downloaded before is used again.
set -euo pipefail
root=$(git rev-parse --show-toplevel)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone --quiet "$root" "$work/book"
cd "$work/book"
export DIGITLAB_CACHE=$work/cache
for round in "from nothing" "again"; do
  start=$(date +%s)
  make book >"$work/log" 2>&1 || { tail -n 40 "$work/log"; exit 1; }
  echo "$round: $(($(date +%s) - start)) s"
done
tail -n 1 "$work/log"
