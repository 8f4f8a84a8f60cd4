# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: directories are backed up and restored by the commands' program. What is restored is the same to
the last attribute; nothing that is damaged, cut off or encrypted for somebody else reaches a directory in use; what a
user does meanwhile leads root nowhere; what a run holds is released whatever ends it."""

import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import stat

import pytest

from backup_rig import (OLD, SERVICES, STAMP, STATE, backup, bad, begin, call, describe, good, hooks, keys,  # noqa: F401
                        leftovers, objects, place, run, store, tree, wait_until, write_hook)


# --- directories -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("more", [{}, {"compression": "none"}, {"recipient": 1}, {"compression": "none", "recipient": 1}],
                         ids=["zstd", "plain", "zstd-age", "age"])
def test_directories_are_the_same_afterwards(tree, store, keys, more):
    identity = {}
    if "recipient" in more:
        more, identity = {**more, "recipient": [keys[0][0]]}, {"identity": keys[0][1]}
    before = describe(tree)
    reply = backup(store, tree, second_place=place(store, "second"), **more)
    [name] = objects(store)
    assert re.fullmatch(rf"tree-{STAMP}\.tar", name) and reply.object["object"] == name
    data = (store / "first" / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == reply.object["sha256"] and len(data) == reply.object["size_bytes"]
    assert data == (store / "second" / name).read_bytes()
    assert [c["is_complete"] for c in reply.object["copies"]] == [True, True]
    # beside, into place, and all of it
    for arguments, where in (({"target": str(tree.parent / "beside"), "path": str(tree)}, tree.parent / "beside"),
                             ({"target": str(tree), "path": str(tree), "name": "tree"}, tree),
                             ({"target": str(tree.parent / "all")}, tree.parent / "all" / str(tree)[1:])):
        good("restore_paths", **{"object": name, **arguments}, place=place(store, "second"), **identity)
        assert describe(where) == before, arguments
    assert not leftovers()


def test_excludes_and_one_file_system(tree, store):
    (tree / "mounted").mkdir()
    run("mount", "-t", "tmpfs", "none", tree / "mounted")
    try:
        (tree / "mounted/inner").touch()
        reply = backup(store, tree, excludes=[f"{tree}/deep", "*.txt", "dang*"], one_file_system=True)
    finally:
        run("umount", tree / "mounted")
    names = run("sh", "-c", f"zstd -dc {store}/first/{reply.object['object']} | tar -t")
    assert "plain" in names and "mounted/\n" in names
    assert "inner" not in names and "random" not in names and "dangling" not in names


def test_what_is_damaged_never_arrives(tree, store, keys):
    """A byte flipped, the end cut off, another key, no archive: the directory in use stays, nothing is left beside
    it, and the message says what it is."""
    reply = backup(store, tree, recipient=[keys[0][0]])
    path = store / "first" / reply.object["object"]
    data, before = path.read_bytes(), describe(tree)
    restore = {"object": path.name, "place": place(store), "target": str(tree), "path": str(tree)}

    def refused(text, identity=keys[0][1]):
        reply = call( "restore_paths", **restore, identity=identity)
        assert reply.code != 0 and re.search(text, reply.error) and not leftovers(), reply
        assert describe(tree) == before and sorted(p.name for p in tree.parent.iterdir()) == ["tree"]

    refused("age failed", keys[1][1])
    for known in True, False:  # with the record, its hash; without, what age finds
        if not known:
            shutil.rmtree(STATE / "records")
        for damage in (data[:-1], data[:len(data) // 2], data[:70000], data[:-100] + b"\1" + data[-99:],
                       data[:200_000] + bytes([data[200_000] ^ 1]) + data[200_001:]):
            path.write_bytes(damage)
            refused("has another SHA-256|age failed" if known else "age failed")
    path.write_bytes(b"no archive")
    refused("neither a tar archive nor a zip file")
    path.unlink()
    refused("Looking for .* failed")


def test_verify_and_list(tree, store):
    first = backup(store, tree, second_place=place(store, "second")).object["object"]
    both = {"place": place(store), "second_place": place(store, "second")}
    reply = good("verify_backup", name="tree", **both)
    assert reply.message.count("is what it was when it was made") == 2
    [entry] = [e for e in good("list_backups", name="tree").object if e["object"] == first]
    assert entry["outcome"] == "complete" and len(entry["copies"]) == 2 and all(c["verified"] for c in entry["copies"])
    with open(store / "second" / first, "r+b") as f:
        f.seek(1000)
        f.write(b"damage")
    bad("The secondary copy of", "verify_backup", object=first, **both)
    (store / "first" / first).rename(store / "first" / first.replace("tree", "other"))
    [entry] = [e for e in good("list_backups", name="tree", **both).object if e["object"] == first]
    assert [c["bucket"] for c in entry["copies"]] == [str(store / "second")]


def test_one_copy_fails(tree, store):
    """The other is made all the same, and named; the command has failed; old ones are deleted only where a new one
    was made and read back."""
    old = backup(store, tree, second_place=place(store, "second")).object["object"]
    os.chmod(store / "second", 0o500)
    run("mount", "--bind", store / "second", store / "second")
    run("mount", "-o", "remount,bind,ro", store / "second")
    try:
        reply = bad("The secondary copy was not made", "backup_paths", name="tree", paths=[str(tree)], place=place(store),
                    second_place=place(store, "second"), retain={"newest": 1}, schedule="yearly")
    finally:
        run("umount", store / "second")
    [new] = objects(store)
    assert new != old and objects(store, "second") == [old], reply
    assert f"The primary copy is there all the same: {new}" in reply.message
    assert good("list_schedules").object == []
    # both copies are restored, each from where it is
    before = describe(tree)
    for name, role in ((new, "first"), (old, "second")):
        good("restore_paths", name="tree", target=str(tree), path=str(tree), place=place(store, role))
        assert describe(tree) == before


def test_bad_requests(tree, store):
    both = {"name": "tree", "paths": [str(tree)], "place": place(store)}
    bad("cannot be backed up", "backup_paths", **{**both, "paths": ["/no/such"]})
    link = tree.with_name("link")
    link.symlink_to(tree)
    bad(f"is a symbolic link, and nothing else would be backed up: give what it leads to, {tree}", "backup_paths",
        **{**both, "paths": [str(link)]})
    bad("There is no", "backup_paths", **{**both, "place": {"provider": "directory", "bucket": str(store / "not-mounted")}})
    assert not (store / "not-mounted").exists()
    bad("never again", "backup_paths", **both, schedule="2020-01-01")
    bad("give second_place", "backup_service", **OLD, place=place(store), secondaryCloudId="1")
    bad("give it alone", "backup_paths", **{**both, "paths": [str(tree), "/"]})
    bad("place is missing", "backup_paths", name="tree", paths=[str(tree)])
    bad("recipient has a secret key", "backup_paths", **both, recipient=["AGE-SECRET-KEY-1QQ"])
    bad("systemd understands", "backup_paths", **both, schedule="every full moon")
    bad("There is no service", "backup_service", **{**OLD, "serviceId": "nobody"}, place=place(store))
    bad("not supported", "backup_service", **{**OLD, "toBackupDirectory": "b", "primaryCloudId": "16", "primaryApiKey": "k",
                                              "primarySecretKey": "s", "serviceId": "nobody"})
    assert objects(store) == []


def test_the_root_directory(tree, store):
    """Excludes from the root directory on hold, and a part of it is restored."""
    before = describe(tree)
    top = next(p for p in tree.parents if p.parent == pathlib.Path("/"))
    excludes = [f"/{name}" for name in os.listdir("/") if name != top.name] + [str(SERVICES), str(store / "second")]
    reply = good("backup_paths", name="root", paths=["/"], excludes=excludes, place=place(store, "first"), compression="none",
                 one_file_system=True)
    path = store / "first" / reply.object["object"]
    names = run("tar", "-tf", path).splitlines()
    assert f".{tree}/plain" in names and not [n for n in names if n.startswith(("./etc", "./usr", "./proc"))]
    good("restore_paths", name="root", target=str(tree.parent / "r"), path=str(tree), place=place(store))
    assert describe(tree.parent / "r") == before
    bad("no/such", "restore_paths", name="root", target=str(tree.parent / "r"), path="/no/such", place=place(store))
    good("remove_former", target=str(tree.parent / "r"))


def test_a_directory_of_the_root(tree, store):
    """One name below the root directory is no archive of that."""
    top = pathlib.Path("/dcm-backup-test-top")
    tree.rename(top)
    (top / "part").mkdir()
    (top / "part/file").write_text("x")
    before = describe(top)
    try:
        backup(store, top)
        shutil.rmtree(top)
        good("restore_paths", name="tree", target=str(top), path=str(top), place=place(store))
        assert describe(top) == before
        good("restore_paths", name="tree", target=str(tree), path=f"{top}/part", place=place(store))
        assert describe(tree) == describe(top / "part")
        good("restore_paths", name="tree", target=str(tree.parent / "all"), place=place(store))
        assert describe(tree.parent / "all" / top.name) == before
    finally:
        shutil.rmtree(top, ignore_errors=True)


# --- targets ---------------------------------------------------------------------------------------------

def stopped_restore(parent, **arguments):
    """A restore that has begun to unpack, and stands still."""
    process = begin("restore_paths", **arguments)
    wait_until(lambda: list(parent.glob(".t.dcm-new-*")))
    process.send_signal(signal.SIGSTOP)
    return process


def test_one_restore_at_a_time(tree, store):
    """Of a target, by whatever name or object; the one that runs is not disturbed."""
    before, parent = describe(tree), tree.parent
    (tree / "large").write_bytes(random.Random(8).randbytes(80_000_000))
    backup(store, tree)
    backup(store, tree, name="other")
    arguments = {"target": str(parent / "t"), "path": str(tree), "place": place(store)}
    link = parent / "link"
    link.symlink_to(parent)
    process = stopped_restore(parent, name="tree", **arguments)
    try:
        bad("Another restore", "restore_paths", **arguments, name="other")
        bad("Another restore", "restore_paths", **{**arguments, "target": f"{link}/t"}, name="other")
        bad("Another restore", "remove_former", target=str(parent / "t"))
    finally:
        process.send_signal(signal.SIGCONT)
    assert process.wait() == 0, process.stdout.read()
    (parent / "t/large").unlink()
    os.utime(parent / "t", ns=(tree.stat().st_atime_ns, before["."][3]))
    assert describe(parent / "t") == before


def test_restores_below_a_directory_of_a_user(tree, store):
    """The user can rename and link as he likes: nothing is written elsewhere, nobody else's directory gets an owner."""
    (tree / "large").write_bytes(random.Random(8).randbytes(80_000_000))
    backup(store, tree)
    home, away = tree.parent / "home", tree.parent / "away"
    for path in home, away:
        path.mkdir()
        shutil.chown(path, "dcm", "dcm")
    shutil.chown(away, "root", "root")
    arguments = {"name": "tree", "path": str(tree), "place": place(store)}
    link = home / "link"
    link.symlink_to(away)
    os.chown(link, 1000, 1000, follow_symlinks=False)
    bad("symbolic link that others than root can change", "restore_paths", **arguments, target=str(link / "t"))
    process = stopped_restore(home, **arguments, target=str(home / "t"))
    [new] = home.glob(".t.dcm-new-*")
    new.rename(home / "moved")
    new.symlink_to(away)
    process.send_signal(signal.SIGCONT)
    process.wait()
    assert list(away.iterdir()) == [] and stat.S_IMODE(away.stat().st_mode) == 0o755 and away.stat().st_uid == 0
    new.unlink(missing_ok=True)


