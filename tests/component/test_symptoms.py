# SPDX-License-Identifier: Apache-2.0
"""Mistakes as administrators make them, each really made: what the status line, dcm-agentctl status, the doctor, config
--check and the journal say, and the exit statuses, are as dcm-agent-troubleshooting(7) has them. What needs a real
systemd or another user is in tests/booted/symptoms_test.py."""

import contextlib
import datetime
import os
import re
import socket
import sqlite3
import subprocess
import urllib.parse
import uuid

import pytest

import certificates
from harness import ROOT, Manager, free_port, wait_for
from servers import Greeter, Server
from symptoms import SYMPTOMS, compare
from test_bounds import ARGUMENTS
from test_manager import Server as DcmManager
from test_mistakes import config, ctl, doctor
from test_states import start_with_failing

BOOTED = ROOT / "tests/booted/symptoms_test.py"


def observe(agent):
    status, output = ctl(agent, "status")
    doctor_status, found = doctor(agent)
    check_status, checked = config(agent, "--check")
    return {
        "systemctl status": (agent.property("StatusText"), None),
        "dcm-agentctl status": (output, status),
        "dcm-agentctl doctor": (found, doctor_status),
        "dcm-agentctl config --check": (checked, check_status),
        "journal": (agent.log.read_text(), None),
    }


def wait_status(agent, symptom):
    """Until it is in the status line; what that says instead is in the failure."""
    try:
        wait_for(lambda: symptom in agent.property("StatusText"), symptom)
    except AssertionError as error:
        raise AssertionError(f"{error}; but: {agent.property('StatusText')}") from None


def start(agent):
    agent.start()
    agent.wait_notify("READY=1")


# --- the configuration keeps it from connecting -------------------------------------------------------

URL = "[connection]\nagentmanager_url = wss://127.0.0.1:1/\n"
PREVENTED = {  # a drop-in
    "Not configured: set agentmanager_url": ["", "[connection]\nagentmanager_url =\n"],
    "is not usable: it must begin with wss:// or ws://": [
        "[connection]\nagentmanager_url = https://manager.example/\n",
        "[connection]\nagentmanager_url = manager.example:8443\n",
        '[connection]\nagentmanager_url = "wss://manager.example/"\n'],
    "is not usable: the port must be a number from 1 to 65535": ["[connection]\nagentmanager_url = wss://manager.example:0/\n"],
    "is not usable: user names and passwords in the URL are not supported": [
        "[connection]\nagentmanager_url = wss://u:p@manager.example/\n"],
    "is not usable: it has a blank, a control or a non-ASCII character": [
        "[connection]\nagentmanager_url = wss://manager example/\n"],
    "is not base64 of a SHA-256": [URL + "pin = AAAA\n"],
    "is not usable: it must begin with http:// or https://": [URL + "proxy = socks://x\n"],
    "needs client_cert, which is not set": [URL + "client_key = /x\n"],
    "cannot be read: No such file or directory": [URL + "proxy = http://h:1\nno_proxy = x\nproxy_auth = /nonexistent\n"],
    "correct or remove it, then reload": [URL + "pins = x\n", URL + "allow_unknown_cert = no\n"],
    "is lost: it is too long, or indented": [
        URL + "heartbeat_frequency = 1\n  pin = x\n", URL + "pin = " + "A" * 70000 + "\n"],
    "is larger than 256 KiB": [URL + "#" * (256 * 1024) + "\n"],
    "has NUL bytes, as a power failure leaves them; restore it": [URL + "\0"],
}


@pytest.mark.parametrize("symptom, text", [(s, t) for s, texts in PREVENTED.items() for t in texts],
                         ids=lambda x: None if x in PREVENTED else "")
def test_configuration_that_prevents_a_connection(agent, symptom, text):
    (agent.dropins / "site.conf").write_text(text)
    start(agent)
    wait_status(agent, symptom)
    compare(symptom, observe(agent))


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))


def make_circle(path):
    path.symlink_to(path.name)


KINDS = {
    "is neither a file nor a link to one": [make_pipe, make_socket, lambda path: path.symlink_to("/dev/zero")],
    "is a link that leads to itself": [make_circle],
    "is a directory; replace it with a file": [lambda path: path.mkdir()],
    "is a link to a file that does not exist": [lambda path: path.symlink_to("/nonexistent/file")],
}


