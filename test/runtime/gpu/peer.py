"""peer.py WHAT SETTINGS: a process that runs a model beside optc, for peers.py: says that it is ready, then answers each line by what it has measured."""
import argparse
import glob
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

# How far from the reference outputs, as 2-norms. In bf16 all tensors of torch and TensorRT are of 16 bits, those between layers too.
TOLERANCES = {"f32": 1e-3, "bf16": 0.2}


class LeftOut(Exception):
    """Why there is no time: "not timed: ...", or "wrong: ..."."""

    def __init__(self, why):
        super().__init__(why if str(why).startswith(("wrong: ", "not timed: ")) else f"not timed: {why}")


def operands_of(what):
    """Of "cast,cast,contract,cast,add: bf16 64x32, bf16 32x16, ... -> bf16 64x16" the type and m, n, k; none of what is no product of two matrices of one type, or of bytes."""
    found = re.match(r"(?:\w+,)*contract\b.*?: (\w+) (\d+)x(\d+), (\w+) \3x(\d+)(?:,| ->).* \2x\5$", what)
    if not found or found[1] != found[4] and {found[1], found[4]} != {"u8", "i8"}:
        return None
    return found[4], int(found[2]), int(found[5]), int(found[3])


def probe(device):
    has, missing = {}, {}
    for module, name in (("torch", "torch"), ("onnx", "onnx"), ("tensorrt", "TensorRT")):
        try:
            has[name] = str(__import__(module).__version__)
        except ImportError:
            missing[name] = "not installed"
        except Exception as problem:  # a library that it needs, for instance
            missing[name] = f"{problem}".splitlines()[0]
    if "torch" in has and device == "cuda" and not sys.modules["torch"].cuda.is_available():
        missing["torch"] = f"{has.pop('torch')} sees no GPU"
    if "TensorRT" not in has or "torch" not in has:
        has.pop("TensorRT", None)
        if shutil.which("trtexec"):
            has["TensorRT"] = "(trtexec)"
            missing.pop("TensorRT", None)
        else:
            missing.setdefault("TensorRT", "its Python package is timed through torch, which is not there; nor is trtexec")
    if "onnx" not in has and ("torch" in has or "TensorRT" in has):
        missing["onnx"] += ", so that models are timed by optc alone"
    return {"has": has, "missing": missing}


def read_tensors(data, kind):
    from onnx import TensorProto, numpy_helper
    return [numpy_helper.to_array(TensorProto.FromString(open(f"{data}/{kind}_{i}.pb", "rb").read())) for i in range(len(glob.glob(f"{data}/{kind}_*.pb")))]


def read_case(settings):
    """The model, its inputs by name and its outputs."""
    import onnx
    model = onnx.load(settings["model"])
    weights = {i.name for i in model.graph.initializer}
    names = [i.name for i in model.graph.input if i.name not in weights]
    inputs = read_tensors(settings["data"], "input")
    if len(inputs) != len(names):
        raise LeftOut(f"{len(inputs)} inputs are given, the model has {len(names)}")
    return model, dict(zip(names, inputs)), read_tensors(settings["data"], "output")


