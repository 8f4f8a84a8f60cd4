# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: the commands about services, from a manager's request to the hooks and back. Hooks
get the arguments that those of the Python agent got, the replies have its shapes and exit codes; what
hooks start has a unit; hostile archives change nothing; what is secret is nowhere to be seen; a lock is
released whatever ends it. The object storage is a stand-in for S3: dcm-object is tested elsewhere."""

import base64
import email.utils
import grp
import hashlib
import http.server
import io
import json
import os
import pathlib
import pwd
import shutil
import signal
import stat
import subprocess
import tarfile
import threading
import time
import urllib.parse
import uuid
import zipfile

import pytest

from agent_test import manager, reply_to, run, show, wait_for  # noqa: F401
from bus_monitor import bus_in
from harness import wait_for_seconds

SERVICES = pathlib.Path("/srv/dcm/services")
UNITS = pathlib.Path("/etc/systemd/system")
RUN = pathlib.Path("/run/dcm-services")
LOCK_UNIT = "dcm-services-lock.service"
BASE = time.time() - 10000
SECRETS = ["canary-api-secret", "canary-settings", "canary-private-key", "canary-database"]


# --- object storage -------------------------------------------------------------------------------------


class Storage(http.server.BaseHTTPRequestHandler):
    """One bucket, with path style; objects that are there can be read."""

    protocol_version = "HTTP/1.1"
    objects = {}
    waiting = threading.Event()  # somebody has asked for what begins with "slow"
    go_on = threading.Event()

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        path, _, query = self.path.partition("?")
        name = urllib.parse.unquote(path).split("/", 2)[2] if path.count("/") > 1 else ""
        if not name:
            return self.list(urllib.parse.parse_qs(query))
        data = self.objects.get(name)
        if data is None:
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>", Content_Type="application/xml")
        if name.startswith("slow") and self.command == "GET":
            self.waiting.set()
            self.go_on.wait(60)
        self.answer(200, data, ETag='"' + hashlib.md5(data).hexdigest() + '"', Accept_Ranges="bytes",
                    Last_Modified=email.utils.formatdate(BASE, usegmt=True),
                    Content_Type="application/octet-stream")

    do_GET = do_HEAD

    def list(self, query):
        prefix = query.get("prefix", [""])[0]
        rows = "".join(f"<Contents><Key>{n}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                       f'<ETag>"{hashlib.md5(d).hexdigest()}"</ETag><Size>{len(d)}</Size></Contents>'
                       for n, d in sorted(self.objects.items()) if n.startswith(prefix))
        self.answer(200, (f"<ListBucketResult><Name>images</Name><Prefix>{prefix}</Prefix>"
                          f"<IsTruncated>false</IsTruncated>{rows}</ListBucketResult>").encode(),
                    Content_Type="application/xml")


@pytest.fixture(scope="module", autouse=True)
def storage():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Storage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(autouse=True)
def clean():
    """No service is left from another test."""
    yield
    subprocess.run(["systemctl", "stop", LOCK_UNIT, "dcm-service-*.service", "dcm-hook-*", "dcm-unpack-*"],
                   capture_output=True)
    subprocess.run(["systemctl", "reset-failed", "dcm-*"], capture_output=True)
    for path in UNITS.glob("dcm-service-*.service"):
        subprocess.run(["systemctl", "disable", path.name], capture_output=True)
        path.unlink()
    run("systemctl", "daemon-reload")
    for path in SERVICES.iterdir():
        shutil.rmtree(path)
    Storage.objects.clear()
    Storage.waiting.clear()
    Storage.go_on.clear()
    shutil.rmtree("/tmp/hooks", ignore_errors=True)


@pytest.fixture
def notes():
    """A directory where hooks note what they were called with."""
    path = pathlib.Path("/tmp/hooks")
    path.mkdir(mode=0o777)
    path.chmod(0o1777)
    return path


# --- requests -------------------------------------------------------------------------------------------


def b64(text):
    return base64.b64encode(text.encode()).decode()


def do(manager, command, **arguments):
    guid = str(uuid.uuid4())
    manager.request(guid, command, arguments)
    return reply_to(manager, guid)


def begin(manager, command, **arguments):
    reply = do(manager, command, **arguments)
    assert reply.get("reply_type") == "job_description", reply
    return reply["reply_object"]["job_id"]


def finish(manager, job, seconds=120):
    """The protocol has no event for the end of a job, so the manager asks, as managers do, at intervals."""
    def look():
        wait_for_seconds(0.1)
        description = do(manager, "get_job_description", jobId=job)["reply_object"]
        return description if description["job_status"] in ("COMPLETE", "ERROR") else None
    return wait_for(look, "the job", seconds)


def work(manager, command, **arguments):
    """A long runner, to its end: the job's status and the reply of the command."""
    description = finish(manager, begin(manager, command, **arguments))
    assert description["job_status"] == ("COMPLETE" if description["command_reply"]["return_code"] == 0 else "ERROR")
    return description["command_reply"]


def error_of(reply):
    return urllib.parse.unquote(reply["error_message"])


def image_arguments(storage, service, image, **more):
    return {"customerId": 10, "serviceId": service, "runAsUser": "svcuser", "cloudId": "1",
            "apiAccessKey": b64("key"), "apiSecretKey": b64(SECRETS[0]), "serviceImageDirectory": "images",
            "serviceImageFile": image, "apiEndpoint": storage, "providerRegionId": "us-east-1", **more}


# --- archives -------------------------------------------------------------------------------------------


NOTE = """#!/bin/bash
printf '%s\\n' "$(id -un)" "$PWD" "$@" >/tmp/hooks/NAME
BODY
"""


def hook(name, body="echo done\n"):
    return NOTE.replace("NAME", name).replace("BODY", body)


HOOKS = {
    "bin/enstratus-start": hook("start"),
    "bin/enstratus-stop": hook("stop"),
    "bin/enstratus-check": "#!/bin/sh\necho OK\necho more\n",
    "bin/enstratus-configure": hook("configure", 'for f in "${@:4}"; do cat "$f"; echo; done >/tmp/hooks/ssl; echo configured'),
    "cfg/seed": "seed\n",
}


def tar(files, mode="gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{mode}") as t:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            data = content.encode()
            info.size, info.mode, info.uid, info.gid = len(data), 0o755, 0, 0
            t.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def entry(name, kind=tarfile.REGTYPE, link="", mode=0o644, data=b""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, link, mode, len(data)
    return info, data


def tar_of(*entries):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as t:
        for info, data in entries:
            t.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def place(service, files=HOOKS, user="dcm"):
    """A service without install_service."""
    directory = SERVICES / service
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755)
    run("chown", "-R", f"{user}:dcm", str(directory))
    return directory


# --- install_service ------------------------------------------------------------------------------------


