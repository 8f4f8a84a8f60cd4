# SPDX-License-Identifier: Apache-2.0
"""What the manager orders, and what is then true. Each script appends a line to a ledger outside of
the agent, with a value that a second run of it would not have again, and prints the value."""

import base64
import hashlib
import json
import uuid
from urllib.parse import unquote

SCRIPT = """#!/bin/bash
read -r value </proc/sys/kernel/random/uuid
echo "{guid} $value" >>{ledger}
echo "$value"
{rest}
"""

# kind: how often among all, and the end of its script, if it is one
KINDS = {
    "heartbeat": (20, None),
    "get_agent_data": (8, None),
    "script": (26, ""),
    "failing": (10, "echo bad >&2\nexit {code}"),
    "root": (10, "id -u"),
    "slow": (8, "sleep 0.2"),
    "cancelled": (8, "exec sleep 120"),
    "given up": (4, "sleep 0.2"),
    "bad checksum": (4, ""),
    "unknown": (2, None),
}


class Order:
    def __init__(self, number, kind, rng, ledger):
        self.number = number
        self.kind = kind
        self.guid = f"wire-{number}-{uuid.uuid4().hex[:12]}"
        self.code = rng.randint(1, 99)
        self.asks_status = rng.random() < 0.2
        # the CANCEL may then come in before the REQUEST
        self.cancels_at_once = kind == "cancelled" and rng.random() < 0.5
        # the manager answers the REPLY by a NACK: it has the result, and wants no more of it
        self.nacks_reply = kind == "given up" or rng.random() < 0.05
        self.command, self.arguments = self._content(ledger)
        self.acked = False
        self.nack = None
        self.gave_up = False  # the agent has said that it knows that
        self.replies = []  # distinct ones
        self.statuses = []
        self.trace = []

    def _content(self, ledger):
        rest = KINDS[self.kind][1]
        if self.kind == "unknown":
            return "no_such_command", {}
        if rest is None:
            return self.kind, {}
        script = SCRIPT.format(guid=self.guid, ledger=ledger,
                               rest=rest.format(code=self.code)).encode()
        checksum = hashlib.sha256(script).hexdigest()
        arguments = {"b64script": base64.b64encode(script).decode(),
                     "checksum": "0" * 64 if self.kind == "bad checksum" else checksum}
        if self.kind == "root":
            arguments["runUnderSudo"] = True
        return "run_script", arguments

    def is_taken(self):
        """There is no need to repeat the REQUEST."""
        return self.acked or self.nack is not None or self.replies

    def is_done(self):
        return self.replies or self.nack is not None or self.gave_up

    def add_reply(self, payload):
        if payload is None and self.kind == "given up":
            return  # the agent keeps no result of what nobody wants
        text = json.dumps(payload, sort_keys=True)
        if text not in self.replies:
            self.replies.append(text)

    def lies(self, lines):
        """What is not true of the reply, given the order's lines in the ledger."""
        if len(lines) > 1:
            yield f"ran {len(lines)} times"
        if len(self.replies) > 1:
            yield "more than one reply"
        for state, reply in self.statuses:
            if reply and self.replies and json.dumps(reply, sort_keys=True) not in self.replies:
                yield f"STATUS in {state} has another reply"
        if self.kind == "unknown":
            if self.replies or not self.nack or "is not known" not in self.nack:
                yield "an unknown command was not refused"
            return
        if self.nack is not None:
            yield f"refused: {self.nack}"
        if not self.replies:
            if self.kind != "given up":
                yield "not answered"
            elif len(lines) != 1:
                yield "accepted and not done"
            return
        reply = json.loads(self.replies[0])
        if isinstance(reply, dict):
            yield from self._lies_of(reply, lines)
        else:
            yield f"the reply is no object: {self.replies[0]}"

    def _lies_of(self, reply, lines):
        value = lines[0] if lines else None
        code, out = reply.get("return_code"), reply.get("message", "")
        error = reply.get("error_message", "")
        if "Exception" in reply:
            yield "its result was lost"
        elif self.kind == "heartbeat":
            good = code == 0 and isinstance(reply.get("reply_object"), str)
        elif self.kind == "get_agent_data":
            good = code == 0 and reply.get("reply_type") == "agent_data"
        elif self.kind == "bad checksum":
            good = code == 1 and not lines and "checksum" in unquote(error)
        elif self.kind == "cancelled":
            good = self._is_cancelled(code, out, unquote(error), value)
        elif self.kind == "failing":
            good = code == self.code and out == f"{value}\n" and error == "bad\n"
        else:
            end = "0\n" if self.kind == "root" else ""
            good = code == 0 and out == f"{value}\n{end}" and not error
        if "Exception" not in reply and not good:
            yield f"the reply is not true: {self.replies[0]}; ledger: {lines}"

    @staticmethod
    def _is_cancelled(code, out, error, value):
        if value is None:  # before it began, or in the moment before its first line
            return code in (1, -15) and "cancelled" in error and not out
        return code == -15 and out in ("", f"{value}\n") and "cancelled" in error


def make_orders(n, rng, ledger):
    kinds = rng.choices(list(KINDS), [weight for weight, _rest in KINDS.values()], k=n)
    for number, kind in enumerate(KINDS):  # each at least once
        kinds[number * n // len(KINDS)] = kind
    return [Order(number, kind, rng, ledger) for number, kind in enumerate(kinds)]
