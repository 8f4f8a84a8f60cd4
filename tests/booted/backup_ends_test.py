# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: the commands' program is killed at random moments. What is there afterwards is the old or the new
state; the repeated request succeeds. And its keys are nowhere to be seen."""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

from backup_rig import (STATE, backup, begin, describe, good, hooks, keys, leftovers, objects, place, run, start,  # noqa: F401
                        store, tree, wait_until, write_hook)


# --- kills -----------------------------------------------------------------------------------------------

KILLS = 100 if os.environ.get("DCM_FAULTS") == "full" else 8


def kill_at_random(command, seconds, **arguments):
    """Kills the program after a random time; whether it was done by then."""
    process = start(command, **arguments)
    process.stdin.write(process.data)
    process.stdin.close()
    try:
        process.wait(random.uniform(0, seconds))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not processes())
    for one in leftovers():
        shutil.rmtree(one)  # a job's /var/tmp goes with it
    return process.returncode == 0


def processes():
    return subprocess.run(["pgrep", "-x", "tar|zstd|age|dcm-object|dcm-backup|rm"], capture_output=True).stdout


def measure(command, **arguments):
    begin = time.monotonic()
    good(command, **arguments)
    return (time.monotonic() - begin) * 1.1


def test_killed_backups(tree, store, keys):
    """Every object that is seen under its name can be restored; the next backup succeeds; retention never leaves
    less than it must."""
    arguments = {"name": "tree", "paths": [str(tree)], "place": place(store), "recipient": [keys[0][0]], "retain": {"newest": 2}}
    seconds = measure("backup_paths", **arguments)
    before = describe(tree)
    n_done = 0
    for _ in range(KILLS):
        n_done += kill_at_random("backup_paths", seconds, **arguments)
        complete = [o for o in objects(store) if not o.startswith(".")]
        assert complete, "the last good one is never deleted"
        good("restore_paths", object=complete[-1], path=str(tree), target=str(tree.parent / "r"), place=place(store), identity=keys[0][1])
        assert describe(tree.parent / "r") == before
        good("remove_former", target=str(tree.parent / "r"))
    good("backup_paths", **arguments)
    assert len([o for o in objects(store) if not o.startswith(".")]) == 2
    assert not [r for r in good("list_backups", name="tree").object if r["outcome"] == "running"]


def test_killed_restores(tree, store):
    """The directory in use is the old or the new one, whole; the repeated request succeeds and leaves no rest."""
    arguments = {"name": "tree", "path": str(tree), "target": str(tree), "place": place(store)}
    backup(store, tree)
    new = describe(tree)
    (tree / "plain").write_text("old")
    seconds = measure("restore_paths", **arguments)
    for i in range(KILLS):
        (tree / "plain").write_text(f"old {i}")
        old = describe(tree)
        kill_at_random("restore_paths", seconds, **arguments)
        assert describe(tree) in (old, new), i
        good("restore_paths", **arguments)
        assert describe(tree) == new
        rest = [p.name for p in tree.parent.iterdir() if p != tree]
        assert rest and all(name.startswith(".tree.dcm-former-") for name in rest), rest
        texts = {(tree.parent / name / "plain").read_text() for name in rest}
        assert f"old {i}" in texts, "the former state is lost"
        good("remove_former", target=str(tree))
        assert [p.name for p in tree.parent.iterdir()] == ["tree"]


# --- secrets ---------------------------------------------------------------------------------------------

def test_keys_are_nowhere(tree, store, keys, hooks):
    """Of a backup with a schedule that waits in a hook: not in argument lists, in the environment of processes, in
    properties of units, in the journal, in files."""
    fifo, go = tree.parent / "begun", tree.parent / "go"
    os.mkfifo(fifo)
    os.mkfifo(go)
    write_hook(hooks / "wait", f"echo begun >{fifo}; read <{go}")
    secret = "canary-4711-secret"
    process = start("backup_paths", name="tree", paths=[str(tree)], pre="wait", schedule="yearly",
                    place={**place(store), "key": secret, "secret": secret})
    process.stdin.write(process.data)
    process.stdin.close()
    assert fifo.read_text() == "begun\n"
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        if path.name == str(os.getpid()):
            continue
        for name in "cmdline", "environ":
            try:
                assert secret.encode() not in (path / name).read_bytes(), (path / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                pass
    go.write_text("go\n")
    assert process.wait() == 0, process.stdout.read()
    good("restore_paths", name="tree", target=str(tree.parent / "r"), place={**place(store), "key": secret, "secret": secret})
    units = run("systemctl", "show", "dcm-backup-paths-tree.service", "dcm-backup-paths-tree.timer")
    assert secret not in units and secret not in run("journalctl", "--no-pager")
    for root in "/etc/systemd", "/run/dcm-backups", str(STATE), "/var/tmp", str(store):
        assert subprocess.run(["grep", "-rqs", secret, root]).returncode == 1, root
    good("remove_schedule", name="paths-tree")
