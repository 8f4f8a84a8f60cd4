# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: rename looks before it acts. Names that hostnamed or a resolver would not take, an /etc/hosts
that is a mount point or a link, and a hostnamed that refuses."""

import os
import pathlib
import subprocess

import pytest

from agent_test import manager, run  # noqa: F401
from server_test import ADDRESS, HOSTS, IDENTITY, address, do, exists, hosts, text_of, users  # noqa: F401

SAMPLE = 25  # see sampling.py
SCRIPT = "/usr/lib/dcm-agent/scripts/rename"
HOSTNAME = pathlib.Path("/etc/hostname")


def state():
    return HOSTS.read_bytes(), os.uname().nodename, HOSTNAME.read_bytes(), sorted(os.listdir("/etc"))


def rename(*arguments):
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)


# --- names that are none --------------------------------------------------------------------------------

LONGEST = "a" * 31 + "." + "b" * 32


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "@localhost", "x.localhost", "localhost.localdomain", "localhost4",
                                  "localhost6.localdomain6", "ip6-loopback", "1234", "0", "10.0.0.1", "127.1", "0x7f000001",
                                  "1.2.3.4.5", "::1", "fe80::1", "[2001:db8::1]", LONGEST + "c", "a" * 63 + ".bc"])
def test_name_that_no_server_can_have(manager, hosts, name):
    before = state()
    reply = do(manager, "rename", serverName=name)
    assert reply["return_code"] == 1 and reply["error_message"] and state() == before, reply
    reply = do(manager, "initialize", **{**IDENTITY, "serverName": name})
    assert reply["return_code"] == 1 and state() == before and not exists("c010"), reply
    done = rename(name, ADDRESS)
    assert done.returncode == 1 and done.stderr.startswith("rename: ") and state() == before, "the script by itself too"


@pytest.mark.parametrize("name", ["a", "1a", "web.1", "0x7fg", "localhosts", "localhost.example.org", LONGEST, "a" * 63])
def test_name_that_a_server_can_have(manager, hosts, name):
    assert do(manager, "rename", serverName=name)["return_code"] == 0
    assert os.uname().nodename == name and run("hostnamectl", "--static").strip() == name
    assert f"{ADDRESS}\t{name}" in HOSTS.read_text()


# --- hostnamed refuses ----------------------------------------------------------------------------------


@pytest.fixture
def hostname_is_fixed():
    """As in a container: /etc/hostname is a mount point, so that hostnamed cannot replace it."""
    run("systemctl", "stop", "systemd-hostnamed.service")
    run("mount", "--bind", HOSTNAME, HOSTNAME)
    yield
    run("umount", HOSTNAME)
    run("systemctl", "stop", "systemd-hostnamed.service")


@pytest.mark.parametrize("debian", [False, True], ids=["our line", "line of 127.0.1.1"])
def test_hostnamed_refuses(manager, hosts, users, hostname_is_fixed, debian):
    if debian:
        HOSTS.write_text(f"127.0.0.1\tlocalhost\n127.0.1.1\t{os.uname().nodename}\n")
    before = state()
    reply = do(manager, "rename", serverName="web3")
    assert reply["return_code"] != 0 and "has not taken the name web3" in reply["error_message"], reply
    assert state() == before
    users("c010")
    assert do(manager, "initialize", **IDENTITY)["return_code"] != 0 and state() == before and not exists("c010")


def test_hostnamed_is_not_there(manager, hosts):
    """That is known before the first change."""
    run("systemctl", "mask", "--runtime", "--now", "systemd-hostnamed.service")
    try:
        before = state()
        reply = do(manager, "rename", serverName="web3")
        assert reply["return_code"] == 1 and "cannot be asked" in reply["error_message"] and state() == before, reply
    finally:
        run("systemctl", "unmask", "--runtime", "systemd-hostnamed.service")


# --- /etc/hosts that is not a plain file ----------------------------------------------------------------


@pytest.fixture
def outside(tmp_path):
    """As in a container: /etc/hosts is a file from elsewhere, mounted on it, on a small file system."""
    folder = tmp_path / "outside"
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
    file = folder / "hosts"
    file.write_text("127.0.0.1\tlocalhost\n" + "# filler\n" * 600)
    run("mount", "--bind", file, HOSTS)
    yield file
    run("umount", HOSTS)
    run("umount", folder)


def test_hosts_is_a_mount_point(manager, hosts, outside):
    inode = outside.stat().st_ino
    text = outside.read_text()
    for name in ("a-rather-long-name.example.org", "web3"):  # the second one makes it shorter
        reply = do(manager, "rename", serverName=name)
        assert reply["return_code"] == 0 and os.uname().nodename == name, reply
    blanks = " " * (len("a-rather-long-name.example.org a-rather-long-name") - len("web3"))  # it gets no shorter
    assert outside.read_text() == f"{text}{ADDRESS}\tweb3{blanks} # dcm-agent\n"
    assert run("getent", "ahostsv4", "web3").split()[0] == ADDRESS
    assert outside.stat().st_ino == inode and not list(pathlib.Path("/etc").glob(".hosts*"))


def test_hosts_is_a_mount_point_of_a_full_disk(manager, hosts, outside):
    """What cannot be written whole is written back."""
    outside.write_text("127.0.0.1\tlocalhost\n".ljust(4095, "#") + "\n")  # the next byte needs another page
    with (outside.parent / "filler").open("wb", buffering=0) as f, pytest.raises(OSError):
        while True:
            f.write(bytes(4096))
    before = outside.read_bytes(), os.uname().nodename
    reply = do(manager, "rename", serverName="web4")
    assert reply["return_code"] == 1 and "cannot be written" in reply["error_message"], reply
    assert (outside.read_bytes(), os.uname().nodename) == before


@pytest.mark.parametrize("target", ["site/hosts", "/etc/site/hosts"])
def test_hosts_is_a_link(manager, hosts, target):
    site = pathlib.Path("/etc/site")
    site.mkdir()
    before = HOSTS.read_text()
    HOSTS.rename(site / "hosts")
    (site / "hosts").chmod(0o640)
    HOSTS.symlink_to(target)
    try:
        assert do(manager, "rename", serverName="web5")["return_code"] == 0
        assert os.readlink(HOSTS) == target and os.listdir(site) == ["hosts"]
        assert (site / "hosts").read_text() == f"{before}{ADDRESS}\tweb5 # dcm-agent\n"
        assert (site / "hosts").stat().st_mode & 0o777 == 0o640 and not list(pathlib.Path("/etc").glob(".hosts*"))
    finally:
        HOSTS.unlink()
        (site / "hosts").rename(HOSTS)
        HOSTS.chmod(0o644)
        site.rmdir()


def test_hosts_is_a_link_that_leads_nowhere(manager, hosts):
    before = os.uname().nodename
    HOSTS.rename("/etc/hosts.saved")
    HOSTS.symlink_to("absent/hosts")
    try:
        reply = do(manager, "rename", serverName="web5")
        assert reply["return_code"] == 1 and os.uname().nodename == before and os.readlink(HOSTS) == "absent/hosts", reply
    finally:
        HOSTS.unlink()
        pathlib.Path("/etc/hosts.saved").rename(HOSTS)


def test_hosts_is_not_there(manager, hosts):
    HOSTS.unlink()
    assert do(manager, "rename", serverName="web6")["return_code"] == 0
    assert HOSTS.read_text() == f"{ADDRESS}\tweb6 # dcm-agent\n" and HOSTS.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("line", ["127.0.1.1\t{former}", "10.9.9.9\t{former} # dcm-agent"])
def test_hosts_with_carriage_returns(manager, hosts, line):
    """As an editor of Windows leaves it: its line is found all the same, and not a second one made."""
    HOSTS.write_text(f"127.0.0.1\tlocalhost\n{line.format(former=os.uname().nodename)}\n", newline="\r\n")
    for name in ("web3", "web4"):
        assert do(manager, "rename", serverName=name)["return_code"] == 0
    lines = HOSTS.read_bytes().split(b"\n")
    assert lines[0] == b"127.0.0.1\tlocalhost\r" and lines[2:] == [b""]
    assert lines[1] in (b"127.0.1.1\tweb4", f"{ADDRESS}\tweb4 # dcm-agent".encode())


def test_hosts_with_a_byte_0(manager, hosts):
    """The shell would leave out what follows."""
    HOSTS.write_bytes(b"127.0.0.1 localhost\n\0\n10.0.0.1 other\n")
    before = state()
    assert do(manager, "rename", serverName="web6")["return_code"] == 1 and state() == before


# --- the policy of the owner ----------------------------------------------------------------------------

POLICY = pathlib.Path("/etc/dcm-agent/policy.conf.d/test.conf")
COMMANDS = pathlib.Path("/etc/dcm-agent/commands.d")


@pytest.fixture
def policy():
    yield POLICY.write_text
    POLICY.unlink()


@pytest.mark.parametrize("rules", ["deny_commands = add_user", "deny_commands = add_*", "deny_commands = *user", "deny_commands = rename",
                                   "allow_commands = initialize heartbeat", "allow_commands = initialize rename"])
def test_policy_holds_for_the_parts_of_initialize(manager, hosts, users, policy, rules):
    users("c010")
    policy(f"[policy]\n{rules}\n")
    before = state()
    reply = do(manager, "initialize", **IDENTITY)
    assert reply["return_code"] == 1 and "which is a part of initialize" in text_of(reply), reply
    assert state() == before and not exists("c010")
    assert do(manager, "heartbeat")["reply_object"] == "STARTING"
    policy("[policy]\nallow_commands = initialize rename add_user\n")
    assert do(manager, "initialize", **IDENTITY)["return_code"] == 0 and exists("c010")


def test_policy_holds_for_parts_of_parts(manager, policy):
    policy("[policy]\ndeny_commands = add_user\n")
    script = pathlib.Path("/etc/dcm-agent/scripts/whole")
    script.write_text("#!/bin/sh\necho done\n")
    script.chmod(0o755)
    files = {"whole": "initialize", "round": "whole round"}
    try:
        for name, includes in files.items():
            (COMMANDS / f"{name}.conf").write_text(f"[command]\nhelp = h\nscript = whole\nincludes = {includes}\n")
        run("systemctl", "reload", "dcm-agent.service")
        manager.wait_offer(2)
        assert "add_user, which is a part of whole" in text_of(do(manager, "whole"))
        policy("[policy]\nallow_commands = *\n")
        assert do(manager, "whole")["message"] == "done\n"
        assert "in a cycle" in text_of(do(manager, "round"))
    finally:
        for name in files:
            (COMMANDS / f"{name}.conf").unlink()
        script.unlink()


@pytest.mark.parametrize("text, problem", [("", "there is no such command"), ("[command]\nwrong = x\n", "add_user, which is a part of")])
def test_command_that_was_taken_away_is_no_part_either(manager, hosts, text, problem):
    COMMANDS.mkdir(exist_ok=True)
    (COMMANDS / "add_user.conf").write_text(text)
    before = state()
    try:
        reply = do(manager, "initialize", **IDENTITY)
    finally:
        (COMMANDS / "add_user.conf").unlink()
    assert reply["return_code"] == 1 and problem in text_of(reply) and state() == before, reply
