# SPDX-License-Identifier: Apache-2.0
"""Proves that proxies which were named, and no others, tell for whom they connect; and what docs/haproxy.md
says, with its configuration and a real HAProxy: agents stay over a reload, and a drained manager's agents go to
the other one."""
import json
import pathlib
import shutil
import socket
import ssl
import struct

import pytest

from harness import DEADLINE, free_port, wait_for
from servers import Server as Foreground
from test_manager import TOKEN, RawClient, Server, certificate, server, start  # noqa: F401

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/haproxy.md"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def header(source="192.0.2.7", port=4242, command=1):
    addresses = socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack(">HH", port, 443)
    return SIGNATURE + bytes([0x20 | command, 0x11]) + struct.pack(">H", len(addresses)) + addresses


class Proxied(RawClient):
    """Behind a proxy at 127.0.0.5, or not."""

    def __init__(self, server, before=b"", source="127.0.0.5"):
        host, port = server.listen.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=DEADLINE, source_address=(source, 0))
        self.socket.sendall(before)

    def introduce(self, token=TOKEN):
        self.upgrade()
        self.send_text(json.dumps({"token": token, "ipv4": ["192.0.2.2"]}))
        return self.receive_text()


def peers(server):
    return [a["peer"] for a in json.loads(server.cli("agents", "--json")[1]) if a["connected"]]


def test_address_is_the_clients(start):
    server = start("--proxy-protocol-from=127.0.0.4/31")
    agent = Proxied(server, header())
    assert agent.introduce()["return_code"] == 200
    assert peers(server) == ["192.0.2.7:4242"]
    assert "is connected from 192.0.2.7:4242" in server.log()
    guid = server.run("agent", "heartbeat")
    assert agent.receive_text()["request_id"] == guid
    agent.close()
    agent = Proxied(server)
    for byte in header("192.0.2.8"):  # in pieces
        agent.socket.sendall(bytes([byte]))
    assert agent.introduce()["return_code"] == 200
    assert peers(server) == ["192.0.2.8:4242"]
    agent.close()


def test_proxy_may_speak_for_itself(start):
    """A health check of its own (LOCAL)."""
    server = start("--proxy-protocol-from=127.0.0.5")
    client = Proxied(server, header(command=0) + b"GET /health HTTP/1.0\r\n\r\n")
    assert client.socket.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
    client.close()


@pytest.mark.parametrize("before", [b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 192.0.2.7 127.0.0.1 4242 443\r\n",
                                    header()[:13] + b"\xf1" + header()[14:]])
def test_proxy_without_a_header_is_closed(start, before):
    server = start("--proxy-protocol-from=127.0.0.5")
    client = Proxied(server, before)
    try:
        assert client.socket.recv(1) == b""
    except ConnectionResetError:
        pass
    client.close()
    assert "sent no header of PROXY protocol 2" in server.log()
    assert Proxied(server, source="127.0.0.6").introduce()["return_code"] == 200  # no proxy, no header


def test_nobody_else_may_say_who_he_is(server):
    client = Proxied(server, header())
    client.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
    data = b""
    try:
        while part := client.socket.recv(4096):
            data += part
    except ConnectionResetError:
        pass
    assert not data.startswith(b"HTTP/1.1 101") and "192.0.2.7" not in server.log()
    client.close()


def test_bounds_are_the_clients(start):
    """With room for 125 that are new to anybody: one client behind the proxy has filled it, and another one
    behind the same proxy takes the place of one of the first."""
    server = start("--proxy-protocol-from=127.0.0.5", prefix=("prlimit", "--nofile=266:266"))
    agents = []

    def come(source, token):
        agents.append(Proxied(server, header(source)))
        return agents[-1].introduce(token)["return_code"]

    while come("192.0.2.7", f"{TOKEN}{len(agents)}") == 200:
        pass
    assert 60 < len(agents) < 130
    assert come("192.0.2.8", TOKEN + "other") == 200
    for agent in agents:
        agent.close()


@pytest.mark.parametrize("value", ["", "192.0.2.1/24", "host", "192.0.2.0/33"])
def test_wrong_ranges(server, value):
    assert server.cli("serve", f"--proxy-protocol-from={value}")[0] == 2


