# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: the commands about packages as jobs, with a real apt, an empty package database and a local
signed repository. What they do in detail is in tests/component/test_packages.py; here are the job around them, its
sandbox, its progress, and the signals of a cancellation."""

import os
import pathlib
import shutil
import subprocess
import uuid

import pytest

from agent_test import describe, manager, reply_to, run, show, unit_of, wait_for, wait_job  # noqa: F401
from package_root import AptRoot

HIDDEN = ("/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt", "/etc/apt", "/var/log/apt")
SRV = ("build", "main", "gnupg-good", "pipe", "began", "ended")


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


def test_a_cancelled_job_leaves_the_database_in_order(manager, machine):
    """systemd asks dcm-run alone to end; apt-get gets SIGINT, dpkg and the script of the package get nothing. The
    script takes longer than a job without finish_time would have."""
    do(manager, "add_repository", name="main", uri="file:/srv/main", suite="./", key=machine.key)
    os.mkfifo("/srv/pipe")
    guid, job = order(manager, "install_packages", packages=["lasting", "plain"])
    with open("/srv/pipe", "w"):  # waits for the script of the package
        assert (show(unit_of(guid), "KillMode"), show(unit_of(guid), "TimeoutStopUSec")) == ("mixed", "30min")
        manager.send(type="CANCEL", request_id=guid)
        error = pathlib.Path("/var/lib/dcm-jobs", guid, "stderr")
        wait_for(lambda: "what is under way is waited for" in error.read_text(errors="replace"), "the signal")
        # longer than a job has that is cancelled and does not end: the executor would kill it within this time
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run(["tail", "--follow=name", "--pid", show(unit_of(guid), "MainPID"), "/dev/null"], timeout=20)
    wait_job(manager, job, "ERROR", "COMPLETE")
    assert pathlib.Path("/srv/ended").exists()
    assert not run("dpkg", "--audit") and not os.listdir("/var/lib/dpkg/updates")
    assert "lasting" in machine.versions()
    os.unlink("/srv/pipe")
    again = do(manager, "install_packages", packages=["plain"], lock_timeout=0)
    assert again["return_code"] == 0 and "repaired" not in again["message"], again
