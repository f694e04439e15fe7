"""weight_zeros.py OPTC OPTC-RUN PATH: zeros of weights are found, not stored, and change no result."""
import json
import subprocess

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from weight_runs import optc, path, random, results, run, signal_to_noise

# Weights of which two of four are 0: half of the bytes, the same results; not where many rows or an embedding read them.
sparse = random.normal(size=(64, 4, 160)).astype(numpy.float32)
order = numpy.argsort(numpy.abs(sparse), axis=1)
numpy.put_along_axis(sparse, order[:, :2], 0, axis=1)
sparse = sparse.reshape(256, 160) * numpy.float32(1)


def compile_sparse(name, rows, *flags, gather=False):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="sparse")]
    ins, outs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 256])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, 160])]
    if gather:
        nodes.append(helper.make_node("Gather", ["w", "i"], ["g"], name="embed"))
        ins.append(helper.make_tensor_value_info("i", TensorProto.INT64, [3]))
        outs.append(helper.make_tensor_value_info("g", TensorProto.FLOAT, [3, 160]))
    graph = helper.make_graph(nodes, "sparse", ins, outs, [numpy_helper.from_array(sparse, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{path}/sparse.onnx")
    subprocess.run([optc, f"{path}/sparse.onnx", "-o", f"{path}/{name}", "-q", *flags], check=True)
    report = json.loads(subprocess.run([run, f"{path}/{name}", "--report"], check=True, capture_output=True, text=True).stdout)
    return report["sparsity"][0]["found"], report["memory"]["weight_bytes"]


full = 4 * sparse.size
found, size = compile_sparse("sparse.so", "n")
assert found.startswith("50.0 % zeros, 2 of 4 along the contracted dim: stored without them, ") and size < 0.54 * full, (found, size)
found, size = compile_sparse("halves.so", 100, "--fp16")
assert "stored without them" in found and size < 0.29 * full, (found, size)
text = subprocess.run([optc, f"{path}/sparse.onnx", "--emit=report", "--bf16", "--target=x86-64-v4+avx512bf16"], check=True, capture_output=True, text=True).stdout
assert "stored as dense, it is computed in bf16" in text, text
for flags, why, more in (([], "many rows read it", {}), (["--int4"], "codes of few bits", {}), (["--fp16"], "an embedding reads it, too", {"gather": True})):
    found, size = compile_sparse("dense.so", 100, *flags, **more)
    assert why in found, found
blocks = (sparse.reshape(256, 10, 16) * (random.uniform(size=(256, 10, 1)) < 0.3)).reshape(256, 160)
pattern, sparse = sparse, random.normal(size=sparse.shape).astype(numpy.float32) * (blocks != 0).reshape(256, 10, 16).any(axis=2, keepdims=True).repeat(16, 2).reshape(256, 160)
found, size = compile_sparse("blocks.so", 100)
assert "blocks of 16 columns are not 0" in found and size < 0.5 * full, (found, size)
x = random.normal(size=(100, 256)).astype(numpy.float32)
assert signal_to_noise(x @ sparse, results("blocks.so", x)) > 120
sparse = pattern
for count in (1, 20):
    x = random.normal(size=(count, 256)).astype(numpy.float32)
    assert signal_to_noise(x @ sparse, results("sparse.so", x)) > 120
# What is not finite meets the zeros, too.
x[0, 5] = numpy.inf
with numpy.errstate(invalid="ignore"):
    assert (numpy.isnan(results("sparse.so", x)) == numpy.isnan(x @ sparse)).all()
