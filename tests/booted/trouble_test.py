# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: agent and manager, both ours, while something that they lean on fails."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import sqlite3

import pytest

from agent_test import wait_for
from manager_test import DEADLINE, run, show

AGENT = "dcm-agent.service"
MANAGER = "dcm-manager.service"
CONF = pathlib.Path("/etc/dcm-agent/agent.conf.d/trouble.conf")
DROP_IN = pathlib.Path("/run/systemd/system/dcm-manager.service.d/trouble.conf")
LOG_LOST = "MESSAGE_ID=499a0136e933423aacb5194693fdcae3"


@pytest.fixture(scope="module")
def agent():
    """The id of an agent that is connected, without TLS."""
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text('[Service]\nEnvironment="DCM_MANAGER_OPTIONS=--no-tls --enrolment open"\n')
    run("systemctl", "daemon-reload")
    CONF.parent.mkdir(parents=True, exist_ok=True)
    CONF.write_text("[connection]\nagentmanager_url = ws://127.0.0.1:8443/\nbackoff = 20\n"
                    "max_backoff = 200\n[cloud]\ntype = Other\n")
    run("systemctl", "start", "dcm-manager.socket")
    run("systemctl", "restart", AGENT)
    yield run("dcm-manager", "wait-agent", "--timeout", DEADLINE).stdout.strip()
    run("systemctl", "stop", AGENT, MANAGER, "dcm-manager.socket")
    CONF.unlink()
    DROP_IN.unlink()
    run("systemctl", "daemon-reload")


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\necho one\n")
    return str(path)


def order(agent, script):
    return run("dcm-manager", "run", agent, "run_script", "--script", script, "--wait", "--timeout",
               DEADLINE).stdout


def journal(unit, *matches):
    run("journalctl", "--sync")
    return run("journalctl", "-q", "-o", "cat", "-u", unit, *matches).stdout


# --- a journal that takes nothing ---------------------------------------------------------------------


def lost_of(unit):
    return sum(int(n) for n in re.findall(r"^(\d+) log entr", journal(unit, LOG_LOST), re.M))


def test_stopped_journal(agent, script):
    """Each job has half a dozen entries; the kernel keeps 512 for all programs together."""
    pid, manager_pid = show("MainPID", AGENT), show("MainPID", MANAGER)
    journald = int(show("MainPID", "systemd-journald.service"))
    lost = lost_of(AGENT)
    os.kill(journald, signal.SIGSTOP)
    try:
        for _ in range(130):
            assert order(agent, script) == "one\n"
    finally:
        os.kill(journald, signal.SIGCONT)
    wait_for(lambda: lost_of(AGENT) > lost, "the agent to say what was lost")
    assert (show("MainPID", AGENT), show("MainPID", MANAGER)) == (pid, manager_pid)
    assert order(agent, script) == "one\n"
    wait_for(lambda: "The manager acknowledged the reply" in journal(AGENT).splitlines()[-1], "new entries")


def test_manager_does_not_wait_for_the_journal(agent, script):
    """At debug level the manager has an entry for each connection that has spoken."""
    DROP_IN.write_text('[Service]\nEnvironment="DCM_MANAGER_OPTIONS=--no-tls --enrolment open --debug"\n')
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", MANAGER)
    assert order(agent, script) == "one\n"
    journald = int(show("MainPID", "systemd-journald.service"))
    os.kill(journald, signal.SIGSTOP)
    try:
        for _ in range(2000):
            with socket.create_connection(("127.0.0.1", 8443), timeout=float(DEADLINE)) as stranger:
                stranger.sendall(b"nonsense\r\n\r\n")
                while stranger.recv(4096):  # until the other end has closed it
                    pass
        assert order(agent, script) == "one\n"
    finally:
        os.kill(journald, signal.SIGCONT)
    wait_for(lambda: lost_of(MANAGER) > 0, "the manager to say what was lost")


# --- name servers that are silent ---------------------------------------------------------------------


