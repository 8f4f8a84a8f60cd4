# SPDX-License-Identifier: Apache-2.0
"""Each cell of the state table that a manager can reach: what the agent sends, and the state then,
in memory and in the store. Expected is what docs/protocol.md says.

REQUESTING cannot be met from outside: a REQUEST leaves it in the call that reads it. The private bus has no executor, so that a job stays ACKED."""

import base64
import hashlib
import importlib.util
import json
import os
import uuid

import pytest
from gi.repository import Gio, GLib

from harness import BUILD, EXACT_TIMERS, ROOT, wait_for

SCRIPT = b"#!/bin/sh\n"
JOB = {"b64script": base64.b64encode(SCRIPT).decode(),
       "checksum": hashlib.sha256(SCRIPT).hexdigest()}
STATES = ("ACKED", "REPLY", "NACKED", "REPLY_NACKED", "REPLY_ACKED")
EVENTS = ("REQUEST", "CANCEL", "ACK", "NACK", "STATUS")
SENT = {"SEND_ACK": "ACK", "SEND_NACK": "NACK", "SEND_REPLY": "REPLY", "SEND_STATUS": "STATUS"}


def load_table():
    path = ROOT / "tests/unit/state-table.py"
    spec = importlib.util.spec_from_file_location("state_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    return {(state, event): (following, actions)
            for state, event, following, actions in module.cells(text)}


TABLE = load_table()


def connect(agent, manager):
    agent.configure(manager.url(), messaging={"retransmission_timeout": "3600"})
    agent.start()
    manager.wait_offer()


def send(manager, kind, guid, command):
    if kind == "REQUEST":
        manager.request(guid, command, JOB if command == "run_script" else {})
    else:
        manager.send(type=kind, request_id=guid, message_id="m")


def sent_since(manager, n):
    return [m for m in manager.received[n:] if m["type"] != "LOG"]


def ask_state(manager, guid):
    """All that the agent sends because of what it got before is sent before its answer."""
    n = len(manager.of_type("STATUS", guid))
    manager.send(type="STATUS", request_id=guid, message_id="m")
    return manager.wait_message("STATUS", guid, n + 1)["state"]


def bring_into(manager, state):
    guid = str(uuid.uuid4())
    command = {"ACKED": "run_script", "NACKED": "no_such_command"}.get(state, "heartbeat")
    send(manager, "REQUEST", guid, command)
    manager.wait_message({"ACKED": "ACK", "NACKED": "NACK"}.get(state, "REPLY"), guid)
    if state in ("REPLY_ACKED", "REPLY_NACKED"):
        send(manager, state[len("REPLY_"):-len("ED")], guid, command)
    assert ask_state(manager, guid) == state
    return guid, command


def restart(agent, manager, guid, state):
    agent.kill()
    offers, replies = len(manager.offers), len(manager.of_type("REPLY", guid))
    agent.start()
    manager.wait_offer(offers + 1)
    if state == "REPLY":  # each connection begins with these
        manager.wait_message("REPLY", guid, replies + 1)
    assert ask_state(manager, guid) == state


def check_cell(manager, guid, command, state, event):
    following, actions = TABLE[state, event]
    ids = {m.get("message_id") for m in manager.received}
    n, statuses = len(manager.received), len(manager.of_type("STATUS", guid))
    send(manager, event, guid, command)
    if "SEND_STATUS" in actions:
        manager.wait_message("STATUS", guid, statuses + 1)
    if "CANCEL_JOB" in actions:  # and it ends
        reply = manager.wait_message("REPLY", guid)["payload"]
        assert reply["return_code"] == 1 and "cancelled" in reply["error_message"]
        assert ask_state(manager, guid) == "REPLY"
        return "REPLY"
    assert ask_state(manager, guid) == following
    messages = sent_since(manager, n)
    expected = [SENT[a] for a in actions if a in SENT] + ["STATUS"]
    assert [m["type"] for m in messages] == expected
    assert not ids & {m["message_id"] for m in messages}, "a message_id came twice"
    assert {m["request_id"] for m in messages} == {guid}
    return following


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("where", ["in memory", "from the store"])
def test_cell(agent, manager, where, state, event):
    connect(agent, manager)
    guid, command = bring_into(manager, state)
    if where == "from the store":
        restart(agent, manager, guid, state)
    replies = {json.dumps(m["payload"]) for m in manager.of_type("REPLY", guid)}
    following = check_cell(manager, guid, command, state, event)
    restart(agent, manager, guid, following)
    again = {json.dumps(m["payload"]) for m in manager.of_type("REPLY", guid)}
    assert not replies or again == replies, "another reply than the first"


