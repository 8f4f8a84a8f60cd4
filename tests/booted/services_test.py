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


def finish(manager, job):
    def look():
        description = do(manager, "get_job_description", jobId=job)["reply_object"]
        return description if description["job_status"] in ("COMPLETE", "ERROR") else None
    return wait_for(look, "the job", 120)


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
    for name, mode in (("", 0o775), ("bin", 0o2755), ("cfg", 0o770), ("bin/enstratus-start", 0o750),
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


def test_killed_at_any_moment(manager, storage):
    """Whatever step it is at: the service is the old or the new one, and the repeated request succeeds."""
    rounds = 6
    for i in range(2):
        Storage.objects[f"{i}.tgz"] = tar({f"f{n}": str(i) for n in range(200)})
    assert work(manager, "install_service", **image_arguments(storage, "a6", "0.tgz"))["return_code"] == 0
    begun = time.monotonic()
    assert work(manager, "install_service", **image_arguments(storage, "a6", "1.tgz"))["return_code"] == 0
    whole = time.monotonic() - begun
    for i in range(rounds):
        job = begin(manager, "install_service", **image_arguments(storage, "a6", f"{i % 2}.tgz"))
        end = time.monotonic() + whole * i / rounds
        wait_for(lambda: time.monotonic() >= end, "the moment")
        subprocess.run(["systemctl", "kill", "--signal=KILL", "dcm-job-*.service"], capture_output=True)
        finish(manager, job)
        content = {p.read_text() for p in (SERVICES / "a6").iterdir()}
        assert content in ({"0"}, {"1"}) and len(list((SERVICES / "a6").iterdir())) == 200
    assert work(manager, "install_service", **image_arguments(storage, "a6", "0.tgz"))["return_code"] == 0
    assert {p.read_text() for p in (SERVICES / "a6").iterdir()} == {"0"}
    assert sorted(p.name for p in SERVICES.iterdir()) == [".former-a6", "a6"]


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
    Storage.objects["u.tgz"] = tar_of(entry("x", data=b"[Service]\n"), entry("dcm-service.unit", tarfile.LNKTYPE, "x"))
    reply = work(manager, "install_service", **image_arguments(storage, "a8", "u.tgz"))
    assert reply["return_code"] == 1 and "not a file of its own" in error_of(reply), reply
    assert not (SERVICES / "a8").exists()


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
    with heard_file.open("wb") as f:
        bus = subprocess.Popen(["busctl", "monitor", "--system"], stdout=f, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: b"Monitoring" in heard_file.read_bytes(), "busctl")
        replies = [work(manager, "install_service", **image_arguments(storage, "a1", "s.tgz")),
                   work(manager, "configure_service_with_ssl", **configure(runAsUser="svcuser", **SSL)),
                   work(manager, "grant_database_access", **database("grant"))]
    finally:
        bus.terminate()
        bus.wait()
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
