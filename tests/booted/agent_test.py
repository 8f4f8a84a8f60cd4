# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, with the build installed: the whole path from a manager's request to a systemd
unit and back, and what the service manager sees of the agent. The manager is libsoup's."""

import base64
import gzip
import hashlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import urllib.parse
import uuid
import zlib

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "component"))

from harness import Manager, wait_for, wait_for_seconds  # noqa: E402

CONF = pathlib.Path("/etc/dcm-agent/agent.conf.d/test.conf")


def run(*command, check=True):
    return subprocess.run(command, check=check, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL).stdout


def show(unit, name):
    return run("systemctl", "show", "-P", name, unit).strip()


def unit_of(guid):
    return f"dcm-job-{guid}.service"


def wait_begun(guid):
    """dcm-run is there, and ends the script when it is asked to end: before that, SIGTERM ends dcm-run alone,
    and the reply says that the job had not begun."""
    record = pathlib.Path("/var/lib/dcm-jobs", guid, "exit")
    wait_for(lambda: record.exists() and record.stat().st_size > 0, "the claim of dcm-run")


def script_arguments(text, **more):
    data = text.encode() if isinstance(text, str) else text
    return {"b64script": base64.b64encode(data).decode(),
            "checksum": hashlib.sha256(data).hexdigest(), **more}


@pytest.fixture
def manager():
    """A manager with a connected agent, and no job of a test that failed."""
    run("systemctl", "stop", "dcm-agent.service", "dcm-job-*.service")
    shutil.rmtree("/var/lib/dcm-agent", ignore_errors=True)
    manager = Manager()
    CONF.write_text(f"[connection]\nagentmanager_url = {manager.url()}\nbackoff = 20\n"
                    "max_backoff = 200\n[messaging]\nretransmission_timeout = 1\n")
    run("systemctl", "start", "dcm-agent.service")
    manager.wait_offer()
    yield manager
    run("systemctl", "stop", "dcm-agent.service")
    CONF.unlink()
    manager.stop()


def order(manager, script, guid=None, **arguments):
    guid = guid or str(uuid.uuid4())
    manager.request(guid, "run_script", script_arguments(script, **arguments))
    return guid


def reply_to(manager, guid):
    reply = manager.wait_message("REPLY", guid)
    manager.ack(reply)
    return reply["payload"]


def test_script_from_request_to_reply(manager):
    guid = order(manager, "#!/bin/bash\necho out; echo err >&2; id -un; echo \"$1|$2\"; exit 7\n",
                 arguments=["a b", "c'\"\n"])
    assert reply_to(manager, guid) == {
        "return_code": 7, "reply_type": "void", "reply_object": None,
        "message": "out\ndcm\na b|c'\"\n\n", "error_message": "err\n",
    }
    wait_for(lambda: "LoadState=not-found" in run("systemctl", "show", "-p", "LoadState",
                                                  unit_of(guid)), "the unit to be released")


def test_unit_while_it_runs(manager):
    fifo = pathlib.Path("/tmp/dcm-test-fifo")
    os.mkfifo(fifo, 0o666)
    os.chmod(fifo, 0o666)
    guid = order(manager, f"#!/bin/bash\nread -r line <{fifo}\necho \"$line\"\n")
    unit = unit_of(guid)
    wait_for(lambda: show(unit, "SubState") == "running", "the unit")
    assert show(unit, "Slice") == "dcm-jobs.slice"
    assert show(unit, "User") == "dcm"
    assert show(unit, "RemainAfterExit") == "yes"
    assert show(unit, "Description") == "Job of the agent manager: run_script", "without its name, which has the GUID"
    assert show(unit, "Documentation").replace('"', "") == "man:dcm-run(8) man:dcm-agent-commands(7)"
    status = run("systemctl", "status", unit)
    assert "dcm-run" in status and "Active: active (running)" in status
    fifo.write_text("hello\n")
    assert reply_to(manager, guid)["message"] == "hello\n"
    fifo.unlink()


def test_run_under_sudo_is_root_and_inpython_is_python(manager):
    guid = order(manager, "#!/bin/sh\nid -u\n", runUnderSudo="true")
    assert reply_to(manager, guid)["message"] == "0\n"
    guid = order(manager, "import sys\nprint(sys.argv[1])\n", inpython=True, arguments=["x"])
    assert reply_to(manager, guid)["message"] == "x\n"


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_compressed_script(manager, pack):
    script = b"#!/bin/sh\necho packed\n"
    guid = str(uuid.uuid4())
    manager.request(guid, "run_script", {
        "b64script": base64.b64encode(pack(script)).decode(),
        "checksum": hashlib.sha256(script).hexdigest(), "compression": "gzip"})
    assert reply_to(manager, guid)["message"] == "packed\n"


def test_repeated_request_runs_once(manager):
    counter = pathlib.Path("/tmp/dcm-test-counter")
    counter.write_text("")
    counter.chmod(0o666)
    guid = order(manager, f"#!/bin/sh\necho x >>{counter}\n")
    for _ in range(5):
        order(manager, f"#!/bin/sh\necho x >>{counter}\n", guid)
    reply_to(manager, guid)
    order(manager, f"#!/bin/sh\necho x >>{counter}\n", guid)
    wait_for(lambda: len(manager.of_type("REPLY", guid)) >= 2, "the stored reply")
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(2)
    n = len(manager.of_type("REPLY", guid))
    order(manager, f"#!/bin/sh\necho x >>{counter}\n", guid)
    wait_for(lambda: len(manager.of_type("REPLY", guid)) > n, "the stored reply after a restart")
    assert counter.read_text() == "x\n"
    counter.unlink()


