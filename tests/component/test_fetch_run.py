# SPDX-License-Identifier: Apache-2.0
"""The agent's side of fetch_run, with an executor that the test is: what it is asked for and passed;
whatever comes through the pipe and in the file, the reply is an error that says so, or the job is
started with exactly what was checked; what passes is tried again; a cancellation ends the download."""

import fcntl
import hashlib
import mmap
import os
import select
import urllib.parse
import uuid

import pytest
from gi.repository import Gio, GLib

from harness import ROOT, wait_for

NAME, PATH = "org.dcmagent.Executor1", "/org/dcmagent/Executor1"
SCRIPT = b"#!/bin/sh\n"
URL = "https://user:hunter2@host.example/script"
F_GET_SEALS, ALL_SEALS = 1034, 0xf


class Call:
    def __init__(self, invocation, method, arguments):
        self.invocation, self.method = invocation, method
        self.arguments = arguments.unpack()
        fds = invocation.get_message().get_unix_fd_list()
        self.fds = list(fds.steal_fds()) if fds else []

    def read(self, i):
        return os.pread(self.fds[i], 1 << 25, 0)

    def answer(self):
        self.invocation.return_value(GLib.Variant("(s)", ("unit",)))

    def refuse(self, name, text="because"):
        self.invocation.return_dbus_error(name if "." in name else f"org.dcmagent.Error.{name}", text)

    def close(self):
        while self.fds:
            os.close(self.fds.pop())

    def write(self, content, status):
        os.write(self.fds[1], content)
        os.write(self.fds[2], status)
        self.answer()
        self.close()


class Executor:
    def __init__(self, bus):
        flags = Gio.DBusConnectionFlags
        self.connection = Gio.DBusConnection.new_for_address_sync(
            bus.address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None)
        node = Gio.DBusNodeInfo.new_for_xml((ROOT / f"dbus/{NAME}.xml").read_text())
        self.calls = []
        self.connection.register_object(PATH, node.interfaces[0], self._on_call, None, None)
        owned = []
        Gio.bus_own_name_on_connection(self.connection, NAME, 0, lambda *_: owned.append(1), None)
        wait_for(lambda: owned, "the executor's name")

    def _on_call(self, _connection, _sender, _path, _interface, method, arguments, invocation):
        self.calls.append(Call(invocation, method, arguments))

    def wait(self, method, n=1):
        def found():
            calls = [call for call in self.calls if call.method == method]
            return calls[n - 1] if len(calls) >= n else None

        return wait_for(found, f"{n} calls of {method}")


@pytest.fixture
def executor(bus):
    executor = Executor(bus)
    yield executor
    for call in executor.calls:
        call.close()
    executor.connection.close_sync(None)


@pytest.fixture
def connected(agent, manager, executor):
    agent.configure(manager.url(), messaging={"retransmission_timeout": "3600"})
    agent.start()
    manager.wait_offer()
    return agent


def order(manager, script=SCRIPT, url=URL, **more):
    guid = str(uuid.uuid4())
    arguments = {"url": url, "checksum": hashlib.sha256(script).hexdigest(), **more}
    manager.request(guid, "fetch_run", {k: v for k, v in arguments.items() if v is not None})
    return guid


def error_of(manager, guid):
    reply = manager.wait_message("REPLY", guid)
    manager.ack(reply)
    assert reply["payload"]["return_code"] == 1
    return urllib.parse.unquote(reply["payload"]["error_message"])


