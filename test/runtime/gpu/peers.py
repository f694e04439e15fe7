"""What runs the same models beside optc, for check.py --bench: torch, eager and compiled (CUDA graphs), and TensorRT; for single products cuBLAS, as torch calls it.

Each is a process of its own, started from this file: one that fails, hangs or computes something else is left out, and says why in a line. It is measured in
turns with optc, several rounds each, as optc-run measures: the clock from a call until the GPU has finished it, with tensors in its memory."""
import argparse
import glob
import json
import os
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 3
# How far from the reference outputs, as 2-norms. In bf16 all tensors of torch and TensorRT are of 16 bits, sums of layers too.
TOLERANCES = {"f32": 1e-3, "bf16": 0.2}


class LeftOut(Exception):
    """Why there is no time: "not timed: ...", or "wrong: ..."."""

    def __init__(self, why):
        super().__init__(why if str(why).startswith(("wrong: ", "not timed: ")) else f"not timed: {why}")


# The side of check.py, which has Python's own library alone.


def add_options(parser):
    parser.add_argument("--with-models", action="store_true", help="pack: the ONNX files too, which what is measured beside optc reads")
    parser.add_argument("--no-peers", action="store_true", help="--bench: optc alone")
    parser.add_argument("--peer-python", default=shutil.which("python3") or sys.executable, help="which has torch and TensorRT (default: %(default)s)")
    parser.add_argument("--peer-device", default="cuda", choices=("cuda", "cpu"), help="cpu: torch there, to try all this without a GPU")
    parser.add_argument("--peer-seconds", type=float, default=1, help="how long a round is (default 1)")
    parser.add_argument("--peer-timeout", type=float, default=900, help="seconds for a compilation, and for a round (default 900)")


def copy_model(model, folder):
    """model.onnx and the files that it has weights in."""
    import onnx
    os.makedirs(folder)
    tensors = onnx.load(model, load_external_data=False).graph.initializer
    files = {entry.value for tensor in tensors for entry in tensor.external_data if entry.key == "location"}
    for file in sorted(files | {os.path.basename(model)}):
        shutil.copy2(os.path.join(os.path.dirname(model), file), folder)


