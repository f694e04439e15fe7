"""contrib_values.py OPTC OPTC-RUN PATH: operators of com.microsoft give what their description says."""
import os
import subprocess
import sys

import numpy
import onnx

from contrib_cases import cases

optc, run, path = sys.argv[1:]
bad = []
for name, model, inputs, expected, tolerance in cases():
    folder = f"{path}/{name}"
    os.makedirs(folder)
    onnx.save(model, f"{folder}/model.onnx")
    for i, value in enumerate(inputs.values()):
        numpy.save(f"{folder}/input_{i}.npy", value)
    for i, value in enumerate(expected.values()):
        numpy.save(f"{folder}/output_{i}.npy", value)
    done = subprocess.run([optc, f"{folder}/model.onnx", "-o", f"{folder}/model.so", "-q"], capture_output=True, text=True)
    if not done.returncode:
        done = subprocess.run([run, f"{folder}/model.so", "--inputs", folder, "--expected", folder, "--rtol=0", f"--atol={tolerance}"], capture_output=True, text=True)
    print(name, "ok" if not done.returncode else done.stdout + done.stderr)
    if done.returncode:
        bad.append(name)
assert not bad, bad
