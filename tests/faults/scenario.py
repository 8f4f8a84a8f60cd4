# SPDX-License-Identifier: Apache-2.0
"""One round: a manager's requests, with duplicates, cancellations and failures, and alerts in a file
that is rotated, and what must be true of each of them in the end, whatever was killed or failed
meanwhile."""

import base64
import errno
import hashlib
import json
import os
import random
import sys
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import machine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "component"))

from gi.repository import GLib  # noqa: E402
from harness import Manager  # noqa: E402

RESEND_SEC = 0.3
LOST = "the state of the execution was lost"
NOT_STARTED = "cancelled before it started"
RECORD = "read -r v </proc/sys/kernel/random/uuid\necho \"$v\" >>{ran}\necho \"$v\"\n"


def text_of(reply, key):
    return GLib.uri_unescape_string(reply.get(key) or "", None) or reply.get(key) or ""


@dataclass
class Item:
    """One request, as the manager knows it."""

    name: str
    guid: str
    command: str
    arguments: dict
    check: object  # (item, reply, lines that it wrote) -> what is wrong, or None
    copies: int = 1  # so many REQUESTs at once
    cancel: str = ""  # early: with the REQUEST; running; late: after the reply
    again: bool = False  # the REQUEST is repeated after the reply
    ask: bool = False  # STATUS is asked
    withhold: int = 0  # so many replies are not acknowledged
    refused: bool = False  # a NACK is the right answer
    long: bool = False  # a long runner: its result is asked for by its number
    job: dict = None  # what was told of it when it had ended
    acked: bool = False
    nack: str = ""
    replies: dict = field(default_factory=dict)  # by their text: how often
    sent: float = 0.0
    nagged: float = 0.0
    polled: float = 0.0
    wrong: list = field(default_factory=list)

    @property
    def ran(self):
        return machine.RAN / self.guid

    @property
    def hooks(self):
        return machine.HOOKS / self.guid

    def answered(self):
        if self.refused:
            return bool(self.nack)
        if self.long and self.job is None:
            return False
        return sum(self.replies.values()) >= (2 if self.again else 1) + self.withhold

    def has_result(self):
        return self.job is not None if self.long else bool(self.replies)

    def results(self):
        """What is told of its end, as texts; of a long runner what its first reply promised, too."""
        if not self.long:
            return list(self.replies)
        for text in self.replies:
            told = json.loads(text)
            if told["reply_type"] != "job_description" or \
                    told["reply_object"]["job_id"] != self.job["job_id"]:
                return [text]
        if (self.job["job_status"] == "COMPLETE") != (self.job["command_reply"]["return_code"] == 0):
            return [json.dumps(self.job)]
        return [json.dumps(self.job["command_reply"])]

    def final(self, state):
        return state == ("NACKED" if self.refused else "REPLY_ACKED")


# --- what is true of a reply ------------------------------------------------------------


def ended(code, contains=""):
    def check(_item, reply, lines):
        if len(lines) != 1:
            return f"{len(lines)} executions, and the reply {reply}"
        if reply["return_code"] != code:
            return f"return code {reply['return_code']}, not {code}: {reply}"
        if not reply["message"].startswith(lines[0]) or contains not in reply["message"]:
            return f"the reply is not what was written, {lines[0]}: {str(reply)[:300]}"
        return None

    return check


def cancelled(code=0):
    """The result, or a cancellation with its signal; before the start only if nothing ran."""

    def check(item, reply, lines):
        note = text_of(reply, "error_message")
        if NOT_STARTED in note:
            return f"it ran, and the reply says {note}" if lines else None
        if reply["return_code"] in (-15, -9) and "cancelled" in note:
            return None
        return ended(code)(item, reply, lines)

    return check


def hooked(code, hooks, secret=None):
    """Each hook was run as often as it says, and the script if it has a secret to tell."""

    def check(item, reply, lines):
        found = item.hooks.read_text().splitlines() if item.hooks.exists() else []
        if found != hooks:
            return f"hooks {found}, and the reply {reply}"
        if secret:
            return ended(code, secret)(item, reply, lines)
        if lines or reply["return_code"] != code:
            return f"{len(lines)} executions, and the reply {reply}"
        return None

    return check


