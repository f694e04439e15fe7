"""peers_test.py FOLDER DATA: peers that are missing, fail, hang, compute something else or give times, on a machine with neither torch, TensorRT nor a GPU.

DATA has model.onnx and test_data_set_0. trtexec is a script of FOLDER that does as $FAKE says; torch and tensorrt cannot be imported."""
import argparse
import os
import shutil
import stat
import sys
import time

from peers import Peers, add_options

FAKE = '''#!{python}
import json, os, sys, time
sys.path.insert(0, {here!r})
import peer
flags = dict(flag.lstrip("-").partition("=")[::2] for flag in sys.argv[1:])
fake = os.environ["FAKE"]
if "onnx" in flags:
    assert "noTF32" in flags and "stronglyTyped" in flags, flags
    types = {{i.data_type for i in peer.read_case({{"model": flags["onnx"], "data": {data!r} + "/test_data_set_0"}})[0].graph.initializer}} - {{7}}
    assert types == {{16 if os.environ["PRECISION"] == "bf16" else 1}}, types
    if fake == "fails":
        sys.exit("[I] reading\\n[E] no such layer\\n[I] ended")
    if fake == "dies":
        os.kill(os.getpid(), 11)
    if fake == "hangs":
        open({folder!r} + "/pid", "w").write(str(os.getpid()))
        time.sleep(1000)
    open(flags["saveEngine"], "w").write("engine")
else:
    assert os.path.exists(flags["loadEngine"]) and all(os.path.getsize(f.rpartition(":")[2]) for f in flags["loadInputs"].split(",")), flags
if "exportOutput" in flags:
    model, _, outputs = peer.read_case({{"model": {data!r} + "/model.onnx", "data": {data!r} + "/test_data_set_0"}})
    json.dump([{{"name": o.name, "dimensions": "x".join(map(str, y.shape)), "values": (y * (1.5 if fake == "wrong" else 1)).reshape(-1).tolist()}}
               for o, y in zip(model.graph.output, outputs)], open(flags["exportOutput"], "w"))
if "exportTimes" in flags:
    assert "useCudaGraph" in flags and "noDataTransfers" in flags, flags
    if fake == "fails late" and os.path.exists(flags["exportTimes"]):
        sys.exit("[E] out of memory")
    json.dump([{{"computeMs": 4 + i / 100, "latencyMs": 5}} for i in range(100)], open(flags["exportTimes"], "w"))
'''


def script(path, text):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)


def is_running(pid):
    """Not so once its status is that of a zombie, or it is gone."""
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


folder, data = map(os.path.abspath, sys.argv[1:])
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(f"{folder}/bin")
os.makedirs(f"{folder}/without")
for name in ("torch", "tensorrt"):
    script(f"{folder}/without/{name}.py", "raise ImportError")
os.environ["PYTHONPATH"] = f"{folder}/without"
parser = argparse.ArgumentParser()
add_options(parser)
options = parser.parse_args([f"--peer-python={sys.executable}", "--peer-seconds=0.01", "--peer-timeout=60", "--peer-device=cpu"])
os.environ["PATH"] = f"{folder}/bin"


def times(said, timeout=60):
    """Of what does as `said`; of peers, not of what looks for them, within the timeout."""
    print(f"{said}:", flush=True)
    os.environ["FAKE"], os.environ["PRECISION"], options.peer_timeout = said, said if said == "bf16" else "f32", 60
    peers = Peers(options)
    options.peer_timeout = timeout
    results = peers.models(os.environ["PRECISION"], f"{data}/model.onnx", f"{data}/test_data_set_0", lambda seconds: {"p50_ms": 2.0, "p99_ms": 2.5, "more": 0})
    return results


assert times("nothing") == {}
script(f"{folder}/bin/trtexec", FAKE.format(python=sys.executable, here=os.path.dirname(os.path.abspath(__file__)), data=data, folder=folder))
for precision in ("f32", "bf16"):
    results = times(precision)
    assert results["optc"] == {"p50_ms": 2.0, "p99_ms": 2.5, "ratio": 1.0} and results["TensorRT"]["p50_ms"] == 4.5 and results["TensorRT"]["ratio"] == 2.25, results
for said in ("wrong", "fails", "fails late", "dies"):
    assert set(times(said)["TensorRT"]) == {"left_out"}
assert set(times("hangs", 5)["TensorRT"]) == {"left_out"}
# What it has started has ended with it.
end, pid = time.monotonic() + 30, open(f"{folder}/pid").read()
while is_running(pid):
    assert time.monotonic() < end, pid
    time.sleep(0.1)
script(f"{folder}/python", "#!/bin/sh\nkill -9 $$\n")
for python in ("python", "no-python"):
    options.peer_python = f"{folder}/{python}"
    assert times(python) == {}
