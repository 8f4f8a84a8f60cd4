#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Inside a booted machine: what a request costs, against a floor measured in the same run.

The load is `heartbeat` over wss from a manager in C (bench-load, libsoup). The floor (bench-floor) is
the same traffic from constant texts and as many fdatasync() as the agent makes; both write to the
same disk: DIRECTORY must be on a real one. Agent and floor take turns; figures are medians."""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

from idle import BRIEF, make_certificates, run, show

PORT = "8443"
CONF = pathlib.Path("/etc/dcm-agent/agent.conf.d/bench.conf")
STATE = pathlib.Path("/var/lib/dcm-agent")
# in flight, requests
LOADS = [(1, 10), (4, 40)] if BRIEF else [(1, 1000), (16, 10000), (64, 20000)]
ROUNDS = 1 if BRIEF else 3
TRACED = 10 if BRIEF else 300


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def load(build, work, in_flight, count, peer):
    """One connection's figures; `peer` starts who connects."""
    process = subprocess.Popen([build / "tests/bench/bench-load", work / "cert.pem", work / "key.pem",
                                PORT, str(in_flight), str(count)], stdout=subprocess.PIPE, text=True)
    end = peer()
    out, _ = process.communicate(timeout=300)
    cpu = end()
    return json.loads(out) | {"cpu_usec": cpu / count * 1e6}


def agent_peer():
    pid = show("dcm-agent.service", "MainPID")
    before = cpu_seconds(pid)
    return lambda: cpu_seconds(pid) - before


def floor_peer(build, work, disk, syncs):
    def start():
        for _ in range(200):  # the server is being started
            if run("ss", "-Hltn", f"sport = :{PORT}"):
                break
            time.sleep(0.02)
        process = subprocess.Popen([build / "tests/bench/bench-floor", PORT, work / "ca.pem",
                                    disk / "floor", str(syncs)])

        def end():
            usage = os.wait4(process.pid, 0)[2]
            return usage.ru_utime + usage.ru_stime

        return end
    return start


def syncs_per_request(build, work, count=TRACED):
    """Of the agent, counted by strace, one request at a time."""
    pid = show("dcm-agent.service", "MainPID")
    log = work / "strace"
    trace = subprocess.Popen(["strace", "-f", "-c", "-o", log, "-p", pid], stderr=subprocess.PIPE, text=True)
    trace.stderr.readline()  # it says when it is attached
    load(build, work, 1, count, agent_peer)
    trace.terminate()
    trace.wait()
    calls = {}
    for line in log.read_text().splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
            calls[fields[-1]] = int(fields[3])
    n = count + 64
    return calls.get("fdatasync", 0) / n, sum(calls.values()) / n


def main():
    build, share = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    disk = pathlib.Path(run("mktemp", "-d", "-p", share))
    work = pathlib.Path(run("mktemp", "-d"))
    make_certificates(work)
    pathlib.Path("/etc/dcm-agent/ca.pem").write_bytes((work / "ca.pem").read_bytes())
    CONF.write_text(f"[connection]\nagentmanager_url = wss://127.0.0.1:{PORT}/\n"
                    "ca_cert = /etc/dcm-agent/ca.pem\nbackoff = 10\nmax_backoff = 20\n")
    STATE.mkdir(exist_ok=True)
    disk.chmod(0o755)
    (disk / "state").mkdir()
    run("mount", "--bind", disk / "state", STATE)
    run("systemctl", "start", "dcm-agent.service")
    try:
        measure(build, work, disk)
    finally:
        run("systemctl", "stop", "dcm-agent.service")
        run("umount", STATE)
        shutil.rmtree(disk)


def measure(build, work, disk):
    syncs, calls = syncs_per_request(build, work)
    print(f"sequential: {syncs:.2f} fdatasync and {calls:.0f} system calls per request")
    for in_flight, count in LOADS:
        agent, floor = [], []
        for _ in range(ROUNDS):
            agent.append(load(build, work, in_flight, count, agent_peer))
            run("systemctl", "stop", "dcm-agent.service")
            floor.append(load(build, work, in_flight, count,
                              floor_peer(build, work, disk, max(1, round(syncs)))))
            run("systemctl", "start", "dcm-agent.service")

        def median(runs, key):
            return statistics.median(r[key] for r in runs)

        p50, p50_floor = median(agent, "p50_usec"), median(floor, "p50_usec")
        rate, rate_floor = median(agent, "rate"), median(floor, "rate")
        print(f"{in_flight:3} in flight: {rate:6.0f}/s (floor {rate_floor:.0f}/s, ratio "
              f"{rate_floor / rate:.2f}); p50 {p50:.0f} us (floor {p50_floor:.0f}, ratio "
              f"{p50 / p50_floor:.2f}); p99 {median(agent, 'p99_usec'):.0f} us; agent's CPU per "
              f"request {median(agent, 'cpu_usec'):.0f} us (floor {median(floor, 'cpu_usec'):.0f})",
              flush=True)


if __name__ == "__main__":
    main()