def test_lost_database_does_not_run_a_guid_again(manager):
    counter = pathlib.Path("/tmp/dcm-test-counter")
    counter.write_text("")
    counter.chmod(0o666)
    guid = order(manager, f"#!/bin/sh\necho x >>{counter}\necho done\n")
    reply_to(manager, guid)
    run("systemctl", "stop", "dcm-agent.service")
    shutil.rmtree("/var/lib/dcm-agent")
    run("systemctl", "start", "dcm-agent.service")
    manager.wait_offer(2)
    manager.received.clear()
    order(manager, f"#!/bin/sh\necho x >>{counter}\necho done\n", guid)
    assert reply_to(manager, guid)["message"] == "done\n"
    assert counter.read_text() == "x\n"
    counter.unlink()


def install_again():
    """What a package does in an upgrade: other files under the same names, then both restart."""
    for program in pathlib.Path("/usr/lib/dcm-agent").glob("dcm-*"):
        fresh = program.with_suffix(".dpkg-new")
        shutil.copy2(program, fresh)
        fresh.rename(program)
    run("systemctl", "daemon-reload")
    run("systemctl", "try-restart", "dcm-agent.service", "dcm-agent-executor.service")


def crash_twenty_times():
    for _ in range(20):
        pid = wait_for(lambda: int(show("dcm-agent.service", "MainPID")), "a new process")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: show("dcm-agent.service", "MainPID") != str(pid), "the end")


WAYS = {
    "restart": lambda: run("systemctl", "restart", "dcm-agent.service"),
    "kill": lambda: run("systemctl", "kill", "--signal=SIGKILL", "dcm-agent.service"),
    "crash-loop": crash_twenty_times,
    "upgrade": install_again,
}


@pytest.mark.parametrize("way", WAYS)
def test_job_outlives_the_agent(manager, way):
    dropin = pathlib.Path("/run/systemd/system/dcm-agent.service.d/fast.conf")
    dropin.parent.mkdir(parents=True, exist_ok=True)
    dropin.write_text("[Service]\nRestartSec=20ms\n")
    run("systemctl", "daemon-reload")
    fifo = pathlib.Path("/tmp/dcm-test-fifo")
    os.mkfifo(fifo)
    os.chmod(fifo, 0o666)
    guid = order(manager, f"#!/bin/sh\necho begin\nread -r line <{fifo}\necho \"$line\"\nexit 3\n")
    wait_for(lambda: show(unit_of(guid), "SubState") == "running", "the unit")
    n = len(manager.offers)
    WAYS[way]()
    manager.wait_offer(n + 1)
    wait_for(lambda: "Connected" in show("dcm-agent.service", "StatusText"), "the agent")
    assert show(unit_of(guid), "SubState") == "running"
    fifo.write_text("end\n")
    reply = reply_to(manager, guid)
    assert reply["message"] == "begin\nend\n" and reply["return_code"] == 3
    fifo.unlink()
    dropin.unlink()
    run("systemctl", "daemon-reload")


def test_cancel(manager):
    guid = order(manager, "#!/bin/sh\nexec sleep infinity\n")
    wait_begun(guid)
    manager.send(type="CANCEL", request_id=guid)
    reply = reply_to(manager, guid)
    assert reply["return_code"] == -15 and "cancelled" in reply["error_message"]


def test_cancel_by_the_owner(manager):
    guid = order(manager, "#!/bin/sh\nexec sleep infinity\n")
    wait_begun(guid)
    run("dcm-agentctl", "cancel", guid)
    reply = reply_to(manager, guid)
    assert reply["return_code"] == -15 and "cancelled" in reply["error_message"]
    for name, text in ((guid, "is not running"), ("nope", "There is no request nope")):
        done = subprocess.run(["dcm-agentctl", "cancel", name], capture_output=True, text=True)
        assert done.returncode == 1 and text in done.stderr
    done = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", "dcm-agentctl", "cancel", guid],
                          capture_output=True, text=True)
    assert done.returncode == 4 and "Permission denied" in done.stderr


def test_time_limit(manager):
    guid = order(manager, "#!/bin/sh\necho begun\nexec sleep infinity\n", timeout=1)
    reply = reply_to(manager, guid)
    assert reply["return_code"] == -124 and reply["message"] == "begun\n"
    assert reply["error_message"] == "The job exceeded its time limit and was terminated.\n"
    guid = order(manager, "#!/bin/sh\ntrue\n", timeout=-1)
    assert "timeout" in urllib.parse.unquote(reply_to(manager, guid)["error_message"])


def test_time_limit_awaits_the_end(manager):
    """systemd has the result as soon as it begins to stop the unit; the job, which takes its time, is awaited."""
    gate = pathlib.Path("/run/dcm-test-gate")
    os.mkfifo(gate)
    gate.chmod(0o666)
    guid = order(manager, f"#!/bin/bash\ntrap 'read -r _ <>{gate}; echo late; exit 3' TERM\nsleep infinity & wait\n",
                 timeout=1)
    unit = unit_of(guid)
    wait_for(lambda: (show(unit, "Result"), show(unit, "ActiveState")) == ("timeout", "deactivating"), "the stop")
    for n in range(3):  # the agent has had its turns since
        manager.round_trip(f"beat-{n}")
    assert not manager.of_type("REPLY", guid)
    gate.write_text("\n")
    reply = reply_to(manager, guid)
    assert reply["return_code"] == -124 and reply["message"] == "late\n"
    assert "systemd reports" not in reply["error_message"]
    gate.unlink()


