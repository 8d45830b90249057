#!/bin/sh
# Runs the Autobahn test suite against the client and against a listener behind the local relay, and
# writes docs/autobahn.md. The suite needs Python 2.7; without it, or without its packages, nothing
# is tested and that is said.
#
# AUTOBAHN_SUBJECT=ws tests plain ws instead, to see whether the set-up is sound.
set -eu

cd "$(dirname "$0")/.."
home="$PWD/target/autobahn"

skip() {
  echo "autobahn: SKIPPED, $1" >&2
  exit 0
}

python=python2.7
if ! $python --version >/dev/null 2>&1 && command -v pyenv >/dev/null; then
  PYENV_VERSION=$(pyenv versions --bare | grep '^2\.7' | tail -n 1)
  export PYENV_VERSION
fi
$python --version >/dev/null 2>&1 || skip 'there is no Python 2.7'

mkdir -p "$home"
export PYTHONUSERBASE="$home/python" PYTHONWARNINGS=ignore
if [ ! -x "$PYTHONUSERBASE/bin/wstest" ]; then
  echo 'autobahn: installing the suite'
  $python -m pip install --quiet --user --ignore-installed --prefer-binary \
    --disable-pip-version-check --no-warn-script-location \
    --requirement __test__/autobahn/requirements.txt >"$home/install.log" 2>&1 ||
    skip "its packages cannot be installed, see $home/install.log"
fi

exec node __test__/autobahn/run.js "$PYTHONUSERBASE/bin/wstest" "$home"
