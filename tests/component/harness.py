# SPDX-License-Identifier: Apache-2.0
"""A private bus, a real dcm-agentd, and an independent WebSocket server (libsoup) as its manager."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import gi

gi.require_version("Soup", "3.0")
from gi.repository import Gio, GLib, Soup  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DCM_BUILD", ROOT / "build")).resolve()
DEADLINE = 240.0  # of one wait, which only a failure reaches; sanitizers and loaded machines are slow

HANDSHAKE = {
    "return_code": 200,
    "handshake": {
        "version": "1",
        "agentID": "agent-1",
        "customerId": "1",
        "serverId": "s-1",
        "serverName": "web1",
        "cloudId": "1",
        "regionId": "r1",
        "zoneId": "z1",
        "mountPoint": "/mnt/dcmdata",
        "pk": None,
        "cloudDelegate": None,
    },
}


def wait_for(condition, what, seconds=DEADLINE):
    """Runs the main loop until condition() is true."""
    context = GLib.MainContext.default()
    deadline = time.monotonic() + seconds
    timer = GLib.timeout_add(20, lambda: True)  # so that conditions outside of the loop are seen
    try:
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}")
            context.iteration(True)
    finally:
        GLib.source_remove(timer)


def wait_for_seconds(seconds):
    """Runs the main loop that long."""
    end = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() >= end, "time", seconds + DEADLINE)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Manager:
    """The server's side of protocol 104, as a test wants it."""

    def __init__(self, certificate=None, port=0, everywhere=False):
        """It listens on 127.0.0.1, or on all addresses and any port."""
        self.server = Soup.Server()
        self.server.add_websocket_handler("/", None, ["dcm"], self._on_connect)
        self.certificate = certificate
        self.tls = certificate and Gio.TlsCertificate.new_from_files(*map(str, certificate))
        self.listener = Gio.SocketService()
        self.listener.connect("incoming", self._on_incoming)
        if everywhere:
            self.port = self.listener.add_any_inet_port(None)
        else:
            address = Gio.InetSocketAddress.new_from_string("127.0.0.1", port)
            _, used = self.listener.add_address(address, Gio.SocketType.STREAM, Gio.SocketProtocol.TCP, None)
            self.port = used.get_port()
        self.answers = []  # handshake answers still to be given; then HANDSHAKE for ever
        self.connections = []
        self.offers = []
        self.received = []
        self.closed = 0
        self.on_message = None

    def url(self, host="127.0.0.1"):
        return f"{'wss' if self.certificate else 'ws'}://{host}:{self.port}/agentManager"

    def _on_incoming(self, _listener, connection, _source):
        """The TLS handshake is GLib's, before libsoup sees the connection: libsoup 3.6 crashes when a client
        leaves during its own."""
        if not self.tls:
            self._accept(connection, connection)
            return
        stream = Gio.TlsServerConnection.new(connection, self.tls)
        stream.handshake_async(GLib.PRIORITY_DEFAULT, None, self._on_handshake, connection)

    def _on_handshake(self, stream, result, connection):
        try:
            stream.handshake_finish(result)
        except GLib.Error:  # the client does not trust the certificate, or left
            connection.close(None)
            return
        self._accept(stream, connection)

    def _accept(self, stream, connection):
        self.server.accept_iostream(stream, connection.get_local_address(), connection.get_remote_address())

    def _on_connect(self, _server, _message, _path, connection):
        connection.set_max_incoming_payload_size(16 << 20)
        connection.connect("message", self._on_text)
        connection.connect("closed", self._on_closed)
        connection.introduced = False
        self.connections.append(connection)

    def _on_closed(self, _connection):
        self.closed += 1

    def _on_text(self, connection, _kind, data):
        message = json.loads(data.get_data())
        if not connection.introduced:
            connection.introduced = True
            self.offers.append(message)
            answer = self.answers.pop(0) if self.answers else HANDSHAKE
            if answer is not None:
                self.send_raw(answer if isinstance(answer, str) else json.dumps(answer))
            return
        self.received.append(message)
        if self.on_message:
            self.on_message(message)

    def send_raw(self, text):
        self.connections[-1].send_text(text)

    def send(self, **message):
        self.send_raw(json.dumps(message))

    def request(self, guid, command, arguments=None, **payload):
        self.send(
            type="REQUEST",
            request_id=guid,
            message_id=f"m-{guid}",
            payload={"command": command, "arguments": arguments or {}, **payload},
        )

    def ack(self, reply):
        self.send(type="ACK", request_id=reply["request_id"], message_id=reply["message_id"])

    def of_type(self, kind, guid=None):
        return [
            m
            for m in self.received
            if m["type"] == kind and (guid is None or m.get("request_id") == guid)
        ]

    def wait_offer(self, n=1):
        wait_for(lambda: len(self.offers) >= n, f"handshake {n}")
        return self.offers[n - 1]

    def wait_message(self, kind, guid=None, n=1):
        wait_for(lambda: len(self.of_type(kind, guid)) >= n, f"{n} {kind} for {guid}")
        return self.of_type(kind, guid)[n - 1]

    def close_all(self, code=1000):
        for connection in self.connections:
            if connection.get_state() == Soup.WebsocketState.OPEN:
                connection.close(code, None)

    def round_trip(self, guid):
        """One request, from beginning to end."""
        self.request(guid, "heartbeat")
        self.ack(self.wait_message("REPLY", guid))

    def stop(self):
        self.listener.stop()
        self.listener.close()
        self.server.disconnect()
        for connection in self.connections:
            with contextlib.suppress(GLib.Error):  # a closing handshake that the agent did not finish
                connection.get_io_stream().close(None)


