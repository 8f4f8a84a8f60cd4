# SPDX-License-Identifier: Apache-2.0
"""What one message can cost agent and manager: at most ten times its size, however small its values
are, and freed memory is given back."""

import pathlib
import re

import pytest

from harness import BUILD, wait_for
from test_manager import start, server  # noqa: F401

SIZE = 8 << 20
FACTOR = 10
# each many times over in one message; most of them would take a hundred times their size
UNITS = ["[]", "{}", '{"":1}', "0", "1e1", "true", "null", '""', '"a"', "[[[[[[[[]]]]]]]]",
         '{"a":{"b":{"c":{}}}}', '{"a":1,"b":2}', "0.1", '"' + "x" * 1000 + '"']
pytestmark = pytest.mark.skipif("asan" in str(BUILD), reason="a sanitizer keeps freed memory")


def many(unit, head, tail, size=SIZE):
    n = (size - len(head) - len(tail)) // (len(unit) + 1)
    return head + ",".join([unit] * n) + tail


class Memory:
    def __init__(self, pid):
        self.proc = pathlib.Path(f"/proc/{pid}")
        self.before = self.of("VmRSS")

    def of(self, key):
        return int(re.search(rf"{key}:\s+(\d+)", (self.proc / "status").read_text())[1]) << 10

    def reset(self):
        (self.proc / "clear_refs").write_text("5")
        self.before = self.of("VmRSS")

    def taken(self):
        return self.of("VmHWM") - self.before

    def given_back(self):
        return self.of("VmRSS") < self.before + SIZE


@pytest.fixture
def connected(agent, manager):
    agent.configure(manager.url(), connection={"heartbeat_frequency": "60"})
    agent.start()
    manager.wait_offer()
    agent.wait_notify("Connected to")
    return agent


def test_agent(connected, manager):
    """Answered: by a reply, or by a NACK that says why. After each the next one is answered, too."""
    memory = Memory(connected.process.pid)
    for n, unit in enumerate(UNITS):
        memory.reset()
        manager.send_raw(many(unit, '{"type":"REQUEST","message_id":"m","request_id":"bomb-%d","payload":'
                              '{"command":"heartbeat","arguments":{"x":[' % n, "]}}}"))
        manager.request(f"next-{n}", "heartbeat")
        manager.wait_message("REPLY", f"next-{n}")
        told = manager.of_type("NACK", "DEADBEEF") + manager.of_type("REPLY", f"bomb-{n}")
        assert len(told) >= 1
        print(f"{unit[:20]}: {memory.taken() / SIZE:.1f} times its size, {told[-1]['type']}")
        assert memory.taken() < FACTOR * SIZE, unit[:20]
        wait_for(memory.given_back, f"the memory of {unit[:20]} to be given back")
    assert all("too many values" in m["error_message"] for m in manager.of_type("NACK", "DEADBEEF"))


def test_agent_takes_what_is_within_the_bound(connected, manager):
    """As many values as a message of this size may have."""
    memory = Memory(connected.process.pid)
    manager.send_raw(many("0", '{"type":"REQUEST","message_id":"m","request_id":"full","payload":'
                          '{"command":"heartbeat","arguments":{"y":"' + "y" * 7_500_000 + '","x":[',
                          "]}}}", 8_000_000))
    manager.wait_message("REPLY", "full")
    print(f"{memory.taken() / 8_000_000:.1f} times its size")
    assert memory.taken() < FACTOR * 8_000_000
    wait_for(memory.given_back, "the memory to be given back")


def test_manager(server):  # noqa: F811
    memory = Memory(server.process.pid)
    for unit in UNITS:
        agent = server.agent()
        memory.reset()
        agent.ws.send_text(many(unit, '{"type":"LOG","level":"INFO","message":"m","x":[', "]}"))
        agent.close()
        print(f"{unit[:20]}: {memory.taken() / SIZE:.1f} times its size")
        assert memory.taken() < FACTOR * SIZE, unit[:20]
        wait_for(memory.given_back, f"the memory of {unit[:20]} to be given back")


def test_manager_keeps_the_largest_reply(server):  # noqa: F811
    """It is parsed, stored, and shown, and none of that takes more."""
    agent = server.agent()
    guid = server.run(agent.id, "heartbeat")
    agent.receive("REQUEST")
    memory = Memory(server.process.pid)
    text = "x" * (SIZE - (1 << 16))
    agent.reply(guid, message="x" * (SIZE - (1 << 16)))
    agent.receive("ACK")
    print(f"{memory.taken() / SIZE:.1f} times its size")
    assert memory.taken() < FACTOR * SIZE