def cancelled_in_a_hook(item, reply, lines):
    """The hook is the end, if it was begun at all."""
    found = item.hooks.read_text().splitlines() if item.hooks.exists() else []
    if lines or found not in ([], ["pre"]):
        return f"hooks {found}, {len(lines)} executions, and the reply {reply}"
    return cancelled()(item, reply, [])


def refused_by_name(word):
    def check(_item, reply, lines):
        note = text_of(reply, "error_message")
        if lines or reply["return_code"] != 1 or word not in note:
            return f"{len(lines)} executions, and the reply {reply}"
        return None

    return check


def inside(kind):
    """What runs inside of the agent succeeds; where an allocation failed, it may say that instead."""

    def check(item, reply, _lines):
        if "-ENOMEM-" in item.guid and reply["return_code"] == 1 and \
                text_of(reply, "error_message") == os.strerror(errno.ENOMEM):
            return None
        if reply["return_code"] != 0 or reply["reply_type"] != kind:
            return f"the reply {reply}"
        return None

    return check


# --- the requests -----------------------------------------------------------------------


def pack(script, **more):
    data = script.encode()
    return {"b64script": base64.b64encode(data).decode(),
            "checksum": hashlib.sha256(data).hexdigest(), **more}


def zipped(script):
    return {**pack(script), "compression": "gzip",
            "b64script": base64.b64encode(zlib.compress(script.encode())).decode()}


def make_items(prefix):
    items = []

    def add(name, command, arguments, check, **more):
        items.append(Item(name, f"{prefix}-{name}", command, arguments, check, **more))

    def job(name, rest="", check=None, packed=pack, arguments=None, **more):
        head = RECORD.format(ran=machine.RAN / f"{prefix}-{name}")
        add(name, "run_script", {**packed(f"#!/bin/sh\n{head}{rest}"), **(arguments or {})},
            check or ended(0), **more)

    add("heartbeat", "heartbeat", {}, inside("string"))
    job("ok")
    job("slow", "sleep 0.5\n")
    job("cancel-running", "exec sleep 1000\n", cancelled(), cancel="running")
    job("fail", "exit 3\n", ended(3))
    job("root", "id -u\n", ended(0, "\n0\n"), arguments={"runUnderSudo": True})
    job("cancel-early", "", cancelled(), cancel="early")
    job("killed", "kill -KILL $$\n", ended(-9))
    add("facts", "get_agent_data", {}, inside("agent_data"))
    job("large", "i=0; while [ $i -lt 2000 ]; do echo 0123456789012345678901234567890123456789; "
        "i=$((i+1)); done; echo end\n", ended(0, "\nend\n"))
    job("copies", copies=3)
    job("again", again=True)
    add("checksum", "run_script", {**pack("#!/bin/sh\n"), "checksum": "0" * 64},
        refused_by_name("checksum"))
    add("unknown", "no_such_command", {}, None, refused=True)
    job("arguments", "echo \"$1|$2\"\n", ended(0, "\na b|$c\n"),
        arguments={"arguments": ["a b", "$c"]})
    job("zipped", packed=zipped)
    job("withheld", withhold=1)
    job("cancel-late", cancel="late")
    job("status", ask=True)
    add("missing", "run_script", {"checksum": "0" * 64}, refused_by_name("b64script"))
    job("stderr", "echo oops >&2; exit 4\n", ended(4))
    job("cancel-queued", "sleep 0.1\n", cancelled(), cancel="early", copies=2)
    add("heartbeat-copies", "heartbeat", {}, inside("string"), copies=2, again=True)
    job("long", long=True)
    job("long-cancel", "exec sleep 1000\n", cancelled(), cancel="running", long=True)
    job("long-fail", "exit 6\n", ended(6), long=True, copies=2)
    job("long-cancel-queued", "", cancelled(), cancel="early", long=True)
    for name, check, more in (
            ("done", hooked(0, ["pre", "post 0"], f"{prefix}-secret"), {}),
            ("fail", hooked(9, ["pre"]), {}),
            ("late", hooked(8, ["pre", "post 0"], f"{prefix}-secret"), {"copies": 2}),
            ("hang", cancelled_in_a_hook, {"cancel": "running"})):
        add(f"hook-{name}", "hooked", {"mode": name, "key": f"{prefix}-secret"}, check, **more)
    job("fail-root", "exit 5\n", ended(5), arguments={"runUnderSudo": True})
    return items


