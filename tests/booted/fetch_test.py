# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, with the build installed: fetch_run from request to reply, over http, https and
from files; its download is a unit that can do nothing else, ends when nobody wants it, and may be
repeated, while the script runs once; a password in the URL is seen nowhere. And what is common to
the two commands that bring scripts: interpreters, hostile arguments, noexec."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import urllib.parse
import uuid

import pytest
from gi.repository import Gio, GLib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "component"))

import certificates  # noqa: E402
from agent_test import (  # noqa: E402, F401
    describe, manager, order, reply_to, run, show, unit_of, wait_job)
from harness import temporary_directory, wait_for  # noqa: E402
from servers import Nginx  # noqa: E402

SCRIPT = "#!/bin/sh\nid -un\necho \"$@\"\n"
SECRET = "canary-4711"
JOBS = pathlib.Path("/var/lib/dcm-jobs")


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def order_fetch(manager, url, script=SCRIPT, guid=None, more=None, **arguments):
    guid = guid or str(uuid.uuid4())
    arguments = {"url": url, "checksum": sha256(script), **arguments}
    manager.request(guid, "fetch_run", {k: v for k, v in arguments.items() if v is not None}, **(more or {}))
    return guid


def fetch_unit(guid):
    return f"dcm-fetch-{guid}.service"


def error_of(reply):
    assert reply["return_code"] == 1 and reply["message"] == ""
    return urllib.parse.unquote(reply["error_message"])


class Web:
    """Answers with the script, as soon as the gate is open; counts the requests."""

    def __init__(self, script=SCRIPT):
        self.requests, self.ended, self.gate = [], 0, threading.Event()
        self.body = script.encode()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, user="", path="/script"):
        return f"http://{user}127.0.0.1:{self.port}{path}"

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self.listener.accept()[:1], daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            self.requests.append(connection.recv(65536).decode())
            watch = threading.Thread(target=self._watch, args=(connection,), daemon=True)
            watch.start()
            self.gate.wait()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.body) + self.body)
            connection.shutdown(socket.SHUT_WR)
            watch.join()

    def _watch(self, connection):
        with contextlib.suppress(OSError):
            while connection.recv(65536):
                pass
        self.ended += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gate.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def web():
    with Web() as web:
        web.gate.set()
        yield web


@pytest.fixture
def silent_web():
    with Web() as web:
        yield web


@pytest.fixture
def policy():
    path = pathlib.Path("/etc/dcm-agent/policy.conf.d/test.conf")
    path.parent.mkdir(exist_ok=True)
    yield path
    path.unlink(missing_ok=True)


# From request to reply


def test_http(manager, web):
    guid = order_fetch(manager, web.url(), arguments=["a b", "c"])
    assert reply_to(manager, guid) == {"return_code": 0, "reply_type": "void", "reply_object": None,
                                       "message": "dcm\na b c\n", "error_message": ""}
    assert len(web.requests) == 1 and web.requests[0].startswith("GET /script HTTP/1.1\r\n")
    wait_for(lambda: show(fetch_unit(guid), "LoadState") == "not-found", "the unit to go")
    guid = order_fetch(manager, web.url(), runUnderSudo=True, checksum=sha256(SCRIPT).upper())
    assert reply_to(manager, guid)["message"] == "root\n\n"


def test_python(manager):
    script = "import sys\nprint(sys.executable, *sys.argv[1:])\n"
    with Web(script) as web:
        web.gate.set()
        guid = order_fetch(manager, web.url(), script, inpython=True, arguments=["x"])
        assert reply_to(manager, guid)["message"] == "/usr/bin/python3 x\n"