def test_install_start_stop_and_states(manager, storage, notes):
    Storage.objects["app.tar.gz"] = tar(HOOKS)
    reply = work(manager, "install_service", **image_arguments(storage, "a1", "app.tar.gz"))
    assert (reply["return_code"], reply["reply_type"]) == (0, "void"), reply
    service = SERVICES / "a1"
    user, group = pwd.getpwnam("svcuser"), grp.getgrnam("dcm")
    assert user.pw_shell == "/bin/false" and run("passwd", "-S", "svcuser").split()[1] == "L"
    for name, mode in (("", 0o1775), ("bin", 0o2755), ("cfg", 0o770), ("bin/enstratus-start", 0o750),
                       ("cfg/seed", 0o770)):
        st = (service / name).lstat()
        assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (user.pw_uid, group.gr_gid, mode), name
    assert sorted(p.name for p in SERVICES.iterdir()) == ["a1"], "neither image nor directory is left"

    reply = do(manager, "start_service", customerId="10", serviceId="a1")
    assert (reply["return_code"], reply["reply_type"], reply["reply_object"]) == (0, "int", 0), reply
    assert (notes / "start").read_text().splitlines() == ["dcm", str(service), "a1"]
    reply = do(manager, "get_service_states")
    assert (reply["return_code"], reply["reply_type"], reply["reply_object"]) == (0, "string_array", ["a1", "OK"])
    reply = do(manager, "get_service_state", serviceId="a1")
    assert (reply["return_code"], reply["reply_type"], reply["reply_object"]) == (0, "string", "OK")
    reply = do(manager, "stop_service", customerId=10, serviceId="a1")
    assert (reply["return_code"], reply["reply_type"], reply["message"]) == (0, "void", "done\n"), reply
    assert (notes / "stop").read_text().splitlines() == ["dcm", str(service), "a1"]


def test_kinds_of_archives(manager, storage):
    for suffix, mode in ((".tgz", "gz"), (".tar.bz2", "bz2"), (".tar.xz", "xz"), (".tar", "")):
        Storage.objects["x" + suffix] = tar({"f": suffix}, mode)
        assert work(manager, "install_service", **image_arguments(storage, "a2", "x" + suffix))["return_code"] == 0
        assert (SERVICES / "a2/f").read_text() == suffix


def test_zip(manager, storage):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("bin/enstratus-start", "#!/bin/sh\n")
        z.writestr("\u00e4/b", "x")
    Storage.objects["x.zip"] = buffer.getvalue()
    assert work(manager, "install_service", **image_arguments(storage, "a2", "x.zip"))["return_code"] == 0
    assert (SERVICES / "a2/\u00e4/b").read_text() == "x"
    assert stat.S_IMODE((SERVICES / "a2/bin/enstratus-start").stat().st_mode) == 0o750


def test_unknown_kind_is_no_failure(manager, storage):
    """As the Python agent had it; the reply says it now."""
    Storage.objects["x.rar"] = b"Rar!"
    reply = work(manager, "install_service", **image_arguments(storage, "a2", "x.rar"))
    assert reply["return_code"] == 0 and "Nothing was unpacked" in reply["message"]
    assert list((SERVICES / "a2").iterdir()) == []


def test_another_install_replaces_and_keeps_the_former(manager, storage):
    Storage.objects["1.tgz"] = tar({"f": "1", "only": "1"})
    Storage.objects["2.tgz"] = tar({"f": "2"})
    for image in ("1.tgz", "2.tgz"):
        assert work(manager, "install_service", **image_arguments(storage, "a3", image))["return_code"] == 0
    assert sorted(p.name for p in (SERVICES / "a3").iterdir()) == ["f"]
    assert (SERVICES / ".former-a3/only").read_text() == "1"
    assert do(manager, "get_service_states")["reply_object"] == ["a3", "OK"]


def hostile():
    big = b"\0" * (3 << 20)
    good = entry("ok", data=b"x")
    return {
        "above": tar_of(good, entry("../evil", data=b"x")),
        "above-inside": tar_of(good, entry("a/../../evil", data=b"x")),
        "absolute": tar_of(good, entry("/tmp/hooks/evil", data=b"x")),
        "link-absolute": tar_of(good, entry("l", tarfile.SYMTYPE, "/etc/passwd")),
        "link-out": tar_of(good, entry("l", tarfile.SYMTYPE, "../../x")),
        "link-by-a-link": tar_of(good, entry("p/q/up", tarfile.SYMTYPE, "../.."),
                                 entry("l", tarfile.SYMTYPE, "p/q/up/..")),
        "through-a-link": tar_of(good, entry("d", tarfile.SYMTYPE, "e"), entry("e", tarfile.DIRTYPE, mode=0o755),
                                 entry("d/f", data=b"x")),
        "hard-link-out": tar_of(good, entry("h", tarfile.LNKTYPE, "/etc/passwd")),
        "hard-link-above": tar_of(good, entry("h", tarfile.LNKTYPE, "../../../../etc/passwd")),
        "hard-link-to-a-link": tar_of(good, entry("l", tarfile.SYMTYPE, "ok"), entry("h", tarfile.LNKTYPE, "l")),
        "device": tar_of(good, entry("dev", tarfile.CHRTYPE)),
        "block": tar_of(good, entry("dev", tarfile.BLKTYPE)),
        "fifo": tar_of(good, entry("fifo", tarfile.FIFOTYPE)),
        "truncated": tar_of(good, entry("r", data=os.urandom(100000)))[:50000],
        "no-archive": b"this is no archive",
        "empty": tar_of(),
        "bomb": tar_of(good, entry("big", data=big)),
        "control-character": tar_of(good, entry("a\nb", data=b"x")),
        "directory-in-the-way": tar_of(entry("d", tarfile.DIRTYPE, mode=0o755), entry("d", data=b"x")),
        "deep": tar_of(good, entry("/".join("d" * 100) + "/f", data=b"x")),
    }


def test_hostile_archives(manager, storage, notes):
    """Refused as a whole: what was there stays, and nothing is anywhere else."""
    Storage.objects["good.tgz"] = tar({"f": "1"})
    assert work(manager, "install_service", **image_arguments(storage, "a4", "good.tgz"))["return_code"] == 0
    for name, archive in hostile().items():
        Storage.objects["x.tgz"] = archive
        reply = work(manager, "install_service", **image_arguments(storage, "a4", "x.tgz", unpackedSizeMax=2 << 20))
        assert reply["return_code"] == 2 and "not unpacked" in error_of(reply), (name, reply)
        assert sorted(p.name for p in SERVICES.iterdir()) == ["a4"], name
        assert (SERVICES / "a4/f").read_text() == "1" and list(notes.iterdir()) == [], name
        assert not list(SERVICES.parent.glob("evil")) and not pathlib.Path("/srv/dcm/x").exists(), name


@pytest.mark.parametrize("keep", [False, True])
def test_setuid(manager, storage, keep):
    Storage.objects["x.tgz"] = tar_of(entry("s", mode=0o6755, data=b"x"), entry("d", tarfile.DIRTYPE, mode=0o1777))
    reply = work(manager, "install_service", **image_arguments(storage, "a4", "x.tgz", keepSetuid=keep))
    assert reply["return_code"] == 0, reply
    mode = stat.S_IMODE((SERVICES / "a4/s").stat().st_mode)
    assert mode == (0o6755 if keep else 0o755) and (keep or "setuid" in reply["message"])


def test_links_that_stay_inside(manager, storage):
    Storage.objects["x.tgz"] = tar_of(entry("./a/b/f", data=b"x"), entry("a/l", tarfile.SYMTYPE, "../a/b/f"),
                                      entry("h", tarfile.LNKTYPE, "a/b/f"), entry("m", tarfile.SYMTYPE, "nothing"))
    assert work(manager, "install_service", **image_arguments(storage, "a4", "x.tgz"))["return_code"] == 0
    assert (SERVICES / "a4/a/l").read_text() == "x"
    assert (SERVICES / "a4/h").stat().st_ino == (SERVICES / "a4/a/b/f").stat().st_ino