def test_mount_points_are_refused_at_once(tree, store):
    backup(store, tree)
    target = tree.parent / "mounted"
    target.mkdir()
    run("mount", "-t", "tmpfs", "none", target)
    try:
        bad("is a mount point", "restore_paths", name="tree", path=str(tree), target=str(target), place=place(store))
    finally:
        run("umount", target)


def test_all_paths_in_a_directory_that_is_there(tree, store):
    backup(store, tree)
    target = tree.parent / "all"
    target.mkdir(mode=0o755)
    os.chown(target, 11, 12)
    good("restore_paths", name="tree", target=str(target), place=place(store))
    st = target.stat()
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (11, 12, 0o755)
    good("remove_former", target=str(target))


# --- hooks -----------------------------------------------------------------------------------------------

def test_hooks_before_and_after(tree, store, hooks):
    """`post` runs whatever happens, a kill -9 included; that is done by a unit."""
    seen = tree.parent / "seen"
    write_hook(hooks / "freeze", f"echo freeze $1 >>{seen}")
    write_hook(hooks / "thaw", f"echo thaw $1 >>{seen}")
    backup(store, tree, pre="freeze", post="thaw")
    assert seen.read_text() == "freeze paths-tree\nthaw paths-tree\n"
    seen.unlink()
    write_hook(hooks / "freeze", "exit 3")
    bad("status 3", "backup_paths", name="tree", paths=[str(tree)], place=place(store), pre="freeze", post="thaw")
    assert seen.read_text() == "thaw paths-tree\n"
    seen.unlink()

    fifo = tree.parent / "begun"
    os.mkfifo(fifo)
    write_hook(hooks / "freeze", f"echo begun >{fifo}; exec sleep infinity")
    process = begin("backup_paths", name="tree", paths=[str(tree)], place=place(store), pre="freeze", post="thaw")
    assert fifo.read_text() == "begun\n"
    process.kill()
    process.wait()
    wait_until(lambda: seen.exists() and seen.read_text() == "thaw paths-tree\n")
    wait_until(lambda: not list((STATE / "guards").iterdir()))
    wait_until(lambda: "dcm-backup-guard" not in run("systemctl", "list-units", "--all", "--plain"))


