# SPDX-License-Identifier: Apache-2.0
"""Load on an agent in a virtual machine, and what must hold whatever happens to that machine:

- A script is executed at most once. Each execution reports to a counter outside of the machine, and
  waits for its answer before it goes on.
- A request gets one reply, and no other one ever after.
- The reply is true: it shows the value that the counter gave to the only execution, and the status
  with which the script ended. "The state of the execution was lost" is true only of a script that
  had begun, or was about to, when the machine died, and for which there is no complete exit
  record.
- What the manager was told once (ACK, REPLY) is known ever after."""

import base64
import hashlib
import json
import pathlib
import random
import socketserver
import sys
import threading
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/component"), str(ROOT / "tools/lib/vm")]

import harness  # noqa: E402
from gi.repository import GLib, Soup  # noqa: E402

HOST = "10.0.2.2"  # this side, seen from the machine
WORKERS = 4
RESEND_SEC = 3.0
SETTLE_SEC = 600.0
WITHHELD_SHARE = 0.15  # of replies are not acknowledged when they first arrive
COMMANDS = ("heartbeat", "reboot_server")  # other kinds are scripts
LOST = "The job was executed but the state of the execution was lost."

SCRIPT = """#!/bin/bash
exec 3<>/dev/tcp/{host}/{port} || exit 99
read -r boot </proc/sys/kernel/random/boot_id
echo start {guid} $boot >&3
read -r value <&3 || exit 98
{body}
echo end {guid} >&3
read -r _ <&3 || exit 97
echo "$value"
{output}
exit {code}
"""

# The state that a power cut left, before the agent sees it; the agent's lock allows no later look.
GUEST_FILES = {
    "/etc/systemd/system/dcm-agent.service.d/check.conf":
        "[Unit]\nWants=check-database.service\nAfter=check-database.service\n",
    "/etc/systemd/system/check-database.service":
        "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        "ExecStart=/bin/bash -c 'cp -a /var/lib/dcm-agent /run/check && cd /run/check && "
        "for f in *.db; do sqlite3 $$f \"PRAGMA integrity_check\"; done >result 2>&1'\n",
}


def call_in_thread(function, *arguments):
    """Runs what blocks in a thread, and the main loop meanwhile."""
    result = []

    def body():
        try:
            result.append((function(*arguments), None))
        except BaseException as error:  # handed on below
            result.append((None, error))

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    iterate(lambda: result, None)
    value, error = result[0]
    if error:
        raise error
    return value


def iterate(condition, seconds):
    """Runs the main loop until CONDITION is true (returned), or for SECONDS (None)."""
    context = GLib.MainContext.default()
    deadline = None if seconds is None else time.monotonic() + seconds
    timer = GLib.timeout_add(20, lambda: True)
    try:
        while True:
            value = condition()
            if value or (deadline is not None and time.monotonic() >= deadline):
                return value
            context.iteration(True)
    finally:
        GLib.source_remove(timer)


class Counter:
    """Counts executions where no power cut reaches, and gives each one a value."""

    def __init__(self):
        self.executions = {}  # GUID: values
        self.boots = {}  # GUID: the boot id of the machine that executed it last
        self.ended = set()
        self.on_event = None
        self.lock = threading.Lock()
        counter = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    self.wfile.write(counter.note(*line.decode().split()).encode() + b"\n")

            def finish(self):
                try:
                    super().finish()
                except OSError:
                    pass  # the machine died

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def note(self, kind, guid, boot=None):
        value = uuid.uuid4().hex
        with self.lock:
            if kind == "start":
                self.executions.setdefault(guid, []).append(value)
                self.boots[guid] = boot
            else:
                self.ended.add(guid)
        if self.on_event:
            self.on_event(kind)
        return value

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Request:
    def __init__(self, kind, guid, arguments, code, filler):
        self.kind = kind
        self.guid = guid
        self.arguments = arguments
        self.code = code
        self.filler = filler
        self.sent = 0.0
        self.promised = False  # the manager has an ACK or a REPLY
        self.replies = []  # distinct ones
        self.interruptions = 0  # cuts and reboots while it was open

    @property
    def open(self):
        return not self.replies

    def is_job(self):
        return self.kind not in COMMANDS