def test_hard_links_of_programs(manager, storage):
    """One file, one mode: that of a program, in whatever order."""
    Storage.objects["x.tgz"] = tar_of(entry("f", data=b"x"), entry("bin/h", tarfile.LNKTYPE, "f"),
                                      entry("bin/g", data=b"x"), entry("cfg/g", tarfile.LNKTYPE, "bin/g"))
    assert work(manager, "install_service", **image_arguments(storage, "a4", "x.tgz"))["return_code"] == 0
    for name in ("f", "bin/h", "bin/g", "cfg/g"):
        assert stat.S_IMODE((SERVICES / "a4" / name).stat().st_mode) == 0o750, name


def test_install_with_wrong_arguments(manager, storage):
    Storage.objects["x.tgz"] = tar({"f": "1"})
    for wrong in ({"serviceId": "b1"}, {"serviceId": "../a1"}, {"serviceId": "a" * 65}, {"serviceId": "a/b"},
                  {"serviceId": ""}, {"runAsUser": "dcm-agent"}, {"runAsUser": "-x"}, {"cloudId": "16"},
                  {"serviceImageFile": "missing.tgz"}, {"cloudId": "directory"}, {"serviceImageFile": "../x.tgz"}):
        reply = do(manager, "install_service", **{**image_arguments(storage, "a1", "x.tgz"), **wrong})
        if reply["reply_type"] == "job_description":
            reply = finish(manager, reply["reply_object"]["job_id"])["command_reply"]
        assert reply["return_code"] == 1 and reply["error_message"], (wrong, reply)
        assert list(SERVICES.iterdir()) == [], wrong
        assert SECRETS[0] not in json.dumps(reply)


def test_no_directory_for_services(manager, storage):
    moved = SERVICES.with_name("elsewhere")
    SERVICES.rename(moved)
    try:
        reply = work(manager, "install_service", **image_arguments(storage, "a1", "x.tgz"))
        assert reply["return_code"] == 1 and "There is no directory /srv/dcm/services" in error_of(reply)
        conf = pathlib.Path("/etc/dcm-agent/agent.conf.d/services.conf")
        conf.write_text(f"[storage]\nservices_dir = {moved}\n")
        assert do(manager, "get_service_states")["reply_object"] == []
        conf.unlink()
        moved.chmod(0o777)
        moved.rename(SERVICES)
        reply = do(manager, "get_service_states")
        assert reply["return_code"] == 1 and "nobody else" in error_of(reply)
    finally:
        if moved.exists():
            moved.rename(SERVICES)
        SERVICES.chmod(0o755)


def test_killed_while_it_downloads(manager, storage):
    Storage.objects["good.tgz"] = tar({"f": "1"})
    Storage.objects["slow.tgz"] = tar({"f": "2"})
    assert work(manager, "install_service", **image_arguments(storage, "a5", "good.tgz"))["return_code"] == 0
    job = begin(manager, "install_service", **image_arguments(storage, "a5", "slow.tgz"))
    wait_for(Storage.waiting.is_set, "the download")
    run("systemctl", "kill", "--signal=KILL", "dcm-job-*.service")
    assert finish(manager, job)["job_status"] == "ERROR"
    Storage.go_on.set()
    assert (SERVICES / "a5/f").read_text() == "1"
    assert work(manager, "install_service", **image_arguments(storage, "a5", "slow.tgz"))["return_code"] == 0
    assert (SERVICES / "a5/f").read_text() == "2"
    assert not (SERVICES / ".install-a5").exists()


def kept(service):
    """What the directories have that were in use, by the content of their first files."""
    names = (f".former-{service}", f".unfinished-{service}", f".install-{service}/tree")
    return {next(p.iterdir()).read_text() for p in (SERVICES / n for n in names) if p.is_dir() and any(p.iterdir())}


def test_killed_at_any_moment(manager, storage):
    """Whatever step it is at: the service is the old or the new one, what was in use is kept, and the repeated
    request succeeds."""
    rounds = 8
    for i in range(rounds + 3):
        Storage.objects[f"{i}.tgz"] = tar({f"f{n}": str(i) for n in range(200)})
    assert work(manager, "install_service", **image_arguments(storage, "a6", "0.tgz"))["return_code"] == 0
    begun = time.monotonic()
    assert work(manager, "install_service", **image_arguments(storage, "a6", "1.tgz"))["return_code"] == 0
    whole = time.monotonic() - begun
    for i in range(rounds):
        before = (SERVICES / "a6/f0").read_text()
        job = begin(manager, "install_service", **image_arguments(storage, "a6", f"{i + 2}.tgz"))
        end = time.monotonic() + whole * i / rounds
        wait_for(lambda: time.monotonic() >= end, "the moment")
        subprocess.run(["systemctl", "kill", "--signal=KILL", "dcm-job-*.service"], capture_output=True)
        finish(manager, job)
        content = {p.read_text() for p in (SERVICES / "a6").iterdir()}
        assert content in ({before}, {str(i + 2)}) and len(list((SERVICES / "a6").iterdir())) == 200
        assert content == {before} or before in kept("a6"), "what was in use is lost"
    last = (SERVICES / "a6/f0").read_text()
    assert work(manager, "install_service", **image_arguments(storage, "a6", f"{rounds + 2}.tgz"))["return_code"] == 0
    assert {p.read_text() for p in (SERVICES / "a6").iterdir()} == {str(rounds + 2)} and last in kept("a6")
    assert work(manager, "install_service", **image_arguments(storage, "a6", "0.tgz"))["return_code"] == 0
    assert sorted(p.name for p in SERVICES.iterdir()) == [".former-a6", "a6"]


def tar_of_zeros(size):
    buffer = io.BytesIO()
    info = tarfile.TarInfo("big")
    info.size = size
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as t, open("/dev/zero", "rb") as zeros:
        t.addfile(info, zeros)
    return buffer.getvalue()


def test_killed_while_it_unpacks(manager, storage, notes):
    """The unpacker ends with its job, and one without a job is ended by the next request. Meanwhile no other
    process of its user comes to what it makes."""
    Storage.objects["big.tgz"] = tar_of_zeros(768 << 20)
    Storage.objects["good.tgz"] = tar({"f": "1"})
    unit = "dcm-unpack-a5.service"
    assert work(manager, "install_service", **image_arguments(storage, "a5", "good.tgz"))["return_code"] == 0
    job = begin(manager, "install_service", **image_arguments(storage, "a5", "big.tgz"))
    wait_for(lambda: show(unit, "MainPID") != "0" and (SERVICES / ".install-a5/new/big").exists(), "the unpacker")
    pid = int(show(unit, "MainPID"))
    os.kill(pid, signal.SIGSTOP)
    assert pathlib.Path(f"/proc/{pid}/fd").stat().st_uid == 0, "others of its user are kept out"
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    user = pwd.getpwnam("svcuser").pw_uid
    assert f"Uid:\t{user}\t{user}\t{user}\t{user}\n" in status and "CapEff:\t0000000000000000\n" in status
    assert "CapPrm:\t0000000000000000\n" in status and "Groups:\t \n" in status
    for path in (SERVICES / ".install-a5/new", f"/proc/{pid}/cwd/", f"/proc/{pid}/fd/"):
        r = subprocess.run(["setpriv", f"--reuid={user}", f"--regid={grp.getgrnam('dcm').gr_gid}", "--clear-groups",
                            "ls", str(path)], capture_output=True, text=True)
        assert r.returncode != 0 and "denied" in r.stderr, (path, r)
    run("systemctl", "kill", "--signal=KILL", "dcm-job-*.service")
    assert finish(manager, job)["job_status"] == "ERROR"
    wait_for(lambda: not is_alive(pid) and show(unit, "ActiveState") == "inactive", "the end of the unpacker")
    run("systemd-run", "--collect", f"--unit={unit}", "sleep", "1000")
    assert work(manager, "install_service", **image_arguments(storage, "a5", "good.tgz"))["return_code"] == 0
    assert show(unit, "ActiveState") == "inactive" and (SERVICES / "a5/f").read_text() == "1"


