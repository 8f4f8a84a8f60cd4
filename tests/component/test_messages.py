# SPDX-License-Identifier: Apache-2.0
"""What managers do to messages: repeat them at the wrong moment, lose them, send two at once, do
not read. And what many messages leave behind."""

import base64
import hashlib
import json
import os
import pathlib
import select
import socket
import struct
import threading
import uuid

import pytest

from harness import BUILD, DEADLINE, HANDSHAKE, wait_for

COMMANDS = ("heartbeat", "get_agent_data", "no_such_command")
BAD_JOB = {"b64script": base64.b64encode(b"#!/bin/sh\n").decode(), "checksum": "0" * 64}


def connect(agent, manager, **sections):
    agent.configure(manager.url(), **sections)
    agent.start()
    manager.wait_offer()


def guids(n):
    return [str(uuid.uuid4()) for _ in range(n)]


def wait_counts(agent, **counts):
    wait_for(lambda: {s: n for s, n in agent.property("RequestCounts").items() if n} == counts,
             f"{counts}")


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_lost_acknowledgements_of_replies(agent, manager, lost):
    """One after the other and all at once; the reply is the same each time. Of a reply whose timer ran out
    there may be one more on the way."""
    connect(agent, manager, messaging={"retransmission_timeout": "0.1" if lost else "3600"})

    def on_message(m):
        if m["type"] == "REPLY" and len(manager.of_type("REPLY", m["request_id"])) > lost:
            manager.ack(m)

    manager.on_message = on_message
    serial, overlapping = guids(2), guids(5)
    for guid in serial:
        manager.request(guid, "get_agent_data")
        manager.wait_message("REPLY", guid, lost + 1)
    for guid in overlapping:
        manager.request(guid, "get_agent_data")
    wait_counts(agent, REPLY_ACKED=7)
    counts = {guid: len(manager.of_type("REPLY", guid)) for guid in serial + overlapping}
    last = guids(1)[0]
    manager.request(last, "get_agent_data")  # whose acknowledgements are lost, too: timers run out meanwhile
    wait_counts(agent, REPLY_ACKED=8)
    assert {guid: len(manager.of_type("REPLY", guid)) for guid in counts} == counts, "what is acknowledged is not sent again"
    for guid in serial + overlapping:
        replies = manager.of_type("REPLY", guid)
        assert len(replies) > lost if lost else len(replies) == 1
        assert len({m["message_id"] for m in replies}) == 1
        assert len({json.dumps(m["payload"]) for m in replies}) == 1


@pytest.mark.parametrize("at_once", [1, 8])
@pytest.mark.parametrize("lost", [0, 4])
@pytest.mark.parametrize("upon", ["REQUEST", "ACK", "NACK", "REPLY"])
def test_request_repeated_upon_a_message(agent, manager, upon, lost, at_once):
    """Also while acknowledgements are lost: each is accepted or refused once, and answered."""
    connect(agent, manager, messaging={"retransmission_timeout": "0.1"})
    commands = {guid: COMMANDS[i % len(COMMANDS)] for i, guid in enumerate(guids(at_once * 3))}
    repeated = set()

    def on_message(m):
        guid = m.get("request_id")
        if m["type"] == upon and guid not in repeated:
            repeated.add(guid)
            manager.request(guid, commands[guid])
        if m["type"] == "REPLY" and len(manager.of_type("REPLY", guid)) > lost:
            manager.ack(m)

    manager.on_message = on_message
    for guid, command in commands.items():
        manager.request(guid, command)
        if upon == "REQUEST":
            manager.request(guid, command)
    wait_counts(agent, REPLY_ACKED=2 * at_once, NACKED=at_once)
    for guid, command in commands.items():
        payloads = {json.dumps(m["payload"]) for m in manager.of_type("REPLY", guid)}
        assert len(payloads) == (command != "no_such_command")
        assert not manager.of_type("NACK", guid) or command == "no_such_command"
        assert len(manager.of_type("ACK", guid)) <= 2


def test_request_many_times_in_one_burst(agent, manager):
    """Before its ACK can be stored: one row, one job, no error."""
    connect(agent, manager)
    guid = guids(1)[0]
    for _ in range(50):
        manager.request(guid, "heartbeat")
    manager.ack(manager.wait_message("REPLY", guid))
    wait_counts(agent, REPLY_ACKED=1)
    assert len({json.dumps(m["payload"]) for m in manager.of_type("REPLY", guid)}) == 1
    assert not manager.of_type("NACK")