def in_bf16(model):
    """All floats of the model become bf16, its inputs and outputs apart: TensorRT takes a precision from the model alone."""
    import numpy
    import onnx
    graph, float32, bfloat16 = model.graph, onnx.TensorProto.FLOAT, onnx.TensorProto.BFLOAT16
    always_f32 = {name for node in graph.node if node.op_type in ("Resize", "Upsample", "NonMaxSuppression") for name in node.input[1:]}

    def round_tensor(tensor):
        if tensor.data_type == float32:
            values = numpy.clip(onnx.numpy_helper.to_array(tensor), -3.38953139e38, 3.38953139e38)  # masks are beyond bf16's range
            bits = numpy.ascontiguousarray(values).view(numpy.uint32)
            bits = (bits + 0x7fff + (bits >> 16 & 1)) >> 16
            tensor.CopyFrom(onnx.helper.make_tensor(tensor.name, bfloat16, tensor.dims, bits.astype(numpy.uint16).tobytes(), raw=True))
    weights = {tensor.name for tensor in graph.initializer}
    ports = {v.name: f"{v.name} in bf16" for v in (*graph.input, *graph.output) if v.type.tensor_type.elem_type == float32 and v.name not in weights}
    for tensor in graph.initializer:
        if tensor.name not in always_f32:
            round_tensor(tensor)
    for value in graph.input:
        if value.name in weights - always_f32 and value.type.tensor_type.elem_type == float32:
            value.type.tensor_type.elem_type = bfloat16
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t") and always_f32.isdisjoint(node.output):
                round_tensor(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == float32:
                attribute.i = bfloat16
        for names in (node.input, node.output):
            names[:] = [ports.get(name, name) for name in names]
    first = [onnx.helper.make_node("Cast", [v.name], [ports[v.name]], to=bfloat16) for v in graph.input if v.name in ports]
    last = [onnx.helper.make_node("Cast", [ports[v.name]], [v.name], to=float32) for v in graph.output if v.name in ports]
    nodes = [*first, *graph.node, *last]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)


def compare(outputs, expected, precision):
    import numpy
    for i, (got, wanted) in enumerate(zip(outputs, expected)):
        if got.shape != wanted.shape:
            raise LeftOut(f"wrong: output {i} has other sizes")
        got, wanted, kind = got.astype(numpy.float64), wanted.astype(numpy.float64), wanted.dtype
        error = numpy.linalg.norm(got - wanted) / max(numpy.linalg.norm(wanted), 1e-30)
        if not error <= max(TOLERANCES[precision], 1e-2 if kind == numpy.float16 else 0):
            raise LeftOut(f"wrong: output {i} differs by {100 * error:.3g} %")


def measure(run, wait, seconds):
    """As optc-run measures: runs for a while, then with the clock."""
    def run_for(duration, times, least):
        start = time.perf_counter()
        while time.perf_counter() - start < duration or len(times) < least:
            before = time.perf_counter()
            run()
            wait()
            times.append(time.perf_counter() - before)
        return sorted(times)
    run_for(min(0.5, seconds * 0.2), [], 1)
    return percentiles(run_for(seconds, [], 3), 1e3)


