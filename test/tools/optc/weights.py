"""weights.py OPTC OPTC-RUN PATH: compiles models with embeddings in every format of weights; checks sizes and results."""
import json
import os
import subprocess
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

optc, run, path = sys.argv[1:]
os.makedirs(path, exist_ok=True)
random = numpy.random.default_rng(1)
table = random.normal(size=(500, 192)).astype(numpy.float32)
w = random.normal(size=(192, 192)).astype(numpy.float32)
graph = helper.make_graph(
    [
        helper.make_node("Gather", ["table", "tokens"], ["embedded"], name="embed"),
        helper.make_node("MatMul", ["embedded", "w"], ["hidden"], name="layer"),
        helper.make_node("Transpose", ["table"], ["turned"], name="turn"),
        helper.make_node("MatMul", ["hidden", "turned"], ["logits"], name="head"),
    ],
    "tied",
    [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["n"])],
    [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 500])],
    [numpy_helper.from_array(table, "table"), numpy_helper.from_array(w, "w")],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{path}/model.onnx")


def signal_to_noise(x, y):
    return 10 * numpy.log10((x.astype(float) ** 2).sum() / ((x.astype(float) - y) ** 2).sum())


# Bytes a weight, tied table once; the least signal over noise of the logits in dB, of three roundings in a row.
formats = {"--bf16": (2, 45), "--fp16": (2, 60), "--fp8": (1, 25), "--weights-int8": (1 + 2 / 128, 35), "--int4": (0.5 + 2 / 32, 13), "--int4 --int4-block=64": (0.5 + 2 / 64, 12)}
for flags, (size, least) in formats.items():
    subprocess.run([optc, f"{path}/model.onnx", "-o", f"{path}/model.so", "-q", *flags.split()], check=True)
    report = json.loads(subprocess.run([run, f"{path}/model.so", "--report"], check=True, capture_output=True, text=True).stdout)
    assert flags in report["command"], report["command"]
    lowered = {entry["node"] for entry in report["precision"]["lowered"]}
    assert {"layer", "head"} <= lowered or {"layer", "embed"} <= lowered, lowered
    weights = report["memory"]["weight_bytes"]
    assert weights <= size * (table.size + w.size) * 1.1, f"{flags}: {weights} bytes of weights"
    for count in (1, 20):
        tokens = random.integers(0, 500, count)
        os.makedirs(f"{path}/in", exist_ok=True)
        numpy.save(f"{path}/in/input_0.npy", tokens)
        subprocess.run([run, f"{path}/model.so", "--inputs", f"{path}/in", "--outputs", f"{path}/out"], check=True, capture_output=True)
        files = os.listdir(f"{path}/out")
        y = numpy_helper.to_array(onnx.load_tensor(f"{path}/out/{files[0]}")) if files[0].endswith(".pb") else numpy.load(f"{path}/out/{files[0]}")
        ratio = signal_to_noise(table[tokens] @ w @ table.T, y)
        assert ratio > least, f"{flags}: {ratio:.1f} dB for {count} rows"
        print(f"{flags}: {count} rows, {ratio:.1f} dB, {weights} bytes of weights")

# Tables that are only gathered from are stored by rows: odd lengths, zero points, every level.
words = random.integers(0, 400, 37)
for length, offset in ((100, 0), (64, 3), (19, 0)):
    table = (random.normal(size=(400, length)) + offset).astype(numpy.float32)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "i"], ["g"], name="embed"), helper.make_node("Gather", ["table", "j"], ["h"], name="again")],
        "rows",
        [helper.make_tensor_value_info("i", TensorProto.INT64, ["n"]), helper.make_tensor_value_info("j", TensorProto.INT64, ["m", 2])],
        [helper.make_tensor_value_info("g", TensorProto.FLOAT, ["n", length]), helper.make_tensor_value_info("h", TensorProto.FLOAT, ["m", 2, length])],
        [numpy_helper.from_array(table, "table")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{path}/rows.onnx")
    os.makedirs(f"{path}/words", exist_ok=True)
    numpy.save(f"{path}/words/input_0.npy", words)
    numpy.save(f"{path}/words/input_1.npy", words[:36].reshape(18, 2))
    for flags, least in (("--bf16", 48), ("--fp16", 65), ("--fp8", 29), ("--weights-int8", 40), ("--int4", 18), ("--int4 --int4-block=64", 17)):
        seen = []
        for target in ("native", "x86-64-v3", "x86-64"):
            subprocess.run([optc, f"{path}/rows.onnx", "-o", f"{path}/rows.so", "-q", f"--target={target}", *flags.split()], check=True)
            subprocess.run([run, f"{path}/rows.so", "--inputs", f"{path}/words", "--outputs", f"{path}/rows"], check=True, capture_output=True)
            g, h = (numpy_helper.to_array(onnx.load_tensor(f"{path}/rows/output_{i}.pb")) if os.path.exists(f"{path}/rows/output_{i}.pb") else numpy.load(f"{path}/rows/output_{i}.npy") for i in (0, 1))
            ratio = signal_to_noise(table[words], g)
            assert ratio > least, f"{flags} {length} {target}: {ratio:.1f} dB"
            assert (g[:36].reshape(18, 2, length) == h).all()
            seen.append(g)
        assert (seen[0] == seen[1]).all() and (seen[0] == seen[2]).all(), flags
    report = json.loads(subprocess.run([run, f"{path}/rows.so", "--report"], check=True, capture_output=True, text=True).stdout)
    assert report["memory"]["weight_bytes"] <= 400 * ((length + 31) // 32 * 16 + 3 * ((length + 63) // 64)) + 256, report["memory"]
