# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: what a manager that orders backups and restores sees and shows. How far they are is told in per
cent; another request about the same service is refused, and says which one is at work; keys that it has sent are nowhere
but in the memory of the processes that need them; what a user of a service does meanwhile leads root nowhere."""

import base64
import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import urllib.parse
import uuid

import pytest

from agent_test import manager, reply_to, run, wait_for  # noqa: F401
from backup_kills_test import b64, begin, do, finish
from backup_rig import (OLD, SERVICES, STATE, bad, call, forget_records, good, hook, hooks, keys, make_tree,  # noqa: F401
                        objects, place, service, start, store, write_hook)
from bus_monitor import bus_in

RUN = pathlib.Path("/run/dcm-services")


# --- progress --------------------------------------------------------------------------------------------

def percents(manager):  # noqa: F811
    """What the manager was told since it was asked last."""
    texts = [urllib.parse.unquote(m["message"]) for m in manager.of_type("LOG")]
    found = [int(n) for text in texts for n in re.findall(r": (\d+) %$", text)]
    manager.received.clear()
    return found


def rises_to_100(found):
    return len(found) >= 2 and found == sorted(found) and found[0] < 100 and found[-1] == 100


def test_progress(manager, store, tmp_path):  # noqa: F811
    """Of a stream whose size is guessed by the backup before, of a file of known size, of what is restored and verified."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "data").write_bytes(os.urandom(40_000_000))
    arguments = {"name": "progress", "paths": [str(tree)], "compression": "none", "place": place(store),
                 "second_place": place(store, "second")}
    for what in "unknown", "guessed":
        percents(manager)
        assert do(manager, "backup_paths", **arguments)["return_code"] == 0
        found = percents(manager)
        assert rises_to_100(found), (what, found)
        assert (found[0] < 50) == (what == "guessed"), (what, found)
    both = {"place": place(store), "second_place": place(store, "second")}
    for command, more in (("verify_backup", {"name": "progress", **both}),
                          ("restore_paths", {"name": "progress", "place": place(store), "path": str(tree),
                                             "target": str(tmp_path / "r")})):
        assert do(manager, command, **more)["return_code"] == 0
        found = percents(manager)
        assert rises_to_100(found), (command, found)


def test_progress_of_a_file(manager, service, store):  # noqa: F811
    (service / "data").write_bytes(os.urandom(40_000_000))
    percents(manager)
    assert do(manager, "backup_service", **order(store))["return_code"] == 0
    assert rises_to_100(percents(manager))


def test_progress_under_a_lock(manager, service, store):  # noqa: F811
    """What is locked is copied to a file first: the first half."""
    hook(service, "enstratus-lock", 'touch "$2"; read -r line')
    (service / "data").write_bytes(os.urandom(40_000_000))
    forget_records()
    for compression in "none", "zstd":
        for what in "unknown", "guessed":
            percents(manager)
            assert do(manager, "backup_service", **order(store, consistency="lock", compression=compression))["return_code"] == 0
            found = percents(manager)
            assert rises_to_100(found), (what, found)
            assert compression == "zstd" or (found[0] < 50) == (what == "guessed"), (what, found)
        assert found[0] < 50, found


# --- one request at a time -------------------------------------------------------------------------------

def order(store, **more):  # noqa: F811
    return {"serviceId": "a1", "toBackupDirectory": "x", "primaryCloudId": "1", "primaryApiKey": b64("k"),
            "primarySecretKey": b64("s"), "place": place(store), **more}


