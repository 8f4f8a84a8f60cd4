# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: data sources, services and directories are backed up and restored by the commands' program.
What is restored is the same to the last attribute; nothing that is damaged, cut off or encrypted for somebody else
reaches a directory in use; hooks get what the Python agent gave them; old backups go only for a new one; a schedule
runs with a request that only this machine can read; keys are nowhere to be seen; whatever is killed at any moment
leaves the old or the new state."""

import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest

PROGRAM = "/usr/lib/dcm-agent/dcm-backup"
SERVICES = pathlib.Path("/srv/dcm/services")
STATE = pathlib.Path("/var/lib/dcm-backups")
UNITS = pathlib.Path("/etc/systemd/system")
STAMP = r"\d{8}\.\d{6}\.\d{6}"
KILLS = 100 if os.environ.get("DCM_FAULTS") == "full" else 8


class Reply:
    def __init__(self, process):
        out, self.log = process.communicate(getattr(process, "data", None))
        self.status = process.returncode
        assert out, (self.status, self.log)
        self.json = json.loads(out)
        self.code, self.message = self.json["return_code"], self.json["message"]
        self.error, self.object = self.json["error_message"], self.json.get("reply_object")
        assert (self.status == 0) == (self.code == 0)
        assert (self.error == "") == (self.code == 0), self.json

    def __repr__(self):
        return json.dumps(self.json)


def start(command, **arguments):
    process = subprocess.Popen([PROGRAM, command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    process.data = json.dumps(arguments)
    return process


def call(command, **arguments):
    return Reply(start(command, **arguments))


def good(command, **arguments):
    reply = call(command, **arguments)
    assert reply.code == 0, reply
    return reply


def bad(text, command, **arguments):
    reply = call(command, **arguments)
    assert reply.code != 0 and text in reply.error, reply
    assert not leftovers(), "files of the run"
    return reply


def leftovers():
    return [*pathlib.Path("/var/tmp").glob("dcm-backup-*"), *(STATE / "hand-over").glob("*")]


def run(*argv, **options):
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True, **options).stdout


@pytest.fixture
def store(tmp_path):
    """Two places for copies."""
    for name in "first", "second":
        (tmp_path / name).mkdir()
    return tmp_path


def place(store, name="first"):
    return {"provider": "directory", "bucket": str(store / name)}


def objects(store, name="first"):
    return sorted(p.name for p in (store / name).iterdir())


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two pairs of age: (public, secret)."""
    pairs = []
    for name in "one", "two":
        path = tmp_path_factory.mktemp("keys") / name
        subprocess.run(["age-keygen", "-o", str(path)], check=True, capture_output=True)
        text = path.read_text()
        pairs.append((re.search(r"public key: (age1\w+)", text)[1], text))
    return pairs


# --- trees ---------------------------------------------------------------------------------------------

def make_tree(root):
    """Everything that a directory can hold and tar(1) can keep."""
    root.mkdir(parents=True)
    os.chmod(root, 0o751)
    (root / "plain").write_text("plain\n")
    os.chmod(root / "plain", 0o640)
    os.chown(root / "plain", 1, 2)
    (root / "setuid").write_bytes(b"\x7fELF")
    os.chown(root / "setuid", 3, 4)
    os.chmod(root / "setuid", 0o4755)
    (root / "empty").touch()
    (root / "ein Name mit\nZeile und ü").write_text("odd")
    (root / "--option").write_text("like an option")
    (root / "deep/er").mkdir(parents=True)
    os.chmod(root / "deep", 0o3770)
    (root / "deep/er/random").write_bytes(random.Random(7).randbytes(3_000_000))
    os.link(root / "deep/er/random", root / "hard")
    os.symlink("deep/er/random", root / "link")
    os.symlink("/nowhere/at/all", root / "dangling")
    os.mkfifo(root / "fifo")
    with open(root / "sparse", "wb") as f:
        f.seek(64 << 20)
        f.write(b"end")
    os.setxattr(root / "plain", "user.colour", b"gr\xfcn\0")
    os.setxattr(root / "setuid", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    os.setxattr(root / "deep", "user.of", b"a directory")
    try:
        acl = bytes.fromhex("02000000" "01000600ffffffff" "0200040001000000" "04000400ffffffff" "10000600ffffffff" "20000000ffffffff")
        os.setxattr(root / "plain", "system.posix_acl_access", acl)
    except OSError as error:
        assert error.errno == 95, error  # this file system has none
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321), follow_symlinks=False)
    os.utime(root, ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321))


