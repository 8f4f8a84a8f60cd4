# SPDX-License-Identifier: Apache-2.0
"""dcm-call-worker on a real dbus-daemon that has no room for its call at first."""
import os
import re
import shutil
import subprocess

import pytest
from gi.repository import Gio, GLib

from harness import BUILD, ROOT, Bus, temporary_directory, wait_for

WORKER_CALL = BUILD / "src/dcm-call-worker/dcm-call-worker"
WORKER, PATH = "org.example.Worker", "/org/dcmagent/Worker1"
LIMITS_EXCEEDED = "org.freedesktop.DBus.Error.LimitsExceeded"


class NarrowBus(Bus):
    """Its limit of calls that wait can be changed while it runs."""

    CONFIG = Bus.CONFIG.replace("</busconfig>", '<limit name="max_replies_per_connection">1</limit></busconfig>')

    def __init__(self, directory):
        super().__init__(directory)
        self.config = directory / "bus.conf"
        self.refusals = 0

    def connect(self):
        return Gio.DBusConnection.new_for_address_sync(
            self.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
            Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)

    def call_daemon(self, connection, interface, method, parameters=None):
        connection.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", interface, method, parameters, None, 0,
                             -1, None)

    def watch(self):
        """Counts the calls that the daemon refuses."""
        self.monitor = self.connect()
        self.monitor.set_exit_on_close(False)
        self.monitor.add_filter(self._on_message)
        self.call_daemon(self.monitor, "org.freedesktop.DBus.Monitoring", "BecomeMonitor",
                         GLib.Variant("(asu)", ([], 0)))

    def _on_message(self, _connection, message, incoming):
        self.refusals += incoming and message.get_error_name() == LIMITS_EXCEEDED
        is_call = message.get_message_type() == Gio.DBusMessageType.METHOD_CALL
        return None if incoming and is_call else message  # a monitor answers nothing

    def set_replies(self, n):
        """That many calls of one connection may wait for their replies."""
        self.config.write_text(re.sub('connection">[0-9]+<', f'connection">{n}<', self.config.read_text()))
        connection = self.connect()
        connection.set_exit_on_close(False)
        self.call_daemon(connection, "org.freedesktop.DBus", "ReloadConfig")
        connection.close_sync(None)


class Worker:
    """Counts what reaches it. `error`: it answers by an error of its own, with that name."""

    def __init__(self, bus):
        self.calls, self.error = [], None
        self.connection = bus.connect()
        self.connection.set_exit_on_close(False)
        node = Gio.DBusNodeInfo.new_for_xml((ROOT / "dbus/org.dcmagent.Worker1.xml").read_text())
        self.connection.register_object(PATH, node.interfaces[0], self._on_call, None, None)
        bus.call_daemon(self.connection, "org.freedesktop.DBus", "RequestName", GLib.Variant("(su)", (WORKER, 0)))

    def _on_call(self, _connection, _sender, _path, _interface, method, parameters, invocation):
        self.calls.append((method, *parameters.unpack()))
        if self.error:
            invocation.return_dbus_error(self.error, "no room in the worker")
        else:
            invocation.return_value(GLib.Variant("(s)", ('{"done": true}',)))


@pytest.fixture
def bus():
    directory = temporary_directory()
    bus = NarrowBus(directory)
    yield bus
    bus.stop()
    shutil.rmtree(directory)


def start(bus):
    return subprocess.Popen(
        ["sh", "-c", 'echo "{}" | "$@"', "sh", WORKER_CALL, WORKER, PATH, "guid", "command"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus.address})


def end(job):
    wait_for(lambda: job.poll() is not None, "the end of the call")
    return job.returncode, job.stdout.read()


def test_no_room_for_a_reply(bus):
    """The call did not reach the worker, so it is made again until it does, and then once."""
    worker = Worker(bus)
    bus.watch()
    bus.set_replies(0)
    job = start(bus)
    wait_for(lambda: bus.refusals >= 2, "two refusals")
    assert job.poll() is None and not worker.calls
    bus.set_replies(1)
    assert end(job) == (0, '{"done": true}')
    assert worker.calls == [("Run", "guid", "command", "{}\n")]


def test_worker_without_room(bus):
    """The same error from the worker itself is its answer: the call reached it and is not made again."""
    worker = Worker(bus)
    worker.error = LIMITS_EXCEEDED
    status, text = end(start(bus))
    assert status == 1 and "no room in the worker" in text
    assert len(worker.calls) == 1