def test_what_is_left_behind_is_told(manager):
    guid = order(manager, "#!/bin/bash\nsleep infinity &\nsetsid sleep infinity &\n")
    assert reply_to(manager, guid)["error_message"] == "The job left 2 processes behind, ended with it.\n"


def test_policy_is_told_to_the_manager(manager):
    policy = pathlib.Path("/etc/dcm-agent/policy.conf.d/test.conf")
    policy.parent.mkdir(exist_ok=True)
    policy.write_text("[policy]\nallow_root_scripts = no\n")
    try:
        reply = reply_to(manager, order(manager, "#!/bin/sh\nid -u\n", runUnderSudo=True))
        assert reply["return_code"] == 1
        assert "allow_root_scripts in /etc/dcm-agent/policy.conf.d/test.conf:2" in urllib.parse.unquote(
            reply["error_message"])
        assert reply_to(manager, order(manager, "#!/bin/sh\nid -un\n"))["message"] == "dcm\n"
    finally:
        policy.unlink()


def order_long(manager, script, **arguments):
    """GUID and job number."""
    guid = str(uuid.uuid4())
    manager.request(guid, "run_script", script_arguments(script, **arguments), longer_runner=True)
    reply = reply_to(manager, guid)
    assert reply["return_code"] == 0 and reply["reply_type"] == "job_description"
    assert reply["reply_object"]["job_status"] == "WAITING"
    return guid, reply["reply_object"]["job_id"]


def describe(manager, job_id):
    name = str(uuid.uuid4())
    manager.request(name, "get_job_description", {"jobId": job_id})
    reply = reply_to(manager, name)
    return reply["reply_object"] or reply


def wait_job(manager, job_id, *status):
    return wait_for(lambda: (d := describe(manager, job_id))["job_status"] in status and d, f"{status}")


def test_long_runner(manager):
    """One after the other, beside the others; numbers count up; asked for by number or text."""
    fifo = pathlib.Path("/tmp/dcm-test-long-fifo")
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    _, first = order_long(manager, f"#!/bin/bash\nread -r x <{fifo}\necho $x\n")
    _, second = order_long(manager, "#!/bin/sh\necho second; echo why >&2; exit 3\n")
    assert second == first + 1
    running = wait_job(manager, first, "RUNNING")
    assert running["end_date"] is None and running["start_date"] > 0 and running["message"] is None
    assert running["description"] == "run_script" and running["customer_id"] == "1"
    waiting = describe(manager, str(second))
    assert (waiting["job_status"], waiting["start_date"], waiting["end_date"],
            waiting["command_reply"]) == ("WAITING", 0, 0, None)
    assert reply_to(manager, order(manager, "#!/bin/sh\necho beside\n"))["message"] == "beside\n"
    fifo.write_text("first\n")
    fifo.unlink()
    done = wait_job(manager, first, "COMPLETE", "ERROR")
    assert done["job_status"] == "COMPLETE" and done["end_date"] >= done["start_date"]
    assert done["command_reply"] == {"return_code": 0, "reply_type": "void", "reply_object": None,
                                     "message": "first\n", "error_message": ""}
    failed = wait_job(manager, second, "COMPLETE", "ERROR")
    assert failed["job_status"] == "ERROR" and failed["message"] == "why%0A"
    assert failed["command_reply"]["return_code"] == 3
    assert describe(manager, 4711)["return_code"] == 1
    assert describe(manager, "x")["return_code"] == 1


def test_long_runner_with_wrong_arguments_is_no_job(manager):
    guid = str(uuid.uuid4())
    manager.request(guid, "run_script", {"b64script": "IyEvYmluL3NoCg==", "checksum": "0" * 64},
                    longer_runner=True)
    reply = reply_to(manager, guid)
    assert reply["return_code"] == 1 and reply["reply_type"] != "job_description"
    assert describe(manager, 1)["return_code"] == 1


@pytest.mark.parametrize("way", ["restart", "kill"])
def test_long_runners_survive_the_agent(manager, way):
    """The one that runs and the one that waits; each runs once, and numbers go on."""
    fifo = pathlib.Path("/tmp/dcm-test-long-fifo")
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    count = pathlib.Path("/tmp/dcm-test-long-count")
    count.write_text("")
    count.chmod(0o666)
    _, first = order_long(manager, f"#!/bin/bash\necho 1 >>{count}\nread -r x <{fifo}\n")
    guid, second = order_long(manager, f"#!/bin/sh\necho 2 >>{count}\n")
    wait_for(lambda: count.read_text() == "1\n", "the first job")
    if way == "kill":
        run("systemctl", "kill", "--signal=KILL", "dcm-agent.service")
    else:
        run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(2)
    assert describe(manager, second)["job_status"] == "WAITING"
    manager.request(guid, "run_script", {}, longer_runner=True)  # again: the same reply
    assert manager.wait_message("REPLY", guid, 2)["payload"]["reply_object"]["job_id"] == second
    fifo.write_text("go\n")
    fifo.unlink()
    wait_job(manager, first, "COMPLETE")
    wait_job(manager, second, "COMPLETE")
    assert count.read_text() == "1\n2\n"
    count.unlink()
    assert order_long(manager, "#!/bin/sh\n")[1] == second + 1


