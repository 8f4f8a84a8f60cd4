# SPDX-License-Identifier: Apache-2.0
"""Proves that dcm-manager is a protocol-104 manager: the whole program, over real sockets, against
agents played by an independent WebSocket implementation (libsoup).

DCM_BUILD names the build directory (default: build). Nothing waits by sleeping: everything is an
event (a message, a notification, a process's end) with a deadline.
"""
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import tempfile

import gi
import pytest

gi.require_version("Soup", "3.0")
from gi.repository import Gio, GLib, Soup  # noqa: E402

from harness import DEADLINE, preload, wait_for  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("DCM_BUILD", "build")
MANAGER = str(BUILD / "src/dcm-manager/dcm-manager")
TOKEN = "n-DTNtOCjJ,4k-5jo5+NmOs.fLgmW5ZTwj5eac5a497-142f-45f4-93a4-d2a9c93faebb"


def iterate_until(condition, what, seconds=DEADLINE):
    """Runs the main loop until condition() holds."""
    late = []
    timer = GLib.timeout_add(int(seconds * 1000), lambda: late.append(1) or GLib.SOURCE_REMOVE)
    context = GLib.MainContext.default()
    while not condition():
        assert not late, f"{what} did not happen within {seconds} s"
        context.iteration(True)
    if not late:
        GLib.source_remove(timer)


def wait_process(process):
    """Waits for its end while agents go on living."""
    done = []
    GLib.child_watch_add(GLib.PRIORITY_DEFAULT, process.pid, lambda _pid, s: done.append(s))
    iterate_until(lambda: done, "the end of the process")
    process.returncode = os.waitstatus_to_exitcode(done[0])


class Agent:
    """One connection of an agent."""

    def __init__(self, url, ca=None):
        self.messages, self.error, self.closed, self.ws = [], None, None, None
        self.session = Soup.Session()
        if ca:
            self.session.set_tls_database(Gio.TlsFileDatabase.new(str(ca)))
        message = Soup.Message.new("GET", url)
        self.session.websocket_connect_async(message, None, ["dcm"], 0, None, self._connected)

    def _connected(self, session, result):
        try:
            self.ws = session.websocket_connect_finish(result)
        except GLib.Error as error:
            self.error = error.message
            return
        self.ws.set_max_incoming_payload_size(0)
        self.ws.connect("message", lambda _ws, _type, data: self.messages.append(
            json.loads(data.get_data())))
        self.ws.connect("closed", self._on_closed)

    def _on_closed(self, ws):
        self.closed = (ws.get_close_code(), ws.get_close_data())

    def connect(self):
        iterate_until(lambda: self.ws or self.error, "the connection")
        assert not self.error, self.error
        return self

    def send(self, **message):
        self.ws.send_text(json.dumps(message))

    def receive(self, kind=None):
        """The next message (of that type; others are dropped)."""
        def found():
            while self.messages and kind and self.messages[0].get("type") != kind:
                self.messages.pop(0)
            return self.messages
        iterate_until(lambda: found() or self.closed, f"a message {kind or ''}")
        assert self.messages, f"closed instead: {self.closed}"
        return self.messages.pop(0)

    def offer(self, **keys):
        self.connect()
        self.send(**{"ipv4": ["192.0.2.2"], "ipv6": [], "agent_id": None, "token": TOKEN,
                     "vm_instance": None, "injected_id": None, "version": "2.0.0",
                     "protocol_version": 104, "platform": "debian", "platform_version": "12",
                     "features": {"plugins": ["heartbeat"]}, **keys})
        return self

    def handshake(self, **keys):
        return self.offer(**keys).receive()

    def accepted(self, **keys):
        answer = self.handshake(**keys)
        assert answer["return_code"] == 200, answer
        self.id = answer["handshake"]["agentID"]
        return self

    def wait_closed(self):
        iterate_until(lambda: self.closed, "the end of the connection")
        return self.closed

    def close(self):
        if self.ws and self.ws.get_state() == Soup.WebsocketState.OPEN:
            self.ws.close(1000, None)
        if self.ws:
            self.wait_closed()

    def ack(self, request):
        self.send(type="ACK", request_id=request["request_id"], message_id="x1", agent_id=self.id)

    def answer(self, guid, reply, message_id="x2"):
        self.send(type="REPLY", request_id=guid, message_id=message_id, agent_id=self.id, payload=reply)

    def reply(self, guid, code=0, message="", error_message="", message_id="x2"):
        self.answer(guid, {"return_code": code, "reply_type": "void", "reply_object": None, "message": message,
                           "error_message": error_message}, message_id)


