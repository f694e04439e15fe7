"""An ONNX model as a torch module that torch is measured by: straight-line Python over torch's own functions, for the sizes of given inputs.

What depends on sizes and weights alone is computed once, here. Linear layers, GELU, SiLU and attention that the model spells out become the functions that
a model written for torch calls."""
import math
import re
from types import SimpleNamespace

import onnx
import torch
import torch.nn.functional as F

from torch_operators import FIXED, OPERATORS, Unsupported, only, run_non_max_suppression, run_recurrent, tensor_of

# What a model spells out. A number matches a constant of that value, "?x" a number of any value, which becomes an attribute, other strings what they are first.
ERF = ("Add", ("Erf", ("Div", "x", math.sqrt(2))), 1.0)
TANH = ("Add", ("Tanh", ("Mul", ("Add", ("Mul", ("Pow", "x", 3.0), 0.044715), "x"), math.sqrt(2 / math.pi))), 1.0)
SCORES = ("MatMul", "q", "k")
PATTERNS = [(("MatMul", ("Softmax", scores), "v"), "Attention of torch", names)
            for of, names in ((SCORES, "q k v"), (("Mul", SCORES, "?scale"), "q k v"))
            for scores, names in ((of, names), (("Add", of, "mask"), names + " mask"))]
PATTERNS += [(("Mul", ("Mul", "x", of), 0.5), name, "x") for of, name in ((ERF, "Gelu of erf"), (TANH, "Gelu of tanh"))]
PATTERNS += [(("Mul", ("Mul", "x", 0.5), of), name, "x") for of, name in ((ERF, "Gelu of erf"), (TANH, "Gelu of tanh"))]
PATTERNS += [(("Mul", "x", ("Sigmoid", "x")), "Silu", "x"), (("Add", ("MatMul", "x", "w"), "b"), "Linear", "x w b")]


FLOATS = {"FLOAT": torch.float32, "FLOAT16": torch.float16, "BFLOAT16": torch.bfloat16}


class Node:
    """A node as the expressions of OPERATORS see it."""

    def __init__(self, of, op, inputs, outputs, attributes):
        self.of, self.op, self.inputs, self.outputs, self.attributes, self.opset = of, op, inputs, outputs, attributes, of.opset
        self.results = None  # or how many its expression gives
        for name, value in FIXED.get(op, {}).items():
            only(attributes.get(name, value) == value, f"{op} with {name}")

    def a(self, name, *default):
        only(default or name in self.attributes, f"{self.op} without {name}")
        return self.attributes.get(name, *default)

    def has(self, i):
        return i < len(self.inputs) and self.inputs[i] != ""

    def x(self, i):
        return self.of.code(self.inputs[i]) if self.has(i) else "None"

    def s(self, i):
        """A number that the other operand outranks is written as one."""
        others = [j for j in range(len(self.inputs)) if j != i and not self.is_known(j)]
        if self.is_known(i) and others and self.value(i).numel() == 1 and self.rank(i) <= min(map(self.rank, others)) and self.value(i).dtype != torch.bool:
            return f"({self.value(i).item()})"
        return self.x(i)

    def is_known(self, i):
        return self.has(i) and self.inputs[i] in self.of.constants

    def value(self, i):
        only(self.is_known(i), f"{self.op} whose input {i} is computed")
        return self.of.constants[self.inputs[i]]

    def known(self, i, *default):
        return self.value(i).tolist() if self.has(i) or not default else default[0]

    def number(self, i):
        return self.value(i).reshape(-1).tolist()[0]

    def shape(self, i):
        return self.of.shapes[self.inputs[i]][0]

    def dtype(self, i):
        return self.of.shapes[self.inputs[i]][1]

    def rank(self, i):
        return len(self.shape(i))

    def new(self, value):
        """A constant or layer that the model does not have as such."""
        name = f"new {self.of.count}"
        self.of.keep(name, value)
        return self.of.code(name)


