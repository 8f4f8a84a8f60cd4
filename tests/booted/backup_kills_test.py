# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: backups, retention and restores that a manager orders, killed at random moments: the job with all
that belongs to it, the agent, or the executor. The storage and the service have the old or the new state, nothing is
half, nothing stays locked or lies about, and the repeated request succeeds. What kills the agent or the executor is not
noticed by the job at all. Then: keys that a manager has sent are nowhere to be seen."""

import base64
import json
import os
import pathlib
import random
import re
import subprocess
import time
import uuid

import pytest

from agent_test import manager, run, show, wait_for  # noqa: F401
from backup_rig import STATE, describe, good, hook, keys, make_tree, objects, place, service, store  # noqa: F401
from harness import Soup

FULL = os.environ.get("DCM_FAULTS") == "full"
ROUNDS = int(os.environ.get("DCM_KILLS") or (100 if FULL else 9))
LOCK_UNIT = "dcm-services-lock.service"
LOCK_HOOK = 'touch "$2"; read -r line'


def b64(text):
    return base64.b64encode(text.encode()).decode()


# --- a manager that loses nothing ------------------------------------------------------------------------

def ask(manager, command, guid=None, **arguments):  # noqa: F811
    """A REQUEST, again and again as managers do it, until the reply is there."""
    guid = guid or str(uuid.uuid4())
    sent = 0

    def look():
        nonlocal sent
        replies = manager.of_type("REPLY", guid)
        is_open = manager.connections and manager.connections[-1].get_state() == Soup.WebsocketState.OPEN
        if replies and is_open:
            manager.ack(replies[-1])
            return replies[-1]["payload"]
        if is_open and time.monotonic() - sent > 1 and manager.connections[-1].introduced:
            manager.request(guid, command, arguments)
            sent = time.monotonic()
        return None
    return wait_for(look, f"the reply to {command}", 90)


def begin(manager, command, **arguments):  # noqa: F811
    """A long runner's number."""
    reply = ask(manager, command, **arguments)
    assert reply.get("reply_type") == "job_description", reply
    return reply["reply_object"]["job_id"]


def finish(manager, job):  # noqa: F811
    end = time.monotonic() + 120
    while time.monotonic() < end:
        description = ask(manager, "get_job_description", jobId=job)["reply_object"]
        if description["job_status"] in ("COMPLETE", "ERROR"):
            return description
    raise AssertionError(f"the job {job} does not end")


def do(manager, command, **arguments):  # noqa: F811
    return finish(manager, begin(manager, command, **arguments))["command_reply"]


@pytest.fixture
def fast():
    """The agent starts again at once, as often as it must."""
    path = pathlib.Path("/run/systemd/system/dcm-agent.service.d/fast.conf")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=20ms\n")
    run("systemctl", "daemon-reload")
    yield
    path.unlink()
    run("systemctl", "daemon-reload")


# --- kills -----------------------------------------------------------------------------------------------

VICTIMS = {"job": "dcm-job-*.service", "agent": "dcm-agent.service", "executor": "dcm-agent-executor.service"}


def kill(victim):
    subprocess.run(["systemctl", "kill", "--signal=KILL", VICTIMS[victim]], capture_output=True)


def held():
    """Locks, guards, files of a run, its units, its programs: what is there of these. A directory for files that were
    never made may wait for the next run."""
    guards = STATE / "guards"
    units = run("systemctl", "list-units", "--all", "--plain", "--no-legend", "dcm-job-*", "dcm-hook-*", "dcm-backup-guard-*",
                "dcm-backup-sweep-*", LOCK_UNIT)
    running = subprocess.run(["pgrep", "-lx", "tar|zstd|age|dcm-object|dcm-backup"], capture_output=True, text=True).stdout
    return [*(guards.iterdir() if guards.exists() else ()), *pathlib.Path("/var/tmp").glob("dcm-backup-*"),
            *(STATE / "hand-over").glob("*/*"), *units.splitlines(), *running.splitlines()]


def wait_nothing_is_held(what):
    found = []

    def look():
        found[:] = held()
        return not found
    try:
        wait_for(look, what, 60)
    except AssertionError:
        raise AssertionError(f"{what}: {found}") from None


def complete(store):  # noqa: F811
    return [o for o in objects(store) if not o.startswith(".")]