class Peer:
    """A process that answers a line by a line of JSON. The first answer is whether it is ready."""

    def __init__(self, options, what, settings):
        self.timeout, self.log, self.folder = options.peer_timeout, tempfile.TemporaryFile("w+"), tempfile.TemporaryDirectory()
        command = [options.peer_python, os.path.abspath(__file__), what, json.dumps({**settings, "device": options.peer_device, "folder": self.folder.name})]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, start_new_session=True)
        self.ready = self.answer()

    def ask(self, question):
        try:
            self.process.stdin.write(f"{json.dumps(question)}\n".encode())
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended, as its answer will say
        return self.answer()

    def answer(self):
        said, end = b"", time.monotonic() + self.timeout
        while not said.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                self.end()
                raise LeftOut(f"no answer in {self.timeout:g} s")
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                status = self.process.wait()
                self.end()
                self.log.seek(0)
                raise LeftOut((self.log.read().strip().splitlines() or [""])[-1][:200] or f"ended with status {status}")
            said += piece
        answer = json.loads(said)
        if isinstance(answer, dict) and "left_out" in answer:
            self.end()
            raise LeftOut(answer["left_out"])
        return answer

    def end(self):
        """With what it has started, compilers for instance."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.folder.cleanup()


class Peers:
    def __init__(self, options):
        """Says what is there and what is not."""
        self.options, self.kinds = options, []
        try:
            probe = Peer(options, "probe", {})
            probe.end()
            has, missing = probe.ready["has"], probe.ready["missing"]
        except (LeftOut, OSError) as problem:
            has, missing = {}, {"torch, TensorRT": f"{options.peer_python}: {problem}"}
        self.has = has
        if "onnx" in has:
            self.kinds = ["torch eager", "torch compile"] * ("torch" in has) + ["TensorRT"] * ("TensorRT" in has)
        if has:
            print(f"beside optc, by {options.peer_python}: {', '.join(f'{name} {version}'.strip() for name, version in has.items())}")
        for name, why in missing.items():
            print(f"{name}: {why}", flush=True)

    def turns(self, peers, time_optc, question):
        """{name: answers} of what is ready, round by round; what fails on the way is left out with what it has."""
        answers = {"optc": [], **{name: [] for name in peers}}
        for _ in range(ROUNDS):
            answers["optc"].append(time_optc())
            for name, peer in list(peers.items()):
                try:
                    answers[name].append(peer.ask(question))
                except LeftOut as why:
                    answers[name] = str(why)
                    del peers[name]
        for peer in peers.values():
            peer.end()
        return answers

    def models(self, precision, model, data, time_optc):
        """Latencies of the model and their ratios to optc's: {name: {p50_ms, p99_ms, ratio} or {left_out}}. time_optc(seconds) gives p50_ms and p99_ms."""
        if not self.kinds:
            return {}
        why = "no ONNX file (pack --with-models)" if model is None else "no test_data_set_0" if data is None else None
        peers, results = {}, {}
        for name in self.kinds:
            try:
                if why:
                    raise LeftOut(why)
                peers[name] = Peer(self.options, name, {"model": model, "data": data, "precision": precision})
            except LeftOut as problem:
                results[name] = {"left_out": str(problem)}
        if peers:
            notes = {name: peer.ready.get("note") for name, peer in peers.items()}
            for name, answers in self.turns(peers, lambda: time_optc(self.options.peer_seconds), self.options.peer_seconds).items():
                if isinstance(answers, str):
                    results[name] = {"left_out": answers}
                elif None not in answers:
                    results[name] = {key: statistics.median(a[key] for a in answers) for key in ("p50_ms", "p99_ms")}
                    results[name] |= {"note": notes[name]} if notes.get(name) else {}
        for name, result in results.items():
            if "p50_ms" in result and "optc" in results:
                result["ratio"] = result["p50_ms"] / results["optc"]["p50_ms"]
        for name in ["optc"] * ("optc" in results) + self.kinds:
            result = results[name]
            said = result.get("left_out") or f"p50 {result['p50_ms']:.3f} ms p99 {result['p99_ms']:.3f} ms"
            said += f", {result['ratio']:.2f} times optc's" if "ratio" in result and name != "optc" else ""
            print(f"    {name + ':':14} {said}" + (f" ({result['note']})" if "note" in result else ""), flush=True)
        return results

    def products(self, said, time_optc):
        """The same for products alone, those that gpu-run has timed in `said`; time_optc() gives such lines again."""
        def products_of(lines):
            found = re.findall(r"^ *([\d.]+) us \(p99 .*?TFLOP/s, .*?: (\w+(?:,\w+)*: .*)$", lines, re.M)
            return {what: float(us) for us, what in found if operands_of(what)}
        wanted = list(products_of(said))
        if not wanted or "torch" not in self.has:
            return []
        try:
            answers = self.turns({"cuBLAS": Peer(self.options, "cuBLAS", {"products": wanted})}, lambda: products_of(time_optc()), None)
            if isinstance(answers["cuBLAS"], str):
                raise LeftOut(answers["cuBLAS"])
        except LeftOut as why:
            print(f"cuBLAS: {why}", flush=True)
            return []
        results = []
        for what in wanted:
            us, other = ([a[what] for a in answers[name] if what in a] for name in ("optc", "cuBLAS"))
            if us and other:
                us, other = statistics.median(us), statistics.median(other)
                results.append({"what": what, "us": us, "cublas_us": other, "ratio": other / us})
                print(f"    {us:8.1f} us, cuBLAS's product alone {other:8.1f} us, {other / us:.2f} times optc's: {what}", flush=True)
        return results


def operands_of(what):
    """Of "contract,add: bf16 64x32, bf16 32x16, ... -> bf16 64x16" the type and m, n, k; none of what is no product of two matrices of one type."""
    found = re.match(r"contract\b.*?: (\w+) (\d+)x(\d+), \1 \3x(\d+)(?:,| ->).* \2x\4$", what)
    return found and (found[1], int(found[2]), int(found[4]), int(found[3]))


# A peer's own process.


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


