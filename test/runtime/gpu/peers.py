"""What runs the same models beside optc, for check.py --bench: torch, eager and compiled (CUDA graphs), and TensorRT; for single products cuBLAS, as torch calls it.

Each is a process of its own, peer.py: one that fails, hangs or computes something else is left out, and says why in a line. It is measured in
turns with optc, several rounds each, as optc-run measures: the clock from a call until the GPU has finished it, with tensors in its memory."""
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

from peer import LeftOut, operands_of

ROUNDS = 3
here = os.path.dirname(os.path.abspath(__file__))


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
        settings = json.dumps({**settings, "device": options.peer_device, "folder": self.folder.name})
        command = [options.peer_python, f"{here}/peer.py", what, settings]
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
        if set(has) - {"onnx"}:
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
        if model is None or data is None:
            print(f"    beside it: not timed: there is no {'test_data_set_0' if model else 'ONNX file (pack --with-models)'}", flush=True)
            return {}
        peers, results = {}, {}
        for name in self.kinds:
            try:
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
