#!/usr/bin/env python3
"""Runs what README.md and the pages in docs/ tell their readers to type.

Every ```sh block is run, line by line, in a scratch folder that holds the names they use (model.onnx, DIR, ...); a plain
``` block after it is the output to expect. The C program is compiled and run as written. The command that builds and
tests everything is not run from within itself: it has to be the one that .ci/run runs.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys


def blocks(text):
    return re.findall(r"```(\w*)\n(.*?)```", text, re.S)


def run(command, cwd, env):
    done = subprocess.run(["bash", "-ec", command], cwd=cwd, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"'{command}' gave status {done.returncode}:\n{done.stdout}")
    return done.stdout


def prepare(args, env):
    """The files that the pages speak of."""
    shutil.rmtree(args.scratch, ignore_errors=True)
    os.makedirs(args.scratch)
    data = os.path.join(args.source, "test", "data", "mnist")
    shutil.copy(os.path.join(data, "model.onnx"), args.scratch)
    shutil.copytree(os.path.join(data, "test_data_set_0"), os.path.join(args.scratch, "DIR"))
    for name in ("softmax.onnxtxt", "model.onnxtxt"):
        shutil.copy(os.path.join(args.source, "test", "codegen", "gpu", "softmax.onnxtxt"), os.path.join(args.scratch, name))
    shutil.copytree(os.path.join(args.source, "test", "data", "pictures"), os.path.join(args.scratch, "PICTURES"))
    adapters = os.path.join(args.source, "test", "data", "adapters")
    for name in ("adapted.onnxtxt", "adapter.onnx_adapter"):
        shutil.copy(os.path.join(adapters, name), args.scratch)
    shutil.copytree(os.path.join(adapters, "inputs"), os.path.join(args.scratch, "ADAPTED"))
    with open(os.path.join(args.scratch, "score.py"), "w") as file:
        file.write("import os, sys\nprint(len(os.listdir(sys.argv[1])))\n")
    run("optc model.onnx -o model.so && cp model.so a.so && cp model.so b.so", args.scratch, env)


def is_the_suite(command, args):
    """The test suite itself: .ci/run types the same."""
    if "--target check" not in command:
        return False
    script = open(os.path.join(args.source, ".ci", "run")).read()
    missing = [step.strip() for step in command.split("&&") if step.strip() not in script]
    if missing:
        sys.exit(f"README.md: .ci/run does not run {missing}")
    return True


def check(page, args, env):
    """Runs a page's blocks; the number of commands."""
    include, library = os.path.join(args.source, "runtime", "include"), os.path.join(args.build, "lib")
    ran = 0
    found = blocks(open(os.path.join(args.source, page)).read())
    for i, (language, text) in enumerate(found):
        expected = found[i + 1][1].strip() if i + 1 < len(found) and found[i + 1][0] == "" else None
        if language == "c":
            open(os.path.join(args.scratch, "app.c"), "w").write(text)
            run(f"{args.cc} -Wall -Werror -I{include} app.c -L{library} -Wl,-rpath,{library} -loptc -o app", args.scratch, env)
            run("optc model.onnx -o mnist.so && ./app", args.scratch, env)
            ran += 1
        for line in text.strip().splitlines() if language == "sh" else []:
            command = line.split("#")[0].strip()
            if not is_the_suite(command, args):
                output = run(command, args.source if command.startswith("tools/") else args.scratch, env)
                if expected and expected not in output:
                    sys.exit(f"{page}: '{command}' printed\n{output}\nrather than\n{expected}")
            ran += 1
    return ran


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("source", "build", "cc", "scratch", "path"):
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()
    # A user's PATH, not that of the tests: another compiler found first would be taken for a change of the build.
    env = dict(os.environ, PATH=os.path.join(args.build, "bin") + os.pathsep + args.path)
    prepare(args, env)
    pages = ["README.md"] + sorted(os.path.join("docs", p) for p in os.listdir(os.path.join(args.source, "docs")))
    counts = {page: check(page, args, env) for page in pages}
    if counts["README.md"] < 6:
        sys.exit(f"README.md: only {counts['README.md']} commands were found")
    print(f"{sum(counts.values())} commands in {len(pages)} pages")


if __name__ == "__main__":
    main()