def test_killed_at_random(manager, store, service, keys, fast):  # noqa: F811
    """Two copies of which the newest two stay; services locked while they are read; a data source by hooks."""
    make_tree(service / "data")
    hook(service, "enstratus-lock", LOCK_HOOK)
    hook(service, "enstratus-backupDataSource", 'head -c 3000000 /dev/zero | tr "\\0" "$(cat "$3")" >"$4"')
    hook(service, "enstratus-installds", 'cp "$3" installed')
    identity = {"identity": keys[0][1], "place": place(store)}
    old = {"serviceId": "a1", "toBackupDirectory": "x", "primaryCloudId": "1", "primaryApiKey": b64("k"),
           "primarySecretKey": b64("s")}
    whole = {"place": place(store), "second_place": place(store, "second"), "recipient": [keys[0][0]],
             "retain": {"newest": 2}, "compression": "zstd"}
    orders = {
        "backup_service": {**old, **whole, "consistency": "lock"},
        "restore_service": {"serviceId": "a1", **identity},
        "backup_data_source": {**old, **whole, "dataSourceName": "db", "configuration": b64("x")},
        "restore_data_source": {"serviceId": "a1", "dataSourceName": "db", **identity},
    }
    seconds, ends = {}, {}
    for command, arguments in orders.items():
        began = time.monotonic()
        reply = do(manager, command, **arguments)
        assert reply["return_code"] == 0, (command, reply)
        seconds[command] = time.monotonic() - began
    saved = describe(service / "data")

    for number in range(ROUNDS):
        victim = list(VICTIMS)[number % 3]
        command = list(orders)[number // 3 % 4]
        (service / "mark").write_text(f"round {number}")
        job = begin(manager, command, **orders[command])
        wait_until = time.monotonic() + random.uniform(0, seconds[command] * 1.1)
        wait_for(lambda: time.monotonic() >= wait_until, "the moment")  # noqa: B023
        kill(victim)
        status = finish(manager, job)["job_status"]
        ends[victim, status] = ends.get((victim, status), 0) + 1
        assert victim == "job" or status == "COMPLETE", (number, command, victim)
        wait_nothing_is_held(f"after round {number}: {command}, {victim}")
        # the directory is whole, and what was in use is that or kept beside it
        assert describe(service / "data") == saved, (number, command, victim)
        marks = [p.read_text() for p in (service / "mark", *service.parent.glob(".a1.*/mark")) if p.exists()]
        assert f"round {number}" in marks, (number, command, victim, marks)
        # each object that is seen can be restored, and at least the newest is there
        names = complete(store)
        assert [n for n in names if "-db-" in n] and [n for n in names if "-db-" not in n], names
        assert do(manager, command, **orders[command])["return_code"] == 0, (number, command, victim)
        for role in "first", "second":
            there = [o for o in objects(store, role) if not o.startswith(".")]
            if command == "backup_service":
                assert len([o for o in there if "-db-" not in o]) == 2, (number, victim, there)
            if command == "backup_data_source":
                assert len([o for o in there if "-db-" in o]) == 2, (number, victim, there)
        for name in (complete(store) if FULL else complete(store)[-1:]):
            good("verify_backup", object=name, place=place(store))
        wait_nothing_is_held(f"after the request of round {number} again: {command}, {victim}")
        left = [p.name for p in service.parent.iterdir() if p != service]
        assert command != "restore_service" or all(n.startswith(".a1.dcm-former-") for n in left), left
        good("remove_former", serviceId="a1")
    print("ended:", {f"{v} {s}": n for (v, s), n in sorted(ends.items())})
    listed = good("list_backups", serviceId="a1").object
    assert not [e for e in listed if e["outcome"] == "running"], listed
    # what is left of uploads is removed a day later
    for role in "first", "second":
        left = [o for o in objects(store, role) if o.startswith(".")]
        assert all(re.fullmatch(r"\.a1-.*\.dcm-[0-9a-f]{8}", o) for o in left), left
        good("backup_service", **{**orders["backup_service"], "place": place(store, role), "second_place": None})
        assert left == [o for o in objects(store, role) if o.startswith(".")], "it may be of an upload that goes on"
        for o in left:
            os.utime(store / role / o, (time.time() - 100_000,) * 2)
        (store / role / ".b1-other.dcm-01234567").touch()
        os.utime(store / role / ".b1-other.dcm-01234567", (0, 0))
        good("backup_service", **{**orders["backup_service"], "place": place(store, role), "second_place": None})
        good("backup_data_source", **{**orders["backup_data_source"], "place": place(store, role), "second_place": None})
        assert [o for o in objects(store, role) if o.startswith(".")] == [".b1-other.dcm-01234567"], left