@pytest.mark.parametrize("symptom, make", [(s, m) for s, makers in KINDS.items() for m in makers])
def test_name_that_is_no_file(agent, symptom, make):
    """Neither of these may seem to be a file without keys."""
    make(agent.dropins / "site.conf")
    start(agent)
    wait_status(agent, symptom)
    compare(symptom, observe(agent))


def test_nothing_is_a_file(agent, manager):
    """As for systemd, a link to /dev/null is an empty file."""
    agent.configure(manager.url())
    (agent.dropins / "site.conf").symlink_to("/dev/null")
    start(agent)
    manager.wait_offer()
    assert config(agent, "--check") == (0, "No problems.\n")


# --- network and manager ------------------------------------------------------------------------------


class WebServer(Server):
    """One that knows nothing of managers."""

    def __init__(self):
        super().__init__()
        self.port = free_port()
        self.start(lambda: "Serving" in self.log(), "/usr/bin/python3", "-u", "-m", "http.server", "--bind", "127.0.0.1",
                   "--directory", str(self.directory), str(self.port))


class Scene:
    def __init__(self, agent, manager, pki, request, directory):
        self.agent, self.manager, self.pki, self.request, self.directory = agent, manager, pki, request, directory

    def configure(self, url, **connection):
        self.agent.configure(url, connection={k: str(v) for k, v in connection.items()})

    def tls(self, certificate, host="localhost", **connection):
        server = Manager(certificate=(certificate.path, certificate.key_path))
        self.request.addfinalizer(server.stop)
        self.configure(server.url(host), **{"ca_cert": self.pki.root.path, **connection})

    def serve(self, kind):
        server = kind()
        self.request.addfinalizer(server.stop)
        return server

    def answer(self, answer):
        self.manager.answers = [answer] * 1000
        self.configure(self.manager.url())


    def dcm_manager(self, mode):
        """Our own."""
        server = DcmManager(self.directory, f"--enrolment={mode}")
        self.request.addfinalizer(server.stop)
        self.configure(server.url)
        return server


def use_an_expired_token(scene):
    server = scene.dcm_manager("token")
    code, secret, error = server.cli("enrol-token", "new")
    assert code == 0, error
    with contextlib.closing(sqlite3.connect(server.database)) as db, db:
        db.execute("UPDATE enrolment_tokens SET expires = 1")
    file = scene.directory / "enrolment-token"
    file.write_text(secret)
    file.chmod(0o600)
    scene.configure(server.url, enrolment_token_file=file)


def at_year(year):
    return datetime.datetime(year, 1, 1)


def in_der_form(scene):
    path = scene.pki.directory / "ca.der"
    subprocess.run(["openssl", "x509", "-in", scene.pki.root.path, "-outform", "DER", "-out", path], check=True)
    return path


def use_a_forgotten_proxy(scene):
    scene.agent.environment["HTTPS_PROXY"] = f"http://127.0.0.1:{free_port()}"
    scene.configure("wss://localhost/")


UNCONNECTED = {
    "cannot be resolved: Name or service not known; check the spelling": lambda s: s.configure("wss://nosuch.invalid:1/"),
    "Connection refused; check the port, firewalls, and whether the server is up":
        lambda s: s.configure(f"wss://127.0.0.1:{free_port()}/"),
    "is signed by itself and not trusted here":
        lambda s: s.tls(certificates.Certificate(s.pki.directory, "alone", names=["localhost"])),
    "is signed by an authority that is not trusted here": lambda s: s.tls(s.pki.leaf(issuer=s.pki.other)),
    "is for another host name": lambda s: s.tls(s.pki.leaf(names=["elsewhere.example"])),
    "has expired": lambda s: s.tls(s.pki.leaf(end=at_year(2021))),
    "is not valid yet": lambda s: s.tls(s.pki.leaf(start=at_year(2048))),
    "is not a pinned one": lambda s: s.tls(s.pki.good, pin=s.pki.leaf(issuer=s.pki.other).pin()),
    "cannot be used: No such file or directory": lambda s: s.tls(s.pki.good, ca_cert="/nonexistent/ca.pem"),
    "cannot be used: it has no certificate": lambda s: s.tls(s.pki.good, ca_cert=ROOT / "README.md"),
    "cannot be used: it has no certificate in PEM form": lambda s: s.tls(s.pki.good, ca_cert=in_der_form(s)),
    "in the environment)": use_a_forgotten_proxy,
    "does not speak TLS on this port": lambda s: s.configure(f"wss://127.0.0.1:{s.serve(Greeter).port}/"),
    "check the path in agentmanager_url": lambda s: s.configure(f"ws://127.0.0.1:{s.serve(WebServer).port}/"),
    "the answer is not understood; is this an agent manager?": lambda s: s.answer('{"hello": "I am another program"}'),
    "the manager refused with code": lambda s: s.answer({"return_code": 426, "error_message": "protocol%20105%20only"}),
    "the manager does not authorise this agent (401), or not yet": lambda s: s.answer({"return_code": 401}),
    "waits for the approval of an operator": lambda s: s.dcm_manager("approve"),
    "new agents need an enrolment token": lambda s: s.dcm_manager("token"),
    "the enrolment token has expired": use_an_expired_token,
    "the token belongs to another server (409)": lambda s: s.answer({"return_code": 409}),
    "the manager asked for a pause (503)": lambda s: s.answer({"return_code": 503, "FORCE_BACKOFF": 3600}),
}