def test_mounts_below_a_service(manager, storage):
    """Nothing that is mounted there is moved or removed, also not if it is of the same file system."""
    Storage.objects["x.tgz"] = tar({"f": "1"})
    for _ in range(2):
        assert work(manager, "install_service", **image_arguments(storage, "a3", "x.tgz"))["return_code"] == 0
    data = SERVICES / "elsewhere"
    data.mkdir()
    (data / "precious").write_text("x")
    for name in ("a3", ".former-a3"):
        for source in (["-t", "tmpfs", "tmpfs"], ["--bind", str(data)]):
            point = SERVICES / name / "data"
            point.mkdir(exist_ok=True)
            run("mount", *source, str(point))
            try:
                (point / "precious").write_text("x")
                reply = work(manager, "install_service", **image_arguments(storage, "a3", "x.tgz"))
                assert reply["return_code"] == 1 and f"mounted at {point}" in error_of(reply), reply
                assert (point / "precious").read_text() == "x" and (SERVICES / "a3/f").exists()
            finally:
                run("umount", str(point))
    assert (data / "precious").exists() and sorted(p.name for p in SERVICES.iterdir()) == [".former-a3", "a3", "elsewhere"]
    assert work(manager, "install_service", **image_arguments(storage, "a3", "x.tgz"))["return_code"] == 0
    assert (data / "precious").exists()


def test_image_that_cannot_be_read(manager, storage, notes):
    """20, as installService had it: dcm-object says that it is there, and it is not."""
    program = notes / "object"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    place("a3", {"f": "1"})
    run("mount", "--bind", str(program), "/usr/lib/dcm-agent/dcm-object")
    try:
        reply = work(manager, "install_service", **image_arguments(storage, "a3", "x.tgz"))
    finally:
        run("umount", "/usr/lib/dcm-agent/dcm-object")
    assert reply["return_code"] == 20 and "cannot be read" in error_of(reply), reply
    assert sorted(p.name for p in SERVICES.iterdir()) == ["a3"]


def test_install_of_a_running_service(manager, storage, notes):
    """It is stopped first, by its hook; if that does not work, nothing is changed."""
    Storage.objects["x.tgz"] = tar({**HOOKS, "bin/enstratus-start": DAEMON, "version": "1"})
    Storage.objects["u.tgz"] = tar({"dcm-service.unit": UNIT})
    service, unit = SERVICES / "a1", "dcm-service-a1.service"
    for _ in range(2):
        reply = work(manager, "install_service", **image_arguments(storage, "a1", "x.tgz"))
        assert reply["return_code"] == 0, reply
        assert do(manager, "start_service", customerId="1", serviceId="a1")["reply_object"] == 0
    assert "a1 was running and has been stopped" in reply["message"] and (notes / "stop").exists(), reply
    pid = int((notes / "daemon").read_text())
    assert is_alive(pid)
    (service / "bin/enstratus-stop").write_text("#!/bin/sh\necho busy >&2\nexit 6\n")
    reply = work(manager, "install_service", **image_arguments(storage, "a1", "x.tgz"))
    assert reply["return_code"] == 1 and "busy" in error_of(reply) and "cannot be stopped" in error_of(reply), reply
    assert is_alive(pid) and show(unit, "ActiveState") == "active"
    assert "busy" in (service / "bin/enstratus-stop").read_text() and not (SERVICES / ".install-a1").exists()
    (service / "bin/enstratus-stop").unlink()
    reply = work(manager, "install_service", **image_arguments(storage, "a1", "u.tgz"))
    assert reply["return_code"] == 0 and not is_alive(pid), reply
    assert do(manager, "start_service", customerId="1", serviceId="a1")["reply_object"] == 0
    assert show(unit, "Description") == "Mine", "no unit of the hook is in its way"


SERVICE_PROGRAM = "/usr/lib/dcm-agent/dcm-service"


def service_program(verb, **arguments):
    """As an administrator: beside the one long runner that the agent runs at a time."""
    return subprocess.run([SERVICE_PROGRAM, verb], input=json.dumps(arguments), capture_output=True, text=True)


def test_one_request_at_a_time(manager, storage, notes):
    place("a1")
    Storage.objects["slow.tgz"] = tar({"f": "2"})
    job = begin(manager, "install_service", **image_arguments(storage, "a1", "slow.tgz"))
    wait_for(Storage.waiting.is_set, "the download")
    for verb, arguments in (("install", image_arguments(storage, "a1", "slow.tgz")), ("configure", configure())):
        r = service_program(verb, **arguments)
        assert r.returncode == 1 and "Another request about a1 is at work" in r.stderr, (verb, r)
    Storage.go_on.set()
    assert finish(manager, job)["command_reply"]["return_code"] == 0
    assert not (notes / "configure").exists()


# --- configure_service ----------------------------------------------------------------------------------


def configure(service="a1", **more):
    return {"forCustomerId": "10", "serviceId": service, "runAsUser": "dcm",
            "configurationData": b64(f"one\r\n{SECRETS[1]}\r\n"), **more}


SSL = {"sslAddress": "www.example.org", "sslPublic": b64("certificate"), "sslPrivate": b64(SECRETS[2])}


def test_configure(manager, notes):
    service = place("a1")
    reply = work(manager, "configure_service", **configure())
    assert (reply["return_code"], reply["reply_type"], reply["reply_object"]) == (0, "string", "configured\n"), reply
    settings = service / "cfg/enstratus.cfg"
    assert (notes / "configure").read_text().splitlines() == ["root", str(service), "a1", str(settings)]
    assert settings.read_bytes() == f"one\n{SECRETS[1]}\n".encode()
    assert (service / "cfg/enstratiusinitd.cfg").read_bytes() == f"one\r\n{SECRETS[1]}\r\n".encode()
    st = settings.stat()
    assert (stat.S_IMODE(st.st_mode), st.st_uid) == (0o640, pwd.getpwnam("dcm").pw_uid)
    assert sorted(p.name for p in (service / "cfg").iterdir()) == ["enstratiusinitd.cfg", "enstratus.cfg", "seed"]


def test_configure_with_ssl(manager, notes):
    service = place("a1")
    for more, files in (({}, ["certificate", SECRETS[2]]), ({"sslChain": "the chain"}, ["certificate", SECRETS[2],
                                                                                       "the chain"])):
        reply = work(manager, "configure_service_with_ssl", **configure(**SSL, **more))
        assert reply["return_code"] == 0, reply
        arguments = (notes / "configure").read_text().splitlines()[2:]
        assert arguments[:3] == ["a1", str(service / "cfg/enstratus.cfg"), "www.example.org"]
        assert [pathlib.Path(a).name for a in arguments[3:]] == ["a1.cert", "a1.key", "a1.chained"][:len(files)]
        assert (notes / "ssl").read_text().splitlines() == files
        assert not any(pathlib.Path(a).exists() for a in arguments[3:]), "the files are gone"
    # without the key there is no SSL
    assert work(manager, "configure_service_with_ssl", **configure(**{**SSL, "sslPrivate": b64("")}))["return_code"] == 0


