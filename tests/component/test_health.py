# SPDX-License-Identifier: Apache-2.0
"""Statistics as a manager has them: types, keys, hold count, errors, restarts; and their values beside
those that other programs read in the same moment."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import urllib.parse
import uuid

import pytest

from harness import wait_for

INTERVAL = 0.1
PYTHON_AGENT = {
    "cpu-idle": ("cpu_idle_stat_array", {"cpu-idle"}),
    "system-stats": ("system_info_stat_array",
                     {"cpu-load", "disk-read-ops", "disk-write-ops", "disk-read-bytes",
                      "disk-write-bytes", "net-bytes-in", "net-bytes-out"}),
    "disk-read-ops": ("disk_read_ops_stat_array", {"disk-read-ops"}),
    "disk-write-ops": ("disk_write_ops_stat_array", {"disk-write-ops"}),
    "disk-read-bytes": ("disk_read_bytes_stat_array", {"disk-read-bytes"}),
    "disk-write-bytes": ("disk_write_bytes_stat_array", {"disk-write-bytes"}),
    "net-bytes-in": ("net_bytes_in_stat_array", {"net-bytes-in"}),
    "net-bytes-out": ("net_bytes_out_stat_array", {"net-bytes-out"}),
}
OURS = {"memory", "load", "filesystems", "pressure", "disks", "interfaces", "temperature", "agent"}


@pytest.fixture
def server(agent, manager):
    """A manager with a connected agent that samples nothing of its own."""
    agent.configure(manager.url(), health={"interval": "0"})
    agent.start()
    manager.wait_offer()
    return manager


def send(manager, command, **arguments):
    guid = str(uuid.uuid4())
    manager.request(guid, command, arguments)
    return guid


def reply_to(manager, guid):
    reply = manager.wait_message("REPLY", guid)
    manager.ack(reply)
    return reply["payload"]


def do(manager, command, **arguments):
    return reply_to(manager, send(manager, command, **arguments))


def begin(manager, kind, name=None, hold=100, interval=INTERVAL):
    reply = do(manager, "init_system_stat", statType=kind, statName=name or kind, holdCount=hold,
               checkInterval=interval)
    assert reply == {"return_code": 0, "reply_type": "void", "reply_object": None, "message": "",
                     "error_message": ""}


def get(manager, name):
    reply = do(manager, "get_system_stat", statName=name)
    assert reply["return_code"] == 0, reply
    return reply


def samples(manager, name, n=1):
    """At least so many."""
    while len(status := get(manager, name)["reply_object"]["status"]) < n:
        pass
    return status


def error_of(reply):
    assert reply["return_code"] == 1 and reply["reply_type"] == "void", reply
    return urllib.parse.unquote(reply["error_message"])


def restart(agent, manager):
    n = len(manager.offers)
    agent.kill()
    agent.notifications()  # sd_notify() blocks while the socket is full
    agent.start()
    manager.wait_offer(n + 1)


@pytest.mark.parametrize("kind", PYTHON_AGENT)
def test_types_of_the_python_agent(server, kind):
    reply_type, keys = PYTHON_AGENT[kind]
    begin(server, kind, "name of its own")
    status = samples(server, "name of its own", 2)
    reply = get(server, "name of its own")
    assert reply["reply_type"] == reply_type and set(reply["reply_object"]) == {"status"}
    for sample in status:
        assert set(sample) == keys | {"timestamp"}
        assert isinstance(sample["timestamp"], float)
    for key in keys:
        value = status[-1][key]
        if key in ("cpu-idle", "cpu-load"):
            assert isinstance(value, float) and 0 <= value <= 1
        elif kind == "system-stats":
            assert isinstance(value, int) and value >= 0
        else:
            assert isinstance(value, float) and value >= 0


def test_hold_count(server):
    """Exactly so many, the newest, in their order; two statistics do not disturb each other."""
    begin(server, "cpu-idle", "five", hold=5)
    begin(server, "load", "two", hold=2, interval=0.2)
    first = samples(server, "five", 5)
    assert len(samples(server, "two", 2)) == 2

    def moved_on():
        status = get(server, "five")["reply_object"]["status"]
        assert len(status) == 5
        times = [sample["timestamp"] for sample in status]
        assert times == sorted(set(times))
        return times[0] > first[-1]["timestamp"]

    while not moved_on():
        pass
    assert len(samples(server, "two")) == 2


def test_errors(server):
    def init(**more):
        arguments = {"statType": "cpu-idle", "statName": "x", "holdCount": 5, "checkInterval": 1.0}
        return error_of(do(server, "init_system_stat", **{**arguments, **more}))

    assert init(statType="cpu-busy") == "The statistic type 'cpu-busy' is not known"
    assert init(statName="") == "The argument 'statName' must have 1 to 256 bytes"
    assert init(statName="x" * 257) == "The argument 'statName' must have 1 to 256 bytes"
    assert init(holdCount=0) == "The argument 'holdCount' must be from 1 to 10000"
    assert init(holdCount=10001) == "The argument 'holdCount' must be from 1 to 10000"
    assert init(holdCount="many") == "The argument 'holdCount' is not a valid integer"
    assert init(holdCount=None) == "The mandatory argument 'holdCount' is missing"
    for interval in (0, -1, 0.05, 1e9):
        assert init(checkInterval=interval) == \
            "The argument 'checkInterval' must be from 0.1 to 86400"
    assert init(checkInterval="nan") == "The argument 'checkInterval' is not a valid number"
    for command in ("get_system_stat", "delete_system_stat"):
        assert error_of(do(server, command, statName="x")) == "There is no statistic 'x'"
    begin(server, "cpu-idle", "x")
    assert init() == "The statistic 'x' exists already"
    assert do(server, "delete_system_stat", statName="x")["return_code"] == 0
    assert error_of(do(server, "delete_system_stat", statName="x")) == "There is no statistic 'x'"
    begin(server, "load", "x")


def test_orders_take_effect_one_after_the_other(server):
    """All in one segment."""
    orders = []
    for i in range(20):
        orders += [("init_system_stat", {"statType": "load", "statName": f"n{i % 3}",
                                         "holdCount": 1, "checkInterval": "1.5"}),
                   ("get_system_stat", {"statName": f"n{i % 3}"}),
                   ("init_system_stat", {"statType": "load", "statName": f"n{i % 3}",
                                         "holdCount": 1, "checkInterval": 1}),
                   ("delete_system_stat", {"statName": f"n{i % 3}"})]
    guids = [send(server, command, **arguments) for command, arguments in orders]
    codes = [reply_to(server, guid)["return_code"] for guid in guids]
    assert codes == [0, 0, 1, 0] * 20


def test_bounds(server):
    for i in range(16):
        begin(server, "load", f"interval {i}", 1, 1000 + i)
    arguments = {"statType": "load", "holdCount": 1, "checkInterval": 999}
    assert error_of(do(server, "init_system_stat", statName="x", **arguments)) == \
        "There are statistics with 16 other intervals already"
    for i in range(112):
        begin(server, "load", f"more {i}", 1, 1000)
    assert error_of(do(server, "init_system_stat", statName="x", **arguments)) == \
        "There are 128 statistics already"


def test_definitions_are_kept_over_a_kill(agent, server):
    begin(server, "load", "kept", hold=3)
    begin(server, "memory", "other", hold=3)
    begin(server, "memory", "ended", hold=3)
    samples(server, "kept", 3)
    assert do(server, "delete_system_stat", statName="ended")["return_code"] == 0
    restart(agent, server)
    status = samples(server, "kept", 3)
    assert len(status) == 3 and set(status[0]) > {"load-1", "timestamp"}
    assert error_of(do(server, "get_system_stat", statName="ended"))
    # a manager of the Python agent defines anew what that forgot: once
    begin(server, "load", "kept", hold=3)
    begin(server, "load", "other", hold=2, interval=5)
    reply = do(server, "init_system_stat", statType="load", statName="other", holdCount=2,
               checkInterval=5)
    assert error_of(reply) == "The statistic 'other' exists already"
    assert get(server, "other")["reply_type"] == "load_stat_array"
    restart(agent, server)
    assert get(server, "other")["reply_type"] == "load_stat_array"
    assert do(server, "delete_system_stat", statName="other")["return_code"] == 0
    restart(agent, server)
    assert error_of(do(server, "get_system_stat", statName="other"))


def test_killed_between_order_and_reply(agent, server):
    """Whenever the agent is killed: the reply is true, and what it says is kept."""
    for i in range(8):
        guid = send(server, "init_system_stat", statType="load", statName=f"s{i}", holdCount=1,
                    checkInterval=100)
        server.wait_message("ACK", guid)
        restart(agent, server)
        assert reply_to(server, guid)["return_code"] == 0
        assert get(server, f"s{i}")["reply_type"] == "load_stat_array"


def test_nothing_wakes_up_without_a_statistic(agent, server):
    n_files = agent.n_descriptors()
    begin(server, "system-overview", "all")
    samples(server, "all")
    assert agent.n_descriptors() > n_files
    assert do(server, "delete_system_stat", statName="all")["return_code"] == 0
    wait_for(lambda: agent.n_descriptors() <= n_files + 1, "files to be closed")


def test_overview(server):
    begin(server, "system-overview", "all", hold=50)
    samples(server, "all")
    wait_for(lambda: "disks" in samples(server, "all")[0], "rates")
    reply = get(server, "all")
    assert reply["reply_type"] == "system_overview"
    (sample,) = reply["reply_object"]["status"]
    assert OURS - {"pressure"} | {"system-stats", "timestamp"} <= set(sample)
    assert sample["memory"]["total"] > 0 and "timestamp" not in sample["memory"]


def test_old_samples_are_left_out_of_a_large_reply(server):
    """Where the machine has so many rows that hold samples do not fit. The bound itself is in
    tests/unit/test-health.c; here the reply says nothing as long as nothing is left out."""
    begin(server, "interfaces", "i", hold=10000)
    assert len(samples(server, "i", 2)) >= 2
    assert get(server, "i")["message"] == ""


# values, beside those of others


def interface_counters():
    counters = {}
    for line in pathlib.Path("/proc/net/dev").read_text().splitlines()[2:]:
        name, _, numbers = line.rpartition(":")
        numbers = [int(n) for n in numbers.split()]
        counters[name.strip()] = (numbers[0], numbers[8])
    return counters


def disk_counters():
    """Reads, writes, bytes read and written of each disk that has a device."""
    counters = {}
    for path in pathlib.Path("/sys/block").iterdir():
        if (path / "device").exists():
            n = [int(x) for x in (path / "stat").read_text().split()]
            counters[path.name] = (n[0], n[4], n[2] * 512, n[6] * 512)
    return counters


def total(counters):
    return [sum(column) for column in zip(*counters.values())] or [0] * 4


def test_counters_are_between_those_before_and_after(server):
    disks, interfaces = total(disk_counters()), total(interface_counters())
    begin(server, "system-stats")
    sample = samples(server, "system-stats")[-1]
    disks_after, interfaces_after = total(disk_counters()), total(interface_counters())
    keys = ["disk-read-ops", "disk-write-ops", "disk-read-bytes", "disk-write-bytes"]
    for key, low, high in zip(keys, disks, disks_after):
        assert low <= sample[key] <= high, key
    for key, low, high in zip(["net-bytes-in", "net-bytes-out"], interfaces, interfaces_after):
        assert low <= sample[key] <= high, key


def test_rates_add_up_to_what_was_counted(server):
    """Rate by rate times its interval is at most what was counted around them. There is traffic: the
    test's own, over lo."""
    before = total(interface_counters())
    begin(server, "net-bytes-in", hold=1000)
    status = samples(server, "net-bytes-in", 10)
    after = total(interface_counters())
    seen = sum(b["net-bytes-in"] * (b["timestamp"] - a["timestamp"])
               for a, b in zip(status, status[1:]))
    assert 0 < seen <= (after[0] - before[0]) * 1.05


