# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: backups in real object storage, ordered by a manager with the arguments that the Python agent
had. Both copies are there, in buckets that are made for them; wrong keys, a missing object and a connection that
breaks are told apart; what is restored is the same."""

import base64
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time
import uuid

import pytest

import object_servers as servers
from agent_test import describe as describe_job, manager, reply_to, wait_job  # noqa: F401
from backup_rig import (STAMP, Reply, bad, describe, good, hook, keys, leftovers, make_tree, service,  # noqa: F401
                         start, store, tree)
from object_servers import Proxy


@pytest.fixture(scope="module")
def swift():
    servers.WORK.mkdir(exist_ok=True)
    server = servers.Swift()
    yield server
    server.stop()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def do(manager, command, **arguments):  # noqa: F811
    """Orders a long runner; its reply."""
    guid = str(uuid.uuid4())
    manager.request(guid, command, arguments)
    reply = reply_to(manager, guid)
    assert reply["reply_type"] == "job_description", reply
    job = wait_job(manager, reply["reply_object"]["job_id"], "COMPLETE", "ERROR")
    return job["command_reply"]


def arguments_of(swift, *names):
    """A place of the manager's arguments: cloud 1 is S3, 35 is Swift."""
    s3 = swift.place_s3("x")
    cloud, endpoint, key, secret = names
    return {cloud: "1", endpoint: s3["endpoint"], key: b64(s3["key"]), secret: b64(s3["secret"])}


def test_the_old_commands(manager, swift, service):  # noqa: F811
    """D, old-tree tests for A: the object's name contains that of the data source, in both copies; that of a service
    begins with the service; a data source is installed, also by a delegate."""
    first, second = swift.place_s3("first-bucket"), swift.place("first-bucket")
    hook(service, "enstratus-backupDataSource", 'cat "$3" >"$4"')
    hook(service, "enstratus-installds", 'cp "$3" image.seen')
    common = {"serviceId": "a1", "toBackupDirectory": "first-bucket"}
    primary = arguments_of(swift, "primaryCloudId", "apiEndpoint", "primaryApiKey", "primarySecretKey")
    reply = do(manager, "backup_data_source", **common, **primary, dataSourceName="MyDB", configuration=b64("canary-4711"),
               secondaryCloudId="35", secondaryEndpoint=second["endpoint"], secondaryApiKey=b64(second["key"]),
               secondarySecretKey=b64(second["secret"]))
    assert reply["return_code"] == 0 and reply["reply_type"] == "void" and reply["reply_object"] is None, reply
    listed = good("list_backups", serviceId="a1", dataSourceName="MyDB", place=first, second_place=second).object
    [entry] = [e for e in listed if e.get("outcome") == "complete"]
    assert re.fullmatch(rf"a1-mydb-{STAMP}\.zip", entry["object"])
    assert [(c["provider"], c["is_there"]) for c in entry["copies"]] == [("s3", True), ("swift", True)]

    install = {"customerId": "1", "serviceId": "a1", "imageDirectory": "first-bucket", "dataSourceImage": entry["object"],
               "configuration": b64("x"), "cloudId": "1"}
    reply = do(manager, "install_data_source", **install, apiEndpoint=first["endpoint"], apiAccessKey=b64(first["key"]),
               apiSecretKey=b64(first["secret"]))
    assert reply["return_code"] == 0 and (service / "image.seen").read_text() == "canary-4711", reply
    (service / "image.seen").unlink()
    reply = do(manager, "install_data_source", **install, apiAccessKey=b64("wrong"), apiSecretKey=b64("wrong"),
               storageDelegate="1", storageEndpoint=first["endpoint"], storagePublicKey=b64(first["key"]),
               storagePrivateKey=b64(first["secret"]))
    assert reply["return_code"] == 0 and (service / "image.seen").read_text() == "canary-4711", reply

    reply = do(manager, "backup_service", **common, **primary)
    assert reply["return_code"] == 0, reply
    assert re.search(rf"a1-{STAMP} ", reply["message"]), reply
    reply = do(manager, "backup_service", **common, **{**primary, "primarySecretKey": b64("wrong")})
    assert reply["return_code"] == 1 and reply["reply_object"]["code"] in ("forbidden", "storage"), reply
    assert "key" in reply["error_message"], reply
    reply = do(manager, "backup_service", **common, **{**primary, "primaryCloudId": "16"})
    assert reply["reply_object"]["code"] == "unsupported" and "not supported" in reply["error_message"], reply
    hook(service, "enstratus-backupDataSource", "echo broken >&2; exit 7")
    reply = do(manager, "backup_data_source", **common, **primary, dataSourceName="MyDB", configuration=b64("x"))
    assert reply["return_code"] == 7 and "status 7: broken" in reply["error_message"], reply