def describe(payload):
    text = json.dumps(payload, sort_keys=True)
    return text if len(text) < 300 else f"{text[:200]}... ({len(text)} bytes)"


class Load(harness.Manager):
    """The manager, with requests of all kinds."""

    KINDS = ("heartbeat", "quick", "quick", "failing", "short", "long", "big")

    def __init__(self, seed, orderly=False):
        super().__init__()
        self.on_message = self._handle
        self.orderly = orderly  # the machine is shut down, so its jobs are ended by a signal
        self.shutting_down = False
        self.chance = random.Random(seed)
        self.counter = Counter()
        self.requests = {}
        self.violations = []
        self.target = 0  # requests that are kept open; 0: no new ones
        self.statuses = {}
        self.repeated = {}  # GUID: replies to a repeated REQUEST
        self.unsettled = []  # what the machine's death may have touched
        self.deaths = 0  # since all was settled
        self.dead_boots = set()
        self.stale = set()  # promised before the last death, not yet asked for
        self.on_event = None
        self.lost = 0
        self.lost_unstarted = 0
        self.killed = 0
        GLib.timeout_add(100, self._tick)

    def stop(self):
        self.counter.stop()
        super().stop()

    def configuration(self):
        return (f"[connection]\nagentmanager_url = ws://{HOST}:{self.port}/agentManager\n"
                "backoff = 100\nmax_backoff = 500\n"
                "[messaging]\nretransmission_timeout = 2\n"
                f"[workers]\ncount = {WORKERS}\n")

    # --- sending

    def connected(self):
        return bool(self.connections) and self.connections[-1].introduced and (
            self.connections[-1].get_state() == Soup.WebsocketState.OPEN)

    def _tick(self):
        if not self.connected():
            return True
        now = time.monotonic()
        waiting = [r for r in self.unsettled if r.open]
        for r in waiting:
            if not r.promised and now - r.sent > RESEND_SEC:
                self._send_request(r)
        for _ in range(min(self.target - len(waiting), 4)):
            self.new_request()
        return True

    def _send_request(self, r):
        r.sent = time.monotonic()
        self.request(r.guid, "run_script" if r.is_job() else r.kind, r.arguments, longer_runner=False)

    def add(self, kind, body="", output="", code=0, filler="", **arguments):
        guid = str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        if kind not in COMMANDS:
            text = SCRIPT.format(host=HOST, port=self.counter.port, guid=guid, body=body,
                                 output=output, code=code).encode()
            arguments |= {"b64script": base64.b64encode(text).decode(),
                          "checksum": hashlib.sha256(text).hexdigest()}
        r = self.requests[guid] = Request(kind, guid, arguments, code, filler)
        self.unsettled.append(r)
        self._send_request(r)
        return r

    def new_request(self):
        kind = self.chance.choice(self.KINDS)
        if kind == "failing":
            return self.add(kind, code=self.chance.randint(1, 90))
        if kind == "short":
            return self.add(kind, body=f"sleep {self.chance.uniform(0.1, 1):.2f}")
        if kind == "long":
            return self.add(kind, body=f"sleep {self.chance.uniform(1, 5):.2f}")
        if kind == "big":
            size = self.chance.randint(20_000, 300_000)
            return self.add(kind, output=f"head -c {size} /dev/zero | tr '\\0' x; echo",
                            filler="x" * size + "\n")
        return self.add(kind)

    # --- receiving

    def _on_text(self, connection, kind, data):
        new = not connection.introduced
        super()._on_text(connection, kind, data)
        self.received.clear()
        if new:
            for r in self.unsettled:
                if r.open and not r.promised:
                    self._send_request(r)
            for guid in self.stale:
                self.send(type="STATUS", request_id=guid, message_id=f"s-{guid}")
            self._event("connected")

    def _event(self, name):
        if self.on_event:
            self.on_event(name)

    def _handle(self, message):
        r = self.requests.get(message.get("request_id"))
        kind = message["type"]
        if kind == "LOG":
            return
        if r is None:
            self.violate(None, f"unexpected {describe(message)}")
        elif kind == "ACK":
            r.promised = True
            self._event("ack")
        elif kind == "REPLY":
            self._on_reply(r, message)
            self._event("reply")
        elif kind == "STATUS":
            self._on_status(r, message)
        else:
            self.violate(r, f"answered by {describe(message)}")

    def _on_reply(self, r, message):
        payload = message["payload"]
        first = r.open
        if r.guid in self.repeated:
            self.repeated[r.guid].append(payload)
        if payload not in r.replies:
            r.replies.append(payload)
            if first:
                self._judge(r, payload)
            else:
                self.violate(r, f"another reply: {describe(payload)}, first there was "
                                f"{describe(r.replies[0])}")
        r.promised = True
        if not first or self.chance.random() >= WITHHELD_SHARE:
            self.ack(message)

    def _on_status(self, r, message):
        if r.guid not in self.stale:
            return
        self.stale.discard(r.guid)
        if r.replies and message.get("reply") != r.replies[0]:
            self.violate(r, f"its reply was {describe(r.replies[0])}, now its status is "
                            f"{describe(message)}")

    # --- judging

    def violate(self, r, what):
        self.violations.append((r.guid if r else None, what))
        print(f"VIOLATION: {r.kind if r else ''} {r.guid if r else ''}: {what}", flush=True)

    def _judge(self, r, payload):
        """The first reply. What needs a look into the machine is judged later."""
        if r.kind == "reboot_server":
            if payload["return_code"] != 0 or payload["reply_type"] != "server_reboot" or not r.interruptions:
                self.violate(r, f"reply {describe(payload)}, {r.interruptions} boots since")
            return
        if not r.is_job():
            if payload["return_code"] != 0 or payload["reply_object"] != "STARTING":
                self.violate(r, f"reply {describe(payload)}")
            return
        with self.counter.lock:
            values = list(self.counter.executions.get(r.guid, []))
        if payload.get("Exception") == LOST and payload["return_code"] == 1:
            self.lost += 1
            self.lost_unstarted += not values
            if not r.interruptions and not self.shutting_down:
                self.violate(r, "reported as lost, though nothing happened to the machine")
            elif values and not self.started_before(r) and not self.shutting_down:
                self.violate(r, "reported as lost, though it was started after the last boot")
        elif self.orderly and payload["return_code"] == -15:
            self.killed += 1
            if not self.shutting_down and values and not self.started_before(r):
                self.violate(r, "ended by a signal, though it was started after the last boot")
        elif not values:
            self.violate(r, f"replied without an execution: {describe(payload)}")
        elif (payload["return_code"] != r.code or payload["error_message"] or
              payload["message"] != f"{values[0]}\n{r.filler}"):
            self.violate(r, f"the reply is not true: {describe(payload)}")

    def started_before(self, r):
        """Before the machine died last: it may have told so after its agent had gone."""
        with self.counter.lock:
            return self.counter.boots.get(r.guid) in self.dead_boots

    def was_lost(self, r):
        return bool(r.replies) and r.replies[0].get("Exception") == LOST

    def died(self, *boot_ids):
        """The machine is dead and all that it had sent has been received, or that boot of it has no agent any more."""
        self.deaths += 1
        with self.counter.lock:
            self.dead_boots.update(self.counter.boots.values(), boot_ids)
        self.shutting_down = False
        self.stale = {r.guid for r in self.unsettled if r.promised}
        for r in self.open_requests():
            r.interruptions += 1

    def open_requests(self):
        return [r for r in self.unsettled if r.open]

    def begun(self):
        with self.counter.lock:
            return sum(r.guid in self.counter.executions for r in self.open_requests())

    def settle(self):
        """Waits until all is answered; then nothing may be open, forgotten or executed twice."""
        self.target = 0
        iterate(lambda: self.violations or (not self.open_requests() and not self.stale and
                                            self.connected()), SETTLE_SEC)
        if self.violations:
            return []
        for r in self.open_requests():
            self.violate(r, f"no reply within {SETTLE_SEC:.0f} s, promised: {r.promised}")
        for guid in self.stale:
            self.violate(self.requests[guid], "no answer to STATUS: it was promised, and forgotten")
        self._repeat_requests()
        lost = [r for r in self.unsettled if self.was_lost(r)]
        if len(lost) > WORKERS * self.deaths:
            self.violate(None, f"{len(lost)} lost, with {WORKERS} workers and {self.deaths} cuts")
        self.check_executions()
        self.unsettled = [r for r in self.unsettled if r.open]
        self.deaths = 0
        self.stale = set()
        return lost

    def _repeat_requests(self):
        """A manager that forgot what it had: the answer is the stored reply, and no execution."""
        done = [r for r in self.requests.values() if r.replies]
        chosen = self.chance.sample(done, min(len(done), 6))
        recent = [r for r in self.unsettled if r.replies and r.interruptions]
        chosen += [r for r in recent[:6] if r not in chosen]
        self.repeated = {r.guid: [] for r in chosen}
        for r in chosen:
            self._send_request(r)
        iterate(lambda: all(self.repeated.values()), SETTLE_SEC)
        for guid, replies in self.repeated.items():
            if not replies:
                self.violate(self.requests[guid], "no reply to a repeated REQUEST")
        self.repeated = {}

    def check_executions(self):
        with self.counter.lock:
            counts = {guid: len(values) for guid, values in self.counter.executions.items()}
        known = {guid for guid, _ in self.violations}
        for guid, n in counts.items():
            if n > 1 and guid not in known:
                self.violate(self.requests[guid], f"executed {n} times")


