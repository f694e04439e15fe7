"""lora.py OPTC OPTC-RUN PATH: merges adapters into a model and compares with the products' weights replaced; then what is refused."""
import json
import os
import struct
import subprocess
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

optc, run, path = sys.argv[1:]
os.makedirs(f"{path}/in", exist_ok=True)
random = numpy.random.default_rng(1)


def normal(*shape, type=numpy.float32):
    return random.normal(scale=0.1, size=shape).astype(type)


def to_bf16(x):
    """Truncated to the upper half; as the file has it, and as f32."""
    bits = x.view(numpy.uint32) >> 16
    return bits.astype(numpy.uint16), (bits << 16).view(numpy.float32)


def save(name, tensors, header=None):
    entries, data = {"__metadata__": {"format": "pt"}}, b""
    for key, (type, x) in tensors.items():
        entries[key] = {"dtype": type, "shape": list(x.shape), "data_offsets": [len(data), len(data) + x.nbytes]}
        data += x.tobytes()
    text = json.dumps(entries).encode() if header is None else header
    with open(f"{path}/{name}", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    return f"{path}/{name}"


# query: [out, in], transposed by Gemm. value: [in, out] under a name that says nothing. out: square. mix: a 1x1 convolution.
query, value, out, mix = normal(700, 640), normal(700, 640), normal(640, 640), normal(640, 640, 1, 1)
graph = helper.make_graph(
    [
        helper.make_node("Gemm", ["x", "layer.0.query.weight"], ["q"], name="/layer.0/query/Gemm", transB=1),
        helper.make_node("MatMul", ["q", "onnx::MatMul_12"], ["v"], name="/layer.0/value/MatMul"),
        helper.make_node("MatMul", ["v", "onnx::MatMul_13"], ["o"], name="/layer.0/out/MatMul"),
        helper.make_node("Reshape", ["o", "image"], ["i"], name="/Reshape"),
        helper.make_node("Conv", ["i", "mix.weight"], ["y"], name="/mix/Conv"),
    ],
    "adapted",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 640])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 640, 1, 1])],
    [numpy_helper.from_array(a, name) for a, name in ((query, "layer.0.query.weight"), (value, "onnx::MatMul_12"), (out, "onnx::MatMul_13"),
                                                      (mix, "mix.weight"), (numpy.array([2, 640, 1, 1]), "image"))],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{path}/model.onnx")
x = normal(2, 640)
numpy.save(f"{path}/in/input_0.npy", x)


def compile_with(*flags):
    subprocess.run([optc, f"{path}/model.onnx", "-o", f"{path}/model.so", "-q", *flags], check=True)
    return json.loads(subprocess.run([run, f"{path}/model.so", "--report"], check=True, capture_output=True, text=True).stdout)


def result():
    subprocess.run([run, f"{path}/model.so", "--inputs", f"{path}/in", "--outputs", f"{path}/out"], check=True, capture_output=True)
    name = f"{path}/out/{os.listdir(f'{path}/out')[0]}"
    return numpy_helper.to_array(onnx.load_tensor(name)) if name.endswith(".pb") else numpy.load(name)


def error(y, weights):
    q, v, o, m = (w.astype(float) for w in weights)
    expected = x @ q.T @ v @ o @ m[:, :, 0, 0].T
    return numpy.abs(y[:, :, 0, 0] - expected).max() / numpy.abs(expected).max()


rank, s = 8, 2.0  # alpha 16
a, b = {}, {}
for name, width, height in (("query", 640, 700), ("value", 700, 640), ("out", 640, 640), ("mix", 640, 640)):
    a[name], b[name] = normal(rank, width), normal(height, rank)
bits, b["out"] = to_bf16(b["out"])
a["value"] = a["value"].astype(numpy.float16)
prefix = "base_model.model."
first = {f"{prefix}layer.0.query.lora_A.weight": ("F32", a["query"]), f"{prefix}layer.0.query.lora_B.weight": ("F32", b["query"]),
         f"{prefix}layer.0.value.lora_A.weight": ("F16", a["value"]), f"{prefix}layer.0.value.lora_B.weight": ("F32", b["value"])}
second = {f"{prefix}net.layer.0.out.lora_A.weight": ("F32", a["out"]), f"{prefix}net.layer.0.out.lora_B.weight": ("BF16", bits),
          f"{prefix}net.mix.lora_A.weight": ("F32", a["mix"].reshape(rank, 640, 1, 1)), f"{prefix}net.mix.lora_B.weight": ("F32", b["mix"].reshape(640, rank, 1, 1))}
one, two = save("one.safetensors", first), save("two.safetensors", second)
json.dump({"peft_type": "LORA", "r": rank, "lora_alpha": 16}, open(f"{path}/adapter_config.json", "w"))
delta = {name: b[name].astype(float) @ a[name].astype(float) for name in a}
adapted = lambda s, t: (query + s * delta["query"], value + s * delta["value"].T, out + t * delta["out"].T, mix + t * delta["mix"][:, :, None, None])