class Server:
    """A manager process, told apart from others by its own directory."""

    def __init__(self, directory, *options, tls=False, prefix=(), listen="127.0.0.1:0"):
        self.directory, self.options, self.tls = directory, options, tls
        self.prefix, self.listen = prefix, listen
        self.control = str(directory / "control")
        self.database = directory / "manager.db"
        self.process = None
        self.start()

    def command(self):
        return [*self.prefix, MANAGER, "serve", "--listen", self.listen, "--control", self.control,
                "--database", str(self.database), *(() if self.tls else ("--no-tls",)),
                *(() if any(o.startswith(("--enrolment", "--config")) for o in self.options) else ("--enrolment=open",)),
                *self.options]

    def start(self):
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        path = self.directory / "notify"
        path.unlink(missing_ok=True)
        notify.bind(str(path))
        notify.settimeout(DEADLINE)
        self.stderr = (self.directory / "stderr").open("a+")
        begin = self.stderr.tell()
        self.process = subprocess.Popen(self.command(), stderr=self.stderr,
                                        env={**os.environ, "NOTIFY_SOCKET": str(path)})
        while b"READY=1" not in notify.recv(4096):
            pass
        notify.close()
        self.stderr.seek(begin)
        address = re.search(r"Listening on (wss?://\S+)", self.stderr.read())
        if address:
            self.url = address.group(1) + "/"
            self.listen = address.group(1).split("//")[1]

    def stop(self, number=signal.SIGTERM):
        if self.process.returncode is None:
            self.process.send_signal(number)
        if self.process.returncode is None:  # it had not ended, and been reaped by that, before
            wait_process(self.process)
        return self.process.returncode

    def agent(self, **keys):
        return Agent(self.url).accepted(**keys)

    def cli_start(self, *arguments, **keys):
        files = {name: tempfile.TemporaryFile("w+") for name in ("stdout", "stderr")}
        process = subprocess.Popen([MANAGER, "--control", self.control, *arguments],
                                   **{**files, **keys})
        process.files = files
        return process

    def finish(self, process):
        """Status, standard output and standard error of a command."""
        wait_process(process)
        texts = []
        for file in process.files.values():
            file.seek(0)
            texts.append(file.read())
            file.close()
        return process.returncode, *texts

    def cli(self, *arguments, **keys):
        return self.finish(self.cli_start(*arguments, **keys))

    def run(self, agent, command, *arguments):
        code, out, err = self.cli("run", agent, command, *arguments)
        assert code == 0, err
        return out.strip()

    def show(self, guid):
        code, out, err = self.cli("show", guid, "--json")
        assert code == 0, err
        return json.loads(out)

    def log(self):
        self.stderr.seek(0)
        return self.stderr.read()


@pytest.fixture
def start(tmp_path):
    servers = []

    def begin(*options, **keys):
        servers.append(Server(tmp_path, *options, **keys))
        return servers[-1]

    yield begin
    for server in servers:
        status = server.stop()
        assert status in (0, -signal.SIGKILL), server.log()
        text = server.log()
        assert "AddressSanitizer" not in text and "runtime error" not in text, text
        assert TOKEN not in text


@pytest.fixture
def server(start):
    return start()


# ---- handshake and authentication


def test_handshake_has_all_keys(server):
    answer = Agent(server.url).handshake()
    assert answer["return_code"] == 200
    assert set(answer["handshake"]) == {
        "agentID", "customerId", "cloudId", "regionId", "zoneId", "serverId", "serverName",
        "mountPoint", "pk", "version", "cloudDelegate"}


def test_same_token_keeps_the_id(server):
    first = server.agent()
    first.close()
    assert server.agent(agent_id=first.id).id == first.id
    assert server.agent(agent_id=None).id == first.id
    assert server.agent(token=TOKEN + "2").id != first.id


def test_id_of_another_agent_is_unauthorized(server):
    first, second = server.agent(), server.agent(token=TOKEN + "2")
    for token in (TOKEN + "3", TOKEN + "2"):
        stranger = Agent(server.url)
        assert stranger.handshake(agent_id=first.id, token=token)["return_code"] == 401
        assert stranger.wait_closed()[0] == 1008
    assert not first.closed and not second.closed


def test_manager_without_its_database_takes_agents_as_new(server):
    answer = Agent(server.url).handshake(agent_id="agent-of-old")
    assert answer["return_code"] == 200
    assert answer["handshake"]["agentID"] != "agent-of-old"
    # the answer may get lost: the same agent comes again with its old name
    again = Agent(server.url).handshake(agent_id="agent-of-old")
    assert again["handshake"]["agentID"] == answer["handshake"]["agentID"]


def test_copy_on_another_instance_is_stale_and_gets_its_own_id(server):
    first = server.agent(vm_instance="i-1")
    copy = Agent(server.url)
    assert copy.handshake(agent_id=first.id, vm_instance="i-2")["return_code"] == 409
    copy.wait_closed()
    assert not first.closed
    # it makes a new token and may still carry the old name: told 409, it is not locked out
    copy = server.agent(agent_id=first.id, token=TOKEN + "new", vm_instance="i-2")
    assert copy.id != first.id
    third = Agent(server.url).handshake(agent_id=first.id, token=TOKEN + "other")
    assert third["return_code"] == 401


def test_copy_is_stale_also_while_the_first_is_away(server):
    first = server.agent(vm_instance="i-1")
    first.close()
    assert Agent(server.url).handshake(vm_instance="i-2")["return_code"] == 409


def test_newer_connection_of_the_same_server_replaces_a_half_open_one(server):
    first = server.agent()
    second = server.agent(agent_id=first.id)
    assert second.id == first.id
    assert first.wait_closed()[0] == 1008
    assert not second.closed


def test_other_address_while_the_first_lives_is_stale(server):
    first = server.agent()
    copy = Agent(server.url)  # libsoup answers the probe's ping on the first connection
    assert copy.handshake(agent_id=first.id, ipv4=["198.51.100.9"])["return_code"] == 409
    assert not first.closed


def test_other_address_while_the_first_hangs_is_accepted(server):
    dead = RawClient(server)
    dead.upgrade()
    dead.send_text(json.dumps({"token": TOKEN, "agent_id": None, "ipv4": ["192.0.2.2"]}))
    dead.receive_text()
    moved = Agent(server.url).handshake(ipv4=["198.51.100.9"])  # nobody answers the ping
    assert moved["return_code"] == 200
    dead.close()


@pytest.mark.parametrize("keys", [{"token": None}, {"token": ""}, {"token": 7},
                                  {"protocol_version": 103}, {"agent_id": "x" * 2000},
                                  {"ipv4": "192.0.2.1"}, {"features": []}])
def test_bad_offer_is_refused(server, keys):
    agent = Agent(server.url)
    assert agent.handshake(**keys)["return_code"] == 400
    assert agent.wait_closed()[0] == 1008


