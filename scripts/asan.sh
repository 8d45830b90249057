#!/usr/bin/env bash
# Runs the tests of shared memory with AddressSanitizer: what is lent to JavaScript, moved to other
# threads, and what the end of a worker or of a hub frees, in both homes of a socket. Needs gcc's or
# clang's runtime (libasan), Linux and x86-64. Takes some minutes; build results stay apart, in
# target/asan.
set -euo pipefail
cd "$(dirname "$0")/.."

runtime=$(${CC:-cc} -print-file-name=libasan.so)
if [ ! -e "$runtime" ]; then
  echo "asan: no libasan.so; install gcc or clang with its sanitizer runtimes" >&2
  exit 1
fi

# The option is one of nightly compilers; this makes the stable one take it.
RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address -Copt-level=1" CARGO_TARGET_DIR=target/asan \
  cargo build --lib --target x86_64-unknown-linux-gnu

# A copy of the package beside the instrumented addon.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r index.js lib native package.json __test__ "$copy"
ln -s "$PWD/node_modules" "$copy/node_modules"
rm -f "$copy"/native/*.node
cp target/asan/x86_64-unknown-linux-gnu/debug/libhyco_rs.so \
  "$copy/native/hyco-rs.linux-x64-gnu.node"

# Node itself leaks at its end, and its signal handlers are its own.
export ASAN_OPTIONS=detect_leaks=0:handle_segv=1:abort_on_error=1:detect_odr_violation=0
tests=(__test__/{memory,hub,identity,reload,homes,homes-moving,homes-lifecycle}.test.js)
if [ $# -gt 0 ]; then tests=("$@"); fi
for test in "${tests[@]}"; do
  echo "asan: $test"
  (cd "$copy" && LD_PRELOAD="$runtime" node --test "$test")
done
echo "asan: nothing found"
