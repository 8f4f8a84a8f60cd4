# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: the backups of a series. A schedule runs with a request that only this machine can read, and what
became of it is told; old backups go only for a new one, and only those that this server has made; which one is the
newest does not depend on the clock."""

import json
import re
import shutil
import stat
import subprocess
import time

from backup_rig import (PROGRAM, STAMP, STATE, UNITS, backup, bad, describe, forget_records, good, keys, objects,  # noqa: F401
                        place, record, run, store, tree)


# --- old and new -----------------------------------------------------------------------------------------

def test_old_backups_go_for_new_ones(tree, store):
    """Only those of the series, only after the new one was read back; other names stay."""
    names = [f"tree-2020{month:02}{day:02}.000000.000000.tar" for month in (1, 2, 3) for day in (1, 2, 15)]
    others = ["tree-20200101.tar", "trees-20200101.000000.000000.tar", "tree-20200101.000000.000000", "x",
              "tree-20200301.111111.000000.tar"]  # the last one was made by another server
    backup(store, tree, name="other")
    for name in names + others:
        (store / "first" / name).touch()
    for name in names:
        record(store, name)
    left = record(store, "tree-20200401.000000.000000.tar", is_complete=False, outcome="failed")
    damaged = record(store, "tree-20200402.000000.000000.tar", copy_error="It is damaged")
    future = record(store, "tree-20990101.000000.000000.tar")
    elsewhere = record(store, "tree-20200403.000000.000000.tar", endpoint="https://another.example")
    for name in left, damaged, future, elsewhere:
        (store / "first" / name).touch()
    [of_other] = [o for o in objects(store) if o.startswith("other-")]
    reply = backup(store, tree, retain={"newest": 2, "months": 3})
    new = reply.object["object"]
    assert objects(store) == sorted(others + [of_other, new, names[8], names[5], damaged, future, elsewhere])
    assert "2 more with names of this series are there" in reply.message
    assert "1 more have a time in the future" in reply.message
    forget_records()


def test_the_newest_is_one_of_this_server(tree, store):
    """Another server has the same names in the same bucket: its backups are restored by their names alone, and what
    was made in a future that the clock had once is not the newest."""
    forget_records()
    before = describe(tree)
    mine = backup(store, tree).object["object"]
    newer = mine.replace("tree-2", "tree-9", 1)
    assert re.fullmatch(rf"tree-{STAMP}\.tar", newer)
    shutil.copy(store / "first" / mine, store / "first" / newer)
    restore = {"target": str(tree.parent / "r"), "path": str(tree), "place": place(store)}
    assert f"Restored {mine}" in good("restore_paths", name="tree", **restore).message
    record(store, newer)
    assert f"Restored {mine}" in good("restore_paths", name="tree", **restore).message
    forget_records()
    assert mine in bad("is known to be made by this server", "restore_paths", name="tree", **restore).error
    reply = good("restore_paths", object=newer, **restore)
    assert "no record" in reply.message and describe(tree.parent / "r") == before
    good("remove_former", target=str(tree.parent / "r"))


# --- schedules -------------------------------------------------------------------------------------------

def show(unit, name):
    return run("systemctl", "show", "--value", "-p", name, unit).strip()


def series_of(name):
    """As the agent tells it on D-Bus."""
    run("systemctl", "start", "dcm-agent.service")
    return [s for s in json.loads(run("dcm-agentctl", "backups", "--json")) if s["name"] == name]


def test_a_schedule(tree, store, keys):
    """The timer is persistent, the request is sealed, a run by the timer's service is a backup, a failed one is in
    the status; its removal leaves nothing."""
    reply = backup(store, tree, schedule="*-*-* 03:00:00", schedule_delay=600, recipient=[keys[0][0]])
    assert "paths-tree" in reply.message and len(objects(store)) == 1
    timer, unit = "dcm-backup-paths-tree.timer", "dcm-backup-paths-tree.service"
    assert (show(timer, "ActiveState"), show(timer, "UnitFileState")) == ("active", "enabled")
    assert show(timer, "Persistent") == "yes" and show(timer, "RandomizedDelayUSec") == "10min"
    for path in UNITS.glob("dcm-backup-*"):
        assert str(store) not in path.read_text()
    sealed = STATE / "schedules/paths-tree.cred"
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o600 and str(store).encode() not in sealed.read_bytes()
    [entry] = good("list_schedules").object
    assert (entry["name"], entry["schedule"], entry["command"]) == ("paths-tree", "*-*-* 03:00:00", "backup_paths")
    assert entry["next"] > time.time()

    run("systemctl", "start", unit)
    assert len(objects(store)) == 2
    [series] = series_of("paths-tree")
    assert series["outcome"] == "complete" and series["due_usec"] > time.time() * 1e6 and series["copies"] == 1
    shutil.move(tree, tree.with_name("away"))
    assert subprocess.run(["systemctl", "start", unit], capture_output=True).returncode != 0
    shutil.move(tree.with_name("away"), tree)
    [series] = series_of("paths-tree")
    assert series["outcome"] == "failed" and "cannot be backed up" in series["error"]
    assert re.search(r"^paths-tree +failed .* \*-\*-\* 03:00:00 ", run("dcm-agentctl", "backups", "--full"), re.M)

    good("remove_schedule", name="paths-tree")
    assert not list(UNITS.glob("**/dcm-backup-*")) and good("list_schedules").object == []
    assert not list((STATE / "schedules").iterdir())
    bad("There is no schedule", "remove_schedule", name="paths-tree")


def test_the_clock_was_ahead(tree, store):
    """What was made then does not hide what came later: not its failure, not its time, not that it is the newest."""
    forget_records()
    ahead = backup(store, tree, schedule="*-*-* 03:00:00").object["object"]
    [path] = (STATE / "records").glob("*.json")
    entry = json.loads(path.read_text())
    for key in "begin_usec", "end_usec":
        entry[key] += 80_000 * 1_000_000  # less than the day from which on the time of an object's name is not believed
    stamp = time.strftime("%Y%m%d.%H%M%S.000000", time.gmtime(entry["begin_usec"] // 1_000_000))
    entry["object"] = re.sub(STAMP, stamp, ahead)
    (store / "first" / ahead).rename(store / "first" / entry["object"])
    path.with_name(re.sub(STAMP, stamp, path.name)).write_text(json.dumps(entry))
    path.unlink()
    now = time.time()
    shutil.move(tree, tree.with_name("away"))
    assert subprocess.run(["systemctl", "start", "dcm-backup-paths-tree.service"], capture_output=True).returncode != 0
    shutil.move(tree.with_name("away"), tree)
    [series] = series_of("paths-tree")
    assert series["outcome"] == "failed" and abs(series["begin_usec"] / 1e6 - now) < 600, series
    assert series["due_usec"] / 1e6 < now + 86400 + 3600 + 600, series
    newest = backup(store, tree).object["object"]
    reply = good("restore_paths", name="tree", target=str(tree), path=str(tree), place=place(store))
    assert f"Restored {newest}" in reply.message
    good("remove_former", target=str(tree))
    good("remove_schedule", name="paths-tree")
    forget_records()


def test_a_timer_whose_time_comes_again(tree, store):
    """A run that a timer has started is not made where its backup is there; one that an administrator starts is."""
    forget_records()
    backup(store, tree, schedule="yearly")
    unit = "dcm-backup-paths-tree.service"
    run("systemctl", "start", unit)
    assert len(objects(store)) == 2
    run("systemd-run", "--wait", "--quiet", "--property=Type=oneshot", "--setenv=TRIGGER_TIMER_REALTIME_USEC=1",
        "--property=LoadCredentialEncrypted=request:" + str(STATE / "schedules/paths-tree.cred"), PROGRAM, "run-schedule", "paths-tree")
    assert len(objects(store)) == 2
    assert "is there already" in run("journalctl", "--no-pager", "-t", "dcm-backup")
    run("systemctl", "start", unit)
    assert len(objects(store)) == 3
    good("remove_schedule", name="paths-tree")
    forget_records()