def test_https_and_the_pinned_certificate(manager):
    directory = temporary_directory()
    directory.chmod(0o755)
    pki = certificates.Authorities(directory)
    (directory / "script").write_text(SCRIPT)
    more = f"location = /script {{ root {directory}; }} location = /again {{ return 302 /script; }}"
    with Nginx(1, pki.good, more=more) as server:
        url = f"https://localhost:{server.port}/again"
        for certificate in (pki.good.pem(), pki.root.pem()):
            guid = order_fetch(manager, url, ssl_cert=certificate)
            assert reply_to(manager, guid)["message"] == "dcm\n\n"
        for certificate in (None, pki.other.pem(), pki.leaf().pem()):
            error = error_of(reply_to(manager, order_fetch(manager, url, ssl_cert=certificate)))
            assert error.startswith(f"The download failed: localhost:{server.port}: TLS: ")
    error = error_of(reply_to(manager, order_fetch(manager, url, ssl_cert="none")))
    assert error == "The argument 'ssl_cert' is not a certificate in PEM"


def test_file(manager):
    """What everybody may read, also in /tmp; checked if there is a checksum."""
    path = pathlib.Path("/tmp/dcm test script")
    path.write_text(SCRIPT)
    url = f"file://{urllib.parse.quote(str(path))}"
    try:
        path.chmod(0o644)
        for checksum in (None, sha256(SCRIPT)):
            guid = order_fetch(manager, url, checksum=checksum, arguments=["x"])
            assert reply_to(manager, guid)["message"] == "dcm\nx\n"
        assert path.stat().st_mode & 0o777 == 0o644, "it is copied, not run in its place"
        guid = order_fetch(manager, url, checksum=sha256("another"))
        assert error_of(reply_to(manager, guid)) == \
            "The checksum of the script does not match"
        path.chmod(0o600)
        guid = order_fetch(manager, url, runUnderSudo=True)
        assert error_of(reply_to(manager, guid)) == \
            f"The download failed: {path} cannot be read: Permission denied"
        assert error_of(reply_to(manager, order_fetch(manager, "file:///nowhere"))) == \
            "The download failed: /nowhere cannot be read: No such file or directory"
    finally:
        path.unlink()


def test_wrong_checksum_runs_nothing(manager, web):
    guid = order_fetch(manager, web.url(), checksum="0" * 64)
    assert error_of(reply_to(manager, guid)) == \
        "The checksum of the script does not match"
    assert not (JOBS / guid).exists()


def test_bad_host_and_bad_answers(manager, web):
    for url, reason in ((f"http://127.0.0.1:1/{SECRET}", "127.0.0.1:1: Connection refused"),
                        (f"http://x:{SECRET}@nowhere.invalid/", "nowhere.invalid: the name cannot be resolved")):
        assert error_of(reply_to(manager, order_fetch(manager, url))) == f"The download failed: {reason}"
    with Web("x" * ((16 << 20) + 1)) as large:
        large.gate.set()
        assert "is too large" in error_of(reply_to(manager, order_fetch(manager, large.url())))


@pytest.mark.parametrize("arguments, names", [
    ({"checksum": None}, "checksum"), ({"checksum": ""}, "checksum"), ({"checksum": "abc"}, "checksum"),
    ({"url": None}, "url"), ({"url": "ftp://host/x"}, "url"), ({"url": "http://host/a b"}, "url"),
    ({"url": "file://host/x"}, "url"), ({"url": "http://" + "x" * 9000}, "url"),
    ({"connect_timeout": 0}, "connect_timeout"), ({"connect_timeout": "x"}, "connect_timeout"),
    ({"timeout": -1}, "timeout"), ({"ssl_cert": "x"}, "ssl_cert"), ({"arguments": "x"}, "arguments"),
])
def test_wrong_arguments_are_named_and_start_nothing(manager, arguments, names):
    """Also by the first reply of a long runner."""
    for more in ({}, {"longer_runner": True}):
        guid = order_fetch(manager, **{"url": "http://127.0.0.1:1/", **arguments}, more=more)
        assert f"'{names}'" in error_of(reply_to(manager, guid)) and not (JOBS / guid).exists()