def test_long_runners_are_cancelled_wherever_they_are(manager):
    """Running, waiting, by the owner, and in the segment of the request."""
    running, first = order_long(manager, "#!/bin/sh\nexec sleep infinity\n")
    waiting, second = order_long(manager, "#!/bin/sh\necho never\n")
    owner, third = order_long(manager, "#!/bin/sh\nexec sleep infinity\n")
    wait_begun(running)
    manager.send(type="CANCEL", request_id=waiting)
    ended = wait_job(manager, second, "ERROR", "COMPLETE")
    assert ended["job_status"] == "ERROR" and "cancelled" in ended["message"]
    manager.send(type="CANCEL", request_id=running)
    ended = wait_job(manager, first, "ERROR", "COMPLETE")
    assert ended["command_reply"]["return_code"] == -15
    wait_job(manager, third, "RUNNING")
    run("dcm-agentctl", "cancel", owner)
    assert "cancelled" in wait_job(manager, third, "ERROR")["message"]
    late = subprocess.run(["dcm-agentctl", "cancel", owner], capture_output=True, text=True)
    assert late.returncode == 1 and "not running" in late.stderr
    guid = str(uuid.uuid4())
    manager.request(guid, "run_script", script_arguments("#!/bin/sh\nexec sleep infinity\n"),
                    longer_runner=True)
    manager.send(type="CANCEL", request_id=guid)
    job_id = reply_to(manager, guid)["reply_object"]["job_id"]
    assert "cancelled" in wait_job(manager, job_id, "ERROR")["message"]


def test_forgotten_long_runners(manager):
    """After retain_job_time they are not known any more; their numbers are not given again."""
    CONF.write_text(CONF.read_text() + "[jobs]\nretain_job_time = 1\n")
    run("systemctl", "reload", "dcm-agent.service")
    _, first = order_long(manager, "#!/bin/sh\n")
    wait_job(manager, first, "COMPLETE")
    run("systemctl", "restart", "dcm-agent.service")  # retention looks 5 s after the start
    manager.wait_offer(2)
    wait_for(lambda: describe(manager, first).get("return_code") == 1, "it to be forgotten")
    assert order_long(manager, "#!/bin/sh\n")[1] == first + 1


def ask_output(manager, guid, **arguments):
    name = str(uuid.uuid4())
    manager.request(name, "get_job_output", {"guid": guid, **arguments})
    return reply_to(manager, name)


def test_output_piece_by_piece(manager):
    """While it runs, and all that was kept of it afterwards."""
    fifo = pathlib.Path("/tmp/dcm-test-output-fifo")
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    guid = order(manager, f"#!/bin/bash\necho begun\necho error >&2\nread -r <{fifo}\n"
                          "head -c 2000000 /dev/zero | tr '\\0' x\nprintf 'end\\377'\n")
    wait_for(lambda: ask_output(manager, guid)["message"] == "begun\n", "output")
    wait_for(lambda: ask_output(manager, guid, stream="stderr")["message"], "errors")  # streams have no order
    running = ask_output(manager, guid, stream="stderr")
    assert running["reply_type"] == "job_output" and running["message"] == "error\n"
    assert running["reply_object"] == {"stream": "stderr", "offset": 0, "length": 6, "next_offset": 6,
                                       "complete": False}
    fifo.write_text("go\n")
    reply_to(manager, guid)
    fifo.unlink()
    text, offset, pieces = "", 0, 0
    while True:
        reply = ask_output(manager, guid, offset=offset, length=400000)
        piece = reply["reply_object"]
        if piece["length"] == 0:
            break
        text, offset, pieces = text + reply["message"], piece["next_offset"], pieces + 1
    assert offset == piece["total"] == 6 + 2000000 + 4 and piece["complete"] and pieces > 3
    assert piece["sha256"] == hashlib.sha256(b"begun\n" + b"x" * 2000000 + b"end\xff").hexdigest()
    assert text.startswith("begun\nxx") and text.endswith("xxend\ufffd") and len(text) == 1 << 20
    for bad in ({"stream": "x"}, {"offset": -1}, {"length": -1}):
        assert ask_output(manager, guid, **bad)["return_code"] == 1
    assert ask_output(manager, "never-seen")["return_code"] == 1
    assert ask_output(manager, "../" + guid)["return_code"] == 1


def test_pause_holds_what_the_executor_has_not_taken(manager):
    """It tries to start the job again and again; not during a pause."""
    run("systemctl", "stop", "dcm-agent-executor.service")
    run("systemctl", "mask", "--runtime", "dcm-agent-executor.service")
    guid = order(manager, "#!/bin/sh\necho begun\n")
    wait_for(lambda: run("journalctl", "-o", "cat", f"DCM_REQUEST_ID={guid}").count("did not start the job") >= 2,
             "two attempts")
    run("dcm-agentctl", "pause")
    run("systemctl", "unmask", "--runtime", "dcm-agent-executor.service")
    # a reason to look at all jobs, and then the time of three attempts, which nothing tells that does not come
    run("systemctl", "daemon-reexec")
    wait_for_seconds(4)
    assert not manager.of_type("REPLY", guid) and show("dcm-agent-executor.service", "ActiveState") == "inactive"
    run("dcm-agentctl", "resume")
    assert reply_to(manager, guid)["message"] == "begun\n"