def percentiles(times, scale):
    return {"p50_ms": times[len(times) // 2] * scale, "p99_ms": times[len(times) * 99 // 100] * scale}


def with_torch(device):
    """f32 is f32; cuDNN tries its algorithms."""
    import torch
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    torch.set_grad_enabled(False)
    return torch, torch.cuda.synchronize if device == "cuda" else lambda: None


def torch_peer(settings, is_compiled):
    torch, wait = with_torch(settings["device"])
    from onnx_torch import Model, Unsupported, floats_as
    model, inputs, expected = read_case(settings)
    dtype = torch.bfloat16 if settings["precision"] == "bf16" else None
    inputs = {name: torch.from_numpy(value.copy()).to(settings["device"]) for name, value in inputs.items()}
    try:
        module = Model(model, inputs, dtype, channels_last=settings["precision"] == "bf16")
    except Unsupported as why:
        raise LeftOut(why) from None
    inputs = [floats_as(value, dtype) for value in inputs.values()]
    if settings["precision"] == "bf16":
        inputs = [value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value for value in inputs]
    compiled = torch.compile(module, mode="reduce-overhead") if is_compiled else module

    def run():
        if is_compiled:
            torch.compiler.cudagraph_mark_step_begin()
        return compiled(*inputs)
    for _ in range(4 if is_compiled else 1):  # by then its graphs are recorded
        outputs = [value.double() if value.is_floating_point() else value for value in run()]
        compare([value.cpu().numpy() for value in outputs], expected, settings["precision"])
    return {}, lambda seconds: measure(run, wait, seconds)


def tensorrt_peer(settings):
    """By its Python package, with tensors of torch in a CUDA graph; where either is missing by trtexec."""
    model, inputs, expected = read_case(settings)
    outputs, path = [output.name for output in model.graph.output], settings["model"]
    if settings["precision"] == "bf16":
        import onnx
        path = f"{settings['folder']}/model.onnx"
        in_bf16(model)
        onnx.save(model, path)
    try:
        import tensorrt
        torch, wait = with_torch(settings["device"])
    except ImportError:
        return trtexec_peer(settings, path, inputs, [i.name for i in model.graph.input if any(not d.HasField("dim_value") for d in i.type.tensor_type.shape.dim)], outputs, expected)
    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    config = builder.create_builder_config()
    config.clear_flag(tensorrt.BuilderFlag.TF32)
    flags = tensorrt.NetworkDefinitionCreationFlag  # of which new versions ignore both, or lack the first
    network = builder.create_network(sum(1 << int(getattr(flags, name)) for name in ("EXPLICIT_BATCH", "STRONGLY_TYPED") if hasattr(flags, name)))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse_from_file(path):
        raise LeftOut(parser.get_error(0).desc())
    profile = builder.create_optimization_profile()
    for name, value in inputs.items():
        profile.set_shape(name, value.shape, value.shape, value.shape)
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise LeftOut("TensorRT builds no engine")
    runtime = tensorrt.Runtime(logger)
    engine = runtime.deserialize_cuda_engine(plan)
    context = engine.create_execution_context()
    types = {"FLOAT": torch.float32, "HALF": torch.float16, "BF16": torch.bfloat16, "INT64": torch.int64, "INT32": torch.int32, "INT8": torch.int8, "UINT8": torch.uint8,
             "BOOL": torch.bool}
    tensors = {}
    for name, value in inputs.items():
        context.set_input_shape(name, value.shape)
        tensors[name] = torch.from_numpy(value.copy()).to(settings["device"], types[engine.get_tensor_dtype(name).name])
    for name in outputs:
        shape = tuple(context.get_tensor_shape(name))
        if min(shape, default=0) < 0:
            raise LeftOut(f"the sizes of {name} depend on values")
        tensors[name] = torch.empty(shape, dtype=types[engine.get_tensor_dtype(name).name], device=settings["device"])
    for name, tensor in tensors.items():
        context.set_tensor_address(name, tensor.data_ptr())
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    if not context.execute_async_v3(stream.cuda_stream):
        raise LeftOut("TensorRT's engine does not run")
    wait()
    with torch.cuda.graph(graph, stream=stream):
        context.execute_async_v3(stream.cuda_stream)
    graph.replay()
    wait()
    compare([tensors[name].double().cpu().numpy() for name in outputs], expected, settings["precision"])

    def run(needed=(runtime, engine, context, tensors)):
        graph.replay()
    return {}, lambda seconds: measure(run, wait, seconds)


def trtexec_peer(settings, path, inputs, dynamic, outputs, expected):
    import numpy
    folder = settings["folder"]

    def trtexec(*flags):
        done = subprocess.run(["trtexec", *flags], capture_output=True, text=True, errors="replace")
        if done.returncode:
            lines = (done.stdout + done.stderr).strip().splitlines() or [f"status {done.returncode}"]
            raise LeftOut(f"trtexec: {([line for line in lines if '[E]' in line] or lines[-1:])[0]}"[:200])
    shapes = ",".join(f"{name}:{'x'.join(map(str, value.shape))}" for name, value in inputs.items() if name in dynamic)
    shapes = [f"--shapes={shapes}"] if shapes else []
    for i, value in enumerate(inputs.values()):
        value.tofile(f"{folder}/{i}.bin")
    trtexec(f"--onnx={path}", f"--saveEngine={folder}/engine", "--noTF32", "--stronglyTyped", "--skipInference", *shapes)
    given = [f"--loadEngine={folder}/engine", "--loadInputs=" + ",".join(f"{name}:{folder}/{i}.bin" for i, name in enumerate(inputs)), *shapes]
    trtexec(*given, f"--exportOutput={folder}/outputs.json", "--iterations=1", "--warmUp=0", "--duration=0")
    said = {output["name"]: output for output in json.load(open(f"{folder}/outputs.json"))}
    sizes = {name: [int(size) for size in re.findall(r"\d+", said[name]["dimensions"])] for name in outputs}
    compare([numpy.array(said[name]["values"]).reshape(sizes[name]) for name in outputs], expected, settings["precision"])

    def time_it(seconds):
        trtexec(*given, "--useCudaGraph", "--noDataTransfers", "--useSpinWait", f"--exportTimes={folder}/times.json", f"--duration={seconds:g}", "--warmUp=200")
        return percentiles(sorted(run["computeMs"] for run in json.load(open(f"{folder}/times.json"))), 1)
    return {"note": "by trtexec: the GPU's time, without launches"}, time_it


def cublas_peer(settings):
    """As gpu-run measures: medians of graphs of launches, by the device's clock."""
    torch, wait = with_torch(settings["device"])
    types = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "i8": torch.int8, "f8e4m3fn": torch.float8_e4m3fn}

    def call_of(kind, m, n, k):
        def matrix(rows, columns):
            values = torch.rand(rows, columns, device=settings["device"]) * 4 - 2  # as gpu-run fills its operands
            return (values * 1.5).round().to(types[kind]) if kind == "i8" else values.to(types[kind])
        if kind in ("i8", "f8e4m3fn"):  # whose right operand has its columns in a row
            a, b, one = matrix(m, k), matrix(n, k).t(), torch.ones((), device=settings["device"])
            return lambda: torch._int_mm(a, b) if kind == "i8" else torch._scaled_mm(a, b, one, one, out_dtype=torch.bfloat16)
        a, b = matrix(m, k), matrix(k, n)
        y = torch.empty(m, n, dtype=types[kind], device=settings["device"])
        return lambda: torch.matmul(a, b, out=y)

    def microseconds(call):
        for _ in range(3):
            before = time.perf_counter()
            call()
            wait()
            once = time.perf_counter() - before
        if settings["device"] == "cpu":
            return once * 1e6
        launches = max(1, min(50, int(1e-3 / once)))
        graph, times = torch.cuda.CUDAGraph(), []
        with torch.cuda.graph(graph):
            for _ in range(launches):
                call()
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        for _ in range(27):
            start.record()
            graph.replay()
            end.record()
            wait()
            times.append(start.elapsed_time(end) * 1e3 / launches)
        return statistics.median(times[2:])

    def time_all(_):
        times = {}
        for what in settings["products"]:
            kind, *sizes = operands_of(what)
            try:
                times[what] = microseconds(call_of(kind, *sizes))
            except (KeyError, RuntimeError):  # a type that it has no product of
                continue
        return times
    return {}, time_all


def serve(what, settings):
    """Answers on what was stdout: libraries may print."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()
    try:
        if what == "probe":
            return answer(probe(settings["device"]))
        make = {"torch eager": lambda s: torch_peer(s, False), "torch compile": lambda s: torch_peer(s, True), "TensorRT": tensorrt_peer, "cuBLAS": cublas_peer}[what]
        ready, time_it = make(settings)
        answer(ready)
        for line in sys.stdin:
            answer(time_it(json.loads(line)))
    except LeftOut as why:
        answer({"left_out": str(why)})
    except Exception as problem:
        answer({"left_out": f"{type(problem).__name__}: {(str(problem).strip().splitlines() or [''])[0]}"[:200]})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("probe", "torch eager", "torch compile", "TensorRT", "cuBLAS"))
    parser.add_argument("settings", type=json.loads)
    arguments = parser.parse_args()
    serve(arguments.what, arguments.settings)