def reader_is_gone(fd):
    poll = select.poll()
    poll.register(fd, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def test_order_and_start(connected, manager, executor):
    pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    guid = order(manager, connect_timeout="7", ssl_cert=pem, runUnderSudo=True, inpython=True, arguments=["a"])
    fetch = executor.wait("Fetch")
    assert fetch.arguments[:2] == (guid, "fetch_run")
    assert fetch.arguments[5] == {"as-root": True, "network": True} and len(fetch.fds) == 3
    assert fetch.read(0).decode() == f"DCM_FETCH=1\nPATIENCE_USEC=7000000\nURL={URL}\n{pem}"
    assert fcntl.fcntl(fetch.fds[0], F_GET_SEALS) == ALL_SEALS and fetch.read(1) == b""
    content = os.dup(fetch.fds[1])
    fetch.write(SCRIPT, b"ok\n")
    start = executor.wait("Start")
    assert start.arguments[:3] == (guid, "fetch_run", ["a"]) and start.read(0) == SCRIPT
    assert start.arguments[3].keys() == {"script", "as-root", "interpreter"}
    assert fcntl.fcntl(start.fds[0], F_GET_SEALS) == ALL_SEALS
    with pytest.raises(PermissionError):
        os.pwrite(content, b"x", 0)
    os.close(content)
    start.refuse("Refused", "enough")
    assert error_of(manager, guid) == "enough"


def test_file_needs_no_network_and_no_checksum(connected, manager, executor):
    guid = order(manager, url="file:///srv/script", checksum=None)
    fetch = executor.wait("Fetch")
    assert fetch.arguments[5] == {"as-root": False, "network": False}
    fetch.write(b"anything", b"ok\nand more")
    start = executor.wait("Start")
    assert start.read(0) == b"anything"
    start.refuse("Refused", "enough")
    assert error_of(manager, guid) == "enough"


STATUSES = {
    "nothing": (SCRIPT, b"", "The download failed: dcm-fetch-{}.service was cut off"),
    "cut-off": (SCRIPT, b"ok", "The download failed: dcm-fetch-{}.service was cut off"),
    "endless": (SCRIPT, b"x" * 5000, "The download failed: dcm-fetch-{}.service was cut off"),
    "reason": (b"", b"host: why not\n", "The download failed: host: why not"),
    "no-reason": (SCRIPT, b"\n", "The download failed: "),
    "almost-ok": (SCRIPT, b"okay\n", "The download failed: okay"),
    "nul": (SCRIPT, b"ok\0\xff\n", "The download failed: dcm-fetch-{}.service was cut off"),
    "checksum": (SCRIPT + b" ", b"ok\n", "The checksum of the script does not match"),
    "empty": (b"", b"ok\n", "The checksum of the script does not match"),
    "large": (b"x" * ((16 << 20) + 1), b"ok\n", "The script is too large"),
}


@pytest.mark.parametrize("name", STATUSES)
def test_what_comes_is_not_believed(connected, manager, executor, name):
    content, status, error = STATUSES[name]
    guid = order(manager)
    executor.wait("Fetch").write(content, status)
    assert error_of(manager, guid) == error.format(guid)
    assert [call.method for call in executor.calls] == ["Fetch"]


def test_content_that_somebody_can_still_change(connected, manager, executor):
    guid = order(manager)
    fetch = executor.wait("Fetch")
    os.write(fetch.fds[1], SCRIPT)
    with mmap.mmap(fetch.fds[1], 0):
        fetch.write(b"", b"ok\n")
        assert error_of(manager, guid) == "Device or resource busy"


def test_line_in_pieces_before_and_after_the_answer(connected, manager, executor):
    guid = order(manager)
    fetch = executor.wait("Fetch")
    os.write(fetch.fds[2], b"be")
    fetch.answer()
    for piece in (b"cau", b"se\n"):
        manager.round_trip(str(uuid.uuid4()))
        os.write(fetch.fds[2], piece)
    assert error_of(manager, guid) == "The download failed: because"


DBUS = "org.freedesktop.DBus.Error."
# the last ones: an executor of another version
FINAL = ["Refused", "UnknownCommand", "InvalidArgument", "StartFailed", f"{DBUS}AccessDenied", f"{DBUS}InvalidArgs",
         f"{DBUS}UnknownMethod", f"{DBUS}UnknownInterface", f"{DBUS}UnknownObject"]


@pytest.mark.parametrize("name", FINAL)
def test_refusals_are_final(connected, manager, executor, name):
    """Though the end of the pipe may be seen first."""
    guid = order(manager)
    fetch = executor.wait("Fetch")
    fetch.close()
    manager.round_trip(str(uuid.uuid4()))
    fetch.refuse(name)
    assert error_of(manager, guid) == "because"


@pytest.mark.parametrize("name", FINAL)
def test_refusals_of_the_job_are_final(connected, manager, executor, name):
    guid = order(manager)
    executor.wait("Fetch").write(SCRIPT, b"ok\n")
    executor.wait("Start").refuse(name)
    assert error_of(manager, guid) == "because"
    assert [call.method for call in executor.calls] == ["Fetch", "Start"]


@pytest.mark.parametrize("name", ["NoSpace", "Unknown", "ShuttingDown", f"{DBUS}LimitsExceeded", f"{DBUS}NoReply",
                                  f"{DBUS}ServiceUnknown"])
def test_start_that_may_succeed_later_is_tried_again(connected, manager, executor, name):
    guid = order(manager)
    executor.wait("Fetch").write(SCRIPT, b"ok\n")
    for n in (1, 2):
        executor.wait("Start", n).refuse(name)
    executor.wait("Start", 3).refuse("Refused")
    assert error_of(manager, guid) == "because"


@pytest.mark.parametrize("name", ["Busy", "Unknown", "ShuttingDown", f"{DBUS}NoReply"])
def test_what_passes_is_tried_again(connected, manager, executor, name):
    """With a file and a pipe of its own; the former ones are given up."""
    guid = order(manager)
    for n in (1, 2):
        fetch = executor.wait("Fetch", n)
        os.write(fetch.fds[1], b"of a former attempt")
        fetch.refuse(name)
        wait_for(lambda f=fetch: reader_is_gone(f.fds[2]), "the pipe to be closed")
    fetch = executor.wait("Fetch", 3)
    assert fetch.read(1) == b""
    fetch.write(b"", b"enough\n")
    assert error_of(manager, guid) == "The download failed: enough"


@pytest.mark.parametrize("answered", [False, True])
def test_cancel(connected, manager, executor, answered):
    guid = order(manager)
    fetch = executor.wait("Fetch")
    if answered:
        fetch.answer()
    manager.send(type="CANCEL", request_id=guid)
    assert error_of(manager, guid) == "The job was cancelled before it started"
    wait_for(lambda: reader_is_gone(fetch.fds[2]), "the pipe to be closed")
    if not answered:
        fetch.answer()
    manager.round_trip(str(uuid.uuid4()))
    assert [call.method for call in executor.calls] == ["Fetch"]


def test_directory_tells_more_than_a_failed_download(connected, manager, executor):
    """An executor that ended between: then only Start can tell whether the job is on its way."""
    guid = order(manager)
    fetch = executor.wait("Fetch")
    (connected.jobs / guid).mkdir()
    (connected.jobs / guid / "exit").touch()
    fetch.write(b"", b"the source is gone\n")
    manager.send(type="STATUS", request_id=guid)
    assert manager.wait_message("STATUS", guid)["state"] == "ACKED"
    assert not manager.of_type("REPLY", guid)


def test_end_of_the_agent_during_a_download(connected, manager, executor):
    order(manager)
    fetch = executor.wait("Fetch")
    fetch.answer()
    connected.stop()
    assert reader_is_gone(fetch.fds[2])


def test_many_leave_no_descriptor(connected, manager, executor):
    def many(first):
        for n in range(first, first + 20):
            guid = order(manager)
            executor.wait("Fetch", n).write(b"", b"no\n" if n % 2 else b"")
            error_of(manager, guid)

    many(1)
    before = connected.n_descriptors()
    many(21)
    wait_for(lambda: connected.n_descriptors() <= before, "the end of the last download")