def test_configure_passes_arguments_as_they_are(manager, notes):
    place("a1")
    address = "$HOME ${PATH} %n %% 'x' \"y\" \\ @z"
    assert work(manager, "configure_service", **configure(**{**SSL, "sslAddress": address}))["return_code"] == 0
    assert (notes / "configure").read_text().splitlines()[4] == address


def test_configure_that_fails(manager, notes):
    """The reply has return code and message alone; a service without the hook is a success."""
    service = place("a1", {**HOOKS, "bin/enstratus-configure": "#!/bin/sh\necho out\necho why >&2\nexit 7\n"})
    reply = work(manager, "configure_service", **configure())
    assert (reply["return_code"], reply["message"], reply["reply_object"]) == (7, "why\n", None), reply
    (service / "bin/enstratus-configure").unlink()
    reply = work(manager, "configure_service", **configure())
    assert (reply["return_code"], reply["reply_type"], reply["reply_object"]) == (0, "string", "")
    for wrong in ({"serviceId": "a9"}, {"runAsUser": "nobody-here"}):
        reply = work(manager, "configure_service", **{**configure(), **wrong})
        assert reply["return_code"] == 1 and reply["error_message"], reply


def test_configure_hook_that_cannot_be_executed(manager, notes):
    service = place("a1")
    name = service / "bin/enstratus-configure"
    name.chmod(0o644)
    reply = work(manager, "configure_service", **configure())
    assert reply["return_code"] == 10 and "cannot be executed: chmod it" in reply["message"], reply
    name.chmod(0o755)
    name.write_text("#!/nowhere\n")
    reply = work(manager, "configure_service", **configure())
    assert reply["return_code"] == 203 and "is its interpreter there" in reply["message"], reply


def test_root_runs_no_hook_of_others(manager, storage, notes):
    """The group of all hooks and scripts can write in the directory of a service; root does not run what that
    group could have put there."""
    Storage.objects["x.tgz"] = tar(HOOKS)
    assert work(manager, "install_service", **image_arguments(storage, "a1", "x.tgz"))["return_code"] == 0
    service, dcm = SERVICES / "a1", pwd.getpwnam("dcm").pw_uid
    more = {"runAsUser": "svcuser"}
    assert work(manager, "configure_service", **configure(**more))["return_code"] == 0
    assert (notes / "configure").exists()

    def as_dcm(command):
        return subprocess.run(["runuser", "-u", "dcm", "--", "sh", "-c", command], cwd=service, capture_output=True).returncode

    def refused(what):
        (notes / "configure").unlink(missing_ok=True)
        reply = work(manager, "configure_service", **configure(**more))
        assert reply["return_code"] == 10 and what in reply["message"], reply
        assert not (notes / "configure").exists()
    assert as_dcm("echo x >pid") == 0, "what start hooks do"
    assert as_dcm("mv bin x") != 0 and as_dcm("echo x >bin/enstratus-configure") != 0 and as_dcm("rm -r bin") != 0
    service.chmod(0o775)
    assert as_dcm("mv bin x; mkdir bin; cp x/enstratus-configure bin/") == 0
    refused("others can write in the directory")
    service.chmod(0o1775)
    refused("write in bin")
    shutil.rmtree(service / "bin")
    (service / "x").rename(service / "bin")
    hook_file = service / "bin/enstratus-configure"
    hook_file.chmod(0o770)
    refused("can write it")
    hook_file.chmod(0o750)
    os.chown(hook_file, dcm, -1)
    refused("can write it")
    hook_file.rename(service / "cfg/hook")
    hook_file.symlink_to("../cfg/hook")
    refused("is a link")


def test_hook_ends_with_its_job(manager, notes):
    """Also what it has started; nothing is in the way of the next one."""
    service = place("a1", {"bin/enstratus-configure": "#!/bin/bash\nsleep 1000 & echo $! >/tmp/hooks/new\n"
                                                      "mv /tmp/hooks/new /tmp/hooks/pid; wait\n"})
    job = begin(manager, "configure_service", **configure(**SSL))
    wait_for((notes / "pid").exists, "the hook")
    run("systemctl", "kill", "--signal=KILL", "dcm-job-*.service")
    assert finish(manager, job)["job_status"] == "ERROR"
    wait_for(lambda: not is_alive(int((notes / "pid").read_text())), "the end of the hook")
    wait_for(lambda: not run("systemctl", "list-units", "--all", "--plain", "--no-legend", "dcm-hook-*"), "its unit")
    assert not list(pathlib.Path("/run/credentials").glob("dcm-hook-*"))
    (service / "bin/enstratus-configure").write_text("#!/bin/sh\n")
    assert work(manager, "configure_service", **configure())["return_code"] == 0


def test_settings_do_not_follow_links(manager, notes):
    """The service's user may put links in place of files and directories of its own."""
    service = place("a1")
    victim = notes / "victim"
    victim.write_text("mine\n")
    (service / "cfg/enstratus.cfg").symlink_to(victim)
    (service / "cfg/.enstratus.cfg.new").symlink_to(victim)
    assert work(manager, "configure_service", **configure())["return_code"] == 0
    assert victim.read_text() == "mine\n" and not (service / "cfg/enstratus.cfg").is_symlink()
    shutil.rmtree(service / "cfg")
    (service / "cfg").symlink_to(notes)
    reply = work(manager, "configure_service", **configure())
    assert reply["return_code"] == 1 and "cannot be written" in error_of(reply)
    assert sorted(p.name for p in notes.iterdir()) == ["configure", "ssl", "victim"]
    shutil.rmtree(service)
    service.symlink_to(notes)
    try:
        assert work(manager, "configure_service", **configure())["return_code"] == 1
        assert do(manager, "get_service_states")["reply_object"] == []
    finally:
        service.unlink()


# --- databases ------------------------------------------------------------------------------------------


def database(command, **more):
    key = "configuration" if command.startswith("grant") else "configurationData"
    return {"customerId": "10", "serviceId": "a1", key: b64(f"grant {SECRETS[3]}"), **more}


def test_database_access(manager, notes):
    for command, name in (("grant_database_access", "dbgrant"), ("revoke_database_access", "dbrevoke")):
        service = place("a1", {f"bin/enstratus-{name}": hook(name, 'cat "$2" >>/tmp/hooks/text; echo yes; echo no >&2; exit 4')})
        reply = work(manager, command, **database(command))
        assert (reply["return_code"], reply["reply_type"], reply["message"], reply["error_message"]) == \
            (4, "void", "yes\n", "no\n"), reply
        user, directory, service_id, path = (notes / name).read_text().splitlines()
        assert (user, directory, service_id) == ("dcm", str(service), "a1") and path.endswith("/database.cfg")
        assert not pathlib.Path(path).exists()
        (service / f"bin/enstratus-{name}").chmod(0o644)
        reply = work(manager, command, **database(command))
        assert reply["return_code"] == 10 and "cannot be executed" in error_of(reply)
        (service / f"bin/enstratus-{name}").unlink()
        assert work(manager, command, **database(command))["return_code"] == 0
    assert (notes / "text").read_text() == f"grant {SECRETS[3]}" * 2


# --- start, stop, states --------------------------------------------------------------------------------


DAEMON = "#!/bin/bash\nsleep 1000 >/dev/null 2>&1 &\necho $! >/tmp/hooks/daemon\n"