def test_pause(manager):
    """New jobs wait, or are refused, over a restart too; what runs goes on; a waiting one can be cancelled."""
    running = order(manager, "#!/bin/sh\nexec sleep infinity\n")
    wait_begun(running)
    run("dcm-agentctl", "pause")
    waiting, dropped = (order(manager, "#!/bin/sh\necho after\n") for _ in range(2))
    long = str(uuid.uuid4())
    manager.request(long, "run_script", script_arguments("#!/bin/sh\n"), longer_runner=True)
    job_id = reply_to(manager, long)["reply_object"]["job_id"]
    manager.wait_message("ACK", dropped)
    manager.send(type="CANCEL", request_id=dropped)
    assert "cancelled before it started" in urllib.parse.unquote(
        reply_to(manager, dropped)["error_message"])
    manager.request("beat", "heartbeat")
    reply_to(manager, "beat")
    assert "new jobs wait" in run("dcm-agentctl", "status")
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(2)
    manager.send(type="CANCEL", request_id=running)
    assert reply_to(manager, running)["return_code"] == -15, "it is followed"
    run("dcm-agentctl", "pause", "--refuse")
    refused = order(manager, "#!/bin/sh\necho again\n")
    assert "has paused it" in manager.wait_message("NACK", refused)["error_message"]
    assert describe(manager, job_id)["job_status"] == "WAITING"
    assert not manager.of_type("REPLY", waiting) and "new jobs are refused" in run("dcm-agentctl")
    run("dcm-agentctl", "resume")
    assert reply_to(manager, waiting)["message"] == "after\n"
    wait_job(manager, job_id, "COMPLETE")
    order(manager, "#!/bin/sh\necho again\n", guid=refused)
    assert reply_to(manager, refused)["message"] == "again\n"
    assert "aused" not in run("dcm-agentctl", "status")


def test_output_by_agentctl(manager):
    guid = order(manager, "#!/bin/bash\necho begin; head -c 2000000 /dev/zero | tr '\\0' x; echo end\n"
                          "echo error >&2\n")
    reply_to(manager, guid)
    run("systemctl", "stop", "dcm-agent.service")
    done = subprocess.run(["dcm-agentctl", "output", guid], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "error\n"
    assert done.stdout.startswith("begin\nxx") and done.stdout.endswith("xxend\n")
    assert "bytes left out" in done.stdout
    none = subprocess.run(["dcm-agentctl", "output", "nope"], capture_output=True, text=True)
    assert none.returncode == 1 and "There is no output of nope" in none.stderr
    denied = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", "dcm-agentctl", "output", guid],
                            capture_output=True, text=True)
    assert denied.returncode == 4 and "Try it as root" in denied.stderr


def test_cancel_at_once(manager):
    """A start that systemd had not begun leaves no unit and no record, and yet nothing is lost."""
    CONF.write_text(CONF.read_text() + "[workers]\ncount = 10\n")
    run("systemctl", "reload", "dcm-agent.service")
    for _ in range(10):
        guids = [order(manager, "#!/bin/sh\nexec sleep infinity\n") for _ in range(10)]
        for guid in guids:
            manager.wait_message("ACK", guid)
            manager.send(type="CANCEL", request_id=guid)
        for guid in guids:
            reply = reply_to(manager, guid)
            assert reply["return_code"] in (1, -15) and "cancelled" in reply["error_message"]
            assert "Exception" not in reply


def test_output_that_is_no_text(manager):
    """It is answered, and so is what comes after it."""
    guid = order(manager, "#!/bin/bash\nprintf 'a\\xff\\xc3\\0b'\nprintf '\\xed\\xa0\\x80' >&2\n")
    reply = reply_to(manager, guid)
    assert reply["return_code"] == 0 and reply["message"] == "a\ufffd\ufffd\ufffdb"
    assert set(reply["error_message"]) == {"\ufffd"}
    guid = order(manager, "#!/bin/sh\necho next\n")
    assert reply_to(manager, guid)["message"] == "next\n"


def test_jobs_leave_no_descriptor_and_no_temporary_file(manager):
    CONF.write_text(CONF.read_text() + "[workers]\ncount = 10\n")
    run("systemctl", "reload", "dcm-agent.service")

    def do(n):
        for guid in [order(manager, "#!/bin/sh\necho x\n", arguments=["a"]) for _ in range(n)]:
            reply_to(manager, guid)

    def things():
        pids = [show(f"dcm-agent{name}.service", "MainPID") for name in ("", "-executor")]
        descriptors = [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]
        directories = ("/tmp", "/var/tmp", "/run/dcm-agent", "/var/lib/dcm-agent")
        return pids, descriptors, [sorted(os.listdir(d)) for d in directories]

    do(10)
    wait_for(lambda: "dcm-job-" not in run("systemctl", "list-units", "--all", "dcm-job-*"), "units")
    before = things()
    do(100)
    wait_for(lambda: things() == before, f"nothing more than {before}")


def test_two_at_a_time_and_all_in_the_end(manager):
    guids = [order(manager, "#!/bin/sh\necho $1\n", arguments=[str(i)]) for i in range(12)]
    for i, guid in enumerate(guids):
        assert reply_to(manager, guid)["message"] == f"{i}\n"


def test_script_that_leaves_a_daemon_does_not_hang(manager):
    guid = order(manager, "#!/bin/bash\nsleep infinity &\necho $!\n")
    pid = reply_to(manager, guid)["message"].strip()

    def gone():
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        return state in "ZX"

    wait_for(gone, "the daemon to be killed with the unit")


def test_reply_is_bounded_in_its_encoded_form(manager):
    """Control characters take six bytes each in JSON: two megabytes of them are no message."""
    guid = order(manager, "#!/bin/bash\nhead -c 2000000 /dev/zero | tr '\\0' '\\1'\n"
                          "head -c 2000000 /dev/zero | tr '\\0' '\\1' >&2\necho end\n")
    reply = reply_to(manager, guid)
    assert reply["return_code"] == 0 and reply["message"].endswith("\1end\n")
    assert "bytes left out" in reply["message"] and "bytes left out" in reply["error_message"]


