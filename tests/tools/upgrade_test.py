# SPDX-License-Identifier: Apache-2.0
"""In a machine without dcm-agent: its packages are upgraded from a signed repository, and come back when a version does not
work. Environment: DCM_PACKAGES, deb or rpm, and DCM_VERSIONS: the installed one, one that ends at once, one that changes the
database and ends, and a good one, which is the latest. /run/share has the packages, and the repository."""

import json
import os
import pathlib
import random
import shutil
import subprocess

import pytest

from packages_test import DEADLINE, KIND, SHARE, agent_ids, install, order, run, show, wait_for

OLD, BROKEN, SCHEMA, GOOD = os.environ["DCM_VERSIONS"].split()
DIRECTORY = pathlib.Path("/var/lib/dcm-upgrade")
UNIT = "dcm-agent-upgrade.service"
REPOSITORY = SHARE / "repository" / KIND
SOURCE = pathlib.Path({"deb": "/etc/apt/sources.list.d/dcm-agent.sources", "rpm": "/etc/yum.repos.d/dcm-agent.repo"}[KIND])
TEXT = {"deb": "Types: deb\nURIs: file:{}\nSuites: stable\nComponents: main\nSigned-By: {}/dcm-agent.asc\n",
        "rpm": "[dcm-agent]\nname=dcm-agent\nbaseurl=file://{}\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://{}/dcm-agent.asc\n"}[KIND]


def version():
    if KIND == "deb":
        return run("dpkg-query", "--show", "--showformat=${Version}", "dcm-agent")
    return run("rpm", "--query", "--queryformat", "%{VERSION}", "dcm-agent")


def named(version):
    """As messages have it: with rpm also the release."""
    return version if KIND == "deb" else version + "-" + run("rpm", "--query", "--queryformat", "%{RELEASE}", "dcm-agent")


def use(repository):
    SOURCE.write_text(TEXT.format(repository, repository))


