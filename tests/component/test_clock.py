# SPDX-License-Identifier: Apache-2.0
"""Nothing depends on the wall clock: it jumps by twenty years, both ways, under a running agent and
over a restart, and nothing is lost, late, early or sent in a storm. A preloaded library moves
CLOCK_REALTIME of the agent alone. Retention is tested in tests/unit/test-store-clock.c."""

import base64
import hashlib
import json
import os
import re
import socket
import struct
import time
import uuid

import pytest

import test_manager
from harness import BUILD, ROOT, Manager, wait_for

YEAR = 365 * 86400
JUMPS = [20 * YEAR, -20 * YEAR]
JOB = {"b64script": base64.b64encode(b"#!/bin/sh\n").decode(),
       "checksum": hashlib.sha256(b"#!/bin/sh\n").hexdigest()}


class Clock:
    """The wall clock of one agent."""

    def __init__(self, directory):
        self.path = directory / "clock"
        self.path.write_bytes(bytes(8))

    def jump(self, seconds):
        with self.path.open("r+b", buffering=0) as file:  # the agent has mapped it
            file.write(struct.pack("=q", seconds))

    def environment(self):
        options = os.environ.get("ASAN_OPTIONS", "")
        return {"LD_PRELOAD": str(BUILD / "tests/component/wall-clock.so"),
                "WALL_CLOCK": str(self.path),
                "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0"}

    def start(self, agent):
        agent.start(**self.environment())


@pytest.fixture
def clock(agent):
    return Clock(agent.directory)


def request(manager, command, arguments=None):
    guid = str(uuid.uuid4())
    manager.request(guid, command, arguments)
    manager.wait_message("ACK", guid)
    return guid


def let_pass(seconds):
    end = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() >= end, "time")


def clock_of(agent, guid):
    """The agent's wall clock when it accepted a request, compared to ours."""
    rows = json.loads(agent.call("ListRequests", "u", "0"))["data"][0]
    return next(row for row in rows if row[0] == guid)[3] / 1e6 - time.time()


@pytest.mark.parametrize("jump", JUMPS)
def test_jump_with_open_requests(agent, manager, clock, jump):
    """An unacknowledged reply, a job that waits, and a connection that lives by its pings alone."""
    agent.configure(manager.url(), connection={"heartbeat_frequency": "1"},
                    messaging={"retransmission_timeout": "0.4"})
    clock.start(agent)
    manager.wait_offer()
    job = request(manager, "run_script", JOB)
    reply = request(manager, "heartbeat")
    manager.wait_message("REPLY", reply, 2)
    clock.jump(jump)
    begin = len(manager.of_type("REPLY", reply))
    late = request(manager, "heartbeat")
    assert abs(clock_of(agent, late) - jump) < 3600, "the clock has not jumped"
    let_pass(4)  # longer than 2.5 pings
    # at 0.4 s and then twice as long each time, two go by in 4 s, and at most three
    assert 1 <= len(manager.of_type("REPLY", reply)) - begin <= 3
    assert 2 <= len(manager.of_type("REPLY", late)) <= 5
    assert len(manager.offers) == 1
    for guid in (reply, late):
        manager.ack(manager.of_type("REPLY", guid)[0])
    wait_for(lambda: agent.property("RequestCounts").get("REPLY_ACKED") == 2, "REPLY_ACKED")
    manager.send(type="CANCEL", request_id=job, message_id="m")
    assert "cancelled" in manager.wait_message("REPLY", job)["payload"]["error_message"]


@pytest.mark.parametrize("jump", JUMPS)
def test_jump_over_a_restart(agent, manager, clock, jump):
    agent.configure(manager.url(), messaging={"retransmission_timeout": "3600"})
    clock.start(agent)
    manager.wait_offer()
    job = request(manager, "run_script", JOB)
    done, unsent = request(manager, "heartbeat"), request(manager, "heartbeat")
    manager.ack(manager.wait_message("REPLY", done))
    first = manager.wait_message("REPLY", unsent)
    wait_for(lambda: agent.property("RequestCounts").get("REPLY_ACKED") == 1, "REPLY_ACKED")
    agent.kill()
    clock.jump(jump)
    clock.start(agent)
    manager.wait_offer(2)
    assert manager.wait_message("REPLY", unsent, 2)["payload"] == first["payload"]
    manager.request(done, "heartbeat")
    manager.wait_message("REPLY", done, 2)
    manager.request(job, "run_script", JOB)
    manager.wait_message("ACK", job, 2)
    assert len(manager.of_type("ACK", done)) == 1
    assert len(manager.of_type("REPLY", unsent)) == 2
    assert agent.property("RequestCounts") == {**agent.property("RequestCounts"), "ACKED": 1,
                                               "REPLY": 1, "REPLY_ACKED": 1}


