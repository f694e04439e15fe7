"""adapters.py OPTC OPTC-RUN SCHEMA PATH: models that multiply with an adapter's factors, merged and with them as inputs; what is refused."""
import json
import os
import shutil
import subprocess
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

optc, run, schema, path = sys.argv[1:]
shutil.rmtree(path, ignore_errors=True)
os.makedirs(f"{path}/in")
random = numpy.random.default_rng(1)
types = {"float32": 1, "uint8": 2, "int64": 7, "float16": 10}


def normal(*shape):
    return random.normal(scale=0.1, size=shape).astype(numpy.float32)


def adapter(name, tensors, version=1):
    """Written by FlatBuffers' own compiler."""
    parameters = [{"name": key, "dims": x.shape, "data_type": types[x.dtype.name], "raw_data": list(x.tobytes())} for key, x in tensors.items()]
    json.dump({"format_version": version, "parameters": parameters}, open(f"{path}/{name}.json", "w"))
    subprocess.run(["flatc", "--binary", "-o", path, schema, f"{path}/{name}.json"], check=True, capture_output=True)
    return f"{path}/{name}.onnx_adapter"


# query: with a bias, its adapter beside both; value: [out, in]; as exporters write them. Factors are optional inputs whose rank is open.
K, M, N, rank = 160, 96, 72, 4
query, bias, value = normal(K, M), normal(M), normal(N, M)
names = [f"model.{layer}.lora_{part}.weight" for layer in ("query", "value") for part in "AB"]
shapes = dict(zip(names, ((K, "lora_r"), ("lora_r", M), (M, "lora_r"), ("lora_r", N))))
nodes = [
    helper.make_node("MatMul", ["x", "query.weight"], ["q0"], name="/model/query/MatMul"),
    helper.make_node("Add", ["query.bias", "q0"], ["q1"], name="/model/query/Add"),
    helper.make_node("MatMul", ["x", names[0]], ["q2"], name="/model/query/lora_A/MatMul"),
    helper.make_node("MatMul", ["q2", names[1]], ["q3"], name="/model/query/lora_B/MatMul"),
    helper.make_node("Mul", ["q3", "half"], ["q4"], name="/model/query/Mul"),
    helper.make_node("Add", ["q1", "q4"], ["q"], name="/model/query/Add_1"),
    helper.make_node("Transpose", ["value.weight"], ["v0"], name="/model/value/Transpose", perm=[1, 0]),
    helper.make_node("MatMul", ["q", "v0"], ["v1"], name="/model/value/MatMul"),
    helper.make_node("MatMul", ["q", names[2]], ["v2"], name="/model/value/lora_A/MatMul"),
    helper.make_node("MatMul", ["v2", names[3]], ["v3"], name="/model/value/lora_B/MatMul"),
    helper.make_node("Add", ["v1", "v3"], ["y"], name="/model/value/Add"),
]
plain = [helper.make_node("MatMul", ["x", "query.weight"], ["q0"], name="/model/query/MatMul"),
         helper.make_node("Add", ["query.bias", "q0"], ["q"], name="/model/query/Add"), *nodes[6:7],
         helper.make_node("MatMul", ["q", "v0"], ["y"], name="/model/value/MatMul")]
weights = [numpy_helper.from_array(a, name) for a, name in ((query, "query.weight"), (bias, "query.bias"), (value, "value.weight"))]
half = numpy_helper.from_array(numpy.array(0.5, numpy.float32), "half")
empty = [numpy_helper.from_array(numpy.zeros([0 if d == "lora_r" else d for d in shape], numpy.float32), name) for name, shape in shapes.items()]
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "time", size]) for name, size in (("x", K), ("y", N)))
factors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]