def test_six_hundred_repetitions_are_all_answered(agent, manager):
    """No count that is never cleared ends the answers to one request."""
    connect(agent, manager, messaging={"retransmission_timeout": "3600"})
    guid = guids(1)[0]
    manager.request(guid, "heartbeat")
    manager.wait_message("REPLY", guid)
    for _ in range(600):
        manager.request(guid, "heartbeat")
    manager.wait_message("REPLY", guid, 601)
    manager.close_all()
    manager.wait_offer(2)
    manager.ack(manager.wait_message("REPLY", guid, 602))
    wait_counts(agent, REPLY_ACKED=1)


def things(agent):
    """Open descriptors, and files in all directories of the agent."""
    descriptors = os.listdir(f"/proc/{agent.process.pid}/fd")
    files = [p for p in agent.directory.rglob("*") if p.name not in ("log",)]
    return len(descriptors), sorted(map(str, files))


def test_hundred_commands_leave_no_descriptor_and_no_file(agent, manager):
    temporary = agent.directory / "tmp"
    temporary.mkdir()
    agent.configure(manager.url())
    agent.start(TMPDIR=str(temporary))
    manager.wait_offer()
    manager.on_message = lambda m: m["type"] == "REPLY" and manager.ack(m)

    def do(n):
        for guid in guids(n):
            manager.request(guid, "get_agent_data")
            manager.wait_message("REPLY", guid)
            manager.request(guid + "-bad", "run_script", BAD_JOB)
            manager.wait_message("REPLY", guid + "-bad")
            manager.request(guid + "-unknown", "no_such_command")
            manager.wait_message("NACK", guid + "-unknown")

    do(5)
    before = things(agent)
    do(40)
    wait_counts(agent, REPLY_ACKED=90, NACKED=45)
    wait_for(lambda: things(agent) == before, f"nothing more than {before}")


