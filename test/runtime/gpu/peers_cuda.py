"""peers_cuda.py FOLDER DATA: how peer.py uses CUDA graphs, events and TensorRT's Python package, with stand-ins for them on the CPU.

The stand-in for TensorRT has what the package of version 11 is asked for here, and no more; an engine gives the outputs of DATA/test_data_set_0."""
import contextlib
import ctypes
import enum
import os
import shutil
import sys
import types

import numpy
import onnx
import torch

import peer

folder, data = sys.argv[1:]
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
calls = []


class BuilderFlag(enum.Enum):
    TF32 = 0


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1


class Engine:
    """Of what it needs, the builder's configuration, profile, runtime and context, too."""

    def __init__(self, model=None):
        self.model, self.addresses, self.create_execution_context = model, {}, lambda: self
        self.flags, self.clear_flag, self.create_optimization_profile, self.add_optimization_profile = {BuilderFlag.TF32}, lambda flag: self.flags.remove(flag), lambda: self, calls.append
        self.create_builder_config, self.create_network = lambda: self, lambda flags: types.SimpleNamespace(flags=flags)
        self.deserialize_cuda_engine, self.set_input_shape, self.set_tensor_address = Engine, lambda name, shape: None, self.addresses.__setitem__

    def set_shape(self, name, least, usual, most):
        assert least == usual == most == (1, 1, 28, 28)

    def build_serialized_network(self, network, config):
        assert network.flags == 2 and not self.flags and calls == [self], (network.flags, self.flags, calls)
        return network.model

    def port(self, name):
        return next(v.type.tensor_type for v in (*self.model.graph.input, *self.model.graph.output) if v.name == name)

    def get_tensor_dtype(self, name):
        return types.SimpleNamespace(name=onnx.TensorProto.DataType.Name(self.port(name).elem_type))

    def get_tensor_shape(self, name):
        return [d.dim_value for d in self.port(name).shape.dim]

    def execute_async_v3(self, stream):
        calls.append(stream)
        for output, values in zip(self.model.graph.output, peer.read_tensors(f"{data}/test_data_set_0", "output")):
            ctypes.memmove(self.addresses[output.name], numpy.ascontiguousarray(values).ctypes.data, values.nbytes)
        return True


class Parser:
    def __init__(self, network, logger):
        self.network = network

    def parse_from_file(self, path):
        self.network.model = onnx.load(path)
        return True


class Graph:
    replay = staticmethod(lambda: calls.append("replay"))


class Event:
    def __init__(self, enable_timing):
        assert enable_timing
    record = staticmethod(lambda: None)
    elapsed_time = staticmethod(lambda end: 8.0)


class Logger:
    ERROR = 1

    def __init__(self, level):
        assert level == Logger.ERROR


sys.modules["tensorrt"] = types.SimpleNamespace(Logger=Logger, Builder=lambda logger: Engine(), OnnxParser=Parser, Runtime=lambda logger: Engine(), BuilderFlag=BuilderFlag,
                                                NetworkDefinitionCreationFlag=NetworkDefinitionCreationFlag)
torch.cuda.Stream, torch.cuda.CUDAGraph, torch.cuda.Event = lambda: types.SimpleNamespace(cuda_stream=7), Graph, Event
torch.cuda.graph, torch.cuda.synchronize = lambda graph, stream=None: contextlib.nullcontext(), lambda: calls.append("wait")
for precision in ("f32", "bf16"):
    calls.clear()
    settings = {"model": f"{data}/model.onnx", "data": f"{data}/test_data_set_0", "precision": precision, "device": "cpu", "folder": folder}
    ready, time_it = peer.tensorrt_peer(settings)
    assert calls[1:] == [7, 7, "replay"], calls  # once by itself, once recorded
    times = time_it(0.01)
    assert ready == {} and calls.count("replay") > 3 and times["p50_ms"] <= times["p99_ms"]
assert {i.data_type for i in onnx.load(f"{folder}/model.onnx").graph.initializer} == {onnx.TensorProto.BFLOAT16, onnx.TensorProto.INT64}

# Launches of 8 ms a graph.
for name in ("rand", "ones", "empty"):
    setattr(torch, name, lambda *sizes, make=getattr(torch, name), device=None, **more: make(*sizes, **more))
products = [f"contract: {kind} 64x32, {kind} 32x48 -> {result} 64x48" for kind, result in (("f32", "f32"), ("bf16", "bf16"), ("f16", "f16"), ("i8", "i32"), ("f8e4m3fn", "bf16"))]
ready, time_it = peer.cublas_peer({"products": products, "device": "cuda"})
times = time_it(None)
assert set(times) >= set(products[:4]) and all(round(8000 / us, 6) in range(1, 51) for us in times.values()), times
print("graphs, events and engines agree")
