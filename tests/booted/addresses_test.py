# SPDX-License-Identifier: Apache-2.0
"""In a booted machine with many interfaces: which address of the server is told first, in the handshake, by
get_private_ip_address, and in /etc/hosts by rename."""

import subprocess

import pytest

from agent_test import CONF, Manager, manager, run, wait_for  # noqa: F401
from server_test import HOSTS, do, hosts  # noqa: F401


def link(name, *addresses, kind=("veth", "peer", "name", "{}p"), carrier=True):
    run("ip", "link", "add", name, "type", *(word.format(name) for word in kind))
    for address in addresses:
        run("ip", "address", "add", address, "dev", name)
    run("ip", "link", "set", name, "up")
    if carrier and "peer" in kind:
        run("ip", "link", "set", f"{name}p", "up")


def bridge(name, address, port):
    link(name, address, kind=("bridge",))
    if not (port and subprocess.run(["ip", "link", "show", port], capture_output=True).returncode == 0):
        link(port)
    run("ip", "link", "set", port, "master", name)
    wait_for(lambda: "LOWER_UP" in run("ip", "link", "show", name), "the carrier of the bridge")


@pytest.fixture
def network():
    """The worse ones first, as the kernel has them: in the order in which they were made."""
    before = {line.split(":")[1].strip().split("@")[0] for line in run("ip", "-o", "link").splitlines()}
    run("ip", "address", "add", "203.0.113.99/32", "dev", "lo")
    run("ip", "address", "add", "2001:db8:9::9/128", "dev", "lo")
    bridge("docker0", "172.17.0.1/16", "port0")
    link("dead0", "10.200.0.1/24", carrier=False)
    link("self0", "169.254.7.7/16")
    link("net1", "192.0.2.7/24", "2001:db8:1::7/64")
    link("net2", "10.55.0.5/24", "198.51.100.7/24", "2001:db8:2::7/64")
    run("ip", "route", "add", "default", "via", "192.0.2.1", "dev", "net1", "metric", "700")
    run("ip", "route", "add", "default", "via", "198.51.100.1", "dev", "net2", "metric", "100")
    run("ip", "-6", "route", "add", "default", "via", "2001:db8:2::1", "dev", "net2")
    yield
    run("ip", "address", "delete", "203.0.113.99/32", "dev", "lo")
    run("ip", "address", "delete", "2001:db8:9::9/128", "dev", "lo")
    for line in run("ip", "-o", "link").splitlines():
        name = line.split(":")[1].strip().split("@")[0]
        if name not in before:
            run("ip", "link", "delete", name, check=False)


ORDER = ["198.51.100.7", "10.55.0.5", "192.0.2.7", "172.17.0.1", "10.200.0.1", "203.0.113.99", "169.254.7.7"]


def next_offer(manager):
    n = len(manager.offers)
    run("dcm-agentctl", "reconnect")
    return manager.wait_offer(n + 1) and manager.offers[-1]


def test_address_of_the_default_route_comes_first(network, manager, hosts):
    offer = manager.offers[-1]
    assert offer["ipv4"] == ORDER
    assert offer["ipv6"] == ["2001:db8:2::7", "2001:db8:1::7", "2001:db8:9::9"]
    assert do(manager, "rename", serverName="web7")["return_code"] == 0
    assert "198.51.100.7\tweb7 # dcm-agent" in HOSTS.read_text()
    assert do(manager, "get_private_ip_address")["reply_object"] == "10.55.0.5", "a private one of the same interface"
    run("ip", "address", "delete", "10.55.0.5/24", "dev", "net2")
    assert do(manager, "get_private_ip_address")["reply_object"] == "198.51.100.7", "rather than one of containers"


def test_default_route_that_goes(network, manager):
    run("ip", "route", "delete", "default", "dev", "net2")
    assert next_offer(manager)["ipv4"][:3] == ["192.0.2.7", "10.55.0.5", "198.51.100.7"]
    run("ip", "route", "delete", "default", "dev", "net1")
    assert next_offer(manager)["ipv4"][:4] == ["192.0.2.7", "10.55.0.5", "198.51.100.7", "172.17.0.1"], "the kernel's order"
    run("ip", "link", "set", "net1p", "down")
    wait_for(lambda: "NO-CARRIER" in run("ip", "link", "show", "net1"), "no carrier")
    assert "192.0.2.7" not in next_offer(manager)["ipv4"][:3]


def test_bridge_of_the_server_itself(network, manager):
    """By the default route, or by a network card that is a part of it."""
    run("ip", "route", "add", "default", "via", "172.17.0.9", "dev", "docker0", "metric", "1")
    assert next_offer(manager)["ipv4"][0] == "172.17.0.1"
    run("ip", "route", "delete", "default", "dev", "docker0")
    run("ip", "link", "add", "link", "net2", "name", "card0", "type", "macvlan")  # on top of another one, as a VLAN is
    run("ip", "link", "set", "card0", "up")
    bridge("br0", "203.0.113.7/24", "card0")
    addresses = next_offer(manager)["ipv4"]
    assert addresses.index("203.0.113.7") < addresses.index("172.17.0.1") and addresses[0] == "198.51.100.7"


@pytest.mark.parametrize("address", ["192.0.2.7", "172.17.0.1", "169.254.7.7"])
def test_address_of_the_connection_comes_before_all(network, manager, hosts, address):
    """Whatever else it is."""
    other = Manager(everywhere=True)
    try:
        CONF.write_text(CONF.read_text().replace(manager.url(), other.url(address)))
        run("systemctl", "restart", "dcm-agent.service")
        assert other.wait_offer() and other.offers[-1]["ipv4"] == [address, *(a for a in ORDER if a != address)]
        assert do(other, "rename", serverName="web8")["return_code"] == 0
        assert f"{address}\tweb8 # dcm-agent" in HOSTS.read_text()
    finally:
        run("systemctl", "stop", "dcm-agent.service")
        other.stop()


def test_many_bridges_do_not_hide_the_server(network, manager):
    """More than are told at all."""
    batch = "".join(f"link add br-{i} type bridge\naddress add 10.{i}.0.1/24 dev br-{i}\nlink set br-{i} up\n" for i in range(100, 180))
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
    run("ip", "route", "delete", "default", "dev", "net2")
    link("net3", "100.64.0.7/24")
    run("ip", "route", "add", "default", "via", "100.64.0.1", "dev", "net3")
    addresses = next_offer(manager)["ipv4"]
    assert addresses[0] == "100.64.0.7" and set(ORDER[:3]) <= set(addresses) and len(addresses) == 64


def test_doctor_tells_the_same(network, manager):
    run("systemctl", "stop", "dcm-agent.service")
    n = len(manager.offers)
    process = subprocess.Popen(["dcm-agentctl", "doctor"], stdout=subprocess.PIPE, text=True)
    manager.wait_offer(n + 1)
    wait_for(lambda: process.poll() is not None, "the doctor")
    assert manager.offers[-1]["ipv4"] == ORDER, process.stdout.read()
