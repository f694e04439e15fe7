"""texts.py FOLDER: two models of texts that differ in two of three, and a set of inputs."""
import os
import sys

import onnx
from onnx import TensorProto, helper

folder = sys.argv[1]
for name, suffixes in (("model", ["a", "b", "c"]), ("other", ["a", "x", "y"])):
    graph = helper.make_graph(
        [helper.make_node("StringConcat", ["x", "s"], ["y"], name="join")], "texts",
        [helper.make_tensor_value_info("x", TensorProto.STRING, [3])],
        [helper.make_tensor_value_info("y", TensorProto.STRING, [3])],
        [helper.make_tensor("s", TensorProto.STRING, [3], [s.encode() for s in suffixes])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), f"{folder}/{name}.onnx")
os.makedirs(f"{folder}/set", exist_ok=True)
onnx.save_tensor(helper.make_tensor("x", TensorProto.STRING, [3], [b"one", b"two", b"three"]), f"{folder}/set/input_0.pb")