def test_output_of_64_mib(manager):
    """Beginning and end are told, and how much is missing; the agent does not grow with it."""
    guid = order(manager, "#!/bin/bash\necho begin\nhead -c 67108864 /dev/zero | tr '\\0' x\n"
                          "echo\necho end\n")
    message = reply_to(manager, guid)["message"]
    assert message.startswith("begin\nxxx") and message.endswith("xxx\nend\n")
    assert len(message) < 2 << 20 and "bytes left out" in message
    kept = sum(f.stat().st_size for f in pathlib.Path(f"/var/lib/dcm-jobs/{guid}").iterdir())
    assert kept < 2 << 20


def test_cancel_is_remembered_over_a_restart(manager):
    guid = order(manager, "#!/bin/bash\ntrap 'read -r line </tmp/dcm-test-fifo; exit 9' TERM\n"
                          "echo ready\nwhile :; do sleep infinity & wait; done\n")
    fifo = pathlib.Path("/tmp/dcm-test-fifo")
    os.mkfifo(fifo)
    os.chmod(fifo, 0o666)
    stdout = pathlib.Path("/var/lib/dcm-jobs") / guid / "stdout"
    wait_for(lambda: stdout.exists() and "ready" in stdout.read_text(), "the script")
    manager.send(type="CANCEL", request_id=guid)
    wait_for((stdout.parent / "cancelled").exists, "the note of the cancellation")
    run("systemctl", "kill", "--signal=SIGKILL", "dcm-agent.service")
    # jobs are ordered after the agent, so systemd starts it again when this one has stopped
    fifo.write_text("go\n")
    manager.wait_offer(2)
    reply = reply_to(manager, guid)
    assert reply["return_code"] == 9 and "cancelled" in reply["error_message"]
    fifo.unlink()


def test_job_is_followed_without_signals(manager):
    """The bus has no match left for the units of the last jobs: their end is found by looking."""
    limits = pathlib.Path("/etc/dbus-1/system-local.conf")
    limits.write_text('<busconfig><limit name="max_match_rules_per_connection">20</limit></busconfig>')
    CONF.write_text(CONF.read_text() + "[workers]\ncount = 30\n")
    run("systemctl", "reload", "dbus.service")
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(2)
    try:
        # these take all matches that there are
        guids = [order(manager, "#!/bin/sh\nuntil [ -e /tmp/dcm-test-gate ]; do sleep 0.1; done\n")
                 for _ in range(20)]
        wait_for(lambda: all(show(unit_of(g), "SubState") == "running" for g in guids), "units")
        # it runs longer than the agent looks for its start, so its end comes when nobody looks for that
        last = order(manager, "#!/bin/sh\nsleep 2\necho done\n")
        assert reply_to(manager, last)["message"] == "done\n"
        pathlib.Path("/tmp/dcm-test-gate").touch()
        for guid in guids:
            assert reply_to(manager, guid)["return_code"] == 0
        assert "polling instead" in run("journalctl", "-u", "dcm-agent.service")
    finally:
        limits.unlink()
        pathlib.Path("/tmp/dcm-test-gate").unlink(missing_ok=True)
        run("systemctl", "reload", "dbus.service")


def test_end_without_a_record_is_told_by_systemd(manager):
    """dcm-run is killed while the agent is away, so systemd alone knows how it ended."""
    guid = order(manager, "#!/bin/sh\nexec sleep infinity\n")
    wait_for(lambda: show(unit_of(guid), "SubState") == "running", "the unit")
    run("systemctl", "stop", "dcm-agent.service")
    run("systemctl", "kill", "--signal=SIGKILL", unit_of(guid))
    wait_for(lambda: show(unit_of(guid), "ActiveState") == "failed", "the end of the unit")
    run("systemctl", "start", "dcm-agent.service")
    reply = reply_to(manager, guid)
    assert reply["return_code"] == -9 and "systemd reports 'signal'" in reply["error_message"]
    wait_for(lambda: show(unit_of(guid), "LoadState") == "not-found", "the unit to be released")


def test_journal_has_fields(manager):
    guid = order(manager, "#!/bin/sh\necho hello\n")
    reply_to(manager, guid)

    def entries():
        text = run("journalctl", "-o", "json", f"DCM_REQUEST_ID={guid}")
        found = [json.loads(line) for line in text.splitlines()]
        return found if any(e.get("DCM_STATE") == "REPLY_ACKED" for e in found) else None

    found = wait_for(entries, "the journal entries of the request")
    ids = {e.get("MESSAGE_ID") for e in found}
    header = (HERE.parents[1] / "src/basic/log-fields.h").read_text()
    for name in ("REQUEST_ACCEPTED", "JOB_STARTED", "JOB_ENDED", "REQUEST_REPLIED",
                 "REQUEST_ACKNOWLEDGED"):
        assert re.search(rf"DCM_MESSAGE_{name} +\"([0-9a-f]+)\"", header)[1] in ids, name
    assert {e.get("DCM_COMMAND") for e in found} >= {"run_script"}
    assert {e.get("DCM_STATE") for e in found} >= {"ACKED", "REPLY", "REPLY_ACKED"}


def test_catalog_explains_every_message_id():
    run("journalctl", "--update-catalog")
    listed = run("journalctl", "--list-catalog")
    header = (HERE.parents[1] / "src/basic/log-fields.h").read_text()
    ids = re.findall(r"DCM_MESSAGE_\w+ +\"([0-9a-f]{32})\"", header)
    assert len(ids) > 10 and all(i in listed for i in ids)
    catalog = (HERE.parents[1] / "units/dcm-agent.catalog").read_text()
    assert set(re.findall(r"^-- ([0-9a-f]{32})", catalog, re.M)) == set(ids)


