#!/usr/bin/env python3
"""Runs every suite (GoogleTest programs, then lit) and ends with one line: N passed, N failed, N skipped."""
import argparse
import json
import os
import subprocess
import sys
import tempfile


def run_unit(program):
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        status = subprocess.run([program, f"--gtest_output=json:{out.name}", "--gtest_brief=1"]).returncode
        try:
            report = json.load(open(out.name))
        except ValueError:
            print(f"{os.path.basename(program)}: died with status {status}")
            return 0, 1, 0
    skipped = sum(case.get("result") == "SKIPPED" for suite in report["testsuites"] for case in suite["testsuite"])
    failed = report["failures"] + report["errors"] + (status != 0 and report["failures"] == 0)
    return report["tests"] - failed - skipped, failed, skipped


def run_lit(lit, folder):
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        subprocess.run([lit, "-q", "--timeout", "300", "--output", out.name, folder])
        try:
            codes = [test["code"] for test in json.load(open(out.name))["tests"]]
        except ValueError:
            print("lit died")
            return 0, 1, 0
    skipped = sum(code in ("UNSUPPORTED", "SKIPPED", "EXCLUDED") for code in codes)
    passed = sum(code in ("PASS", "XFAIL", "FLAKYPASS") for code in codes)
    return passed, len(codes) - passed - skipped, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--lit", required=True)
    parser.add_argument("--skip", action="append", default=[], help="a program that has a target of its own")
    parser.add_argument("folder")
    args = parser.parse_args()
    bin_dir = os.path.join(args.build, "bin")
    programs = sorted(p for p in os.listdir(bin_dir) if p.endswith("_tests") and p not in args.skip)
    results = [run_unit(os.path.join(bin_dir, p)) for p in programs] + [run_lit(args.lit, args.folder)]
    passed, failed, skipped = (sum(column) for column in zip(*results))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