def save(name, nodes, inputs, initializers):
    graph = helper.make_graph(nodes, "adapted", inputs, [y], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{path}/{name}.onnx")
    return name


optional, required, base = save("optional", nodes, [x, *factors], [*weights, half, *empty]), save("required", nodes, [x, *factors], [*weights, half]), \
    save("base", plain, [x], weights)
sample = normal(2, 3, K)
numpy.save(f"{path}/in/x.npy", sample)


def compiled(model, *flags, says=None):
    done = subprocess.run([optc, f"{path}/{model}.onnx", "-o", f"{path}/{model}.so", "-q", *flags], capture_output=True, text=True)
    assert done.returncode == 0 and (says is None or says in done.stderr), (done.returncode, done.stderr)
    return json.loads(subprocess.run([run, f"{path}/{model}.so", "--report"], check=True, capture_output=True, text=True).stdout)


def error(model, tensors, scale=0.5, inputs="in"):
    """Of the model's result, relative to the adapter's products with the weights."""
    shutil.rmtree(f"{path}/out", ignore_errors=True)
    subprocess.run([run, f"{path}/{model}.so", "--inputs", f"{path}/{inputs}", "--outputs", f"{path}/out"], check=True, capture_output=True)
    got = numpy_helper.to_array(onnx.load_tensor(f"{path}/out/output_0.pb"))
    a, b, c, d = (tensors[name].astype(float) for name in names)
    expected = (sample @ (query + scale * a @ b) + bias) @ (value.T + c @ d)
    return numpy.abs(got - expected).max() / numpy.abs(expected).max()


random_factors = {name: normal(*(rank if d == "lora_r" else d for d in shape)) for name, shape in shapes.items()}
random_factors[names[2]] = random_factors[names[2]].astype(numpy.float16)
nothing = {name: numpy.zeros([1 if d == "lora_r" else d for d in shape]) for name, shape in shapes.items()}
file = adapter("random", random_factors)

plain_report = compiled(base)
# Merged, nothing is left of the branches, whatever the inputs are by default; without adapter a default is a constant, and this is said.
for model in (optional, required):
    report = compiled(model, f"--merge-lora={file}")
    assert error(model, random_factors) < 1e-5, error(model, random_factors)
    assert len(report["steps"]) == len(plain_report["steps"]) and report["memory"] == plain_report["memory"], report["steps"]
    assert [i["name"] for i in report["inputs"]] == ["x"] and report["constant_inputs"] == [], report["inputs"]
    merged = {entry["node"]: entry["adapter"] for entry in report["merged"]}
    assert merged["/model/query/lora_A/MatMul"] == f"random.onnx_adapter, parameter {names[0]}" and len(merged) == 4, merged
report = compiled(optional, says="4 inputs are constants because they have initialisers ('model.query.lora_A.weight', ...)")
assert report["constant_inputs"] == names and len(report["steps"]) == len(plain_report["steps"]), report["constant_inputs"]
assert error(optional, nothing) < 1e-5
# Some parameters only: the others stay as they are.
report = compiled(optional, f"--merge-lora={adapter('some', {name: random_factors[name] for name in names[:2]})}")
assert error(optional, {**nothing, **{name: random_factors[name] for name in names[:2]}}) < 1e-5 and report["constant_inputs"] == names[2:]

# As inputs, the same artefact takes any adapter.
report = compiled(optional, "--keep-inputs=*.lora_?.weight")
assert [i["name"] for i in report["inputs"]] == ["x", *names] and report["constant_inputs"] == [], report["inputs"]
assert "--keep-inputs=*.lora_?.weight" in report["command"]
for r in (1, 4, 7):
    os.makedirs(f"{path}/in{r}")
    numpy.save(f"{path}/in{r}/x.npy", sample)
    switched = {name: normal(*(r if d == "lora_r" else d for d in shape)) for name, shape in shapes.items()}
    for name, factor in switched.items():
        numpy.save(f"{path}/in{r}/{name}.npy", factor)
    assert error(optional, switched, inputs=f"in{r}") < 1e-5, r
assert len(compiled(optional, "--keep-inputs")["inputs"]) == 5
assert len(compiled(required)["inputs"]) == 5

# Of a model without branches the modules are found by their names; the scale is in B.
assert len(compiled(base, f"--merge-lora={file}")["merged"]) == 2 and error(base, random_factors, scale=1) < 1e-5
compiled(base, f"--merge-lora={file}", "--fp16")
assert error(base, random_factors, scale=1) < 2e-3


def refused(text, *flags, model=optional):
    target = f"{path}/refused.so"
    done = subprocess.run([optc, f"{path}/{model}.onnx", "-o", target, "-q", *flags], capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if ": note: " not in line]
    assert done.returncode == 1 and len(lines) == 1 and text in lines[0] and not os.path.exists(target), (text, done.returncode, done.stderr)


def merge(tensors, **more):
    return f"--merge-lora={adapter('bad', tensors, **more)}"


A = random_factors[names[0]]
refused(f"input '{names[0]}': bad.onnx_adapter gives it as [159, 4], expected [160, lora_r]", merge({names[0]: A[1:]}))
refused(f"input '{names[0]}': bad.onnx_adapter gives it as [160], expected [160, lora_r]", merge({names[0]: A[:, 0]}))
refused("gives it as u8, expected f32", merge({names[0]: A.astype(numpy.uint8)}))
refused("initializer 'query.bias': bad.onnx_adapter gives it as [95], expected [96]", merge({"query.bias": bias[1:]}))
one = f"--merge-lora={adapter('one', {names[0]: A})}"
refused(f"input '{names[0]}': one.onnx_adapter gives it once more", one, one)
refused("parameter 'unknown' is no input or initialiser of the model", merge({"unknown": A}))
refused("'model.key' is no module of the model", merge({"model.key.lora_A.weight": A, "model.key.lora_B.weight": random_factors[names[1]]}))
refused("lacks one of lora_A and lora_B", merge({names[0]: A}), model=base)
refused("are no factors of a weight", merge({names[0]: A.T, names[1]: random_factors[names[1]]}), model=base)
refused("not finite", merge({names[0]: A * numpy.float32("nan")}))
refused("has no tensors", merge({}))
refused("has version 2 of the format", merge({names[0]: A}, version=2))
refused("take no =SCALE", f"--merge-lora={file}=2")
refused("no input of such a name has an initialiser", "--keep-inputs=y*")
refused("no input of such a name has an initialiser", "--keep-inputs", model=required)
refused("--keep-inputs=[:", "--keep-inputs=[")
data = open(adapter("small", {"q": numpy.ones((2, 2), numpy.float32)}), "rb").read()
for length in range(0, len(data), 7):
    open(f"{path}/cut.onnx_adapter", "wb").write(data[:length])
    refused("cut.onnx_adapter: error: ", f"--merge-lora={path}/cut.onnx_adapter")
print("merged, switched and refused as expected")
