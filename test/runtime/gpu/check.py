"""Models on a GPU: are the results right, and how fast are they?

    check.py --build=DIR [--models=DIR] [--bench]          on a machine that has a GPU and a build
    check.py pack FOLDER --build=DIR --target=sm_90 ...    what another machine needs, into FOLDER; no GPU is needed
                         --with-models                     for what is timed beside optc there
    FOLDER/check.py run FOLDER [--bench]                   there: Python and NVIDIA's driver are enough

Checked are the kernels of gpu-bundle, primitives among them, against the evaluator; whole models in sessions of several sizes, with branches,
caches and fallbacks, against the same models on the CPU; trained models, and those of --models (folders with model.onnx and test_data_set_0), against their
reference outputs, and in bf16 against f32. --bench adds, for trained models: latency (p50, p99) with tensors in the host's memory and in the GPU's,
and each kernel's share of what the GPU can do at most, by its own copies and products; and, in turns with optc, torch, TensorRT and cuBLAS where they are (peers.py).
Ends with "N passed, N failed"; status 1 where something failed, 77 where there is no GPU to run on."""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys

import peers

SKIPPED = 77
here = os.path.dirname(os.path.abspath(__file__))
tests = os.path.dirname(os.path.dirname(here))
TOOLS = ("optc-run", "run-sessions", "gpu-run")
KERNELS = ("elementwise", "types", "broadcast", "reductions", "softmax", "layer_norm", "gather", "movement", "matmul")
# How far bf16 may be from f32: the 2-norm of the difference, relative.
BF16_ERROR = "5%"


def call(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, **more)


def last_line(done):
    return ((done.stderr.strip() or done.stdout.strip()).splitlines() or [f"status {done.returncode}"])[-1]


# What a machine with a compiler does.


def libraries_of(tool):
    """What it loads beside libc."""
    for line in call("ldd", tool, check=True).stdout.splitlines():
        found = re.match(r"\s*(\S+) => (/\S+)", line)
        if found and not re.match(r"lib(c|m|dl|rt|pthread)\.so", found[1]):
            yield found[2]


class Pack:
    def __init__(self, arguments):
        self.arguments, self.folder = arguments, arguments.folder
        self.optc = f"{arguments.build}/bin/optc"
        self.entries = []
        shutil.rmtree(self.folder, ignore_errors=True)
        for part in ("bin", "lib", "models"):
            os.makedirs(f"{self.folder}/{part}")

    def compile(self, model, name, *flags):
        artefact = f"models/{name}.so"
        done = call(self.optc, model, *flags, "-q", "-o", f"{self.folder}/{artefact}")
        if done.returncode:
            sys.exit(f"{model} {' '.join(flags)}: {last_line(done)}")
        return artefact

    def device_flags(self):
        return [f"--target={self.arguments.target}"] + (["--emit-host-emulation"] if self.arguments.emulated else [])

    def add_sessions(self):
        import onnx
        from models import models
        for name, model, sizes, tolerance in models():
            if self.arguments.only and not re.search(self.arguments.only, name):
                continue
            path = f"{self.folder}/models/{name}.onnx"
            onnx.save(model, path)
            flags = ["--keep-rounding"] if name == "quantized" else []
            self.entries.append({"kind": "sessions", "name": name, "tolerance": tolerance, "sizes": sizes,
                                 "model": self.compile(path, name, *flags, *self.device_flags()), "cpu": self.compile(path, f"{name}.cpu", *flags)})
            os.remove(path)

    def add_trained(self, name, folder):
        if self.arguments.only and not re.search(self.arguments.only, name):
            return
        entry = {"kind": "trained", "name": name, "sets": []}
        for number, data in enumerate(sorted(glob.glob(f"{folder}/test_data_set_*"))[:2]):
            entry["sets"].append(f"models/{name}.{number}")
            shutil.copytree(data, f"{self.folder}/{entry['sets'][-1]}")
        model = f"{folder}/model.onnx"
        if self.arguments.command == "both":
            entry["onnx"] = os.path.abspath(model)
        elif self.arguments.with_models:
            entry["onnx"] = f"models/{name}.onnx/model.onnx"
            peers.copy_model(model, f"{self.folder}/models/{name}.onnx")
        entry["model"] = self.compile(model, name, *self.device_flags())
        quantized = any(op in open(model, "rb").read() for op in (b"QuantizeLinear", b"DynamicQuantizeLinear"))
        if not quantized:
            entry["bf16"] = self.compile(model, f"{name}.bf16", "--bf16", *self.device_flags())
        self.entries.append(entry)

    def write(self):
        for tool in TOOLS:
            shutil.copy2(f"{self.arguments.build}/bin/{tool}", f"{self.folder}/bin/{tool}")
            for library in libraries_of(f"{self.arguments.build}/bin/{tool}"):
                shutil.copy2(library, f"{self.folder}/lib/")
        if not self.arguments.emulated:
            models = [f"{tests}/codegen/gpu/{name}.onnxtxt" for name in KERNELS]
            subprocess.run([f"{self.arguments.build}/bin/gpu-bundle", f"{self.folder}/kernels", self.arguments.target.split(",")[0], *models], check=True)
        self.add_sessions()
        for name in ("mnist", "magika"):
            self.add_trained(name, f"{tests}/data/{name}")
        for model in sorted(glob.glob(f"{self.arguments.models}/*/model.onnx")) if self.arguments.models else []:
            self.add_trained(os.path.basename(os.path.dirname(model)), os.path.dirname(model))
        for script in ("check.py", "peers.py", "peer.py", "onnx_torch.py", "torch_operators.py"):
            shutil.copy2(f"{here}/{script}", f"{self.folder}/{script}")
        with open(f"{self.folder}/pack.json", "w") as file:
            json.dump({"target": self.arguments.target, "entries": self.entries}, file, indent=1)


