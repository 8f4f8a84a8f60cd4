# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: dcm-cloud in its unit, and what becomes of its answer in the agent, the manager and the
tools. The metadata service is where clouds have it."""

import json
import pathlib
import pwd
import re
import shutil
import subprocess
import sys

import pytest

from agent_test import CONF, HERE, Manager, run, show, wait_for

sys.path.insert(0, str(HERE.parent / "component"))

import metadata  # noqa: E402

LINK_LOCAL = "169.254.169.254"
DROPPED = "192.0.2.9"  # a neighbour that takes everything and answers nothing


@pytest.fixture(scope="module", autouse=True)
def link():
    run("ip", "link", "add", "dcm0", "type", "veth", "peer", "name", "dcm1")
    run("ip", "address", "add", "192.0.2.7/24", "dev", "dcm0")
    run("ip", "link", "set", "dcm0", "up")
    run("ip", "link", "set", "dcm1", "up")
    run("ip", "neighbour", "add", DROPPED, "lladdr", "02:00:00:00:00:09", "dev", "dcm0", "nud", "permanent")
    yield
    run("ip", "link", "delete", "dcm0")


@pytest.fixture
def service():
    """Amazon's, at its address."""
    run("ip", "address", "add", f"{LINK_LOCAL}/32", "dev", "lo")
    with metadata.Metadata(metadata.amazon(), host=LINK_LOCAL, port=80) as service:
        yield service
    run("ip", "address", "delete", f"{LINK_LOCAL}/32", "dev", "lo")


@pytest.fixture
def silence():
    """Packets to the address are dropped."""
    run("ip", "route", "add", f"{LINK_LOCAL}/32", "via", DROPPED, "dev", "dcm0")
    yield
    run("ip", "route", "delete", f"{LINK_LOCAL}/32")


NETWORKS = pathlib.Path("/run/systemd/network")
DHCP_SERVER = "198.51.100.1"


def by_networkd():
    (NETWORKS / "20-client.network").write_text(
        "[Match]\nName=dcm3\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n")
    run("networkctl", "reload")


def by_dhclient():
    run("ip", "link", "set", "dcm3", "up")
    run("dhclient", "-4", "-1", "dcm3")  # returns when there is a lease


@pytest.fixture(params=[by_networkd, by_dhclient])
def lease(request):
    """A lease of a DHCP server, networkd's, by a client of the distribution."""
    for program in ("networkctl", "dhclient") if request.param == by_dhclient else ("networkctl",):
        if not shutil.which(program):
            pytest.skip(f"there is no {program}: some distributions have none")
    run("ip", "link", "add", "dcm2", "type", "veth", "peer", "name", "dcm3")
    NETWORKS.mkdir(exist_ok=True)
    (NETWORKS / "10-server.network").write_text(
        f"[Match]\nName=dcm2\n[Network]\nAddress={DHCP_SERVER}/24\nDHCPServer=yes\n"
        "[DHCPServer]\nPoolOffset=20\nPoolSize=10\nEmitDNS=no\nEmitRouter=no\n")
    run("systemctl", "restart", "systemd-networkd.service")
    request.param()
    wait_for(lambda: "198.51.100." in run("ip", "-4", "address", "show", "dev", "dcm3"), "an address")
    yield
    if request.param == by_dhclient:
        run("dhclient", "-4", "-x", "dcm3")
        pathlib.Path("/var/lib/dhcp/dhclient.leases").unlink()
    run("systemctl", "stop", "systemd-networkd.service", "systemd-networkd.socket")
    run("ip", "link", "delete", "dcm2")
    for path in (*NETWORKS.glob("*"), *pathlib.Path("/run/systemd/netif/leases").glob("*")):
        path.unlink()


@pytest.fixture
def manager():
    manager = Manager()
    run("systemctl", "stop", "dcm-agent.service")
    CONF.write_text(f"[connection]\nagentmanager_url = {manager.url()}\nbackoff = 20\nmax_backoff = 200\n")
    yield manager
    run("systemctl", "stop", "dcm-agent.service")
    CONF.unlink()
    manager.stop()


def journal(*matches):
    return [json.loads(line) for line in run("journalctl", "-o", "json", *matches).splitlines()]