@dataclass
class Alert:
    """One alert of the file, and what the manager was told of it."""

    withhold: int = 0  # so many times it is not acknowledged
    told: dict = field(default_factory=dict)  # its text: how often

    def answered(self):
        return sum(self.told.values()) > self.withhold

    def problem(self):
        return f"told as different ones: {list(self.told)}" if len(self.told) > 1 else None


def write_alerts(names):
    with machine.ALERTS.open("a") as file:
        for name in names:
            file.write(f"** Alert {int(time.time())}.{file.tell()}: - syslog,sshd,\n"
                       "2026 Nov 22 00:00:00 host->/var/log/auth.log\n"
                       "Rule: 5716 (level 12) -> 'SSHD authentication failed.'\n"
                       f"Src IP: 192.0.2.7\nUser: root\nsample {name}\n\n")


class Scenario:
    """A round that is under way."""

    def __init__(self, prefix, seed):
        self.prefix = f"{prefix}-{random.Random(seed).randrange(1 << 40):010x}"
        self.items = {item.guid: item for item in make_items(self.prefix)}
        self.alerts = {f"{self.prefix}-alert-{n}": Alert(withhold=n) for n in range(2)}
        # behind them: the last one of a file counts only after a while, and that belongs to no round
        self.last_alert = {f"{self.prefix}-alert-last": Alert()}
        self.begun = time.monotonic()
        self.final = False

    def answered(self):
        return all(x.answered() for x in (*self.items.values(), *self.alerts.values()))

    def open_items(self):
        return [item for item in self.items.values() if not item.answered()]

    def verdicts(self):
        """What is wrong, as (item, text). Takes away what the scripts wrote: what is written later
        is an execution too many."""
        found = []
        for item in self.items.values():
            lines = item.ran.read_text().splitlines() if item.ran.exists() else []
            found += [(item, text) for text in item.wrong]
            if len(lines) > 1:
                found.append((item, f"{len(lines)} executions"))
            if len(item.replies) > 1:
                found.append((item, f"different replies: {list(item.replies)}"))
            for text in item.results():
                reply = json.loads(text)
                if LOST in text:
                    found.append((item, f"{len(lines)} executions, and the reply {text}"))
                elif item.refused or (problem := item.check(item, reply, lines)):
                    found.append((item, problem if not item.refused else f"replied: {text}"))
            item.ran.unlink(missing_ok=True)
            item.hooks.unlink(missing_ok=True)
        return found


