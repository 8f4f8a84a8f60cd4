# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: dcm-agentctl report collects what helps, and no secret."""

import os
import pathlib
import shutil
import stat
import subprocess
import tarfile

from agent_test import CONF, manager, order, reply_to, run  # noqa: F401

TOKEN = pathlib.Path("/var/lib/dcm-agent/token")
ENROLMENT = pathlib.Path("/etc/dcm-agent/agent.conf.d/enrolment.conf")
OTHER = pathlib.Path("/etc/dcm-agent/other-token")
DROP_IN = pathlib.Path("/run/systemd/system/dcm-agent.service.d/proxy.conf")
MEMBERS = {"00-contents.txt", "backups.txt", "commands.txt", "config-check.txt", "config.txt", "database.txt", "doctor.txt",
           "files.txt", "jobs.txt", "journal-agent.txt", "journal-jobs.txt", "journal-manager.txt", "requests.txt",
           "statistics.txt", "status.json", "status.txt", "system.txt", "units-status.txt", "units.txt", "users.txt"}


def report(path, *before):
    return subprocess.run([*before, "dcm-agentctl", "report", str(path)], capture_output=True, text=True)


def members(path):
    with tarfile.open(path) as archive:
        found = {pathlib.Path(member.name).name: archive.extractfile(member).read() for member in archive if member.isfile()}
        assert all(member.isfile() or member.isdir() for member in archive)
    return found


def test_report(manager, tmp_path):
    DROP_IN.parent.mkdir(exist_ok=True)
    DROP_IN.write_text("[Service]\nEnvironment=https_proxy=http://user:canary-proxy@127.0.0.1:1\n")
    run("systemctl", "daemon-reload")
    ENROLMENT.write_text("[connection]\nenrolment_token = canary-enrolment\nenrolment_token_file = /etc/dcm-agent/other-token\n")
    OTHER.write_text("canary-other\n")
    for path in (ENROLMENT, OTHER):
        shutil.chown(path, group="dcm-agent")
        path.chmod(0o640)
    try:
        # what a job of root logs is in its journal, if the process that has written it lives until the journal asks who it is
        guid = order(manager, "#!/bin/sh\n# canary-script\necho canary-output\nsystemd-cat sh -c '\n"
                     "read -r token </var/lib/dcm-agent/token; echo \"$token\"; cat /etc/dcm-agent/other-token\n"
                     "echo canary-enrolment; echo marked-line\n"
                     "until journalctl -q | grep -q marked-line; do sleep 0.1; done'\n", runUnderSudo=True)
        assert reply_to(manager, guid)["return_code"] == 0
        path = tmp_path / "report.tar.gz"
        done = report(path)
    finally:
        DROP_IN.unlink()
        ENROLMENT.unlink()
        OTHER.unlink()
        run("systemctl", "daemon-reload")
    assert done.returncode == 0, done.stderr
    found = members(path)
    assert found.keys() == MEMBERS and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert MEMBERS - {"00-contents.txt"} == {line.split()[1] for line in found["00-contents.txt"].decode().splitlines()}
    assert all(name in done.stdout for name in MEMBERS - {"00-contents.txt"}) and str(path) in done.stdout
    everything = b"".join(found.values())
    for secret in (TOKEN.read_bytes().strip(), b"canary-"):
        assert secret not in everything
    assert not [name for name, data in found.items() if b"[exit status" in data and name not in ("doctor.txt", "units-status.txt")]
    assert guid.encode() in found["requests.txt"] and guid.encode() in found["journal-agent.txt"]
    assert b"marked-line" in found["journal-jobs.txt"] and b"[masked]" in found["journal-jobs.txt"]
    assert b"CREATE TABLE" in found["database.txt"] and b" rows" in found["database.txt"]
    assert CONF.name.encode() in found["files.txt"]


def test_report_is_bounded(manager, tmp_path):
    guid = order(manager, "#!/bin/sh\nhead -c 9000000 /dev/zero | tr '\\0' x | fold -w 2000 | systemd-cat\n")
    assert reply_to(manager, guid)["return_code"] == 0
    path = tmp_path / "report.tar.gz"
    assert report(path).returncode == 0
    assert (4 << 20) <= len(members(path)["journal-jobs.txt"]) < (4 << 20) + 1000


def test_report_refuses(tmp_path):
    path = tmp_path / "report.tar.gz"
    path.symlink_to("/etc/shadow")
    shadow = pathlib.Path("/etc/shadow").read_bytes()
    done = report(path)
    assert done.returncode == 1 and "exists; name another file" in done.stderr
    assert pathlib.Path("/etc/shadow").read_bytes() == shadow
    done = report(tmp_path / "none/report")
    assert done.returncode == 1 and "there is no directory" in done.stderr
    os.chmod(tmp_path, 0o777)
    done = report(tmp_path / "mine", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert done.returncode == 4 and "only root" in done.stderr and not (tmp_path / "mine").exists()