class Inspector:
    """Looks into the machine after each boot."""

    def __init__(self, vm, load):
        self.vm = vm
        self.load = load

    def command(self, text, check=True):
        return call_in_thread(lambda: self.vm.run(text, timeout=300, check=check))

    def check_boot(self):
        """The database as the last death left it, and what the agent said of it."""
        result = self.command("cat /run/check/result 2>&1", check=False).strip()
        if result != "ok":
            self.load.violate(None, f"integrity of the database: {result}")
        said = self.command("ls /var/lib/dcm-agent | grep damaged; "
                            "journalctl -b -q -o cat -p err SYSLOG_IDENTIFIER=dcm-agent "
                            "+ SYSLOG_IDENTIFIER=dcm-executord | "
                            "grep -v 'was interrupted; its result is lost'", check=False).strip()
        if said:
            self.load.violate(None, f"the agent complains: {said}")

    def check_lost(self, lost):
        """No reply says "lost" where there is a record of the end, or no sign of a start."""
        for r in lost:
            directory = f"/var/lib/dcm-jobs/{r.guid}"
            # dcm-run claims the record before it starts the script
            found = self.command(f"cat {directory}/exit", check=False)
            if "DCM_EXIT_RECORD" not in found:
                self.load.violate(r, f"reported as lost, though never started: {found!r}")
            if "\nEND=1" in found:
                self.load.violate(r, f"reported as lost, though it has a record: {found!r}")

    def explain(self, limit=10):
        """What the machine knows of the requests for which something is wrong."""
        for guid in list(dict.fromkeys(g for g, _ in self.load.violations if g))[:limit]:
            print(f"--- {guid}: executions {self.load.counter.executions.get(guid)}")
            print(self.command(
                f"journalctl -q -o short-iso-precise --no-hostname DCM_REQUEST_ID={guid}; "
                f"ls -la --time-style=full-iso /var/lib/dcm-jobs/{guid}; "
                f"cat /var/lib/dcm-jobs/{guid}/exit", check=False))
