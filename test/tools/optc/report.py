"""report.py OPTC MODELS...: checks that the report accounts for every node of each model, in one place."""
import json
import subprocess
import sys

import onnx


def load(path):
    return onnx.parser.parse_model(open(path).read()) if path.endswith(".onnxtxt") else onnx.load(path)


def nodes_of(graph):
    """Names as the compiler gives them: an unnamed node, or the second of a name, is OpType→first output."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else list(attribute.graphs):
                yield from nodes_of(inner)


def check(optc, path):
    report = json.loads(subprocess.run([optc, path, "--emit=report"], check=True, capture_output=True, text=True).stdout)
    in_steps = {name for step in report["steps"] for name in step["nodes"]}
    eliminated = {entry["node"] for entry in report["eliminated"]}
    seen, missing = set(), []
    for node in nodes_of(load(path).graph):
        name = node.name
        if not name or name in seen:
            name = f"{node.op_type}→{node.output[0]}"
        seen.add(name)
        if name not in in_steps and name not in eliminated:
            missing.append(name)
    problems = [f"in no step and not eliminated: {name}" for name in missing]
    problems += [f"eliminated, but in a step: {name}" for name in sorted(in_steps & eliminated)]
    problems += [f"no node of the model: {name}" for name in sorted((in_steps | eliminated) - seen)]
    for problem in problems:
        print(f"{path}: {problem}")
    print(f"{path}: {len(seen)} nodes, {len(in_steps)} in {len(report['steps'])} steps, {len(eliminated)} eliminated")
    return not problems


if __name__ == "__main__":
    sys.exit(not all([check(sys.argv[1], path) for path in sys.argv[2:]]))