class Converter:
    def __init__(self, model, device):
        self.graph, self.device = model.graph, device
        self.opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self.constants, self.shapes, self.codes, self.known, self.count = {}, {}, {}, SimpleNamespace(), 0
        self.scope = {"torch": torch, "F": F, "inf": math.inf, "nan": math.nan, "DEVICE": device, **FLOATS, "m": self.known,
                      "run_recurrent": run_recurrent, "run_non_max_suppression": run_non_max_suppression}
        for initializer in self.graph.initializer:
            self.keep(initializer.name, tensor_of(initializer))
        self.inputs = [i.name for i in self.graph.input if i.name not in self.constants]

    def code(self, name):
        only(name in self.codes, f"{name}, an output that torch's function lacks")
        return self.codes[name]

    def keep(self, name, value):
        value = value.to(self.device)
        self.constants[name], self.codes[name], self.count = value, f"m.c{self.count}", self.count + 1
        if isinstance(value, torch.Tensor):
            self.shapes[name] = (list(value.shape), value.dtype)
        setattr(self.known, self.codes[name][2:], value)

    def see(self, name, value, values):
        self.codes.setdefault(name, f"v{len(self.codes)}")
        self.shapes[name] = (list(value.shape), value.dtype)
        values[self.codes[name]] = value

    def evaluate(self, inputs):
        """Runs the model once; what it computes from its inputs' values stays as nodes."""
        values, self.nodes = {}, []
        for name in self.inputs:
            self.see(name, inputs[name], values)
        uses = self.count_uses(self.graph.node)
        for node in self.graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            attributes = {key: value.decode() if isinstance(value, bytes) else value for key, value in attributes.items()}
            if node.op_type == "Constant":
                value = next(iter(attributes.values()))
                self.keep(node.output[0], tensor_of(value) if isinstance(value, onnx.TensorProto) else torch.tensor(value))
                continue
            only(node.op_type in OPERATORS and node.domain in ("", "ai.onnx"), f"operator {node.op_type}")
            n = Node(self, node.op_type, list(node.input), list(node.output), attributes)
            try:
                result = eval(OPERATORS[n.op](n), self.scope, values)
            except (IndexError, NotImplementedError, RuntimeError, TypeError) as problem:
                raise Unsupported(f"{n.op}: {str(problem).splitlines()[0]}") from None
            is_known = n.op in ("Shape", "Size") or all(n.is_known(i) for i in range(len(n.inputs)) if n.has(i))
            n.results = len(result) if isinstance(result, (tuple, list)) else None
            for name, value in zip(n.outputs, result if n.results else [result]):
                if is_known and name:
                    self.keep(name, value)
                elif name:
                    self.see(name, value, values)
            if not is_known:
                self.nodes.append(n)
            for name in n.inputs:
                uses[name] -= 1
                if uses[name] == 0 and name not in self.constants:
                    values.pop(self.codes.get(name), None)

    def count_uses(self, nodes):
        uses = {}
        for name in [o.name for o in self.graph.output] + [name for node in nodes for name in (node.inputs if isinstance(node, Node) else node.input)]:
            uses[name] = uses.get(name, 0) + 1
        return uses

    def match(self, pattern, name, bound, is_root=True):
        if isinstance(pattern, float) or isinstance(pattern, str) and pattern[0] == "?":
            value = self.constants.get(name)
            if not isinstance(value, torch.Tensor) or value.numel() != 1:
                return False
            if isinstance(pattern, str):
                return bound.setdefault(pattern, value.item()) == value.item()
            return abs(value.item() - pattern) <= 1e-4 * pattern
        if isinstance(pattern, str):
            return bound.setdefault(pattern, name) == name
        node = self.producers.get(name)
        if node is None or node.op != pattern[0] or not is_root and self.uses[name] != 1 or node.op == "Softmax" and node.a("axis", -1) not in (-1, node.rank(0) - 1):
            return False
        for inputs in (node.inputs, node.inputs[::-1])[:2 if node.op in ("Add", "Mul") else 1]:
            attempt = dict(bound)
            if len(inputs) == len(pattern) - 1 and all(self.match(p, i, attempt, False) for p, i in zip(pattern[1:], inputs)):
                bound.update(attempt)
                return True
        return False

    def fuse(self):
        """Puts PATTERNS into place; nodes that nothing uses then go."""
        for pattern, op, names in PATTERNS:
            self.producers = {name: n for n in self.nodes for name in n.outputs}
            self.uses = self.count_uses(self.nodes)
            for at, node in enumerate(self.nodes):
                bound = {}
                if len(node.outputs) != 1 or not self.match(pattern, node.outputs[0], bound):
                    continue
                inputs = [bound[name] for name in names.split()]
                if op == "Linear" and not (inputs[1] in self.constants and inputs[2] in self.constants and len(self.shapes[inputs[2]][0]) == 1 and
                                           self.shapes[inputs[2]][0] == self.shapes[inputs[1]][0][1:]):
                    continue
                fused = Node(self, op, inputs, node.outputs, {name[1:]: value for name, value in bound.items() if name[0] == "?"})
                try:
                    OPERATORS[op](fused)
                except Unsupported:
                    continue
                self.nodes[at] = fused
            needed = {o.name for o in self.graph.output}
            for node in self.nodes[::-1]:
                if needed.isdisjoint(node.outputs):
                    self.nodes.remove(node)
                else:
                    needed.update(node.inputs)

    def source(self):
        lines, last = [], {}
        for at, node in enumerate(self.nodes):
            last.update((name, at) for name in node.inputs)
        kept = {o.name for o in self.graph.output}
        for at, node in enumerate(self.nodes):
            parts = [self.codes[name] if name in last or name in kept else "_" for name in (node.outputs + [""] * 3)[:node.results or 1]]
            text = f"{', '.join(parts)}{',' if node.results == 1 else ''} = {OPERATORS[node.op](node)}"
            gone = sorted({self.codes[name] for name in node.inputs if name and last[name] == at and name not in self.constants and name not in kept})
            lines.append(text + (f"; del {', '.join(gone)}" if gone else ""))
        lines.append(f"return ({', '.join(self.code(o.name) for o in self.graph.output)},)")
        return f"def forward(m, {', '.join(self.codes[name] for name in self.inputs)}):\n" + "".join(f"    {line}\n" for line in lines)