# What a machine with a GPU does.


class Check:
    def __init__(self, folder, peers):
        self.folder, self.peers = folder, peers
        paths = [f"{folder}/lib"] + [p for p in [os.environ.get("LD_LIBRARY_PATH")] if p]
        self.environment = dict(os.environ, LD_LIBRARY_PATH=":".join(paths))
        self.passed, self.failed = 0, []

    def tool(self, name, *arguments):
        return call(f"{self.folder}/bin/{name}", *map(str, arguments), env=self.environment)

    def judge(self, what, done, said=None):
        good = done.returncode == 0
        self.passed += good
        if not good:
            self.failed.append(what)
        print("ok    " if good else "FAILED", what, said if good and said is not None else last_line(done), flush=True)

    def kernels(self):
        done = self.tool("gpu-run", f"{self.folder}/kernels")
        print(done.stdout, end="")
        self.judge("kernels", done)
        return done.stdout

    def sessions(self, entry):
        self.judge(entry["name"], self.tool("run-sessions", f"{self.folder}/{entry['model']}", f"{self.folder}/{entry['cpu']}", entry["tolerance"], *entry["sizes"]))

    def trained(self, entry):
        model = f"{self.folder}/{entry['model']}"
        for data in entry["sets"]:
            data = f"{self.folder}/{data}"
            self.judge(f"{entry['name']} {data[-1]}", self.tool("optc-run", model, "--inputs", data, "--expected", data, "--rtol=1e-3", "--atol=1e-3"), "")
        if "bf16" in entry:
            inputs = [f"--inputs={self.folder}/{entry['sets'][0]}"] if entry["sets"] else []
            self.judge(f"{entry['name']} bf16", self.tool("optc-run", f"{self.folder}/{entry['bf16']}", "--vs", model, *inputs, "--seconds=0.1", f"--max-error={BF16_ERROR}"), "")

    def limits(self, kernels):
        """Bytes and operations a second: the driver's copy, and the fastest of the large products of floats."""
        copy = re.search(r"copy moves (\d+) GB/s", kernels)
        rates = [float(r) for r in re.findall(r"([\d.]+) TFLOP/s(?!.*(?:, i8 |f8e4m3fn ))", kernels)]
        return (float(copy[1]) if copy else None), (max(rates) if rates else None)

    def bench(self, entry, limits):
        bytes_limit, flops_limit = limits
        inputs = [f"--inputs={self.folder}/{entry['sets'][0]}"] if entry["sets"] else []
        results = []
        for precision in ("model", "bf16"):
            if precision not in entry:
                continue
            model, line = f"{self.folder}/{entry[precision]}", {"name": entry["name"], "precision": "f32" if precision == "model" else "bf16"}
            for place, flags in (("host", []), ("gpu", ["--in-gpu-memory"])):
                done = self.tool("optc-run", model, "--bench", "--json", "--seconds=2", *inputs, *flags)
                if done.returncode:
                    self.judge(f"{entry['name']} --bench {place}", done)
                    continue
                measured = json.loads(done.stdout)
                line[place] = {key: measured[key] for key in ("p50_ms", "p99_ms", "load_ms", "port_copy_us", "fallback_us", "fallback_copy_us")}
            trace = f"{self.folder}/trace.json"
            done = self.tool("optc-run", model, f"--profile={trace}", "--seconds=1", *inputs)
            if done.returncode == 0:
                steps = [e for e in json.load(open(trace))["traceEvents"] if e["ph"] == "X" and e["args"]["kind"] == "kernel" and e["args"]["device"] != "cpu"]
                line["kernels_us"] = sum(e["dur"] for e in steps)
                line["kernels"] = [{"nodes": e["args"]["nodes"], "us": e["dur"], "gb_per_s": e["args"]["gb_per_s"], "gflop_per_s": e["args"]["gflop_per_s"],
                                    "share_of_limit": max(e["args"]["gb_per_s"] / bytes_limit, e["args"]["gflop_per_s"] * 1e-3 / flops_limit) if bytes_limit and flops_limit else None}
                                   for e in sorted(steps, key=lambda e: -e["dur"])]
            results.append(line)
            print(line["name"], line["precision"], *(f"{place} p50 {line[place]['p50_ms']:.3f} ms p99 {line[place]['p99_ms']:.3f} ms," for place in ("host", "gpu") if place in line),
                  f"kernels {line.get('kernels_us', 0):.0f} us", flush=True)
            for k in line.get("kernels", [])[:5]:
                share = "" if k["share_of_limit"] is None else f", {100 * k['share_of_limit']:.0f} % of the limit"
                print(f"    {k['us']:8.1f} us {k['gb_per_s']:7.0f} GB/s {k['gflop_per_s']:8.0f} GFLOP/s{share}: {k['nodes'][:70]}")
            if self.peers:
                line["peers"] = self.beside(entry, precision, line["precision"], inputs)
        return results

    def beside(self, entry, artefact, precision, inputs):
        """Latencies of what runs the same model, in turns with optc."""
        def time_optc(seconds):
            done = self.tool("optc-run", f"{self.folder}/{entry[artefact]}", "--bench", "--json", f"--seconds={seconds}", "--in-gpu-memory", *inputs)
            return json.loads(done.stdout) if done.returncode == 0 else None
        model, data = (path and os.path.join(self.folder, path) for path in (entry.get("onnx"), (entry["sets"] or [None])[0]))
        return self.peers.models(precision, model, data, time_optc)

    def run(self, bench):
        pack = json.load(open(f"{self.folder}/pack.json"))
        said = self.kernels() if os.path.exists(f"{self.folder}/kernels") else ""
        results, products = [], []
        for entry in pack["entries"]:
            getattr(self, entry["kind"])(entry)
        for entry in pack["entries"] if bench else []:
            if entry["kind"] == "trained":
                results += self.bench(entry, self.limits(said))
        if bench:
            if self.peers:
                products = self.peers.products(said, lambda: self.tool("gpu-run", f"{self.folder}/kernels", "contract").stdout)
            with open(f"{self.folder}/bench.json", "w") as file:
                json.dump({"models": results, "products": products, "peers": self.peers.has if self.peers else {}}, file, indent=1)
            print(f"{self.folder}/bench.json has all of it")
        for name in self.failed:
            print("failed:", name)
        print(f"{self.passed} passed, {len(self.failed)} failed")
        return 1 if self.failed else 0


