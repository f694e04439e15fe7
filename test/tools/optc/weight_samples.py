"""weight_samples.py OPTC OPTC-RUN PATH: weights that are rounded, and put back, by what samples say."""
import json
import os
import subprocess
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from weight_runs import optc, path, random, results, run, signal_to_noise, write_set

# Inputs of a few directions: rounding by samples does better than to the nearest, on inputs that it has not seen. The middle layer's
# weights are of the kind that 4 bits hold badly.
directions = random.normal(size=(12, 256)).astype(numpy.float32)
w1 = random.normal(size=(256, 200)).astype(numpy.float32)
w2 = (random.normal(size=(200, 96)) ** 3).astype(numpy.float32)
w3 = random.normal(size=(96, 64)).astype(numpy.float32)
graph = helper.make_graph(
    [
        helper.make_node("MatMul", ["x", "w1"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("MatMul", ["b", "w2"], ["c"], name="second"),
        helper.make_node("MatMul", ["c", "w3"], ["y"], name="third"),
    ],
    "layers",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 256])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 64])],
    [numpy_helper.from_array(w, name) for w, name in ((w1, "w1"), (w2, "w2"), (w3, "w3"))],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{path}/layers.onnx")


def inputs():
    return (random.normal(size=(64, 12)) @ directions + 0.1 * random.normal(size=(64, 256))).astype(numpy.float32)


def reference(x):
    return numpy.maximum(x @ w1, 0) @ w2 @ w3


def compile_layers(name, *flags):
    return subprocess.run([optc, f"{path}/layers.onnx", "-o", f"{path}/{name}", "-q", *flags], capture_output=True, text=True)


for i in range(8):
    write_set(f"{path}/calibration/set_{i}", inputs())
    write_set(f"{path}/golden/set_{i}", inputs())
held = inputs()
ratios = {}
for bits, flags in (("int4", ["--int4"]), ("int8", ["--weights-int8"])):
    for name, more in (("nearest", []), ("samples", [f"--calib={path}/calibration"])):
        done = compile_layers(f"{bits}_{name}.so", *flags, *more)
        assert done.returncode == 0, done.stderr
        ratios[bits, name] = signal_to_noise(reference(held), results(f"{bits}_{name}.so", held))
        print(f"{bits}, {name}: {ratios[bits, name]:.1f} dB")
    assert ratios[bits, "samples"] > ratios[bits, "nearest"] + 5
again = compile_layers("again.so", "--int4", f"--calib={path}/calibration", "--jobs=1")
assert again.returncode == 0
assert open(f"{path}/again.so", "rb").read() == open(f"{path}/int4_samples.so", "rb").read(), "same data, other bytes"
report = json.loads(subprocess.run([run, f"{path}/again.so", "--report"], check=True, capture_output=True, text=True).stdout)
assert all("rounded with samples" in entry["precision"] for entry in report["precision"]["lowered"]), report["precision"]

# The guard puts back what hurts, and no more than it has to.
done = compile_layers("guarded.so", "--int4", f"--golden={path}/golden", "--max-error=9%")
assert done.returncode == 0, done.stderr
report = json.loads(subprocess.run([run, f"{path}/guarded.so", "--report"], check=True, capture_output=True, text=True).stdout)
kept = [entry["node"] for entry in report["precision"]["kept"]]
assert 0 < len(kept) < 3 and report["precision"]["accuracy"]["error"] <= 0.09, report["precision"]
difference = results("guarded.so", held) - reference(held)
assert numpy.linalg.norm(difference) < 0.12 * numpy.linalg.norm(reference(held))
print("put back:", kept, done.stderr)
done = compile_layers("kept.so", "--int4", "--keep-float=first,second,third")
assert done.returncode == 0 and signal_to_noise(reference(held), results("kept.so", held)) > 100
write_set(f"{path}/others/set_0", held)
numpy.save(f"{path}/others/set_0/output_0.npy", 1.5 * reference(held))
done = compile_layers("never.so", "--int4", f"--golden={path}/others", "--max-error=1%")
assert done.returncode == 3 and not os.path.exists(f"{path}/never.so"), done.stderr
assert "the outputs differ from the golden ones by" in done.stderr
# Samples that are no numbers.
bad = inputs()
bad[0, 0] = numpy.inf
write_set(f"{path}/bad/set_0", bad)
done = compile_layers("never.so", "--int4", f"--calib={path}/bad")
assert done.returncode == 1 and "infinite or not a number" in done.stderr and not os.path.exists(f"{path}/never.so"), done.stderr

# A command may decide.
metric = f"{sys.executable} {os.path.dirname(os.path.abspath(__file__))}/score.py share {path}/exact {{outputs}}"
for i in range(8):
    y = reference(numpy.load(f"{path}/golden/set_{i}/input_0.npy"))
    os.makedirs(f"{path}/exact/set_{i}")
    numpy.save(f"{path}/exact/set_{i}/output_0.npy", y)
done = compile_layers("metric.so", "--int4", f"--golden={path}/golden", f"--metric={metric}", "--max-drop=0.5")
assert done.returncode == 0 and "--max-drop allows 0.5 less" in done.stderr, done.stderr
report = json.loads(subprocess.run([run, f"{path}/metric.so", "--report"], check=True, capture_output=True, text=True).stdout)
assert len(report["precision"]["kept"]) == 3 and report["precision"]["accuracy"]["measure"] == "metric_drop", report["precision"]

