"""Writes models whose one weight is external: python external_data.test.py FOLDER"""
import os
import sys

import onnx
from onnx import TensorProto, helper

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
with open(os.path.join(folder, "data"), "wb") as file:
    file.write(bytes(4096))
with open(os.path.join(os.path.dirname(folder), "secret"), "wb") as file:
    file.write(bytes(4096))
if not os.path.lexists(os.path.join(folder, "link")):
    os.symlink("../secret", os.path.join(folder, "link"))

CASES = {"absolute": {"location": "/etc/passwd"}, "parent": {"location": "../secret"}, "link": {"location": "link"},
         "missing": {"location": "nothing"}, "range": {"location": "data", "offset": "4096", "length": "4096"},
         "size": {"location": "data", "offset": "0", "length": "8"}, "good": {"location": "data"}}
for name, entries in CASES.items():
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1024], data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        weight.external_data.add(key=key, value=value)
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1024]) for n in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "main", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with open(os.path.join(folder, name + ".onnx"), "wb") as file:
        file.write(model.SerializeToString())
