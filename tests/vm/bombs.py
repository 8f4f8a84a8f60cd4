# SPDX-License-Identifier: Apache-2.0
"""Sends what costs most to parse, as an agent would to the manager, or as a manager would to the agent.
Runs in the machine, with what Debian's python3-minimal has. Usage: bombs.py manager|agent PORT"""

import base64
import hashlib
import os
import socket
import struct
import sys

SIZE = 8 << 20
UNITS = (b"[]", b"{}", b'{"":1}', b"0", b"null", b'""', b'{"a":{"b":{}}}', b'"' + b"x" * 1000 + b'"')
STRANGERS = 60
HALF = 250 << 10  # of a handshake that is announced and never whole
HEAD = (b"GET /agentManager HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: dcm\r\n\r\n")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
ACCEPTED = b'{"return_code":200,"handshake":{"agentID":"agent-1","serverName":"vm"}}'


def read_head(peer):
    head = b""
    while b"\r\n\r\n" not in head:
        head += peer.recv(4096) or sys.exit(f"the connection ended after {head!r}")
    return head


def send(peer, text, masked, announced=None):
    size = len(text) if announced is None else announced
    mask = 0x80 if masked else 0
    head = bytes([0x81, mask | 127]) + struct.pack(">Q", size) if size > 65535 else \
        bytes([0x81, mask | 126]) + struct.pack(">H", size) if size > 125 else \
        bytes([0x81, mask | size])
    peer.sendall(head + (b"\0\0\0\0" if masked else b"") + text)


def read(peer, size):
    data = b""
    while len(data) < size:
        data += peer.recv(size - len(data)) or sys.exit("the connection ended")
    return data


def receive(peer):
    """The next text message; pings are left unanswered."""
    while True:
        first, size = read(peer, 2)
        masked, size = size & 0x80, size & 0x7f
        if size == 126:
            size = struct.unpack(">H", read(peer, 2))[0]
        elif size == 127:
            size = struct.unpack(">Q", read(peer, 8))[0]
        mask = read(peer, 4) if masked else b"\0\0\0\0"
        data = read(peer, size)
        if first & 15 == 1:
            return bytes(c ^ mask[i % 4] for i, c in enumerate(data))
        if first & 15 == 8:
            return b""


def many(unit, head, tail):
    n = (SIZE - len(head) - len(tail)) // (len(unit) + 1)
    return head + b",".join([unit] * n) + tail


def enter(port):
    peer = socket.create_connection(("127.0.0.1", port))
    peer.sendall(HEAD)
    read_head(peer)
    return peer


def attack_manager(port):
    for unit in UNITS:
        peer = enter(port)
        token = base64.b64encode(os.urandom(40))
        send(peer, b'{"protocol_version":104,"token":"%s","agent_id":null,"version":"1"}' % token, True)
        assert b'"return_code":200' in receive(peer)
        send(peer, many(unit, b'{"type":"LOG","level":"INFO","message":"m","x":[', b"]}"), True)
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(65536):
            pass
    strangers = [enter(port) for _ in range(STRANGERS)]
    for peer in strangers:
        send(peer, b" " * (HALF - 1000), True, HALF)
    print("done")


def accept(listener):
    peer, _ = listener.accept()
    head = read_head(peer)
    key = head.lower().split(b"sec-websocket-key:")[1]
    key = head[len(head) - len(key):].split(b"\r\n")[0].strip()
    answer = base64.b64encode(hashlib.sha1(key + GUID).digest())
    peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Protocol: dcm\r\nSec-WebSocket-Accept: " + answer + b"\r\n\r\n")
    receive(peer)
    send(peer, ACCEPTED, False)
    return peer


def attack_agent(port):
    with socket.create_server(("127.0.0.1", port)) as listener:
        print("listening", flush=True)
        peer = accept(listener)
        for n, unit in enumerate(UNITS):
            send(peer, many(unit, b'{"type":"REQUEST","message_id":"m","request_id":"bomb-%d","payload":'
                            b'{"command":"heartbeat","arguments":{"x":[' % n, b"]}}}"), False)
            send(peer, b'{"type":"REQUEST","message_id":"m","request_id":"next-%d","payload":'
                 b'{"command":"heartbeat","arguments":{}}}' % n, False)
            while True:
                text = receive(peer)
                if b'"REPLY"' in text and b'"next-%d"' % n in text:
                    break
                assert text, "the agent closed the connection"
    print("done")


{"manager": attack_manager, "agent": attack_agent}[sys.argv[1]](int(sys.argv[2]))
