# SPDX-License-Identifier: Apache-2.0
"""In a booted machine that says it is a Fedora: the commands about packages as jobs, with a real dnf, an empty package
database where RHEL has it, and a local signed repository: their sandbox, the job's signals, and logind's lock. What
they do in detail is in tests/component/test_packages_dnf.py."""

import os
import pathlib
import shutil

import pytest

from agent_test import manager, run, show, unit_of, wait_for, wait_job  # noqa: F401
from dnf_root import DnfRoot
from packages_test import ask, do, order

HIDDEN = ("/var/lib/dnf", "/var/cache/dnf", "/var/lib/rpm", "/etc/yum.repos.d", "/etc/pki/rpm-gpg")
SRV = ("build", "main", "gnupg-good", "pipe", "began", "ended")
MACROS = pathlib.Path("/etc/rpm/macros.dcm-test")
RELEASE = pathlib.Path("/run/dcm-test-os-release")
LOCAL = pathlib.Path("/etc/dnf/plugins/local.conf")

pytestmark = pytest.mark.skipif(not os.path.exists("/usr/bin/rpmbuild"), reason="needs dnf and rpmbuild")


class Machine(DnfRoot):
    """The machine itself, with a package database and repositories that are empty at first."""

    def __init__(self):
        self.root = pathlib.Path("/")
        for path in HIDDEN:
            pathlib.Path(path).mkdir(parents=True, exist_ok=True)
            run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path)
        pathlib.Path("/srv/build").mkdir(parents=True)
        MACROS.parent.mkdir(exist_ok=True)
        MACROS.write_text("%_dbpath /var/lib/rpm\n")
        RELEASE.write_text('NAME="Test"\nID=fedora\nVERSION_ID=1\n')
        run("mount", "--bind", str(RELEASE), os.path.realpath("/etc/os-release"))
        self.local = LOCAL.read_text()
        LOCAL.write_text("[main]\nenabled = 0\n")

    def argv(self, *command):
        return [*command]

    def close(self):
        self.call("gpgconf", "--homedir", "/srv/gnupg-good", "--kill", "gpg-agent", check=False)
        LOCAL.write_text(self.local)
        MACROS.unlink()
        for path in (*HIDDEN, os.path.realpath("/etc/os-release")):
            run("umount", "--lazy", path)
        for name in SRV:
            path = pathlib.Path("/srv", name)
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def machine():
    m = Machine()
    try:
        m.key = m.make_key("good")
        m.build("main", "base", "1.0", "Provides: /bin/sh")
        m.build("main", "plain", "1.0")
        m.build("main", "lasting", "1.0", post="touch /srv/began; cat /srv/pipe >/dev/null; touch /srv/ended")
        m.publish("main")
        yield m
    finally:
        m.close()


def test_packages_as_jobs(manager, machine):
    added = do(manager, "add_repository", name="main", uri="file:/srv/main", key=machine.key)
    assert added["return_code"] == 0 and added["reply_object"]["changed"] is True, added
    planned = do(manager, "install_packages", packages=["plain"], dry_run=True)
    assert planned["return_code"] == 0 and machine.versions() == {}, planned
    done = do(manager, "install_packages", packages=["plain", "base"])
    assert done["return_code"] == 0 and done["reply_type"] == "package_changes", done
    assert {(c["name"], c["from"], c["to"]) for c in done["reply_object"]["changes"]} == {
        ("plain", None, "1.0-1"), ("base", None, "1.0-1")}
    listed = ask(manager, "list_packages", packages=["p*"])
    assert [p["name"] for p in listed["reply_object"]] == ["plain"], listed
    assert ask(manager, "reboot_required")["reply_object"]["required"] is False
    assert do(manager, "list_updates")["reply_object"] == []
    held = do(manager, "hold_packages", packages=["plain"])
    assert held["reply_object"]["held"] == ["plain"], held
    assert ask(manager, "list_packages", packages=["plain"])["reply_object"][0]["held"] is True
    assert do(manager, "update_packages")["reply_object"]["changes"] == []
    do(manager, "hold_packages", packages=["plain"], hold=False)
    gone = do(manager, "remove_packages", packages=["plain"])
    assert gone["return_code"] == 0 and machine.versions() == {"base": "1.0-1"}, gone


def test_a_cancelled_job_completes_the_transaction(manager, machine):
    """systemd asks dcm-run alone to end; dnf, rpm and the script of the package get nothing. logind holds off a
    shutdown meanwhile."""
    do(manager, "add_repository", name="main", uri="file:/srv/main", key=machine.key)
    os.mkfifo("/srv/pipe")
    guid, job = order(manager, "install_packages", packages=["lasting", "plain", "base"])
    with open("/srv/pipe", "w"):  # waits for the script of the package
        assert show(unit_of(guid), "KillMode") == "mixed"
        assert "Packages are changed" in run("systemd-inhibit", "--list", "--no-pager")
        manager.send(type="CANCEL", request_id=guid)
        error = pathlib.Path("/var/lib/dcm-jobs", guid, "stderr")
        wait_for(lambda: "what is under way is waited for" in error.read_text(errors="replace"), "the signal")
    wait_job(manager, job, "ERROR", "COMPLETE")
    assert pathlib.Path("/srv/ended").exists() and {"lasting", "plain"} <= machine.versions().keys()
    os.unlink("/srv/pipe")
    again = do(manager, "remove_packages", packages=["lasting"], lock_timeout=0)
    assert again["return_code"] == 0 and "repaired" not in again["message"], again