@pytest.mark.parametrize("jump", JUMPS)
def test_jump_while_backing_off(agent, clock, jump):
    """Attempts go on at their pace: neither stopped for years nor one upon another."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        server.setblocking(False)
        agent.configure(f"ws://127.0.0.1:{server.getsockname()[1]}/",
                        connection={"backoff": "400", "max_backoff": "400"})
        clock.start(agent)

        def attempt():
            try:
                server.accept()[0].close()
                return True
            except BlockingIOError:
                return False

        for _ in range(3):
            wait_for(attempt, "an attempt before the jump")
        clock.jump(jump)
        end, n = time.monotonic() + 4, 0
        while time.monotonic() < end:
            n += attempt()
            agent.notifications()
            time.sleep(0.01)
    assert 7 <= n <= 21  # each wait is between 0.2 and 0.4 s; one may have been under way


@pytest.mark.parametrize("jump", JUMPS)
def test_jump_in_a_forced_pause(agent, clock, jump):
    manager = Manager()
    manager.answers = [{"return_code": 503, "FORCE_BACKOFF": 2}]
    try:
        agent.configure(manager.url())
        clock.start(agent)
        manager.wait_offer()
        begin = time.monotonic()
        agent.wait_log("asked for a pause")
        clock.jump(jump)
        manager.wait_offer(2)
        assert 1.5 < time.monotonic() - begin < 10
    finally:
        manager.stop()


def test_manager_keeps_results_when_the_clock_jumps(tmp_path):
    clock = Clock(tmp_path)
    prefix = ["env", *(f"{name}={value}" for name, value in clock.environment().items())]
    server = test_manager.Server(tmp_path, prefix=prefix)
    try:
        agent = server.agent()
        guid = server.run(agent.id, "heartbeat")
        agent.receive("REQUEST")
        agent.reply(guid, 0, "done")
        agent.receive("ACK")
        clock.jump(20 * YEAR)
        server.run(agent.id, "heartbeat")
        assert server.show(guid)["state"] == "REPLIED"
    finally:
        server.stop()


# Where the wall clock may be read, and what for. That list is all that keeps a new use from being
# overlooked.
FOR_PEOPLE = {
    "health/health.c": "when a sample was taken",
    "core/uplink.c": "ConnectedSinceUSec on D-Bus",
    "dcm-doctor/examine.c": "the clock itself, and a certificate's end",
    "net/tls-verify.c": "the clock beside a certificate's dates, in an error text",
    "net/wakeup.c": "whether it was set",
    "job/task.c": "when a request was accepted",
    "store/job-row.c": "when a job began and ended",
    "store/request-row.c": "when a row was changed",
    "alert/change.c": "when an alert was raised",
    "alert/file.c": "beside the times of files, which have no other clock",
    "alert/intrusion.c": "the same",
    "dcm-package/after.c": "the boot beside the times of rpm's installations, which have no other clock",
    "store/alert-row.c": "when an alert came, and the time in a request id",
    "dcm-agentctl/top-tables.c": "the age of a job in top",
    "dcm-agentctl/top-view.c": "the clock in the head of top",
    "dcm-agentctl/requests.c": "how long a request takes",
    "cli/listing.c": "what --since is counted from",
    "store/user-row.c": "when a user was made",
    "store/repair.c": "the name of a damaged database",
    "dcm-agentctl/job-list.c": "the age of a job",
    "dcm-executord/job-dir.c": "begin and end in an exit record",
    "dcm-run/main.c": "begin and end in an exit record",
    "dcm-object/remains.c": "the age of what an upload has left, beside the times of the storage",
    "dcm-object/store.c": "how long a signature for Azure is valid, whose service has the same clock",
    "dcm-backup/backup.c": "begin and end of a backup in the catalogue",
    "dcm-backup/begun.c": "when a backup did not begin, in the catalogue",
    "dcm-backup/repeat.c": "whether the time of the next backup has come, by the calendar",
    "dcm-backup/status.c": "when the next backup is due, by the calendar",
    "dcm-backup/guard.c": "the name of a backup is the time of its begin",
    "dcm-backup/send.c": "when a backup was verified",
    "dcm-backup/inspect.c": "the same, and the age of a backup in the list",
    "dcm-backup/retain.c": "which backups have a time in the future",
    "dcm-agentctl/backups.c": "which schedules are overdue",
    "dcm-backup/schedules.c": "a calendar event is of the wall clock; when a schedule was made",
    "dcm-backup/swap.c": "the name of the former directory",
    "dcm-service/hold.c": "beside the times of files, which have no other clock",
    "dcm-manager/authority.c": "from when on and until when a certificate is valid",
    "dcm-manager/serve.c": "whether the certificate expires soon",
    "dcm-manager/control.c": "the same",
    "dcm-manager/cli-enrolment.c": "whether an enrolment token has expired, in the words for people",
    "dcm-manager/control-enrolment.c": "until when an enrolment token is valid, which people are told as a date",
    "dcm-manager/cli-query.c": "whether the certificate expires or has expired, in the words for people",
    "dcm-manager/manager-auth.c": "since when an agent is connected",
    "dcm-manager/ledger-database.c": "when a row was made or changed",
}


def test_wall_clock_is_read_for_people_alone():
    used = set()
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        if re.search(r"CLOCK_(REALTIME|TAI)|\b(time|gettimeofday|ftime)\((?!\)|[0-9]\))", code):
            used.add(str(path.relative_to(ROOT / "src")))
    assert used == set(FOR_PEOPLE)
