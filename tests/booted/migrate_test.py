# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: dcm-agentctl migrate takes over what the Python agent has left, as python_agent.py makes it, and
variations of it; says what it cannot; changes nothing with --dry-run or a second time; goes back until the first
connection. A manager that knows the old agent goes on with the new one: no GUID is executed again, each has its reply."""

import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess

import pytest

import python_agent
from agent_test import Manager, run, show, wait_for  # noqa: F401

DCM = pathlib.Path("/dcm")
ETC = pathlib.Path("/etc/dcm-agent")
STATE = pathlib.Path("/var/lib/dcm-agent")
RECORD = pathlib.Path("/var/lib/dcm-migration")
INIT = pathlib.Path("/etc/init.d/dcm-agent")
LINK = pathlib.Path("/etc/rc3.d/S20dcm-agent")
ALERTS = pathlib.Path("/var/ossec/logs/alerts/alerts.log")
SUDOERS = pathlib.Path("/etc/sudoers.d/adm1")


def migrate(*arguments, check=True):
    done = subprocess.run(["dcm-agentctl", "migrate", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 or not check, (done.stdout, done.stderr)
    return done


def tree(*tops):
    return {path: (path.stat().st_mode, path.stat().st_uid, path.read_bytes() if path.is_file() else None)
            for top in tops for path in sorted(top.rglob("*"))}


def rows(sql):
    with sqlite3.connect(f"file:{STATE}/requests.db?immutable=1", uri=True) as db:
        return db.execute(sql).fetchall()


@pytest.fixture(autouse=True)
def server(tmp_path):
    """As the old agent has it, without the old agent; and all as it was afterwards."""
    run("systemctl", "disable", "--now", "dcm-agent.service")
    shutil.rmtree(STATE, ignore_errors=True)
    shutil.copytree(ETC, tmp_path / "etc")
    for name in ("jdoe", "adm1"):
        run("useradd", "--create-home", name)
    SUDOERS.parent.mkdir(exist_ok=True)
    SUDOERS.write_text("adm1 ALL=(ALL) NOPASSWD: ALL\n")
    INIT.write_text("#!/bin/sh\n")
    LINK.parent.mkdir(exist_ok=True)
    LINK.symlink_to("../init.d/dcm-agent")
    ALERTS.parent.mkdir(parents=True, exist_ok=True)
    ALERTS.write_text(python_agent.ALERT_LOG)
    yield
    for path in (SUDOERS, INIT, LINK):
        path.unlink(missing_ok=True)
    run("systemctl", "disable", "--now", "dcm-agent.service")
    for name in ("jdoe", "adm1"):
        run("userdel", "--remove", name, check=False)
    for path in (DCM, STATE, RECORD, ETC, pathlib.Path("/var/ossec")):
        shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(tmp_path / "etc", ETC)


def state_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_all_is_taken_over():
    python_agent.write_tree(DCM)
    before = tree(DCM, ETC)
    dry = migrate("--dry-run")
    assert tree(DCM, ETC) == before and not STATE.exists() and not RECORD.exists() and LINK.is_symlink()
    done = migrate()
    assert tree(DCM) == {p: v for p, v in before.items() if DCM in p.parents}
    for line in ("agent id: agent-1", "injected id", "user: jdoe", "user: adm1, an administrator", "requests: 9 taken over",
                 "replies: 2 wait for the manager, 1 of them without a result", f"without a result: {python_agent.ACKED}",
                 "alerts: 1 of the alert file", "the statistic cpu (cpu-idle)", "get_time_example, a Python plugin",
                 "commands of Docker: docker_create_container", "numbers and results of long jobs",
                 "script of this site siteBackup", "changed script listDevices", "changed script removeUser",
                 "were: USER; they are: USER [ours|foreign [force]]", f"token: of {len(python_agent.TOKEN)} characters",
                 "does not run: had it been stopped cleanly"):
        assert line in done.stdout and line in dry.stdout, (line, done.stdout)
    assert "user: gone" not in done.stdout and python_agent.TOKEN not in done.stdout
    token = STATE / "token"
    assert token.read_text() == python_agent.TOKEN and token.stat().st_mode & 0o7777 == 0o600 and token.owner() == "dcm-agent"
    assert dict(rows("SELECT key, value FROM meta")).items() >= {("agent_id", "agent-1"), ("injected_id", "launch-0f3c2a")}
    assert dict(rows("SELECT guid, state FROM requests")) == {
        guid: "REPLY" if state == "ACKED" else state for guid, _, _, state in python_agent.ROWS}
    assert rows("SELECT name, administrator FROM users ORDER BY name") == [("adm1", 1), ("jdoe", 0)]
    assert rows("SELECT state, level, rule FROM alerts") == [(2, 12, 5716)]
    configured = (ETC / "agent.conf.d/configure.conf").read_text()
    assert "# raised by the site for the nightly runs\ncount = 3\n" in configured
    assert (ETC / "scripts/siteBackup").stat().st_mode & 0o7777 == 0o755
    assert (ETC / "former-scripts/listDevices").exists() and not (ETC / "scripts/listDevices").exists()
    assert not LINK.is_symlink() and not INIT.exists()
    assert show("dcm-agent.service", "ActiveState") == "inactive"
    after = tree(ETC, STATE)
    assert "migrated already" in migrate().stdout and tree(ETC, STATE) == after


def test_the_manager_goes_on():
    python_agent.write_tree(DCM)
    pathlib.Path("/tmp/executed").unlink(missing_ok=True)
    manager = Manager()
    try:
        python_agent.write_conf(DCM / "etc/agent.conf", url=manager.url())
        migrate("--start")
        offer = manager.wait_offer()
        assert offer["token"] == python_agent.TOKEN and offer["agent_id"] == "agent-1"
        assert offer["injected_id"] == "launch-0f3c2a" and offer["features"]["site"] == "example"
        # open and unacknowledged replies come by themselves
        assert manager.wait_message("REPLY", python_agent.UNACKED)["payload"] == python_agent.REPLY
        reply = manager.wait_message("REPLY", python_agent.ACKED)["payload"]
        assert reply["return_code"] == 1 and "not%20known" in reply["error_message"]
        # what was executed is not executed again
        guid, command, arguments, _ = python_agent.ROWS[4]
        manager.request(guid, command, arguments)
        assert "not%20kept" in manager.wait_message("REPLY", guid)["payload"]["error_message"]
        assert not pathlib.Path("/tmp/executed").exists()
        # the users are ours
        for name in ("jdoe", "adm1"):
            manager.request(f"remove-{name}", "remove_user", {"userId": name})
            reply = manager.wait_message("REPLY", f"remove-{name}")["payload"]
            assert reply["return_code"] == 0, reply
        assert not SUDOERS.exists()
        # there is no way back now
        done = migrate("--undo", check=False)
        assert done.returncode == 1 and "has been connected" in done.stderr
        assert show("dcm-agent.service", "ActiveState") == "active"
    finally:
        run("systemctl", "stop", "dcm-agent.service")
        manager.stop()


def test_the_way_back():
    python_agent.write_tree(DCM)
    STATE.mkdir()
    shutil.chown(STATE, "dcm-agent", "dcm-agent")
    before = tree(ETC, STATE, INIT.parent)
    directories = [pathlib.Path(path) for path in ("/", "/etc", "/etc/rc3.d", "/var/lib", STATE, ETC)]
    modes = [path.stat().st_mode for path in directories]
    assert migrate("--undo", check=False).returncode == 1
    migrate("--start")
    wait_for(lambda: show("dcm-agent.service", "ActiveState") == "active", "the start")
    migrate("--undo")
    assert tree(ETC, STATE, INIT.parent) == before and LINK.is_symlink() and not RECORD.exists()
    assert [path.stat().st_mode for path in directories] == modes
    assert show("dcm-agent.service", "ActiveState") == "inactive"
    assert show("dcm-agent.service", "UnitFileState") == "disabled"
    migrate()
    assert (STATE / "token").read_text() == python_agent.TOKEN


def test_the_old_agent_is_frozen_and_ended_last(tmp_path):
    python_agent.write_tree(DCM)
    process = subprocess.Popen(["bash", "-c", "exec -a /opt/dcm-agent/embedded/bin/dcm-agent bash -c 'sleep 10000 & wait'"])
    try:
        (DCM / "dcm-agent.pid").write_text(f"{process.pid}\n")
        job = int(wait_for(lambda: run("pgrep", "--parent", str(process.pid), check=False), "the job"))
        assert f"process {process.pid}) would be ended" in migrate("--dry-run").stdout and state_of(process.pid) == "S"
        # a copy, by the way
        migrate("--copy", str(tmp_path / "copy"))
        assert (tmp_path / "copy").read_bytes() == (DCM / "secure/agentdb.sql").read_bytes() and state_of(process.pid) == "S"
        # what fails lets it go on
        shutil.move(ETC / "agent.conf.d", ETC / "away")
        (ETC / "agent.conf.d").write_text("")
        assert migrate(check=False).returncode != 0 and state_of(process.pid) == "S" and LINK.is_symlink()
        (ETC / "agent.conf.d").unlink()
        shutil.move(ETC / "away", ETC / "agent.conf.d")
        done = migrate()
        assert f"(process {process.pid}) is ended" in done.stdout and "does not run" not in done.stdout
        assert process.wait() == -signal.SIGKILL
        assert state_of(job) == "S", "what it has started goes on"
        os.kill(job, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()


def test_without_a_database():
    python_agent.write_tree(DCM)
    (DCM / "secure/agentdb.sql").unlink()
    done = migrate()
    assert "not carried over: executed requests" in done.stdout and "user: adm1, an administrator" in done.stdout
    assert (STATE / "token").read_text() == python_agent.TOKEN and rows("SELECT * FROM requests") == []
    assert dict(rows("SELECT key, value FROM meta")) == {"injected_id": "launch-0f3c2a"}


def test_a_copy_from_before_the_stop(tmp_path):
    """The old agent erases its rows when it stops."""
    python_agent.write_tree(DCM)
    shutil.move(DCM / "secure/agentdb.sql", tmp_path / "copy")
    python_agent.write_database(DCM / "secure/agentdb.sql", rows=python_agent.ROWS[-1:])
    done = migrate("--database", str(tmp_path / "copy"))
    assert "requests: 1 taken over" in done.stdout and "requests: 8 taken over" in done.stdout
    assert len(rows("SELECT guid FROM requests")) == 9


@pytest.mark.parametrize("kind", ["page", "no database", "empty", "cut"])
def test_a_damaged_database(kind):
    """What can be read is taken."""
    many = [(f"{number:08x}-c68d-45ee-9048-40b883b8f6a9", "heartbeat", {}, "REPLY_ACKED") for number in range(1000)]
    python_agent.write_tree(DCM, rows=[*python_agent.ROWS, *many[100:]])
    path = DCM / "secure/agentdb.sql"
    data = bytearray(path.read_bytes())
    if kind == "page":
        data[20 * 4096:24 * 4096] = os.urandom(4 * 4096)
    elif kind == "cut":
        del data[len(data) // 2 // 4096 * 4096:]
    else:
        data = bytearray(b"" if kind == "empty" else os.urandom(20000))
    path.write_bytes(data)
    done = migrate()
    assert (STATE / "token").read_text() == python_agent.TOKEN
    n = len(rows("SELECT guid FROM requests"))
    assert "database is damaged" in done.stdout or kind == "empty" and n == 0
    assert n > 300 if kind == "page" else n >= 0


def test_rows_of_two_agent_ids():
    """Only the newest id's replies are sent; no GUID of either is executed again."""
    python_agent.write_tree(DCM, agent_ids=("agent-2", "agent-1"))
    done = migrate()
    assert "agent id: agent-2" in done.stdout and "replies to 2 requests of another agent id" in done.stdout
    found = rows("SELECT agent_id, state, count(*) FROM requests GROUP BY agent_id, state")
    assert ("agent-1", "REPLY", 2) not in found and ("agent-2", "REPLY", 2) in found and ("agent-1", "REPLY_NACKED", 3) in found


