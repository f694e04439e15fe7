"""bfloat.py OPTC OPTC-RUN PATH: --bf16 where every CPU of the artefact multiplies bf16, and where one does not."""
import json
import os
import subprocess

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from weight_runs import optc, path, random, run

# conv -> relu -> conv -> mean over the plane -> product of 12 images.
weights = [random.normal(size=s).astype(numpy.float32) / n for s, n in (((32, 16, 3, 3), 12), ((128, 32, 1, 1), 6), ((128, 96), 11))]
graph = helper.make_graph(
    [
        helper.make_node("Conv", ["x", "w0"], ["a"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("Conv", ["b", "w1"], ["c"], name="second"),
        helper.make_node("GlobalAveragePool", ["c"], ["d"], name="mean"),
        helper.make_node("Flatten", ["d"], ["e"], name="flat"),
        helper.make_node("MatMul", ["e", "w2"], ["y"], name="last"),
    ],
    "net",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [12, 16, 9, 9])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [12, 96])],
    [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)],
)
model = f"{path}/net.onnx"
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)


def report(*flags):
    text = subprocess.run([optc, model, "--emit=report", "--bf16", *flags], check=True, capture_output=True, text=True).stdout
    return json.loads(text)["precision"]


bfloat = "--target=x86-64-v4+avx512bf16"
assert {e["node"]: e["precision"] for e in report(bfloat)["lowered"]} == {n: "bf16, sums in f32" for n in ("first", "second", "last")}
# One CPU of the artefact lacks it: weights alone, and the compile says so.
for targets in (["--target=x86-64-v3"], ["--target=x86-64-v3", bfloat]):
    other = report(*targets)
    assert all(e["precision"] == "weights in bf16" for e in other["lowered"]), other
    done = subprocess.run([optc, model, "--bf16", *targets, "-o", f"{path}/weights.so"], check=True, capture_output=True, text=True)
    assert "x86-64-v3 does not multiply bf16: --bf16 stores weights in it and computes in f32" in done.stderr + done.stdout, done.stderr
kept = report(bfloat, "--keep-float=first,last")
assert [e["node"] for e in kept["lowered"]] == ["second"] and {e["node"]: e["reason"] for e in kept["kept"]} == {n: "--keep-float names it" for n in ("first", "last")}, kept

# The results are those of the rounded model.
x = random.normal(size=(12, 16, 9, 9)).astype(numpy.float32)
os.makedirs(f"{path}/set/0", exist_ok=True)
numpy.save(f"{path}/set/0/x.npy", x)
subprocess.run([optc, model, "-o", f"{path}/f32.so", "-q"], check=True)
golden = subprocess.run([run, f"{path}/f32.so", "--inputs", f"{path}/set/0", "--outputs", f"{path}/out"], check=True)
exact = numpy.load(f"{path}/out/y.npy") if os.path.exists(f"{path}/out/y.npy") else numpy_helper.to_array(onnx.load_tensor(f"{path}/out/{os.listdir(path + '/out')[0]}"))
assert exact.shape == (12, 96)

# The guard puts layers back until it holds: all, some, none.
errors = {}
for limit, lowered in (("5%", 3), ("0.2%", None), ("0.0001%", 0)):
    precision = report(bfloat, f"--golden={path}/set", f"--max-error={limit}")
    count = len(precision["lowered"])
    errors[limit] = (count, precision["accuracy"]["error"])
    assert lowered is None or count == lowered, (limit, precision)
    assert precision["accuracy"]["error"] <= precision["accuracy"]["allowed"], precision
assert errors["5%"][1] > 0.001, errors
assert errors["5%"][1] > errors["0.2%"][1] > 0 and 0 < errors["0.2%"][0] < 3, errors

# Layers that put the outputs off most go back first: not the one whose results hardly count.
branches = helper.make_graph(
    [
        helper.make_node("MatMul", ["x", "w0"], ["a"], name="small"),
        helper.make_node("MatMul", ["z", "w1"], ["b"], name="large"),
        helper.make_node("Add", ["a", "b"], ["y"], name="sum"),
    ],
    "branches",
    [helper.make_tensor_value_info(name, TensorProto.FLOAT, [16, 64]) for name in "xz"],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [16, 96])],
    [numpy_helper.from_array(random.normal(size=(64, 96)).astype(numpy.float32) * size, f"w{i}") for i, size in enumerate((0.001, 1))],
)
model = f"{path}/branches.onnx"
onnx.save(helper.make_model(branches, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
os.makedirs(f"{path}/rows/0", exist_ok=True)
for name in "xz":
    numpy.save(f"{path}/rows/0/{name}.npy", random.normal(size=(16, 64)).astype(numpy.float32))
precision = report(bfloat, f"--golden={path}/rows", "--max-error=0.01%")
assert [e["node"] for e in precision["kept"]] == ["large"], precision
assert precision["kept"][0]["reason"].startswith("in bf16 it alone puts the outputs' error at 0."), precision
assert [e["node"] for e in precision["lowered"]] == ["small"] and precision["accuracy"]["error"] <= 1e-4, precision
