#!/usr/bin/env python3
"""Runs every suite (GoogleTest programs, then lit) and ends with one line: N passed, N failed, N skipped.

Each program's tests are shared out to as many processes as there are cores."""
import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile


def run_shard(program, shard, shards):
    environment = {**os.environ, "GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(shard)}
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        process = subprocess.run([program, f"--gtest_output=json:{out.name}", "--gtest_brief=1"], env=environment,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        try:
            report = json.load(open(out.name))
        except ValueError:
            print(process.stdout + f"{os.path.basename(program)}: died with status {process.returncode}")
            return 0, 1, 0
    cases = [case for suite in report["testsuites"] for case in suite["testsuite"] if case["status"] == "RUN"]
    skipped = sum(case.get("result") == "SKIPPED" for case in cases)
    failed = sum("failures" in case for case in cases)
    if process.returncode != 0:
        print(process.stdout)
        failed = max(failed, 1)
    return max(0, len(cases) - failed - skipped), failed, skipped


def run_unit(programs, jobs):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        shards = [pool.submit(run_shard, program, shard, jobs) for program in programs for shard in range(jobs)]
        return [shard.result() for shard in shards]


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
    parser.add_argument("--jobs", "-j", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("folder")
    args = parser.parse_args()
    bin_dir = os.path.join(args.build, "bin")
    programs = sorted(os.path.join(bin_dir, p) for p in os.listdir(bin_dir) if p.endswith("_tests"))
    results = run_unit(programs, args.jobs) + [run_lit(args.lit, args.folder)]
    passed, failed, skipped = (sum(column) for column in zip(*results))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
