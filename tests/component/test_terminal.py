# SPDX-License-Identifier: Apache-2.0
"""Nothing that a peer, a job or a file says reaches a terminal raw: each verb of each program, as its help lists
them, is run on a terminal while everything that it is told is hostile. The agent on the bus is one that has a
hostile text wherever its interface has a text, and so is the manager's control socket; what there is to be walked
comes from the help texts and from the interface, so that a new verb or a new field is walked too."""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import unicodedata

import pytest
import wcwidth
from gi.repository import Gio, GLib

from harness import BUILD, DEADLINE, HANDSHAKE, ROOT, Bus, temporary_directory, wait_for

CTL = BUILD / "src/dcm-agentctl/dcm-agentctl"
MANAGER = BUILD / "src/dcm-manager/dcm-manager"
DOCTOR = BUILD / "src/dcm-doctor/dcm-doctor"
METRICS = BUILD / "src/dcm-metrics/dcm-metrics"
LOG = BUILD / "src/dcm-log/dcm-log"
WORKER_CALL = BUILD / "src/dcm-call-worker/dcm-call-worker"

NAME, WORKER = "org.dcmagent.Agent1", "org.example.Worker"
HOSTILE = ("\x1b[35m\x1b[2J\x1b]0;t\x07\x1b(0\x7f\x08\t\x9b31m\x90\x85\u202e\u2066\u2069\u200e\u200f\u061c\u200b\u200d\ufeff"
           "\u2028\u2029\xad\ufe0f\U000e0041\u4e2de\u0301\u0302\u0303\u0304\u0305\u0306g\xfc\xdf\r\nFORGED\rFORGED")
RAW = b"\x9b31m\x90\x85\xff\xc3\xed\xa0\x80\xf0\x9f"  # no text at all: C1 of eight bits, a surrogate, halves