def describe(root):
    """What has to be the same."""
    result, numbers = {}, {}
    for path in [root, *sorted(root.rglob("*"))]:
        st = path.lstat()
        name = str(path.relative_to(root))
        entry = [stat.filemode(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns]
        if stat.S_ISREG(st.st_mode):
            entry += [st.st_size, hashlib.sha256(path.read_bytes()).hexdigest(), st.st_nlink,
                      st.st_blocks * 512 < st.st_size // 2]
        if stat.S_ISLNK(st.st_mode):
            entry.append(os.readlink(path))
        if st.st_nlink > 1 and not path.is_dir():
            entry.append(numbers.setdefault(st.st_ino, name))
        entry.append({a: os.getxattr(path, a, follow_symlinks=False) for a in os.listxattr(path, follow_symlinks=False)})
        result[name] = entry
    return result


@pytest.fixture
def tree(tmp_path):
    make_tree(tmp_path / "data/tree")
    return tmp_path / "data/tree"


# --- services ------------------------------------------------------------------------------------------

def hook(service, name, text):
    """As dcm-service(8) has them: the group can run them."""
    path = service / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    shutil.chown(path, group="dcm")
    path.chmod(0o750)


@pytest.fixture
def service():
    SERVICES.mkdir(parents=True, exist_ok=True)
    path = SERVICES / "a1"
    path.mkdir()
    (path / "cfg").mkdir()
    for one in path, path / "cfg":
        shutil.chown(one, "dcm", "dcm")
        one.chmod(0o770)
    yield path
    for one in SERVICES.glob(".a1.*"):
        shutil.rmtree(one)
    shutil.rmtree(path, ignore_errors=True)


OLD = {"serviceId": "a1", "toBackupDirectory": None, "primaryCloudId": None, "primaryApiKey": None, "primarySecretKey": None}


def backup_data_source(store, **more):
    return {**OLD, "dataSourceName": "My DB-1", "configuration": "user=x\nsecret=canary-cfg", "place": place(store), **more}


def test_a_data_source_is_what_the_hook_writes(service, store):
    """A.4: name of the object and of the local file, arguments, working directory, configuration, both copies."""
    hook(service, "enstratus-backupDataSource",
         'printf "%s\\n" "$#" "$1" "$2" "$3" "$4" "$PWD" >seen; cat "$3" >"$4"; echo from the hook')
    reply = good("backup_data_source", **backup_data_source(store, second_place=place(store, "second")))
    assert reply.json["reply_type"] == "void" and "from the hook" in reply.message
    [name] = objects(store)
    assert re.fullmatch(rf"a1-mydb1-{STAMP}\.zip", name)
    assert objects(store, "second") == [name]
    n, one, two, cfg, file, cwd = (service / "seen").read_text().splitlines()
    assert (n, one, two) == ("4", "a1", "My DB-1")
    assert cfg == str(service / "cfg/enstratiusinitd.cfg") and cwd == str(service)
    assert file.endswith(f"/{name}.zip")
    assert pathlib.Path(cfg).read_text() == "user=x\nsecret=canary-cfg"
    assert (store / "first" / name).read_text() == (store / "second" / name).read_text() == "user=x\nsecret=canary-cfg"
    assert not leftovers()


def test_the_failure_of_a_hook_is_told(service, store):
    """F55: path, status and words of the hook; its status is the return code; nothing is stored."""
    bad("enstratus-backupDataSource is missing", "backup_data_source", **backup_data_source(store))
    assert call("backup_data_source", **backup_data_source(store)).code == 10
    hook(service, "enstratus-backupDataSource", "echo half >$4; echo no database >&2; exit 7")
    reply = bad("no database", "backup_data_source", **backup_data_source(store))
    assert reply.code == 7 and f"{service}/bin/enstratus-backupDataSource failed with status 7" in reply.error
    hook(service, "enstratus-backupDataSource", "exit 0")
    bad("has not written", "backup_data_source", **backup_data_source(store))
    hook(service, "enstratus-backupDataSource", "kill -9 $$")
    bad("was ended by a signal", "backup_data_source", **backup_data_source(store))
    assert objects(store) == []


def test_a_service_is_a_zip_file_without_a_hook(service, store):
    (service / "file").write_text("x" * 1000)
    os.symlink("file", service / "link")
    reply = good("backup_service", **OLD, place=place(store))
    assert reply.json["reply_type"] == "void"
    [name] = objects(store)
    assert re.fullmatch(rf"a1-{STAMP}", name)
    assert run("unzip", "-p", store / "first" / name, "file") == "x" * 1000


def test_a_service_is_restored(service, store, keys):
    """By zip, and by an encrypted tar archive; the former state is kept until it is told to go."""
    make_tree(service / "data")
    os.chown(service, 5, 6)
    before = describe(service)
    good("backup_service", **OLD, place=place(store), compression="zstd", recipient=[keys[0][0]])
    (service / "data/plain").write_text("changed")
    bad("identity", "restore_service", serviceId="a1", place=place(store))
    assert (service / "data/plain").read_text() == "changed"
    reply = good("restore_service", serviceId="a1", place=place(store), identity=keys[0][1])
    assert describe(service) == before
    [former] = SERVICES.glob(".a1.dcm-former-*")
    assert str(former) in reply.message and (former / "data/plain").read_text() == "changed"
    good("remove_former", serviceId="a1")
    assert not list(SERVICES.glob(".a1.*"))
    # zip: owners and modes, not more
    shutil.rmtree(service / "data")
    (service / "x").write_text("one")
    os.chown(service / "x", 7, 8)
    os.chmod(service / "x", 0o4751)
    good("backup_service", **OLD, place=place(store))
    (service / "x").unlink()
    good("restore_service", serviceId="a1", place=place(store))
    st = (service / "x").stat()
    assert (st.st_uid, st.st_gid, oct(st.st_mode)) == (7, 8, oct(0o104751))
    assert (service.stat().st_uid, service.stat().st_gid) == (5, 6)


def test_a_data_source_is_installed(service, store, keys):
    """A.3: arguments, working directory, exit statuses; files are gone afterwards. Then our own backups, also
    encrypted and compressed: the hook gets what the other hook had written."""
    (store / "first/image.tgz").write_bytes(b"image")
    arguments = {"customerId": "1", "serviceId": "a1", "imageDirectory": None, "dataSourceImage": "image.tgz", "cloudId": None,
                 "apiAccessKey": None, "apiSecretKey": None, "configuration": "canary-cfg", "place": place(store)}
    good("install_data_source", **arguments)  # no hook, nothing to do
    hook(service, "enstratus-installds", 'printf "%s\\n" "$#" "$1" "$2" "$3" "$PWD" >seen; cat "$2" >cfg.seen; cat "$3" >image.seen; echo done')
    reply = good("install_data_source", **arguments)
    assert "done" in reply.message
    n, one, cfg, image, cwd = (service / "seen").read_text().splitlines()
    assert (n, one, cwd) == ("3", "a1", str(service)) and cfg.endswith("/installds.cfg") and image.endswith("image.tgz")
    assert (service / "cfg.seen").read_text() == "canary-cfg" and (service / "image.seen").read_bytes() == b"image"
    assert not os.path.exists(cfg) and not os.path.exists(image)
    (service / "bin/enstratus-installds").chmod(0o640)
    assert bad("cannot be executed", "install_data_source", **arguments).code == 22
    hook(service, "enstratus-installds", 'cp "$3" image.seen; exit 5')
    assert bad("status 5", "install_data_source", **arguments).code == 5
    bad("no-such", "install_data_source", **{**arguments, "dataSourceImage": "no-such"})

    hook(service, "enstratus-installds", 'cp "$3" image.seen')
    for content in b"text", run("sh", "-c", "echo compressed by the hook | zstd -c | base64").encode():
        hook(service, "enstratus-backupDataSource", f"base64 -d >$4 <<'E'\n{__import__('base64').b64encode(content).decode()}\nE")
        for more in {}, {"compression": "zstd"}, {"recipient": [keys[0][0], keys[1][0]]}, {"compression": "zstd", "recipient": [keys[1][0]]}:
            good("backup_data_source", **backup_data_source(store, **more))
            identity = {"identity": keys[1][1]} if "recipient" in more else {}
            good("restore_data_source", serviceId="a1", dataSourceName="My DB-1", place=place(store), **identity)
            assert (service / "image.seen").read_bytes() == content, more


# --- directories ---------------------------------------------------------------------------------------

def backup(store, tree, **more):
    return good("backup_paths", **{"name": "tree", "paths": [str(tree)], "place": place(store), **more})


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


def record(store, name, is_complete=True, outcome="complete", copy_error=None, **copy):
    """An entry of the catalogue, as this server makes them."""
    digits = re.search(STAMP, name)[0]
    entry = {"object": name, "series": "paths-tree", "kind": "paths", "outcome": outcome, "is_scheduled": False,
             "begin_usec": 1_577_836_800_000_000, "end_usec": 1_577_836_800_000_001,
             "copies": [{"provider": "directory", "bucket": str(store / "first"), "is_complete": is_complete, **copy}]}
    if copy_error:
        entry["copies"][0]["error"] = copy_error
    (STATE / "records" / f"{digits}-0123abcd.json").write_text(json.dumps(entry))
    return name


def forget_records():
    for path in (STATE / "records").glob("*.json"):
        path.unlink()


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


def test_data_sources_with_the_same_objects(service, store):
    """Of a name only a-z and 0-9 are in those of objects: what deletes, repeats or chooses is refused where two data
    sources have the same, and where nothing is left."""
    hook(service, "enstratus-backupDataSource", 'echo "$2" >"$4"')
    hook(service, "enstratus-installds", "true")
    good("backup_data_source", **backup_data_source(store, retain={"newest": 1}))
    other = {**backup_data_source(store), "dataSourceName": "MYDB1"}
    good("backup_data_source", **other)
    assert len(objects(store)) == 2
    for more in {"retain": {"newest": 1}}, {"schedule": "yearly"}:
        bad("have the same names", "backup_data_source", **other, **more)
    bad("have the same names", "restore_data_source", serviceId="a1", dataSourceName="MYDB1", place=place(store))
    good("restore_data_source", serviceId="a1", dataSourceName="MYDB1", object=objects(store)[0], place=place(store))
    nothing = {**backup_data_source(store), "dataSourceName": "данные"}
    good("backup_data_source", **nothing)
    bad("neither a letter", "backup_data_source", **nothing, schedule="yearly")
    assert not list(UNITS.glob("dcm-backup-*"))
    forget_records()


def test_a_restored_data_source_needs_a_hook(service, store):
    hook(service, "enstratus-backupDataSource", 'echo x >"$4"')
    good("backup_data_source", **backup_data_source(store))
    restore = {"serviceId": "a1", "dataSourceName": "My DB-1", "place": place(store)}
    assert bad("enstratus-installds is missing", "restore_data_source", **restore).code == 10


def test_hooks_of_services_have_no_rights(service, store):
    """They run as dcm in units of their own, out of the job's reach; nothing is left of what they are handed. A link
    that one leaves in place of its file is not followed."""
    look = 'id -un; cat /proc/self/cgroup; echo "C=${CREDENTIALS_DIRECTORY-none}"'
    hook(service, "enstratus-backupDataSource", f'{look}; cp "$3" "$4"')
    reply = good("backup_data_source", **backup_data_source(store))
    assert reply.message.startswith("dcm\n") and "dcm-hook-a1-backupDataSource-" in reply.message and "C=none" in reply.message
    hook(service, "enstratus-installds", f'{look}; stat -c %U:%a "$2" "$3"; test -r "$2" -a -r "$3"')
    reply = good("restore_data_source", serviceId="a1", dataSourceName="My DB-1", place=place(store))
    assert reply.message.startswith("dcm\n") and reply.message.count("dcm:750") == 2
    for trick in 'ln -s /etc/shadow "$4"', 'mkdir "$4"', 'echo x >"$4"; ln "$4" "${4%/*}/second"':
        hook(service, "enstratus-backupDataSource", trick)
        bad("not as a plain file", "backup_data_source", **backup_data_source(store))
    assert len(objects(store)) == 1
    hook(service, "enstratus-backupService", 'id -un; echo service >"$2"')
    reply = good("backup_service", **OLD, place=place(store))
    assert reply.message.startswith("dcm\n")
    bad("does not see it", "backup_service", **OLD, place=place(store), consistency="snapshot")
    bad("does not see a snapshot", "backup_data_source", **backup_data_source(store, consistency="snapshot"))


def test_much_output_of_a_hook(service, store):
    hook(service, "enstratus-backupDataSource", 'head -c 20000000 /dev/zero | tr "\\0" x; echo x >"$4"')
    assert len(good("backup_data_source", **backup_data_source(store)).message) < 100_000


# --- schedules -----------------------------------------------------------------------------------------

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


# --- targets -------------------------------------------------------------------------------------------

def begin(command, **arguments):
    process = start(command, **arguments)
    process.stdin.write(process.data)
    process.stdin.close()
    return process


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


# --- hooks ---------------------------------------------------------------------------------------------

@pytest.fixture
def hooks():
    path = pathlib.Path("/etc/dcm-agent/backup-hooks")
    path.mkdir(parents=True, exist_ok=True)
    yield path
    shutil.rmtree(path)


def write_hook(path, text):
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


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


# --- locks of services ---------------------------------------------------------------------------------

LOCK_UNIT = "dcm-services-lock.service"


@pytest.fixture
def locked(service):
    """A service whose lock hook writes what it does; and a FIFO at which its backup waits."""
    hook(service, "enstratus-lock", f'echo lock >>{service}/seen; touch "$2"; read -r line; echo "$line" >>{service}/seen')
    os.mkfifo(service / "begun")
    os.mkfifo(service / "go")
    for name in "begun", "go":
        shutil.chown(service / name, "dcm")
    hook(service, "enstratus-backupService", 'echo begun >begun; read -r x <go; echo x >"$2"')
    yield service
    subprocess.run(["systemctl", "stop", LOCK_UNIT], capture_output=True)


def lock_state():
    return subprocess.run(["systemctl", "is-active", LOCK_UNIT], capture_output=True, text=True).stdout.strip()


def service_call(verb, *operands, **arguments):
    return subprocess.run(["/usr/lib/dcm-agent/dcm-service", verb, *operands], input=json.dumps(arguments),
                          capture_output=True, text=True)


def test_a_lock(locked, store):
    """The services are locked while they are read, and no longer, whatever ends the backup."""
    arguments = {**OLD, "place": place(store), "consistency": "lock"}
    process = begin("backup_service", **arguments)
    (locked / "begun").read_text()
    assert lock_state() == "active"
    (locked / "go").write_text("go\n")
    assert process.wait() == 0, process.stdout.read()
    wait_until(lambda: (locked / "seen").read_text() == "lock\nUNLOCK\n")
    assert lock_state() != "active" and len(objects(store)) == 1
    process = begin("backup_service", **arguments)
    (locked / "begun").read_text()
    process.kill()
    process.wait()
    wait_until(lambda: lock_state() != "active")
    wait_until(lambda: not list((STATE / "guards").iterdir()))
    run("systemctl", "stop", "dcm-hook-a1-*")
    wait_until(lambda: not leftovers())
    assert len(objects(store)) == 1


def test_a_lock_that_is_taken_away(locked, store):
    """By the manager, or at the end of its time: the backup fails, and leaves the other's lock alone."""
    arguments = {**OLD, "place": place(store), "consistency": "lock"}
    for how in "taken", "ended":
        process = begin("backup_service", **arguments)
        (locked / "begun").read_text()
        if how == "taken":
            assert service_call("lock", timeout=10000).returncode == 0
        else:
            assert service_call("unlock").returncode == 0
        (locked / "go").write_text("go\n")
        reply = Reply(process_with_output(process))
        assert "were not locked until all was read" in reply.error, reply
        assert lock_state() == ("active" if how == "taken" else "inactive")
        assert not list((STATE / "guards").iterdir())
        if how == "taken":
            bad("locked by somebody else", "backup_service", **arguments)
            assert lock_state() == "active"
            assert service_call("release", "nobody").returncode == 3
            assert service_call("unlock").returncode == 0
    assert objects(store) == []


class process_with_output:
    """One whose input was closed already."""

    def __init__(self, process):
        self.out, self.err = process.stdout.read(), process.stderr.read()
        self.returncode = process.wait()

    def communicate(self, _data):
        return self.out, self.err


def test_one_lock_at_a_time(locked, store, tree):
    """Two backups at the same moment: one waits for the lock of the other, and both are made."""
    second = SERVICES / "a2"
    shutil.copytree(locked / "bin", second / "bin")
    shutil.chown(second, "dcm", "dcm")
    (second / "bin/enstratus-lock").unlink()
    (second / "bin/enstratus-backupService").write_text("#!/bin/bash\necho y >$2\n")
    for path in second.rglob("*"):
        shutil.chown(path, "root", "dcm")
    try:
        one = begin("backup_service", **OLD, place=place(store), consistency="lock")
        (locked / "begun").read_text()
        two = begin("backup_service", **{**OLD, "serviceId": "a2"}, place=place(store, "second"), consistency="lock")
        (locked / "go").write_text("go\n")
        assert one.wait() == 0, one.stdout.read()
        assert two.wait() == 0, two.stdout.read()
        assert objects(store) and objects(store, "second")
    finally:
        shutil.rmtree(second)


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


# --- kills ---------------------------------------------------------------------------------------------

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


# --- secrets -------------------------------------------------------------------------------------------

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
