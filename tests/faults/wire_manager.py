# SPDX-License-Identifier: Apache-2.0
"""A manager that repeats a REQUEST until the agent has said something about it, and answers each
REPLY."""

import asyncio
import collections
import itertools
import json

import websockets

ANSWER = {"return_code": 200, "handshake": {"version": "1", "agentID": "agent-wire",
                                            "serverName": "wire"}}
REPEAT = 1.0  # seconds
AT_ONCE = 40  # requests


class Manager:
    def __init__(self):
        self.orders = {}
        self.connection = None
        self.received = collections.Counter()
        self.sent = collections.Counter()
        self.errors = []
        self.message_ids = itertools.count(1)
        self.changed = asyncio.Condition()
        self.server = None

    async def start(self):
        self.server = await websockets.serve(self._accept, "127.0.0.1", 0, subprotocols=["dcm"],
                                             max_size=16 << 20, ping_interval=None,
                                             close_timeout=1)
        return self.server.sockets[0].getsockname()[1]

    async def stop(self):
        self.server.close()
        await self.server.wait_closed()

    async def _accept(self, connection, _path):
        try:
            offer = json.loads(await connection.recv())
            if "type" in offer or offer["protocol_version"] != 104:
                self.errors.append((None, f"this is no handshake: {offer}"))
            await connection.send(json.dumps(ANSWER))
            self.connection = connection
            async for text in connection:
                await self._on_message(json.loads(text))
        except websockets.ConnectionClosed:
            pass
        if self.connection is connection:
            self.connection = None

    async def _on_message(self, message):
        kind = message["type"]
        self.received[kind] += 1
        if kind == "LOG":
            return
        order = self.orders.get(message["request_id"])
        if not order:
            self.errors.append((None, f"this was not ordered: {message}"))
            return
        if kind == "ACK":
            order.acked = True
        elif kind == "REPLY":
            order.add_reply(message["payload"])
            await self.send("NACK" if order.nacks_reply else "ACK", order,
                            message_id=message["message_id"])
        elif kind == "STATUS":
            order.statuses.append((message["state"], message["reply"]))
            order.gave_up |= order.kind == "given up" and message["state"] == "REPLY_NACKED"
        elif kind == "NACK":
            self._on_nack(order, message["error_message"])
        else:
            self.errors.append((order, f"what is this: {message}"))
        async with self.changed:
            self.changed.notify_all()

    def _on_nack(self, order, text):
        if "is an unknown ID" not in text:
            order.nack = text
        elif order.is_taken() and order.nack is None and not order.cancels_at_once:
            self.errors.append((order, "was accepted and is forgotten"))

    async def send(self, kind, order, message_id=None, **more):
        self.sent[kind] += 1
        message = {"type": kind, "request_id": order.guid,
                   "message_id": message_id or f"m{next(self.message_ids)}", **more}
        try:
            if self.connection:
                await self.connection.send(json.dumps(message))
        except websockets.ConnectionClosed:
            pass

    async def request(self, order):
        await self.send("REQUEST", order,
                        payload={"command": order.command, "arguments": order.arguments})

    async def wait(self, condition, seconds):
        try:
            async with self.changed:
                await asyncio.wait_for(self.changed.wait_for(condition), seconds)
        except asyncio.TimeoutError:
            pass
        return condition()

    async def handle(self, order):
        """One order from its REQUEST to its end."""
        self.orders[order.guid] = order
        await self.request(order)
        if order.cancels_at_once:
            await self.send("CANCEL", order)
        while not await self.wait(order.is_taken, REPEAT):
            await self.request(order)
        if order.asks_status:
            await self.send("STATUS", order)
        while not order.is_done():
            if order.kind == "cancelled":
                await self.send("CANCEL", order)
            elif order.kind == "given up":
                await self.send("NACK", order)
                await self.send("STATUS", order)
            await self.wait(order.is_done, REPEAT)

    async def handle_all(self, orders, seconds):
        """False: some did not come to an end in time."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(order):
            async with limit:
                await self.handle(order)

        tasks = [asyncio.create_task(one(order)) for order in orders]
        _done, pending = await asyncio.wait(tasks, timeout=seconds)
        for task in pending:
            task.cancel()
        for task in tasks:
            if task not in pending:
                task.result()
        return not pending

    async def ask_again(self, orders):
        """Each REQUEST once more, on a line without faults; what comes must be what came before.
        Those that nothing was said about."""
        async def one(order):
            heard = len(order.trace)

            def answered():
                return any(text.startswith("agent's ") for _when, text in order.trace[heard:])

            await self.request(order)
            return await self.wait(answered, 10 * REPEAT)

        answers = []
        for i in range(0, len(orders), AT_ONCE):
            answers += await asyncio.gather(*(one(order) for order in orders[i:i + AT_ONCE]))
        return [order for order, answer in zip(orders, answers) if not answer]