@pytest.mark.parametrize("kind", ["s3", "swift"])
def test_directories_as_streams(swift, tree, keys, kind):  # noqa: F811
    make = swift.place_s3 if kind == "s3" else swift.place
    place, name = make(f"streams-{kind}"), f"tree-{kind}"
    before = describe(tree)
    reply = good("backup_paths", name=name, paths=[str(tree)], place=place, recipient=[keys[0][0]], retain={"newest": 1})
    again = good("backup_paths", name=name, paths=[str(tree)], place=place, recipient=[keys[0][0]], retain={"newest": 1})
    assert f"The old backup {reply.object['object']} was deleted" in again.message
    good("verify_backup", name=name, place=place)
    shutil.rmtree(tree)
    good("restore_paths", name=name, place=place, target=str(tree), path=str(tree), identity=keys[0][1])
    assert describe(tree) == before
    bad("list shows what is there", "restore_paths", object="no-such-object", place=place, target=str(tree))


def test_connections_that_break(swift, tree):  # noqa: F811
    """Once: S3 sends the part again, and reading goes on. Always: the command fails, and there is no object."""
    place = swift.place_s3("cuts")
    made = good("backup_paths", name="cuts", paths=[str(tree)], place=place, compression="none").object["object"]
    always = Proxy(swift.PORT, after=500_000, cuts=10_000)
    try:
        reply = bad("The primary copy was not made", "backup_paths", name="cuts", paths=[str(tree)], compression="none",
                    place=swift.place_s3("cuts", always.port))
    finally:
        always.stop()
    listed = [e for e in good("list_backups", name="cuts", place=place).object if e["copies"]]
    assert len(listed) == 1, reply
    before = describe(tree)
    once = Proxy(swift.PORT, after=1_000_000, cuts=1)
    try:
        # by its name: the proxy is another place than that of the record
        good("restore_paths", object=made, path=str(tree), target=str(tree), place=swift.place_s3("cuts", once.port))
    finally:
        once.stop()
    assert once.cut == 1 and describe(tree) == before and not leftovers()


@pytest.mark.parametrize("kind", [servers.Azurite, servers.S3rver, servers.Sshd, servers.Webdav, servers.Google])
def test_each_server(kind, tree, keys):  # noqa: F811
    """Backed up twice, the first one deleted, verified, restored. WebDAV must know the size of what comes."""
    servers.WORK.mkdir(exist_ok=True)
    server = kind()
    try:
        place, before, name = server.place("each"), describe(tree), f"each-{kind.__name__.lower()}"
        for _ in range(2):
            good("backup_paths", name=name, paths=[str(tree)], place=place, recipient=[keys[0][0]], retain={"newest": 1})
        assert len([e for e in good("list_backups", name=name, place=place).object if e["copies"]]) == 1
        good("verify_backup", name=name, place=place)
        good("restore_paths", name=name, path=str(tree), target=str(tree), place=place, identity=keys[0][1])
        assert describe(tree) == before and not leftovers()
    finally:
        server.stop()


# --- large ones ----------------------------------------------------------------------------------------

MIB = 1 << 20
SIZE = int(os.environ.get("DCM_OBJECT_GIB") or 0) * 1024 * MIB or 200 * MIB
MEMORY_MAX = 256 * MIB
PROGRAMS = "dcm-backup|dcm-object|dcm-object-run|rclone|tar|zstd|age"


def memory_of_all():
    """PSS of all processes that a backup or restore has, together."""
    pids = subprocess.run(["pgrep", "-x", PROGRAMS], capture_output=True, text=True).stdout.split()
    total = 0
    for pid in pids:
        try:
            total += int(re.search(r"^Pss: +(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1]) * 1024
        except (OSError, TypeError):
            pass
    return total


def measured(command, **arguments):
    """Its reply; the largest sum that was seen, and seconds."""
    began, peak, process = time.monotonic(), 0, start(command, **arguments)
    reply = []
    thread = threading.Thread(target=lambda: reply.append(Reply(process)))
    thread.start()
    while thread.is_alive():
        peak = max(peak, memory_of_all())
        thread.join(0.2)
    assert reply[0].code == 0, reply[0]
    print(f"{command}: {SIZE // MIB} MiB in {time.monotonic() - began:.0f} s, PSS {peak / MIB:.0f} MiB")
    assert 10 * MIB < peak < MEMORY_MAX
    return reply[0]


def test_memory(swift, keys, tmp_path):  # noqa: F811
    """A large backup to its end, encrypted, and restored to its end: all processes together."""
    tree = tmp_path / "large"
    tree.mkdir()
    for i in range(5):
        with open(tree / str(i), "wb") as f:
            for _ in range(SIZE // 5 // MIB):
                f.write(os.urandom(MIB))
    hashes = run_sums(tree)
    place = swift.place_s3("large")
    measured("backup_paths", name="large", paths=[str(tree)], place=place, recipient=[keys[0][0]])
    shutil.rmtree(tree)
    measured("restore_paths", name="large", path=str(tree), target=str(tree), place=place, identity=keys[0][1])
    assert run_sums(tree) == hashes
    shutil.rmtree(tree)


def run_sums(tree):  # noqa: F811
    return subprocess.run(["sh", "-c", "sha256sum *"], cwd=tree, check=True, capture_output=True).stdout
