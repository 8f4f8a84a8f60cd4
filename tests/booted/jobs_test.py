# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, with the build installed: how long a job's output is kept, queues and how they
are shown, and jobs that try hard to break what runs them."""

import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import urllib.parse

import pytest

from agent_test import (CONF, ask_output, manager, order, order_long, reply_to, run,  # noqa: F401
                        show, unit_of)
from harness import wait_for

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
            run("systemctl", "kill", "--signal=KILL", "dcm-agent.service", "dcm-agent-executor.service",
                check=False)
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