def threads_of(unit):
    return len(list(pathlib.Path(f"/proc/{show('MainPID', unit)}/task").iterdir()))


@pytest.fixture
def silent_name_servers():
    """Three, which take queries and say nothing; resolv.conf(5) wants 450 s of patience."""
    resolv, nsswitch = pathlib.Path("/etc/resolv.conf"), pathlib.Path("/etc/nsswitch.conf")
    before = resolv.read_bytes() if resolv.exists() else b"", nsswitch.read_text()
    addresses = [f"127.0.0.{n}" for n in (2, 3, 4)]
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in addresses]
    for s, address in zip(sockets, addresses):
        s.bind((address, 53))
    resolv.unlink(missing_ok=True)
    resolv.write_text("".join(f"nameserver {a}\n" for a in addresses) +
                      "options timeout:30 attempts:5\n")
    nsswitch.write_text(re.sub(r"(?m)^hosts:.*", "hosts: files dns", before[1]))
    yield
    resolv.write_bytes(before[0])
    nsswitch.write_text(before[1])
    for s in sockets:
        s.close()


def test_attempts_wait_for_one_lookup(agent, silent_name_servers):
    """40 attempts have one thread; and soon after the name has an address they use it."""
    hosts, former = pathlib.Path("/etc/hosts").read_text(), CONF.read_text()
    pid, threads = show("MainPID", AGENT), threads_of(AGENT)
    try:
        CONF.write_text(former.replace("127.0.0.1", "manager.example.test"))
        run("systemctl", "reload", AGENT)
        wait_for(lambda: threads_of(AGENT) > threads, "a lookup")
        for _ in range(40):
            run("dcm-agentctl", "reconnect")
        assert threads_of(AGENT) == threads + 1
        pathlib.Path("/etc/hosts").write_text(hosts + "\n127.0.0.1 manager.example.test\n")
        run("dcm-agentctl", "reconnect")
        run("dcm-manager", "wait-agent", agent, "--timeout", DEADLINE)  # not the 450 s of one lookup
        assert show("MainPID", AGENT) == pid
    finally:
        pathlib.Path("/etc/hosts").write_text(hosts)
        CONF.write_text(former)
        run("systemctl", "reload", AGENT)
    run("dcm-manager", "wait-agent", agent, "--timeout", DEADLINE)


# --- a database of a newer version --------------------------------------------------------------------


def with_version(path, version):
    """Sets it, and returns the one before."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        before = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    owner = path.parent.stat()
    for file in path.parent.glob(path.name + "*"):
        os.chown(file, owner.st_uid, owner.st_gid)
    return before


@pytest.mark.parametrize("unit, path", [(AGENT, "/var/lib/dcm-agent/requests.db"),
                                        (MANAGER, "/var/lib/dcm-manager/manager.db")])
def test_database_of_a_newer_version(agent, script, unit, path):
    """It is said once, with what to do; nothing starts the program again, and the file is as it was."""
    path = pathlib.Path(path)
    order(agent, script)
    run("systemctl", "stop", "dcm-manager.socket", unit)
    version = with_version(path, 9999)
    content = path.read_bytes()
    said = "A newer version of dcm-"
    before = journal(unit).count(said)
    if unit == MANAGER:
        run("systemctl", "start", "dcm-manager.socket")  # the agent connects, and so starts it
    else:
        run("systemctl", "start", unit, check=False)
    wait_for(lambda: show("ActiveState", unit) == "failed", "the end")
    if unit == MANAGER:
        wait_for(lambda: show("ActiveState", "dcm-manager.socket") == "inactive", "no more agents")
    assert show("ExecMainStatus", unit) == "65" and show("NRestarts", unit) == "0"
    assert path.read_bytes() == content
    assert journal(unit).count(said) == before + 1
    assert re.search(f"{said}.* {path}, .*Install that version again. Or move", journal(unit))

    with_version(path, version)
    run("systemctl", "start", MANAGER, AGENT)
    run("dcm-manager", "wait-agent", agent, "--timeout", DEADLINE)
    assert order(agent, script) == "one\n"
