# SPDX-License-Identifier: Apache-2.0
"""What the tests of backups share: calls of the commands' program, trees with all that a directory can hold, services,
places for objects, records."""

import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import stat
import subprocess
import time

import pytest

PROGRAM = "/usr/lib/dcm-agent/dcm-backup"
SERVICES = pathlib.Path("/srv/dcm/services")
STATE = pathlib.Path("/var/lib/dcm-backups")
UNITS = pathlib.Path("/etc/systemd/system")
STAMP = r"\d{8}\.\d{6}\.\d{6}"


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


def begin(command, **arguments):
    process = start(command, **arguments)
    process.stdin.write(process.data)
    process.stdin.close()
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


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


# --- places and keys -------------------------------------------------------------------------------------

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


# --- trees -----------------------------------------------------------------------------------------------

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


def backup(store, tree, **more):
    return good("backup_paths", **{"name": "tree", "paths": [str(tree)], "place": place(store), **more})


# --- records ---------------------------------------------------------------------------------------------

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


# --- services --------------------------------------------------------------------------------------------

OLD = {"serviceId": "a1", "toBackupDirectory": None, "primaryCloudId": None, "primaryApiKey": None, "primarySecretKey": None}


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


def backup_data_source(store, **more):
    return {**OLD, "dataSourceName": "My DB-1", "configuration": "user=x\nsecret=canary-cfg", "place": place(store), **more}


# --- hooks of the administrator --------------------------------------------------------------------------

@pytest.fixture
def hooks():
    path = pathlib.Path("/etc/dcm-agent/backup-hooks")
    path.mkdir(parents=True, exist_ok=True)
    yield path
    shutil.rmtree(path)


def write_hook(path, text):
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