def test_service_is_ready_and_says_its_state(manager):
    assert show("dcm-agent.service", "ActiveState") == "active"
    wait_for(lambda: show("dcm-agent.service", "StatusText").startswith("Connected to"), "STATUS=")
    assert "agent-1 (web1)" in show("dcm-agent.service", "StatusText")
    assert show("dcm-agent.service", "User") == "dcm-agent"
    pid = show("dcm-agent.service", "MainPID")
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    assert re.search(r"CapEff:\s+0+\n", status) and re.search(r"Threads:\s+1\n", status)
    assert re.search(r"NoNewPrivs:\s+1\n", status)
    procs = pathlib.Path(f"/sys/fs/cgroup/{show('dcm-agent.service', 'ControlGroup')}/cgroup.procs")
    assert len(procs.read_text().split()) == 1
    assert run("ss", "-Hltnp").count("dcm-agentd") == 0


def test_reload_applies_and_keeps_the_connection(manager):
    pid = show("dcm-agent.service", "MainPID")
    CONF.write_text(CONF.read_text() + "[messaging]\nmax_at_once = 0\n")
    run("systemctl", "reload", "dcm-agent.service")
    guid = str(uuid.uuid4())
    manager.request(guid, "heartbeat")
    assert "can only handle 0" in manager.wait_message("NACK", guid)["error_message"]
    assert show("dcm-agent.service", "MainPID") == pid and len(manager.offers) == 1


def test_stop_and_boot_without_manager(manager):
    run("systemctl", "stop", "dcm-agent.service")
    assert show("dcm-agent.service", "Result") == "success"
    CONF.write_text("[connection]\nagentmanager_url = ws://127.0.0.1:1/\n")
    run("systemctl", "start", "dcm-agent.service")
    assert show("dcm-agent.service", "ActiveState") == "active"
    wait_for(lambda: "refused" in show("dcm-agent.service", "StatusText"), "the reason")


def test_watchdog_restarts_a_stopped_daemon(manager):
    dropin = pathlib.Path("/run/systemd/system/dcm-agent.service.d/watchdog.conf")
    dropin.parent.mkdir(parents=True, exist_ok=True)
    dropin.write_text("[Service]\nWatchdogSec=2s\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(2)
    pid = show("dcm-agent.service", "MainPID")
    run("systemctl", "kill", "--signal=SIGSTOP", "dcm-agent.service")
    manager.wait_offer(3)
    assert show("dcm-agent.service", "MainPID") != pid
    assert int(show("dcm-agent.service", "NRestarts")) == 1
    dropin.unlink()
    run("systemctl", "daemon-reload")


def test_retention_removes_directory_and_row(manager):
    """Old requests in a final state go, with their jobs' directories; an unacknowledged reply never."""
    old, open_one = (order(manager, "#!/bin/sh\necho x\n") for _ in range(2))
    reply_to(manager, old)
    manager.wait_message("REPLY", open_one)
    wait_for(lambda: "1 REPLY_ACKED" in run("dcm-agentctl", "status"), "REPLY_ACKED")
    run("systemctl", "stop", "dcm-agent.service")
    # as if the server had been running for ten days since
    run("sqlite3", "/var/lib/dcm-agent/requests.db",
        "INSERT INTO meta VALUES ('running_usec', 864000000000 + (SELECT max(updated) FROM requests))"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value")
    run("chown", "dcm-agent:", *map(str, pathlib.Path("/var/lib/dcm-agent").glob("requests.db*")))
    jobs = pathlib.Path("/var/lib/dcm-jobs")
    assert (jobs / old).exists() and (jobs / open_one).exists()
    run("systemctl", "start", "dcm-agent.service")
    wait_for(lambda: not (jobs / old).exists(), "the directory to go")
    wait_for(lambda: old not in run("dcm-agentctl", "requests"), "the row to go")
    assert (jobs / open_one).exists() and open_one in run("dcm-agentctl", "requests")
    # forgotten is forgotten: it would run again
    order(manager, "#!/bin/sh\necho again\n", guid=old)
    wait_for(lambda: [m for m in manager.of_type("REPLY", old) if m["payload"]["message"] ==
                      "again\n"], "the second life")


def test_hemlock_is_not_restarted(manager):
    """It stops what runs and begins nothing; what had not begun is not lost."""
    marker = pathlib.Path("/tmp/dcm-test-hemlock")
    guids = [order(manager, "#!/bin/sh\nexec sleep infinity\n") for _ in range(2)]
    waiting = order(manager, f"#!/bin/sh\ntouch {marker}\n")
    manager.wait_message("ACK", waiting)
    for guid in guids:
        wait_for(lambda: show(unit_of(guid), "SubState") == "running", "a job")
    manager.send(type="HEMLOCK", request_id="h")
    wait_for(lambda: show("dcm-agent.service", "ActiveState") == "failed", "the end")
    for guid in guids:
        wait_for(lambda: show(unit_of(guid), "SubState") != "running", "the end of the job")
    assert show("dcm-agent.service", "NRestarts") == "0"
    assert not marker.exists()
    run("systemctl", "reset-failed", "dcm-agent.service")
    run("systemctl", "start", "dcm-agent.service")
    assert reply_to(manager, waiting)["return_code"] == 0 and marker.exists()
    marker.unlink()


def test_bus_access(manager):
    call = ["busctl", "--json=short", "call", "org.dcmagent.Agent1", "/org/dcmagent/Agent1",
            "org.dcmagent.Agent1.Manager"]
    nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]
    guid = order(manager, "#!/bin/sh\necho secret\n")
    reply_to(manager, guid)
    assert guid in run(*nobody, *call, "ListRequests", "u", "0")
    assert "secret" in run(*call, "GetRequest", "s", guid)
    for command in (["Reload"], ["GetRequest", "s", guid]):
        refused = subprocess.run([*nobody, *call, *command], capture_output=True, text=True)
        assert refused.returncode != 0 and "Access denied" in refused.stderr
    assert pwd.getpwnam("dcm-agent").pw_shell.endswith("nologin")


def test_agentctl(manager):
    guid = order(manager, "#!/bin/sh\necho output\n")
    reply_to(manager, guid)
    wait_for(lambda: json.loads(run("dcm-agentctl", "status", "--json"))["RequestCounts"]
             ["REPLY_ACKED"] == 1, "REPLY_ACKED")
    status = json.loads(run("dcm-agentctl", "status", "--json"))
    assert status["State"] == "connected" and status["AgentId"] == "agent-1"
    text = run("dcm-agentctl", "status")
    assert manager.url() in text and "web1" in text and "1 REPLY_ACKED" in text
    assert guid in run("dcm-agentctl", "requests")
    assert json.loads(run("dcm-agentctl", "requests", "--json"))[0]["guid"] == guid
    assert "output" in run("dcm-agentctl", "show", guid)
    assert json.loads(run("dcm-agentctl", "--json", "show", guid))["reply"]["return_code"] == 0
    assert "runUnderSudo" in run("dcm-agentctl", "commands", "run_script")
    run("dcm-agentctl", "reload")
    missing = subprocess.run(["dcm-agentctl", "show", "nope"], capture_output=True, text=True)
    assert missing.returncode == 1 and "no request nope" in missing.stderr
    run("systemctl", "stop", "dcm-agent.service")
    gone = subprocess.run(["dcm-agentctl"], capture_output=True, text=True)
    assert gone.returncode == 3 and "systemctl enable --now dcm-agent" in gone.stderr


def test_log_level_by_systemctl(manager):
    run("systemctl", "service-log-level", "dcm-agent.service", "debug")
    assert run("systemctl", "service-log-level", "dcm-agent.service").strip() == "debug"


def test_units_verify_and_are_hardened():
    for unit in ("dcm-agent.service", "dcm-agent-executor.service", "dcm-jobs.slice"):
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                              text=True)
        assert done.returncode == 0 and "dcm" not in done.stderr, done.stderr
    for unit, limit in (("dcm-agent.service", 1.5), ("dcm-agent-executor.service", 2.5)):
        text = run("systemd-analyze", "security", "--no-pager", unit)
        score = float(re.search(r"exposure level for \S+: ([0-9.]+)", text)[1])
        print(f"{unit}: {score}")
        assert score <= limit




