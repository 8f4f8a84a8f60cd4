# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: statistics of the installed service, within its sandbox. Failed units, interfaces and
file systems that come and go, and a restart of the service. Values are compared with those of other programs."""

import json
import os
import pathlib
import re
import subprocess
import uuid

import pytest

from agent_test import manager, reply_to, run, script_arguments, show, unit_of, wait_for  # noqa: F401

INTERVAL = 0.2


def do(manager, command, **arguments):
    guid = str(uuid.uuid4())
    manager.request(guid, command, arguments)
    return reply_to(manager, guid)


def begin(manager, kind):
    reply = do(manager, "init_system_stat", statType=kind, statName=kind, holdCount=5,
               checkInterval=INTERVAL)
    assert reply["return_code"] == 0, reply


def samples(manager, kind):
    reply = do(manager, "get_system_stat", statName=kind)
    assert reply["return_code"] == 0, reply
    return reply["reply_object"]["status"]


def newest(manager, kind):
    return wait_for(lambda: samples(manager, kind), f"a sample of {kind}")[-1]


def rows(manager, kind, key):
    return {row["name"]: row for row in newest(manager, kind)[key]}


def wait_until(manager, kind, condition):
    return wait_for(lambda: condition(newest(manager, kind)), f"{kind} as expected")


def failed_units():
    return {line.split()[0] for line in
            run("systemctl", "list-units", "--failed", "--plain", "--no-legend").splitlines()}


def test_failed_units(manager):
    def names(sample):
        assert sample["failed"] == len(sample["failed-units"])
        return {row["name"] for row in sample["failed-units"]}

    begin(manager, "units")
    begin(manager, "system-overview")
    before = failed_units()
    wait_until(manager, "units", lambda sample: names(sample) == before)
    run("systemd-run", "--unit=dcm-test-fails", "false")
    wait_until(manager, "units", lambda sample: names(sample) == before | {"dcm-test-fails.service"})
    wait_until(manager, "system-overview", lambda sample: sample["units"]["failed"] == len(before) + 1)
    run("systemctl", "reset-failed", "dcm-test-fails.service")
    wait_until(manager, "units", lambda sample: names(sample) == before)
    assert failed_units() == before


def test_interface_that_comes_and_goes(manager):
    """It has no rate of what was before, its traffic has one, and it goes without a negative one."""
    begin(manager, "interfaces")
    begin(manager, "net-bytes-out")
    assert "dcm0" not in rows(manager, "interfaces", "interfaces")
    run("ip", "link", "add", "dcm0", "type", "veth", "peer", "name", "dcm1")
    try:
        run("ip", "link", "set", "dcm0", "up")
        run("ip", "link", "set", "dcm1", "up")
        run("ip", "address", "add", "192.0.2.7/24", "dev", "dcm0")
        run("ip", "neigh", "add", "192.0.2.8", "lladdr", "02:00:00:00:00:01", "dev", "dcm0")
        wait_until(manager, "interfaces",
                   lambda sample: "dcm0" in [row["name"] for row in sample["interfaces"]])
        send = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                "for _ in range(200): s.sendto(b'x' * 1000, ('192.0.2.8', 9))")

        def is_seen():
            run("python3", "-c", send)
            seen = rows(manager, "interfaces", "interfaces")["dcm0"]
            return seen["packets-out"] > 0 and \
                seen["bytes-out"] >= 1000 * seen["packets-out"] > 0

        wait_for(is_seen, "the traffic of dcm0")
    finally:
        run("ip", "link", "delete", "dcm0")
    wait_until(manager, "interfaces",
               lambda sample: "dcm0" not in [row["name"] for row in sample["interfaces"]])
    assert all(sample["net-bytes-out"] >= 0 for sample in samples(manager, "net-bytes-out"))


SLACK = 32 << 20  # what changes within the moment between two readings; a wrong sum is never near


@pytest.mark.parametrize("point", ["/home", "/root", "/run/user"])
def test_file_system_of_homes(manager, point, tmp_path):
    """It is measured although the agent does not see into homes; also when it is mounted later."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    run("mkfs.ext4", "-q", str(image))
    if not pathlib.Path("/dev/loop-control").exists():
        run("mknod", "/dev/loop-control", "c", "10", "237")
        for n in range(16):
            run("mknod", f"/dev/loop{n}", "b", "7", str(n))
    begin(manager, "filesystems")
    run("mount", "-o", "loop", str(image), point)
    try:
        row = wait_for(lambda: rows(manager, "filesystems", "filesystems").get(point), point)
        assert 8 << 20 < row["size"] < 16 << 20
    finally:
        run("umount", "--lazy", point)


def test_file_systems_beside_df(manager):
    begin(manager, "filesystems")

    def agree():
        found = rows(manager, "filesystems", "filesystems")
        assert "/" in found
        near = True
        for name, row in found.items():
            out = run("df", "-B1", "--output=size,used,avail,itotal", name).splitlines()[1]
            size, used, available, inodes = [int(n) for n in out.replace("-", "0").split()]
            assert row["size"] == size and row.get("inodes", 0) == inodes
            near &= abs(row["used"] - used) < SLACK and abs(row["available"] - available) < SLACK
        return near

    wait_for(agree, "the same of df")


def test_all_types_in_the_sandbox_of_the_service(manager):
    kinds = ["cpu-idle", "system-stats", "disk-read-ops", "disk-write-ops", "disk-read-bytes",
             "disk-write-bytes", "net-bytes-in", "net-bytes-out", "memory", "load", "filesystems",
             "disks", "interfaces", "temperature", "units", "agent"]
    kinds += ["pressure"] if pathlib.Path("/proc/pressure/cpu").exists() else []
    for kind in kinds:
        begin(manager, kind)
    for kind in kinds:
        newest(manager, kind)
    proc = pathlib.Path("/proc") / show("dcm-agent.service", "MainPID")

    def agree():
        sample = newest(manager, "agent")
        rss = re.search(r"^Rss:\s+(\d+)", (proc / "smaps_rollup").read_text(), re.M)[1]
        usage = int(show("dcm-agent.service", "CPUUsageNSec")) / 1e9
        assert sample["pss"] > 0 and sample["cpu-time"] > 0
        # the kernel adds to the figure of a control group at ticks, to that of a process when it is asked
        return sample["cpu-time"] <= usage and abs(sample["rss"] - int(rss) * 1024) < 4 << 20

    wait_for(agree, "the same memory of the agent, and no more processor time than its unit has")


def test_memory_beside_free(manager):
    begin(manager, "memory")

    def agree():
        sample = newest(manager, "memory")
        words = run("free", "-b").splitlines()[1].split()
        assert sample["total"] == int(words[1])
        return all(abs(sample[key] - int(n)) < SLACK for key, n in
                   (("free", words[3]), ("cache", words[5]), ("available", words[6])))

    wait_for(agree, "the same of free")


def test_statistics_are_kept_over_a_restart(manager):
    begin(manager, "load")
    begin(manager, "memory")
    assert do(manager, "delete_system_stat", statName="memory")["return_code"] == 0
    newest(manager, "load")
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(2)
    assert newest(manager, "load")["tasks"] > 0
    assert do(manager, "get_system_stat", statName="memory")["return_code"] == 1
    run("systemctl", "kill", "--signal=KILL", "dcm-agent.service")
    manager.wait_offer(3)
    assert newest(manager, "load")["tasks"] > 0
    assert do(manager, "delete_system_stat", statName="load")["return_code"] == 0


def test_idle_beside_vmstat(manager):
    """vmstat's second report is of the second in which the samples are taken."""
    begin(manager, "cpu-idle")
    newest(manager, "cpu-idle")

    def agree():
        out = run("vmstat", "1", "2").splitlines()
        status = samples(manager, "cpu-idle")
        told = dict(zip(out[1].split(), map(int, out[-1].split())))
        mean = sum(sample["cpu-idle"] for sample in status) / len(status) * 100
        return abs(mean - told["id"] - told["wa"]) < 10

    wait_for(agree, "the same of vmstat")


SOCKET = "/run/dcm-metrics.socket"


def test_metrics_over_the_socket(manager):
    """As collectors ask; the text is checked by a parser in tests/component/test_metrics.py."""
    run("systemctl", "start", "dcm-metrics.socket")
    try:
        text = run("setpriv", "--reuid=nobody", "--clear-groups", "curl", "-sS", "--unix-socket",
                   SOCKET, "http://localhost/metrics")
        assert text.endswith("# EOF\n") and "\ndcm_agent_up 1\n" in text and "\ndcm_agent_connected 1\n" in text
        assert re.search(r"^dcm_agent_cpu_seconds_total [\d.]+$", text, re.M)
        assert re.search(r'^dcm_filesystem_size_bytes\{mountpoint="/"\} [1-9]', text, re.M)
        run("systemctl", "stop", "dcm-agent.service")
        text = run("curl", "-sS", "--unix-socket", SOCKET, "http://localhost/metrics")
        assert "\ndcm_agent_up 0\n" in text and "dcm_agent_requests" not in text
        assert show("dcm-agent.service", "ActiveState") == "inactive", "nobody starts it by a question"
    finally:
        run("systemctl", "stop", "dcm-metrics.socket")
        run("systemctl", "start", "dcm-agent.service")
    assert not pathlib.Path(SOCKET).exists()


def test_metrics_unit_is_hardened():
    text = run("systemd-analyze", "security", "--no-pager", "--offline=true",
               "/usr/lib/systemd/system/dcm-metrics@.service", check=False)
    score = float(re.search(r"exposure level for \S+: ([0-9.]+)", text)[1])
    print(f"dcm-metrics@.service: {score}")
    assert score <= 1.5


def test_top_shows_what_jobs_use(manager):
    pathlib.Path("/tmp/dcm-test-top").unlink(missing_ok=True)
    guid = str(uuid.uuid4())
    manager.request(guid, "run_script", script_arguments(
        "#!/bin/bash\nwhile [[ ! -e /tmp/dcm-test-top ]]; do :; done\n"))
    wait_for(lambda: show(unit_of(guid), "SubState") == "running", "the job")
    text = run("dcm-agentctl", "top")
    assert "Connected to ws://" in text and re.search(r"^Jobs: 1$", text, re.M)
    assert re.search(rf"^{guid} +run_script +running ", text, re.M)
    pathlib.Path("/tmp/dcm-test-top").touch()
    reply_to(manager, guid)
    pathlib.Path("/tmp/dcm-test-top").unlink()


# --- alerts.conf --------------------------------------------------------------------------------------

RULES = pathlib.Path("/etc/dcm-agent/alerts.conf.d/test.conf")


@pytest.fixture
def rules(manager):
    def write(text):
        RULES.write_text(text)
        run("systemctl", "reload", "dcm-agent.service")

    yield write
    RULES.unlink(missing_ok=True)
    run("systemctl", "reload", "dcm-agent.service")


def wait_alert(manager, subject):
    def found():
        return [a for a in manager.of_type("ALERT") if re.search(subject, a["subject"] + "\n" + a["message"], re.M)]
    alert = wait_for(found, f"an alert {subject}")[0]
    manager.send(type="ALERT_ACK", request_id=alert["request_id"])
    return alert


def test_unit_that_fails_and_is_reset(manager, rules):
    for unit in failed_units():
        run("systemctl", "reset-failed", unit)
    rules("[failed]\nstatistic = units\nvalue = failed\nabove = 0\ninterval = 1\n")
    run("systemd-run", "--unit=dcm-test-alert", "false")
    assert wait_alert(manager, "^failed: failed is 1, above 0: dcm-test-alert.service$")["level"] == 7
    run("systemctl", "reset-failed", "dcm-test-alert.service")
    wait_alert(manager, "^failed: cleared$")


def shipped_rule(name):
    """A rule that alerts.conf has as a comment, for those who are impatient."""
    text = pathlib.Path("/etc/dcm-agent/alerts.conf").read_text()
    lines = re.search(rf"^#\[{name}\]\n(#.+\n)+", text, re.M).group().replace("#", "")
    return re.sub(r"^interval = .*", "interval = 1", re.sub(r"^for = .*\n", "", lines, flags=re.M), flags=re.M)


def test_mount_of_fstab_that_is_missing(manager, rules):
    """The shipped rule, status and doctor say it; and no longer when the line has gone."""
    fstab, where = pathlib.Path("/etc/fstab"), "/srv/dcm-test-volume"
    before = fstab.read_text() if fstab.exists() else None
    assert not json.loads(run("dcm-agentctl", "--json", "status"))["VolumeProblems"]
    try:
        fstab.write_text((before or "") + f"UUID=00000000-0000-4000-8000-000000000000 {where} ext4 nofail 0 2\n")
        rules(shipped_rule("mount-missing"))
        assert wait_alert(manager, f"^mount-missing: missing is 1, above 0: {where}$")["level"] == 10
        problem = f"{where} is not mounted, though fstab has it"
        assert json.loads(run("dcm-agentctl", "--json", "status"))["VolumeProblems"] == [problem]
        assert re.search(rf"^ *Volumes: {problem}$", run("dcm-agentctl", "status"), re.M)
        doctor = subprocess.Popen(["dcm-agentctl", "doctor"], stdout=subprocess.PIPE, text=True)
        wait_for(lambda: doctor.poll() is not None, "the doctor")
        assert re.search(rf"^warning +volumes +{where} is not mounted", doctor.stdout.read(), re.M)
    finally:
        fstab.write_text(before or "")
    wait_alert(manager, "^mount-missing: cleared$")
    assert not json.loads(run("dcm-agentctl", "--json", "status"))["VolumeProblems"]


def test_interface_that_goes_clears_its_alert(manager, rules):
    run("ip", "link", "add", "dcm7", "type", "veth", "peer", "name", "dcm8")
    rules("[quiet]\nstatistic = interfaces\nvalue = bytes-in\nbelow = 1\nrows = dcm7\ninterval = 1\n")
    wait_alert(manager, "^quiet: dcm7: bytes-in is 0.0 B/s, below 1.0 B/s$")
    run("ip", "link", "delete", "dcm7")
    wait_alert(manager, "^dcm7: is gone$")


def test_pressure_by_a_trigger_of_the_kernel(manager, rules):
    """The agent's own user may have it, within the sandbox. More work than there are processors: some wait."""
    rules("[cpu]\nstatistic = pressure\nvalue = some-avg10\nrows = cpu\nstall = 0.3\nwindow = 2\n")
    statistics = json.loads(run("busctl", "--json=short", "call", "org.dcmagent.Agent1", "/org/dcmagent/Agent1",
                                "org.dcmagent.Agent1.Health", "ListStatistics"))["data"][0]
    refused = "no trigger" in run("journalctl", "-u", "dcm-agent", "-o", "cat", "-n", "50")
    assert refused == any(s[0].startswith("alerts:pressure") for s in statistics)
    major, minor = map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups())
    assert not refused or (major, minor) < (6, 5), "from 6.5 on it needs no privilege"
    load = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(4 * os.cpu_count())]
    try:
        wait_alert(manager, "^cpu: cpu: some-avg10 is .*above 15.0 %$")
    finally:
        for process in load:
            process.kill()
            process.wait()
    # whether it is over depends on what else this machine does: that an end is told is shown by the others