# what the programs themselves say to a terminal: six attributes, and screens that are drawn anew
OURS = re.compile(rb"\x1b\[(?:[0-27]|3[1-3]|90)m|\x1b\[(?:\d+;1)?[HKJ]|\x1b\[\?(?:1049|25|7)[hl]")
INVISIBLE = set("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {chr(c) for c in range(0xfe00, 0xfe10)}


def check(raw, ascii_only=False, lines=False):
    """What a terminal got, as text. `lines`: what is shown may have several."""
    text = OURS.sub(b"", raw).decode()  # it is UTF-8
    text = re.sub(r"\r+\n", "\n", text)  # the line discipline's
    bad = {c for c in text if c not in "\n\t" and
           (unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") or c in INVISIBLE)}
    assert not bad, (bad, text)
    assert not re.search("[\u0300-\u036f]{4}", text), text
    assert lines or not re.search("^FORGED", text, re.M), text
    assert not ascii_only or text.isascii(), text
    return text


class Run:
    """A program on a terminal. The main loop runs meanwhile, for whom it asks."""

    def __init__(self, *command, wrapper=(), columns=0, **environment):
        self.raw = b""
        self.ours, theirs = pty.openpty()
        if columns:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
        self.process = subprocess.Popen(
            [*wrapper, *command], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**{k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}, "LC_ALL": "C.UTF-8",
                 "TERM": "xterm", "SYSTEMD_PAGER": "cat", **environment})
        os.close(theirs)
        os.set_blocking(self.ours, False)

    def read(self):
        try:
            while piece := os.read(self.ours, 65536):
                self.raw += piece
        except BlockingIOError:
            return False
        except OSError:  # nobody has the terminal any more
            return True

    def wait_for(self, text):
        wait_for(lambda: self.read() or text in self.raw, f"{text} in {self.raw}")

    def end(self):
        try:
            wait_for(self.read, f"the end of {self.process.args}")
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.raw}") from None
        os.close(self.ours)
        assert self.process.wait() >= 0, self.raw
        return self.raw


def verbs_of(program, **environment):
    out = subprocess.run([program, "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
                         env={**os.environ, "LC_ALL": "C", **environment}).stdout
    verbs = re.findall(r"^  ([a-z-]+)", out.split("Verbs:\n")[1].split("\n\n")[0], re.M)
    assert len(verbs) > 5
    return verbs


def texts_in(value):
    """All texts of JSON, keys included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [t for pair in value.items() for v in pair for t in texts_in(v)]
    return [t for v in value for t in texts_in(v)] if isinstance(value, list) else []


# --- the agent ---------------------------------------------------------------------------------------

BASIC = {"s": HOSTILE, "b": True, "u": 7, "i": 7, "t": 10**15, "d": 0.5, "v": GLib.Variant("s", HOSTILE)}


def hostile(kind):
    """A value of a D-Bus type, with that text wherever there is a text."""
    if kind in BASIC:
        return BASIC[kind]
    if kind.startswith("a{"):
        key, value = GLib.Variant.split_signature(f"({kind[2:-1]})")
        return {hostile(key): hostile(value)}
    if kind[0] == "a":
        return [hostile(kind[1:])] * 2
    return tuple(hostile(item) for item in GLib.Variant.split_signature(kind))


REPLY = {"return_code": HOSTILE, "reply_type": HOSTILE, "reply_object": {HOSTILE: HOSTILE}, "message": HOSTILE,
         "error_message": HOSTILE}
REQUEST = {"guid": GLib.Variant("s", HOSTILE), "command": GLib.Variant("s", HOSTILE),
           "state": GLib.Variant("s", HOSTILE), "agent_id": GLib.Variant("s", HOSTILE),
           "error_message": GLib.Variant("s", HOSTILE), "accepted_usec": GLib.Variant("t", 1),
           "changed_usec": GLib.Variant("t", 1), "reply": GLib.Variant("s", json.dumps(REPLY)),
           "progress_percent": GLib.Variant("u", 5), "progress_text": GLib.Variant("s", HOSTILE),
           HOSTILE: GLib.Variant("s", HOSTILE)}
KEYS = ["cpu-load", "total", "available", "size", "used", "read-bytes", "bytes-in", "failed", "some-avg10", HOSTILE]
SAMPLES = [(kind, 10**15, [(row, key, 0.5) for row in ("", HOSTILE) for key in KEYS])
           for kind in ("system-stats", "memory", "filesystems", "disks", "interfaces", "units", "pressure", HOSTILE)]


class HostileAgent:
    """Where the interface has a text, it says the worst. `connected`: but for its state; `error`: it answers each
    call by an error."""

    def __init__(self, directory):
        self.bus = Bus(directory)
        self.connected, self.error, self.called = False, False, set()
        self.connection = Gio.DBusConnection.new_for_address_sync(
            self.bus.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
            Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        self.answers, self.properties = {}, {}  # name: its type
        self._publish("org.dcmagent.Agent1.xml", NAME)
        self._publish("org.dcmagent.Worker1.xml", WORKER)

    def _publish(self, file, name):
        node = Gio.DBusNodeInfo.new_for_xml((ROOT / "dbus" / file).read_text())
        for interface in node.interfaces:
            self.connection.register_object(node.path, interface, self._on_call, self._on_get, None)
            for method in interface.methods:
                self.answers[method.name] = "(" + "".join(a.signature for a in method.out_args) + ")"
            for p in interface.properties:
                self.properties[p.name] = p.signature
        self.connection.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                  "RequestName", GLib.Variant("(su)", (name, 0)), None, 0, -1, None)

    def _on_call(self, _connection, _sender, path, interface, method, _parameters, invocation):
        self.called.add(method)
        if self.error:
            invocation.return_dbus_error("org.dcmagent.Error.Hostile", HOSTILE)
            return
        signature = self.answers[method]
        value = {"GetRequest": (REQUEST,), "GetNewest": (SAMPLES,), "GetSamples": (SAMPLES,)}.get(method)
        invocation.return_value(GLib.Variant(signature, value or hostile(signature)))
        if method == "Subscribe":
            for sample in SAMPLES:
                self.connection.emit_signal(None, path, interface, "Sampled", GLib.Variant("(sta(ssd))", sample))

    def _on_get(self, _connection, _sender, _path, _interface, name):
        if name == "State" and self.connected:
            return GLib.Variant("s", "connected")
        return GLib.Variant(self.properties[name], hostile(self.properties[name]))

    def stop(self):
        self.connection.set_exit_on_close(False)
        self.bus.stop()


@pytest.fixture(scope="module")
def hostile_agent():
    directory = temporary_directory()
    agent = HostileAgent(directory)
    yield agent
    agent.stop()
    shutil.rmtree(directory)


@pytest.fixture
def agent_on_bus(hostile_agent):
    hostile_agent.connected = hostile_agent.error = False
    return hostile_agent


ARGUMENTS = {"show": ["guid"], "cancel": ["guid"], "output": ["guid"], "seal-token": ["host"]}
ELSEWHERE = {"output", "doctor", "config", "configure", "migrate", "report", "upgrade", "scrub", "seal-token"}  # verbs that ask no agent: below
WITHOUT_ANSWER = {"cancel", "pause", "unregister", "resume", "reconnect", "reload"}
VERBS = verbs_of(CTL)


def run_ctl(agent, verb, *options, **environment):
    if verb == "unregister":  # it shall find no systemctl
        environment["PATH"] = "/nonexistent"
    run = Run(CTL, verb, *ARGUMENTS.get(verb, []), *options, columns=0 if verb == "top" else 400,
              DBUS_SYSTEM_BUS_ADDRESS=agent.bus.address, **environment)
    if verb == "top":
        run.wait_for(b"FORGED")
        run.wait_for(b"CPU")
        os.write(run.ours, b"q")
    elif "--follow" in options:
        run.wait_for(b"FORGED")
        run.process.send_signal(signal.SIGINT)
    return run.end()


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.parametrize("verb,connected", [
    *((verb, False) for verb in sorted(set(VERBS) - ELSEWHERE)), ("status", True), ("top", True)])
def test_verbs_of_agentctl(agent_on_bus, verb, connected, locale):
    agent_on_bus.connected = connected
    text = check(run_ctl(agent_on_bus, verb, LC_ALL=locale), locale == "C", lines=verb in ("show", "metrics"))
    assert ("FORGED" in text) == (verb not in WITHOUT_ANSWER), text


def test_pager(agent_on_bus):
    """What the pager gets is as safe as what a terminal gets, and it ends by itself where one screen is enough."""
    raw = run_ctl(agent_on_bus, "alerts", SYSTEMD_PAGER="od -An -c; exit 0")
    assert b"033   [   3   5   m" not in raw and b"F   O   R   G   E   D" in re.sub(rb"\s*\r\n ", b"", raw)
    if shutil.which("less"):
        raw = run_ctl(agent_on_bus, "alerts", SYSTEMD_PAGER="less")
        assert b"FORGED" in raw and b"\x1b[35m" not in raw


@pytest.mark.parametrize("verb,options", [("jobs", ["--follow"]), ("stats", ["name"]), ("stats", ["--csv"])])
def test_options_of_agentctl(agent_on_bus, verb, options):
    text = check(run_ctl(agent_on_bus, verb, *options), lines=options == ["--csv"])
    assert "FORGED" in text


@pytest.mark.parametrize("verb", sorted(set(VERBS) - ELSEWHERE))
def test_errors_of_the_agent(agent_on_bus, verb):
    agent_on_bus.error = True
    text = check(run_ctl(agent_on_bus, verb))
    assert "The agent answered: " in text and "FORGED" in text if verb not in ("status", "info") else "FORGED" in text


@pytest.mark.parametrize("verb,options", [
    *((verb, []) for verb in sorted(set(VERBS) - ELSEWHERE - WITHOUT_ANSWER - {"top"})), ("jobs", ["--follow"])])
def test_json_of_agentctl(agent_on_bus, verb, options):
    """It says the same, escaped."""
    text = check(run_ctl(agent_on_bus, verb, "--json", *options))
    value, _ = json.JSONDecoder().raw_decode(text)  # what is wrong with files may follow
    assert HOSTILE in texts_in(value)


def test_all_of_the_interface_was_asked(agent_on_bus):
    """By the tests above: no method is left out."""
    assert set(agent_on_bus.called) >= {
        "ListRequests", "GetRequest", "ListJobs", "ListCommands", "ListUsers", "ListAlerts", "ListBackups", "Cancel",
        "Pause", "Resume", "Reconnect", "Reload", "Unregister", "ListTypes", "GetSamples", "GetNewest", "Subscribe"}


def test_columns_stay_in_their_places(agent_on_bus):
    """Whatever width the letters have."""
    lines = check(run_ctl(agent_on_bus, "jobs")).splitlines()
    state = wcwidth.wcswidth(lines[0][:lines[0].index("AGE")])
    for line in lines[1:3]:
        assert wcwidth.wcswidth(line) > state
    rows = check(run_ctl(agent_on_bus, "users")).splitlines()[1:]
    assert len({wcwidth.wcswidth(row[:row.index("administrator")]) for row in rows}) == 1


@pytest.mark.parametrize("columns", [20, 41, 80, 201])
def test_top_keeps_within_the_screen(agent_on_bus, columns):
    """Also where a wide letter would stand on its edge."""
    run = Run(CTL, "top", columns=columns, DBUS_SYSTEM_BUS_ADDRESS=agent_on_bus.bus.address)
    run.wait_for(b"CPU")
    run.wait_for(b"FIL")
    os.write(run.ours, b"q")
    lines = check(run.end().replace(b"\x1b[H", b"\n")).split("\n")
    assert columns - 1 <= max(map(wcwidth.wcswidth, lines)) <= columns


def test_into_a_pipe_output_is_raw_and_lists_are_not(agent_on_bus):
    out = subprocess.Popen([CTL, "stats", "--csv"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": agent_on_bus.bus.address})
    wait_for(lambda: out.poll() is not None, "the end")
    assert HOSTILE.encode() in out.stdout.read()
    out = subprocess.Popen([CTL, "requests"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": agent_on_bus.bus.address})
    wait_for(lambda: out.poll() is not None, "the end")
    assert "gü" in check(out.stdout.read())


OWN_JOBS = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /var/lib && mkdir -p /var/lib/dcm-jobs && '
            'cp -r "$1" /var/lib/dcm-jobs/guid && shift && exec "$@"', "sh")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a directory of jobs of its own")
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_output_of_a_job(tmp_path, locale):
    """On a terminal; letters that two reads have parts of are whole."""
    data = (HOSTILE.encode() + RAW) * 20 + "ü".encode() * 200_000 + b"\nend\n"
    (tmp_path / "stdout").write_bytes(data)
    (tmp_path / "stderr").write_bytes(HOSTILE.encode() + RAW)
    text = check(Run(CTL, "output", "guid", wrapper=(*OWN_JOBS, tmp_path), LC_ALL=locale).end(), locale == "C",
                 lines=True)
    assert "FORGED" in text and "\nend\n" in text
    assert locale == "C" or text.count("ü") >= 200_000
    run = subprocess.run([*OWN_JOBS, tmp_path, CTL, "output", "guid"], stdin=subprocess.DEVNULL, capture_output=True,
                         check=True)
    assert run.stdout == data and run.stderr == (tmp_path / "stderr").read_bytes()


def test_doctor(agent_on_bus, manager, tmp_path):
    """The manager refuses, the agent has a status text, and a proxy a name."""
    config = tmp_path / "agent.conf"
    state = tmp_path / "state"
    state.mkdir()
    options = [f"--config={config}", f"--config-directory={tmp_path}/none", f"--state-directory={state}",
               f"--cloud-socket={tmp_path}/cloud"]
    shown = ""
    for url in (manager.url(), f"ws://{HOSTILE}/", f"http://\x1b[35m\u202eFORGED/"):
        config.write_text(f"[connection]\nagentmanager_url = {url!s}\n[x\x1b[35m\u202eFORGED]\ny\x9b = z\n")
        for json_option in ([], ["--json"]):
            shown += check(Run(DOCTOR, *options, *json_option,
                               DBUS_SYSTEM_BUS_ADDRESS=agent_on_bus.bus.address).end())
    assert "FORGED" in shown


def test_metrics(tmp_path):
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/dev").write_bytes(
        b"Inter-|   Receive\n face |bytes\n a\x1b[35m\xc2\x9b\xe2\x80\xaeb: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n")
    text = check(Run(METRICS, "--print", f"--root={tmp_path}", DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nonexistent").end())
    assert 'interface="a?[35m' in text


def test_dcm_log():
    text = check(Run(LOG, f"--level={HOSTILE}", "x").end())
    assert "FORGED" in text
    text = check(Run(LOG, f"--progress={HOSTILE}", "x").end())
    assert "FORGED" in text


def test_status_that_systemctl_prints(agent, manager):
    """And all others that ask systemd, or the bus: names have letters alone when they come in, but of any kind."""
    manager.answers = [{**HANDSHAKE, "handshake": {**HANDSHAKE["handshake"], "serverName": "we\u202eb\u2066\u200b1"}}]
    agent.configure(manager.url())
    agent.start()
    agent.wait_notify("STATUS=Connected to")
    status = re.search("^STATUS=(Connected to.*)$", agent.notifications(), re.M)[1]
    assert "(we?b??1)" in check(status.encode())
    assert agent.property("StatusText") == status


@pytest.mark.parametrize("failing", [False, True])
def test_call_of_a_worker(agent_on_bus, failing):
    """What it says is a job's output, unless somebody calls it at a terminal."""
    agent_on_bus.error = failing
    command = ["sh", "-c", 'echo "{}" | "$@"', "sh", WORKER_CALL, WORKER, "/org/dcmagent/Worker1", "guid", "command"]
    environment = {"DBUS_SYSTEM_BUS_ADDRESS": agent_on_bus.bus.address}
    assert "FORGED" in check(Run(*command, **environment).end(), lines=True)
    job = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           env={**os.environ, **environment})
    wait_for(lambda: job.poll() is not None, "the end")
    assert HOSTILE.encode() in job.stdout.read()


# --- dcm-manager -------------------------------------------------------------------------------------

AGENT = {key: HOSTILE for key in ("id", "name", "version", "platform", "platform_version", "vm_instance", "peer")}
ALERT = {key: HOSTILE for key in ("subject", "message", "user", "level", "rule", "type", "request_id")}
ANSWER = {
    "text": HOSTILE,
    "agents": [{**AGENT, "claims": AGENT, "ipv4": [HOSTILE], "ipv6": [HOSTILE], "connected": True, "since": 10**15}],
    "requests": [{"guid": HOSTILE, "agent": HOSTILE, "command": HOSTILE, "state": HOSTILE, "created": 10**15}],
    "request": {"guid": HOSTILE, "agent": HOSTILE, "state": HOSTILE, "payload": {"command": HOSTILE},
                "reply": REPLY, "error": HOSTILE, "created": 10**15, "updated": 10**15},
    "lines": [{"agent": HOSTILE, "time": 10**15, "level": HOSTILE, "message": HOSTILE}],
    "alerts": [{"agent": HOSTILE, "time": 10**15, "alert": ALERT}],
    "status": {"state": HOSTILE, "error_message": HOSTILE, HOSTILE: HOSTILE},
    "waiting": [{**AGENT, "host_name": HOSTILE, "agent_id": HOSTILE, "injected_id": HOSTILE, "fingerprint": HOSTILE,
                 "ipv4": [HOSTILE], "ipv6": [HOSTILE], "first_seen": 10**15, "last_seen": 10**15, "rejected": 10**15}],
    "targets": [{**AGENT, "group": HOSTILE, "connected": True}],
    "enrol_tokens": [{"id": HOSTILE, "group": HOSTILE, "name": HOSTILE, "uses": 1, "used": 0, "expires": 10**15}],
    "secret": HOSTILE, "id": HOSTILE, "expires": 10**15,
    "guid": HOSTILE, "agent": HOSTILE, HOSTILE: HOSTILE,
}


class HostileControl:
    """Answers each line on the control socket alike; `more` are lines that follow."""

    def __init__(self, path, answer, more=()):
        self.path = path
        self.text = b"".join(json.dumps(a, ensure_ascii=False).encode() + b"\n" for a in (answer, *more))
        self.n_more = len(more)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                for _ in lines:
                    connection.sendall(self.text)
                    if self.n_more:
                        break

    def stop(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


@pytest.fixture
def control(tmp_path):
    servers = []

    def start(answer, more=()):
        servers.append(HostileControl(tmp_path / f"control{len(servers)}", answer, more))
        return f"--control={servers[-1].path}"
    yield start
    for server in servers:
        server.stop()


OPERANDS = {"agents": [], "run": ["agent", "command"], "requests": [], "show": ["guid"], "status": ["guid"],
            "cancel": ["guid"], "log": [], "alerts": [], "name": ["agent", "name"], "unname": ["agent"],
            "group": ["agent", "group"], "ungroup": ["agent"],
            "wait-agent": [], "drain": [], "metrics": [],
            "accept": ["agent"], "reject": ["agent"], "revoke": ["agent"], "forget": ["agent"], "replace": ["agent", "newer"],
            "enrol-token": ["list"]}
SILENT = {"cancel", "name", "unname", "group", "ungroup", "drain"}
WITHOUT_JSON = SILENT | {"accept", "reject", "revoke", "forget", "replace"}


def manager_verbs():
    return sorted(set(verbs_of(MANAGER)) - {"serve", "init", "renew", "agent-package"})  # those ask no manager


@pytest.mark.skipif(not MANAGER.exists(), reason="is built without the manager")
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_verbs_of_the_manager(control, locale):
    option = control({"ok": True, **ANSWER})
    for verb in manager_verbs():
        text = check(Run(MANAGER, verb, *OPERANDS[verb], option, columns=600, LC_ALL=locale).end(), locale == "C",
                     lines=verb in ("show", "metrics"))
        assert ("FORGED" in text) == (verb not in SILENT), (verb, text)


@pytest.mark.skipif(not MANAGER.exists(), reason="is built without the manager")
def test_errors_of_the_manager(control):
    option = control({"ok": False, "error": HOSTILE, "message": HOSTILE})
    for verb in manager_verbs():
        assert "FORGED" in check(Run(MANAGER, verb, *OPERANDS[verb], option, columns=600).end()), verb


@pytest.mark.skipif(not MANAGER.exists(), reason="is built without the manager")
def test_json_of_the_manager(control):
    option = control({"ok": True, **ANSWER})
    for verb in sorted(set(manager_verbs()) - WITHOUT_JSON - {"run", "metrics"}):
        texts = texts_in(json.loads(check(Run(MANAGER, verb, *OPERANDS[verb], "--json", option).end())))
        assert HOSTILE in texts, verb


@pytest.mark.skipif(not MANAGER.exists(), reason="is built without the manager")
@pytest.mark.parametrize("verb", [["agents", "--waiting"], ["enrol-token", "new"],
                                  ["run", "@db", "--dry-run", "heartbeat"]])
def test_strangers(control, verb):
    option = control({"ok": True, **ANSWER})
    assert "FORGED" in check(Run(MANAGER, *verb, option, columns=600).end())
    assert HOSTILE in texts_in(json.loads(check(Run(MANAGER, *verb, "--json", option).end())))


@pytest.mark.skipif(not MANAGER.exists(), reason="is built without the manager")
@pytest.mark.parametrize("options,state,reply", [
    ([], "REPLIED", REPLY), (["--json"], "REPLIED", REPLY), ([], "NACKED", REPLY), ([], "REPLIED", [HOSTILE])])
def test_run_and_wait(control, options, state, reply):
    option = control({"ok": True, **ANSWER, "request": {**ANSWER["request"], "state": state, "reply": reply}})
    text = check(Run(MANAGER, "run", "agent", "command", "--wait", *options, option).end(),
                 lines=state == "REPLIED" and reply == REPLY and not options)
    assert "FORGED" in text


@pytest.mark.skipif(not MANAGER.exists(), reason="is built without the manager")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_log_that_is_followed(control, options):
    option = control({"ok": True, **ANSWER}, [{"ok": True, **ANSWER["lines"][0]}])
    assert check(Run(MANAGER, "log", "--follow", *options, option).end()).count("FORGED") >= 2


@pytest.mark.skipif(not MANAGER.exists(), reason="is built without the manager")
def test_what_a_job_says_into_a_pipe_is_raw(control):
    option = control({"ok": True, **ANSWER, "request": {**ANSWER["request"], "state": "REPLIED"}})
    run = subprocess.run([MANAGER, "run", "agent", "command", "--wait", option], stdin=subprocess.DEVNULL,
                         capture_output=True, timeout=DEADLINE)
    assert run.stdout.startswith(HOSTILE.encode()) and run.stderr.startswith(HOSTILE.encode())