class Model(torch.nn.Module):
    """forward(inputs in their order) gives the outputs in theirs. `dtype`, where given, is that of all floats of 32 and 16 bits."""

    def __init__(self, model, inputs, dtype=None, channels_last=False):
        super().__init__()
        converter = Converter(model, next(iter(inputs.values())).device)
        with torch.no_grad():
            converter.evaluate(inputs)
            converter.fuse()
            self.source = converter.source()
        for name in sorted(set(re.findall(r"\bm\.(\w+)", self.source))):
            value = getattr(converter.known, name)
            if isinstance(value, torch.nn.Module):
                setattr(self, name, value.to(dtype) if dtype else value)
                continue
            value = floats_as(value, dtype).contiguous()
            if channels_last and value.dim() == 4 and re.search(rf"F\.conv\w+\(\w+, m\.{name}\b", self.source):
                value = value.contiguous(memory_format=torch.channels_last)
            self.register_buffer(name, value)
        scope = {**converter.scope, **{name: dtype or own for name, own in FLOATS.items()}}
        del scope["m"]  # its constants are those of the module now
        exec(compile(self.source, "<model>", "exec"), scope)
        self.run = scope["forward"]

    def forward(self, *inputs):
        return self.run(self, *inputs)


def floats_as(value, dtype):
    """What is beyond the type's range, as masks are, becomes its largest."""
    if dtype is None or value.dtype not in FLOATS.values():
        return value
    limit = min(torch.finfo(dtype).max, torch.finfo(value.dtype).max)
    return torch.where(value.isinf(), value, value.clamp(-limit, limit)).to(dtype)