def test_timer_repeats_a_reply_and_no_other_message(agent, manager):
    """REPLY alone has a timer."""
    agent.configure(manager.url(), messaging={"retransmission_timeout": "0.1"})
    agent.start()
    manager.wait_offer()
    guids = {state: bring_into(manager, state)[0] for state in STATES}
    n = len(manager.received)
    for _ in range(3):
        manager.wait_message("REPLY", guids["REPLY"],
                             len(manager.of_type("REPLY", guids["REPLY"])) + 1)
    messages = sent_since(manager, n)
    assert {(m["type"], m["request_id"]) for m in messages} == {("REPLY", guids["REPLY"])}
    assert len({m["message_id"] for m in messages}) == 1


def test_cancel_in_the_segment_of_its_request(agent, manager):
    connect(agent, manager)
    guids = [str(uuid.uuid4()) for _ in range(20)]
    for guid in guids:
        send(manager, "REQUEST", guid, "run_script")
        send(manager, "CANCEL", guid, "run_script")
    for guid in guids:
        assert "cancelled" in manager.wait_message("REPLY", guid)["payload"]["error_message"]
        assert len(manager.of_type("ACK", guid)) == 1 and not manager.of_type("NACK", guid)


def test_cancel_before_its_request_is_unknown(agent, manager):
    connect(agent, manager)
    guid = str(uuid.uuid4())
    send(manager, "CANCEL", guid, "heartbeat")
    assert "is an unknown ID" in manager.wait_message("NACK", guid)["error_message"]
    send(manager, "REQUEST", guid, "heartbeat")
    assert manager.wait_message("REPLY", guid)["payload"]["return_code"] == 0