def test_secret_that_only_root_can_read_comes_as_a_credential():
    """LoadCredential= of the unit, credential: in the configuration; the doctor finds it, too."""
    secret, unit = pathlib.Path("/root/dcm-test-secret"), pathlib.Path(
        "/etc/systemd/system/dcm-agent.service.d/test.conf")
    secret.write_text("user:canary\n")
    secret.chmod(0o600)
    unit.parent.mkdir(exist_ok=True)
    unit.write_text(f"[Service]\nLoadCredential=auth:{secret}\n")
    text = "[connection]\nagentmanager_url = wss://manager.example/\nproxy = http://127.0.0.1:1\nproxy_auth = "
    reached = "proxy: http://127.0.0.1:1: 127.0.0.1 port 1: Connection refused"
    try:
        run("systemctl", "daemon-reload")
        CONF.write_text(f"{text}credential:auth\n")
        run("systemctl", "restart", "dcm-agent.service")
        wait_for(lambda: reached in show("dcm-agent.service", "StatusText"), "the proxy to be asked")
        doctor = run("dcm-agentctl", "doctor", check=False)
        assert "127.0.0.1 port 1: Connection refused" in doctor and "canary" not in doctor
        CONF.write_text(f"{text}{secret}\n")
        run("systemctl", "restart", "dcm-agent.service")
        wait_for(lambda: f"proxy_auth {secret} cannot be read: Permission denied"
                 in show("dcm-agent.service", "StatusText"), "the secret to be out of reach")
        doctor = run("dcm-agentctl", "doctor", check=False)
        assert "Permission denied" in doctor, "it looks as the agent's user"
        assert "canary" not in run("journalctl", "-o", "export", "-u", "dcm-agent.service")
    finally:
        run("systemctl", "stop", "dcm-agent.service")
        for path in (secret, unit, CONF):
            path.unlink()
        run("systemctl", "daemon-reload")


def test_doctor_before_the_first_start():
    run("systemctl", "stop", "dcm-agent.service")
    shutil.rmtree("/var/lib/dcm-agent", ignore_errors=True)
    manager = Manager()
    CONF.write_text(f"[connection]\nagentmanager_url = {manager.url()}\n")
    try:
        process = subprocess.Popen(["dcm-agentctl", "--json", "doctor"], stdout=subprocess.PIPE, text=True)
        wait_for(lambda: process.poll() is not None, "the doctor")
        found = {line["check"]: line for line in json.loads(process.stdout.read())}
        assert process.returncode == 0 and found["HTTP"]["result"] == "ok"
        assert found["handshake"]["result"] == "skipped" and found["service"]["result"] == "warning"
        assert not pathlib.Path("/var/lib/dcm-agent").exists() and not manager.offers
    finally:
        CONF.unlink()
        manager.stop()
