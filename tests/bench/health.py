#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Inside a booted machine: what the agent takes with all statistics at one second, against the same agent
without any. The manager is libsoup's; the figures are systemd's of the unit's control group.

Arguments: seconds of each run."""

import pathlib
import sys
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
for name in ("component", "booted"):
    sys.path.insert(0, str(HERE.parent / name))

from agent_test import CONF, run, show  # noqa: E402
from harness import Manager, wait_for_seconds  # noqa: E402

TYPES = ["cpu-idle", "system-stats", "disk-read-ops", "disk-write-ops", "disk-read-bytes",
         "disk-write-bytes", "net-bytes-in", "net-bytes-out", "memory", "load", "filesystems",
         "pressure", "disks", "interfaces", "temperature", "units", "agent", "system-overview"]


def do(manager, command, **arguments):
    guid = str(uuid.uuid4())
    manager.request(guid, command, arguments)
    reply = manager.wait_message("REPLY", guid)
    manager.ack(reply)
    assert reply["payload"]["return_code"] == 0, reply
    return reply["payload"]["reply_object"]


def cpu_seconds(unit):
    return int(show(unit, "CPUUsageNSec")) / 1e9


def measure(seconds):
    """Percent of one processor: of the agent, and of systemd."""
    pid1 = pathlib.Path("/proc/1/schedstat")
    before, before_1, begin = cpu_seconds("dcm-agent"), int(pid1.read_text().split()[0]), time.monotonic()
    wait_for_seconds(seconds)
    elapsed = time.monotonic() - begin
    return ((cpu_seconds("dcm-agent") - before) / elapsed * 100,
            (int(pid1.read_text().split()[0]) - before_1) / 1e9 / elapsed * 100)


def memory():
    text = pathlib.Path(f"/proc/{show('dcm-agent', 'MainPID')}/smaps_rollup").read_text()
    return {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()[1:]
            if line.startswith(("Rss:", "Pss:", "Pss_Anon:"))}


def main():
    seconds = int(sys.argv[1])
    manager = Manager()
    CONF.write_text(f"[connection]\nagentmanager_url = {manager.url()}\n")
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer()
    wait_for_seconds(5)
    idle, _ = measure(seconds)
    print(f"without statistics       {idle:.4f} % of one processor over {seconds} s, {memory()} KiB")
    for kind in TYPES:
        do(manager, "init_system_stat", statType=kind, statName=kind, holdCount=100, checkInterval=1)
    wait_for_seconds(3)
    busy, systemd = measure(seconds)
    print(f"all {len(TYPES)} types each second  {busy:.4f} %, {memory()} KiB; systemd {systemd:.4f} %")
    for kind in TYPES:
        n = len(do(manager, "get_system_stat", statName=kind)["status"])
        print(f"  {kind:<18} {n} samples")
    run("systemctl", "stop", "dcm-agent.service")


if __name__ == "__main__":
    main()
