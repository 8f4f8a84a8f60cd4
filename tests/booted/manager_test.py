# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, with the build installed: dcm-manager as a service, our agent connected to
it by TLS, and what a restart, a reload and a crash mean for both."""

import json
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

CONF = pathlib.Path("/etc/dcm-agent/agent.conf.d/manager.conf")
CERTIFICATE = pathlib.Path("/etc/dcm-manager/cert.pem")
KEY = pathlib.Path("/etc/dcm-manager/key.pem")
CA = pathlib.Path("/etc/dcm-agent/manager-ca.pem")
DEADLINE = "240"


def run(*command, check=True):
    return subprocess.run(command, check=check, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)


def show(name, unit="dcm-manager.service"):
    return run("systemctl", "show", "-P", name, unit).stdout.strip()


def make_certificate():
    KEY.parent.mkdir(exist_ok=True)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
        "-keyout", str(KEY), "-out", str(CERTIFICATE))
    shutil.chown(KEY, group="dcm-manager")
    KEY.chmod(0o640)
    CERTIFICATE.chmod(0o644)


def accept(*options):
    """Lets the agent in that waits; as an operator who looks again and again."""
    deadline = time.monotonic() + float(DEADLINE)
    while not (waiting := json.loads(run("dcm-manager", "agents", "--waiting", "--json").stdout)):
        assert time.monotonic() < deadline, show("StatusText", "dcm-agent.service")
    run("dcm-manager", "accept", waiting[0]["id"], *options)


@pytest.fixture(scope="module")
def agent():
    """The id of an agent that is connected."""
    make_certificate()
    run("systemctl", "start", "dcm-manager.socket")
    CONF.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(CERTIFICATE, CA)
    CONF.write_text(f"[connection]\nagentmanager_url = wss://localhost:8443/\nca_cert = {CA}\n"
                    "backoff = 20\nmax_backoff = 200\n")
    # nobody started the service: the agent's connection does
    run("systemctl", "restart", "dcm-agent.service")
    accept()
    yield run("dcm-manager", "wait-agent", "--timeout", DEADLINE).stdout.strip()
    run("systemctl", "stop", "dcm-agent.service", "dcm-manager.service", "dcm-manager.socket")
    CONF.unlink()
    CA.unlink()


@pytest.fixture
def script(tmp_path):
    def make(text):
        path = tmp_path / "script"
        path.write_text("#!/bin/bash\n" + text)
        return str(path)
    return make


def test_script_by_command_line(agent, script):
    done = run("dcm-manager", "run", agent, "run_script", "--script",
               script('echo "out $1"; echo err >&2; exit 9\n'), "--arg", 'arguments:=["a b"]',
               "--wait", "--timeout", DEADLINE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (9, "out a b\n", "err\n")
    assert "has failed with return code 9" in run("dcm-manager", "log", agent).stdout


def test_restart_loses_no_reply_and_no_waiter(agent, script):
    fifo = pathlib.Path("/run/manager-test-fifo")
    run("mkfifo", "-m", "666", str(fifo))
    try:
        waiting = subprocess.Popen(
            ["dcm-manager", "run", agent, "run_script", "--script",
             script(f"read -r line <{fifo}; echo \"$line\"; exit 3\n"), "--wait", "--timeout",
             DEADLINE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with fifo.open("w") as writer:  # opens when the job reads
            run("systemctl", "restart", "dcm-manager.service")
            writer.write("after the restart\n")
        assert waiting.communicate() == ("after the restart\n", "")
        assert waiting.returncode == 3
    finally:
        fifo.unlink()


def test_killed_and_aborted_managers_come_back(agent):
    for number in (signal.SIGKILL, signal.SIGABRT):
        before = show("MainPID")
        run("systemctl", "kill", f"--signal={number.name}", "dcm-manager.service")
        done = run("dcm-manager", "wait-agent", agent, "--timeout", DEADLINE)
        assert done.stdout.strip() == agent
        assert show("MainPID") != before


def test_reload_takes_a_new_certificate_and_keeps_connections(agent):
    make_certificate()
    pid = show("MainPID")
    run("systemctl", "reload", "dcm-manager.service")
    served = run("openssl", "s_client", "-connect", "localhost:8443", "-showcerts").stdout
    served = served[served.index("-----BEGIN"):served.index("-----END")]
    assert served.strip() in CERTIFICATE.read_text()
    assert show("MainPID") == pid
    assert run("dcm-manager", "run", agent, "heartbeat", "--wait", "--timeout",
               DEADLINE).returncode == 0
    assert show("StatusText") == "Connected agents: 1"
    shutil.copy(CERTIFICATE, CA)  # for the agent's next start


def test_service_is_confined(agent):
    assert show("User") == "dcm-manager"
    status = pathlib.Path(f"/proc/{show('MainPID')}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"
    assert fields["Threads"].strip() == "1"
    run("systemd-analyze", "verify", "--man=no", "dcm-manager.service", "dcm-manager.socket")
    run("systemd-analyze", "security", "--threshold=20", "dcm-manager.service")


def listed(*options):
    return {row["id"]: row for row in json.loads(run("dcm-manager", "agents", "--json", *options).stdout)}


def test_unregister(agent):
    """The owner of the server takes it away: both sides know, nothing can be ordered any more, and the agent that starts again
    is a new one, which waits to be accepted."""
    token = pathlib.Path("/var/lib/dcm-agent/token").read_text()
    run("systemctl", "enable", "dcm-agent.service")
    done = run("dcm-agentctl", "unregister")
    assert "The manager knows that this agent has left" in done.stdout and not done.stderr
    assert show("ActiveState", "dcm-agent.service") == "inactive" and show("UnitFileState", "dcm-agent.service") == "disabled"
    assert pathlib.Path("/var/lib/dcm-agent/token").read_text() != token
    assert listed()[agent]["revoked"] and not listed()[agent]["connected"]
    done = run("dcm-manager", "run", agent, "heartbeat", check=False)
    assert done.returncode != 0 and "revoked, or its owner has unregistered it" in done.stderr, done.stderr
    run("systemctl", "start", "dcm-agent.service")
    accept("--name", "again")
    new = run("dcm-manager", "wait-agent", "again", "--timeout", DEADLINE).stdout.strip()
    assert new != agent and pathlib.Path("/var/lib/dcm-agent/token").read_text() != token
    assert run("dcm-manager", "run", "again", "heartbeat", "--wait", "--timeout", DEADLINE).returncode == 0
    run("dcm-manager", "forget", agent)
    assert set(listed()) == {new}


def test_unregister_while_the_manager_is_away(agent):
    """The server goes all the same; its operator revokes it."""
    run("systemctl", "stop", "dcm-manager.service", "dcm-manager.socket")
    done = run("dcm-agentctl", "unregister")
    assert "The manager was not told" in done.stderr and "revoke the agent there, too" in done.stderr
    run("systemctl", "start", "dcm-manager.socket")
    (known,) = listed()
    run("dcm-manager", "revoke", known)
    run("dcm-manager", "forget", known)
    assert not listed()
    run("systemctl", "start", "dcm-agent.service")
    accept()
    run("dcm-manager", "wait-agent", "--timeout", DEADLINE)
