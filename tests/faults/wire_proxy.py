# SPDX-License-Identifier: Apache-2.0
"""A WebSocket proxy between agent and manager that loses, repeats, reorders and delays messages,
and cuts connections. What befalls a message depends on the seed and on the message alone
(direction, type, number of the request, how often it came), not on when it comes."""

import asyncio
import collections
import json
import random
import socket
import struct

import websockets
from websockets.frames import OP_TEXT, Frame

FAULTS = {"dropped": 0.10, "duplicated": 0.10, "reordered": 0.07, "delayed": 0.07,
          "cut": 0.004, "cut in a frame": 0.004}
HANDSHAKE_LOST = 0.25
HOLD = 0.7  # seconds, until a message that was to be overtaken goes anyway
DELAY = 2.0  # at most


class Dice:
    """Decides and counts."""

    def __init__(self, seed):
        self.seed = seed
        self.active = True
        self.may_cut = True
        self.seen = collections.Counter()
        self.passed = collections.Counter()
        self.counts = collections.Counter()

    def throw(self, direction, kind, request):
        self.seen[direction, kind, request] += 1
        rng = random.Random(f"{self.seed} {direction} {kind} {request} "
                            f"{self.seen[direction, kind, request]}")
        fault = self._choose(kind, rng) if self.active else None
        if fault:
            self.counts[direction, kind, fault] += 1
        else:
            self.passed[direction, kind] += 1
        return fault, rng

    def _choose(self, kind, rng):
        if kind in ("OFFER", "ANSWER"):
            return "dropped" if self.may_cut and rng.random() < HANDSHAKE_LOST else None
        value = rng.random()
        for fault, chance in FAULTS.items():
            if value < chance:
                return fault if self.may_cut or not fault.startswith("cut") else None
            value -= chance
        return None

    def total(self):
        return sum(self.counts.values())

    def report(self):
        """A line per direction and type, then the sums per kind of fault."""
        kinds = sorted({key[:2] for key in self.counts} | set(self.passed))
        for direction, kind in kinds:
            parts = [f"{self.passed[direction, kind]} passed"]
            parts += [f"{n} {fault}" for (d, k, fault), n in sorted(self.counts.items())
                      if (d, k) == (direction, kind)]
            yield f"  {direction:7} {kind:8} {', '.join(parts)}"
        sums = collections.Counter()
        for (_direction, _kind, fault), n in self.counts.items():
            sums[fault] += n
        yield "  all: " + ", ".join(f"{n} {fault}" for fault, n in sorted(sums.items()))


class Link:
    """One connection of the agent, and the one to the manager that belongs to it."""

    def __init__(self, agent, manager):
        # a message goes from the one that its direction is named after to the other
        self.ends = {"agent": manager, "manager": agent}
        self.introduced = set()  # directions whose part of the handshake is through
        self.is_cut = False


class Proxy:
    """on_event(request, text) is told what happens to each message; on_odd_end(text) that the agent
    ended a connection by itself."""

    def __init__(self, dice, manager_port, on_event, on_odd_end):
        self.dice = dice
        self.manager_url = f"ws://127.0.0.1:{manager_port}/"
        self.on_event = on_event
        self.on_odd_end = on_odd_end
        self.link = None  # the newest
        self.held = {"agent": [], "manager": []}
        self.connections = 0
        self.tasks = set()
        self.server = None

    async def start(self):
        self.server = await websockets.serve(self._accept, "127.0.0.1", 0, subprotocols=["dcm"],
                                             max_size=16 << 20, ping_interval=None,
                                             close_timeout=1)
        return self.server.sockets[0].getsockname()[1]

    async def stop(self):
        if self.link:
            self.link.is_cut = True  # what follows is our doing
        self.server.close()
        await self.server.wait_closed()
        for task in self.tasks:
            task.cancel()

    async def _accept(self, agent, _path):
        self.connections += 1
        manager = await websockets.connect(self.manager_url, subprotocols=["dcm"],
                                           max_size=16 << 20, ping_interval=None, close_timeout=1)
        link = self.link = Link(agent, manager)
        pumps = [asyncio.create_task(self._pump(link, "agent", agent)),
                 asyncio.create_task(self._pump(link, "manager", manager))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        if not link.is_cut:
            self.on_odd_end("a connection ended without the proxy's doing: "
                            f"{agent.close_code} {agent.close_reason}")
        for pump in pumps:
            pump.cancel()
        await manager.close()

    async def _pump(self, link, direction, source):
        try:
            async for text in source:
                await self._handle(link, direction, text)
        except websockets.ConnectionClosed:
            pass

    async def _handle(self, link, direction, text):
        message = json.loads(text)
        kind = message.get("type") or ("OFFER" if direction == "agent" else "ANSWER")
        request = message.get("request_id")
        number = request.split("-")[1] if request and request.startswith("wire-") else request
        fault, rng = self.dice.throw(direction, kind, number)
        self.on_event(request, f"{direction}'s {kind} {fault or 'passed'}")
        if kind in ("OFFER", "ANSWER"):
            await self._introduce(link, direction, text, fault, rng)
        elif fault is None:
            await self._deliver(direction, text)
        elif fault == "duplicated":
            await self._deliver(direction, text)
            await self._deliver(direction, text)
        elif fault == "delayed":
            self._spawn(self._deliver_later(direction, text, rng.uniform(0.01, DELAY)))
        elif fault == "reordered":
            self._hold(direction, text, rng.randint(1, 5))
        elif fault != "dropped":
            self._cut(link, direction, text if fault == "cut in a frame" else None, rng)

    async def _introduce(self, link, direction, text, fault, rng):
        if fault:  # neither side would say anything more
            self._cut(link, direction, None, rng)
            return
        await link.ends[direction].send(text)
        link.introduced.add(direction)

    async def _deliver(self, direction, text):
        await self._send(direction, text)
        overtaken = self.held[direction]
        for entry in overtaken:
            entry[0] -= 1
        self.held[direction] = [e for e in overtaken if e[0] > 0]
        for entry in overtaken:
            if entry[0] <= 0:
                await self._send(direction, entry[1])

    async def _send(self, direction, text):
        """By whatever connection there is by now: a late message may come in by the next one."""
        try:
            if self.link and direction in self.link.introduced:
                await self.link.ends[direction].send(text)
        except websockets.ConnectionClosed:
            pass  # it is lost

    async def _deliver_later(self, direction, text, seconds):
        await asyncio.sleep(seconds)
        await self._send(direction, text)

    def _hold(self, direction, text, n):
        entry = [n, text]
        self.held[direction].append(entry)
        self._spawn(self._release(direction, entry))

    async def _release(self, direction, entry):
        await asyncio.sleep(HOLD)
        if entry in self.held[direction]:
            self.held[direction].remove(entry)
            await self._send(direction, entry[1])

    @staticmethod
    def _cut(link, direction, text, rng):
        """Both connections end without a close frame: by a reset, which also takes what was not yet
        read, or by an end of file."""
        link.is_cut = True
        link.introduced = set()
        if text:
            frame = Frame(True, OP_TEXT, text.encode()).serialize(mask=direction == "agent")
            link.ends[direction].transport.write(frame[:rng.randrange(1, len(frame))])
        for end in link.ends.values():
            if rng.random() < 0.5:
                end.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.transport.abort()

    def _spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