def processes(unit):
    path = pathlib.Path("/sys/fs/cgroup" + show(unit, "ControlGroup"), "cgroup.procs")
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def is_alive(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


def test_what_a_hook_starts_has_a_unit(manager, notes):
    place("a1", {**HOOKS, "bin/enstratus-start": DAEMON + "echo hello journal\n"})
    for _ in range(2):
        assert do(manager, "start_service", customerId="1", serviceId="a1")["reply_object"] == 0
    pid = int((notes / "daemon").read_text())
    assert is_alive(pid) and "dcm-service-a1.service" in pathlib.Path(f"/proc/{pid}/cgroup").read_text()
    assert show("dcm-service-a1.service", "ActiveState") == "active"
    assert pid == int((notes / "daemon").read_text()) and processes("dcm-service-a1.service") == [pid], "once"
    wait_for(lambda: "hello journal" in run("journalctl", "-u", "dcm-service-a1.service", "-o", "cat"), "the journal")
    run("systemctl", "daemon-reload")
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not processes("dcm-service-a1.service"), "the end")
    assert do(manager, "start_service", customerId="1", serviceId="a1")["reply_object"] == 0
    again = int((notes / "daemon").read_text())
    assert again != pid and is_alive(again)
    assert not (notes / "stop").exists(), "it was not stopped by anybody"
    reply = do(manager, "stop_service", customerId=1, serviceId="a1")
    assert (reply["return_code"], reply["message"]) == (0, "done\n")
    assert not is_alive(again) and show("dcm-service-a1.service", "ActiveState") == "inactive"


def test_stop_hook_when_the_machine_goes_down(manager, notes):
    """systemd stops the unit then."""
    place("a1", {**HOOKS, "bin/enstratus-start": DAEMON})
    assert do(manager, "start_service", customerId="1", serviceId="a1")["reply_object"] == 0
    run("systemctl", "stop", "dcm-service-a1.service")
    assert (notes / "stop").read_text().splitlines()[2:] == ["a1"]
    (notes / "stop").unlink()
    assert do(manager, "start_service", customerId="1", serviceId="a1")["reply_object"] == 0
    counting = hook("stop", "echo x >>/tmp/hooks/stops")
    (SERVICES / "a1/bin/enstratus-stop").write_text(counting)
    assert do(manager, "stop_service", customerId=1, serviceId="a1")["return_code"] == 0
    assert (notes / "stops").read_text() == "x\n", "once"


def test_hooks_that_fail(manager, notes):
    place("a1", {"bin/enstratus-start": DAEMON + "exit 5\n", "bin/enstratus-stop": "#!/bin/sh\necho no >&2\nexit 6\n"})
    place("a2", {"bin/enstratus-check": "#!/bin/sh\necho broken\nexit 3\n"})
    place("a3", {"bin/enstratus-start": "#!/nowhere\n", "bin/enstratus-check": "#!/bin/sh\necho sad >&2\nexit 2\n"})
    reply = do(manager, "start_service", customerId="1", serviceId="a1")
    assert (reply["return_code"], reply["reply_type"], reply["reply_object"]) == (0, "int", 5), reply
    wait_for(lambda: not is_alive(int((notes / "daemon").read_text())), "the end of what it had started")
    reply = do(manager, "stop_service", customerId=1, serviceId="a1")
    assert (reply["return_code"], reply["error_message"]) == (6, "no\n"), reply
    place("a4", {"bin/enstratus-stop": "#!/bin/bash\nkill -TERM $$\nsleep 10\n"})
    reply = do(manager, "stop_service", customerId=1, serviceId="a4")
    assert reply["return_code"] == 255, "systemd takes SIGTERM for a good end"
    shutil.rmtree(SERVICES / "a4")
    assert do(manager, "start_service", customerId="1", serviceId="a2")["reply_object"] == 10
    assert do(manager, "stop_service", customerId=1, serviceId="a2")["return_code"] == 10
    assert do(manager, "start_service", customerId="1", serviceId="a3")["reply_object"] == 203
    for command in ("start_service", "stop_service"):
        reply = do(manager, command, customerId=1, serviceId="a9")
        assert reply["return_code"] == 1 and "There is no service a9" in error_of(reply), reply
    states = do(manager, "get_service_states")["reply_object"]
    assert states[:4] == ["a1", "OK", "a2", "broken"] and states[4] == "a3"
    assert states[5].startswith("UNKNOWN: ") and "sad" in states[5]
    reply = do(manager, "get_service_state", serviceId="a3")
    assert reply["return_code"] == 1 and "sad" in reply["message"] and reply["reply_object"] is None
    reply = do(manager, "get_service_state", serviceId="a9")
    assert reply["return_code"] == 1 and "no such service" in reply["message"]