def test_connect_timeout_is_also_for_a_silent_source(manager, silent_web):
    guid = order_fetch(manager, silent_web.url(), connect_timeout=1)
    assert error_of(reply_to(manager, guid)) == \
        f"The download failed: 127.0.0.1:{silent_web.port} has sent nothing for 1 s"


def test_long_runner(manager, silent_web):
    guid = order_fetch(manager, silent_web.url(), more={"longer_runner": True})
    job_id = reply_to(manager, guid)["reply_object"]["job_id"]
    wait_for(lambda: silent_web.requests, "the download")
    assert describe(manager, job_id)["job_status"] == "RUNNING"
    silent_web.gate.set()
    assert wait_job(manager, job_id, "COMPLETE", "ERROR")["command_reply"]["message"] == "dcm\n\n"


# While it is downloaded


@pytest.mark.parametrize("long", [False, True])
def test_cancel_during_the_download(manager, silent_web, long):
    guid = order_fetch(manager, silent_web.url(), more={"longer_runner": long})
    if long:
        job_id = reply_to(manager, guid)["reply_object"]["job_id"]
    wait_for(lambda: silent_web.requests, "the download")
    manager.send(type="CANCEL", request_id=guid)
    reply = wait_job(manager, job_id, "ERROR")["command_reply"] if long else reply_to(manager, guid)
    assert error_of(reply) == "The job was cancelled before it started"
    wait_for(lambda: silent_web.ended == 1, "the download to be broken off")
    wait_for(lambda: show(fetch_unit(guid), "LoadState") == "not-found", "the unit to go")
    assert not (JOBS / guid).exists()


@pytest.mark.parametrize("way", ["kill", "restart"])
def test_agent_ends_during_the_download(manager, silent_web, way):
    """It is downloaded again, and the script runs once."""
    count = pathlib.Path("/tmp/dcm-test-count")
    count.write_text("")
    count.chmod(0o666)
    script = f"#!/bin/sh\necho x >>{count}\necho done\n"
    silent_web.body = script.encode()
    guid = order_fetch(manager, silent_web.url(), script)
    wait_for(lambda: silent_web.requests, "the download")
    if way == "kill":
        run("systemctl", "kill", "--signal=KILL", "dcm-agent.service")
    else:
        run("systemctl", "restart", "dcm-agent.service")
    wait_for(lambda: silent_web.ended == 1, "the end of the first download")
    wait_for(lambda: len(silent_web.requests) == 2, "the second download")
    silent_web.gate.set()
    assert reply_to(manager, guid)["message"] == "done\n" and count.read_text() == "x\n"
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(3)
    order_fetch(manager, silent_web.url(), script, guid)
    wait_for(lambda: len(manager.of_type("REPLY", guid)) >= 2, "the stored reply")
    assert count.read_text() == "x\n" and len(silent_web.requests) == 2
    count.unlink()


def test_started_job_is_not_downloaded_again(manager, web):
    """After a restart it is adopted by its directory, though its source is gone."""
    fifo = pathlib.Path("/tmp/dcm-test-fetch-fifo")
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    script = f"#!/bin/bash\nread -r line <{fifo}\necho $line\n"
    web.body = script.encode()
    guid = order_fetch(manager, web.url(), script)
    wait_for(lambda: show(unit_of(guid), "SubState") == "running", "the job")
    run("systemctl", "kill", "--signal=KILL", "dcm-agent.service")
    manager.wait_offer(2)
    fifo.write_text("hello\n")
    assert reply_to(manager, guid)["message"] == "hello\n" and len(web.requests) == 1
    fifo.unlink()


def test_executor_ended_between_directory_and_start(manager, silent_web):
    """There is a directory, and the script has not run: it is downloaded again and started."""
    whole = order_fetch(manager, silent_web.url())
    wait_for(lambda: silent_web.requests, "the download")
    run("systemctl", "stop", "dcm-agent.service")
    directory = JOBS / whole
    directory.mkdir(mode=0o750)
    os.chown(directory, 0, JOBS.stat().st_gid)
    (directory / "script").write_text("half")
    silent_web.gate.set()
    run("systemctl", "start", "dcm-agent.service")
    assert reply_to(manager, whole)["message"] == "dcm\n\n"


