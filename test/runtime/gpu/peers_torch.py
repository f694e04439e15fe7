"""peers_torch.py FOLDER DATA: torch beside optc, on the CPU: a model that it agrees on, one that it has no operator for, and one whose outputs are others."""
import argparse
import os
import shutil
import sys

import numpy
import onnx
import onnx.parser
from onnx import numpy_helper

from peers import Peers, add_options

folder, data = sys.argv[1:]
shutil.rmtree(folder, ignore_errors=True)
parser = argparse.ArgumentParser()
add_options(parser)
options = parser.parse_args([f"--peer-python={sys.executable}", "--peer-seconds=0.05", "--peer-device=cpu"])
peers = Peers(options)
peers.kinds = [kind for kind in peers.kinds if kind != "TensorRT"]


def save(name, model, outputs):
    """A case with one input of ones."""
    os.makedirs(f"{folder}/{name}")
    onnx.save(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 18]> g {model}'), f"{folder}/{name}/model.onnx")
    for kind, value in (("input", numpy.ones((2, 3), numpy.float32)), ("output", outputs)):
        with open(f"{folder}/{name}/{kind}_0.pb", "wb") as file:
            file.write(numpy_helper.from_array(value).SerializeToString())


def times(precision, model, case):
    print(f"{precision} {os.path.basename(model)} {case and os.path.basename(case)}:", flush=True)
    return peers.models(precision, model, case, lambda seconds: {"p50_ms": 2.0, "p99_ms": 2.5})


for precision in ("f32", "bf16"):
    results = times(precision, f"{data}/model.onnx", f"{data}/test_data_set_0")
    assert all(0 < results[kind]["p50_ms"] <= results[kind]["p99_ms"] and results[kind]["ratio"] == results[kind]["p50_ms"] / 2 for kind in ("torch eager", "torch compile")), results
save("unknown", "(float[2,3] x) => (float[2,3] y) { y = Hardmax(x) }", numpy.ones((2, 3), numpy.float32))
save("other", "(float[2,3] x) => (float[2,3] y) { y = Add(x, x) }", numpy.full((2, 3), 1.9, numpy.float32))
peers.kinds = ["torch eager"]
for name in ("unknown", "other"):
    assert set(times("f32", f"{folder}/{name}/model.onnx", f"{folder}/{name}")["torch eager"]) == {"left_out"}
assert times("f32", f"{data}/model.onnx", None) == {}

# Of what gpu-run says: products of two matrices, for this chip.
what = ("contract,add: f32 64x32, f32 32x48, f32 48 -> f32 64x48", "cast,cast,contract,cast: bf16 64x32, bf16 32x64 -> bf16 64x64", "contract: u8 64x32, i8 32x64 -> i32 64x64",
        "attention: bf16 1x2x64x32, bf16 1x2x64x32, bf16 1x2x64x32 -> bf16 1x2x64x32", "cast,cast,contract,cast: bf16 64x32, bf16 32x64 -> bf16 64x64, as for sm_80")
lines = "".join(f"     {us:4.1f} us (p99      12.1)     0.1 TFLOP/s, 168 registers, 0 bytes local: {name}\n" for us, name in enumerate(what, 1))
results = peers.products(lines + "12 launches, 0 of them wrong\n", lambda: lines)
assert [line["what"] for line in results] == list(what[:3]) and all(line["ratio"] == line["cublas_us"] / line["us"] for line in results), results
