"""failures.py OPTC OPTC-RUN DRIVER FOLDER: what a machine may lack ends in one line and status 4, and a run's own errors name the step."""
import os
import subprocess
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

optc, run, driver, folder = sys.argv[1:]
os.makedirs(f"{folder}/good", exist_ok=True)
os.makedirs(f"{folder}/bad", exist_ok=True)
graph = helper.make_graph(
    [helper.make_node("Gather", ["table", "i"], ["rows"], name="gather"), helper.make_node("Exp", ["rows"], ["y"], name="exp")], "rows",
    [helper.make_tensor_value_info("i", TensorProto.INT64, ["n"])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 33])],
    [numpy_helper.from_array(numpy.ones((50, 33), numpy.float32), "table")])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{folder}/rows.onnx")
numpy.save(f"{folder}/good/i.npy", numpy.array([0, -1, 49]))
numpy.save(f"{folder}/good/output_0.npy", numpy.full((3, 33), numpy.e, numpy.float32))
numpy.save(f"{folder}/bad/i.npy", numpy.array([0, 50]))
subprocess.run([optc, f"{folder}/rows.onnx", "--target=sm_90", "--emit-host-emulation", "-q", "-o", f"{folder}/rows.so"], check=True)


def check(settings, status, text, inputs="good", model="rows", **more):
    environment = dict(os.environ, OPTC_FAKE_GPU=settings, **more)
    if settings:
        environment["LD_LIBRARY_PATH"] = driver
    done = subprocess.run([run, f"{folder}/{model}.so", "--inputs", f"{folder}/{inputs}", "--expected", f"{folder}/{'good' if model == 'rows' else inputs}", "--rtol=1e-6"], capture_output=True, text=True, env=environment)
    lines = (done.stderr if status else done.stdout).strip().splitlines()
    assert done.returncode == status and text in lines[-1] and (status == 0 or len(lines) == 1), (settings, done)
    print(settings, lines[-1])


check("arch=90", 0, "ok")
check("devices=0", 4, "there is no NVIDIA GPU")
check("arch=86", 4, "the model has code for sm_90; this GPU, emulated GPU, is sm_86")
check("arch=90,memory=4096", 4, "cuMemAlloc: out of memory (2)")
check("arch=90,memory=7000", 1, "cuMemAlloc: out of memory (2)")
check("arch=90", 4, "NVIDIA's driver has no cuGraphLaunch", OPTC_FAKE_GPU_WITHOUT="cuGraphLaunch")
check("arch=90", 1, "step 'gather': an index is out of range", inputs="bad")
if not os.path.exists("/usr/lib/x86_64-linux-gnu/libcuda.so.1"):
    check("", 4, "there is no NVIDIA driver")
# What the library's functions are given.
nodes = [helper.make_node("ScatterElements", ["x", "i", "u"], ["put"], name="put"), helper.make_node("TopK", ["put", "k"], ["y", "places"], name="top")]
graph = helper.make_graph(nodes, "library", [helper.make_tensor_value_info("i", TensorProto.INT64, [2]), helper.make_tensor_value_info("k", TensorProto.INT64, [1])],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
                          [numpy_helper.from_array(numpy.arange(5, dtype=numpy.float32), "x"), numpy_helper.from_array(numpy.array([7, 8], numpy.float32), "u")])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{folder}/library.onnx")
subprocess.run([optc, f"{folder}/library.onnx", "--target=sm_90", "--emit-host-emulation", "--fallback=error", "-q", "-o", f"{folder}/library.so"], check=True)
for indices, k, status, text in (([1, -1], 2, 0, "ok"), ([1, 5], 2, 1, "step 'put': an index is out of range"), ([1, 4], 6, 1, "step 'top': an index is out of range")):
    os.makedirs(f"{folder}/library", exist_ok=True)
    numpy.save(f"{folder}/library/i.npy", numpy.array(indices))
    numpy.save(f"{folder}/library/k.npy", numpy.array([k]))
    numpy.save(f"{folder}/library/output_0.npy", numpy.array([8, 7], numpy.float32))
    check("arch=90", status, text, inputs="library", model="library")
# A description needs no GPU.
text = subprocess.run([run, f"{folder}/rows.so"], check=True, capture_output=True, text=True).stdout
assert "x86-64-v3, sm_90" in text, text
# Policies on what the GPU does not run.
model = helper.make_graph([helper.make_node("Normalizer", ["x"], ["y"], name="rows", domain="ai.onnx.ml")], "normalizer", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 3])],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 3])])
onnx.save(helper.make_model(model, opset_imports=[helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8), f"{folder}/normalizer.onnx")
for policy, status, said in (("report", 0, "note: node 'rows'"), ("allow", 0, ""), ("error", 3, "error: node 'rows'")):
    out = f"{folder}/{policy}.so"
    done = subprocess.run([optc, f"{folder}/normalizer.onnx", "--target=sm_90", "--emit-host-emulation", "-q", f"--fallback={policy}", "-o", out], capture_output=True, text=True)
    assert done.returncode == status and said in done.stderr and (said or not done.stderr) and os.path.exists(out) == (status == 0), (policy, done)