def test_executor_ended_with_the_script_in_the_directory(manager, silent_web):
    """That is complete and has not run: it is started, and not downloaded again."""
    guid = order_fetch(manager, silent_web.url())
    wait_for(lambda: silent_web.requests, "the download")
    run("systemctl", "stop", "dcm-agent.service")
    directory = JOBS / guid
    directory.mkdir(mode=0o750)
    for name, mode in (("script", 0o755), ("stdout", 0o640), ("stderr", 0o640), ("log", 0o642), ("exit", 0o642)):
        (directory / name).write_text(SCRIPT if name == "script" else "")
        (directory / name).chmod(mode)
    for path in (directory, *directory.iterdir()):
        os.chown(path, 0, JOBS.stat().st_gid)
    run("systemctl", "start", "dcm-agent.service")
    assert reply_to(manager, guid)["message"] == "dcm\n\n" and len(silent_web.requests) == 1


def test_second_download_waits_for_the_end_of_the_first(manager, silent_web):
    """It does not see that its agent has gone: it is stopped."""
    guid = order_fetch(manager, silent_web.url())
    wait_for(lambda: silent_web.requests, "the download")
    run("systemctl", "kill", "--signal=STOP", fetch_unit(guid))
    run("systemctl", "kill", "--signal=KILL", "dcm-agent.service")
    wait_for(lambda: "The download cannot begin: " in run("journalctl", f"DCM_REQUEST_ID={guid}"), "retries")
    assert len(silent_web.requests) == 1
    silent_web.gate.set()
    run("systemctl", "kill", "--signal=CONT", fetch_unit(guid))
    assert reply_to(manager, guid)["message"] == "dcm\n\n" and len(silent_web.requests) == 2


def test_shutdown_is_no_failure(manager, silent_web):
    """In one transaction the agent is stopped before its download; after the boot it goes on."""
    units = pathlib.Path("/run/systemd/system")
    slow, target = units / "dcm-agent.service.d/slow.conf", units / "dcm-test-down.target"
    fifo = pathlib.Path("/run/dcm-test-fifo")
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    slow.parent.mkdir(exist_ok=True)
    slow.write_text(f"[Service]\nExecStop=sh -c 'read x <{fifo}'\n")
    guid = order_fetch(manager, silent_web.url())
    wait_for(lambda: silent_web.requests, "the download")
    target.write_text(f"[Unit]\nConflicts=dcm-agent.service {fetch_unit(guid)}\n")
    try:
        run("systemctl", "daemon-reload")
        run("systemctl", "start", "--no-block", target.name)
        wait_for(lambda: show("dcm-agent.service", "ActiveState") == "deactivating", "the agent's end")
        assert show(fetch_unit(guid), "ActiveState") == "active"
        fifo.write_text("go\n")
        wait_for(lambda: show("dcm-agent.service", "ActiveState") == "inactive", "the agent's end")
    finally:
        for path in (slow, target, fifo):
            path.unlink()
        run("systemctl", "daemon-reload")
    silent_web.gate.set()
    run("systemctl", "start", "dcm-agent.service")
    assert reply_to(manager, guid)["message"] == "dcm\n\n"


def test_download_is_killed(manager, silent_web):
    guid = order_fetch(manager, silent_web.url())
    wait_for(lambda: silent_web.requests, "the download")
    run("systemctl", "kill", "--signal=KILL", fetch_unit(guid))
    assert error_of(reply_to(manager, guid)) == f"The download failed: {fetch_unit(guid)} was cut off"