@pytest.mark.parametrize("symptom", UNCONNECTED)
def test_manager_that_cannot_be_reached(agent, manager, pki, request, tmp_path, symptom):
    UNCONNECTED[symptom](Scene(agent, manager, pki, request, tmp_path))
    start(agent)
    wait_status(agent, symptom)
    seen = observe(agent)
    compare(symptom, seen)
    assert seen["systemctl status"][0].startswith("Not connected to ")


def test_what_the_manager_says_of_its_refusal_is_shown(agent, manager):
    """So somebody who waits for an approval sees it, if the manager says so; and control characters do nothing."""
    manager.answers = [{"return_code": 401, "error_message": "waits for the approval of an operator"}] * 100
    agent.configure(manager.url())
    start(agent)
    agent.wait_notify("check its entry there; it says: waits for the approval of an operator; next attempt")
    assert "it says: waits for the approval of an operator" in doctor(agent)[1]


# --- mistakes in files --------------------------------------------------------------------------------

CONFIG, ALERTS, COMMANDS = "agent.conf.d/site.conf", "alerts.conf", "commands.d/greet.conf"
RULE = "[full]\nstatistic = memory\n"
IGNORED = {  # files and what they have
    "there is no key": [(CONFIG, "[workers]\ncuont = 3\n"), (ALERTS, RULE + "value = use\nabvoe = 1\nabove = 1\n"),
                        (COMMANDS, "[command]\nhelp = x\nhelps = y\n")],
    "there is no section": [(CONFIG, "\n[worker]\ncount = 3\n")],
    "stands before the first [section]": [(CONFIG, "count = 3\n")],
    "the line is not understood": [(CONFIG, "[workers]\ncount\n")],
    "the line is too long": [(CONFIG, "[workers]\ncount = " + "1" * 70000 + "\n")],
    "more lines are not understood": [(CONFIG, "[workers]\n" + "what is this\n" * 20)],
    "is not valid": [(CONFIG, "[workers]\ncount = many\n"), (CONFIG, "[logging]\nlevel = loud\n")],
    "is not a valid rule: this statistic has no value": [(ALERTS, RULE + "value = usage\nabove = 1\n")],
    "is not a valid rule: above or below needs a number in the unit of the value": [(ALERTS, RULE + "value = use\n")],
    "so that jobs of the command are refused": [
        (COMMANDS, "[command]\nhelp = x\nuser = nosuch\nscript = /bin/true\n"), (COMMANDS, "[command]\nhelp = x\n"),
        (COMMANDS, "[command]\nhelp = x\nscript = /nonexistent/script\n")],
    "its name does not end in .conf": [
        ("agent.conf.d/site.cfg", "[workers]\ncount = 3\n"), ("alerts.conf.d/site", RULE),
        ("policy.conf.d/site.ini", "[policy]\nallow_scripts = no\n"), ("commands.d/greet.cfg", "[command]\nhelp = x\n")],
    "group or others can write it": [(COMMANDS, "[command]\nhelp = x\n")],
}


@pytest.mark.parametrize("symptom, file", [(s, f) for s, files in IGNORED.items() for f in files],
                         ids=lambda x: None if x in IGNORED else x[0])
def test_mistake_in_a_file(agent, manager, symptom, file):
    agent.configure(manager.url())
    path = agent.directory / file[0]
    path.parent.mkdir(exist_ok=True)
    path.write_text(file[1])
    if symptom == "group or others can write it":
        path.chmod(0o666)
    start(agent)
    manager.wait_offer()
    agent.wait_notify("in the configuration, see dcm-agentctl status")
    wait_for(lambda: agent.property("State") == "connected", "the connection")
    seen = observe(agent)
    compare(symptom, seen)
    assert file[0].removesuffix("site.conf") in seen["dcm-agentctl status"][0], "the file is named"


