# SPDX-License-Identifier: Apache-2.0
"""Peers that break off, hang, trickle, flood, or accept and go. Whatever they do, the agent comes
back, says which step failed, holds no more memory and descriptors than before, logs a bounded
number of lines, and still answers the next one that behaves. The peers are plain sockets, as no
proper server can be made to do this."""

import contextlib
import json
import re
import select
import socket
import struct
import threading
import time

import pytest

import harness
from harness import BUILD, EXACT_TIMERS, HANDSHAKE, wait_for
from test_states import JOB, Executor
from test_tls import authority  # noqa: F401, a fixture
from test_websocket import CLOSE, CONTINUATION, PING, PONG, TEXT, Connection, frame

SANITIZED = "asan" in str(BUILD)
MIB = 1 << 20
FACTOR = 4 if SANITIZED else 1
MEMORY_MAX = 64 * MIB * FACTOR
FAST = {"backoff": "10", "max_backoff": "10", "heartbeat_frequency": "3600"}
ANSWER = frame(json.dumps(HANDSHAKE).encode())
CONSOLE_LINES_MAX = 100


def upgrade(connection):
    """The head that accepts it."""
    return b"\r\n".join([b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket",
                         b"Connection: Upgrade", b"Sec-WebSocket-Protocol: dcm",
                         connection.accept_line(), b"", b""])


def message(kind, guid, **more):
    return frame(json.dumps({"type": kind, "request_id": guid, "message_id": "m", **more}).encode())


def request(guid, command="heartbeat", **arguments):
    return message("REQUEST", guid, payload={"command": command, "arguments": arguments})