def test_pause_lets_a_download_go_on_and_holds_its_job(manager, silent_web):
    guid = order_fetch(manager, silent_web.url())
    wait_for(lambda: silent_web.requests, "the download")
    run("dcm-agentctl", "pause")
    silent_web.gate.set()
    wait_for(lambda: show(fetch_unit(guid), "LoadState") == "not-found", "the end of the download")
    assert not (JOBS / guid).exists()
    run("dcm-agentctl", "resume")
    assert reply_to(manager, guid)["message"] == "dcm\n\n"


# What its unit may


def in_unit(guid, *command):
    """What a command prints in the namespaces of the unit, as its user."""
    pid = show(fetch_unit(guid), "MainPID")
    user = pathlib.Path(f"/proc/{pid}/status").read_text().split("\nUid:")[1].split()[0]
    return subprocess.run(["nsenter", f"--target={pid}", "--mount", "--net", "--", "setpriv",
                           f"--reuid={user}", "--clear-groups", "--", *command], capture_output=True, text=True)


@pytest.mark.parametrize("reload", [False, True])
def test_unit_of_a_download(manager, silent_web, reload):
    """Also after a daemon-reload, which reads again what systemd has written down."""
    guid = order_fetch(manager, silent_web.url())
    wait_for(lambda: silent_web.requests, "the download")
    unit = fetch_unit(guid)
    if reload:
        run("systemctl", "daemon-reload")
    text = run("systemd-analyze", "security", "--no-pager", unit)
    score = float(re.search(r"exposure level for \S+: ([0-9.]+)", text)[1])
    print(f"{unit}: {score}")
    assert score <= 1.5
    pid = show(unit, "MainPID")
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    assert re.search(r"\nCapBnd:\s+0+\n", status) and re.search(r"\nNoNewPrivs:\s+1\n", status)
    assert re.search(r"\nSeccomp:\s+2\n", status)
    assert show(unit, "User") == "dcm-fetch" and show(unit, "Slice") == "dcm-jobs.slice"
    assert show(unit, "TasksMax") == "8" and show(unit, "MemoryMax") == str(128 << 20)
    for path in ("/etc/x", "/tmp/x", "/var/tmp/x", "/run/x", "/dev/shm/x", "/var/lib/dcm-jobs/x"):
        done = in_unit(guid, "touch", path)
        assert done.returncode != 0 or path in ("/tmp/x", "/var/tmp/x"), path
    for path in ("/var/lib/dcm-agent", "/var/lib/dcm-jobs", "/root", "/home"):
        assert in_unit(guid, "ls", "-A", path).stdout == "", path
    assert not pathlib.Path("/tmp/x").exists(), "its /tmp is its own"
    silent_web.gate.set()
    assert reply_to(manager, guid)["message"] == "dcm\n\n"


def test_password_is_seen_nowhere(manager, silent_web):
    """Not in journal, unit, processes, D-Bus for others, the reply; the source has it."""
    guid = order_fetch(manager, silent_web.url(f"user:{SECRET}@", f"/script?{SECRET}"))
    wait_for(lambda: silent_web.requests, "the download")
    unit = fetch_unit(guid)
    assert SECRET in silent_web.requests[0] and "Authorization: Basic " in silent_web.requests[0]
    seen = [run("systemctl", "show", unit), run("systemctl", "cat", unit),
            run("dcm-agentctl", "requests", "--json"), run("systemctl", "status", unit, check=False)]
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ", "comm"):
            with contextlib.suppress(OSError):
                seen.append((process / name).read_bytes().decode(errors="replace"))
    for path in pathlib.Path("/run").rglob("*dcm-fetch*"):
        if path.is_file():
            seen.append(path.read_text())
    nobody = ["setpriv", "--reuid=nobody", "--clear-groups", "--", "busctl", "call", "org.dcmagent.Agent1",
              "/org/dcmagent/Agent1", "org.dcmagent.Agent1.Manager", "ListRequests", "u", "0"]
    seen.append(run(*nobody))
    silent_web.body = b"another"
    silent_web.gate.set()
    seen.append(json.dumps(reply_to(manager, guid)))
    run("journalctl", "--sync")
    seen.append(run("journalctl", "-o", "export", "--since=-1h"))
    assert guid in seen[-1] and not [text for text in seen if SECRET in text]