def upgrade(*arguments, status=0):
    done = subprocess.run(["dcm-agentctl", "upgrade", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, done.stdout
    assert not pathlib.Path(f"/etc/systemd/system/{UNIT}").exists()
    return done.stdout


def ordered(*arguments):
    """The reply to upgrade_agent."""
    return json.loads(run("dcm-manager", "run", *agent_ids(), "upgrade_agent", *(f"--arg={a}" for a in arguments),
                          "--wait", "--json", check=False))


@pytest.fixture(scope="module")
def job():
    """A job that runs through everything."""
    if KIND == "deb":
        shutil.rmtree("/etc/apt/sources.list.d")
        SOURCE.parent.mkdir()
        pathlib.Path("/etc/apt/sources.list").write_text("")
    else:
        pathlib.Path("/etc/dnf/vars").mkdir(parents=True, exist_ok=True)
        pathlib.Path("/etc/dnf/vars/releasever").write_text("1")
        SOURCE.parent.mkdir(parents=True, exist_ok=True)
        for path in SOURCE.parent.glob("*.repo"):
            path.unlink()
        run("rpm", "--import", str(REPOSITORY / "dcm-agent.asc"))
    use(REPOSITORY)
    install(SHARE, "dcm-agent", *(["dcm-agent-l10n"] if KIND == "deb" else []), "dcm-manager")
    pathlib.Path("/etc/dcm-agent/agent.conf.d/site.conf").write_text(
        "[connection]\nagentmanager_url = ws://localhost:8443/\nbackoff = 20\nmax_backoff = 200\n")
    drop_in = pathlib.Path("/etc/systemd/system/dcm-manager.service.d/test.conf")
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nExecStart=\nExecStart=/usr/bin/dcm-manager serve --no-tls --enrolment open\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "--now", "dcm-manager.socket", "dcm-agent.service")
    run("dcm-manager", "wait-agent", "--timeout", str(DEADLINE))
    guid = order("#!/bin/sh\necho begun\nuntil [ -e /tmp/gate ]; do sleep 0.1; done\necho ended\n").strip()
    unit = f"dcm-job-{guid}.service"
    wait_for(lambda: show(unit, "ActiveState") == "active", "the job")
    return guid, show(unit, "MainPID")


def still_runs(job):
    return show(f"dcm-job-{job[0]}.service", "MainPID") == job[1]


def test_the_same_version_changes_nothing(job):
    pid = show("dcm-agent.service", "MainPID")
    assert "nothing was changed" in upgrade(OLD)
    assert f"would be upgraded from version {named(OLD)}" in upgrade("--dry-run", BROKEN)
    assert show("dcm-agent.service", "MainPID") == pid and not DIRECTORY.exists()


def test_what_is_not_there(job):
    assert "cannot be fetched from the repositories; nothing was changed" in upgrade("9.9.9", status=1)
    assert "is not a version" in upgrade("; true", status=2)
    assert version() == OLD and still_runs(job)


def test_a_version_that_ends_at_once(job):
    done = ordered(f"version={BROKEN}", "limit:=10")
    assert done["return_code"] == 1 and f"Version {named(OLD)} is installed again and works" in done["error_message"], done
    assert version() == OLD and still_runs(job) and show("dcm-agent.service", "ActiveState") == "active"


def test_a_version_that_changes_the_database(job):
    said = upgrade("--limit=10", SCHEMA, status=1)
    assert "is installed again and works" in said
    assert "the copy from before the upgrade replaces it" in run("journalctl", "--no-pager", "--unit", UNIT)
    assert version() == OLD and still_runs(job)
    assert job[0] in run("dcm-agentctl", "requests", "--all", "--full")


def test_without_the_present_version_in_the_repository(job):
    other = pathlib.Path("/srv/repository")  # where apt, too, may read
    shutil.copytree(SHARE / "without-old" / KIND, other)
    use(other)
    assert "there would be no way back" in upgrade(status=1)
    assert version() == OLD
    use(REPOSITORY)


def test_a_repository_that_is_not_signed(job):
    if KIND == "deb":
        SOURCE.write_text(SOURCE.read_text() + "Trusted: yes\n")
        assert "trusts the repository of dcm-agent without a signature" in upgrade(status=1)
    else:
        key = run("rpm", "--query", "--queryformat", "%{VERSION}-%{RELEASE}", "gpg-pubkey")
        run("rpm", "--erase", f"gpg-pubkey-{key}")
        SOURCE.write_text(SOURCE.read_text().replace("gpgcheck=1", "gpgcheck=0"))
        assert "has no signature by a key that rpm knows" in upgrade(status=1)
        run("rpm", "--import", str(REPOSITORY / "dcm-agent.asc"))
    assert version() == OLD and still_runs(job)
    use(REPOSITORY)


def test_the_upgrade_is_killed_and_goes_on(job):
    """As a power cut does, at a moment when the packages are being replaced."""
    command = subprocess.Popen(["dcm-agentctl", "upgrade"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: (DIRECTORY / "state").exists() and (DIRECTORY / "database").exists(), "the copy of the database")
    run("systemctl", "kill", "--signal=KILL", UNIT)
    said, _ = command.communicate(timeout=DEADLINE)
    assert command.returncode == 1 and "it goes on at the next boot" in said, said
    assert show(UNIT, "UnitFileState") == "enabled"
    run("systemctl", "start", UNIT)
    wait_for(lambda: show(UNIT, "ActiveState") == "inactive", "the end")
    assert (DIRECTORY / "state").read_text() == "upgraded\n"
    assert version() == GOOD and still_runs(job)
    assert not pathlib.Path(f"/etc/systemd/system/{UNIT}").exists()
    run("dcm-manager", "wait-agent", "--timeout", str(DEADLINE))


# Ends the program, with all that it has begun, before its command of that number.
KILL = """
if [[ $0 == */program && $1 == --work ]]; then
    dcm_test_n=0 dcm_test_at=$(</run/dcm-test-kill)
    set -T
    trap 'if ((++dcm_test_n == dcm_test_at)); then rm -f /run/dcm-test-kill; kill -KILL $$; fi' DEBUG
fi
"""


@pytest.fixture
def kill():
    """A function: the next upgrade is killed at a command; whether it came so far."""
    drop_in = pathlib.Path(f"/etc/systemd/system/{UNIT}.d/kill.conf")
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nEnvironment=BASH_ENV=/etc/dcm-test-kill.bash\n")
    pathlib.Path("/etc/dcm-test-kill.bash").write_text(KILL)
    at = pathlib.Path("/run/dcm-test-kill")

    def killed(n, target):
        at.write_text(str(n))
        done = subprocess.run(["dcm-agentctl", "upgrade", "--limit=10", target], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        was_killed = not at.exists()
        at.write_text("0")
        if was_killed and "it goes on at the next boot" in done.stdout:
            assert show("dcm-agent.service", "ActiveState") in ("active", "activating"), "it runs meanwhile"
            run("systemctl", "start", UNIT, check=False)
            wait_for(lambda: show(UNIT, "ActiveState") in ("inactive", "failed"), "the end")
        assert not pathlib.Path(f"/etc/systemd/system/{UNIT}").exists(), done.stdout
        return was_killed

    yield killed
    shutil.rmtree(drop_in.parent)
    at.unlink()
    run("systemctl", "daemon-reload")


@pytest.mark.parametrize("target, ends", [(GOOD, "upgraded"), (BROKEN, "restored")])
def test_the_upgrade_is_killed_at_each_command(job, kill, target, ends):
    """By chance at some of them, with DCM_FAULTS=full at every third one: it goes on, and ends as without."""
    steps = range(1, 1000, 3) if os.environ.get("DCM_FAULTS") == "full" else random.sample(range(1, 120), 2)
    for step in steps:
        if version() != OLD:
            upgrade(OLD)
        is_killed = kill(step, target)
        assert (DIRECTORY / "state").read_text() == f"{ends}\n", step
        assert version() == (target if ends == "upgraded" else OLD) and still_runs(job), step
        run("dcm-manager", "wait-agent", "--timeout", str(DEADLINE))
        if not is_killed:
            break


def test_the_disk_is_full(job):
    """When the package is unpacked, though there was room before: the former version stays."""
    if version() != OLD:
        upgrade(OLD)
    directory = pathlib.Path("/usr/lib/dcm-agent")
    copy = shutil.copytree(directory, "/tmp/dcm-agent-files", symlinks=True)
    size = int(run("du", "--summarize", "--block-size=1K", str(directory)).split()[0])
    run("mount", "-t", "tmpfs", "-o", f"size={size + 128}k,mode=0755", "tmpfs", str(directory))
    try:
        shutil.copytree(copy, directory, symlinks=True, dirs_exist_ok=True)
        said = upgrade("--limit=30", GOOD, status=1)
    finally:
        run("umount", "--lazy", str(directory))
        shutil.rmtree(copy)
    assert "it could not be installed" in said and f"Version {named(OLD)} is installed again and works" in said, said
    assert version() == OLD and still_runs(job)
    upgrade(GOOD)
    assert version() == GOOD and still_runs(job)


def test_a_downgrade_and_the_latest_by_order(job):
    assert f"upgraded from version {named(GOOD)}" in upgrade(OLD)
    assert version() == OLD
    done = ordered()
    assert done["return_code"] == 0 and version() == GOOD, done
    assert still_runs(job)
    pathlib.Path("/tmp/gate").touch()
    reply = wait_for(lambda: json.loads(run("dcm-manager", "show", job[0], "--json")).get("reply"), "the reply")
    assert reply["return_code"] == 0 and reply["message"] == "begun\nended\n"
    pathlib.Path("/tmp/gate").unlink()


def test_a_stopped_agent_stays_stopped(job):
    run("systemctl", "stop", "dcm-agent.service")
    upgrade(OLD)
    assert version() == OLD and show("dcm-agent.service", "ActiveState") == "inactive"