class Executor:
    """One that takes calls of Start and answers when it is told to, by a refusal."""

    XML = """<node><interface name="org.dcmagent.Executor1"><method name="Start">
    <arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/>
    <arg type="a{sv}" direction="in"/><arg type="s" direction="out"/></method></interface></node>"""

    def __init__(self, bus):
        self.calls = {}
        self.connection = Gio.DBusConnection.new_for_address_sync(
            bus.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
            | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        interface = Gio.DBusNodeInfo.new_for_xml(self.XML).interfaces[0]
        self.connection.register_object("/org/dcmagent/Executor1", interface, self._on_call)
        self.connection.call_sync(
            "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "RequestName",
            GLib.Variant("(su)", ("org.dcmagent.Executor1", 4)), None, Gio.DBusCallFlags.NONE, -1,
            None)

    def _on_call(self, _connection, _sender, _path, _interface, _method, parameters, call):
        self.calls[parameters.unpack()[0]] = call

    def refuse(self, guid):
        self.calls[guid].return_dbus_error("org.dcmagent.Error.Refused", "not today")


@pytest.fixture
def executor(bus):
    executor = Executor(bus)
    yield executor
    executor.connection.close_sync(None)


def test_finished_after_the_manager_gave_up(agent, manager, executor):
    """The late reply is dropped, its worker is free for the next job."""
    agent.configure(manager.url(), workers={"count": "1"})
    agent.start()
    manager.wait_offer()
    first, second = (bring_into(manager, "ACKED")[0] for _ in range(2))
    wait_for(lambda: first in executor.calls, "the start of the first job")
    send(manager, "NACK", first, "run_script")
    assert ask_state(manager, first) == "REPLY_NACKED"
    assert second not in executor.calls
    executor.refuse(first)
    wait_for(lambda: second in executor.calls, "the start of the second job")
    executor.refuse(second)
    assert "not%20today" in manager.wait_message("REPLY", second)["payload"]["error_message"]
    assert ask_state(manager, first) == "REPLY_NACKED" and not manager.of_type("REPLY", first)
    send(manager, "REQUEST", first, "run_script")
    assert manager.wait_message("REPLY", first)["payload"] is None


def start_with_failing(agent, **files):
    preloads = (BUILD / "tests/component/failing-sqlite.so", EXACT_TIMERS["LD_PRELOAD"])
    agent.start(**{**EXACT_TIMERS, "LD_PRELOAD": ":".join(map(str, preloads)),
                   **{name: str(path) for name, path in files.items()}})


def test_guid_that_cannot_be_looked_up(agent, manager):
    """Whether it was done before is not known: it is neither accepted nor forgotten."""
    failing = agent.directory / "failing"
    agent.configure(manager.url(), messaging={"retransmission_timeout": "3600"})
    start_with_failing(agent, FAILING_SELECT=failing)
    manager.wait_offer()
    done, new = str(uuid.uuid4()), str(uuid.uuid4())
    send(manager, "REQUEST", done, "heartbeat")
    reply = manager.wait_message("REPLY", done)
    manager.ack(reply)
    assert ask_state(manager, done) == "REPLY_ACKED"
    failing.touch()
    for guid in (done, new):
        n = len(manager.received)
        send(manager, "REQUEST", guid, "heartbeat")
        assert "Input/output error" in manager.wait_message("NACK", guid)["error_message"]
        assert not [m for m in sent_since(manager, n) if m["type"] in ("ACK", "REPLY")]
    failing.unlink()
    assert ask_state(manager, done) == "REPLY_ACKED"
    send(manager, "REQUEST", new, "heartbeat")
    manager.wait_message("REPLY", new)
    assert len(manager.of_type("REPLY", done)) == 1 == len(manager.of_type("REPLY", new))


def test_acknowledgements_that_cannot_be_stored(agent, manager):
    """They are forgotten, so each reply is sent again, also one whose timer ran out in between: a change
    that nobody waits for has 0.1 s until it is stored."""
    failing = agent.directory / "failing"
    agent.configure(manager.url(), messaging={"retransmission_timeout": "0.1"})
    start_with_failing(agent, FAILING_COMMIT=failing)
    manager.wait_offer()

    def acknowledge(message):
        if message["type"] == "REPLY":
            failing.touch()  # before the acknowledgement is stored, and after the reply was
            # so long before the second resend (0.3 s) that it falls due while that waits to be stored
            GLib.timeout_add(230, lambda: manager.ack(message))

    manager.on_message = acknowledge
    for i in range(20):
        send(manager, "REQUEST", f"g-{i}", "heartbeat")
    wait_for(failing.exists, "a reply")
    guids = {m["request_id"] for m in manager.of_type("REPLY")}
    for n in (2, 3, 4, 5):
        for guid in guids:
            manager.wait_message("REPLY", guid, n)
    manager.on_message = None
    failing.unlink()
    for guid in guids:
        manager.ack(manager.of_type("REPLY", guid)[0])
        assert ask_state(manager, guid) == "REPLY_ACKED"


def test_order_to_terminate_that_cannot_be_removed(agent, manager, executor):
    """The agent, whose script has not stopped it, works on."""
    failing = agent.directory / "failing"
    agent.configure(manager.url(), messaging={"retransmission_timeout": "3600"})
    start_with_failing(agent, FAILING_META=failing)
    manager.wait_offer()
    manager.request("end", "terminate")
    reply = manager.wait_message("REPLY", "end")
    failing.touch()
    manager.ack(reply)
    wait_for(lambda: "terminate-end" in executor.calls, "the script")
    manager.request("before", "heartbeat")
    manager.wait_message("REPLY", "before")  # so the acknowledgement is stored, and no transaction is open
    executor.refuse("terminate-end")
    agent.wait_log("The order to terminate cannot be removed from the database")
    failing.unlink()
    for guid in ("one", "two"):
        manager.round_trip(guid)
        assert ask_state(manager, guid) == "REPLY_ACKED"