def test_what_others_have_left(tree, store, hooks):
    """After a power cut the locks of runs are gone, and their files are there: whatever these say, a backup is made,
    and what can be released is."""
    seen = tree.parent / "seen"
    write_hook(hooks / "thaw", f"echo thaw $1 >>{seen}")
    guards = STATE / "guards"
    guards.mkdir(exist_ok=True)
    left = {"20200101.000000.000000-00000001": {"post": "thaw", "series": "paths-x", "is_locked": True},
            "20200101.000000.000000-00000002": {"post": "gone", "series": "paths-y", "is_locked": False},
            "20200101.000000.000000-00000003": {"is_locked": False, "snapshots": [
                {"is_btrfs": True, "mount_point": "/no", "name": "/no/.dcm-backup-such"}]}}
    for name, state in left.items():
        (guards / name).write_text(json.dumps(state))
    for name in "20200101.000000.000000-00000004", "20200101.000000.000000-00000005.aB3dEf":
        (guards / name).touch()
    backup(store, tree, post="thaw")
    assert seen.read_text() == "thaw paths-x\nthaw paths-tree\n"
    assert not list(guards.iterdir())
    # what cannot be released is nobody else's failure, and is tried again
    run("mount", "-t", "tmpfs", "none", "/mnt")
    os.mkdir("/mnt/.dcm-backup-1")
    name = "20200101.000000.000000-00000006"
    (guards / name).write_text(json.dumps({"is_locked": False, "snapshots": [
        {"is_btrfs": True, "mount_point": "/mnt", "name": "/mnt/.dcm-backup-1"}]}))
    assert "could not be released" in backup(store, tree, post="thaw").message
    os.rmdir("/mnt/.dcm-backup-1")
    run("umount", "/mnt")
    assert "could not be released" not in backup(store, tree, post="thaw").message
    assert not list(guards.iterdir())
