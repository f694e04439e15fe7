"""conformance.py OPTC OPTC_RUN DRIVER FOLDER [--every=N] [--only=REGEX] [--minimum=N] [--jobs=N] [--list=FILE]: the ONNX backend's node tests on a GPU
of sm_90, through the driver whose GPU is this machine. A case passes where all of its kernels run on the GPU and the outputs are the suite's, by
the suite's own comparison and tolerances. Says which operators have no code for the GPU, and fails where an output is wrong, a run fails, or
fewer pass than the minimum. What does not give the suite's outputs on the CPU either is counted apart, and so is what is known to differ. FOLDER
keeps the driver's objects from run to run."""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import warnings

import numpy
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

# Outputs are random numbers, or decoded by a library.
WITHOUT_REFERENCE = re.compile("test_(bernoulli|image_decoder)")


# Probabilities are rounded to f16, as tensor cores multiply them: two of 192 results are off by a unit in the last place, which is more than 1e-3.
ROUNDED = re.compile("test_attention_4d_(causal_fp16|causal_fp16_expanded|fp16)$")


def write_value(path, value, info):
    """An input in the suite's form; `info`: its type in the model."""
    kind = info.type.WhichOneof("value")
    if isinstance(value, onnx.TensorProto):
        proto = value
    elif kind == "sequence_type":
        proto = numpy_helper.from_list(value, info.name)
    elif kind == "optional_type":
        proto = numpy_helper.from_optional(value, info.name)
    elif isinstance(value, dict):
        proto = numpy_helper.from_dict(value, info.name)
    else:
        proto = numpy_helper.from_array(numpy.asarray(value), info.name)
    with open(path, "wb") as file:
        file.write(proto.SerializeToString())


def read_value(path, info):
    kind = info.type.WhichOneof("value")
    data = open(path, "rb").read()
    if kind == "sequence_type":
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if kind == "optional_type":
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))


def comparable(expected, got):
    """The same values; types of 8 bits and fewer that numpy does not compare become f32 where both have the same."""
    for i, (x, y) in enumerate(zip(expected, got)):
        if isinstance(x, onnx.TensorProto):
            x = expected[i] = numpy_helper.to_array(x)
        if isinstance(x, (list, tuple)) or not hasattr(y, "dtype"):
            continue
        x = expected[i] = numpy.asarray(x)
        if x.dtype == y.dtype and x.dtype.isbuiltin == 2 and x.dtype.name != "bfloat16":
            expected[i], got[i] = x.astype(numpy.float32), y.astype(numpy.float32)
    return expected, got


def run_case(case, arguments):
    """(verdict, details): what became of a case; details: operators, or a message."""
    folder = f"{arguments.folder}/cases/{case.name}"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    environment = dict(os.environ, LD_LIBRARY_PATH=arguments.driver, OPTC_FAKE_GPU=f"arch=90,schedule=1,late=1,cache={arguments.folder}/objects,log={folder}/calls")

    def call(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 124, "", "takes more than 10 minutes")

    def failed(done):
        return (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]

    def differs(artefact):
        """What is wrong with the outputs of an artefact; nothing: empty."""
        for number, (_, outputs) in enumerate(case.data_sets):
            results = f"{folder}/out_{number}"
            shutil.rmtree(results, ignore_errors=True)
            os.makedirs(results)
            done = call(arguments.run, artefact, "--inputs", f"{folder}/set_{number}", "--outputs", results)
            if done.returncode:
                return failed(done)
            got = [read_value(f"{results}/output_{i}.pb", info) for i, info in enumerate(case.model.graph.output)]
            try:
                Runner.assert_similar_outputs(*comparable(list(outputs), got), rtol=case.rtol, atol=case.atol)
            except (AssertionError, TypeError) as error:
                return " ".join(str(error).split())[:200]
        return ""

    def wrong(message):
        done = call(arguments.optc, f"{folder}/model.onnx", "-q", "-o", f"{folder}/cpu.so")
        return "differs on the CPU, too" if done.returncode or differs(f"{folder}/cpu.so") else "failed", message

    onnx.save(case.model, f"{folder}/model.onnx")
    compile = (arguments.optc, f"{folder}/model.onnx", "--target=sm_90", "--emit-host-emulation", "-q")
    done = call(*compile, "--fallback=error", "-o", f"{folder}/model.so")
    if done.returncode == 3:
        report = json.loads(call(*compile, "--emit=report").stdout)
        shutil.rmtree(folder)
        return "falls back", sorted({f"{entry['operator']}: {entry['reason']}" for entry in report["fallbacks"]})
    if done.returncode:
        return ("not compiled", failed(done)) if done.returncode in (1, 2) else wrong(failed(done))
    weights = {tensor.name for tensor in case.model.graph.initializer}
    infos = [info for info in case.model.graph.input if info.name not in weights]
    for number, (inputs, _) in enumerate(case.data_sets):
        place = f"{folder}/set_{number}"
        os.makedirs(place)
        for i, (value, info) in enumerate(zip(inputs, infos)):
            write_value(f"{place}/input_{i}.pb", value, info)
    if problem := differs(f"{folder}/model.so"):
        return ("known to differ", problem) if ROUNDED.match(case.name) else wrong(problem)
    calls = dict(line.split() for line in open(f"{folder}/calls").read().splitlines()) if os.path.exists(f"{folder}/calls") else {}
    shutil.rmtree(folder)
    return ("passes" if int(calls.get("cuLaunchKernelEx", 0)) else "needs no kernel"), ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("optc", "run", "driver", "folder"):
        parser.add_argument(name)
    parser.add_argument("--every", type=int, default=1, help="each Nth case only")
    parser.add_argument("--only", default="", help="cases whose name has this")
    parser.add_argument("--minimum", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--list", help="file for the verdict of each case")
    arguments = parser.parse_args()
    os.makedirs(f"{arguments.folder}/objects", exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = sorted(load_model_tests(kind="node"), key=lambda case: case.name)
    cases = [case for case in cases if not WITHOUT_REFERENCE.match(case.name) and re.search(arguments.only, case.name)][:: arguments.every]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        verdicts = list(pool.map(lambda case: run_case(case, arguments), cases))
    if arguments.list:
        with open(arguments.list, "w") as file:
            json.dump({case.name: verdict for case, verdict in zip(cases, verdicts)}, file, indent=1)
    counts = collections.Counter(verdict for verdict, _ in verdicts)
    reasons = collections.Counter(reason for verdict, details in verdicts if verdict == "falls back" for reason in details)
    for reason, count in reasons.most_common():
        print(f"  {count:4} fall back: {reason}")
    for kind in ("not compiled", "differs on the CPU, too", "known to differ", "failed"):
        for case, (verdict, details) in zip(cases, verdicts):
            if verdict == kind:
                print(f"  {kind}: {case.name}: {details}")
    passed = counts["passes"] + counts["needs no kernel"]
    print(f"{len(cases)} cases: {counts['passes']} pass, {counts['needs no kernel']} pass without a kernel, {counts['falls back']} fall back, "
          f"{counts['not compiled']} not compiled, {counts['differs on the CPU, too']} differ on the CPU, too, {counts['known to differ']} known to differ, {counts['failed']} failed")
    return counts["failed"] > 0 or passed < arguments.minimum


if __name__ == "__main__":
    raise SystemExit(main())
