#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Agents whose manager is bad for a long time, side by side: it refuses; it accepts the handshake and
closes; it is slow, a byte each 100 ms, and closes in the middle. What an agent holds after a while, it
holds at the end: memory, descriptors; and it logs the first failure and each doubling.

Usage: soak.py SECONDS. Environment: DCM_BUILD."""

import contextlib
import json
import math
import random
import select
import socket
import sys
import threading
import time

import harness
from test_bad_peers import upgrade
from test_websocket import Connection, frame

BYTE_SEC = 0.1
SLOW_SEC = 1.0  # of one connection
WARM_UP_SHARE = 0.3
SLACK_BYTES = (8 if "asan" in str(harness.BUILD) else 1) << 20
LINES_MAX = 12  # besides those that double
ANSWER = frame(json.dumps(harness.HANDSHAKE).encode())


class Endpoint(threading.Thread):
    """A bad manager and its agent."""

    def __init__(self):
        super().__init__(daemon=True)
        self.server = socket.socket()
        self.server.bind(("127.0.0.1", 0))
        self.agent = harness.LoneAgent()
        self.agent.configure(f"ws://127.0.0.1:{self.server.getsockname()[1]}/",
                             connection={"backoff": "10", "max_backoff": "10"})
        self.stopping = False
        self.error = None
        self.begin()
        self.agent.start(**harness.EXACT_TIMERS)
        self.start()

    def begin(self):
        self.server.listen()

    def run(self):
        try:
            while not self.stopping:
                readable = select.select([self.server, self.agent.notify], [], [], 0.1)[0]
                self.agent.notifications()
                if self.server in readable:
                    with contextlib.closing(self.server.accept()[0]) as sock:
                        sock.settimeout(harness.DEADLINE)
                        self.serve(Connection(sock))
        except Exception as error:  # of a thread, so it is told by who waits for it
            self.error = error

    def sample(self):
        return self.agent.memory(), self.agent.n_descriptors()


class Refusing(Endpoint):
    def begin(self):
        pass  # whoever binds and does not listen refuses

    def run(self):
        while not self.stopping:
            select.select([self.agent.notify], [], [], 0.1)
            self.agent.notifications()


class Flapping(Endpoint):
    def serve(self, connection):
        connection.head()
        connection.send(upgrade(connection))
        connection.introduce()


class Slow(Endpoint):
    def serve(self, connection):
        connection.head()
        head = upgrade(connection)
        fast = random.randrange(len(head) + len(ANSWER))
        connection.send(head[:fast])
        if fast >= len(head):
            connection.receive()
            connection.send(ANSWER[:fast - len(head)])
        end = time.monotonic() + SLOW_SEC
        for byte in (head + ANSWER)[fast:]:
            readable = select.select([connection.sock], [], [], BYTE_SEC)[0]
            if time.monotonic() > end or (readable and not connection.sock.recv(1)):
                break
            connection.send(bytes([byte]))


def problems(endpoint, warm, end, attempts):
    """The first is memory in bytes, the second the number of descriptors."""
    lines_max = LINES_MAX + 2 * math.ceil(math.log2(attempts + 2))
    return [text for text, is_bad in (
        (f"its thread: {endpoint.error!r}", endpoint.error),
        ("memory grows", end[0] > warm[0] * 1.1 + SLACK_BYTES),
        # a connection and what looks up its address come and go
        ("descriptors grow", end[1] > warm[1] + 3),
        (f"more than {lines_max} lines are logged", endpoint.agent.n_lines() > lines_max),
        ("there was hardly an attempt", attempts < 5)) if is_bad]


def soak(seconds):
    """Prints a line for each endpoint; returns what is wrong."""
    begin = time.monotonic()
    endpoints = [Refusing(), Flapping(), Slow()]
    found = []

    def wait_until(share):
        harness.wait_for_seconds(begin + seconds * share - time.monotonic())

    try:
        wait_until(WARM_UP_SHARE)
        warm = [e.sample() for e in endpoints]
        wait_until(1)
        for endpoint, before in zip(endpoints, warm):
            name, after = type(endpoint).__name__.lower(), endpoint.sample()
            endpoint.stopping = True
            endpoint.join(harness.DEADLINE)
            attempts = len(endpoint.agent.failures())
            found += [f"{name}: {p}" for p in problems(endpoint, before, after, attempts)]
            print(f"{name:9} {time.monotonic() - begin:5.1f} s, {attempts:6} failures; memory "
                  f"{before[0] / 1024:.0f} -> {after[0] / 1024:.0f} KiB, descriptors {before[1]} -> "
                  f"{after[1]}, {endpoint.agent.n_lines()} lines logged", flush=True)
    finally:
        for endpoint in endpoints:
            endpoint.stopping = True
            endpoint.join(harness.DEADLINE)
            endpoint.server.close()
            endpoint.agent.remove()
    return found


if __name__ == "__main__":
    wrong = soak(float(sys.argv[1]))
    print("\n".join(wrong) or "all flat")
    sys.exit(bool(wrong))