def test_a_service_is_changed_by_one_request(service, store):  # noqa: F811
    """restore_service and what dcm-service does have the same lock, and say who has it."""
    good("backup_service", **OLD, place=place(store))
    lock = RUN / "a1.lock"
    with lock.open("a+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.truncate(0)
        f.write("install_service, process 4711")
        f.flush()
        for command in "restore_service", "remove_former":
            more = {"place": place(store)} if command == "restore_service" else {}
            reply = bad("install_service, process 4711", command, serviceId="a1", **more)
            assert reply.object["code"] == "busy" and "Another request about a1 is at work" in reply.error
    good("restore_service", serviceId="a1", place=place(store))
    assert lock.read_text().startswith("restore_service, process ")
    good("remove_former", serviceId="a1")


def test_install_waits_for_no_restore(service, store):  # noqa: F811
    """The other way round: a restore that has begun, and an install_service and configure_service meanwhile."""
    (service / "large").write_bytes(os.urandom(60_000_000))
    good("backup_service", **OLD, place=place(store), compression="zstd")
    process = start("restore_service", serviceId="a1", place=place(store))
    process.stdin.write(process.data)
    process.stdin.close()
    wait_for(lambda: list(SERVICES.glob(".a1.dcm-new-*")), "the restore")
    process.send_signal(19)  # SIGSTOP
    try:
        for verb, arguments in (("install", {"serviceId": "a1", "customerId": 1, "runAsUser": "dcm", "serviceImageDirectory": "b",
                                             "serviceImageFile": "x.tgz"}),
                                ("configure", {"serviceId": "a1", "runAsUser": "dcm"})):
            r = subprocess.run(["/usr/lib/dcm-agent/dcm-service", verb], input=json.dumps(arguments), capture_output=True, text=True)
            assert r.returncode == 1 and f"restore_service, process {process.pid}" in r.stderr, r
    finally:
        process.send_signal(18)  # SIGCONT
    assert process.wait() == 0, process.stdout.read()
    good("remove_former", serviceId="a1")


# --- links -----------------------------------------------------------------------------------------------

def opens(name, path):
    """Whether a process of that name has the file open."""
    pids = subprocess.run(["pgrep", "-x", name], capture_output=True, text=True).stdout.split()
    for fd in (f for pid in pids for f in pathlib.Path("/proc", pid, "fd").glob("*")):
        try:
            if os.path.samefile(fd, path):
                return True
        except OSError:
            pass
    return False


def test_zip_follows_no_link(service, store):  # noqa: F811
    """A service's user exchanges a directory with a link, after zip has listed it and before it reads a file in it."""
    secret, folder = pathlib.Path("/root/elsewhere"), service / "folder"
    names = "0-large", "file", "1-large"  # one of the large ones comes before the file, as directories are read
    for path, text in (secret, b"canary"), (folder, b"mine"):
        path.mkdir(mode=0o700)
        for name in names:
            (path / name).write_bytes(text * 1000 if name == "file" else os.urandom(60_000_000))
    process = start("backup_service", **OLD, place=place(store))
    process.stdin.write(process.data)
    process.stdin.close()
    wait_for(lambda: any(opens("zip", folder / name) for name in names), "zip")
    folder.rename(folder.with_suffix(".away"))
    folder.symlink_to(secret)
    process.wait()
    text = process.stdout.read()
    shutil.rmtree(secret)
    assert "zip failed" in text and objects(store) == [], text


def test_a_service_that_is_a_link(service, store):  # noqa: F811
    """root's leads where it does; of anybody else none."""
    (service / "file").write_text("x")
    elsewhere = store / "elsewhere"
    service.rename(elsewhere)
    service.symlink_to(elsewhere)
    try:
        for compression in {}, {"compression": "zstd"}:
            good("backup_service", **OLD, place=place(store), **compression)
        os.chown(service, 1000, 1000, follow_symlinks=False)
        reply = call("backup_service", **OLD, place=place(store))
        assert reply.code != 0, reply
    finally:
        service.unlink()
        elsewhere.rename(service)


# --- secrets ---------------------------------------------------------------------------------------------

def seen_by_processes(texts):
    """Of command lines and environments, but for this test and what it has started for itself."""
    own = {str(os.getpid())}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        if path.name in own:
            continue
        for name in "cmdline", "environ":
            try:
                data = (path / name).read_bytes()
            except OSError:
                continue
            for text in texts:
                if text in data:
                    return (path / "comm").read_text(), name, text
    return None


def read_now(fd):
    try:
        return os.read(fd, 100)
    except BlockingIOError:
        return b""


def test_secrets_are_nowhere(manager, store, service, keys, hooks):  # noqa: F811
    """Keys of the storage, the key of age, and the configuration of a data source, in REQUESTs: while hooks run and
    wait, and afterwards."""
    secrets = {"storage": "canary-storage-4711", "old": "canary-old-4712", "configuration": "canary-settings-4713",
               "identity": re.search(r"AGE-SECRET-KEY-\w+", keys[0][1])[0]}
    texts = [s.encode() for s in secrets.values()] + [base64.b64encode(s.encode())[:-4] for s in secrets.values()]
    fifo = pathlib.Path("/run/dcm-orders")
    for name in "begun", "go":
        os.mkfifo(f"{fifo}-{name}")
        os.chmod(f"{fifo}-{name}", 0o666)
    wait = f'echo begun >{fifo}-begun; read -r x <{fifo}-go'
    hook(service, "enstratus-backupDataSource", f'{wait}; echo data >"$4"')
    hook(service, "enstratus-installds", wait)
    write_hook(hooks / "wait", wait)
    where = {**place(store), "key": secrets["storage"], "secret": secrets["storage"]}
    old = {**order(store), "primaryApiKey": b64(secrets["old"]), "primarySecretKey": b64(secrets["old"]), "place": where}
    orders = [
        ("backup_data_source", {**old, "dataSourceName": "db", "configuration": b64(secrets["configuration"]),
                                "recipient": [keys[0][0]]}, True),
        ("restore_data_source", {"serviceId": "a1", "dataSourceName": "db", "place": where, "identity": keys[0][1]}, True),
        ("backup_paths", {"name": "tree", "paths": ["/etc/dcm-agent/backup-hooks"], "place": where, "recipient": [keys[0][0]],
                          "pre": "wait", "schedule": "yearly"}, True),
        ("verify_backup", {"name": "tree", "place": where}, False),
        ("restore_paths", {"name": "tree", "place": where, "target": str(store / "r"), "identity": keys[0][1]}, False),
        ("list_backups", {"name": "tree", "place": where}, False),
        ("remove_schedule", {"name": "paths-tree"}, False),
    ]
    heard_file = store / "bus"
    replies, units = [], ""
    with bus_in(heard_file, "type='method_call'", "type='signal'"):
        for command, arguments, waits in orders:
            if command == "remove_schedule":  # no long runner
                guid = str(uuid.uuid4())
                manager.request(guid, command, arguments)
                replies.append(reply_to(manager, guid))
                continue
            job = begin(manager, command, **arguments)
            if waits:
                begun = os.open(f"{fifo}-begun", os.O_RDONLY | os.O_NONBLOCK)
                wait_for(lambda: read_now(begun), "the hook")  # noqa: B023
                os.close(begun)
                found = seen_by_processes(texts)
                assert not found, (command, found)
                units += run("systemctl", "show", "dcm-*", check=False)
                for path in pathlib.Path("/run/systemd/transient").glob("*"):
                    units += path.read_text() if path.is_file() else ""
                pathlib.Path(f"{fifo}-go").write_text("go\n")
            replies.append(finish(manager, job)["command_reply"])
        for name in "begun", "go":
            os.unlink(f"{fifo}-{name}")
    assert [r["return_code"] for r in replies] == [0] * len(orders), replies
    heard = heard_file.read_bytes()
    assert b"StartTransientUnit" in heard
    journal = subprocess.run(["journalctl", "-o", "json", "--all"], capture_output=True).stdout
    console = json.dumps(manager.received).encode()
    run("systemctl", "stop", "dcm-agent.service")  # requests that run are in its database
    for text in texts:
        for data, place_of in ((heard, "the bus"), (units.encode(), "properties of units"), (journal, "the journal"),
                               (json.dumps(replies).encode(), "replies"), (console, "the console")):
            assert text not in data, (text, place_of)
        found = subprocess.run(["grep", "-rlsa", "--", text.decode(), "/run", "/tmp", "/var/tmp", "/srv", "/etc", "/var/lib",
                                "/var/log"], capture_output=True, text=True).stdout.split()
        # the file that the Python agent wrote, too; the key that this test has made
        allowed = [str(service / "cfg/enstratiusinitd.cfg")] if text == secrets["configuration"].encode() else []
        found = [p for p in found if not p.startswith("/srv/dcm-backup-test/keys")]
        assert found == allowed, (text, found)


# --- what is seen of schedules ---------------------------------------------------------------------------

def series_of(name):
    """As the agent tells it on D-Bus."""
    run("systemctl", "start", "dcm-agent.service")
    [series] = [s for s in json.loads(run("dcm-agentctl", "backups", "--json")) if s["name"] == name]
    return series


def test_runs_that_do_not_begin(store, hooks):  # noqa: F811
    """The request cannot be unsealed, another program has the series, the place is refused: each leaves a record, and
    the series counts as failed, until a run has succeeded; alerts are rules on that."""
    unit, sealed = "dcm-backup-paths-begin.service", STATE / "schedules/paths-begin.cred"
    write_hook(hooks / "pre", "exit 0")
    good("backup_paths", name="begin", paths=["/etc/dcm-agent/backup-hooks"], place=place(store), pre="pre", schedule="yearly")
    records = len(list((STATE / "records").iterdir()))

    def runs(works):
        r = subprocess.run(["systemctl", "start", unit], capture_output=True)
        assert (r.returncode == 0) == works, r

    data = sealed.read_bytes()
    sealed.write_bytes(data[:len(data) // 2])
    runs(False)
    series = series_of("paths-begin")
    assert series["outcome"] == "failed" and "did not begin" in series["error"] and unit in series["error"], series
    sealed.write_bytes(data)
    runs(True)
    assert series_of("paths-begin")["outcome"] == "complete"

    program = pathlib.Path("/usr/lib/dcm-agent/dcm-backup")
    program.chmod(0o644)
    try:
        runs(False)
    finally:
        program.chmod(0o755)
    subprocess.run([program, "refresh"], check=True)
    os.rename(store / "first", store / "gone")
    runs(False)
    series = series_of("paths-begin")
    assert series["outcome"] == "failed" and "There is no" in series["error"], series
    os.rename(store / "gone", store / "first")
    assert len(list((STATE / "records").iterdir())) == records + 3, "one of each run that could be noted, not two"
    listed = good("list_backups", name="begin").object
    assert [e["outcome"] for e in listed].count("failed") == 2
    assert not list(pathlib.Path("/run/dcm-backups").glob("begun-*"))
    good("remove_schedule", name="paths-begin")


def test_damage_is_seen(store):  # noqa: F811
    """What verify_backup finds is in the status, until there is a new backup."""
    arguments = {"name": "harm", "paths": ["/etc/dcm-agent"], "place": place(store)}
    name = good("backup_paths", **arguments).object["object"]
    assert series_of("paths-harm")["copies"] == 1
    with open(store / "first" / name, "r+b") as f:
        f.seek(100)
        f.write(b"damage")
    bad("is damaged", "verify_backup", name="harm", place=place(store))
    series = series_of("paths-harm")
    assert (series["outcome"], series["copies"]) == ("failed", 0) and f"{name} in directory" in series["error"], series
    assert re.search(r"^paths-harm +failed ", run("dcm-agentctl", "backups", "--full"), re.M)
    [entry] = good("list_backups", name="harm").object
    assert entry["copies"][0]["error"] == "It is damaged", entry
    good("backup_paths", **arguments)
    assert series_of("paths-harm")["outcome"] == "complete"