# --- states -------------------------------------------------------------------------------------------


def break_policy(agent, manager):
    (agent.directory / "policy.conf").write_text("[policy]\nallow_script = no\n")


def pause(agent, manager):
    agent.call("Pause", "b", "false")


def refuse(agent, manager):
    agent.call("Pause", "b", "true")


def fill_disk(agent, manager):
    (agent.directory / "failing").touch()
    guid = str(uuid.uuid4())
    manager.request(guid, "heartbeat")
    assert "No space left on device" in manager.wait_message("NACK", guid)["error_message"]


def fail_to_reload(agent, manager):
    (agent.dropins / "site.conf").write_text("[connection]\npins = x\n")
    with pytest.raises(Exception):
        agent.call("Reload")


def lose_executor(agent, manager):
    """The bus of the test has none at all."""
    manager.request("g-waits", "run_script", ARGUMENTS)
    manager.wait_message("ACK", "g-waits")


STATES = {
    "jobs do not start": lose_executor,
    "no job is allowed, as the policy is not valid": break_policy,
    "paused, so new jobs wait": pause,
    "paused, so new jobs are refused": refuse,
    "requests are refused, as the database could not be written": fill_disk,
    "the last reload failed, so the previous configuration stays in force": fail_to_reload,
}


@pytest.mark.parametrize("symptom", STATES)
def test_state_in_which_jobs_do_not_start(agent, manager, symptom):
    agent.configure(manager.url())
    start_with_failing(agent, FAILING_COMMIT=agent.directory / "failing")
    agent.wait_notify("READY=1")
    wait_for(lambda: agent.property("State") == "connected", "the connection")
    STATES[symptom](agent, manager)
    wait_status(agent, symptom)
    compare(symptom, observe(agent))


def test_jobs_that_do_not_start(agent, manager):
    """The manager is told, too; and nothing is said any more when no job is left that cannot start."""
    agent.configure(manager.url())
    start(agent)
    manager.wait_offer()
    for guid in ("first", "second"):
        manager.request(guid, "run_script", ARGUMENTS)
        manager.wait_message("ACK", guid)
    why = "the system bus does not know the executor; install dcm-agent again, then: systemctl reload dbus"
    agent.wait_notify(f"; jobs do not start: {why}")
    assert agent.property("JobProblem") == why
    assert re.search(rf"Jobs: {why.split(';')[0]}", re.sub(r"\s+", " ", ctl(agent, "status")[1]))

    def lines():
        return [urllib.parse.unquote(m["message"]) for m in manager.of_type("LOG")]

    wait_for(lambda: f"Jobs do not start: {why}" in lines(), "a line for the console")
    for guid in ("first", "second"):
        manager.send(type="CANCEL", request_id=guid)
        manager.ack(manager.wait_message("REPLY", guid))
    wait_for(lambda: agent.property("JobProblem") == "", "the end of it")
    assert "do not start" not in agent.property("StatusText")
    wait_for(lambda: "No job is held up any more." in lines(), "that it is over")


def test_database_that_can_be_written_again(agent, manager):
    agent.configure(manager.url())
    failing = agent.directory / "failing"
    start_with_failing(agent, FAILING_COMMIT=failing)
    manager.wait_offer()
    fill_disk(agent, manager)
    agent.wait_notify("the database could not be written: No space left on device")
    assert agent.property("StoreProblem") == "No space left on device"
    assert re.search("Database: No space left on device$", ctl(agent, "status")[1], re.M)
    failing.unlink()
    manager.round_trip("g-1")
    wait_for(lambda: agent.property("StoreProblem") == "", "the end of it")
    assert "database" not in agent.property("StatusText") and "Database" not in ctl(agent, "status")[1]


def test_each_symptom_of_the_page_is_made():
    """Here, or where there is a systemd: the list of the page is neither longer nor shorter."""
    booted = set(re.findall(r'^@makes\("(.+)"\)$', BOOTED.read_text(), re.M))
    here = {*PREVENTED, *KINDS, *UNCONNECTED, *IGNORED, *STATES}
    assert here | booted == set(SYMPTOMS) and not here & booted and len(SYMPTOMS) >= 40
