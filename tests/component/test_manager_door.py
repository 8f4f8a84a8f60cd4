# SPDX-License-Identifier: Apache-2.0
"""Proves that no stranger keeps others out: whatever one host does with thousands of connections
that it holds and makes anew, an agent that is known comes back, and memory stays bounded."""
import contextlib
import json
import pathlib
import resource
import socket
import subprocess
import sys

import pytest

from harness import DEADLINE
from test_manager import TOKEN, UPGRADE, Agent, RawClient, certificate, server, start  # noqa: F401

CROWD = pathlib.Path(__file__).with_name("crowd.py")
N = 6000


@contextlib.contextmanager
def crowd(server, kind, source="127.0.0.1", n=N, drops=0):
    """Is there when all its connections are made and so many were dropped."""
    host, port = server.listen.rsplit(":", 1)
    process = subprocess.Popen([sys.executable, str(CROWD), host, port, source, str(n), kind],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        while (line := process.stdout.readline()) != "made\n":
            assert line, "the crowd is gone"
        while drops and int(process.stdout.readline().split()[1]) < drops:
            pass
        yield process
        assert process.poll() is None, "the crowd is gone"
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(30)


class Sourced(RawClient):
    """An agent with an address of its own."""

    def __init__(self, server, source):
        host, port = server.listen.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=DEADLINE, source_address=(source, 0))

    def introduce(self, token=TOKEN):
        self.upgrade()
        self.send_text(json.dumps({"token": token, "ipv4": ["192.0.2.2"]}))
        return self.receive_text()


@pytest.mark.parametrize("again", range(2))
def test_idle_crowd_at_the_agents_own_address(server, again):
    """As behind one NAT: those that say nothing go before those that speak."""
    known = server.agent()
    known.close()
    with crowd(server, "idle", drops=2000):
        for _ in range(3):
            agent = server.agent(agent_id=known.id)
            assert agent.id == known.id
            agent.close()
        assert server.cli("agents")[0] == 0
    log = server.log()
    assert "sent no handshake, and other connections wait" in log
    assert log.count("sent no handshake") < 50  # one line for many


@pytest.mark.parametrize("kind", ["head", "trickle", "hello"])
def test_crowd_at_the_agents_own_address_that_does_not_go_on(start, certificate, tmp_path, kind):
    """Half a head of HTTP, or half a ClientHello, is no more than silence."""
    cert = certificate("manager") if kind == "hello" else None
    server = start("--cert", str(cert), "--key", str(tmp_path / "key.pem"), tls=True) if cert else start()
    known = Agent(server.url, cert).accepted()
    known.close()
    with crowd(server, kind, drops=2000):
        for _ in range(3):
            agent = Agent(server.url, cert).accepted()
            assert agent.id == known.id
            agent.close()


def test_what_a_connection_begins_with_may_come_in_pieces(server):
    client = RawClient(server)
    for byte in UPGRADE:
        client.socket.sendall(bytes([byte]))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.socket.recv(1)
    assert head.startswith(b"HTTP/1.1 101 ")
    for wrong in (b"GET / HTTP/1.1\r\n" + b"a" * 70000, b"GET / HT"):  # too long, and cut off
        client = RawClient(server)
        with contextlib.suppress(ConnectionError):  # it need not be read to its end
            client.socket.sendall(wrong)
            client.socket.shutdown(socket.SHUT_WR)
            while client.socket.recv(65536):
                pass


@pytest.mark.parametrize("kind", ["idle", "head", "upgraded", "trickle"])
def test_crowd_at_another_address(server, kind):
    known = server.agent()
    known.close()
    with crowd(server, kind):
        for _ in range(3):
            agent = Sourced(server, "127.0.0.2")
            answer = agent.introduce()
            assert answer["handshake"]["agentID"] == known.id
            agent.close()


def test_connected_agents_stay(server):
    agent = server.agent()
    with crowd(server, "upgraded"):
        guid = server.run(agent.id, "heartbeat")
        assert agent.receive("REQUEST")["request_id"] == guid
    assert not agent.closed


def test_many_handshakes_at_once_all_succeed(start):
    """More than have a place: none that speaks is dropped for another, though all are of one address."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    server = start()
    agents = [Sourced(server, "127.0.0.1") for _ in range(1500)]
    for number, agent in enumerate(agents):  # all before the first answer is read
        agent.send_text(json.dumps({"token": f"{TOKEN}{number}", "ipv4": ["192.0.2.2"]}), UPGRADE)
    for agent in agents:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += agent.socket.recv(1)
    assert {agent.receive_text()["return_code"] for agent in agents} == {200}
    for agent in agents:
        agent.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_those_that_are_needed_have_room(start):
    """With room for 125: agents that register now may fill six eighths of it, those that come again
    seven, and one that an operator has named takes the place of one that nobody needs."""
    server = start(prefix=("prlimit", "--nofile=266:266"))
    tokens = [f"{TOKEN}{i}" for i in range(132)]
    known, named, staying, new = tokens[:61], tokens[61:86], tokens[86:131], tokens[131]
    agents = {}

    def come(*some):
        ids = []
        for token in some:
            agents[token] = Sourced(server, "127.0.0.2")
            answer = agents[token].introduce(token)
            if answer["return_code"] != 200:
                assert answer["return_code"] == 503
                agents.pop(token).close()
                return None
            ids.append(answer["handshake"]["agentID"])
        return ids

    def connected():
        listed = json.loads(server.cli("agents", "--json")[1])
        return {a["id"] for a in listed if a["connected"]}

    def leave(*some):
        for token in some:
            agents.pop(token).close()
        while len(connected()) > len(agents):
            pass

    assert come(*known)
    leave(*known)
    needed = come(*named)
    for i, name in enumerate(needed):
        assert server.cli("name", name, f"web{i}")[0] == 0
    leave(*named)
    assert come(*staying, *known[:45])
    assert not come(new)
    assert come(*known[45:60])
    assert not come(known[60])
    assert come(*named[:20])
    assert len(connected()) == 125
    assert come(*named[20:])
    assert len(connected()) <= 125 and connected() >= set(needed)
    for agent in agents.values():
        agent.close()


def test_one_address_does_not_fill_the_room_of_others(start):
    """With room for 125, again: one host has registered as many agents as may come, and all have come once
    more. Whoever has fewer connected takes the place of one of them, known or new, and one of that host does
    not."""
    server = start(prefix=("prlimit", "--nofile=264:264"))
    agents, answers = [], []

    def come(source, token):
        agents.append(Sourced(server, source))
        answers.append(agents[-1].introduce(token))
        return answers[-1]["return_code"]

    assert come("127.0.0.2", TOKEN) == 200  # known, and of use to nobody
    agents.pop().close()
    for number in range(16):
        assert come("127.0.0.1", f"{TOKEN}{number}") == 200
        agents.pop().close()
    for number in range(16, 140):
        come("127.0.0.1", f"{TOKEN}{number}")
    assert answers[-1]["return_code"] == 503
    for number in range(16):
        come("127.0.0.1", f"{TOKEN}{number}")
    assert answers[-1]["return_code"] == 503
    assert come("127.0.0.2", TOKEN) == 200 and answers[-1]["handshake"]["agentID"] == answers[0]["handshake"]["agentID"]
    assert come("127.0.0.3", TOKEN + "new") == 200
    assert come("127.0.0.1", TOKEN + "15") == 503
    for agent in agents:
        agent.close()