class FaultManager(Manager):
    """As the protocol demands it: repeats what is not acknowledged, acknowledges replies."""

    def __init__(self):
        super().__init__()
        self.items = {}
        self.alerts = {}  # of all rounds, by their names
        self.rotated = {}  # those in the former file, at most: the agent looks for no older one
        self.written = {}  # those in the file
        self.polls = {}  # the items that are asked for, by the GUIDs of the questions
        self.on_message = self._on_protocol

    def is_open(self):
        connection = self.connections[-1] if self.connections else None
        return (bool(connection) and connection.introduced
                and connection.get_state().value_nick == "open")

    def send(self, **message):
        if self.is_open():
            super().send(**message)

    def _order(self, item, now):
        item.sent = now
        more = {"longer_runner": True} if item.long else {}
        self.request(item.guid, item.command, item.arguments, **more)

    def _poll(self, item, now):
        told = json.loads(next(iter(item.replies)))
        if now - item.polled < RESEND_SEC or not told["reply_object"]:
            return
        item.polled = now
        guid = f"{item.guid}-poll-{len(self.polls)}"
        self.polls[guid] = item
        self.request(guid, "get_job_description", {"jobId": told["reply_object"]["job_id"]})

    def _nag(self, item, kind, now):
        if now - item.nagged >= RESEND_SEC:
            item.nagged = now
            self.send(type=kind, request_id=item.guid, message_id=f"n-{item.guid}")

    def _write_alerts(self, scenario):
        if all(alert.answered() for alert in self.rotated.values()):
            machine.ALERTS.rename(machine.ALERTS.with_suffix(".log.1"))
            self.rotated, self.written = self.written, {}
        fresh = {**scenario.alerts, **scenario.last_alert}
        self.written.update(fresh)
        self.alerts.update(fresh)
        write_alerts(fresh)

    def begin(self, scenario):
        self.items.update(scenario.items)
        self._write_alerts(scenario)
        now = time.monotonic()
        for item in scenario.items.values():
            for _ in range(item.copies):
                self._order(item, now)
            if item.cancel == "early":
                self._nag(item, "CANCEL", now)
            if item.ask:
                self._nag(item, "STATUS", now)

    def end(self, scenario):
        for guid in scenario.items:
            self.items.pop(guid, None)

    def tick(self):
        """What a manager does by the clock."""
        del self.connections[:-1], self.received[:]
        now = time.monotonic()
        for item in self.items.values():
            if item.answered():
                continue
            unheard = not item.acked and not item.replies and not item.nack
            if (unheard or (item.again and item.replies)) and now - item.sent >= RESEND_SEC:
                self._order(item, now)
            if (item.cancel == "running" and not item.has_result() and
                    (item.ran.exists() or item.hooks.exists())):
                self._nag(item, "CANCEL", now)
            if item.long and item.replies and not item.has_result():
                self._poll(item, now)

    def _on_alert(self, message):
        alert = self.alerts[message["message"].split("sample ")[1].split()[0]]
        hashed = f"{message['alert_timestamp']}{message['subject']}{message['message']}"
        if hashlib.sha256(hashed.encode()).hexdigest() != message["alert_hash"]:
            alert.told["another hash"] = 0
        del message["current_timestamp"]
        text = json.dumps(message, sort_keys=True)
        alert.told[text] = alert.told.get(text, 0) + 1
        if alert.answered():
            self.send(type="ALERT_ACK", request_id=message["request_id"])

    def _on_protocol(self, message):
        item = self.items.get(message.get("request_id"))
        kind = message["type"]
        if kind == "ALERT":
            self._on_alert(message)
            return
        if not item:
            if kind == "REPLY":  # to a question; or of a round that is over: its ACK was lost
                self._on_description(message)
                self.ack(message)
            return
        if kind == "ACK":
            item.acked = True
        elif kind == "NACK":
            self._on_nack(item, message["error_message"])
        elif kind == "REPLY":
            self._on_reply(item, message)
        elif kind == "STATUS" and message["reply"] is not None:
            text = json.dumps(message["reply"], sort_keys=True)
            if item.replies and text not in item.replies:
                item.wrong.append(f"STATUS tells another reply: {text}")

    def _on_description(self, message):
        item = self.polls.get(message["request_id"])
        job = message["payload"]["reply_object"]
        if item and job and job["job_status"] in ("COMPLETE", "ERROR"):
            item.job = job

    def _on_nack(self, item, text):
        if item.refused and "not known to this agent" in text:
            item.nack = text
        elif "unknown ID" in text and (item.acked or item.replies):
            item.wrong.append(f"acknowledged, then forgotten: {text}")

    def _on_reply(self, item, message):
        text = json.dumps(message["payload"], sort_keys=True)
        first = not item.replies
        item.replies[text] = item.replies.get(text, 0) + 1
        if sum(item.replies.values()) > item.withhold:
            self.ack(message)
        if first and item.cancel == "late":
            self.send(type="CANCEL", request_id=item.guid, message_id="late")
        if first and item.ask:
            self.send(type="STATUS", request_id=item.guid, message_id="late")
