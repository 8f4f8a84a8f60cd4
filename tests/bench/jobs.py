#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Inside a booted machine: what a job costs, against `systemd-run --wait --pipe` of the same script.

The job is a run_script that prints a word, from the manager's REQUEST to its REPLY; the manager is
libsoup's. Both take turns, with the same properties of the unit; a second figure is systemd-run with the
user alone. The agent's and the executor's directories are on a real disk: DIRECTORY must be on one. Asserts
nothing.

Usage: jobs.py DIRECTORY"""

import concurrent.futures
import pathlib
import shutil
import statistics
import subprocess
import sys
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "component"), str(HERE.parent / "booted")]

from agent_test import script_arguments  # noqa: E402
from harness import Manager, wait_for  # noqa: E402
from idle import BRIEF, run  # noqa: E402

SCRIPT = "#!/bin/sh\necho done\n"
SEQUENTIAL = 2 if BRIEF else 100
PARALLEL, IN_FLIGHT, ROUNDS = (4, 2, 1) if BRIEF else (160, 16, 3)
CONF = pathlib.Path("/etc/dcm-agent/agent.conf.d/bench.conf")
STATES = [pathlib.Path("/var/lib/dcm-agent"), pathlib.Path("/var/lib/dcm-jobs")]


class Jobs:
    """The agent, ordered by a manager that acknowledges."""

    def __init__(self):
        self.manager = Manager()
        self.ended = {}
        self.manager.on_message = self.on_message
        CONF.write_text(f"[connection]\nagentmanager_url = {self.manager.url()}\n"
                        f"[workers]\ncount = {IN_FLIGHT}\n[logging]\nconsole_level = CRITICAL\n")
        run("systemctl", "start", "dcm-agent.service")
        self.manager.wait_offer()

    def on_message(self, message):
        if message["type"] == "REPLY":
            self.ended[message["request_id"]] = time.perf_counter()
            assert message["payload"]["message"] == "done\n", message
            self.manager.ack(message)

    def order(self):
        guid = str(uuid.uuid4())
        begun = time.perf_counter()
        self.manager.request(guid, "run_script", script_arguments(SCRIPT))
        return guid, begun

    def one(self):
        guid, begun = self.order()
        wait_for(lambda: guid in self.ended, "a reply")
        return self.ended[guid] - begun

    def many(self):
        begun, guids = time.perf_counter(), []
        for _ in range(PARALLEL):
            wait_for(lambda: sum(g not in self.ended for g in guids) < IN_FLIGHT, "a free place")
            guids.append(self.order()[0])
        wait_for(lambda: all(g in self.ended for g in guids), "all replies")
        return PARALLEL / (time.perf_counter() - begun)


def properties(work, name):
    """What a job's unit has (src/dcm-executord/unit-properties.c), as options; and the files for it."""
    for file in ("exit", "log"):
        (work / f"{name}.{file}").touch()
    return ["--service-type=exec", "--slice=dcm-jobs.slice", "-p", "User=dcm", "-p", "KillMode=control-group",
            "-p", "WorkingDirectory=-~", "-p", "TasksMax=4096", "-p", "RuntimeMaxSec=86400", "-p",
            f"BindReadOnlyPaths={work}/script:/run/dcm-job/script", "-p",
            f"BindPaths={work}/{name}.exit:/run/dcm-job/exit {work}/{name}.log:/run/dcm-job/log", "-p",
            "ExecPaths=/run/dcm-job/script"]


def systemd_run(options, script):
    begun = time.perf_counter()
    done = subprocess.run(["systemd-run", "--quiet", "--wait", "--pipe", *options, script],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.stdout == "done\n", done
    return time.perf_counter() - begun


def with_properties(work, n=0):
    return systemd_run(properties(work, n), "/run/dcm-job/script")


def bare(work):
    return systemd_run(["-p", "User=dcm"], f"{work}/script")


def many_by_systemd_run(work):
    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(lambda n: with_properties(work, n), range(PARALLEL)))
    return PARALLEL / (time.perf_counter() - begun)


def percentiles(seconds):
    cuts = statistics.quantiles(seconds, n=20)
    return cuts[9] * 1000, cuts[18] * 1000


def measure(jobs, work):
    for _ in range(5):  # the executor is started, caches are warm
        jobs.one(), with_properties(work), bare(work)
    agent, same, plain = [], [], []
    for _ in range(SEQUENTIAL):
        agent.append(jobs.one())
        same.append(with_properties(work))
        plain.append(bare(work))
    (p50, p95), (p50_same, p95_same), (p50_plain, _) = map(percentiles, (agent, same, plain))
    print(f"one at a time: p50 {p50:.1f} ms, p95 {p95:.1f} ms; systemd-run with the same properties "
          f"{p50_same:.1f} and {p95_same:.1f} ms: ratio {p50 / p50_same:.2f}; with the user alone "
          f"{p50_plain:.1f} ms: ratio {p50 / p50_plain:.2f}", flush=True)
    rates = [(jobs.many(), many_by_systemd_run(work)) for _ in range(ROUNDS)]
    rate, other = (statistics.median(r) for r in zip(*rates))
    print(f"{IN_FLIGHT} in flight: {rate:.0f}/s; parallel systemd-run {other:.0f}/s: ratio {rate / other:.2f}")


def main():
    disk = pathlib.Path(run("mktemp", "-d", "-p", sys.argv[1]))
    disk.chmod(0o755)
    work = disk / "work"
    work.mkdir()
    (work / "script").write_text(SCRIPT)
    (work / "script").chmod(0o755)
    for state in STATES:
        (disk / state.name).mkdir()
        state.mkdir(exist_ok=True)
        run("mount", "--bind", disk / state.name, state)
    try:
        measure(Jobs(), work)
    finally:
        run("systemctl", "stop", "dcm-agent.service", "dcm-agent-executor.service")
        for state in STATES:
            run("umount", state)
        shutil.rmtree(disk)


if __name__ == "__main__":
    main()
