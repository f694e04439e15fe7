"""inputs.py FOLDER: folders of inputs for perceptron.onnxtxt, whose input is float[batch, 4]."""
import os
import sys

import numpy
from onnx import numpy_helper

CASES = {
    "good": numpy.ones((3, 4), numpy.float32),
    "type": numpy.ones((3, 4), numpy.int64),
    "rank": numpy.ones((3, 4, 1), numpy.float32),
    "dim": numpy.ones((3, 5), numpy.float32),
    "none": None,
}
for name, value in CASES.items():
    folder = os.path.join(sys.argv[1], name)
    os.makedirs(folder, exist_ok=True)
    if value is not None:
        with open(os.path.join(folder, "input_0.pb"), "wb") as file:
            file.write(numpy_helper.from_array(value, "x").SerializeToString())
