#!/usr/bin/env bash
# Installs what optc needs to build and to be tested, on Debian 12/13 and Ubuntu 24.04:
#   1. Debian packages (LLVM/MLIR/LLD 19, Protobuf, libjpeg, libpng, FlatBuffers, cxxopts, nlohmann-json, GoogleTest, Google Benchmark);
#   2. a Python environment with CMake, lit and the onnx package (used by tests only, besides CMake);
#   3. ONNX's C++ library, built from the onnx source distribution.
# 2 and 3 go to $OPTC_DEPS (default ~/.cache/optc-deps), shared by every checkout. Running it again is quick.
set -euo pipefail
ONNX_VERSION=1.23.2
deps=${OPTC_DEPS:-$HOME/.cache/optc-deps}
here=$(cd "$(dirname "$0")" && pwd)
sudo=; [ "$(id -u)" = 0 ] || sudo=sudo

packages=(llvm-19-dev libmlir-19-dev mlir-19-tools llvm-19-tools liblld-19-dev clang-19 libclang-rt-19-dev lld-19
          libprotobuf-dev protobuf-compiler libcxxopts-dev nlohmann-json3-dev libgtest-dev libgmock-dev
          libbenchmark-dev libxxhash-dev ninja-build cmake ccache python3-venv zlib1g-dev libzstd-dev libjpeg-dev libpng-dev
          libflatbuffers-dev flatbuffers-compiler)
missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
  $sudo apt-get update
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
fi

mkdir -p "$deps"
exec 9>"$deps/.lock"; flock 9
if [ ! -e "$deps/venv/.done-2-$ONNX_VERSION" ]; then
  python3 -m venv "$deps/venv"
  "$deps/venv/bin/pip" install -q "cmake>=3.26,<4" "lit>=18" psutil numpy "onnx==$ONNX_VERSION"
  touch "$deps/venv/.done-2-$ONNX_VERSION"
fi

prefix=$deps/onnx-$ONNX_VERSION
if [ ! -e "$prefix/.done" ]; then
  work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
  "$deps/venv/bin/pip" download -q --no-deps --no-binary onnx "onnx==$ONNX_VERSION" -d "$work"
  tar -C "$work" -xf "$work/onnx-$ONNX_VERSION.tar.gz"
  "$deps/venv/bin/cmake" -G Ninja -S "$work/onnx-$ONNX_VERSION" -B "$work/build" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
    -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DONNX_ML=ON -DONNX_USE_PROTOBUF_SHARED_LIBS=ON \
    -DONNX_BUILD_PYTHON=OFF -DONNX_GEN_PB_TYPE_STUBS=OFF -DBUILD_SHARED_LIBS=OFF
  "$deps/venv/bin/cmake" --build "$work/build"
  "$deps/venv/bin/cmake" --install "$work/build" >/dev/null
  touch "$prefix/.done"
fi
echo "optc: dependencies are in $deps"