def device_of(tools):
    """The target of the GPU; ends where there is none."""
    done = call(f"{tools}/gpu-run", "--device")
    if done.returncode == SKIPPED:
        print(last_line(done))
        sys.exit(SKIPPED)
    if done.returncode:
        sys.exit(last_line(done))
    target, name = done.stdout.strip().split(" ", 1)
    print(f"{name} ({target})", flush=True)
    return target


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=("pack", "run", "both"), default="both")
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--build", help="a build folder of optc")
    parser.add_argument("--target", help="what is compiled for; default: the GPU that is there")
    parser.add_argument("--models", help="a folder of more trained models")
    parser.add_argument("--only", help="models whose name this regular expression finds")
    parser.add_argument("--bench", action="store_true")
    parser.add_argument("--emulated", action="store_true", help="artefacts for the driver without a GPU; no kernels by themselves")
    peers.add_options(parser)
    arguments = parser.parse_args()
    if arguments.command != "run" and not arguments.build or arguments.command != "both" and not arguments.folder:
        parser.error("--build or the folder is missing")
    arguments.folder = arguments.folder or f"{arguments.build}/gpu-check"
    if arguments.command == "both":
        arguments.target = device_of(f"{arguments.build}/bin")
    if arguments.command != "run":
        if not arguments.target:
            parser.error("--target is missing")
        Pack(arguments).write()
    if arguments.command == "run":
        device_of(f"{arguments.folder}/bin")
    if arguments.command != "pack":
        beside = peers.Peers(arguments) if arguments.bench and not arguments.no_peers else None
        sys.exit(Check(arguments.folder, beside).run(arguments.bench))


main()