def test_interfaces(server):
    begin(server, "interfaces")
    sample = samples(server, "interfaces")[-1]
    assert {row["name"] for row in sample["interfaces"]} == set(interface_counters())
    for row in sample["interfaces"]:
        assert set(row) == {"name", "bytes-in", "bytes-out", "packets-in", "packets-out", "errors-in",
                            "errors-out", "drops-in", "drops-out"}


def test_disks(server):
    begin(server, "disks")
    sample = samples(server, "disks")[-1]
    assert {row["name"] for row in sample["disks"]} == set(disk_counters())
    for row in sample["disks"]:
        assert 0 <= row["utilisation"] <= 1 and row["read-latency"] >= 0


def near(value, told, factor):
    return told / factor <= value <= told * factor


def iostat():
    out = subprocess.run(["iostat", "-dxy", "-o", "JSON", "2", "1"], capture_output=True, text=True,
                         check=True, env={**os.environ, "LC_ALL": "C"}).stdout
    statistics = json.loads(out)["sysstat"]["hosts"][0]["statistics"][0]
    return {disk["disk_device"]: disk for disk in statistics["disk"]}


def test_disks_beside_iostat(agent, server):
    """Both look at a writer that syncs each block. Their windows are not quite the same."""
    if not shutil.which("iostat"):
        pytest.skip("iostat is not installed")
    begin(server, "disks", hold=1000)
    path = agent.directory / "written"
    writer = subprocess.Popen(["dd", "if=/dev/zero", f"of={path}", "bs=64K", "count=1000000",
                               "oflag=dsync", "conv=notrunc"], stderr=subprocess.DEVNULL)
    written = set()

    def agree():
        begin_time = time.time()
        told = iostat()
        end_time = time.time()
        os.truncate(path, 0)
        status = [sample for sample in get(server, "disks")["reply_object"]["status"]
                  if begin_time <= sample["timestamp"] <= end_time]
        for name in disk_counters():
            if told[name]["w/s"] < 50:
                continue  # not the disk that is written to
            written.add(name)
            rows = [row for sample in status for row in sample["disks"] if row["name"] == name]

            def mean(key):
                return sum(row[key] for row in rows) / max(len(rows), 1)

            return near(mean("write-ops"), told[name]["w/s"], 1.5) and \
                near(mean("write-bytes"), told[name]["wkB/s"] * 1024, 1.5) and \
                near(mean("write-latency"), told[name]["w_await"], 2) and \
                abs(told[name]["util"] / 100 - mean("utilisation")) < 0.25
        return "nothing was written"

    try:
        wait_for(lambda: samples(server, "disks", 3) and path.exists(), "the writer")
        agreed = wait_for(agree, "the same of iostat")
    finally:
        writer.kill()
        writer.wait()
        path.unlink()
    if agreed is not True:
        pytest.skip("the test's directory is on no disk")


