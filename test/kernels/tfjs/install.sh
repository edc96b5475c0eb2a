#!/usr/bin/env bash
# Installs TensorFlow.js for the tests of the tfjs kernel, in .twhin/tfjs (about 900 MB), unless it is installed already.
# The install script of the package downloads a library. Instead, its addon is built here, in about ten seconds, with the
# library of TensorFlow's Python package. Needs Linux on x64, g++, unzip and pip.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
folder="$here/../../../.twhin/tfjs"
inputs=(package.json requirements.txt install.sh)
# The registry as of this day gives every package its version; the two that are named are exact.
day=2026-11-20

installed() {
  for input in "${inputs[@]}"; do cmp -s "$here/$input" "$folder/built-from/$input" || return 1; done
}
installed && exit 0

if [[ "$(uname -sm)" != 'Linux x86_64' ]]; then
  echo "test/kernels/tfjs/install.sh builds for Linux on x64; this is $(uname -sm)" >&2
  exit 1
fi
for tool in npm g++ unzip python3; do
  command -v "$tool" >/dev/null || { echo "test/kernels/tfjs/install.sh needs $tool" >&2; exit 1; }
done

rm -rf "$folder"
mkdir -p "$folder/wheel"
cp "$here/package.json" "$folder"
(cd "$folder" && npm install --before="$day" --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error) &
packages=$!
python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes \
  --only-binary=:all: --python-version 3.11 --platform manylinux2014_x86_64 \
  --dest "$folder/wheel" --requirement "$here/requirements.txt"
wait "$packages"

package="$folder/node_modules/@tensorflow/tfjs-node"
unzip -q "$folder"/wheel/*.whl 'tensorflow/libtensorflow_*.so.2' 'tensorflow/include/tensorflow/c/*' \
  'tensorflow/include/tensorflow/core/platform/*' 'tensorflow/include/tensorflow/tsl/*' \
  'tensorflow/include/tsl/*' -d "$folder/wheel"
mkdir -p "$package/deps/lib" "$package/lib/napi-v8"
mv "$folder"/wheel/tensorflow/libtensorflow_* "$package/deps/lib"
g++ -shared -fPIC -O2 -std=c++17 -DNAPI_VERSION=8 \
  -I "$package" -I "$folder/wheel/tensorflow/include" -I "$folder/node_modules/node-api-headers/include" \
  "$package"/binding/*.cc -L "$package/deps/lib" -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 \
  -Wl,-rpath,'$ORIGIN/../../deps/lib' -o "$package/lib/napi-v8/tfjs_binding.node"
rm -r "$folder/wheel"

# Written last, so that an interrupted installation is done again.
mkdir "$folder/built-from"
for input in "${inputs[@]}"; do cp "$here/$input" "$folder/built-from"; done
