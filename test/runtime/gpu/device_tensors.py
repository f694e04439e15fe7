"""device_tensors.py OPTC OPTC-RUN DEVICE-TENSORS DRIVER FOLDER: a caller's tensors in a GPU's memory."""
import json
import os
import subprocess
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

optc, optc_run, run, driver, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
random = numpy.random.default_rng(3)


def save(name, nodes, inputs, outputs, weights=(), flags=("--fallback=error",)):
    info = lambda port: helper.make_tensor_value_info(*port)
    graph = helper.make_graph([helper.make_node(op, i, o, name=o[0], **(more[0] if more else {})) for op, i, o, *more in nodes], name, list(map(info, inputs)), list(map(info, outputs)),
                              [numpy_helper.from_array(value, key) for key, value in weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8), f"{folder}/{name}.onnx")
    subprocess.run([optc, f"{folder}/{name}.onnx", "--target=sm_90", "--emit-host-emulation", "-q", *flags, "-o", f"{folder}/{name}.so"], check=True, capture_output=True)


f32, i64 = TensorProto.FLOAT, TensorProto.INT64
normal = lambda *shape: random.standard_normal(shape).astype(numpy.float32)
# A value that is an output, twice, and read on.
save("net", [("MatMul", ["x", "w"], ["product"]), ("Add", ["product", "b"], ["sum"]), ("Relu", ["sum"], ["y"]), ("Softmax", ["y"], ["z"]), ("Identity", ["y"], ["again"])],
     [("x", f32, ["n", 48])], [("y", f32, ["n", 33]), ("z", f32, ["n", 33]), ("again", f32, ["n", 33])], [("w", normal(48, 33)), ("b", normal(33))])
# A shape that the host reads, what it computes instead of the GPU, and an input that is an output.
save("mixed", [("Exp", ["x"], ["e"]), ("Reshape", ["e", "s"], ["r"]), ("Imputer", ["m"], ["d"], {"domain": "ai.onnx.ml", "imputed_value_floats": [2.0]}), ("Mul", ["e", "d"], ["scaled"]), ("Identity", ["x"], ["echo"])],
     [("x", f32, ["n", 48]), ("s", i64, [2]), ("m", f32, [1, 1, 1, 1])], [("r", f32, ["p", "q"]), ("d", f32, [1, 1, 1, 1]), ("scaled", f32, [1, 1, "n", 48]), ("echo", f32, ["n", 48])],
     flags=())
save("rows", [("Gather", ["table", "i"], ["found"]), ("Exp", ["found"], ["y"])], [("i", i64, [2])], [("y", f32, [2, 33])], [("table", normal(50, 33))])


def check(settings, *more):
    log = f"{folder}/calls"
    environment = dict(os.environ, LD_LIBRARY_PATH=driver, OPTC_FAKE_GPU=f"arch=90,devices=2,log={log},{settings}")
    done = subprocess.run([run, folder, *more], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done
    print(done.stdout)
    return {name: int(count) for name, count in map(str.split, open(log))}


check("schedule=1")


def of_a_run(gpu):
    """The driver's calls of one run more."""
    few, many = (check("schedule=0", str(rounds), str(gpu)) for rounds in (3, 13))
    return {name: (count - few[name]) / 10 for name, count in many.items() if count != few[name]}


# In the GPU's memory: a graph, and a copy of the result that is given twice. In the host's: one wait, for all.
assert of_a_run(0) == {"cuGraphLaunch": 1, "cuMemcpyDtoDAsync": 1, "cuPointerGetAttribute": 8}, of_a_run(0)
assert of_a_run(-1) == {"cuGraphLaunch": 1, "cuMemcpyHtoDAsync": 1, "cuMemcpyDtoHAsync": 3, "cuStreamSynchronize": 1}, of_a_run(-1)


# The same from the command line, and what a run does beside kernels.
def bench(model, *flags):
    command = [optc_run, f"{folder}/{model}.so", "--bench", "--seconds=0.02", "--json", *flags]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, LD_LIBRARY_PATH=driver, OPTC_FAKE_GPU="arch=90,devices=2"))
    return done.returncode, done.stderr, json.loads(done.stdout or "{}")


numpy.savez(f"{folder}/mixed.npz", x=normal(4, 48), s=numpy.array([48, 4]), m=normal(1, 1, 1, 1))
for model, flag in (("net", "--shape=x=4x48"), ("mixed", f"--inputs={folder}/mixed.npz")):
    for place in ("--gpu=1", "--in-gpu-memory"):
        status, error, result = bench(model, flag, place)
        assert status == 0 and result["port_copy_us"] > 0 and (result["fallback_us"] > 0) == (result["fallback_copy_us"] > 0) == (model == "mixed"), (result, error)
status, error, _ = bench("net", "--gpu=2")
assert status == 4 and "there is no GPU 2" in error, error
