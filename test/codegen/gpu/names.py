"""names.py FILE: writes a model whose names hold line ends and backslashes."""
import sys

from onnx import TensorProto, helper

node = helper.make_node("Exp", ["x"], ["y"], name="first\n#error\\")
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n\n\\"]) for name in "xy")
model = helper.make_model(helper.make_graph([node], "names", [x], [y]), opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
open(sys.argv[1], "wb").write(model.SerializeToString())
