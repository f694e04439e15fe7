"""The bundled model in 8 bits on real files: quantized_magika.py SOURCE SCRATCH.

The files are those of this repository and of Python's library, or every so many-th of them. Of every four one calibrates, one guards, none of
which may get another label than f32 gives it, and two judge: at least 99 % get the label that f32 gives them.

Called as quantized_magika.py agree LABELS OUTPUTS it is the guard's metric: the share of the saved outputs with these labels.
"""
import os
import subprocess
import sys
import sysconfig

import numpy
import onnx
from onnx import numpy_helper

if sys.argv[1] == "agree":
    expected = numpy.load(sys.argv[2])
    outputs = [numpy.load(os.path.join(sys.argv[3], str(i), "output_0.npy")) for i in range(len(expected))]
    print(numpy.mean([output.argmax() == label for output, label in zip(outputs, expected)]))
    sys.exit(0)

source, scratch = sys.argv[1:]
sys.path.insert(0, os.path.join(source, "tools"))
from classify import features  # noqa: E402

MOST = 1600


def files():
    listed = subprocess.run(["git", "-C", source, "ls-files"], stdout=subprocess.PIPE, text=True).stdout.split("\n")
    own = [os.path.join(source, name) for name in listed if name]
    if not own:  # an export without a history
        own = [os.path.join(folder, name) for part in ("codegen", "docs", "ir", "passes", "runtime", "test", "tools")
               for folder, _, names in os.walk(os.path.join(source, part)) for name in names]
    library = sysconfig.get_paths()["stdlib"]
    python = [os.path.join(folder, name) for folder, _, names in os.walk(library) for name in names
              if not folder.startswith(os.path.join(library, "site-packages"))]
    every = sorted(p for p in own + python if os.path.isfile(p) and os.path.getsize(p) > 200)
    return every[::-(-len(every) // MOST)]


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def labels(model, of, name):
    run("optc-run", model, "--inputs", os.path.join(scratch, of), "--outputs", os.path.join(scratch, name))
    return numpy_helper.to_array(onnx.load_tensor(os.path.join(scratch, name, "output_0.pb"))).argmax(axis=1)


def main():
    samples = numpy.concatenate([features(path) for path in files()])
    for name, part in ("guard", samples[2::4]), ("judge", samples[1::2]):
        os.makedirs(os.path.join(scratch, name), exist_ok=True)
        numpy.save(os.path.join(scratch, name, "input_0.npy"), part)
    numpy.savez(os.path.join(scratch, "calib.npz"), input_0=samples[::4])
    numpy.savez(os.path.join(scratch, "golden.npz"), input_0=samples[2::4])
    model = os.path.join(source, "test", "data", "magika", "model.onnx")
    f32, int8 = (os.path.join(scratch, name) for name in ("f32.so", "int8.so"))
    run("optc", model, "-o", f32)
    calib = os.path.join(scratch, "calib.npz")
    wanted = os.path.join(scratch, "labels.npy")
    numpy.save(wanted, labels(f32, "guard", "guarded"))
    metric = f"--metric='{sys.executable}' '{__file__}' agree '{wanted}' {{outputs}}"
    run("optc", model, "--int8", "--calib=" + calib, "--bias-correction", "--golden=" + os.path.join(scratch, "golden.npz"), metric,
        "--max-drop=0", "-o", int8)
    expected, got = labels(f32, "judge", "f32"), labels(int8, "judge", "int8")
    same = int((expected == got).sum())
    print(f"{len(set(expected))} labels, {same} of {len(expected)} the same: {same / len(expected):.2%}")
    if len(set(expected)) < 5 or same < 0.99 * len(expected):
        sys.exit(1)


if __name__ == "__main__":
    main()