class Balancer(Foreground):
    """HAProxy as the page has it, with other addresses."""

    def __init__(self, first, second):
        super().__init__()
        self.old = []
        self.port = free_port()
        text = PAGE.read_text().split("```haproxy\n")[1].split("```")[0]
        for before, after in (("/run/haproxy/admin.sock", str(self.directory / "control")),
                              ("bind :8443", f"bind 127.0.0.1:{self.port}"), ("maxconn 50000", "maxconn 500"),
                              ("192.0.2.11:8443", first.listen), ("192.0.2.12:8443", second.listen),
                              ("inter 2s", "inter 100ms")):
            assert before in text
            text = text.replace(before, after)
        self.config = self.write("haproxy.cfg", text)
        self.start_listening(self.port, "haproxy", "-db", "-f", self.config)

    def reload(self):
        self.old.append(self.process)
        self.process = self.spawn("haproxy", "-db", "-f", self.config, "-sf", self.process.pid,
                                  "-x", self.directory / "control")

    def stop(self):
        for process in self.old:
            self.end(process)
        super().stop()


class SecureClient(Proxied):
    """Through HAProxy, from an address of its own."""

    def __init__(self, balancer, ca, source):
        plain = socket.create_connection(("127.0.0.1", balancer.port), timeout=DEADLINE, source_address=(source, 0))
        self.address = "%s:%d" % plain.getsockname()
        self.socket = ssl.create_default_context(cafile=str(ca)).wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.mark.skipif(not shutil.which("haproxy", path="/usr/sbin:/usr/bin"), reason="there is no haproxy")
def test_behind_haproxy(certificate, tmp_path):
    cert = certificate("manager")
    managers = []
    try:
        for name in ("first", "second"):
            directory = tmp_path / name
            directory.mkdir()
            managers.append(Server(directory, "--cert", str(cert), "--key", str(tmp_path / "key.pem"),
                                   "--proxy-protocol-from=127.0.0.1", tls=True))
        first, second = managers
        with Balancer(*managers) as balancer:
            agents = [SecureClient(balancer, cert, f"127.0.0.{20 + i}") for i in range(3)]
            for number, agent in enumerate(agents):
                assert agent.introduce(f"{TOKEN}{number}")["return_code"] == 200
            assert sorted(peers(first)) == sorted(agent.address for agent in agents)

            balancer.reload()
            late = SecureClient(balancer, cert, "127.0.0.30")
            assert late.introduce(TOKEN + "late")["return_code"] == 200
            for agent in agents:  # those of the former process
                guid = first.run(next(a["id"] for a in json.loads(first.cli("agents", "--json")[1])
                                      if a.get("peer") == agent.address), "heartbeat")
                assert agent.receive_text()["request_id"] == guid

            draining = first.cli_start("drain", "--within=86400")
            balancer.wait_log("Server managers/first is DOWN")
            # the processes before and after the reload learn it one after the other
            for number in range(100):
                newcomer = SecureClient(balancer, cert, "127.0.0.31")
                assert newcomer.introduce(f"{TOKEN}newcomer{number}")["return_code"] == 200
                if peers(second):
                    break
                newcomer.socket.close()
            assert peers(second) == [newcomer.address]
            wait_for(lambda: len(peers(first)) == 4, "the end of those that came to the first")
            assert first.cli("drain", "--within=0.1")[0] == 0
            assert first.finish(draining)[0] == 0
            for agent in (*agents, late):
                assert agent.close_code() == 1001
            again = SecureClient(balancer, cert, "127.0.0.20")
            assert again.introduce(TOKEN + "0")["return_code"] == 200
            assert again.address in peers(second)

            first.stop()
            first.start()
            balancer.wait_log("Server managers/first is UP")
            back = SecureClient(balancer, cert, "127.0.0.40")
            assert back.introduce(TOKEN + "back")["return_code"] == 200
            assert peers(first) == [back.address]
    finally:
        for manager in managers:
            assert manager.stop() == 0, manager.log()