class Peer:
    """What the agent connects to."""

    def __init__(self, agent):
        self.agent = agent
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.server.getsockname()[1]}/"
        self.n_accepted = 0

    def start(self, **sections):
        connection = {**FAST, **sections.pop("connection", {})}
        self.agent.configure(self.url, connection=connection,
                             messaging={"retransmission_timeout": "3600"}, **sections)
        self.agent.start(**EXACT_TIMERS)

    def accept(self):
        """A connection of which nothing is read yet."""
        deadline = time.monotonic() + harness.DEADLINE
        while not select.select([self.server], [], [], 0.05)[0]:
            assert self.agent.process.poll() is None, self.agent.log.read_text()
            assert time.monotonic() < deadline, "the agent does not come back"
            self.agent.notifications()  # a full socket would hold the agent up
        self.agent.notifications()
        self.n_accepted += 1
        sock = self.server.accept()[0]
        sock.settimeout(harness.DEADLINE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Connection(sock)

    def upgraded(self):
        connection = self.accept()
        connection.head()
        connection.send(upgrade(connection))
        return connection

    def open(self):
        connection = self.upgraded()
        connection.introduce()
        return connection

    def check_next(self):
        """One that behaves is answered as if nothing had been."""
        connection = self.open()
        guid = f"next-{self.n_accepted}"
        connection.send(request(guid))
        opcode, data = connection.receive()
        while opcode != TEXT or f'"REPLY"' not in data.decode() or guid not in data.decode():
            assert opcode != CLOSE, data
            if opcode == PING:
                connection.send(frame(data, PONG))
            opcode, data = connection.receive()
        connection.send(message("ACK", guid))
        return connection


@pytest.fixture
def peer(agent):
    peer = Peer(agent)
    yield peer
    peer.server.close()


def reset(connection):
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.sock.close()


def end(connection):
    """FIN, also where the agent's bytes were not read, which would make it a reset."""
    connection.sock.shutdown(socket.SHUT_WR)
    with contextlib.suppress(EOFError):
        while True:
            connection.read()
    connection.sock.close()


# Those that never answer. Their time, a minute, is that of all other tests here.

class Silent(threading.Thread):
    """Accepts one connection of an agent of its own, does something useless until the agent is tired of
    it, and notes after how many seconds that was."""

    def __init__(self, act, scheme="ws"):
        super().__init__(daemon=True)
        self.act = act
        self.seconds = None
        self.server = socket.create_server(("127.0.0.1", 0))
        self.agent = harness.LoneAgent()
        self.agent.configure(f"{scheme}://127.0.0.1:{self.server.getsockname()[1]}/",
                             connection={"backoff": "3600000", "max_backoff": "3600000"})
        self.agent.start()
        self.start()

    def run(self):
        connection = Connection(self.server.accept()[0])
        begin = time.monotonic()
        for _ in self.act(connection):
            readable = select.select([connection.sock], [], [], 0.5)[0]
            try:
                if readable and not connection.sock.recv(65536):
                    break
            except ConnectionResetError:
                break
        self.seconds = time.monotonic() - begin
        connection.sock.close()

    def stop(self):
        self.server.close()
        self.agent.remove()


def say_nothing(_connection):
    while True:
        yield


def trickle_head(connection):
    connection.head()
    for byte in upgrade(connection)[:-4] + b"\r\nX: " + b"x" * 1000:
        connection.send(bytes([byte]))
        yield


def only_upgrade(connection):
    connection.head()
    connection.send(upgrade(connection))
    yield from say_nothing(connection)


def only_pings(connection):
    connection.head()
    connection.send(upgrade(connection))
    while True:
        connection.send(frame(b"", PING))
        yield


SILENT = {
    "nothing": (say_nothing, "ws", 30, "HTTP: no answer to the upgrade; check agentmanager_url"),
    "nothing, TLS": (say_nothing, "wss", 30, "TLS: it was not finished in time; is it a TLS port?"),
    "a byte now and then": (trickle_head, "ws", 30, "HTTP: no answer to the upgrade; check "),
    "upgrade": (only_upgrade, "ws", 60, "handshake: the manager did not answer; is it an agent "),
    "pings": (only_pings, "ws", 60, "handshake: the manager did not answer; is it an agent manager?"),
}


@pytest.fixture(scope="module", autouse=True)
def silent():
    with contextlib.ExitStack() as stack:
        silent = {}
        for name, (act, scheme, _, _) in SILENT.items():
            silent[name] = Silent(act, scheme)
            stack.callback(silent[name].stop)
        yield silent


# Broken off

@pytest.mark.parametrize("way", [reset, end])
def test_broken_off_at_each_byte(peer, way):
    """Of the answer to the upgrade, and of that to the handshake."""
    peer.start()
    peer.agent.wait_notify("READY=1")  # which repeats the status
    end(peer.check_next())
    wait_for(peer.agent.failures, "its end to be noted")
    descriptors, n_head, offset = None, 1 << 30, 0
    while offset <= n_head + len(ANSWER):
        connection = peer.accept()
        connection.head()
        head = upgrade(connection)
        n_head = len(head)
        connection.send(head[:offset])
        if offset >= n_head:
            assert connection.receive()[0] == TEXT
            connection.send(ANSWER[:offset - n_head])
        way(connection)
        offset += 1
        if offset == 10:
            descriptors = peer.agent.n_descriptors()
    connection = peer.check_next()
    what = "reset" if way == reset else "closed"
    steps = ["HTTP"] * n_head + ["handshake"] * len(ANSWER) + ["connection"]
    for text, step in zip(peer.agent.failures()[1:], steps, strict=True):
        assert text.startswith(f"{step}: the ") and what in text, text
    print(f"{offset} offsets, {peer.agent.n_lines()} lines")
    assert peer.agent.n_lines() < 9 + 15  # each doubling
    assert peer.agent.n_descriptors() <= descriptors + 1
    connection.sock.close()


class Cutter(threading.Thread):
    """Stands before a manager. Of what that says, each connection lets more bytes through than the one
    before, and then breaks off; later ones are whole."""

    def __init__(self, port, way, limits):
        super().__init__(daemon=True)
        self.port = port
        self.way = way
        self.limits = list(limits)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.start()

    def run(self):
        with contextlib.suppress(OSError):  # the server is closed at the end
            while True:
                agent = Connection(self.server.accept()[0])
                with socket.create_connection(("127.0.0.1", self.port)) as manager:
                    limit = self.limits.pop(0) if self.limits else 1 << 40
                    if self.relay(agent.sock, manager, limit):
                        self.way(agent)
                    else:
                        agent.sock.close()

    @staticmethod
    def relay(agent, manager, limit):
        """True: the limit is reached; else one of the two has ended."""
        while limit > 0:
            sock = select.select([agent, manager], [], [])[0][0]
            try:
                data = sock.recv(65536 if sock is agent else min(limit, 65536))
                (manager if sock is agent else agent).sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                return False
            if not data:
                return False
            limit -= len(data) if sock is manager else 0
        return True


@pytest.mark.parametrize("way", [reset, end])
def test_broken_off_inside_of_tls(agent, authority, way):
    """At many bytes from the server's first on until the connection is open."""
    manager = harness.Manager(authority.good)
    cutter = Cutter(manager.port, way, range(0, 2000, 17))
    n = len(cutter.limits)
    agent.configure(f"wss://127.0.0.1:{cutter.server.getsockname()[1]}/",
                    connection={**FAST, "ca_cert": str(authority.certificate)})
    try:
        agent.start(**EXACT_TIMERS)
        agent.wait_notify("READY=1")
        # the first of which no byte is missing, up to the answer to the handshake
        wait_for(lambda: agent.failures() and agent.property("State") == "connected", "a connection")
        n -= len(cutter.limits) + 1
        texts = agent.failures()
        cutter.limits.clear()
        agent.call("Reconnect")
        manager.wait_offer(len(manager.offers) + 1)
        manager.request("g", "heartbeat")
        manager.wait_message("REPLY", "g")
    finally:
        cutter.server.close()
        manager.stop()
    print("\n".join(f"{texts.count(text)} times {text}" for text in dict.fromkeys(texts)))
    # a reset may be there before the connection is looked at for the first time
    steps = [text.split(": ")[0] for text in texts if not re.match("TCP: .* Connection reset by peer", text)]
    n -= len(texts) - len(steps)
    order = ["TLS", "HTTP", "handshake", "connection"]
    assert n <= len(steps) <= n + 1 and set(steps) >= {"TLS", "HTTP", "handshake"}
    assert steps == sorted(steps, key=order.index)
    assert not [text for text in texts if "does not speak TLS" in text], "it does"


def test_one_byte_in_each_segment(peer):
    peer.start()
    connection = peer.accept()
    connection.head()
    connection.send(upgrade(connection), "bytes")
    assert connection.receive()[0] == TEXT
    connection.send(ANSWER + request("g"), "bytes")
    assert [m["type"] for m in connection.collect("g")[1]] == ["ACK", "REPLY"]
    assert peer.n_accepted == 1


def test_closed_at_once_a_thousand_times(peer):
    peer.start()
    for i in range(1000):
        peer.accept().sock.close()
        if i == 100:
            before = peer.agent.memory(), peer.agent.n_descriptors()
    connection = peer.check_next()
    after = peer.agent.memory(), peer.agent.n_descriptors()
    print(f"memory and descriptors after 100: {before}, after 1000: {after}, {peer.agent.n_lines()} lines")
    assert after[0] < before[0] * 1.2 + FACTOR * MIB and after[1] <= before[1] + 1
    assert peer.agent.n_lines() < 10 + 10  # the first and each doubling
    connection.sock.close()


def test_accepted_and_closed_at_once(peer):
    """Such a manager is not stormed: from the fourth time on the waits grow as if it had failed."""
    peer.start(connection={"max_backoff": "200"})
    begin = []
    for _ in range(60):
        connection = peer.open()
        begin.append(time.monotonic())
        connection.sock.close()
    waits = [b - a for a, b in zip(begin, begin[1:])]
    print(f"waits: {', '.join(f'{w * 1000:.0f}' for w in waits)} ms, {peer.agent.n_lines()} lines")
    late = sorted(waits[9:])
    assert sorted(waits[:4])[1] < late[len(late) // 2]  # of the same machine, however loaded
    assert late[0] >= 0.1 and late[len(late) // 2] < 0.3
    assert peer.agent.n_lines() < 2 * 6 + 10
    assert peer.agent.failures()[-1].startswith("connection: the ")


# Floods

def flood(connection, chunk, seconds=harness.DEADLINE, most=1 << 40):
    """Sends CHUNKs without reading. Returns how many bytes went, and why it ended: blocked (nothing
    went for a second), broken, or done."""
    chunk, sent, until = memoryview(chunk), 0, time.monotonic() + seconds
    rest = chunk
    while sent < most and time.monotonic() < until:
        if not select.select([], [connection.sock], [], 1)[1]:
            return sent, "blocked"
        try:
            n = connection.sock.send(rest, socket.MSG_DONTWAIT)
        except (BrokenPipeError, ConnectionResetError):
            return sent, "broken"
        sent += n
        rest = rest[n:] or chunk
    return sent, "done"


def test_head_without_end(peer):
    peer.start()
    before = None
    for _ in range(20):
        connection = peer.accept()
        connection.head()
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nX: ")
        sent, why = flood(connection, b"x" * 65536)
        assert why == "broken" and sent < 16 * MIB
        connection.sock.close()
        before = before or peer.agent.memory()
    assert peer.agent.memory() < before * 1.2 + FACTOR * MIB
    peer.agent.wait_notify("HTTP: ")
    texts = set(peer.agent.failures())
    assert texts == {"HTTP: the head of the server's answer is too long; check agentmanager_url"}
    peer.check_next()


FLOODS = {
    "fragments": (frame(b"x" * 65536, CONTINUATION, fin=False), 1009),
    "tiny-fragments": (frame(b"x", CONTINUATION, fin=False) * 10000, 1009),
    "empty-fragments": (frame(b"", CONTINUATION, fin=False) * 10000, 1009),
    "large-frame": (b"x" * 65536, 1009),
    "pings": (frame(b"p" * 125, PING) * 1000, 1008),
}


def check_close(connection, code, must_come):
    """Where pongs fill what the peer does not read, there may be no room for it."""
    try:
        close = connection.collect(None)[2]
    except EOFError:
        assert not must_come
    else:
        assert struct.unpack(">H", close[:2]) == (code,), close


@pytest.mark.parametrize("kind", FLOODS)
def test_frames_without_end(peer, kind):
    chunk, code = FLOODS[kind]
    first = {"large-frame": frame(size=1 << 40), "pings": b""}.get(kind, frame(b"x", fin=False))
    peer.start()
    for _ in range(2):
        connection = peer.open()
        connection.send(first)
        flood(connection, chunk, most=64 * MIB)
        memory = peer.agent.memory()
        check_close(connection, code, must_come=kind != "pings")
        connection.sock.close()
        assert memory < MEMORY_MAX
        print(f"{memory / MIB:.1f} MiB")
    peer.check_next()


@pytest.mark.parametrize("period", ["3600", "1"])
def test_requests_without_end_and_nothing_read(peer, period):
    """Reading stops, so that the flood does. Where a ping makes no progress, reading goes on, as the
    other side may wait for it: memory stays bounded, and what cannot be queued is dropped."""
    peer.start(connection={"heartbeat_frequency": period})
    sent = most = 0
    for _ in range(2):
        connection = peer.open()
        until, why = time.monotonic() + 4, "done"
        while why == "done" and (period == "3600" or time.monotonic() < until):
            chunk = b"".join(request(f"g{i}", filler="x" * 1000) for i in range(1000))
            n, why = flood(connection, chunk, most=len(chunk))
            sent += n
            most = max(most, peer.agent.memory())
            peer.agent.notifications()
        assert why == "blocked" or period == "1"
        connection.sock.close()
    print(f"{sent / MIB:.1f} MiB of requests, at most {most / MIB:.1f} MiB of memory")
    assert most < MEMORY_MAX
    peer.check_next()


class SlowConnection(Connection):
    """Reads 1 KiB at a time, at that many bytes per second."""

    def __init__(self, sock, rate, agent):
        super().__init__(sock)
        self.rate = rate
        self.agent = agent
        self.size = 0
        self.due = time.monotonic()

    def read(self):
        while (left := self.due - time.monotonic()) > 0:
            select.select([self.agent.notify], [], [], left)
            self.agent.notifications()
        data = self.sock.recv(1024)
        if not data:
            raise EOFError
        self.data += data
        self.size += len(data)
        self.due += len(data) / self.rate


@pytest.mark.parametrize("n, rate", [(600, 60_000), (5000, 600_000)])
def test_slow_reader(peer, n, rate):
    """It takes several ping periods to read all, and there is no ping before that which it could answer;
    it is not given up as long as it reads."""
    peer.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.start(connection={"heartbeat_frequency": "1"})
    connection = peer.open()
    data = b"".join(request(f"g{i}") for i in range(n))
    sender = threading.Thread(target=connection.send, args=(data,))
    sender.start()
    slow = SlowConnection(connection.sock, rate, peer.agent)
    replies, begin = set(), time.monotonic()
    with contextlib.suppress(EOFError):
        while len(replies) < n:
            opcode, payload = slow.receive()
            if opcode == TEXT and b'"REPLY"' in payload:
                replies.add(json.loads(payload)["request_id"])
    seconds = time.monotonic() - begin
    print(f"{slow.size} bytes in {seconds:.1f} s, {len(replies)} replies")
    failures = peer.agent.failures()
    connection.sock.close()
    sender.join()
    assert not failures
    assert replies == {f"g{i}" for i in range(n)}
    assert seconds > 4


# Console lines while nobody listens

@pytest.fixture
def executor(bus):
    executor = Executor(bus)
    yield executor
    executor.connection.close_sync(None)


def console_lines(manager, since=0):
    return [(m["level"], m["message"].replace("%20", " ")) for m in manager.of_type("LOG")[since:]]


def test_console_lines_that_had_to_wait(agent, manager, executor):
    """The newest are kept and come in their order, and one line says how many do not."""
    n = CONSOLE_LINES_MAX + 20  # the bus allows 128 calls at a time
    agent.configure(manager.url(), workers={"count": str(n)})
    agent.start()
    manager.wait_offer()
    guids = [f"job-{i:03}" for i in range(n)]
    for guid in guids:
        manager.request(guid, "run_script", JOB)
    wait_for(lambda: len(executor.calls) == n, "all jobs to be started")
    before = len(manager.of_type("LOG"))
    port = manager.port
    manager.stop()
    wait_for(lambda: agent.property("State") != "connected", "the end of the connection")
    for guid in guids:
        executor.refuse(guid)
        agent.notifications()
    wait_for(lambda: agent.property("RequestCounts").get("REPLY") == n, "all jobs to have failed")
    again = harness.Manager(port=port)
    try:
        again.wait_offer()
        wait_for(lambda: any("reconnected" in line for _, line in console_lines(again)), "lines")
        lines = console_lines(again)
    finally:
        again.stop()
    assert not [m for m in manager.of_type("LOG")[before:] if "not today" in m["message"]]
    failed = [(level, line) for level, line in lines if "job-" in line]
    assert len(failed) == CONSOLE_LINES_MAX and {level for level, _ in failed} == {"ERROR"}
    for guid, (_, line) in zip(guids[-CONSOLE_LINES_MAX:], failed, strict=True):
        assert guid in line
    assert [line for _, line in lines if "discarded" in line] == [
        ("20 older lines were discarded because they could not be sent.")]


LEVELS = ["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"]


@pytest.mark.parametrize("level", LEVELS)
def test_console_level(agent, manager, level):
    agent.configure(manager.url(), logging={"console_level": level})
    agent.start()
    manager.wait_offer()

    def provoke(guid):
        # The ERROR first: the agent may answer the request before it reads a message that follows.
        manager.send(type="ACK", request_id="nobody", message_id="m")  # ERROR
        manager.request(guid, "heartbeat", {"unknown": 1})  # DEBUG, INFO, WARNING
        manager.wait_message("REPLY", guid)
        return {level for level, _ in console_lines(manager)}

    assert provoke("g1") == set(LEVELS[:LEVELS.index(level) + 1])
    n = len(manager.of_type("LOG"))
    agent.configure(manager.url(), logging={"console_level": "CRITICAL"})
    agent.call("Reload")
    provoke("g2")
    assert not console_lines(manager, n)


def test_peers_that_never_answer(silent):
    """See SILENT: the limits of the states, and what is said then."""
    for name, (_, _, limit, text) in SILENT.items():
        peer = silent[name]
        peer.agent.wait_notify(f": {text}")
        peer.join(harness.DEADLINE)
        print(f"{name}: {peer.seconds:.1f} s")
        assert limit - 1 < peer.seconds < limit + 10
