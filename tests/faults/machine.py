# SPDX-License-Identifier: Apache-2.0
"""The booted machine: units with the injector preloaded, and what systemd and the agent say."""

import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess

from gi.repository import Gio, GLib

from injector import Injector

RUN = pathlib.Path("/run/dcm-faults")
RAN = RUN / "ran"
HOOKS = RUN / "hooks"
SECRETS = pathlib.Path("/run/dcm-job-secrets")
ALERTS = RUN / "alerts.log"
CONF = pathlib.Path("/etc/dcm-agent/agent.conf.d/faults.conf")
JOBS = pathlib.Path("/var/lib/dcm-jobs")
STATE = pathlib.Path("/var/lib/dcm-agent")
UNITS = {"agent": "dcm-agent.service", "executor": "dcm-agent-executor.service"}
CALL_MSEC = 5000


def run(*command, check=True):
    return subprocess.run(
        command, check=check, capture_output=True, text=True, stdin=subprocess.DEVNULL
    ).stdout


# A command of files, with a secret and hooks of the site. Who was run, of a request, is in HOOKS.
SITE = {
    "commands.d/hooked.conf": "[command]\nhelp = x\n[argument mode]\n[argument key]\nsecret = yes\n",
    "scripts/hooked.pre": f"""#!/bin/sh
echo pre >>{HOOKS}/$DCM_REQUEST_ID
case $1 in fail) exit 9 ;; hang) echo waiting && exec sleep 1000 ;; esac
""",
    "scripts/hooked": f"""#!/bin/sh
read -r v </proc/sys/kernel/random/uuid
echo "$v" >>{RAN}/$DCM_REQUEST_ID
echo "$v"
cat "$2"
""",
    "scripts/hooked.post": f"""#!/bin/sh
echo post $DCM_STATUS >>{HOOKS}/$DCM_REQUEST_ID
[ "$1" != late ] || exit 8
""",
}


def write_site():
    for directory in (RAN, HOOKS):
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o1777)
    for name, text in SITE.items():
        path = pathlib.Path("/etc/dcm-agent") / name
        path.write_text(text)
        path.chmod(0o755)


class Machine:
    def __init__(self, url, library, workers):
        run("systemctl", "stop", *UNITS.values())
        shutil.rmtree(STATE, ignore_errors=True)
        write_site()
        ALERTS.touch()
        preload = shutil.copy(library, RUN)
        self.injectors = {}
        for target, unit in UNITS.items():
            self.injectors[target] = Injector(RUN / target)
            dropin = pathlib.Path(f"/run/systemd/system/{unit}.d/faults.conf")
            dropin.parent.mkdir(parents=True, exist_ok=True)
            dropin.write_text(
                f"[Service]\nEnvironment=LD_PRELOAD={preload} DCM_FAULTS_CONTROL={RUN / target}\n"
                f"ReadWritePaths={RUN}\nRestartSec=20ms\n"
                # what was not released is found when it is idle: soon
                + ("ExecStart=\nExecStart=/usr/lib/dcm-agent/dcm-executord --idle-sec=2\n"
                   if target == "executor" else "")
            )
        CONF.write_text(
            f"[connection]\nagentmanager_url = {url}\nbackoff = 20\nmax_backoff = 200\n"
            f"[messaging]\nretransmission_timeout = 0.3\n[workers]\ncount = {workers}\n"
            # output is dropped as soon as the reply is stored, so that this too is hit at each step
            "[jobs]\noutput_budget = 1\n"
            f"[intrusion_detection]\nossec = yes\nalert_file = {ALERTS}\n"
        )
        run("systemctl", "daemon-reload")
        self.bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
        self.start()

    def start(self):
        run("systemctl", "start", UNITS["agent"])

    def stop(self):
        run("systemctl", "stop", *UNITS.values())

    def _call(self, name, path, interface, method, arguments, reply):
        try:
            return self.bus.call_sync(
                name, path, interface, method, arguments, GLib.VariantType(reply),
                Gio.DBusCallFlags.NO_AUTO_START, CALL_MSEC,
            ).unpack()
        except GLib.Error:  # it may be dead at the moment: that is the point
            return None

    def states(self, limit):
        """GUID and state of the newest requests; empty when the agent is away."""
        answer = self._call(
            "org.dcmagent.Agent1", "/org/dcmagent/Agent1", "org.dcmagent.Agent1.Manager",
            "ListRequests", GLib.Variant("(u)", (limit,)), "(a(sssttti))",
        )
        return {row[0]: row[2] for row in answer[0]} if answer else {}

    def job_units(self):
        answer = self._call(
            "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager", "ListUnitsByPatterns",
            GLib.Variant("(asas)", ([], ["dcm-job-*"])), "(a(ssssssouso))",
        )
        return {unit[0]: f"{unit[3]}/{unit[4]}" for unit in answer[0]} if answer else {}

    def is_connected(self):
        answer = self._call(
            "org.dcmagent.Agent1", "/org/dcmagent/Agent1", "org.freedesktop.DBus.Properties", "Get",
            GLib.Variant("(ss)", ("org.dcmagent.Agent1.Manager", "State")), "(v)",
        )
        return bool(answer) and answer[0] == "connected"

    def kept_output(self):
        return [path.parent.name for path in JOBS.glob("*/stdout")]

    def database_problems(self):
        """Only while the agent is stopped. Of a copy: opening makes files, not the agent's."""
        problems = [p.name for p in STATE.glob("*damaged*")]
        copy = RUN / "copy"
        shutil.copytree(STATE, copy)
        for path in copy.glob("*.db"):
            with contextlib.closing(sqlite3.connect(path)) as db:
                problems += [row[0] for row in db.execute("PRAGMA integrity_check")]
        shutil.rmtree(copy)
        return [p for p in problems if p != "ok"]


def journal(guid, lines=25):
    return run(
        "journalctl", "--no-pager", "-o", "short-precise", f"DCM_REQUEST_ID={guid}",
        f"-n{lines}", check=False,
    )


def library():
    build = os.environ.get("DCM_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")
    return pathlib.Path(build) / "tests/faults/faults-inject.so"
