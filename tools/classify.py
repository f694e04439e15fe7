#!/usr/bin/env python3
"""Says what type of file the Magika model sees: classify.py OPTC_RUN MODEL.so LABELS.json FILE...

The model takes 2,048 integers: the first 1,024 bytes of the file without leading white space, then the last 1,024
without trailing white space, 256 where the file is shorter.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy
import onnx
from onnx import numpy_helper

SIZE, BLOCK, PADDING = 1024, 4096, 256


def features(path):
    with open(path, "rb") as file:
        first = file.read(BLOCK).lstrip()[:SIZE]
        file.seek(max(0, os.path.getsize(path) - BLOCK))
        last = file.read(BLOCK).rstrip()[-SIZE:]
    values = list(first) + [PADDING] * (SIZE - len(first)) + [PADDING] * (SIZE - len(last)) + list(last)
    return numpy.array([values], dtype=numpy.int32)


def main():
    runner, model, labels, *paths = sys.argv[1:]
    names = json.load(open(labels))
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            numpy.save(os.path.join(folder, "bytes.npy"), features(path))
            out = os.path.join(folder, "out")
            os.mkdir(out)
            subprocess.run([runner, model, "--inputs", folder, "--outputs", out], check=True, stdout=subprocess.DEVNULL)
            scores = numpy_helper.to_array(onnx.load_tensor(os.path.join(out, "output_0.pb")))[0]
        print(f"{path}: {names[int(scores.argmax())]} ({scores.max():.0%})")


if __name__ == "__main__":
    main()
