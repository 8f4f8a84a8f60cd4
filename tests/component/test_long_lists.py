# SPDX-License-Identifier: Apache-2.0
"""dcm-agentctl with the longest lists that there can be: all rows are printed, in bounded memory, and a reader that
leaves early, a pager or the next program of a pipe, is no failure."""

import json
import os
import pty
import subprocess

import pytest

from harness import wait_for
from test_bounds import ARGUMENTS, OPEN_MAX, SANITIZED, connect
from test_views import CTL, environment

ADDRESSES_KIB_MAX = 64 * 1024  # of a program that prints such a list, with its libraries


@pytest.fixture
def crowd(agent, manager):
    """An agent with as many open requests as there can be; each is a job that waits."""
    agent.configure(manager.url())
    connect(agent, manager)
    agent.call("Pause", "b", "false")
    for i in range(OPEN_MAX):
        manager.request(f"open-{i:05}", "run_script", ARGUMENTS)
    wait_for(lambda: len(manager.of_type("ACK")) == OPEN_MAX, "all ACKs")
    return agent


def run(agent, *arguments, stdout=subprocess.PIPE, **more):
    """Text and exit status of dcm-agentctl within the memory that it may have; the main loop runs meanwhile."""
    limit = "" if SANITIZED else f"ulimit -v {ADDRESSES_KIB_MAX} && "
    process = subprocess.Popen(["sh", "-c", limit + 'exec "$@"', "sh", CTL, *arguments], stdin=subprocess.DEVNULL,
                               stdout=stdout, env={**environment(agent), **more})
    text = b""
    if process.stdout:
        os.set_blocking(process.stdout.fileno(), False)

    def step():
        nonlocal text
        has_ended = process.poll() is not None
        while process.stdout and (piece := process.stdout.read(1 << 20)):
            text += piece
        return has_ended

    wait_for(step, arguments)
    return text.decode(), process.returncode


def test_all_rows(crowd):
    for arguments, lines in ((["requests", "--all"], OPEN_MAX + 1), (["jobs"], OPEN_MAX + 1),
                             (["requests", "--lines=0", "--no-legend"], OPEN_MAX),
                             (["requests", "--lines=7", "--no-legend"], 7)):
        text, status = run(crowd, *arguments)
        assert status == 0 and len(text.splitlines()) == lines, arguments
    for arguments in (["requests", "--all", "--json"], ["jobs", "--json"]):
        text, status = run(crowd, *arguments)
        assert status == 0 and len(json.loads(text)) == OPEN_MAX, arguments
    text, status = run(crowd, "show", "open-09999", "--json")
    assert status == 0 and json.loads(text)["guid"] == "open-09999"
    text, status = run(crowd, "top")
    assert status == 0 and f"{OPEN_MAX}" in text


def test_reader_that_leaves_early(crowd):
    ours, theirs = pty.openpty()
    for verb in ("requests", "jobs"):
        _, status = run(crowd, verb, *(["--all"] if verb == "requests" else []), stdout=theirs,
                           SYSTEMD_PAGER="head -n 1")
        assert status == 0, "the pager is left before the end"
        shown = os.read(ours, 65536).decode()
        assert len(shown.splitlines()) == 1 and "GUID" in shown
        done = subprocess.run(["bash", "-c", f"{CTL} {verb} | head -n 1"], capture_output=True, text=True,
                              env=environment(crowd))
        assert done.returncode == 0 and "GUID" in done.stdout and done.stderr == ""
    os.close(ours)
    os.close(theirs)