def test_only_the_hash_of_a_token_is_stored(server):
    server.agent()
    server.stop()
    stored = b"".join(p.read_bytes() for p in server.directory.glob("manager.db*"))
    assert TOKEN.encode() not in stored
    assert hashlib.sha256(TOKEN.encode()).hexdigest().encode() in stored
    assert (server.database.stat().st_mode & 0o777) == 0o600


# ---- requests


def test_request_is_repeated_until_acknowledged(start):
    server = start("--retransmit-sec", "0.2")
    agent = server.agent()
    guid = server.run(agent.id, "heartbeat")
    requests = [agent.receive("REQUEST") for _ in range(3)]
    assert {r["request_id"] for r in requests} == {guid}
    assert requests[0]["payload"] == {"command": "heartbeat", "arguments": {}}
    assert server.show(guid)["state"] == "SENT"
    agent.ack(requests[0])
    agent.reply(guid, 0, "done")
    assert agent.receive("ACK")["request_id"] == guid
    agent.messages.clear()
    agent.reply(guid, 0, "done")  # silence cannot be waited for: the next message must be an ACK
    assert agent.receive()["type"] == "ACK"
    assert server.show(guid)["state"] == "REPLIED"


def test_reply_is_acknowledged_each_time_and_the_first_counts(server):
    agent = server.agent()
    guid = server.run(agent.id, "heartbeat")
    agent.receive("REQUEST")
    for number in range(3):  # without an ACK before: it counts as both
        agent.reply(guid, number, message_id=f"r{number}")
        ack = agent.receive()
        assert (ack["type"], ack["request_id"], ack["message_id"]) == ("ACK", guid, f"r{number}")
    assert server.show(guid)["reply"]["return_code"] == 0


def test_reply_to_an_unknown_or_foreign_request_is_nacked(server):
    agent, other = server.agent(), server.agent(token=TOKEN + "2")
    guid = server.run(agent.id, "heartbeat")
    for sender, of in ((agent, "never-seen"), (other, guid)):
        sender.reply(of)
        assert sender.receive("NACK")["request_id"] == of
    assert server.show(guid)["state"] == "SENT"


def test_request_for_an_absent_agent_is_sent_when_it_comes(server):
    agent = server.agent()
    agent.close()
    guid = server.run(agent.id, "heartbeat")
    assert server.show(guid)["state"] == "QUEUED"
    again = server.agent(agent_id=agent.id)
    assert again.receive("REQUEST")["request_id"] == guid
    again.close()
    third = server.agent(agent_id=agent.id)  # not acknowledged: sent again
    assert third.receive("REQUEST")["request_id"] == guid


def test_killed_manager_keeps_requests_and_sends_them_again(server):
    agent = server.agent()
    sent, acked, replied = (server.run(agent.id, "heartbeat", "--guid", g) for g in "abc")
    for request in [agent.receive("REQUEST") for _ in range(3)]:
        if request["request_id"] != sent:
            agent.ack(request)
    agent.reply(replied, 5)
    agent.receive("ACK")
    server.stop(signal.SIGKILL)
    agent.wait_closed()
    server.start()
    again = server.agent(agent_id=agent.id)
    assert again.id == agent.id
    assert again.receive("REQUEST")["request_id"] == sent
    again.reply(acked, 0)
    assert again.receive()["type"] == "ACK"  # and nothing else was sent again
    assert server.show(replied)["reply"]["return_code"] == 5
    assert server.show(acked)["state"] == "REPLIED"


def test_nack_and_the_same_request_again(server):
    agent = server.agent()
    waiting = server.cli_start("run", agent.id, "heartbeat", "--wait", "--guid", "g1")
    agent.receive("REQUEST")
    agent.send(type="NACK", request_id="g1", message_id="n", agent_id=agent.id,
               error_message="too many at once")
    code, out, err = server.finish(waiting)
    assert (code, out) == (251, "") and "too many at once" in err
    assert server.run(agent.id, "heartbeat", "--guid", "g1") == "g1"
    assert agent.receive("REQUEST")["request_id"] == "g1"
    code, _, err = server.cli("run", agent.id, "other_command", "--guid", "g1")
    assert code == 254 and "taken" in err


def test_status_and_cancel(server):
    agent = server.agent()
    guid = server.run(agent.id, "heartbeat")
    agent.ack(agent.receive("REQUEST"))
    asking = server.cli_start("status", guid)
    assert agent.receive("STATUS")["request_id"] == guid
    agent.send(type="STATUS", request_id=guid, message_id="s", state="ACKED", reply=None)
    assert server.finish(asking)[:2] == (0, "ACKED\n")
    assert server.cli("cancel", guid)[0] == 0
    assert agent.receive("CANCEL")["request_id"] == guid
    agent.close()
    queued = server.run(agent.id, "heartbeat")
    assert server.cli("cancel", queued)[0] == 0
    assert server.show(queued)["state"] == "NACKED"
    assert server.cli("cancel", "never-seen")[0] == 253