class RawManager:
    """A manager on a plain socket, which decides what is in one segment and when it reads."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):  # so that little makes both wait
            self.server.setsockopt(socket.SOL_SOCKET, option, 16384)
        self.server.settimeout(DEADLINE)
        self.url = f"ws://127.0.0.1:{self.server.getsockname()[1]}/"
        self.socket = None
        self.data = b""

    def accept(self):
        """Up to the agent's offer, which it returns."""
        self.socket = self.server.accept()[0]
        self.socket.settimeout(DEADLINE)
        while b"\r\n\r\n" not in self.data:
            self.data += self.socket.recv(65536)
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        key = next(line.split(b": ")[1] for line in head.split(b"\r\n")
                   if line.lower().startswith(b"sec-websocket-key"))
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        self.socket.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                            b"Connection: Upgrade\r\nSec-WebSocket-Protocol: dcm\r\n"
                            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n")
        return self.receive()

    @staticmethod
    def frame(**message):
        data = json.dumps(message).encode()
        size = struct.pack(">B", len(data)) if len(data) < 126 else struct.pack(">BH", 126,
                                                                                len(data))
        return b"\x81" + size + data

    def take(self, n):
        while len(self.data) < n:
            more = self.socket.recv(1 << 20)
            assert more, "the agent ended the connection"
            self.data += more
        head, self.data = self.data[:n], self.data[n:]
        return head

    def receive(self):
        first, size = self.take(2)
        size &= 0x7f
        if size >= 126:
            size = int.from_bytes(self.take(2 if size == 126 else 8), "big")
        mask, data = self.take(4), self.take(size)
        if first & 0xf == 9:  # a ping
            return self.receive()
        mask = (mask * (size // 4 + 1))[:size]
        return json.loads((int.from_bytes(data, "big") ^ int.from_bytes(mask, "big"))
                          .to_bytes(size, "big"))

    def receive_until(self, found):
        messages = [self.receive()]
        while not found(messages[-1]):
            messages.append(self.receive())
        return messages

    def close(self):
        if self.socket:
            self.socket.close()
        self.server.close()


@pytest.fixture
def raw():
    raw = RawManager()
    yield raw
    raw.close()


def request_of(guid):
    return RawManager.frame(type="REQUEST", request_id=guid, message_id="m",
                            payload={"command": "heartbeat", "arguments": {}})


def test_request_in_the_very_segment_of_the_handshake_answer(agent, raw):
    """Nothing that was received before the connection is open gets lost."""
    agent.configure(raw.url)
    agent.start()
    raw.accept()
    raw.socket.sendall(RawManager.frame(**HANDSHAKE) + request_of("g1") + request_of("g2"))
    messages = raw.receive_until(lambda m: m["type"] == "REPLY" and m["request_id"] == "g2")
    found = {(m["type"], m.get("request_id")) for m in messages}
    assert {("ACK", "g1"), ("ACK", "g2"), ("REPLY", "g1")} <= found


def send_until_it_blocks(sock, data):
    """What could not be sent while nobody reads for a second."""
    while data and select.select([], [sock], [], 1)[1]:
        data = data[sock.send(data):]
    return data


def test_manager_that_does_not_read(agent, raw):
    """What it sends is read no more while much waits for it, so that memory is bounded and nothing is
    lost; all goes on when it reads again."""
    agent.configure(raw.url, connection={"heartbeat_frequency": "3600"})
    agent.start()
    raw.accept()
    raw.socket.sendall(RawManager.frame(**HANDSHAKE))
    n = 15000  # each is answered by a NACK and a line of 2 KB
    data = b"".join(RawManager.frame(type="ACK", request_id=f"{i:05}" + "x" * 1000) for i in range(n))
    raw.socket.setblocking(False)
    rest = send_until_it_blocks(raw.socket, memoryview(data + request_of("g")))
    assert len(rest) > len(data) / 4, "the agent read on"
    if "asan" not in str(BUILD):
        status = pathlib.Path(f"/proc/{agent.process.pid}/status").read_text()
        resident = int(status.split("VmRSS:")[1].split()[0])
        assert resident < 64 * 1024, "a manager that does not read costs memory without bound"
    raw.socket.setblocking(True)
    raw.socket.settimeout(DEADLINE)
    sender = threading.Thread(target=raw.socket.sendall, args=(rest,))
    sender.start()
    messages = raw.receive_until(lambda m: m["type"] == "REPLY" and m["request_id"] == "g")
    sender.join()
    nacked = [m["request_id"][:5] for m in messages if m["type"] == "NACK"]
    assert nacked == [f"{i:05}" for i in range(n)]
    assert not [m for m in messages if m["type"] == "LOG" and "dropped" in m["message"]]


def test_manager_that_reads_only_after_it_has_sent(agent, raw):
    """Both would wait for the other to read; after a ping without progress the agent does, and drops what
    it cannot queue. A manager that takes longer than 2.5 periods to get so far is given up, which on a
    busy machine happens soon; so the periods are not short."""
    agent.configure(raw.url, connection={"heartbeat_frequency": "24"})
    agent.start()
    raw.accept()
    raw.socket.sendall(RawManager.frame(**HANDSHAKE))
    for i in range(4000):
        raw.socket.sendall(RawManager.frame(type="ACK", request_id=f"{i:05}" + "x" * 1000))
    raw.socket.sendall(request_of("g"))
    messages = raw.receive_until(lambda m: m["type"] == "REPLY" and m["request_id"] == "g")
    assert len([m for m in messages if m["type"] == "NACK"]) > 1000


def test_cancel_right_behind_the_acknowledgement_of_a_long_job(agent, manager):
    """The ACK waits for its commit when the CANCEL comes; starting the job, to cancel it, commits, and the
    request is forgotten then. The sanitizer sees who uses it afterwards."""
    connect(agent, manager)
    for guid in guids(3):
        manager.request(guid, "run_script", {**BAD_JOB, "checksum": hashlib.sha256(b"#!/bin/sh\n").hexdigest()},
                        longer_runner=True)
        reply = manager.wait_message("REPLY", guid)
        assert reply["payload"]["reply_type"] == "job_description"
        manager.ack(reply)
        manager.send(type="CANCEL", request_id=guid)
        manager.request(f"after-{guid}", "heartbeat")
        manager.ack(manager.wait_message("REPLY", f"after-{guid}"))
    wait_counts(agent, REPLY_ACKED=6)