@pytest.mark.parametrize("options,kept", [([], False), (["--whole-token"], True)])
def test_a_token_with_the_end_of_an_old_one(options, kept):
    short = python_agent.TOKEN[10:]
    whole = short + "-b092-5333"
    python_agent.write_tree(DCM, token=whole)
    done = migrate(*options)
    assert (STATE / "token").read_text() == (whole if kept else short)
    assert ("--whole-token" in done.stdout) != kept


def test_no_token():
    python_agent.write_tree(DCM, token="short")
    assert "not carried over: the token" in migrate().stdout and not (STATE / "token").exists()


def test_elsewhere(tmp_path):
    """A copy of its directory, or one that was not in /dcm; by default what the package has saved."""
    place = tmp_path / "old dcm"
    python_agent.write_tree(place)
    assert migrate("--dry-run", check=False).returncode == 1
    done = migrate("--from", str(place))
    assert "requests: 9 taken over" in done.stdout and "script of this site siteBackup" in done.stdout
    assert "get_time_example" in done.stdout


def test_an_agent_with_an_identity_is_left_alone():
    python_agent.write_tree(DCM)
    manager = Manager()
    conf = ETC / "agent.conf.d/test.conf"
    conf.write_text(f"[connection]\nagentmanager_url = {manager.url()}\n")
    run("systemctl", "start", "dcm-agent.service")
    try:
        manager.wait_offer()
        wait_for(lambda: "Connected" in show("dcm-agent.service", "StatusText"), "the connection")
        done = migrate(check=False)
        assert done.returncode == 1 and "runs already" in done.stderr
    finally:
        run("systemctl", "stop", "dcm-agent.service")
        manager.stop()
    before = tree(ETC, STATE)
    done = migrate(check=False)
    assert done.returncode == 1 and "identity of its own" in done.stderr and tree(ETC, STATE) == before


@pytest.mark.parametrize("arguments,status,text", [(["word"], 2, "no operand"), (["--nonsense"], 2, "--help"),
                                                   ([], 1, "no Python agent"), (["--from", "/etc/ssl"], 1, "no Python agent")])
def test_refused(arguments, status, text):
    done = migrate(*arguments, check=False)
    assert done.returncode == status and text in done.stderr
