#!/usr/bin/env python3
"""Runs what README.md tells its readers to type.

Every ```sh block is run, line by line, in a scratch folder that holds the names the README uses (model.onnx, DIR, ...); a
plain ``` block after it is the output to expect. The C program is compiled and run as written. The command that builds
and tests everything is not run from within itself: it has to be the one that .ci/run runs.
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
        sys.exit(f"README.md: '{command}' gave status {done.returncode}:\n{done.stdout}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("source", "build", "cc", "scratch", "path"):
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()
    shutil.rmtree(args.scratch, ignore_errors=True)
    os.makedirs(args.scratch)
    data = os.path.join(args.source, "test", "data", "mnist")
    shutil.copy(os.path.join(data, "model.onnx"), args.scratch)
    shutil.copy(os.path.join(args.source, "test", "codegen", "gpu", "softmax.onnxtxt"), args.scratch)
    shutil.copytree(os.path.join(data, "test_data_set_0"), os.path.join(args.scratch, "DIR"))
    # A user's PATH, not that of the tests: another compiler found first would be taken for a change of the build.
    env = dict(os.environ, PATH=os.path.join(args.build, "bin") + os.pathsep + args.path)
    include, library = os.path.join(args.source, "runtime", "include"), os.path.join(args.build, "lib")

    ran, checked = 0, False
    found = blocks(open(os.path.join(args.source, "README.md")).read())
    for i, (language, text) in enumerate(found):
        expected = found[i + 1][1].strip() if i + 1 < len(found) and found[i + 1][0] == "" else None
        if language == "c":
            program = os.path.join(args.scratch, "app.c")
            open(program, "w").write(text)
            run(f"{args.cc} -Wall -Werror -I{include} app.c -L{library} -Wl,-rpath,{library} -loptc -o app", args.scratch, env)
            run("optc model.onnx -o mnist.so && ./app", args.scratch, env)
            ran += 1
        if language != "sh":
            continue
        for line in text.strip().splitlines():
            command = line.split("#")[0].strip()
            if "--target check" in command:
                # The test suite itself: .ci/run types the same.
                steps = [step.strip() for step in command.split("&&")]
                script = open(os.path.join(args.source, ".ci", "run")).read()
                missing = [step for step in steps if step not in script]
                if missing:
                    sys.exit(f"README.md: .ci/run does not run {missing}")
                checked = True
                continue
            inside = command.startswith("tools/")
            output = run(command, args.source if inside else args.scratch, env)
            if expected and expected not in output:
                sys.exit(f"README.md: '{command}' printed\n{output}\nrather than\n{expected}")
            ran += 1
    if not checked or ran < 5:
        sys.exit(f"README.md: only {ran} commands were found")
    print(f"{ran} commands")


if __name__ == "__main__":
    main()
