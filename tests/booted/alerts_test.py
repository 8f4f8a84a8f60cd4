# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: the unit, without any privilege, reads the alert file through the group that owns it; the
journal says what to do where it may not; and nobody but root is told of alerts."""

import grp
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from agent_test import manager, run, wait_for  # noqa: F401

LOG = pathlib.Path("/var/ossec/logs/alerts/alerts.log")
CONF = pathlib.Path("/etc/dcm-agent/agent.conf.d/ids.conf")
DROP_IN = pathlib.Path("/etc/systemd/system/dcm-agent.service.d/ids.conf")


@pytest.fixture
def group():
    """As OSSEC's package makes it: what it writes is for its own group."""
    run("groupadd", "--system", "ossec")
    gid = grp.getgrnam("ossec").gr_gid
    LOG.parent.mkdir(parents=True)
    for path in (LOG.parent.parent, LOG.parent):
        path.chmod(0o750)
        os.chown(path, 0, gid)
    yield gid
    for path in (CONF, DROP_IN):
        path.unlink(missing_ok=True)
    run("systemctl", "daemon-reload")
    shutil.rmtree("/var/ossec")
    run("groupdel", "ossec")


def begin(gid):
    """A new file in the place of the one that may be there."""
    fresh = LOG.with_suffix(".new")
    fresh.touch(0o640)
    fresh.chmod(0o640)
    os.chown(fresh, 0, gid)
    if LOG.exists():
        LOG.rename(LOG.with_suffix(".1"))
    fresh.rename(LOG)


def write(n):
    with LOG.open("a") as f:
        f.write(f"** Alert 1795365577.{n}: - syslog,sshd,\n2026 Nov 22 00:00:00 host->/var/log/auth.log\n"
                f"Rule: 5716 (level 12) -> 'Failed {n}.'\nsample\n\n")


def subjects(manager):
    return [a["subject"] for a in manager.of_type("ALERT")]


def wait_alert(manager, subject):
    wait_for(lambda: subject in subjects(manager), f"the alert {subject}")
    for alert in manager.of_type("ALERT"):
        manager.send(type="ALERT_ACK", request_id=alert["request_id"])


def test_file_is_read_through_its_group(manager, group):
    begin(group)
    write(1)
    CONF.write_text("[intrusion_detection]\nossec = true\n")
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(2)
    wait_for(lambda: "SupplementaryGroups=ossec" in run("journalctl", "-u", "dcm-agent", "-o", "cat"), "what to do")
    assert "There are no alerts." in run("dcm-agentctl", "alerts") and subjects(manager) == []

    DROP_IN.parent.mkdir(exist_ok=True)
    DROP_IN.write_text("[Service]\nSupplementaryGroups=ossec\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "dcm-agent.service")
    wait_alert(manager, "Failed 1.")
    begin(group)
    write(2)
    wait_alert(manager, "Failed 2.")
    listed = run("dcm-agentctl", "alerts")
    assert len(listed.splitlines()) == 3 and re.search(r"Failed 1\.\n.*Failed 2\.\n", listed), listed
    done = subprocess.run(["runuser", "-u", "nobody", "--", "dcm-agentctl", "alerts"], capture_output=True, text=True)
    assert done.returncode == 4 and "Permission denied" in done.stderr and "Failed" not in done.stdout