def test_identity_from_the_metadata_service_to_the_manager(manager, service):
    run("systemctl", "start", "dcm-agent.service")
    offer = manager.wait_offer()
    assert (offer["vm_instance"], offer["injected_id"], offer["ipv4"]) == (
        metadata.INSTANCE, metadata.LAUNCH, ["10.1.2.3"])
    wait_for(lambda: "Connected" in run("dcm-agentctl", "status", check=False), "the connection")
    assert re.search(rf"^ +Cloud: +Amazon {metadata.INSTANCE}$", run("dcm-agentctl", "status"), re.M)
    process = subprocess.Popen(["dcm-agentctl", "doctor", "--json"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True)
    wait_for(lambda: process.poll() is not None, "the doctor")  # who needs the manager's loop
    found = {line["check"]: line for line in json.loads(process.stdout.read())}
    assert (found["cloud"]["result"], found["cloud"]["text"]) == ("ok", f"Amazon {metadata.INSTANCE}")
    lines = journal("-u", "dcm-agent", "MESSAGE_ID=" + message_id("CLOUD_IDENTITY"))
    assert lines[-1]["MESSAGE"] == f"The cloud Amazon identifies this server as {metadata.INSTANCE}"


def message_id(name):
    text = (HERE.parent.parent / "src/basic/log-fields.h").read_text()
    return re.search(rf'DCM_MESSAGE_{name} +"(\w+)"', text)[1]


def test_packets_that_are_dropped_delay_the_first_handshake_alone(manager, silence):
    run("systemctl", "start", "dcm-agent.service")  # returns at READY=1
    assert manager.offers == []
    assert show("dcm-agent.service", "StatusText") == "Asking the cloud for the identity of this server"
    offer = manager.wait_offer()
    assert offer["vm_instance"] is None
    # two seconds for the connections, and what a loaded machine takes for the rest
    ready, = [int(e["__MONOTONIC_TIMESTAMP"]) for e in journal(
        "-u", "dcm-agent", "MESSAGE_ID=" + message_id("STARTED"), "-n", "1")]
    wait_for(lambda: "Connected" in show("dcm-agent.service", "StatusText"), "the connection")
    connected, = [int(e["__MONOTONIC_TIMESTAMP"]) for e in journal(
        "-u", "dcm-agent", "MESSAGE_ID=" + message_id("CONNECTED"), "-n", "1")]
    assert 1e6 < connected - ready < 13e6


def test_metadata_that_comes_late_is_told(manager, silence, request):
    CONF.write_text(CONF.read_text() + "[cloud]\ntype = amazon\n")
    run("systemctl", "start", "dcm-agent.service")
    assert manager.wait_offer()["vm_instance"] is None
    wait_for(lambda: "does not answer in time" in run("dcm-agentctl", "status"), "the problem in the status")
    request.getfixturevalue("service")
    run("systemctl", "reload", "dcm-agent.service")
    assert manager.wait_offer(2)["vm_instance"] == metadata.INSTANCE


def test_cloudstack_is_at_the_dhcp_server(manager, lease):
    with metadata.Metadata(metadata.cloudstack, host=DHCP_SERVER, port=80):
        run("systemctl", "start", "dcm-agent.service")
        assert manager.wait_offer()["vm_instance"] == metadata.UUID
    assert f"CloudStack {metadata.UUID}" in run("dcm-agentctl", "status", check=False)


def test_socket_is_the_agents_alone(manager):
    run("systemctl", "start", "dcm-agent.service")
    path = pathlib.Path("/run/dcm-cloud.socket")
    assert path.stat().st_uid == pwd.getpwnam("dcm-agent").pw_uid and path.stat().st_mode & 0o777 == 0o600
    run("systemctl", "stop", "dcm-agent.service")
    wait_for(lambda: show("dcm-cloud.socket", "ActiveState") == "inactive" and not path.exists(),
             "the end of the socket, with the agent's")


def test_sockets_are_there_after_any_number_of_restarts(manager):
    """systemd lets a unit be started five times in ten seconds, if nothing else is said."""
    for _ in range(8):
        run("systemctl", "restart", "dcm-agent.service")
    for unit in ("dcm-agent.socket", "dcm-cloud.socket", "dcm-agent.service"):
        assert (show(unit, "ActiveState"), show(unit, "Result")) == ("active", "success"), unit


def test_unit_is_hardened(tmp_path):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "dcm-cloud@1.service", "dcm-cloud.socket"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "dcm" not in done.stderr, done.stderr
    text = run("systemd-analyze", "security", "--no-pager", "--offline=true",
               "/usr/lib/systemd/system/dcm-cloud@.service", check=False)
    score = float(re.search(r"exposure level for \S+: ([0-9.]+)", text)[1])
    print(f"dcm-cloud@.service: {score}")
    assert score <= 1.7


def test_it_sees_nothing_of_the_agent(manager):
    """The same unit with another program: neither the token nor a job's directory can be read."""
    run("systemctl", "start", "dcm-agent.service")
    manager.wait_offer()
    drop_in = pathlib.Path("/run/systemd/system/dcm-probe@.service")
    unit = pathlib.Path("/usr/lib/systemd/system/dcm-cloud@.service").read_text()
    program = re.search("^ExecStart=(.*)$", unit, re.M)[1]
    drop_in.write_text(unit.replace(program, "/bin/sh -c 'id -un; ls /var/lib/dcm-agent /var/lib/dcm-jobs; cat /etc/shadow; "
                                             "touch /run/x /tmp/y && echo tmp; ls /sys/class/dmi >/dev/null && echo sys'")
                       .replace("StandardInput=socket", "").replace("StandardOutput=socket", "StandardOutput=journal"))
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "--wait", "dcm-probe@1.service", check=False)
    lines = wait_for(lambda: [e["MESSAGE"] for e in journal("-u", "dcm-probe@1.service", "_COMM=sh") +
                              journal("-u", "dcm-probe@1.service", "SYSLOG_IDENTIFIER=sh")], "its output")
    text = "\n".join(lines)
    drop_in.unlink()
    run("systemctl", "daemon-reload")
    assert "dcm-cloud" in text
    assert text.count("Permission denied") >= 3 and "token" not in text and "root:" not in text
