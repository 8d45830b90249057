#!/usr/bin/env bash
# Tries on a machine without Docker what crates/emulator/Dockerfile makes: the static binary alone in an empty
# root, as nobody and as process 1, with a network of its own. `scripts/image.sh BINARY`; needs root.
set -euo pipefail

binary=$1
most=15000000
root=$(mktemp -d)
# Process 1 of the namespace ends all in it, and unshare with it.
trap 'kill "${outside:-}" 2>/dev/null || true; rm -rf "$root"' EXIT

# The folder is its maker's alone at first.
chmod 755 "$root"
cp "$binary" "$root/hyco-relay"
mkdir "$root/data"
chown 65532:65532 "$root/data"
size=$(stat --format %s "$root/hyco-relay")
echo "image: $size bytes"
[ "$size" -lt "$most" ]

in_image=(env --ignore-environment HYCO_RELAY_HOST=0.0.0.0 HYCO_RELAY_CERT_DIR=/data
  /usr/sbin/chroot --userspec=65532:65532 "$root")
unshare --pid --net --fork --kill-child -- sh -c 'ip link set lo up; exec "$@"' sh \
  "${in_image[@]}" /hyco-relay >"$root/out" 2>"$root/log" &
outside=$!
healthy=
for _ in $(seq 100); do
  inside=$(pgrep --parent "$outside" || true)
  if [ -n "$inside" ] &&
    nsenter --target "$inside" --net -- "${in_image[@]}" /hyco-relay health >/dev/null 2>&1; then
    healthy=yes
    break
  fi
  sleep 0.1
done
if [ -z "$healthy" ]; then
  cat "$root/out" "$root/log"
  echo 'image: FAILED, it does not become healthy'
  exit 1
fi
echo 'image: healthy, as nobody and process 1 of an empty root'

begun=$(date +%s%N)
kill -TERM "$inside"
code=0
wait "$outside" || code=$?
echo "image: ended with $code, $((($(date +%s%N) - begun) / 1000000)) ms after SIGTERM"
[ "$code" = 0 ]
