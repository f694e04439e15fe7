"""Writes inputs as numpy and onnx do, checks outputs with them."""
import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper

command, root = sys.argv[1:]
x = np.array([3, 1, 3, 2], np.float32)
expected = [3 * x, np.array([2, 4, 6, 8], np.float32), np.array([1, 2, 3], np.float32)]


def write_pb(name, array):
    open(f"{root}/pb/{name}.pb", "wb").write(numpy_helper.from_array(array).SerializeToString())


def read_pb(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(open(path, "rb").read())
    return numpy_helper.to_array(tensor)


if command == "write":
    for folder in ("pb", "npy", "name", "npz"):
        os.makedirs(f"{root}/{folder}")
    write_pb("input_0", x)
    for i, array in enumerate(expected):
        write_pb(f"output_{i}", array)
    np.save(f"{root}/npy/input_0.npy", x)
    np.save(f"{root}/name/x.npy", x)
    np.savez(f"{root}/npz/anything.npz", x=x)
    np.savez_compressed(f"{root}/packed.npz", input_0=x)
else:
    archive = np.load(f"{root}/out/outputs.npz")
    for i, array in enumerate(expected):
        for read in (read_pb(f"{root}/out/output_{i}.pb"), np.load(f"{root}/out/output_{i}.npy"), archive["yzu"[i]]):
            assert read.dtype == array.dtype and read.shape == array.shape and (read == array).all(), (i, read)
