#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns the table of the protocol's section 4 (Markdown, first argument) into a C header (second
argument) that test-request-state compares with the code, cell by cell. The text is the source: what
cannot be read is an error."""

import pathlib
import re
import sys

EVENTS = {"REQUEST again": "REQUEST", "accepted": "ACCEPT", "refused": "REJECT",
          "finished": "FINISHED", "CANCEL": "CANCEL", "ACK": "ACK", "NACK": "NACK",
          "timer": "TIMEOUT", "STATUS": "STATUS"}
ACTIONS = {"store": "STORE", "send ACK": "SEND_ACK", "send NACK": "SEND_NACK",
           "send REPLY": "SEND_REPLY", "resend REPLY": "RESEND_REPLY",
           "send STATUS": "SEND_STATUS", "cancel job": "CANCEL_JOB", "start timer": "START_TIMER",
           "stop timer": "STOP_TIMER", "drop reply": "DROP_REPLY"}


def table(text):
    """Heading and rows of the one table that begins with a column 'state'."""
    section = re.search(r"^## 4\. .*?(?=^## )", text, re.M | re.S)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows[0][0] == "state" and set(rows[1]) == {"---"}, rows[:2]
    return rows[0][1:], rows[2:]


def parse(state, cell):
    """The next state and the actions of a cell."""
    if cell == "·":
        return state, []
    m = re.fullmatch(r"= (?P<stays>.+)|(?P<next>[A-Z_]+)(: (?P<does>.+))?", cell)
    assert m, f"{state}: what is {cell!r}?"
    actions = m["stays"] or m["does"]
    return m["next"] or state, [ACTIONS[a] for a in actions.split(", ")] if actions else []


def cells(text):
    columns, rows = table(text)
    assert set(columns) == set(EVENTS), columns
    for state, *row in rows:
        assert len(row) == len(columns), f"{state} has {len(row)} cells"
        for column, cell in zip(columns, row):
            yield state, EVENTS[column], *parse(state, cell)


def main():
    source, target = map(pathlib.Path, sys.argv[1:])
    lines = ["/* Made of docs/protocol.md by state-table.py. */"]
    for state, event, following, actions in cells(source.read_text(encoding="utf-8")):
        flags = " | ".join(f"REQUEST_ACTION_{a}" for a in actions) or "0"
        lines.append(f'{{"/request-state/cell/{state}/{event}", REQUEST_STATE_{state},\n'
                     f" REQUEST_EVENT_{event}, REQUEST_STATE_{following}, {flags}}},")
    target.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
