# SPDX-License-Identifier: Apache-2.0
"""What the agent holds is bounded: open requests, old requests, and memory with both."""

import base64
import hashlib
import re
import sqlite3

import pytest

from harness import BUILD, DEADLINE, wait_for

SANITIZED = "asan" in str(BUILD)
OPEN_MAX = 10000  # REQUESTS_OPEN_MAX
OLD = 20_000 if SANITIZED else 1_000_000
SCRIPT = b"true\n"
ARGUMENTS = {"b64script": base64.b64encode(SCRIPT).decode(),
             "checksum": hashlib.sha256(SCRIPT).hexdigest()}


def resident_kib(agent):
    with open(f"/proc/{agent.process.pid}/status", encoding="utf-8") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def connect(agent, manager, n=1):
    agent.start()
    offer = manager.wait_offer(n)
    agent.notifications()  # a full socket would hold the agent up
    return offer


def add_old(agent, n):
    """Rows as if that many requests had been answered, just now by the server's running time."""
    db = sqlite3.connect(agent.state / "requests.db")
    db.execute("PRAGMA synchronous = OFF")
    now = db.execute("SELECT max(updated) FROM requests").fetchone()[0]
    db.executemany(
        "INSERT INTO requests (guid, agent_id, command, state, payload_sha256, reply, accepted,"
        " changed, updated) VALUES (?, 'agent-1', 'heartbeat', 'REPLY_ACKED', 'x', ?, 1, 1, ?)",
        ((f"old-{i:07}", '{"return_code":0,"message":"kept"}', now) for i in range(n)))
    db.commit()
    db.close()


def test_open_requests(agent, manager):
    """The private bus has neither systemd nor executor: jobs wait. One more than the bound is refused
    for the time being, and what is open is still open after a restart."""
    agent.configure(manager.url())
    connect(agent, manager)
    before = resident_kib(agent)
    for i in range(OPEN_MAX + 1):
        manager.request(f"open-{i}", "run_script", ARGUMENTS)
    nack = manager.wait_message("NACK", f"open-{OPEN_MAX}")
    assert "10000 open requests" in nack["error_message"]
    # what is refused is not committed, and so may overtake what is
    wait_for(lambda: len(manager.of_type("ACK")) == OPEN_MAX, "all ACKs")
    print(f"{OPEN_MAX} open requests take {resident_kib(agent) - before} KiB")
    assert SANITIZED or resident_kib(agent) - before < 40 * 1024
    agent.kill()
    connect(agent, manager, 2)
    assert agent.property("RequestCounts")["ACKED"] == OPEN_MAX
    manager.request(f"open-{OPEN_MAX}", "run_script", ARGUMENTS)
    manager.wait_message("NACK", f"open-{OPEN_MAX}", 2)


def test_old_requests(agent, manager):
    """A million answered requests: known, counted, listed in part, and not in memory."""
    agent.configure(manager.url())
    connect(agent, manager)
    manager.request("first", "heartbeat")
    manager.ack(manager.wait_message("REPLY", "first"))
    wait_for(lambda: agent.property("RequestCounts")["REPLY_ACKED"] == 1, "REPLY_ACKED")
    before = resident_kib(agent)
    agent.stop()
    add_old(agent, OLD)
    connect(agent, manager, 2)
    assert agent.property("RequestCounts")["REPLY_ACKED"] == OLD + 1
    assert "old-" in agent.call("ListRequests", "u", "3")
    assert agent.call("ListRequests", "u", "0").count("heartbeat") == 10000
    manager.request("old-0000007", "heartbeat")
    assert manager.wait_message("REPLY", "old-0000007")["payload"]["message"] == "kept"
    manager.request("new", "heartbeat")
    manager.ack(manager.wait_message("REPLY", "new"))
    wait_for(lambda: agent.property("RequestCounts")["REPLY_ACKED"] == OLD + 2, "REPLY_ACKED")
    print(f"{OLD} old requests: {resident_kib(agent)} KiB, without them {before} KiB")
    assert SANITIZED or resident_kib(agent) < before + 4 * 1024


@pytest.mark.parametrize("n", [20_000])
def test_old_requests_go(agent, manager, n):
    """After their time, slice by slice, while new ones are answered; open ones stay."""
    agent.configure(manager.url(), messaging={"retransmission_timeout": "3600"})
    connect(agent, manager)
    manager.request("unacknowledged", "heartbeat")
    manager.wait_message("REPLY", "unacknowledged")
    agent.stop()
    add_old(agent, n)
    db = sqlite3.connect(agent.state / "requests.db")
    db.execute("INSERT OR REPLACE INTO meta VALUES ('running_usec',"
               " (SELECT max(updated) FROM requests) + 864000000000)")
    db.commit()
    db.close()
    connect(agent, manager, 2)
    manager.request("meanwhile", "heartbeat")
    manager.wait_message("REPLY", "meanwhile")
    wait_for(lambda: agent.property("RequestCounts")["REPLY_ACKED"] == 0, "the old ones to go")
    assert agent.property("RequestCounts")["REPLY"] == 2


def test_damage_found_at_run_time(agent, manager):
    """The agent notes it and ends; the next one salvages what it can, and goes on."""
    agent.configure(manager.url())
    connect(agent, manager)
    manager.request("first", "heartbeat")
    manager.wait_message("REPLY", "first")
    agent.stop()
    add_old(agent, 5000)
    database = agent.state / "requests.db"
    with open(database, "r+b") as file:
        file.seek(database.stat().st_size // 4096 // 2 * 4096)
        file.write(b"\xa5" * 8192)
    connect(agent, manager, 2)
    for i in range(5000):
        manager.send(type="STATUS", request_id=f"old-{i:07}")
    wait_for(lambda: agent.process.poll() is not None, "the end")
    assert agent.process.returncode == 1
    agent.wait_log("and restarts")
    connect(agent, manager, 3)
    agent.wait_log("is damaged and was moved to")
    assert 4000 < agent.property("RequestCounts")["REPLY_ACKED"] < 5000
    manager.request("first", "heartbeat")
    manager.wait_message("REPLY", "first", 3)
    manager.request("new", "heartbeat")
    manager.wait_message("REPLY", "new")


def test_damage_found_at_the_start(agent, manager):
    """Also in a boot in which the database was checked: the second start at the latest goes on."""
    agent.configure(manager.url())
    connect(agent, manager)
    manager.request("first", "heartbeat")
    manager.wait_message("REPLY", "first")
    agent.stop()
    database = agent.state / "requests.db"
    db = sqlite3.connect(database)
    page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'stats'").fetchone()[0]
    db.close()
    with open(database, "r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
    agent.start()
    assert agent.process.wait(DEADLINE) == 1
    connect(agent, manager, 2)
    agent.wait_log("is damaged and was moved to")
    manager.request("first", "heartbeat")
    manager.wait_message("REPLY", "first", 2)