def test_fifo_does_not_hold_it_up(manager):
    path = pathlib.Path("/tmp/dcm-test-fifo-script")
    os.mkfifo(path)
    path.chmod(0o666)
    guid = order_fetch(manager, f"file://{path}")
    assert error_of(reply_to(manager, guid)) == f"The download failed: {path} is not a regular file"
    path.unlink()


# The executor's side


def call_fetch(guid, command="fetch_run", order_fd=None, content_fd=None, status_fd=None, **options):
    """Error name, or None."""
    read_end, write_end = os.pipe()
    fds = [os.memfd_create("o") if order_fd is None else order_fd,
           os.memfd_create("c") if content_fd is None else content_fd,
           write_end if status_fd is None else status_fd]
    arguments = GLib.Variant("(sshhha{sv})", (guid, command, 0, 1, 2, {
        k.replace("_", "-"): GLib.Variant("b" if isinstance(v, bool) else "s", v) for k, v in options.items()}))
    try:
        Gio.bus_get_sync(Gio.BusType.SYSTEM).call_with_unix_fd_list_sync(
            "org.dcmagent.Executor1", "/org/dcmagent/Executor1", "org.dcmagent.Executor1", "Fetch", arguments,
            None, Gio.DBusCallFlags.NONE, 60000, Gio.UnixFDList.new_from_array(
                [os.dup(fd) for fd in fds]), None)
        os.close(write_end)
        return None, os.fdopen(read_end).read()
    except GLib.Error as error:
        os.close(write_end)
        os.close(read_end)
        return Gio.DBusError.get_remote_error(error).rsplit(".", 1)[1], None


def test_executor_checks_the_call():
    assert call_fetch("fetch-1") == (None, "The order cannot be read: Bad message\n")
    assert call_fetch("fetch-1", "run_script")[0] == "UnknownCommand"
    assert call_fetch("fetch-1", "reboot")[0] == "UnknownCommand"
    assert call_fetch("a\nb")[0] == "InvalidArgument"
    assert call_fetch("fetch-1", what=True)[0] == "InvalidArgument"
    assert call_fetch("fetch-1", network="yes")[0] == "InvalidArgument"
    for name in ("order_fd", "content_fd", "status_fd"):
        for path, flags in (("/dev/zero", os.O_RDWR), ("/etc/passwd", os.O_RDONLY), ("/etc", os.O_RDONLY)):
            assert call_fetch("fetch-1", **{name: os.open(path, flags)})[0] == "InvalidArgument", (name, path)
    assert not (JOBS / "fetch-1").exists()


def test_without_the_network(web):
    """As the unit for a file: its loopback is not the machine's."""
    for network, status in ((True, "ok\n"), (False, f"127.0.0.1:{web.port}: no connection\n")):
        order_fd = os.memfd_create("order")
        os.write(order_fd, f"DCM_FETCH=1\nPATIENCE_USEC=5000000\nURL={web.url()}\n".encode())
        assert call_fetch(f"network-{network}", order_fd=order_fd, network=network) == (None, status)


def test_hostile_guids(manager, web):
    for guid in ("../../x", "%n $HOME \"'\u00e9\\ ;#", "x" * 1000, "-rf"):
        order_fetch(manager, web.url(), guid=guid)
        assert reply_to(manager, guid)["message"] == "dcm\n\n"


