# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: the programs that read, pack and unpack for a backup run as root, and can do no more than that:
whatever becomes of one of them, it has no network, changes no file but those that it unpacks, and gets no further
right. What a user puts in the place of a part of a path, before or while it is read, leads to nothing of others."""

import os
import pathlib
import re
import select
import shutil

import pytest

from backup_rig import (OLD, backup, bad, begin, call, describe, good, keys, objects, place, run, service, store,  # noqa: F401
                        tree)

FAKES = pathlib.Path("/usr/local/bin")
READER = {"cap_dac_read_search", "cap_sys_admin"}
WRITER = READER | {"cap_chown", "cap_dac_override", "cap_fowner", "cap_fsetid", "cap_mknod", "cap_setfcap"}
FILTER = set()
# of one that is in the wrong hands: which rights it has, and what it can change
LOOK = """
echo "caps $(grep CapBnd /proc/self/status | cut -f2) $(grep CapEff /proc/self/status | cut -f2)"
echo "net $(readlink /proc/self/ns/net) $(tail -n +3 /proc/net/dev | wc -l)"
for path in /etc/x /usr/x /var/lib/dcm-backups/x /var/tmp/x /run/x "$OLDPWD/x" ../x /srv/x {tree}/x; do
    [ -d "${{path%/*}}" ] && touch "$path" 2>/dev/null && echo "wrote $path"
done
touch here 2>/dev/null && echo "wrote here $PWD"
"""


@pytest.fixture
def fake(monkeypatch):
    """Puts a program in the place of another one."""
    made = []
    monkeypatch.setenv("PATH", f"{FAKES}:{os.environ['PATH']}")

    def make(name, text):
        path = FAKES / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)
        made.append(path)
    yield make
    for path in made:
        path.unlink(missing_ok=True)


def capabilities(text):
    """Both sets are the same; names as capsh(1) prints them."""
    bounding, effective = re.search(r"caps (\w+) (\w+)", text).groups()
    assert bounding == effective, text
    return set(run("capsh", f"--decode={bounding}").strip().partition("=")[2].split(",")) - {""}


def check_look(text, capabilities_wanted):
    assert capabilities(text) == capabilities_wanted, text
    net, interfaces = re.search(r"net (\S+) (\d+)", text).groups()
    assert net != os.readlink("/proc/self/ns/net") and interfaces == "1", text  # its own loopback, which is down
    return re.findall(r"wrote (.*)", text)


@pytest.mark.parametrize("more, what", [({}, "tar"), ({}, "zstd"), ({"recipient": 1}, "age")])
def test_what_makes_a_backup(tree, store, keys, fake, more, what):
    if more:
        more = {"recipient": [keys[0][0]]}
    fake(what, f"{{ {LOOK.format(tree=tree)} }} >&2; exit 5")
    reply = bad(f"{what} failed with status 5", "backup_paths", name="tree", paths=[str(tree)], place=place(store), **more)
    assert check_look(reply.error, READER if what == "tar" else FILTER) == [], reply
    assert [name for name in objects(store) if not name.startswith(".")] == []


def test_a_zip_file(service, store, fake):
    """zip sees no other files at all, so not even /proc."""
    (service / "file").write_text("x")
    fake("zip", "{ capsh --print | grep ^Bounding; ip -o link; ls /; ls /usr/share/zoneinfo >/dev/null; touch /usr/x; } >&2; exit 5")
    reply = bad("zip failed with status 5", "backup_service", **OLD, place=place(store))
    assert set(re.search(r"Bounding set =(\S*)", reply.error)[1].split(",")) == READER, reply
    assert re.findall(r"^\d+: (\w+).* state (\w+)", reply.error, re.M) == [("lo", "DOWN")], reply
    assert re.search(r"^bin\n(lib\w*\n)+tree\nusr$", reply.error, re.M) and "Read-only file system" in reply.error, reply


@pytest.mark.parametrize("what", ["tar", "zstd", "age"])
def test_what_restores_one(tree, store, keys, fake, what):
    """What unpacks writes below the new directory alone."""
    backup(store, tree, recipient=[keys[0][0]])
    before = describe(tree)
    fake(what, f"{{ {LOOK.format(tree=tree)} }} >&2; exit 5")
    reply = call("restore_paths", name="tree", path=str(tree), target=str(tree), place=place(store), identity=keys[0][1])
    assert reply.code != 0 and f"{what} failed with status 5" in reply.error, reply
    written = check_look(reply.error, WRITER if what == "tar" else FILTER)
    assert written == (["here /tmp"] if what == "tar" else []), reply
    assert describe(tree) == before and [p.name for p in tree.parent.iterdir()] == ["tree"]


@pytest.fixture
def home(tmp_path):
    """Of a user, with a directory two levels below."""
    path = tmp_path / "home"
    (path / "a/data").mkdir(parents=True)
    (path / "a/data/file").write_text("mine")
    for one in path, *path.rglob("*"):
        shutil.chown(one, "dcm", "dcm")
    (tmp_path / "away/data").mkdir(parents=True)
    (tmp_path / "away/data/file").write_text("of others")
    return path


def content(store, name, member):
    return run("sh", "-c", f"/usr/bin/zstd -dc {store}/first/{name} | /usr/bin/tar -xO {member}")


def test_a_link_on_the_way(home, store):
    data = home / "a/data"
    request = {"name": "home", "paths": [str(data)], "place": place(store)}
    assert content(store, good("backup_paths", **request).object["object"], f"{data}/file"[1:]) == "mine"
    (home / "a").rename(home / "b")
    (home / "a").symlink_to(home.parent / "away")
    os.chown(home / "a", 1000, 1000, follow_symlinks=False)
    bad("symbolic link that others than root can change", "backup_paths", **request)


@pytest.mark.parametrize("kind", ["directory", "file", "two", "nested"])
def test_a_link_that_comes_later(home, store, fake, kind):
    """When tar looks, another directory is there; what is read is what was found first."""
    data, fifo, go = home / "a/data", home.parent / "begun", home.parent / "go"
    (home / "a/other").write_text("other")
    paths = {"directory": [data], "file": [data / "file"], "two": [data, home / "a/other"], "nested": [data, data / "file"]}[kind]
    for path in fifo, go:
        os.mkfifo(path)
    fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    fake("tar", f"echo begun >{fifo}; read -r x <{go}; exec /usr/bin/tar \"$@\"")
    process = begin("backup_paths", name="home", paths=[str(p) for p in paths], place=place(store))
    assert select.select([fd], [], [], 60)[0], "tar does not begin"
    os.close(fd)
    (home / "a").rename(home / "b")
    (home / "a").symlink_to(home.parent / "away")
    go.write_text("go\n")
    assert process.wait() == 0, process.stdout.read()
    [name] = objects(store)
    assert content(store, name, f"{data}/file"[1:]) in ("mine", "minemine")
    if kind == "two":
        assert content(store, name, f"{home}/a/other"[1:]) == "other"


def test_a_directory_of_a_user_is_the_same_afterwards(home, tree, store):
    """What covers the user's directory meanwhile is not in the backup, nor are other things there."""
    shutil.move(tree, home / "a/tree")
    tree = home / "a/tree"
    before = describe(tree)
    good("backup_paths", name="home", paths=[str(tree), str(home / "a/data")], place=place(store))
    good("restore_paths", name="home", path=str(tree), target=str(home.parent / "r"), place=place(store))
    assert describe(home.parent / "r") == before and describe(tree) == before
    assert "home" not in run("findmnt", "-rno", "TARGET")
