# SPDX-License-Identifier: Apache-2.0
"""What is said on the system bus, in a file."""

import contextlib
import subprocess

from agent_test import run, wait_for

PROBE = "org.dcmagent.Probe"


@contextlib.contextmanager
def bus_in(file, *matches):
    """Everything, or what fits one of the matches, from now until the end of the block. Not each version of busctl says
    that it has begun: so signals of our own are sent until one is there."""
    if matches:
        matches = *matches, f"interface='{PROBE}'"
    with file.open("wb") as f, subprocess.Popen(["busctl", "monitor", *(f"--match={m}" for m in matches)],
                                                stdout=f, stderr=subprocess.STDOUT) as monitor:
        try:
            def is_heard():
                run("busctl", "emit", "/", PROBE, "Ping")
                return PROBE.encode() in file.read_bytes()

            wait_for(is_heard, "busctl")
            yield
        finally:
            monitor.terminate()
