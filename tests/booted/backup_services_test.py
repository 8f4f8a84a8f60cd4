# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: data sources and services are backed up, installed and restored by the commands' program. Hooks
get what the Python agent gave them, and have no rights; their failures are told; services are locked as long as they
are read, whatever ends the backup."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from backup_rig import (OLD, SERVICES, STAMP, STATE, UNITS, Reply, backup_data_source, bad, begin, call, describe,  # noqa: F401
                        forget_records, good, hook, keys, leftovers, make_tree, objects, place, run, service,
                        store, tree, wait_until)


# --- data sources and services ---------------------------------------------------------------------------

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


# --- locks of services -----------------------------------------------------------------------------------

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
