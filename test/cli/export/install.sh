#!/usr/bin/env bash
# Installs what tests read exported files and topics with in Python, under .twhin/readers; does nothing where it is
# there already.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="$here/../../../.twhin/readers"
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$here/requirements.txt"
  # Last: an installation that was cut off is made again.
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi
