# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, with the build installed: how long a job's output is kept, queues and how they
are shown, and jobs that try hard to break what runs them."""

import hashlib
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import time
import urllib.parse

import pytest

from agent_test import (CONF, ask_output, manager, order, order_long, reply_to, run,  # noqa: F401
                        show, unit_of, wait_begun)
from harness import DEADLINE, wait_for, wait_for_seconds

JOBS = pathlib.Path("/var/lib/dcm-jobs")


def configure(text):
    CONF.write_text(CONF.read_text() + text)
    run("systemctl", "reload", "dcm-agent.service")


def files_of(guid):
    return sorted(p.name for p in (JOBS / guid).iterdir())


def wait_dropped(*guids):
    for guid in guids:
        wait_for(lambda g=guid: files_of(g) == ["exit"], "the output to be dropped")


def test_output_ends_with_retain_job_time(manager):
    """What is left says so, to the manager and to the owner; the GUID does not run again, not even when
    the database is lost."""
    kept = order(manager, "#!/bin/sh\necho kept\n")
    reply_to(manager, kept)
    assert "stdout" in files_of(kept)
    configure("[jobs]\nretain_job_time = 1\n")
    unacknowledged = order(manager, "#!/bin/sh\necho stored; echo x >>/tmp/dcm-test-dropped\n")
    assert manager.wait_message("REPLY", unacknowledged)["payload"]["message"] == "stored\n"
    wait_dropped(kept, unacknowledged)
    assert "no longer kept" in urllib.parse.unquote(ask_output(manager, kept)["error_message"])
    done = subprocess.run(["dcm-agentctl", "output", kept], capture_output=True, text=True)
    assert done.returncode == 1 and "no longer kept" in done.stderr
    order(manager, "#!/bin/sh\necho again >>/tmp/dcm-test-dropped\n", guid=unacknowledged)
    wait_for(lambda: len(manager.of_type("REPLY", unacknowledged)) > 1, "the stored reply")
    run("systemctl", "stop", "dcm-agent.service")
    shutil.rmtree("/var/lib/dcm-agent")
    run("systemctl", "start", "dcm-agent.service")
    manager.wait_offer(2)
    manager.received.clear()
    order(manager, "#!/bin/sh\necho again >>/tmp/dcm-test-dropped\n", guid=unacknowledged)
    sha = hashlib.sha256(b"stored\n").hexdigest()
    reply = reply_to(manager, unacknowledged)
    assert reply["return_code"] == 0
    assert reply["message"] == f"\n[... 7 of 7 bytes left out; SHA-256 of all: {sha} ...]\n"


def test_output_stays_until_the_reply_is_stored(manager):
    """It ends while the agent is away, long before; the whole of it is in the reply, then it goes."""
    configure("[jobs]\nretain_job_time = 1\noutput_budget = 1\n")
    fifo = pathlib.Path("/tmp/dcm-test-fifo")
    os.mkfifo(fifo)
    os.chmod(fifo, 0o666)
    guid = order(manager, f"#!/bin/bash\nread -r line <{fifo}\nhead -c 1000000 /dev/zero | tr '\\0' x\n")
    wait_for(lambda: show(unit_of(guid), "SubState") == "running", "the unit")
    run("systemctl", "stop", "dcm-agent.service")
    fifo.write_text("go\n")
    fifo.unlink()
    wait_for(lambda: show(unit_of(guid), "SubState") == "exited", "the end")
    run("systemctl", "start", "dcm-agent.service")
    assert reply_to(manager, guid)["message"] == "x" * 1000000
    wait_dropped(guid)


def test_output_within_a_budget(manager):
    """The oldest goes first, whoever is killed meanwhile; nothing that is kept is cut."""
    configure("[jobs]\noutput_budget = 3M\nretain_job_time = 0\n")
    guids = []
    for i in range(8):
        guids.append(order(manager, "#!/bin/bash\nhead -c 1000000 /dev/zero | tr '\\0' x\n"))
        if i == 3:
            manager.wait_message("ACK", guids[-1])  # it is stored; this manager does not send it again
            run("systemctl", "kill", "--signal=KILL", "dcm-agent.service", "dcm-agent-executor.service",
                check=False)
            manager.wait_offer(2)
        assert reply_to(manager, guids[-1])["message"] == "x" * 1000000
    wait_dropped(*guids[:5])
    for guid in guids[5:]:
        assert (JOBS / guid / "stdout").stat().st_size == 1000000
    assert ask_output(manager, guids[-1])["message"] == "x" * 524288, "a piece ends with the head"


def test_long_runners_output_ends_too(manager):
    """Of one that runs nothing is dropped, though its request has had its reply long before."""
    configure("[jobs]\nretain_job_time = 1\noutput_budget = 1\n")
    fifo = pathlib.Path("/tmp/dcm-test-fifo")
    os.mkfifo(fifo)
    os.chmod(fifo, 0o666)
    guid, _ = order_long(manager, f"#!/bin/bash\necho begun\nread -r line <{fifo}\n")
    wait_for(lambda: (JOBS / guid / "stdout").exists(), "the job")
    other = order(manager, "#!/bin/sh\necho x\n")
    reply_to(manager, other)
    wait_dropped(other)
    assert ask_output(manager, guid)["message"] == "begun\n"
    fifo.write_text("go\n")
    fifo.unlink()
    wait_dropped(guid)


def is_loaded(guid):
    return "LoadState=loaded" in run("systemctl", "show", "-p", "LoadState", unit_of(guid))


def leave_processes(manager, end="", **arguments):
    """A job of which two processes are left when it has replied."""
    guid = order(manager, "#!/bin/bash\nsetsid sleep infinity >/dev/null 2>&1 </dev/null &\necho $!\n"
                 f"setsid sleep infinity >/dev/null 2>&1 </dev/null &\necho $!\n{end}\n", **arguments)
    reply = reply_to(manager, guid)
    return guid, reply, [pathlib.Path("/proc", pid) for pid in reply["message"].split()]


@pytest.fixture
def hasty_executor():
    """Leaves after a second."""
    path = pathlib.Path("/run/systemd/system/dcm-agent-executor.service.d/test.conf")
    path.parent.mkdir(exist_ok=True)
    path.write_text("[Service]\nExecStart=\nExecStart=/usr/lib/dcm-agent/dcm-executord --idle-sec=1\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "stop", "dcm-agent-executor.service")
    yield
    path.unlink()
    run("systemctl", "daemon-reload")


def test_processes_left_behind_live_on(manager, hasty_executor):
    """With keep_processes: past the time limit of the job, whatever is restarted and whatever else is swept or
    dropped meanwhile; the unit stays until the last of them has ended, then it goes."""
    configure("[jobs]\nkeep_processes = true\nretain_job_time = 1\n")
    guid, reply, processes = leave_processes(manager, timeout=2)
    assert reply["return_code"] == 0
    assert reply["error_message"] == "The job left 2 processes behind, which keep running.\n"
    other, _, others = leave_processes(manager)
    wait_for_seconds(4)  # the time limit, the retention of output, and the grace time of a release
    run("systemctl", "kill", "--signal=KILL", "dcm-agent.service", "dcm-agent-executor.service")
    manager.wait_offer(2)
    assert reply_to(manager, order(manager, "#!/bin/sh\necho x\n"))["message"] == "x\n"
    run("systemctl", "daemon-reexec")
    assert all(p.exists() for p in processes + others)
    assert is_loaded(guid) and show(unit_of(guid), "SubState") == "exited"
    os.kill(int(processes[0].name), signal.SIGKILL)
    wait_for(lambda: not processes[0].exists(), "the end of the first")
    assert is_loaded(guid) and processes[1].exists()
    os.kill(int(processes[1].name), signal.SIGKILL)
    wait_for(lambda: not is_loaded(guid), "the unit to go")
    assert is_loaded(other)
    wait_for_seconds(3)
    assert show("dcm-agent-executor.service", "ActiveState") == "active", "it waits for the end of the other"
    run("systemctl", "stop", unit_of(other))
    wait_for(lambda: not is_loaded(other) and not any(p.exists() for p in others), "the other unit to go")
    wait_for(lambda: show("dcm-agent-executor.service", "ActiveState") == "inactive", "the executor to leave")


@pytest.mark.parametrize("end, return_code", [("exit 3", 3), ("exit 255", 255), ("kill -KILL $$", -signal.SIGKILL)])
def test_processes_left_behind_by_a_script_that_failed(manager, end, return_code):
    """How it ended is its own affair: they live on all the same, and the reply says both."""
    configure("[jobs]\nkeep_processes = true\n")
    guid, reply, processes = leave_processes(manager, end)
    assert reply["return_code"] == return_code
    assert reply["error_message"].endswith("The job left 2 processes behind, which keep running.\n")
    wait_for(lambda: show(unit_of(guid), "SubState") == "exited", "the end of the main process")
    run("systemctl", "daemon-reload")
    assert reply_to(manager, order(manager, "#!/bin/sh\necho x\n"))["message"] == "x\n"
    assert all(p.exists() for p in processes)
    for p in processes:
        os.kill(int(p.name), signal.SIGKILL)
    wait_for(lambda: not is_loaded(guid), "the unit to go")


def test_processes_left_behind_by_a_cancelled_job(manager):
    """Its end is theirs, whatever is configured; as it is without keep_processes."""
    configure("[jobs]\nkeep_processes = true\n")
    guid = order(manager, "#!/bin/bash\nsetsid sleep infinity >/dev/null 2>&1 </dev/null &\necho $!\n"
                 "exec sleep infinity\n")
    wait_begun(guid)
    wait_for(lambda: (JOBS / guid / "stdout").read_text(), "the process")
    manager.send(type="CANCEL", request_id=guid)
    reply = reply_to(manager, guid)
    assert "live on" not in reply["error_message"]
    wait_for(lambda: not pathlib.Path("/proc", reply["message"].strip()).exists(), "its end")
    wait_for(lambda: not is_loaded(guid), "the unit to go")
    CONF.write_text(CONF.read_text().replace("keep_processes = true", "keep_processes = false"))
    run("systemctl", "reload", "dcm-agent.service")
    guid, reply, processes = leave_processes(manager)
    assert reply["error_message"] == "The job left 2 processes behind, ended with it.\n"
    wait_for(lambda: not is_loaded(guid) and not any(p.exists() for p in processes), "their end")


def test_more_jobs_than_descriptors_of_a_common_process(manager):
    """1024 are a process's usual limit. Each job is followed, and each has its reply."""
    configure("[workers]\ncount = 200\n[logging]\nconsole_level = DEBUG\n")
    fifo = pathlib.Path("/tmp/dcm-test-many")
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    guids = [order(manager, f"#!/bin/sh\n: <{fifo}\necho line >>$DCM_LOG_FILE\necho $DCM_REQUEST_ID\n", stream=True)
             for _ in range(180)]
    for guid in guids:
        wait_begun(guid)
    fds = pathlib.Path(f"/proc/{show('dcm-agent.service', 'MainPID')}/fd")
    wait_for(lambda: len(list(fds.iterdir())) > 1024, "so many descriptors")
    with open(fifo, "r+b", 0):  # all that wait go on
        for guid in guids:
            assert reply_to(manager, guid)["message"] == f"{guid}\n"
    fifo.unlink()
    log = [m for m in manager.of_type("LOG") if "line" in json.dumps(m)]
    assert len(log) >= len(guids)


def list_jobs():
    return json.loads(run("dcm-agentctl", "--json", "jobs"))


class Gate:
    """Scripts that wait for it all go on when it opens."""

    def __init__(self, name):
        self.path = pathlib.Path(f"/tmp/dcm-test-{name}")
        self.path.unlink(missing_ok=True)
        self.wait = f"until [ -e {self.path} ]; do sleep 0.05; done\n"

    def open(self):
        self.path.touch()


def test_jobs_are_listed(manager):
    """Running, waiting in two queues, cancelled; what the running one uses; to everybody."""
    gate = Gate("listed")
    configure("[workers]\ncount = 1\n")
    assert "No job is waiting or running" in run("dcm-agentctl", "jobs") and list_jobs() == []
    script = f"#!/bin/bash\n{gate.wait}"
    normal = [order(manager, script) for _ in range(3)]
    for guid in normal:
        manager.wait_message("ACK", guid)
    long = [order_long(manager, script)[0] for _ in range(2)]
    for guid in (normal[0], long[0]):
        wait_for(lambda g=guid: show(unit_of(g), "SubState") == "running", "a unit")

    def shape():
        return [(j["guid"], j["kind"], j["state"], j["position"], j["unit"]) for j in list_jobs()]

    expected = [(normal[0], "normal", "running", 0, unit_of(normal[0])),
                (normal[1], "normal", "waiting", 1, ""), (normal[2], "normal", "waiting", 2, ""),
                (long[0], "long", "running", 0, unit_of(long[0])), (long[1], "long", "waiting", 1, "")]
    wait_for(lambda: shape() == expected, f"{expected}")
    jobs = list_jobs()
    assert all(abs(time.time() - j["accepted_usec"] / 1e6) < 60 for j in jobs)
    assert jobs[0]["cpu_nsec"] > 0 and jobs[1]["cpu_nsec"] is None
    assert {j["command"] for j in jobs} == {"run_script"}
    text = run("setpriv", "--reuid=nobody", "--clear-groups", "dcm-agentctl", "jobs").splitlines()
    assert len(text) == 6 and "waiting 2" in text[3] and unit_of(normal[0]) in text[1]
    manager.send(type="CANCEL", request_id=normal[1])
    assert "cancelled" in reply_to(manager, normal[1])["error_message"]
    wait_for(lambda: [j["position"] for j in list_jobs()] == [0, 1, 0, 1], "the others to move up")
    before = [(j["guid"], j["accepted_usec"]) for j in list_jobs()]
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(2)
    wait_for(lambda: [j["state"] for j in list_jobs()] == ["running", "waiting"] * 2, "the same again")
    assert [(j["guid"], j["accepted_usec"]) for j in list_jobs()] == before
    gate.open()
    for guid in (normal[0], normal[2]):
        reply_to(manager, guid)
    wait_for(lambda: list_jobs() == [], "the end of all")


def test_job_that_does_not_want_to_end_is_cancelling(manager):
    gate = Gate("stubborn")
    guid = order(manager, f"#!/bin/bash\ntrap '' TERM\necho ready\n{gate.wait}")
    stdout = JOBS / guid / "stdout"
    wait_for(lambda: stdout.exists() and "ready" in stdout.read_text(), "the script")
    manager.send(type="CANCEL", request_id=guid)
    wait_for(lambda: [j["state"] for j in list_jobs()] == ["cancelling"], "the state")
    gate.open()
    assert "cancelled" in reply_to(manager, guid)["error_message"]


def follow(*options, **more):
    return subprocess.Popen(["dcm-agentctl", "jobs", "--follow", *options], text=True, bufsize=1,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def test_jobs_are_followed(manager):
    """A line for each change, over a restart of the agent too, which ends no job; until interrupted."""
    gate = Gate("followed")
    configure("[workers]\ncount = 1\n")
    process = follow("--json")
    first, second = (order(manager, f"#!/bin/bash\n{gate.wait}") for _ in range(2))
    seen = []

    def wait_seen(*wanted):
        while not set(wanted) <= set(seen):
            job = json.loads(process.stdout.readline())
            seen.append((job["guid"], job["state"]))

    wait_seen((first, "running"), (second, "waiting"))
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(2)
    gate.open()
    for guid in (first, second):
        reply_to(manager, guid)
    wait_seen((first, "ended"), (second, "ended"))
    assert seen.count((first, "ended")) == 1
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=DEADLINE) == 0 and not process.stderr.read()


def test_follow_ends_when_nobody_reads(manager):
    """Also when there is nothing to say; and without an agent it does not begin."""
    process = follow()
    guid = order(manager, "#!/bin/sh\n")
    assert guid in process.stdout.readline()
    reply_to(manager, guid)
    process.stdout.close()
    assert process.wait(timeout=DEADLINE) == 0
    gate = Gate("full")
    guid = order(manager, f"#!/bin/bash\n{gate.wait}")
    wait_for(lambda: [j["guid"] for j in list_jobs()] == [guid], "something to say")
    with open("/dev/full", "w") as full:
        done = subprocess.run(["dcm-agentctl", "jobs", "--follow"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=DEADLINE)
    assert done.returncode == 1 and "The output cannot be written" in done.stderr
    gate.open()
    reply_to(manager, guid)
    run("systemctl", "stop", "dcm-agent.service")
    process = follow()
    assert process.wait(timeout=DEADLINE) == 3 and "systemctl enable --now dcm-agent" in process.stderr.read()


def test_follow_on_a_terminal(manager):
    """The list is drawn anew; it goes on without the agent, and with it again."""
    gate = Gate("terminal")
    guid = order(manager, f"#!/bin/bash\n{gate.wait}")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(["dcm-agentctl", "jobs", "--follow"], stdin=subprocess.DEVNULL,
                               stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""

    def wait_text(wanted):
        nonlocal text
        while wanted.encode() not in text:
            text += os.read(ours, 65536)
        text = text.split(wanted.encode(), 1)[1]

    wait_text(guid[:8])
    run("systemctl", "stop", "dcm-agent.service")
    wait_text("The agent is not running.")
    run("systemctl", "start", "dcm-agent.service")
    wait_text(guid[:8])
    gate.open()
    wait_text("No job is waiting or running.")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=DEADLINE) == 0
    os.close(ours)


def test_five_hundred_jobs_at_once(manager):
    """All are accepted, wait with their place, run in their order, and are answered, in spite of a crash."""
    gate = Gate("many")
    configure("[workers]\ncount = 1\n")
    log = pathlib.Path("/tmp/dcm-test-order")
    log.write_text("")
    log.chmod(0o666)
    guids = [order(manager, f"#!/bin/sh\n{gate.wait if i == 0 else ''}echo {i} >>{log}\necho {i}\n")
             for i in range(500)]
    for guid in guids:
        manager.wait_message("ACK", guid)
    wait_for(lambda: show(unit_of(guids[0]), "SubState") == "running", "the first")
    jobs = list_jobs()
    assert [j["guid"] for j in jobs] == guids
    assert [j["position"] for j in jobs] == list(range(500))
    gate.open()
    wait_for(lambda: log.read_text().count("\n") > 100, "some of them")
    run("systemctl", "kill", "--signal=KILL", "dcm-agent.service")
    for i, guid in enumerate(guids):
        assert reply_to(manager, guid)["message"] == f"{i}\n"
    assert log.read_text() == "".join(f"{i}\n" for i in range(500))
    log.unlink()
    assert list_jobs() == []


PARENT_KILLERS = {
    "group": "kill -9 0",
    "parents-group": "kill -9 -- -$(ps -o pgid= -p $PPID | tr -d ' ')",
    "parents-number": "kill -9 -- -$PPID",
    "parent": "kill -9 $PPID",
    "all": "kill -9 -1",
}


@pytest.mark.parametrize("as_root", [False, True], ids=["dcm", "root"])
@pytest.mark.parametrize("way", PARENT_KILLERS)
def test_script_that_kills_its_parent(manager, way, as_root):
    """dcm-run is killed, or not: the answer says what happened, and the next job runs."""
    if way == "all" and as_root:
        pytest.skip("it would end the machine, as root may")
    gate = Gate("killer")
    guid = order(manager, f"#!/bin/bash\necho before\n{gate.wait}{PARENT_KILLERS[way]}\necho after\nexit 7\n",
                 runUnderSudo=as_root)
    stdout = JOBS / guid / "stdout"
    wait_for(lambda: stdout.exists() and stdout.read_text(), "output")  # what is in the pipe would be lost
    gate.open()
    reply = reply_to(manager, guid)
    if way == "group":  # a group of its own
        assert reply["return_code"] == -9 and reply["message"] == "before\n"
        assert "ended by signal 9" in reply["error_message"]
    elif reply["return_code"] == 7:  # there is no such group, or it may not
        assert reply["message"] == "before\nafter\n"
        assert way == "parents-number" or not as_root
    else:  # dcm-run was killed, and what the script wrote before is told
        assert reply["return_code"] == -9 and reply["message"].startswith("before\n")
        assert "signal" in reply["error_message"] and "Exception" not in reply
    assert reply_to(manager, order(manager, "#!/bin/sh\necho next\n"))["message"] == "next\n"
    wait_for(lambda: show(unit_of(guid), "LoadState") == "not-found", "the unit to be released")


def assert_left_out(message, kept, total, sha256):
    match = re.search(r"\n\[\.\.\. (\d+) of (\d+) bytes left out; SHA-256 of all: ([0-9a-f]{64}) \.\.\.\]\n",
                      message)
    assert match, message[:100]
    assert (int(match[1]), int(match[2]), match[3]) == (total - kept, total, sha256)
    return match.span()


def digest_of(piece, n, end=b""):
    digest = hashlib.sha256()
    for _ in range(n):
        digest.update(piece)
    digest.update(end)
    return digest.hexdigest()


@pytest.mark.parametrize("what", ["text", "nul", "one-line"])
def test_a_gibibyte_of_output(manager, what):
    """Head and tail with count and checksum; disk, agent and message stay small."""
    byte = {"text": b"0123456789abcde\n", "nul": b"\0" * 16, "one-line": b"x" * 16}[what]
    make = {"text": "yes 0123456789abcde | head -c 1073741824",
            "nul": "dd if=/dev/zero bs=1M count=1024 status=none",
            "one-line": "dd if=/dev/zero bs=1M count=1024 status=none | tr '\\0' x"}[what]
    guid = order(manager, f"#!/bin/bash\n{make}\nprintf end\n")
    reply = wait_for(lambda: manager.of_type("REPLY", guid), "the reply", 300)[0]
    manager.ack(reply)
    message, total = reply["payload"]["message"], (1 << 30) + 3
    assert reply["payload"]["return_code"] == 0 and message.endswith("end")
    sha256 = digest_of(byte * 65536, 1024, b"end")
    # NUL becomes U+FFFD, which is no control character
    begin, end = assert_left_out(message, 1 << 20, total, sha256)
    assert begin == len(message) - end == 1 << 19
    assert sum(f.stat().st_size for f in (JOBS / guid).iterdir()) < 2 << 20
    assert ask_output(manager, guid, offset=total - 3)["message"] == "end"
    peak = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(
        f"/proc/{show('dcm-agent.service', 'MainPID')}/status").read_text())
    assert int(peak[1]) < 64 * 1024


@pytest.mark.parametrize("byte", [0, 1, 0x22, 0xff], ids=["nul", "control", "quote", "no-utf8"])
def test_reply_of_the_largest_size_fits_in_a_message(manager, byte):
    """Both streams full, with the largest settings there are."""
    policy = pathlib.Path("/etc/dcm-agent/policy.conf.d/test.conf")
    policy.parent.mkdir(exist_ok=True)
    policy.write_text("[limits]\noutput_max = 16M\n")
    configure("[jobs]\nreply_output_max = 3M\n")
    try:
        guid = order(manager, f"#!/bin/bash\nhead -c 8000000 /dev/zero | tr '\\0' '\\{byte:03o}'\n"
                              f"head -c 20000000 /dev/zero | tr '\\0' '\\{byte:03o}' >&2\n")
        reply = reply_to(manager, guid)
    finally:
        policy.unlink()
    assert reply["return_code"] == 0
    assert "of 8000000 bytes left out" in reply["message"]
    assert "of 20000000 bytes left out" in reply["error_message"]
    assert len(ask_output(manager, guid, offset=4000000)["message"]) == 1 << 20


def test_cancel_at_every_stage(manager):
    """Waiting, starting, running, ended: one true answer each; the others are not disturbed."""
    gate = Gate("stages")
    configure("[workers]\ncount = 1\n")
    running = order(manager, "#!/bin/sh\nexec sleep infinity\n")
    wait_begun(running)
    waiting = order(manager, "#!/bin/sh\necho never >/tmp/dcm-test-never\n")
    last = order(manager, f"#!/bin/sh\n{gate.wait}echo last\n")
    manager.wait_message("ACK", last)
    manager.send(type="CANCEL", request_id=waiting)
    reply = reply_to(manager, waiting)
    assert reply["return_code"] == 1 and "before it started" in urllib.parse.unquote(reply["error_message"])
    manager.send(type="CANCEL", request_id=running)
    reply = reply_to(manager, running)
    assert reply["return_code"] == -15 and "cancelled" in reply["error_message"]
    wait_for(lambda: show(unit_of(last), "SubState") == "running", "the next one")
    gate.open()
    assert reply_to(manager, last)["message"] == "last\n"
    n = len(manager.of_type("REPLY", last))
    manager.send(type="CANCEL", request_id=last)  # it has ended: nothing is left to do
    manager.send(type="STATUS", request_id=last)
    assert manager.wait_message("STATUS", last)["state"] == "REPLY_ACKED"
    assert len(manager.of_type("REPLY", last)) == n
    # starting: the executor cannot be had
    run("systemctl", "stop", "dcm-agent-executor.service")
    run("systemctl", "mask", "--runtime", "dcm-agent-executor.service")
    try:
        starting = order(manager, "#!/bin/sh\necho never >/tmp/dcm-test-never\n")
        wait_for(lambda: [j["state"] for j in list_jobs()] == ["starting"], "it to be tried")
        manager.send(type="CANCEL", request_id=starting)
        assert "before it started" in urllib.parse.unquote(reply_to(manager, starting)["error_message"])
    finally:
        run("systemctl", "unmask", "--runtime", "dcm-agent-executor.service")
    assert reply_to(manager, order(manager, "#!/bin/sh\necho next\n"))["message"] == "next\n"
    assert not pathlib.Path("/tmp/dcm-test-never").exists() and list_jobs() == []