class Bus:
    """A private dbus-daemon that lets everybody own everything."""

    CONFIG = """<busconfig><type>system</type><listen>unix:path={path}</listen>
    <auth>EXTERNAL</auth><policy context="default"><allow send_destination="*" eavesdrop="true"/>
    <allow receive_sender="*"/><allow own="*"/></policy></busconfig>"""

    def __init__(self, directory):
        self.path = directory / "bus"
        config = directory / "bus.conf"
        config.write_text(self.CONFIG.format(path=self.path))
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"],
            stdin=subprocess.DEVNULL,
        )
        wait_for(self.path.exists, "the private bus")
        self.address = f"unix:path={self.path}"

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Agent:
    """A dcm-agentd process, its directories and its configuration."""

    def __init__(self, bus, directory):
        self.bus = bus
        self.directory = directory
        self.state = directory / "state"
        self.jobs = directory / "jobs"
        self.dropins = directory / "agent.conf.d"
        for path in (self.state, self.jobs, self.dropins):
            path.mkdir()
        self.config = directory / "agent.conf"
        self.log = directory / "log"
        self.commands = directory / "commands.d"
        self.process = None
        self.environment = {}  # of each process
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notify.bind(str(directory / "notify"))
        self.notified = ""
        # sd_notify() blocks while the socket is full, which it is after ten messages
        self.drain = GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, self.notify.fileno(), GLib.IOCondition.IN,
                                           self.on_notify)

    def configure(self, url=None, **sections):
        values = {"connection": {}, **sections}
        backoff = values["connection"].get("backoff", "20")
        # the shorter one counts: a test that asks for a long first wait is to have it
        most = max(200, int(backoff)) if backoff.isdigit() else 200
        values["connection"] = {"backoff": "20", "max_backoff": str(most), **values["connection"]}
        if url:
            values["connection"]["agentmanager_url"] = url
        text = ""
        for section, keys in values.items():
            text += f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
        self.config.write_text(text)

    def start(self, wrapper=(), **environment):
        self.process = subprocess.Popen(
            [
                *wrapper,
                BUILD / "src/dcm-agentd/dcm-agentd",
                f"--config={self.config}",
                f"--config-directory={self.dropins}",
                f"--state-directory={self.state}",
                f"--jobs-directory={self.jobs}", f"--commands-directory={self.commands}",
                f"--shipped-commands-directory={ROOT}/scripts/commands.d",
                f"--seal-order={self.directory}/seal-order",
                f"--cloud-socket={self.directory}/cloud", f"--alerts={self.directory}/alerts.conf",
                f"--alerts-directory={self.directory}/alerts.conf.d",
                f"--policy={self.directory}/policy.conf", f"--policy-directory={self.directory}/policy.conf.d",
            ],
            stdin=subprocess.DEVNULL,
            stderr=self.log.open("ab"),
            env={
                **os.environ,
                "DBUS_SYSTEM_BUS_ADDRESS": self.bus.address,
                "NOTIFY_SOCKET": str(self.directory / "notify"),
                **self.environment, **environment,
            },
        )

    def failures(self):
        """The reason of each failed attempt so far."""
        return re.findall(r"^STATUS=Not connected to \S+: (.*); next attempt in", self.notifications(),
                          re.M)

    def wait_failure(self, n=1):
        wait_for(lambda: len(self.failures()) >= n, f"{n} failed attempts")
        return self.failures()[n - 1]

    def notifications(self):
        """Everything that was said by sd_notify() so far."""
        while True:
            try:
                self.notified += self.notify.recv(65536).decode() + "\n"
            except BlockingIOError:
                return self.notified

    def on_notify(self, *_):
        self.notifications()
        return True

    def close(self):
        GLib.source_remove(self.drain)
        self.notify.close()

    def wait_notify(self, text):
        wait_for(lambda: text in self.notifications(), f"sd_notify {text!r}")

    def wait_log(self, text):
        wait_for(lambda: text in self.log.read_text(), f"log line {text!r}")

    def n_lines(self):
        return len(self.log.read_text().splitlines())

    def n_descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory(self):
        """Bytes of its own: the share of libraries (in Pss) changes with the number of their users."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss_Anon:\s+(\d+)", text, re.M)[1]) << 10

    def failures(self):
        """The texts of all failures to connect, as far as the service manager was told."""
        return re.findall(r"^STATUS=Not connected to \S+: (.*); next attempt", self.notifications(),
                          re.M)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self):
        """Ends it as systemd does; a sanitizer's report is a failure."""
        if not self.process:
            return
        self.process.terminate()

        def ended():
            return self.process.poll() is not None and [self.process.returncode]

        status = wait_for(ended, "the end of the agent")
        self.process = None
        assert status == [0], self.log.read_text()

    def on_bus(self, verb, *arguments, interface="org.dcmagent.Agent1.Manager"):
        def answer():
            self.notifications()  # meanwhile the main loop does not run
            try:
                return [busctl(self.bus, verb, "org.dcmagent.Agent1", "/org/dcmagent/Agent1", interface, *arguments)]
            except subprocess.CalledProcessError as error:
                # a handshake may be over before the bus has given the name
                if "was not provided" not in error.stderr:
                    print(error.stderr)
                    raise
                return None

        return wait_for(answer, "the agent's name on the bus")[0]

    def call(self, method, *arguments):
        return self.on_bus("call", method, *arguments)

    def wait_name(self):
        """For a program that asks the agent, if there is one: to be connected it needs no bus."""
        if self.process:
            self.on_bus("get-property", "State")

    def property(self, name):
        return json.loads(self.on_bus("get-property", name))["data"]


class LoneAgent(Agent):
    """One with a bus of its own, so that several can run side by side."""

    def __init__(self):
        directory = temporary_directory()
        super().__init__(Bus(directory), directory)

    def remove(self):
        try:
            self.stop()
        finally:
            if self.process:
                self.kill()
            self.close()
            self.bus.stop()
            shutil.rmtree(self.directory)


# What was freed counts as used as long as a sanitizer keeps it; and one is not loaded first where a test is.
SANITIZER = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:verify_asan_link_order=0"}


def preload(name):
    return {"LD_PRELOAD": str(BUILD / f"tests/component/{name}.so"), **SANITIZER}


# For agent.start() and agent.environment.
EXACT_TIMERS = preload("exact-timers")  # waits of some milliseconds
FAST_CLOCK = preload("fast-clock")  # its seconds are tenths: for one that waits in vain


def busctl(bus, *arguments):
    return subprocess.run(
        ["busctl", "--json=short", f"--address={bus.address}", *arguments],
        check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    ).stdout


def temporary_directory():
    return pathlib.Path(tempfile.mkdtemp(prefix="dcm-test-"))
