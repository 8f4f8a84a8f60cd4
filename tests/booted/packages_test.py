# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: the commands about packages as jobs, with a real apt, an empty package database and a local
signed repository. What they do in detail is in tests/component/test_packages.py; here are the job around them, its
sandbox, its progress, and the signals of a cancellation."""

import os
import pathlib
import re
import shutil
import subprocess
import uuid

import pytest

from agent_test import describe, manager, reply_to, run, show, unit_of, wait_for, wait_job  # noqa: F401
from package_root import AptRoot

POLICY = pathlib.Path("/etc/dcm-agent/policy.conf.d/test.conf")
LIBRARY = "usr/lib/dcm-test/libold.so"
SERVICE = f"""[Service]
Type=notify
ExecStart=/usr/bin/python3 -c "import ctypes, signal, socket, os; ctypes.CDLL('/{LIBRARY}'); \\
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', os.environ['NOTIFY_SOCKET']); signal.pause()"
"""
HIDDEN = ("/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt", "/etc/apt", "/var/log/apt")
SRV = ("build", "main", "old", "gnupg-good", "pipe", "began", "ended")


class Machine(AptRoot):
    """The machine itself, with a package database and repositories that are empty at first."""

    def __init__(self):
        self.root = pathlib.Path("/")
        for path in HIDDEN:
            pathlib.Path(path).mkdir(parents=True, exist_ok=True)
            run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path)
        for path in ("dpkg/info", "dpkg/updates", "dpkg/triggers", "dpkg/parts", "apt/lists/partial"):
            pathlib.Path("/var/lib", path).mkdir(parents=True)
        for path in ("/var/cache/apt/archives/partial", "/etc/apt/sources.list.d", "/etc/apt/apt.conf.d", "/srv/build"):
            pathlib.Path(path).mkdir(parents=True)
        pathlib.Path("/var/lib/dpkg/status").touch()
        pathlib.Path("/etc/apt/apt.conf.d/test").write_text('APT::Sandbox::User "root";\n')
        self.architecture = run("dpkg", "--print-architecture").strip()

    def argv(self, *command):
        return [*command]

    def close(self):
        self.call("gpgconf", "--homedir", "/srv/gnupg-good", "--kill", "gpg-agent", check=False)
        for path in HIDDEN:
            run("umount", "--lazy", path)
        for name in SRV:
            path = pathlib.Path("/srv", name)
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def machine():
    m = Machine()
    try:
        m.key = m.make_key("good")
        m.build("main", "plain", "1.0")
        m.build("main", "lasting", "1.0", postinst="touch /srv/began; cat /srv/pipe >/dev/null; touch /srv/ended")
        m.publish("main", "Main")
        yield m
    finally:
        m.close()


def order(manager, command, **arguments):
    guid = str(uuid.uuid4())
    manager.request(guid, command, arguments)
    reply = reply_to(manager, guid)
    assert reply["reply_type"] == "job_description", reply
    return guid, reply["reply_object"]["job_id"]


def do(manager, command, **arguments):
    """A long runner, to its end: the reply of the command."""
    _, job = order(manager, command, **arguments)
    return wait_job(manager, job, "COMPLETE", "ERROR")["command_reply"]


def ask(manager, command, **arguments):
    guid = str(uuid.uuid4())
    manager.request(guid, command, arguments)
    return reply_to(manager, guid)


def test_packages_as_jobs(manager, machine):
    added = do(manager, "add_repository", name="main", uri="file:/srv/main", suite="./", key=machine.key)
    assert added["return_code"] == 0 and added["reply_object"]["changed"] is True, added
    planned = do(manager, "install_packages", packages=["plain"], dry_run=True)
    assert planned["return_code"] == 0 and machine.versions() == {}, planned
    done = do(manager, "install_packages", packages=["plain"])
    assert done["return_code"] == 0 and done["reply_type"] == "package_changes", done
    assert [(c["name"], c["from"], c["to"]) for c in done["reply_object"]["changes"]] == [("plain", None, "1.0")]
    listed = ask(manager, "list_packages", packages=["p*"])
    assert [p["name"] for p in listed["reply_object"]] == ["plain"], listed
    assert ask(manager, "reboot_required")["reply_object"]["running_kernel"] == os.uname().release
    assert do(manager, "list_updates")["reply_object"] == []
    held = do(manager, "hold_packages", packages=["plain"])
    assert held["reply_object"]["held"] == ["plain"], held
    assert do(manager, "update_packages")["reply_object"]["changes"] == []
    gone = do(manager, "remove_packages", packages=["plain"])
    assert gone["return_code"] == 1, "it is held"
    do(manager, "hold_packages", packages=["plain"], hold=False)
    gone = do(manager, "remove_packages", packages=["plain"])
    assert gone["return_code"] == 0 and machine.versions() == {}, gone


def begin_lasting(manager, way):
    """A job in the script of a package that has just been asked to end."""
    for seconds in (20, 80, 320):  # a machine may be too slow for one of them
        if way == "time limit":
            POLICY.parent.mkdir(exist_ok=True)
            POLICY.write_text(f"[limits]\ntimeout = {seconds}\n")
        guid, job = order(manager, "install_packages", packages=["lasting", "plain"])
        wait_for(lambda: os.path.exists("/srv/began") or describe(manager, job)["job_status"] != "RUNNING", "the script", 400)
        POLICY.unlink(missing_ok=True)
        if os.path.exists("/srv/began"):
            break
    if way == "cancel":
        manager.send(type="CANCEL", request_id=guid)
    return guid, job


@pytest.mark.parametrize("way", ["cancel", "time limit"])
def test_a_job_that_must_end_leaves_the_database_in_order(manager, machine, way):
    """systemd asks dcm-run alone to end; apt-get gets SIGINT, dpkg and the script of the package get nothing. The
    script takes longer than a job without finish_time would have."""
    do(manager, "add_repository", name="main", uri="file:/srv/main", suite="./", key=machine.key)
    os.mkfifo("/srv/pipe")
    guid, job = begin_lasting(manager, way)
    with open("/srv/pipe", "w"):  # waits for the script of the package
        assert (show(unit_of(guid), "KillMode"), show(unit_of(guid), "TimeoutStopUSec")) == ("mixed", "30min")
        error = pathlib.Path("/var/lib/dcm-jobs", guid, "stderr")
        wait_for(lambda: "what is under way is waited for" in error.read_text(errors="replace"), "the signal", 400)
        # longer than a job has that is cancelled and does not end: the executor would kill it within this time
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run(["tail", "--follow=name", "--pid", show(unit_of(guid), "MainPID"), "/dev/null"], timeout=20)
    wait_job(manager, job, "ERROR", "COMPLETE")
    assert pathlib.Path("/srv/ended").exists()
    assert not run("dpkg", "--audit") and not os.listdir("/var/lib/dpkg/updates")
    assert "lasting" in machine.versions()
    for name in ("pipe", "began", "ended"):
        os.unlink(f"/srv/{name}")
    again = do(manager, "install_packages", packages=["plain"], lock_timeout=0)
    assert again["return_code"] == 0 and "repaired" not in again["message"], again
    do(manager, "remove_packages", packages=["lasting", "plain"])


def library_of(service):
    """The process of a service, and which library of the test it has."""
    pid = show(service, "MainPID")
    return pid, re.findall(f"/{LIBRARY}.*", pathlib.Path(f"/proc/{pid}/maps").read_text())[:1]


def test_services_with_old_libraries_are_restarted(manager, machine):
    """One of the agent's own kind is only told; one that does not use the library is left alone."""
    for version in ("1", "2"):
        path = pathlib.Path("/srv/build", f"library-{version}.so")
        subprocess.run(["gcc", "-shared", "-o", path, "-x", "c", "-"], input=f"int version(void) {{ return {version}; }}",
                       text=True, check=True)
        machine.build("old", "library", version, files={LIBRARY: path.read_bytes()})
    machine.publish("old", "Old")
    for name, text in (("old", SERVICE), ("dcm-old", SERVICE), ("other", "[Service]\nExecStart=/usr/bin/sleep infinity\n")):
        pathlib.Path(f"/run/systemd/system/{name}.service").write_text(text)
    run("systemctl", "daemon-reload")
    do(manager, "add_repository", name="old", uri="file:/srv/old", suite="./", key=machine.key)
    assert do(manager, "install_packages", packages=["library=1"])["return_code"] == 0
    run("systemctl", "start", "old", "dcm-old", "other")
    before = {name: library_of(name) for name in ("old", "dcm-old", "other")}
    done = do(manager, "update_packages", packages=["library"])
    assert {"old.service", "dcm-old.service"} <= set(done["reply_object"]["services"]), done
    assert "other.service" not in done["reply_object"]["services"] and "restarted" not in done["reply_object"]
    stale = [f"/{LIBRARY} (deleted)"]
    assert library_of("old") == (before["old"][0], stale), "without restart_services it is only told"
    done = do(manager, "install_packages", packages=["library=1"], allow_downgrade=True, restart_services=True)
    assert "old.service" in done["reply_object"]["restarted"] and "dcm-old.service" not in done["reply_object"]["restarted"], done
    pid, library = library_of("old")
    assert pid != before["old"][0] and library == [f"/{LIBRARY}"]
    assert library_of("dcm-old") == (before["dcm-old"][0], stale) and library_of("other") == before["other"]
    run("systemctl", "stop", "old", "dcm-old", "other")
