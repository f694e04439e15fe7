"""The bundled model in 8 bits on real files: quantized_magika.py SOURCE SCRATCH.

The files are all of this repository and those at the top of Python's library. Every other one calibrates and guards, the
rest judges: at least 99 % get the label that f32 gives them.
"""
import os
import subprocess
import sys
import sysconfig

import numpy
import onnx
from onnx import numpy_helper

source, scratch = sys.argv[1:]
sys.path.insert(0, os.path.join(source, "tools"))
from classify import features  # noqa: E402

MOST = 400


def files():
    listed = subprocess.run(["git", "-C", source, "ls-files"], stdout=subprocess.PIPE, text=True).stdout.split("\n")
    own = [os.path.join(source, name) for name in listed if name]
    if not own:  # an export without a history
        own = [os.path.join(folder, name) for part in ("codegen", "docs", "ir", "passes", "runtime", "test", "tools")
               for folder, _, names in os.walk(os.path.join(source, part)) for name in names]
    library = sysconfig.get_paths()["stdlib"]
    python = [os.path.join(library, name) for name in os.listdir(library)]
    every = sorted(p for p in own + python if os.path.isfile(p) and os.path.getsize(p) > 200)
    return every[::max(1, len(every) // MOST)]


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def labels(model, name):
    run("optc-run", model, "--inputs", os.path.join(scratch, "judge"), "--outputs", os.path.join(scratch, name))
    return numpy_helper.to_array(onnx.load_tensor(os.path.join(scratch, name, "output_0.pb"))).argmax(axis=1)


def main():
    samples = numpy.concatenate([features(path) for path in files()])
    os.makedirs(os.path.join(scratch, "judge"), exist_ok=True)
    numpy.savez(os.path.join(scratch, "calib.npz"), input_0=samples[::2])
    numpy.save(os.path.join(scratch, "judge", "input_0.npy"), samples[1::2])
    model = os.path.join(source, "test", "data", "magika", "model.onnx")
    f32, int8 = (os.path.join(scratch, name) for name in ("f32.so", "int8.so"))
    run("optc", model, "-o", f32)
    calib = os.path.join(scratch, "calib.npz")
    run("optc", model, "--int8", "--calib=" + calib, "--golden=" + calib, "--max-error=1%", "-o", int8)
    expected, got = labels(f32, "f32"), labels(int8, "int8")
    same = int((expected == got).sum())
    print(f"{len(set(expected))} labels, {same} of {len(expected)} the same: {same / len(expected):.2%}")
    if len(set(expected)) < 5 or same < 0.99 * len(expected):
        sys.exit(1)


if __name__ == "__main__":
    main()