base = compile_with()
assert base["merged"] == [] and error(result(), (query, value, out, mix)) < 1e-5
report = compile_with(f"--merge-lora={one}", f"--merge-lora={two}=0.5")
nodes = {entry["node"]: entry["adapter"] for entry in report["merged"]}
assert set(nodes) == {"/layer.0/query/Gemm", "/layer.0/value/MatMul", "/layer.0/out/MatMul", "/mix/Conv"}, nodes
assert "one.safetensors, rank 8, scale 2" in nodes["/layer.0/query/Gemm"], nodes
assert "--merge-lora=two.safetensors=0.5" in report["command"], report["command"]
assert error(result(), adapted(s, 0.5)) < 1e-5, error(result(), adapted(s, 0.5))
# The sums are weights: nothing is left to compute, nothing is stored besides.
assert len(report["steps"]) == len(base["steps"]) and report["memory"] == base["memory"], (report["memory"], base["memory"])
# Twice the same adapter is twice its product; what is stored in fewer bits is the sum.
compile_with(f"--merge-lora={one}", f"--merge-lora={one}", f"--merge-lora={two}=0.5")
assert error(result(), adapted(2 * s, 0.5)) < 1e-5
report = compile_with(f"--merge-lora={one}", f"--merge-lora={two}=0.5", "--fp16")
assert error(result(), adapted(s, 0.5)) < 2e-3 and len(report["precision"]["lowered"]) >= 3, error(result(), adapted(s, 0.5))
# alpha as a tensor comes before the configuration.
alpha = save("alpha.safetensors", {**second, "net.mix.alpha": ("F32", numpy.array(4, numpy.float32)), "net.layer.0.out.alpha": ("F32", numpy.array(4, numpy.float32))})
compile_with(f"--merge-lora={alpha}", f"--merge-lora={one}")
assert error(result(), adapted(s, 0.5)) < 1e-5


def refused(file, text):
    target = f"{path}/refused.so"
    done = subprocess.run([optc, f"{path}/model.onnx", "-o", target, "-q", f"--merge-lora={file}"], capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if ": hint: " not in line]
    assert done.returncode == 1 and len(lines) == 1 and text in lines[0] and not os.path.exists(target), (text, done.returncode, done.stderr)


pair = lambda name, x, y: {f"{name}.lora_A.weight": ("F32", x), f"{name}.lora_B.weight": ("F32", y)}
refused(save("bad.safetensors", pair("layer.7.query", a["query"], b["query"])), "'layer.7.query' is no module of the model")
refused(save("bad.safetensors", pair("layer.0.query", a["value"].astype(numpy.float32), b["query"])), "'layer.0.query' does not fit")
refused(save("bad.safetensors", pair("layer.0.query", a["query"], b["query"][:, :4])), "no factors of a weight")
refused(save("bad.safetensors", {"layer.0.query.lora_A.weight": ("F32", a["query"])}), "lacks one of lora_A and lora_B")
refused(save("bad.safetensors", {"layer.0.query.lora_embedding_A": ("F32", a["query"])}), "is not of a known kind")
refused(save("bad.safetensors", {"layer.0.query.lora_A.weight": ("I64", numpy.zeros(3, numpy.int64))}), "is of I64")
refused(save("bad.safetensors", pair("layer.0.query", a["query"] * numpy.float32("nan"), b["query"])), "not finite")
refused(save("bad.safetensors", {}, b"[" * 100000), "nests too deeply")
refused(save("bad.safetensors", {}, b"{"), "is not JSON")
refused(save("bad.safetensors", {}), "has no tensors")
entry = lambda shape, place: json.dumps({"q.lora_A.weight": {"dtype": "F32", "shape": shape, "data_offsets": place}}).encode()
refused(save("bad.safetensors", {}, entry([2, 2], [0, 16])), "lies outside the file")
refused(save("bad.safetensors", {}, entry([2, 2], [0, 0])), "do not agree")
refused(save("bad.safetensors", {}, entry([1 << 40, 1 << 40], [0, 0])), "do not agree")
refused(save("bad.safetensors", {}, entry([-1], [0, 0])), "lacks 'dtype'")
open(f"{path}/bad.safetensors", "wb").write(b"\xff" * 8)
refused(f"{path}/bad.safetensors", "longer than the file")
open(f"{path}/bad.safetensors", "wb").write(b"")
refused(f"{path}/bad.safetensors", "has no header")
refused(f"{path}/none.safetensors", "none.safetensors")
json.dump({"lora_alpha": 16, "use_dora": True}, open(f"{path}/adapter_config.json", "w"))
refused(one, "use_dora")
os.remove(f"{path}/adapter_config.json")
refused(one, "has no alpha")
print("merged and refused as expected")