def compare(outputs, expected, precision):
    import numpy
    for i, (got, wanted) in enumerate(zip(outputs, expected)):
        if got.shape != wanted.shape:
            raise LeftOut(f"wrong: output {i} has other sizes")
        got, wanted = got.astype(numpy.float64), wanted.astype(numpy.float64)
        error = numpy.linalg.norm(got - wanted) / max(numpy.linalg.norm(wanted), 1e-30)
        if not error <= TOLERANCES[precision]:
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
    dtype = torch.bfloat16 if settings["precision"] == "bf16" else torch.float32
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
    try:
        import tensorrt
        torch, wait = with_torch(settings["device"])
    except ImportError:
        return trtexec_peer(settings)
    model, inputs, expected = read_case(settings)
    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    config = builder.create_builder_config()
    config.clear_flag(tensorrt.BuilderFlag.TF32)
    flags = {"EXPLICIT_BATCH"}  # which old versions have to be told
    if settings["precision"] == "bf16":
        if not hasattr(tensorrt.BuilderFlag, "BF16"):
            raise LeftOut(f"TensorRT {tensorrt.__version__} takes no precision from its caller")
        config.set_flag(tensorrt.BuilderFlag.BF16)
    else:
        flags.add("STRONGLY_TYPED")
    known = tensorrt.NetworkDefinitionCreationFlag
    network = builder.create_network(sum(1 << int(getattr(known, flag)) for flag in flags if hasattr(known, flag)))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse_from_file(settings["model"]):
        raise LeftOut(parser.get_error(0).desc())
    profile = builder.create_optimization_profile()
    for name, value in inputs.items():
        profile.set_shape(name, value.shape, value.shape, value.shape)
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise LeftOut("no engine is built")
    engine = tensorrt.Runtime(logger).deserialize_cuda_engine(plan)
    context = engine.create_execution_context()
    types = {"FLOAT": torch.float32, "HALF": torch.float16, "BF16": torch.bfloat16, "INT64": torch.int64, "INT32": torch.int32, "INT8": torch.int8, "UINT8": torch.uint8, "BOOL": torch.bool}
    tensors = {}
    for name, value in inputs.items():
        context.set_input_shape(name, value.shape)
        tensors[name] = torch.from_numpy(value.copy()).to("cuda", types[engine.get_tensor_dtype(name).name]).contiguous()
    outputs = [output.name for output in model.graph.output]
    for name in outputs:
        shape = tuple(context.get_tensor_shape(name))
        if min(shape, default=0) < 0:
            raise LeftOut(f"the sizes of {name} depend on values")
        tensors[name] = torch.empty(shape, dtype=types[engine.get_tensor_dtype(name).name], device="cuda")
    for name, tensor in tensors.items():
        context.set_tensor_address(name, tensor.data_ptr())
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    with torch.cuda.stream(stream):
        if not context.execute_async_v3(stream.cuda_stream):
            raise LeftOut("the engine does not run")
        stream.synchronize()
    with torch.cuda.graph(graph, stream=stream):
        context.execute_async_v3(stream.cuda_stream)
    graph.replay()
    wait()
    compare([tensors[name].float().cpu().numpy() for name in outputs], expected, settings["precision"])
    return {}, lambda seconds: measure(graph.replay, wait, seconds)


def trtexec_peer(settings):
    model, inputs, expected = read_case(settings)
    folder = settings["folder"]

    def trtexec(*flags):
        done = subprocess.run(["trtexec", *flags], capture_output=True, text=True, errors="replace")
        if done.returncode:
            lines = [line for line in (done.stdout + done.stderr).splitlines() if "[E]" in line] or (done.stdout + done.stderr).splitlines()
            raise LeftOut(f"trtexec: {lines[0] if lines else f'status {done.returncode}'}"[:200])
    dynamic = {i.name for i in model.graph.input for d in i.type.tensor_type.shape.dim if not d.HasField("dim_value")}
    shapes = [f"{name}:{'x'.join(map(str, value.shape))}" for name, value in inputs.items() if name in dynamic]
    shapes = [f"--shapes={','.join(shapes)}"] if shapes else []
    for i, value in enumerate(inputs.values()):
        value.tofile(f"{folder}/{i}.bin")
    engine = f"{folder}/engine"
    given = [f"--loadEngine={engine}", "--loadInputs=" + ",".join(f"{name}:{folder}/{i}.bin" for i, name in enumerate(inputs)), *shapes]
    trtexec(f"--onnx={settings['model']}", f"--saveEngine={engine}", "--noTF32", "--bf16" if settings["precision"] == "bf16" else "--stronglyTyped", "--skipInference", *shapes)
    trtexec(*given, f"--exportOutput={folder}/outputs.json", "--iterations=1", "--warmUp=0", "--duration=0")
    import numpy
    said = {o["name"]: numpy.array(o["values"], numpy.float64).reshape([int(d) for d in re.findall(r"\d+", str(o["dimensions"]))]) for o in json.load(open(f"{folder}/outputs.json"))}
    compare([said[o.name] for o in model.graph.output], expected, settings["precision"])

    def time_it(seconds):
        trtexec(*given, "--useCudaGraph", "--noDataTransfers", "--useSpinWait", f"--exportTimes={folder}/times.json", f"--duration={seconds:g}", "--warmUp=200")
        return percentiles(sorted(run["computeMs"] for run in json.load(open(f"{folder}/times.json"))), 1)
    return {"note": "trtexec: the GPU's time alone, without launches"}, time_it


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
