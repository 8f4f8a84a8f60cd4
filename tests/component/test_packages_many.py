# SPDX-License-Identifier: Apache-2.0
"""dcm-package installs many packages, with a real apt and a real dnf: its memory stays flat, and progress only grows.
20 packages; 200 with DCM_FAULTS=full."""

import os
import re

import pytest

from dnf_root import DnfRoot
from package_root import AptRoot

N = 200 if os.environ.get("DCM_FAULTS") == "full" else 20
NAMES = [f"many-{i:03}" for i in range(N)]
GROWTH_KB = 4096  # the lists before and after, the plan and the reply

pytestmark = pytest.mark.skipif(os.getuid() != 0 or not all(map(os.path.exists, (
    "/usr/bin/dpkg-scanpackages", "/usr/bin/dnf-3", "/usr/bin/rpmbuild"))), reason="needs root, apt, dnf and rpmbuild")


def apt_root(directory):
    root = AptRoot(directory)
    root.key = root.make_key("good")
    for name in NAMES:
        root.build("main", name, "1.0")
    root.publish("main", "Main")
    root.good("add-repository", {"name": "main", "uri": "file:/srv/main", "suite": "./", "key": root.key})
    return root


def dnf_root(directory):
    root = DnfRoot(directory)
    root.key = root.make_key("good")
    root.build_many("main", NAMES, "1.0")
    root.publish("main")
    root.good("add-repository", {"name": "main", "uri": "file:/srv/main", "key": root.key})
    return root


def read_peak(process):
    """The most memory so far, in KiB; the process is dcm-package itself, as nsenter and chroot execute it."""
    with open(f"/proc/{process.pid}/status") as file:
        return int(re.search(r"VmHWM:\s*(\d+)", file.read()).group(1))


@pytest.mark.parametrize("make", [apt_root, dnf_root])
def test_many(make, tmp_path):
    root = make(str(tmp_path))
    try:
        process = root.start("install", {"packages": NAMES})
        told, peaks = [], []
        for line in process.stderr:
            if line[3:6] == " % " and not line.startswith("100"):
                told.append(int(line[:3]))
                peaks.append(read_peak(process))
        reply = root.end(process)
        assert {c["name"] for c in reply["reply_object"]["changes"]} == set(NAMES) == root.versions().keys(), reply
        assert len(told) >= N and told == sorted(told)
        assert peaks[-1] - peaks[0] < GROWTH_KB, peaks
        gone = root.good("remove", {"packages": NAMES})
        assert len(gone["reply_object"]["changes"]) == N and root.versions() == {}
    finally:
        root.close()