def test_console_lines_and_alerts_are_kept(server):
    agent = server.agent()
    agent.send(type="LOG", token="", level="WARNING", message="gr%C3%BC%C3%9Fe %1b[31m%zz")
    alert = {"type": "ALERT", "request_id": "al-1", "message_id": "q", "level": 12, "rule": 5716}
    for _ in range(2):
        agent.send(**alert)
        answer = agent.receive()
        assert (answer["type"], answer["request_id"]) == ("ALERT_ACK", "al-1")
    agent.send(**{**alert, "request_id": "al-2", "alert_timestamp": 1795365577100,
                  "subject": "authentication \x1b[31mfailed"})
    assert agent.receive()["request_id"] == "al-2"
    code, out, _ = server.cli("alerts", "--json")
    stored = json.loads(out)
    assert [row["alert"]["request_id"] for row in stored] == ["al-1", "al-2"]
    assert stored[0]["alert"] == alert and stored[0]["agent"] == agent.id
    code, out, _ = server.cli("alerts", "-n", "1", agent.id)
    assert code == 0 and " 5716  authentication ?[31mfailed\n" in out
    code, out, _ = server.cli("log", agent.id, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert code == 0 and "WARNING" in out and "grüße ?[31m%zz" in out
    code, out, _ = server.cli("log", "--json", "-n", "1")
    assert json.loads(out)["message"] == "grüße \x1b[31m%zz"


@pytest.mark.parametrize("keys", [
    {"alert_timestamp": 18446744073709552}, {"alert_timestamp": -2**63}, {"alert_timestamp": 1e300},
    {"alert_timestamp": {}, "level": [], "rule": {}, "subject": 7, "message": None},
    {"level": -2**63, "rule": 2**64, "subject": "a\0b", "user": [[]]}])
def test_strange_alerts_are_kept_and_listed(server, keys):
    agent = server.agent()
    agent.send(type="ALERT", request_id="al-1", message_id="q", **keys)
    assert agent.receive()["type"] == "ALERT_ACK"
    code, out, err = server.cli("alerts", "--json")
    assert code == 0 and err == ""
    stored = json.loads(out)[0]["alert"]
    assert {key: stored[key] for key in keys if key != "rule"} == {
        key: value for key, value in keys.items() if key != "rule"}
    code, out, err = server.cli("alerts")
    assert code == 0 and err == ""
    assert out.split("\n")[1].split()[:2] == [agent.id, "-"]


def test_nothing_an_agent_says_speaks_to_the_terminal(server):
    agent = server.agent()
    guid = server.run(agent.id, "heartbeat")
    agent.receive("REQUEST")
    asking = server.cli_start("status", guid)
    agent.receive("STATUS")
    agent.send(type="STATUS", request_id=guid, message_id="s", state="AC\x1b[2JKED")
    assert server.finish(asking)[:2] == (0, "AC?[2JKED\n")
    agent.reply(guid, 1, "one\n\ttwo\x1b[31m\n", "a\x9b31m")
    agent.receive("ACK")
    code, out, _ = server.cli("show", guid, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert code == 0 and "\none\n\ttwo?[31m\n" in out and "\na?31m\n" in out

    asking = server.cli_start("status", guid)
    agent.receive("STATUS")
    agent.send(type="NACK", request_id=guid, message_id="n", error_message="no \x1b[31m")
    code, out, err = server.finish(asking)
    assert (code, out) == (251, "") and "no ?[31m\n" in err
    waiting = server.cli_start("run", agent.id, "heartbeat", "--wait")
    request = agent.receive("REQUEST")
    agent.send(type="NACK", request_id=request["request_id"], message_id="n",
               error_message="no \x1b[31m")
    code, out, err = server.finish(waiting)
    assert (code, out) == (251, "") and "no ?[31m\n" in err


def count(server, table, agent):
    with contextlib.closing(sqlite3.connect(server.database)) as db:
        return db.execute(f"SELECT count(*) FROM {table} WHERE agent = ?", (agent.id,)).fetchone()[0]


def test_lines_and_alerts_are_bounded(server):
    """10,000 of an agent and at most 256 more, in whatever order they and those of another agent come."""
    agents = [server.agent(token=TOKEN + n) for n in "12"]
    server.stop()
    with contextlib.closing(sqlite3.connect(server.database)) as db, db:
        for agent in agents:
            rows = [(agent.id, f"old-{i}") for i in range(11000)]
            db.executemany("INSERT INTO logs (agent, time, level, message) VALUES (?, 1, 'INFO', ?)", rows)
            db.executemany("INSERT INTO alerts (agent, guid, time, alert) VALUES (?, ?, 1, '{}')", rows)
    server.start()
    agents = [server.agent(agent_id=agent.id, token=TOKEN + n) for agent, n in zip(agents, "12")]
    for i in range(300):
        for agent in agents:
            agent.send(type="LOG", token="", level="INFO", message=str(i))
            agent.send(type="ALERT", request_id=f"a-{i}", message_id="q")
    for agent in agents:
        for _ in range(300):
            agent.receive("ALERT_ACK")
        assert 10000 <= count(server, "logs", agent) <= 10256
        assert 10000 <= count(server, "alerts", agent) <= 10256
    # connections that are short do not get around it
    for i in range(300, 310):
        agent = server.agent(agent_id=agent.id, token=TOKEN + "2")
        agent.send(type="ALERT", request_id=f"a-{i}", message_id="q")
        agent.receive("ALERT_ACK")
        agent.close()
    tick = GLib.timeout_add(20, lambda: True)  # the database is not in the loop
    iterate_until(lambda: 10000 <= count(server, "alerts", agent) <= 10001, "the clean-up after the last connection")
    GLib.source_remove(tick)


def test_follow_prints_lines_as_they_come(server):
    agent = server.agent()
    agent.send(type="LOG", token="", level="INFO", message="one")
    process = server.cli_start("log", "--follow", "--json", stdout=subprocess.PIPE)
    lines = []

    def take(source, _condition):
        lines.append(json.loads(source.readline())["message"])
        if len(lines) == 1:
            agent.send(type="LOG", token="", level="INFO", message="two")
        return len(lines) < 2

    GLib.io_add_watch(process.stdout, GLib.PRIORITY_DEFAULT, GLib.IO_IN, take)
    iterate_until(lambda: len(lines) == 2, "two lines")
    assert lines == ["one", "two"]
    process.terminate()
    process.wait(DEADLINE)


# ---- the command line


@pytest.mark.parametrize("code,status", [(0, 0), (3, 3), (125, 125), (126, 1), (-1, 1), (300, 1)])
def test_run_wait_is_the_command(server, code, status):
    agent = server.agent()
    waiting = server.cli_start("run", agent.id, "heartbeat", "--wait")
    agent.reply(agent.receive("REQUEST")["request_id"], code, "to stdout", "to stderr\n")
    assert server.finish(waiting) == (status, "to stdout\n", "to stderr\n")


def job(status, reply=None):
    return {"return_code": 0, "reply_type": "job_description", "reply_object": {
        "job_id": 7, "job_status": status, "command_reply": reply}}


def test_run_wait_is_the_job_of_a_long_runner(server):
    agent = server.agent()
    waiting = server.cli_start("run", agent.id, "backup_paths", "--wait")
    agent.answer(agent.receive("REQUEST")["request_id"], job("WAITING"))
    for status, reply in (("RUNNING", None), ("ERROR", {"return_code": 3, "message": "half", "error_message": "no%20space"})):
        query = agent.receive("REQUEST")
        assert query["payload"] == {"command": "get_job_description", "arguments": {"jobId": 7}}
        agent.answer(query["request_id"], job(status, reply))
    assert server.finish(waiting) == (3, "half\n", "no space\n")


def test_run_wait_asks_no_more_about_a_job_that_has_ended(server):
    """The agent may have ended with it, as after clean_image."""
    agent = server.agent()
    waiting = server.cli_start("run", agent.id, "get_job_description", "--arg=jobId=7", "--wait")
    agent.answer(agent.receive("REQUEST")["request_id"], job("COMPLETE", {"return_code": 4, "message": "done"}))
    assert server.finish(waiting) == (4, "done\n", "")


def test_run_wait_is_a_failure_if_a_job_ends_without_reply(server):
    agent = server.agent()
    waiting = server.cli_start("run", agent.id, "backup_paths", "--wait")
    agent.answer(agent.receive("REQUEST")["request_id"], job("WAITING"))
    agent.answer(agent.receive("REQUEST")["request_id"], job("ERROR"))
    code, _, error = server.finish(waiting)
    assert code == 1 and "the agent's reply is null" in error


def test_run_wait_outlives_a_restart_between_two_queries(server):
    agent = server.agent()
    waiting = server.cli_start("run", agent.id, "backup_paths", "--wait")
    agent.answer(agent.receive("REQUEST")["request_id"], job("WAITING"))
    query = agent.receive("REQUEST")
    os.kill(waiting.pid, signal.SIGSTOP)  # so that it meets the manager only when that is there again
    agent.answer(query["request_id"], job("RUNNING"))
    agent.receive("ACK")  # the manager has it
    server.stop()
    server.start()
    agent = server.agent(agent_id=agent.id)
    os.kill(waiting.pid, signal.SIGCONT)
    agent.answer(agent.receive("REQUEST")["request_id"], job("COMPLETE", {"return_code": 0, "message": "done"}))
    assert server.finish(waiting) == (0, "done\n", "")


def test_run_wait_may_end_before_the_job(server):
    agent = server.agent()
    waiting = server.cli_start("run", agent.id, "backup_paths", "--wait", "--timeout", "5")
    agent.answer(agent.receive("REQUEST")["request_id"], job("WAITING"))
    code, _, error = server.finish(waiting)
    assert code == 250 and f"dcm-manager run {agent.id} get_job_description --arg=jobId:=7 --wait" in error


def test_run_wait_with_long_runner_is_the_number(server):
    agent = server.agent()
    waiting = server.cli_start("run", agent.id, "run_script", "--wait", "--long-runner", "--json")
    agent.answer(agent.receive("REQUEST")["request_id"], job("WAITING"))
    code, out, _ = server.finish(waiting)
    assert code == 0 and json.loads(out)["reply_object"]["job_id"] == 7


@pytest.mark.parametrize("value,text", [(None, ""), ("a\nb", "a\nb\n"), (["x", 1], '[\n  "x",\n  1\n]\n')])
def test_run_wait_prints_the_object_of_a_reply_without_a_message(server, value, text):
    agent = server.agent()
    waiting = server.cli_start("run", agent.id, "get_x", "--wait")
    agent.answer(agent.receive("REQUEST")["request_id"], {"return_code": 0, "reply_type": "x", "reply_object": value})
    assert server.finish(waiting) == (0, text, "")


def test_run_arguments(server, tmp_path):
    agent = server.agent()
    script = tmp_path / "script"
    script.write_bytes(b"#!/bin/sh\necho \xff\n")
    (tmp_path / "more.json").write_text('{"more": {"a": 1}}')
    server.run(agent.id, "run_script", "--script", str(script), "--arguments",
               str(tmp_path / "more.json"), "--arg", "text=a=b", "--arg", "n:=[1,null]",
               "--long-runner")
    payload = agent.receive("REQUEST")["payload"]
    assert payload == {"command": "run_script", "longer_runner": True, "arguments": {
        "more": {"a": 1}, "text": "a=b", "n": [1, None],
        "b64script": base64.b64encode(script.read_bytes()).decode(),
        "checksum": hashlib.sha256(script.read_bytes()).hexdigest()}}


def test_output_json_and_timeout(server):
    agent = server.agent()
    waiting = server.cli_start("run", agent.id, "heartbeat", "--wait", "--json")
    agent.reply(agent.receive("REQUEST")["request_id"], 4, "m")
    code, out, _ = server.finish(waiting)
    assert code == 4 and json.loads(out)["message"] == "m"
    assert server.cli("run", agent.id, "heartbeat", "--wait", "--timeout", "0.1")[0] == 250


def test_agents_are_found_by_id_prefix_and_name(server):
    first, second = server.agent(), server.agent(token=TOKEN + "2")
    assert server.cli("name", first.id, "web1")[0] == 0
    assert server.cli("name", second.id, "web1")[0] == 254
    server.run("web1", "heartbeat")
    first.receive("REQUEST")
    server.run(second.id[:-1], "heartbeat")
    second.receive("REQUEST")
    assert server.cli("run", "agent-", "heartbeat")[0] == 254
    code, _, err = server.cli("run", "nobody", "heartbeat")
    assert code == 253 and "nobody" in err
    code, out, _ = server.cli("agents")
    assert [line.split()[1] for line in out.splitlines()] == ["NAME", "web1", second.id]
    second.close()
    code, out, _ = server.cli("agents", "--json")
    assert [a["connected"] for a in json.loads(out)] == [True, False]


def test_wait_agent_is_an_event(server):
    waiting = server.cli_start("wait-agent")
    agent = server.agent()
    assert server.finish(waiting)[:2] == (0, agent.id + "\n")
    assert server.cli("wait-agent", agent.id)[1] == agent.id + "\n"
    agent.close()
    assert server.cli("wait-agent", agent.id, "--timeout", "0.1")[0] == 250


def test_without_a_manager_the_command_line_says_so(tmp_path):
    done = subprocess.run([MANAGER, "--control", str(tmp_path / "none"), "agents"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 252 and "dcm-manager is not running" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["run"], ["show"], ["agents", "--wait"],
                                       ["run", "a", "b", "--timeout", "x"]])
def test_wrong_use(arguments):
    done = subprocess.run([MANAGER, *arguments], capture_output=True, check=False)
    assert done.returncode == 2 and done.stderr


def test_help_lists_every_verb():
    out = subprocess.run([MANAGER, "--help"], capture_output=True, text=True, check=True).stdout
    for verb in "serve agents run requests show status cancel log name wait-agent".split():
        assert f"  {verb}" in out


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_control_socket_is_for_root_alone(server):
    os.chmod(server.control, 0o666)
    os.chmod(server.directory, 0o755)
    for parent in server.directory.parents:
        if parent != pathlib.Path("/tmp") and parent != pathlib.Path("/"):
            os.chmod(parent, 0o755)
    client = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);" \
             "\ntry: s.send(b'{\"method\":\"agents\"}\\n'); r = s.recv(99)" \
             "\nexcept OSError: r = b''\nsys.exit(len(r))"
    done = subprocess.run(["/usr/bin/python3", "-c", client, server.control], user=65534,
                          group=65534, extra_groups=[], check=False, timeout=DEADLINE)
    assert done.returncode == 0


# ---- hostile peers


UPGRADE = (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
           b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


class RawClient:
    """Bytes, for what no WebSocket library would send."""

    def __init__(self, server):
        host, port = server.listen.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=DEADLINE)

    def upgrade(self):
        self.socket.sendall(UPGRADE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # RFC 6455, section 1.3

    def send_text(self, text, before=b""):
        data = text.encode()
        head = bytes([0x80 | len(data)])
        if len(data) > 125:
            head = b"\xfe" + len(data).to_bytes(2, "big")
        self.socket.sendall(before + b"\x81" + head + b"\0\0\0\0" + data)

    def read_exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            assert more, "end of stream"
            data += more
        return data

    def receive(self):
        first, size = self.read_exactly(2)
        if size == 126:
            size = int.from_bytes(self.read_exactly(2), "big")
        return first & 15, self.read_exactly(size)

    def receive_text(self):
        return json.loads(self.receive()[1])

    def close_code(self):
        while True:
            opcode, data = self.receive()
            if opcode == 8:
                return int.from_bytes(data[:2], "big")

    def close(self):
        self.socket.close()


@pytest.mark.parametrize("data,code", [
    (b"\x81\x05hello", 1002),                          # not masked
    (b"\xf1\x80\0\0\0\0", 1002),                       # reserved bits
    (b"\x83\x80\0\0\0\0", 1002),                       # unknown opcode
    (b"\x81\x82\0\0\0\0\xc3\x28", 1007),               # not UTF-8
    (b"\x82\x82\0\0\0\0{}", 1003),                     # binary
    (b"\x81\x82\0\0\0\0{x", 1007),                     # not JSON
    (b"\x81\xff" + (9 << 20).to_bytes(8, "big") + b"\0\0\0\0{", 1009),  # announced too large
])
def test_junk_is_closed_with_its_code(server, data, code):
    client = RawClient(server)
    client.upgrade()
    client.socket.sendall(data)
    assert client.close_code() == code
    client.close()
    assert server.agent().id


def test_oversize_message_from_an_agent_is_closed_with_1009(server):
    agent = server.agent()
    agent.ws.send_text(json.dumps({"type": "LOG", "message": "x" * (8 << 20)}))
    assert agent.wait_closed()[0] == 1009
    assert server.agent().id == agent.id


def test_junk_after_the_handshake(server):
    agent = server.agent()
    agent.send(type="NEWS", request_id="x", message_id="y")  # a newer agent's: ignored
    agent.send(type="LOG", level=7, message=[1])
    agent.send(type="REPLY", request_id="x", message_id="y")
    assert agent.receive()["type"] == "NACK"
    agent.ws.send_text("[" * 100)
    assert agent.wait_closed()[0] == 1007


@pytest.mark.parametrize("head,status", [
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"426"),
    (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
    (b"nonsense\r\n\r\n", b"405"),
])
def test_wrong_http_is_answered(server, head, status):
    client = RawClient(server)
    client.socket.sendall(head)
    answer = b""
    while more := client.socket.recv(4096):
        answer += more
    assert answer.startswith(b"HTTP/1.1 " + status + b" ")


def test_silent_strangers_are_sent_away(start):
    server = start("--handshake-sec", "0.2")
    quiet, upgraded = RawClient(server), RawClient(server)
    upgraded.upgrade()
    assert upgraded.close_code() == 1008
    assert quiet.socket.recv(1) == b""


def test_dead_agent_is_noticed(start):
    server = start("--ping-sec", "0.2")
    dead, live = RawClient(server), server.agent(token=TOKEN + "2")
    dead.upgrade()
    dead.send_text(json.dumps({"token": TOKEN}))
    dead.receive_text()
    assert dead.receive()[0] == 9  # a ping, which nobody answers
    while dead.socket.recv(4096):
        pass
    assert not live.closed


def test_standstill_of_the_manager_is_not_silence_of_its_agents(start):
    server = start("--ping-sec", "0.5")
    client = RawClient(server)
    client.upgrade()
    client.send_text(json.dumps({"token": TOKEN}))
    client.receive_text()
    server.process.send_signal(signal.SIGSTOP)
    stopped, silence = [], 4 * 0.5  # after 2.5 intervals of it an agent would be dead
    GLib.timeout_add(int(silence * 1000), lambda: stopped.append(1) or GLib.SOURCE_REMOVE)
    iterate_until(lambda: stopped, "the standstill")
    server.process.send_signal(signal.SIGCONT)
    for _ in range(3):  # it is pinged, and lives on as it answers
        assert client.receive()[0] == 9
        client.socket.sendall(b"\x8a\x80\0\0\0\0")
    while client.socket.recv(4096):  # until it is silent itself
        pass
    assert "silent for too long" in server.log()


# ---- what is promised is stored


def test_nothing_is_told_that_was_not_stored(start, tmp_path):
    """A commit that fails: no GUID for the operator, no request for the agent, no ACK for its reply, no 200."""
    failing = tmp_path / "failing"
    variables = {**preload("failing-sqlite"), "FAILING_COMMIT": failing}
    server = start(prefix=("env", *(f"{name}={value}" for name, value in variables.items())))
    agent = server.agent()
    before = server.run(agent.id, "heartbeat")
    assert agent.receive("REQUEST")["request_id"] == before

    failing.touch()
    code, out, err = server.cli("run", agent.id, "heartbeat", "--guid", "lost")
    assert code == 254 and not out and "disk is full" in err
    agent.reply(before, message="done")
    assert Agent(server.url).handshake(token=TOKEN + "2")["return_code"] == 503
    assert server.show(before)["state"] == "SENT"
    failing.unlink()

    agent.reply(before, message="done")
    assert agent.receive("ACK")["request_id"] == before
    assert server.show(before)["state"] == "REPLIED"
    assert not [m for m in agent.messages if m.get("type") == "ACK"]  # that was the first one
    assert server.run(agent.id, "heartbeat", "--guid", "lost") == "lost"
    assert agent.receive("REQUEST")["request_id"] == "lost"
    assert server.agent(token=TOKEN + "2").id != agent.id
    assert len(json.loads(server.cli("agents", "--json")[1])) == 2


def test_answers_have_the_order_of_the_requests(server):
    """Many at once on one connection: those that wait for the commit keep back the others behind them, and
    another client is served in between."""
    agent = server.agent()
    n = 1000
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(DEADLINE)
        control.connect(server.control)
        lines = [json.dumps({"method": "run", "agent": agent.id, "guid": f"g{number}",
                             "payload": {"command": "heartbeat"}}) if number % 2 else
                 json.dumps({"method": "show", "guid": f"none{number}"}) for number in range(n)]
        control.sendall("\n".join([*lines, ""]).encode())
        answers = control.makefile()
        for number in range(n):
            answer = json.loads(answers.readline())
            assert answer.get("guid") == (f"g{number}" if number % 2 else None)
            assert answer["ok"] == bool(number % 2)
    wanted = {f"g{number}" for number in range(1, n, 2)}
    while wanted:
        wanted.discard(agent.receive("REQUEST")["request_id"])
    assert not agent.closed


def test_client_that_leaves_before_its_answers(server):
    agent = server.agent()
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(server.control)
        control.sendall(b"".join(json.dumps({
            "method": "run", "agent": agent.id, "guid": f"g{number}",
            "payload": {"command": "heartbeat"}}).encode() + b"\n" for number in range(200)))
    assert agent.receive("REQUEST")["request_id"] == "g0"
    assert server.run(agent.id, "heartbeat", "--guid", "next") == "next"


def test_long_lists_come_in_parts(server):
    server.stop()
    with sqlite3.connect(server.database) as db:
        db.executemany("INSERT INTO agents (id, server_id, token, created) VALUES (?, 's', ?, ?)",
                       [(f"agent-{number:04}", str(number), number // 3 + 1) for number in range(1203)])
    db.close()
    server.start()
    listed = json.loads(server.cli("agents", "--json")[1])
    assert [a["id"] for a in listed] == [f"agent-{number:04}" for number in range(1203)]


def test_newest_rows_come_in_parts(server):
    """Requests, console lines and alerts: as many as are asked for, oldest first, of one agent or of all."""
    agent, other = server.agent(), server.agent(token=TOKEN + "2")
    agent.close()
    server.stop()
    owners = [(agent.id, other.id)[number % 5 == 0] for number in range(1703)]
    with sqlite3.connect(server.database) as db:
        db.executemany("INSERT INTO requests (guid, agent, payload, payload_sha256, state, created, updated)"
                       " VALUES (?, ?, '{\"command\":\"x\"}', '', 'NACKED', ?, 1)",
                       [(f"g{number:04}", owner, number + 1) for number, owner in enumerate(owners)])
        db.executemany("INSERT INTO logs (agent, time, level, message) VALUES (?, ?, 'INFO', ?)",
                       [(owner, number + 1, f"g{number:04}") for number, owner in enumerate(owners)])
        db.executemany("INSERT INTO alerts (agent, guid, time, alert) VALUES (?, ?, ?, ?)",
                       [(owner, f"g{number:04}", number + 1, json.dumps({"rule": f"g{number:04}"}))
                        for number, owner in enumerate(owners)])
    db.close()
    server.start()

    def listed(verb, *arguments):
        code, out, err = server.cli(verb, "--json", *arguments)
        assert code == 0, err
        if verb == "log":
            return [json.loads(line)["message"] for line in out.splitlines()]
        return [row["guid"] if verb == "requests" else row["alert"]["rule"] for row in json.loads(out)]

    every = [f"g{number:04}" for number in range(1703)]
    its = [guid for guid, owner in zip(every, owners) if owner == agent.id]
    for verb, preset in (("requests", 20), ("alerts", 20), ("log", 100)):
        for arguments, found in (((), every), ((agent.id,), its)):
            assert listed(verb, *arguments) == found[-preset:]
            assert listed(verb, "--all", *arguments) == found
            for n in (1, 499, 500, 501, 1000, 1300):
                assert listed(verb, f"--lines={n}", *arguments) == found[-n:], (verb, n)

    following = server.cli_start("log", "--follow", "--json", "--lines=1200")
    agent = server.agent(agent_id=agent.id)
    wait_lines(following, 1200)
    agent.send(type="LOG", token="", level="INFO", message="new")
    wait_lines(following, 1201)
    following.terminate()
    lines = server.finish(following)[1].splitlines()
    assert [json.loads(line)["message"] for line in lines] == every[-1200:] + ["new"]


def wait_lines(process, n):
    def count_lines():
        process.files["stdout"].seek(0)
        return process.files["stdout"].read().count("\n") >= n
    wait_for(count_lines, f"{n} lines")  # a file is no event


@pytest.mark.parametrize("after", [0, -1, "x", {}, None])
def test_wrong_place_in_a_list(server, after):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server.control)
        client.sendall(json.dumps({"method": "requests", "after": after}).encode() + b"\n")
        answer = json.loads(client.makefile().readline())
    assert answer["ok"] == (after is None) and answer.get("error") == (None if after is None else "invalid")


# ---- the process


def test_many_agents_in_one_process(server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    # one after the other: of many that only begin, the slow ones are sent away
    agents = [Agent(server.url).accepted(token=f"{TOKEN}{number}") for number in range(300)]
    ids = {agent.id for agent in agents}
    assert len(ids) == 300
    listed = json.loads(server.cli("agents", "--json")[1])
    assert {a["id"] for a in listed if a["connected"]} == ids
    assert len(os.listdir(f"/proc/{server.process.pid}/task")) == 1
    server.process.send_signal(signal.SIGTERM)
    assert {agent.wait_closed()[0] for agent in agents} == {1001}
    assert server.stop() == 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_socket_activation_drops_no_attempt(start, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    control = tmp_path / "control"
    activator = subprocess.Popen(
        ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "-l", str(control),
         "--fdname", "agents:control", MANAGER, "serve", "--no-tls", "--enrolment=open", "--database",
         str(tmp_path / "manager.db")], stderr=subprocess.PIPE, text=True)
    try:
        while str(control) not in (line := activator.stderr.readline()):
            assert line
        agent = Agent(f"ws://127.0.0.1:{port}/").accepted()
        done = subprocess.run([MANAGER, "--control", str(control), "wait-agent"],
                              capture_output=True, text=True, check=True, timeout=DEADLINE)
        assert done.stdout.strip() == agent.id
    finally:
        activator.terminate()
        wait_process(activator)
        activator.stderr.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_full_disk_refuses_and_survives(start, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    server = start("--database", str(small / "db"), prefix=(
        "unshare", "--mount", "sh", "-c",
        f'mount -t tmpfs -o size=1M none {small} && exec "$0" "$@"'))
    agent = server.agent()
    big = tmp_path / "big"
    big.write_bytes(os.urandom(400000))
    for _ in range(4):
        code, _, err = server.cli("run", agent.id, "run_script", "--script", str(big))
        if code:
            break
    assert code == 254 and "disk is full" in err
    assert server.cli("agents")[0] == 0 and not agent.closed
    new = Agent(server.url).handshake(token=TOKEN + "2")
    assert new["return_code"] in (200, 503)


@pytest.fixture
def certificate(tmp_path):
    def make(name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")],
                       check=True, capture_output=True)
        return tmp_path / "cert.pem"
    return make


def test_tls_and_its_reload(start, certificate, tmp_path):
    def served():
        with socket.create_connection(server.listen.split(":"), timeout=DEADLINE) as plain:
            with context.wrap_socket(plain) as tls:
                return tls.getpeercert(True), tls.version()

    cert = certificate("first")
    server = start("--cert", str(cert), "--key", str(tmp_path / "key.pem"), tls=True)
    assert server.url.startswith("wss://")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    agent = Agent(server.url, cert).accepted()
    first, version = served()
    assert version == "TLSv1.3"
    shutil.copy(certificate("second"), tmp_path / "new.pem")
    server.process.send_signal(signal.SIGHUP)
    guid = server.run(agent.id, "heartbeat")  # also: the signal was handled by now
    assert agent.receive("REQUEST")["request_id"] == guid
    assert served()[0] != first
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        served()


def test_without_a_certificate_it_says_what_to_do(tmp_path):
    done = subprocess.run([MANAGER, "serve", "--cert", str(tmp_path / "none"), "--key", "none",
                           "--database", str(tmp_path / "db")],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "--no-tls" in done.stderr