# Layers of --int8 and of a format are in one order; tables and pointwise convolutions have places in it.
filters = random.normal(size=(96, 128, 1, 1)).astype(numpy.float32)
table = (random.normal(size=(300, 128)) ** 3).astype(numpy.float32)
words = helper.make_graph(
    [
        helper.make_node("Gather", ["table", "i"], ["a"], name="embedding"),
        helper.make_node("MatMul", ["a", "w"], ["b"], name="product"),
        helper.make_node("Unsqueeze", ["b", "axes"], ["c"], name="unsqueeze"),
        helper.make_node("Transpose", ["c"], ["d"], name="transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["d", "f"], ["y"], name="pointwise"),
    ],
    "words",
    [helper.make_tensor_value_info("i", TensorProto.INT64, [4, 64])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 96, 1, 64])],
    [numpy_helper.from_array(v, n) for v, n in
     ((table, "table"), (random.normal(size=(128, 128)).astype(numpy.float32), "w"), (filters, "f"), (numpy.array([1]), "axes"))],
)
onnx.save(helper.make_model(words, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{path}/words.onnx")
os.makedirs(f"{path}/texts/0")
numpy.save(f"{path}/texts/0/i.npy", random.integers(0, 300, (4, 64)))


def precision_of(*flags):
    done = subprocess.run([optc, f"{path}/words.onnx", "--emit=report", "--target=x86-64-v4+avx512vnni", *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["precision"]
    return {e["node"]: e["precision"] for e in found["lowered"]}, {e["node"]: e["reason"] for e in found["kept"]}, found.get("accuracy")


lowered, kept, _ = precision_of("--int4")
assert set(lowered) == {"embedding", "product", "pointwise"} and not kept, (lowered, kept)
for flags, most in ((["--int4"], 0.13), (["--int8", "--int4"], 0.1)):
    lowered, kept, accuracy = precision_of(*flags, f"--golden={path}/texts", f"--max-error={most}")
    assert accuracy["error"] <= most, accuracy
    assert set(kept) == {"embedding"} | ({"pointwise"} if "--int8" in flags else set()), kept
    assert kept["embedding"].startswith("in int4 it alone puts the outputs' error at "), kept
    assert set(lowered) == {"product", "pointwise"} and lowered["product"].startswith("weights in int4" if flags == ["--int4"] else "int8"), lowered
    lowered, kept, accuracy = precision_of(*flags, f"--golden={path}/texts", "--max-error=0.00001%")
    assert accuracy["error"] <= 1e-7 and not lowered and set(kept) >= {"embedding", "product", "pointwise"}, (lowered, kept, accuracy)
    lowered, kept, _ = precision_of(*flags, "--keep-float=embedding,product")
    assert set(lowered) == {"pointwise"} and {kept["embedding"], kept["product"]} == {"--keep-float names it"}, (lowered, kept)

# Products inside of branches go back, too.
def branch(name):
    w = numpy_helper.from_array(random.normal(size=(256, 96)).astype(numpy.float32), "w" + name)
    return helper.make_graph([helper.make_node("MatMul", ["x", "w" + name], ["y" + name], name=name)], name, [],
                             [helper.make_tensor_value_info("y" + name, TensorProto.FLOAT, [16, 96])], [w])


choice = helper.make_graph(
    [helper.make_node("If", ["c"], ["y"], name="if", then_branch=branch("taken"), else_branch=branch("other"))],
    "choice",
    [helper.make_tensor_value_info("c", TensorProto.BOOL, []), helper.make_tensor_value_info("x", TensorProto.FLOAT, [16, 256])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [16, 96])],
)
onnx.save(helper.make_model(choice, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{path}/choice.onnx")
os.makedirs(f"{path}/taken/0", exist_ok=True)
numpy.save(f"{path}/taken/0/c.npy", numpy.array(True))
numpy.save(f"{path}/taken/0/x.npy", inputs()[:16])
for format in ("--bf16", "--int4"):
    done = subprocess.run([optc, f"{path}/choice.onnx", "--emit=report", format, f"--golden={path}/taken", "--max-error=0.0001%"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    precision = json.loads(done.stdout)["precision"]
    assert "taken" in [e["node"] for e in precision["kept"]] and precision["accuracy"]["error"] == 0, precision
    assert precision["accuracy"]["outputs"][0]["top1_agreement"] == 1, precision

# Weights that have no codes stay in f32.
for value in (numpy.inf, numpy.nan):
    holes = w1.copy()
    holes[3, 5] = value
    model = onnx.load(f"{path}/layers.onnx")
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(holes, "w1"))
    onnx.save(model, f"{path}/holes.onnx")
    for format in ("--int8", "--int4", "--weights-int8", "--fp8"):
        done = subprocess.run([optc, f"{path}/holes.onnx", "--emit=report", format], capture_output=True, text=True)
        kept = {e["node"]: e["reason"] for e in json.loads(done.stdout)["precision"]["kept"]}
        assert kept.get("first") == "a weight is not finite", (format, kept)
