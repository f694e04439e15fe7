"""What the tests of weights in models share; called with OPTC OPTC-RUN PATH."""
import os
import subprocess
import sys

import numpy
import onnx
from onnx import numpy_helper

optc, run, path = sys.argv[1:]
os.makedirs(path, exist_ok=True)
random = numpy.random.default_rng(1)


def signal_to_noise(x, y):
    return 10 * numpy.log10((x.astype(float) ** 2).sum() / max(((x.astype(float) - y) ** 2).sum(), 1e-30))


def write_set(folder, x):
    os.makedirs(folder, exist_ok=True)
    numpy.save(f"{folder}/input_0.npy", x)


def results(name, x):
    write_set(f"{path}/one", x)
    subprocess.run([run, f"{path}/{name}", "--inputs", f"{path}/one", "--outputs", f"{path}/result"], check=True, capture_output=True)
    return numpy_helper.to_array(onnx.load_tensor(f"{path}/result/output_0.pb"))
