# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: reboot_server, as far as the machine stays; tests/vm/test-reboot reboots one."""

import contextlib
import pathlib
import shutil
import subprocess
import time
import uuid

from agent_test import manager, reply_to, run, show, unit_of, wait_begun, wait_for  # noqa: F401
from commands_test import add, load, nothing_is_left, order  # noqa: F401
from harness import BUILD


def order_reboot(manager, **arguments):
    guid = str(uuid.uuid4())
    manager.request(guid, "reboot_server", {"reason": "a kernel", **arguments}, longer_runner=False)
    return guid


def announced():
    """When the server is to be rebooted, in seconds of the wall clock; None: no reboot is announced."""
    _, kind, usec = run("busctl", "get-property", "org.freedesktop.login1", "/org/freedesktop/login1",
                        "org.freedesktop.login1.Manager", "ScheduledShutdown").split()
    return int(usec) / 1e6 if kind == '"reboot"' else None


def is_announced():
    return announced() is not None


def wait_announced(manager, guid):
    wait_for(lambda: is_announced() or manager.of_type("REPLY", guid), "the announcement")
    assert is_announced(), manager.of_type("REPLY", guid)


def test_reboot_that_does_not_come(manager):
    """A dry run, a program that forbids it, a cancellation by the manager, and one by an administrator."""
    reply = reply_to(manager, order_reboot(manager, dry_run=True, delay=5))
    assert reply["return_code"] == 0 and "in 5 seconds" in reply["message"], reply
    inhibitor = subprocess.Popen(["systemd-inhibit", "--what=shutdown", "--who=a backup", "--why=it runs", "sleep",
                                  "infinity"])
    try:
        wait_for(lambda: "a backup" in run("systemd-inhibit", "--list", "--no-pager"), "the inhibitor")
        reply = reply_to(manager, order_reboot(manager, delay=3600))
    finally:
        inhibitor.terminate()
        inhibitor.wait()
    assert reply["return_code"] == 1 and "a backup" in reply["error_message"], reply
    assert not is_announced()
    guid = order_reboot(manager, delay=3600)
    wait_announced(manager, guid)
    manager.send(type="CANCEL", request_id=guid)
    assert "the reboot was cancelled" in reply_to(manager, guid)["error_message"]
    assert not is_announced()
    guid = order_reboot(manager, delay=3600)
    wait_announced(manager, guid)
    run("shutdown", "-c")
    assert "an administrator has cancelled" in reply_to(manager, guid)["error_message"]


def test_reboot_after_a_step_of_the_clock(manager):
    """The delay is that of the order, though logind has the wall clock alone. date(1) tells the clock of the test."""
    clock, date = pathlib.Path("/run/dcm-test-clock"), pathlib.Path("/run/dcm-test-date")
    clock.write_text("0")
    date.write_text(f'#!/bin/bash\necho "$((EPOCHSECONDS + $(<{clock})))"\n')
    date.chmod(0o755)
    run("mount", "--bind", str(date), "/usr/bin/date")
    try:
        begun = time.time()
        guid = order_reboot(manager, delay=900)
        wait_announced(manager, guid)
        due = announced()
        assert begun + 899 <= due <= time.time() + 900
        for step in 3600, 600:  # one forwards, one backwards
            clock.write_text(str(step))
            # a reboot that comes early by the clock of logind would be real
            wait_for(lambda: abs(announced() - due - step) < 3, "the announcement by the other clock")
        manager.send(type="CANCEL", request_id=guid)
        assert "the reboot was cancelled" in reply_to(manager, guid)["error_message"]
        assert not is_announced()
    finally:
        run("umount", "/usr/bin/date")
        clock.unlink()
        date.unlink()


@contextlib.contextmanager
def moved_clock():
    """Yields the file whose seconds the agent's clock is ahead."""
    library, clock = pathlib.Path("/usr/local/lib/dcm-test-boot-clock.so"), pathlib.Path("/usr/local/lib/dcm-test-clock")
    shutil.copy(BUILD / "tests/component/boot-clock.so", library)
    clock.write_text("0")
    drop_in = pathlib.Path("/run/systemd/system/dcm-agent.service.d/clock.conf")
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text(f"[Service]\nEnvironment=LD_PRELOAD={library} BOOT_CLOCK={clock}\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "dcm-agent.service")
    try:
        yield clock
    finally:
        for path in drop_in, library, clock:
            path.unlink()
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", "dcm-agent.service")


def test_a_shutdown_that_does_not_come_to_its_end(manager):
    """The script has ended as by a shutdown; a quarter of an hour later the server is still the same."""
    add("restarts", "[command]\nhelp = x\nuser = root\nreboots = yes\n", "#!/bin/sh\nexec sleep infinity\n")
    with moved_clock() as clock:
        load(manager)
        guid = order(manager, "restarts")
        wait_begun(guid)
        run("systemctl", "kill", "--signal=TERM", unit_of(guid))
        wait_for(lambda: show(unit_of(guid), "ActiveState") in ("failed", "inactive"), "the end of the script")
        reply_to(manager, order(manager, "heartbeat"))
        clock.write_text("800")
        reply_to(manager, order(manager, "heartbeat"))
        assert not manager.of_type("REPLY", guid)
        clock.write_text("1000")
        reply = reply_to(manager, guid)
        assert reply["return_code"] == 1 and "not rebooted within 15 minutes" in reply["error_message"], reply