def cpu_times():
    n = [int(x) for x in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return n[3] + n[4], sum(n)


def test_cpu_idle(server):
    """The mean of the samples is the share of the whole time, give or take its ends."""
    begin(server, "cpu-idle", hold=20)
    begin(server, "system-stats")

    def agree():
        before, since = cpu_times(), time.time()
        while (status := samples(server, "cpu-idle", 20))[0]["timestamp"] < since:
            pass
        after = cpu_times()
        share = (after[0] - before[0]) / (after[1] - before[1])
        return abs(sum(sample["cpu-idle"] for sample in status) / len(status) - share) < 0.1

    wait_for(agree, "the same share of idle time")
    loads = {sample["timestamp"]: sample["cpu-load"] for sample in samples(server, "system-stats")}
    both = [sample for sample in samples(server, "cpu-idle") if sample["timestamp"] in loads]
    assert both  # one reading serves both
    for sample in both:
        assert abs(sample["cpu-idle"] + loads[sample["timestamp"]] - 1) < 1e-5


def memory():
    return {key: int(n) * 1024 for key, n in
            re.findall(r"^(\w+):\s+(\d+) kB", pathlib.Path("/proc/meminfo").read_text(), re.M)}


SLACK = 32 << 20  # what changes within the moment between two readings; a wrong sum is never near


def test_memory_beside_proc_and_vmstat(server):
    begin(server, "memory")

    def agree():
        sample, proc = samples(server, "memory")[-1], memory()
        vmstat = subprocess.run(["vmstat", "-s"], capture_output=True, text=True, check=True).stdout
        told = {key: int(n) * 1024 for n, key in re.findall(r"^\s*(\d+) K (.*)$", vmstat, re.M)}
        assert sample["free"] + sample["cache"] + sample["used"] == sample["total"]
        assert sample["total"] == proc["MemTotal"] == told["total memory"]
        assert sample["swap-total"] == proc["SwapTotal"] == told["total swap"]
        return all(abs(value - other) < SLACK for value, other in (
            (sample["free"], proc["MemFree"]), (sample["available"], proc["MemAvailable"]),
            (sample["free"], told["free memory"]), (sample["swap-used"], told["used swap"]),
            (sample["cache"], told["buffer memory"] + told["swap cache"])))

    wait_for(agree, "the same of /proc/meminfo and vmstat")


def load():
    words = pathlib.Path("/proc/loadavg").read_text().split()
    return tuple(float(word) for word in words[:3])


def test_load(server):
    seen = {load()}
    begin(server, "load")
    sample = samples(server, "load")[-1]
    seen.add(load())  # it changes each five seconds
    assert (sample["load-1"], sample["load-5"], sample["load-15"]) in seen
    assert 0 < sample["runnable"] <= sample["tasks"]


def test_pressure(server):
    path = pathlib.Path("/proc/pressure")

    def totals():
        return {f"{name} {kind}": int(n) for name in ("cpu", "memory", "io") for kind, n in
                re.findall(r"^(some|full) .* total=(\d+)$", (path / name).read_text(), re.M)}

    try:
        before = totals()
    except OSError as error:
        pytest.skip(f"the kernel has no pressure stall information: {error}")
    begin(server, "pressure")
    sample = samples(server, "pressure")[-1]
    after = totals()
    assert [row["name"] for row in sample["resources"]] == ["cpu", "memory", "io"]
    seen = {f"{row['name']} {kind}": row[f"{kind}-total"] for row in sample["resources"]
            for kind in ("some", "full") if f"{kind}-total" in row}
    assert seen.keys() == before.keys()
    for key, n in seen.items():
        assert before[key] <= n <= after[key]


def df(path):
    out = subprocess.run(["df", "-B1", "--output=size,used,avail,itotal,iused", path],
                         capture_output=True, text=True, check=True).stdout.splitlines()[1]
    return [int(n) for n in out.replace("-", "0").split()]


def test_file_systems_beside_df(server):
    begin(server, "filesystems")

    def agree():
        rows = samples(server, "filesystems")[-1]["filesystems"]
        assert rows
        near = True
        for row in rows:
            size, used, available, inodes, inodes_used = df(row["name"])
            assert row["size"] == size and row.get("inodes", 0) == inodes
            near &= abs(row["used"] - used) < SLACK and abs(row["available"] - available) < SLACK
            near &= abs(row.get("inodes-used", 0) - inodes_used) < 1000
        return near

    wait_for(agree, "the same of df")


def test_agent(agent, server):
    begin(server, "agent")

    def agree():
        sample = samples(server, "agent", 2)[-1]
        proc = pathlib.Path(f"/proc/{agent.process.pid}")
        rollup = dict(re.findall(r"^(\w+):\s+(\d+) kB", (proc / "smaps_rollup").read_text(), re.M))
        ticks = sum(int(n) for n in (proc / "stat").read_text().rpartition(")")[2].split()[11:13])
        return abs(sample["rss"] - int(rollup["Rss"]) * 1024) < 4 << 20 and \
            abs(sample["pss"] - int(rollup["Pss"]) * 1024) < 4 << 20 and \
            sample["open-files"] == agent.n_descriptors() and \
            abs(sample["cpu-time"] - ticks / os.sysconf("SC_CLK_TCK")) < 0.3

    wait_for(agree, "the same of /proc/PID")
