#!/usr/bin/env bash
# From nothing to an answer: installs what is needed, builds optc, compiles the bundled Magika model and
# says what type of file it sees in FILE... (this script, when none is given).
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
files=("$@"); [ ${#files[@]} -gt 0 ] || files=("$source_dir/tools/quickstart.sh")
"$source_dir/third_party/setup.sh"
deps=${OPTC_DEPS:-$HOME/.cache/optc-deps}
(cd "$source_dir" && cmake --preset release > /dev/null && cmake --build build/release --target optc-bin optc-run)
build=$source_dir/build/release
"$build/bin/optc" "$source_dir/test/data/magika/model.onnx" -o "$build/magika.so"
"$deps/venv/bin/python" "$source_dir/tools/classify.py" "$build/bin/optc-run" "$build/magika.so" \
  "$source_dir/test/data/magika/labels.json" "${files[@]}"