def test_two_starts_at_once(manager, notes):
    place("a1", {"bin/enstratus-start": "#!/bin/bash\necho x >>/tmp/hooks/starts\nsleep 1000 &\n"
                                        "until [ -e /tmp/hooks/go ]; do read -rt 0.1 <> <(:); done\nexit 0\n"})
    starts = [subprocess.Popen([SERVICE_PROGRAM, "start"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
              for _ in range(2)]
    for start in starts:
        start.stdin.write('{"serviceId": "a1"}')
        start.stdin.close()
    wait_for((notes / "starts").exists, "the hook")
    (notes / "go").touch()
    for start in starts:
        assert json.loads(start.stdout.read())["reply_object"] == 0 and start.wait() == 0
    assert (notes / "starts").read_text() == "x\n", "once"


def test_start_that_systemd_refuses(manager, notes):
    """What systemd-run says is told, and not that the hook has failed."""
    place("a1")
    run("systemctl", "mask", "--runtime", "dcm-service-a1.service")
    try:
        r = service_program("start", serviceId="a1")
    finally:
        run("systemctl", "unmask", "--runtime", "dcm-service-a1.service")
    assert json.loads(r.stdout)["reply_object"] == 1 and "its hook" not in r.stderr, r
    assert "has not started: Failed to start transient service unit" in r.stderr, r
    assert not (notes / "start").exists()


def test_time_for_the_stop_hook_at_shutdown(manager, notes):
    place("a1")
    assert do(manager, "start_service", customerId="1", serviceId="a1")["reply_object"] == 0
    assert show("dcm-service-a1.service", "TimeoutStopUSec") == "5min"


def test_start_services(manager, notes):
    for service in ("a1", "a2"):
        place(service)
    place("a3", {"bin/enstratus-start": "#!/bin/sh\nexit 1\n"})
    (SERVICES / "b1").mkdir()
    reply = do(manager, "start_services", serviceIds=["a1", "a2"])
    assert (reply["return_code"], reply["reply_type"], reply["reply_object"]) == (0, "string_array", [])
    reply = do(manager, "start_services", serviceIds=["a3", "a9", "../x", "a1"])
    assert (reply["return_code"], reply["reply_object"]) == (0, ["a3:-1", "a9:-1", "../x:-1"]), reply
    assert do(manager, "get_service_states")["reply_object"] == ["a1", "OK", "a2", "OK", "a3", "OK"]
    assert do(manager, "start_services")["return_code"] == 1
    assert do(manager, "start_service", customerId="1")["return_code"] == 1


UNIT = """[Unit]
Description=Mine
[Service]
ExecStart=/bin/sh -c 'id -un >/tmp/hooks/unit; pwd >>/tmp/hooks/unit; exec sleep 1000'
"""


def test_shipped_unit(manager, storage, notes):
    """systemd starts, stops and knows it, and starts it at boot."""
    Storage.objects["u.tgz"] = tar({**HOOKS, "dcm-service.unit": UNIT})
    assert work(manager, "install_service", **image_arguments(storage, "a7", "u.tgz"))["return_code"] == 0
    unit = "dcm-service-a7.service"
    assert show(unit, "Description") == "Mine" and show(unit, "ActiveState") == "inactive"
    assert do(manager, "get_service_state", serviceId="a7")["reply_object"] == "inactive"
    assert do(manager, "start_service", customerId="1", serviceId="a7")["reply_object"] == 0
    wait_for(lambda: (notes / "unit").exists() and (notes / "unit").read_text().count("\n") == 2, "the service")
    assert (notes / "unit").read_text().splitlines() == ["svcuser", str(SERVICES / "a7")]
    assert not (notes / "start").exists() and show(unit, "UnitFileState") == "enabled"
    assert (UNITS / "multi-user.target.wants" / unit).is_symlink()
    assert do(manager, "get_service_states")["reply_object"] == ["a7", "OK"]
    (SERVICES / "a7/dcm-service.unit").write_text(UNIT.replace("[Service]", "[Service]\nUser=root"))
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", unit)
    assert show(unit, "User") == "svcuser", "what its user writes there changes nothing"
    run("systemctl", "kill", "--signal=KILL", unit)
    wait_for(lambda: show(unit, "ActiveState") == "failed", "the failure")
    assert do(manager, "get_service_state", serviceId="a7")["reply_object"] == "failed: signal"
    reply = do(manager, "stop_service", customerId=1, serviceId="a7")
    assert reply["return_code"] == 0 and show(unit, "UnitFileState") == "disabled", reply
    Storage.objects["n.tgz"] = tar(HOOKS)
    assert do(manager, "start_service", customerId="1", serviceId="a7")["reply_object"] == 0
    assert work(manager, "install_service", **image_arguments(storage, "a7", "n.tgz"))["return_code"] == 0
    assert not (UNITS / unit).exists() and not (UNITS / "multi-user.target.wants" / unit).is_symlink()


def test_shipped_unit_that_is_none(manager, storage):
    Storage.objects["u.tgz"] = tar({"dcm-service.unit": "[Service]\nType=oneshot\n"})
    reply = work(manager, "install_service", **image_arguments(storage, "a7", "u.tgz"))
    assert reply["return_code"] == 1 and "systemd does not take dcm-service.unit" in error_of(reply), reply
    assert not (SERVICES / "a7").exists() and not (UNITS / "dcm-service-a7.service").exists()
    Storage.objects["u.tgz"] = tar_of(entry("x", data=b"[Service]\n"), entry("dcm-service.unit", tarfile.LNKTYPE, "x"))
    reply = work(manager, "install_service", **image_arguments(storage, "a8", "u.tgz"))
    assert reply["return_code"] == 1 and "not a file of its own" in error_of(reply), reply
    assert not (SERVICES / "a8").exists()


def test_bad_unit_of_an_installed_service(manager, storage, notes):
    """It is refused before anything is changed: the service runs on."""
    unit = "dcm-service-a7.service"
    Storage.objects["good.tgz"] = tar({"dcm-service.unit": UNIT, "f": "1"})
    Storage.objects["bad.tgz"] = tar({"dcm-service.unit": "[Service]\nType=oneshot\n", "f": "2"})
    assert work(manager, "install_service", **image_arguments(storage, "a7", "good.tgz"))["return_code"] == 0
    assert do(manager, "start_service", customerId="1", serviceId="a7")["reply_object"] == 0
    pid, text = show(unit, "MainPID"), (UNITS / unit).read_text()
    reply = work(manager, "install_service", **image_arguments(storage, "a7", "bad.tgz"))
    assert reply["return_code"] == 1 and "systemd does not take dcm-service.unit" in error_of(reply), reply
    assert (SERVICES / "a7/f").read_text() == "1" and (UNITS / unit).read_text() == text
    assert show(unit, "MainPID") == pid != "0" and show(unit, "LoadState") == "loaded"
    assert not list(pathlib.Path("/run/systemd/system").glob("dcm-unit-check-*"))


def test_unit_of_an_administrator(manager, storage, notes):
    """It is never overwritten or removed, nor enabled; start and stop use it."""
    unit = "dcm-service-a7.service"
    mine = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/touch /tmp/hooks/mine\n[Install]\nWantedBy=multi-user.target\n"
    Storage.objects["u.tgz"] = tar({"dcm-service.unit": UNIT})
    Storage.objects["n.tgz"] = tar(HOOKS)
    (UNITS / unit).write_text(mine)
    run("systemctl", "daemon-reload")
    reply = work(manager, "install_service", **image_arguments(storage, "a7", "u.tgz"))
    assert reply["return_code"] == 1 and "is not replaced" in error_of(reply), reply
    assert not (SERVICES / "a7").exists()
    assert work(manager, "install_service", **image_arguments(storage, "a7", "n.tgz"))["return_code"] == 0
    assert do(manager, "start_service", customerId="1", serviceId="a7")["reply_object"] == 0
    assert (notes / "mine").exists() and not (notes / "start").exists()
    assert do(manager, "get_service_state", serviceId="a7")["reply_object"] == "OK"
    assert do(manager, "stop_service", customerId=1, serviceId="a7")["return_code"] == 0
    assert show(unit, "UnitFileState") == "disabled" and show(unit, "ActiveState") == "inactive"
    run("systemctl", "enable", unit)
    assert do(manager, "stop_service", customerId=1, serviceId="a7")["return_code"] == 0
    assert (UNITS / unit).read_text() == mine and show(unit, "UnitFileState") == "enabled"
    run("systemctl", "disable", unit)
    (UNITS / unit).unlink()
    (UNITS / unit).symlink_to("/dev/null")
    run("systemctl", "daemon-reload")
    reply = work(manager, "install_service", **image_arguments(storage, "a7", "u.tgz"))
    assert reply["return_code"] == 1 and os.readlink(UNITS / unit) == "/dev/null", reply


# --- lock, unlock ---------------------------------------------------------------------------------------


LOCK = """#!/bin/bash
echo "locking $*" >>/tmp/hooks/log
touch "$2"
echo locked >>/tmp/hooks/log
read -r line
echo "$line $(id -un)" >>/tmp/hooks/log
"""


def lock_state():
    return show(LOCK_UNIT, "ActiveState")


def test_lock_and_unlock(manager, notes):
    place("a1", {"bin/enstratus-lock": LOCK})
    place("a2", HOOKS)
    reply = work(manager, "unlock")
    assert reply["return_code"] == 1 and "not locked" in error_of(reply)
    for _ in range(2):  # a second one releases the first
        reply = work(manager, "lock", timeout=5)
        assert (reply["return_code"], reply["reply_type"], reply["message"]) == (0, "void", ""), reply
        assert lock_state() == "active"
    reply = work(manager, "unlock")
    assert (reply["return_code"], reply["reply_type"]) == (0, "void"), reply
    assert (notes / "log").read_text().splitlines() == \
        [f"locking {SERVICES} {RUN}/locks/a1 10000 a1", "locked", "UNLOCK dcm"] * 2
    assert lock_state() == "inactive" and not (RUN / "locks").exists()
    assert work(manager, "unlock")["return_code"] == 1


def test_lock_that_fails(manager, notes):
    """One that ends, and one that never locks: all are released."""
    place("a1", {"bin/enstratus-lock": LOCK})
    other = place("a2", {"bin/enstratus-lock": "#!/bin/sh\nexit 3\n"})
    reply = work(manager, "lock", timeout=10000)
    assert reply["return_code"] == 1 and "a2 ended" in error_of(reply), reply
    (other / "bin/enstratus-lock").write_text("#!/bin/sh\nread line\n")
    reply = work(manager, "lock", timeout=1)
    assert reply["return_code"] == 1 and "a2 has not locked within 10000 ms" in error_of(reply), reply
    assert (notes / "log").read_text().splitlines()[2::3] == ["UNLOCK dcm"] * 2
    assert lock_state() == "inactive"


def test_lock_is_released_whatever_ends_it(manager, notes):
    place("a1", {"bin/enstratus-lock": LOCK.replace("touch", "echo $$ >/tmp/hooks/pid; touch")})

    def lock(**more):
        assert work(manager, "lock", timeout=10000, **more)["return_code"] == 0
        return int((notes / "pid").read_text())
    pid = lock()
    run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", LOCK_UNIT)
    wait_for(lambda: not is_alive(pid) and lock_state() == "failed", "the end")
    reply = work(manager, "unlock")
    assert reply["return_code"] == 1 and "not locked any more" in error_of(reply), reply
    pid = lock(hold=10)
    wait_for(lambda: not is_alive(pid) and lock_state() != "active", "the end of its time")
    assert (notes / "log").read_text().endswith("UNLOCK dcm\n")
    assert "time for which" in error_of(work(manager, "unlock"))
    pid = lock()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: "ended before" in show(LOCK_UNIT, "StatusText"), "the loss to be seen")
    reply = work(manager, "unlock")
    assert reply["return_code"] == 1 and "not locked all the time" in error_of(reply), reply
    assert not (RUN / "locks").exists()


def test_killed_lock_is_released(manager, notes):
    """Nobody knows of it: what has locked is told to unlock, long before its time."""
    place("a1", {"bin/enstratus-lock": LOCK})
    place("a2", {"bin/enstratus-lock": "#!/bin/sh\necho $$ >/tmp/hooks/pid\nread line\n"})
    job = begin(manager, "lock", timeout=3600000)
    log = notes / "log"
    wait_for(lambda: (notes / "pid").exists() and log.exists() and "locked" in log.read_text(), "the hooks")
    run("systemctl", "kill", "--signal=KILL", "dcm-job-*.service")
    assert finish(manager, job)["job_status"] == "ERROR"
    wait_for(lambda: lock_state() in ("inactive", "failed"), "the release", 60)
    assert (notes / "log").read_text().endswith("UNLOCK dcm\n") and not (RUN / "locks").exists()
    place("a2", {"bin/enstratus-lock": LOCK})
    assert work(manager, "lock", timeout=10000)["return_code"] == 0
    assert work(manager, "unlock")["return_code"] == 0


def test_two_locks_at_once(manager, notes):
    place("a1", {"bin/enstratus-lock": "#!/bin/sh\ntouch /tmp/hooks/waits\nuntil [ -e /tmp/hooks/go ]; do sleep 0.1; done\n"
                                       "touch \"$2\"\nread line\n"})
    job = begin(manager, "lock", timeout=3600000)
    wait_for((notes / "waits").exists, "the hook")
    r = service_program("lock", timeout=10000)
    assert r.returncode == 1 and "Another request about all services is at work" in r.stderr, r
    (notes / "go").touch()
    assert finish(manager, job)["command_reply"]["return_code"] == 0
    assert work(manager, "unlock")["return_code"] == 0


def test_what_lock_hooks_have(manager, notes):
    """The environment of other hooks, and no protection from the OOM killer."""
    place("a1", {"bin/enstratus-lock": "#!/bin/bash\n{ env; cat /proc/self/oom_score_adj; grep SigIgn /proc/self/status; } "
                                       ">/tmp/hooks/seen\n" + LOCK.split("\n", 1)[1]})
    assert work(manager, "lock", timeout=10000)["return_code"] == 0
    assert work(manager, "unlock")["return_code"] == 0
    lines = (notes / "seen").read_text().splitlines()
    assert "0" in lines and any(int(x.split()[1], 16) & 1 << signal.SIGPIPE - 1 == 0 for x in lines if "SigIgn" in x)
    for name in ("DCM_USER=dcm", f"DCM_SERVICES_DIR={SERVICES}", "DCM_LOG_FILE=/dev/null"):
        assert name in lines, lines
    for name in ("DCM_REQUEST_ID=", "DCM_AGENT_PLATFORM_NAME=", "DCM_AGENT_PLATFORM_VERSION="):
        assert any(x.startswith(name) for x in lines), (name, lines)


def test_file_systems_of_the_system_are_not_frozen(manager, notes):
    place("a1", {"bin/enstratus-lock": LOCK})
    reply = work(manager, "lock", timeout=10000, fileSystems=True)
    assert reply["return_code"] == 1 and "cannot be frozen" in error_of(reply), reply
    assert (notes / "log").read_text().endswith("UNLOCK dcm\n") and not (RUN / "frozen").exists()


# --- secrets --------------------------------------------------------------------------------------------


def test_secrets_are_nowhere(manager, storage, notes):
    """Not in arguments, properties, the bus, the journal, or files that stay; while it runs, and afterwards."""
    look = ("{ cat /proc/[0-9]*/cmdline; systemctl show '*'; cat /run/systemd/transient/*; } 2>/dev/null "
            ">/tmp/hooks/seen-$UID; ")
    Storage.objects["s.tgz"] = tar({**HOOKS, "bin/enstratus-configure": "#!/bin/bash\n" + look,
                                    "bin/enstratus-dbgrant": "#!/bin/bash\n" + look})
    heard_file = notes / "bus"
    with bus_in(heard_file):
        replies = [work(manager, "install_service", **image_arguments(storage, "a1", "s.tgz")),
                   work(manager, "configure_service_with_ssl", **configure(runAsUser="svcuser", **SSL)),
                   work(manager, "grant_database_access", **database("grant"))]
    heard = heard_file.read_bytes()
    assert [r["return_code"] for r in replies] == [0, 0, 0], replies
    assert b"StartTransientUnit" in heard and b"dcm-hook-a1-configure" in heard 
    seen = b"".join(p.read_bytes() for p in notes.glob("seen-*"))
    assert len(list(notes.glob("seen-*"))) == 2 and b"enstratus-dbgrant" in seen and b"enstratus-configure" in seen
    journal = subprocess.run(["journalctl", "-o", "json", "--all"], capture_output=True).stdout
    for secret in SECRETS:
        for text, where in ((heard, "the bus"), (seen, "arguments or properties"),
                            (json.dumps(replies).encode(), "replies"), (journal, "the journal")):
            assert secret.encode() not in text and base64.b64encode(secret.encode())[:-4] not in text, (secret, where)
        found = subprocess.run(["grep", "-rlsa", "--exclude-dir=proc", "--exclude-dir=sys", "--", secret, "/run", "/tmp", "/srv",
                                "/etc", "/var/lib/dcm-jobs", "/var/lib/dcm"], capture_output=True, text=True).stdout.split()
        allowed = [str(SERVICES / "a1/cfg" / n) for n in ("enstratus.cfg", "enstratiusinitd.cfg")]
        assert set(found) <= (set(allowed) if secret == SECRETS[1] else set()), (secret, found)
