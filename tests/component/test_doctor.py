# SPDX-License-Identifier: Apache-2.0
"""dcm-doctor against real and missing managers: each step of the way has a line that says what was
found or what to do, the exit status and the JSON say the same, a connected agent is not disturbed, and
nothing is made or changed."""

import json
import os
import pwd
import shutil
import subprocess

import pytest

from harness import BUILD, Manager, free_port, wait_for
from test_tls import Authority

CHECKS = ["configuration", "clock", "cloud", "name", "route", "proxy", "TCP", "TLS", "HTTP", "handshake", "volumes",
          "service"]
TOKEN = "t" * 40 + "0" * 36


def exists(user):
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


DOCTOR_USER = "dcm-agent" if exists("dcm-agent") else "nobody"  # whom it becomes when root starts it


@pytest.fixture
def doctor(agent):
    def run(*arguments, **environment):
        """Exit status and standard output; the main loop runs meanwhile, for the manager's sake."""
        agent.wait_name()
        process = subprocess.Popen(
            [BUILD / "src/dcm-doctor/dcm-doctor", f"--config={agent.config}",
             f"--config-directory={agent.dropins}", f"--state-directory={agent.state}",
             f"--cloud-socket={agent.directory}/cloud", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": agent.bus.address, **environment})
        wait_for(lambda: process.poll() is not None, "the doctor's answer")
        assert process.stderr.read() == ""
        return process.returncode, process.stdout.read()

    agent.directory.chmod(0o755)
    return run


def findings(output):
    """The last finding of each check, its text, and that all checks are there."""
    lines = json.loads(output)
    assert {line["check"] for line in lines} >= set(CHECKS) - {"service"}
    assert {line["result"] for line in lines} <= {"ok", "warning", "failed", "skipped"}
    return {line["check"]: (line["result"], line["text"]) for line in lines}


def give_token(agent):
    (agent.state / "token").write_text(TOKEN)
    (agent.state / "token").chmod(0o644)
    agent.state.chmod(0o755)


def test_all_is_well(agent, manager, doctor):
    agent.configure(manager.url())
    give_token(agent)
    status, output = doctor("--json")
    assert status == 0
    found = findings(output)
    assert found["configuration"] == ("ok", manager.url())
    assert found["name"][0] == found["route"][0] == found["HTTP"][0] == "ok"
    assert found["TCP"] == ("ok", f"127.0.0.1 port {manager.port}")
    assert found["proxy"] == ("ok", "none")
    assert found["handshake"] == ("ok", "accepted as agent-1 (web1)")
    assert found["TLS"][0] == "warning" and "wss://" in found["TLS"][1]
    assert manager.offers[0]["token"] == TOKEN and manager.offers[0]["platform"]


def test_lines_for_people(agent, manager, doctor):
    agent.configure(manager.url())
    status, output = doctor()
    assert status == 0
    for line, check in zip(output.splitlines()[-len(CHECKS) + 1:], CHECKS):
        assert line.split()[1] == check and line.split()[0] in ("ok", "warning", "skipped")


def test_before_the_first_start_there_is_no_token_and_none_is_made(agent, manager, doctor):
    agent.configure(manager.url())
    status, output = doctor("--json")
    assert status == 0
    assert findings(output)["handshake"] == (
        "skipped", "the agent creates its token at its first start: systemctl start dcm-agent")
    assert not manager.offers and not list(agent.state.iterdir())


def test_connected_agent_is_not_disturbed(agent, manager, doctor):
    agent.configure(manager.url())
    agent.start()
    agent.wait_notify("Connected")
    status, output = doctor("--json")
    assert status == 0
    result, text = findings(output)["handshake"]
    assert result == "ok" and "not tested" in text and "Connected to" in text
    assert findings(output)["service"] == ("ok", agent.property("StatusText"))
    assert len(manager.offers) == 1
    del manager.connections[1:]  # the doctor's
    manager.request("g", "heartbeat")
    manager.wait_message("REPLY", "g")


def test_agent_that_runs_is_not_disturbed_either(agent, manager, doctor):
    """It tries itself, and says what came of it."""
    agent.configure(manager.url(), connection={"backoff": "86400000", "max_backoff": "86400000"})
    manager.answers.append({"return_code": 401})
    agent.start()
    agent.wait_notify("does not authorise")
    status, output = doctor("--json")
    result, text = findings(output)["handshake"]
    assert status == 1 and result == "failed" and "does not authorise this agent (401)" in text
    assert len(manager.offers) == 1


def test_stored_identity_is_offered(agent, manager, doctor):
    agent.configure(manager.url())
    agent.start(DCM_AGENT_INJECTED_ID="injected-1")
    agent.wait_notify("Connected")
    agent.stop()
    for path in (agent.state, *agent.state.iterdir()):
        shutil.chown(path, DOCTOR_USER)
    status, output = doctor("--json")
    assert status == 0 and findings(output)["handshake"][0] == "ok", output
    for path in (agent.state, *agent.state.iterdir()):
        shutil.chown(path, "root")
    offer = manager.offers[1]
    assert offer["token"] == manager.offers[0]["token"]
    assert (offer["agent_id"], offer["injected_id"]) == ("agent-1", "injected-1")


@pytest.mark.parametrize("code, text", [
    (401, "does not authorise"), (409, "belongs to another server"), (503, "a pause"), (500, "code 500")])
def test_refused_handshake(agent, manager, doctor, code, text):
    agent.configure(manager.url())
    give_token(agent)
    manager.answers.append({"return_code": code})
    status, output = doctor("--json")
    result, found = findings(output)["handshake"]
    assert status == 1 and result == "failed" and text in found
    assert (agent.state / "token").read_text() == TOKEN, "it is the agent that makes a new one"
    assert len(manager.offers) == 1, "it tries once"


def failing(doctor, check, text, **environment):
    status, output = doctor("--json", **environment)
    assert status == 1
    found = findings(output)
    assert found[check][0] == "failed" and text in found[check][1], found
    later = CHECKS[CHECKS.index(check) + 1:-1]
    assert all(found[c][0] == "skipped" for c in later if c not in ("clock", "proxy", "volumes"))


def test_not_configured(agent, doctor):
    failing(doctor, "configuration", "set agentmanager_url")


@pytest.mark.parametrize("key, value, text", [
    ("agentmanager_url", "http://x", "must begin with wss://"),
    ("pin", "abc", "is not base64 of a SHA-256"),
    ("proxy", "socks5://x", "must begin with http://"),
    ("proxy_auth", "/nonexistent", "cannot be read: No such file"),
    ("client_key", "/nonexistent", "client_cert, which is not set"),
])
def test_unusable_values(agent, doctor, key, value, text):
    values = {"agentmanager_url": "wss://127.0.0.1:1/", "proxy": "http://127.0.0.1:1", key: value}
    agent.configure(connection=values)
    failing(doctor, "configuration", text)


def test_ignored_values_are_warned_of(agent, manager, doctor):
    agent.configure(manager.url(), connection={"heartbeat_frequency": "never"})
    status, output = doctor("--json")
    assert status == 0
    assert [line for line in json.loads(output)
            if line["result"] == "warning" and "heartbeat_frequency" in line["text"]]


def test_name(agent, doctor):
    agent.configure("wss://nowhere.invalid/")
    failing(doctor, "name", "the name nowhere.invalid cannot be resolved")


def test_closed_port(agent, doctor):
    agent.configure(f"wss://127.0.0.1:{free_port()}/")
    failing(doctor, "TCP", "Connection refused; check the port")


def test_proxy_that_is_down_is_taken_from_the_environment(agent, doctor):
    agent.configure("wss://manager.example/")
    port = free_port()
    failing(doctor, "proxy", f"http://127.0.0.1:{port} (from HTTPS_PROXY in the environment): 127.0.0.1 port {port}: Connection refused",
            HTTPS_PROXY=f"http://secret:canary@127.0.0.1:{port}")


def test_no_websocket_there(agent, manager, doctor):
    agent.configure(manager.url())
    manager.server.remove_handler("/")
    failing(doctor, "HTTP", "the server answered 404")


def test_certificates(agent, doctor):
    authority = Authority(agent.directory, "ca")
    good = Manager(authority.server("good", "DNS:localhost"))
    old = Manager(authority.server("old", "DNS:localhost", end="20210101000000Z"))
    try:
        agent.configure(good.url("localhost"), connection={"ca_cert": str(authority.certificate)})
        status, output = doctor("--json")
        assert status == 0
        result, text = findings(output)["TLS"]
        assert result == "ok" and text.startswith("TLS1.") and "certificate ends 2049-12-31" in text
        agent.configure(old.url("localhost"), connection={"ca_cert": str(authority.certificate)})
        failing(doctor, "TLS", "has expired (2021-01-01")
    finally:
        good.stop()
        old.stop()


def test_wrong_usage():
    done = subprocess.run([BUILD / "src/dcm-doctor/dcm-doctor", "now"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and done.stdout == "" and "--help" in done.stderr


def test_full_output(agent, doctor):
    """A report that cannot be written is not a good one."""
    agent.configure("wss://127.0.0.1:1/")
    with open("/dev/full", "w") as full:
        done = subprocess.run([BUILD / "src/dcm-doctor/dcm-doctor", "--json", f"--config={agent.config}",
                               f"--state-directory={agent.state}"], stdout=full, stderr=subprocess.PIPE,
                              text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and "cannot be written" in done.stderr