def test_policy(manager, web, policy):
    """It is asked before anything is downloaded."""
    where = "in /etc/dcm-agent/policy.conf.d/test.conf:2)"
    for text, arguments, rule in (
            ("[policy]\ndeny_commands = fetch_*\n", {}, "forbids it (deny_commands"),
            ("[policy]\nallow_scripts = no\n", {}, "forbids it (allow_scripts"),
            ("[policy]\nallow_root_scripts = no\n", {"runUnderSudo": True}, "forbids it (allow_root_scripts"),
            ("[policy]\nallow_users = root\n", {}, "forbids it (allow_users"),
            ("[limits]\nnetwork = no\n", {}, "forbids downloads (network")):
        policy.write_text(text)
        error = error_of(reply_to(manager, order_fetch(manager, web.url(), **arguments)))
        assert error == f"the policy of this machine {rule} {where}"
    pathlib.Path("/tmp/dcm-test-script").write_text(SCRIPT)
    guid = order_fetch(manager, "file:///tmp/dcm-test-script")
    assert reply_to(manager, guid)["message"] == "dcm\n\n", "a file needs no network"
    assert not web.requests
    policy.unlink()
    assert reply_to(manager, order_fetch(manager, web.url()))["message"] == "dcm\n\n"


# Scripts, whatever brings them


@pytest.fixture(params=["run_script", "fetch_run"])
def order_script(request, manager, web):
    """Orders a script by either command."""
    def order_one(text, **arguments):
        if request.param == "run_script":
            return order(manager, text, **arguments)
        web.body = text.encode()
        return order_fetch(manager, web.url(), text, **arguments)

    return order_one


def test_interpreter_of_the_first_line(manager, order_script):
    for line, body, output in (("#!/usr/bin/python3 -I", "import sys; print(sys.flags.isolated)", "1\n"),
                               ("#!/usr/bin/env python3", "print(1 + 1)", "2\n"),
                               ("#!/bin/bash -eu", "x=(a b); echo ${x[1]}", "b\n"),
                               ("#! /bin/cat", "itself", "#! /bin/cat\nitself\n")):
        reply = reply_to(manager, order_script(f"{line}\n{body}\n"))
        assert (reply["message"], reply["return_code"]) == (output, 0)


def test_without_an_interpreter(manager, order_script):
    """As the Python agent: the kernel does not know what to do with it."""
    for text, code in (("echo hello\n", 126), ("", 126), ("#!/no/such/program\n", 127)):
        reply = reply_to(manager, order_script(text))
        assert reply["return_code"] == code and "could not be started" in reply["error_message"]
        assert reply["message"] == ""


def test_hostile_arguments(manager, order_script):
    arguments = ["$HOME", "${HOME}", "$$", "$(id)", "`id`", "%h %%", "'\";|&<>", "back\\slash", "new\nline", "\u00e9",
                 "", "-x", "--", "--interpreter=sh", "@", "!", "*", "~", "a" * 60000, "\x01\x1b"]
    guid = order_script("#!/bin/bash\nprintf '%s\\1' \"$#\" \"$@\" | sha256sum\n", arguments=arguments)
    text = "".join(f"{a}\1" for a in [str(len(arguments)), *arguments])
    assert reply_to(manager, guid)["message"] == f"{sha256(text)}  -\n"


@contextlib.contextmanager
def noexec(*paths):
    mounted = []
    try:
        for path in paths:
            run("mount", "--bind", path, path)
            mounted.append(path)
            run("mount", "-o", "remount,bind,noexec,nosuid,nodev", path)
        run("systemctl", "stop", "dcm-agent-executor.service")
        yield
    finally:
        run("systemctl", "stop", "dcm-agent-executor.service")
        for path in mounted:
            run("umount", "-l", path)


def test_noexec_tmp_and_var(manager, order_script):
    with noexec("/tmp", "/var"):
        probe = pathlib.Path("/tmp/dcm-test-probe")
        probe.write_text("#!/bin/sh\n")
        probe.chmod(0o755)
        with pytest.raises(PermissionError):
            subprocess.run([probe])
        assert reply_to(manager, order_script("#!/bin/sh\necho $0\n"))["message"] == "/run/dcm-job/script\n"
        assert reply_to(manager, order_script("print(1)\n", inpython=True))["message"] == "1\n"
        assert reply_to(manager, order_script("#!/bin/sh\nid -u\n", runUnderSudo=True))["message"] == "0\n"
