# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, over a network that fails: the agent's service on one end of a pair of
virtual Ethernet interfaces, the manager (libsoup's, in this process) in a network namespace of its
own on the other.

- An event on the network or an order ends a long wait, and nothing ends one that the manager asked
  for; a burst of events is no burst of attempts.
- A connection that is silently dead is given up within 2.5 ping periods, with and without data
  under way, and what was under way arrives, once.
- Whichever of a name's addresses works is used, soon.
- What is wrong is said in the same words by all that is asked.

Times are printed. They are compared with limits that leave a loaded machine room, and that are far
from what they would be if the thing did not work."""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import time

import pytest

from agent_test import CONF, order, reply_to, run, show
from harness import Manager, wait_for

AGENT = "dcm-agent.service"
HERE, THERE = "192.0.2.1", "192.0.2.2"  # the agent's and the manager's end
HERE_6, THERE_6 = "2001:db8::1", "2001:db8::2"
BEYOND = "198.51.100.1"  # the manager's, too, and not on the link
MORE = [f"198.51.100.{i}" for i in range(2, 8)]
CLONE_NEWNET = 0x40000000
LOADED = 2.5  # times what was promised

libc = ctypes.CDLL(None, use_errno=True)


def enter_namespace(pid):
    with open(f"/proc/{pid}/ns/net", "rb") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), f"setns {pid}")


def run_here(*command):
    """In the agent's namespace: this process is in the manager's."""
    return run("nsenter", "--target=1", "--net", "--", *command)


def ip_here(text):
    return run_here("ip", *text.split())


def ip_there(text):
    return run("ip", *text.split())


def filter_there(inward="", outward=""):
    """Replaces the rules at the manager's end."""
    rules = (f"flush ruleset\ntable inet test {{\n"
             f"chain inward {{ type filter hook input priority 0; {inward} }}\n"
             f"chain outward {{ type filter hook output priority 0; {outward} }}\n}}\n")
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, capture_output=True)


def drop_all():
    filter_there("drop;", "drop;")


@pytest.fixture
def network():
    with contextlib.ExitStack() as stack:
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        stack.callback(holder.wait)
        stack.callback(holder.kill)
        own = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != own, "a second namespace")
        run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "peer", "netns",
            str(holder.pid))
        enter_namespace(holder.pid)
        stack.callback(enter_namespace, 1)
        stack.callback(ip_here, "link del uplink")
        ip_here("link set uplink addrgenmode none up")  # else fe80::... does for a missing address
        ip_here(f"addr add {HERE}/24 dev uplink")
        ip_here(f"addr add {HERE_6}/64 dev uplink nodad")
        for command in ("link set lo up", "link set peer up", f"addr add {THERE}/24 dev peer",
                        f"addr add {THERE_6}/64 dev peer nodad"):
            ip_there(command)
        for address in (BEYOND, *MORE):
            ip_there(f"addr add {address}/32 dev lo")
        yield


@pytest.fixture
def manager(network):
    """One that listens at all addresses of its end; the agent is stopped, and knows nothing."""
    run("systemctl", "stop", AGENT)
    shutil.rmtree("/var/lib/dcm-agent", ignore_errors=True)
    manager = Manager(everywhere=True)
    yield manager
    run("systemctl", "stop", AGENT)
    CONF.unlink(missing_ok=True)
    manager.stop()


@contextlib.contextmanager
def changed(path, text):
    path = pathlib.Path(path)
    before = path.read_text() if path.exists() else None
    path.write_text(text)
    try:
        yield
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)


def names(**addresses):
    """/etc/hosts with these names; underscores stand for dots."""
    lines = [f"{address} {name.replace('_', '.')}\n" for name, list_ in addresses.items()
             for address in list_]
    return changed("/etc/hosts", pathlib.Path("/etc/hosts").read_text() + "".join(lines))


def configure(url, **connection):
    """Waits are a minute, and pings come each second, where nothing else is said."""
    keys = {"agentmanager_url": url, "backoff": 60000, "max_backoff": 300000,
            "heartbeat_frequency": 1, **connection}
    CONF.write_text("[connection]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()) +
                    "[messaging]\nretransmission_timeout = 60\n[workers]\ncount = 4\n"
                    "[cloud]\ntype = Other\n"  # what asking a cloud takes is not the network's
                    "[logging]\nlevel = debug\n")


def start(url, **connection):
    configure(url, **connection)
    run("systemctl", "start", AGENT)


def start_connected(manager, host=THERE, **connection):
    n = len(manager.offers)
    start(manager.url(host), **connection)
    manager.wait_offer(n + 1)
    wait_status("Connected")


def reload():
    run("systemctl", "reload", AGENT)


def status():
    return json.loads(run("dcm-agentctl", "status", "--json", check=False))


def wait_status(text):
    """The whole line that has TEXT in it."""
    return wait_for(lambda: (line := status()["StatusText"]) and text in line and line, text)


def journal(text):
    """How many lines with TEXT this start of the agent has written."""
    invocation = show(AGENT, "InvocationID")
    lines = run("journalctl", "--quiet", "--output=cat", f"_SYSTEMD_INVOCATION_ID={invocation}")
    return lines.count(text)


def seconds_of_wait(line):
    return int(re.search(r"next attempt in (\d+) s", line)[1])


class Clock:
    def __init__(self):
        self.begin = time.monotonic()

    def seconds(self):
        return time.monotonic() - self.begin


# An event ends the wait. Each way: the manager's address, how the network breaks, how it comes back.

WAYS = {
    "link": (THERE, lambda: ip_here("link set uplink down"), lambda: ip_here("link set uplink up")),
    "carrier": (THERE, lambda: ip_there("link set peer down"),
                lambda: ip_there("link set peer up")),
    "address": (THERE, lambda: ip_here(f"addr del {HERE}/24 dev uplink"),
                lambda: ip_here(f"addr add {HERE}/24 dev uplink")),
    # this end looks for another owner of the address first, which takes a second or two
    "address-6": (f"[{THERE_6}]", lambda: ip_here(f"addr del {HERE_6}/64 dev uplink"),
                  lambda: ip_here(f"addr add {HERE_6}/64 dev uplink")),
    "default-route": (BEYOND, lambda: ip_here("route del default"),
                      lambda: ip_here(f"route add default via {THERE}")),
}
REPETITIONS = 5
LIMIT_SEC = {"address-6": 4.0}
RECONNECTED_SEC = 2.0


def reconnect():
    run("dcm-agentctl", "reconnect")


def break_network(way, silently):
    """Until the agent waits for long. SILENTLY: it has to find out, else it is told to connect."""
    WAYS[way][1]()
    if not silently:
        reconnect()
    line = wait_status("Not connected")
    assert seconds_of_wait(line) >= 30
    return line


def fix_neighbour():
    """So that no question for it (ARP), asked while there was no carrier, can fail after it is back."""
    mac = json.loads(ip_there("-json link show peer"))[0]["address"]
    ip_here(f"neighbour replace {THERE} lladdr {mac} dev uplink nud permanent")


@pytest.mark.parametrize("way", WAYS)
def test_event_ends_the_wait(manager, way):
    ip_here(f"route add default via {THERE}")
    if way == "carrier":
        fix_neighbour()
    start_connected(manager, WAYS[way][0])
    seconds = []
    for i in range(REPETITIONS):
        if way == "carrier" and i > 0:
            reconnect()  # five events in a minute are all that it heeds, without an order
            manager.wait_offer(len(manager.offers) + 1)
            wait_status("Connected")
        line = break_network(way, silently=i == 0 or way == "carrier")
        assert re.search(": (connection|route|TCP): ", line), line
        n, clock = len(manager.offers), Clock()
        WAYS[way][2]()
        manager.wait_offer(n + 1)
        seconds.append(clock.seconds())
        wait_status("Connected")
    print(f"{way}: connected {', '.join(f'{s:.2f}' for s in seconds)} s after the event; the next "
          f"attempt was {seconds_of_wait(line)} s away")
    assert max(seconds) < LIMIT_SEC.get(way, RECONNECTED_SEC) * LOADED


def test_neighbour_that_was_asked_for_in_vain(manager):
    """The kernel fails the first attempt after the carrier's return, within its three seconds, as it
    still waits for an answer from before; that attempt is not followed by a long wait."""
    start_connected(manager, backoff=1000)
    ip_there("link set peer down")
    wait_status("Not connected")
    clock = Clock()
    ip_there("link set peer up")
    manager.wait_offer(2)
    print(f"connected {clock.seconds():.2f} s after the event")
    assert clock.seconds() < 4 * LOADED


def test_event_while_an_attempt_hangs(manager):
    """It is given up for a new one, instead of after the ten seconds of an address."""
    drop_all()
    start(manager.url(THERE))
    wait_for(lambda: status()["State"] == "connecting", "an attempt")
    clock = Clock()
    wait_for(lambda: clock.seconds() > 1.2, "the attempt to hang")
    filter_there()
    # its next repetition of SYN is at three seconds
    ip_here("link set uplink down")
    clock = Clock()
    ip_here("link set uplink up")
    manager.wait_offer()
    print(f"connected {clock.seconds():.2f} s after the event")
    assert clock.seconds() < RECONNECTED_SEC * LOADED


def test_event_does_not_end_a_pause_of_the_manager(manager):
    manager.answers = [{"return_code": 503, "FORCE_BACKOFF": 30}]
    start(manager.url(THERE), backoff=10, max_backoff=20)
    line = wait_status("asked for a pause (503)")
    assert 30 <= seconds_of_wait(line) <= 33
    for n in range(1, 4):
        ip_here("link set uplink down")
        ip_here("link set uplink up")
        wait_for(lambda: journal("The network has changed") >= n, "the agent to see the event")
    assert status()["State"] == "waiting" and len(manager.connections) == 1
    clock = Clock()
    reconnect()
    manager.wait_offer(2)
    print(f"connected {clock.seconds():.2f} s after `dcm-agentctl reconnect`")
    assert clock.seconds() < RECONNECTED_SEC * LOADED
    assert len(manager.connections) == 2


def test_burst_of_events(manager):
    """At least 200 events over some seconds, and hardly any attempt."""
    filter_there("tcp flags & (syn | ack) == syn counter reject with tcp reset;")
    start(manager.url(THERE))
    wait_status("Not connected")
    clock, events = Clock(), 0
    while events < 200 or clock.seconds() < 4:  # one attempt each 0.2 s would be 20
        ip_here("addr add 192.0.2.77/32 dev uplink")
        ip_here("addr del 192.0.2.77/32 dev uplink")
        events += 1
    rules = run("nft", "list", "ruleset")
    attempts = int(re.search(r"counter packets (\d+)", rules)[1])
    print(f"{events} events in {clock.seconds():.1f} s, {attempts} attempts")
    assert 2 <= attempts <= 6


# A connection that is dead and does not say so.

@contextlib.contextmanager
def jobs(manager, n, size):
    """Running jobs that have run once; when the gate opens, they end with an output of SIZE bytes."""
    directory = pathlib.Path("/tmp/dcm-test-jobs")
    directory.mkdir()
    directory.chmod(0o777)
    gate = directory / "gate"
    guids = [order(manager, f"#!/bin/bash\necho x >>{directory}/$1\n"
                            f"until [[ -e {gate} ]]; do sleep 0.02; done\n"
                            f"head -c {size} /dev/zero | tr '\\0' o\n", arguments=[str(i)])
             for i in range(n)]
    try:
        wait_for(lambda: len(list(directory.iterdir())) == n, "all jobs to run")
        yield guids, gate
        assert [f.read_text() for f in directory.iterdir() if f != gate] == ["x\n"] * n
    finally:
        gate.touch()
        shutil.rmtree(directory)


def wait_replies_stored(n):
    wait_for(lambda: status()["RequestCounts"].get("REPLY") == n, "the replies to be stored")


@pytest.mark.parametrize("n, size", [(0, 0), (1, 10), (4, 1_000_000)],
                         ids=["idle", "small-reply", "megabytes"])
def test_blackhole(manager, n, size):
    """All is dropped, both ways, while nothing, little, or more than the socket takes is sent."""
    period = 2
    start_connected(manager, backoff=100, max_backoff=400, heartbeat_frequency=period)
    with jobs(manager, n, size) as (guids, gate):
        drop_all()
        gate.touch()
        clock = Clock()
        if n:
            wait_replies_stored(n)
        line = wait_status("Not connected")
        print(f"found after {clock.seconds():.2f} s with pings each {period} s")
        assert clock.seconds() < 2.5 * period * 1.3 + 0.5
        assert ": connection: " in line, line
        filter_there()
        clock = Clock()
        manager.wait_offer(2)
        print(f"connected {clock.seconds():.2f} s after its end")
        assert clock.seconds() < 10
        for guid in guids:
            assert reply_to(manager, guid)["message"] == "o" * size
        if n:
            wait_for(lambda: status()["RequestCounts"]["REPLY_ACKED"] == n, "the last ACK")
        assert len(manager.of_type("REPLY")) == n and not manager.of_type("NACK")


def vanish(manager):
    """The manager's kernel forgets its connection; the agent does not hear of it."""
    drop_all()
    stream = manager.connections[-1].get_io_stream()
    with socket.socket(fileno=os.dup(stream.get_property("base-iostream").get_socket().get_fd())) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.close(None)


def test_half_open(manager):
    """The manager comes back with no memory of the connection, and resets it."""
    start_connected(manager, backoff=100, max_backoff=400)
    with jobs(manager, 1, 10) as (guids, gate):
        vanish(manager)
        filter_there()
        clock = Clock()
        gate.touch()
        manager.wait_offer(2)
        print(f"connected {clock.seconds():.2f} s after the manager came back")
        assert clock.seconds() < 1.5 * LOADED
        assert journal("connection: the connection was reset") == 1
        assert reply_to(manager, guids[0])["message"] == "o" * 10
        assert len(manager.of_type("REPLY", guids[0])) == 1


# Which address

NAME = "manager.example"


def connect_by_name(manager, addresses, rules, gai=""):
    """Seconds, and whom the agent is connected to."""
    filter_there(rules)
    with names(manager_example=addresses), changed("/etc/gai.conf", gai):
        ip_here(f"route replace default via {THERE}")
        start("")
        configure(manager.url(NAME))
        clock = Clock()
        reload()
        manager.wait_offer()
        seconds = clock.seconds()
        wait_status("Connected")
        peer = status()["PeerAddress"]
    assert peer.endswith(f" port {manager.port}")
    print(f"connected to {peer} after {seconds:.2f} s")
    return seconds, peer.split()[0]


BAD = {"dropped": "drop;", "refused": "reject with tcp reset;",
       "unreachable": "reject with icmpx type host-unreachable;"}
FAMILIES = {"ipv4": THERE, "ipv6": THERE_6}
IPV4_FIRST = "precedence ::ffff:0:0/96 100\n"  # of gai.conf(5); the default is IPv6


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("broken", FAMILIES)
@pytest.mark.parametrize("first", FAMILIES)
def test_one_family_does_not_work(manager, first, broken, bad):
    seconds, peer = connect_by_name(manager, FAMILIES.values(),
                                    f"meta nfproto {broken} meta l4proto tcp {BAD[bad]}",
                                    IPV4_FIRST if first == "ipv4" else "")
    assert peer == FAMILIES["ipv6" if broken == "ipv4" else "ipv4"]
    assert seconds < 1 * LOADED


def test_only_the_last_of_many_addresses_works(manager):
    addresses = [*MORE, THERE_6, THERE]
    with names(manager_example=addresses):
        ip_here(f"route add default via {THERE}")
        order = [line.split()[0] for line in run_here("getent", "ahosts", NAME).splitlines()
                 if "STREAM" in line]
    assert sorted(order) == sorted(addresses)
    # IPv4 and IPv6 take turns, so the last is of the family that has more
    last = [address for address in order if ":" not in address][-1]
    seconds, peer = connect_by_name(manager, addresses,
                                    f"meta l4proto tcp ip daddr != {last} drop;"
                                    f"meta l4proto tcp ip6 daddr ::/0 drop;")
    assert peer == last
    assert (len(addresses) - 1) * 0.25 <= seconds < (len(addresses) - 1) * 0.25 + 1 * LOADED


# What is wrong

def check_told(beginning, remedy):
    """The same line everywhere; BEGINNING follows the URL."""
    line = wait_status("next attempt in")
    url = status()["ManagerUrl"]
    assert line.startswith(f"Not connected to {url}: {beginning}"), line
    assert remedy in line
    assert line == show(AGENT, "StatusText")
    assert f'Status: "{line}"' in run("systemctl", "status", "--full", "--no-pager", AGENT, check=False)
    assert line in run("dcm-agentctl", "status", check=False)
    assert status()["FailedStep"] == beginning.split(":")[0]
    assert journal(f"Cannot connect to {url}: {beginning}") == 1
    print(line)


@pytest.mark.parametrize("servers", ["", f"nameserver {THERE}\n", f"nameserver {BEYOND}\n"],
                         ids=["none", "silent", "no-route-to-it"])
def test_name_server_does_not_answer(manager, servers):
    filter_there("udp dport 53 drop;")
    with changed("/etc/resolv.conf", servers + "options timeout:1 attempts:1\n"):
        start(f"ws://{NAME}:{manager.port}/")
        check_told(f"DNS: the name {NAME} cannot be resolved: ", "; no name server answers; check the "
                                                                 "network and /etc/resolv.conf")


@pytest.mark.parametrize("host", ["203.0.113.1", "[2001:db8:1::1]", NAME])
def test_no_route(manager, host):
    with names(manager_example=["203.0.113.1", "203.0.113.2", "2001:db8:1::1"]):
        start(f"ws://{host}:443/")
        check_told("route: ", "; there is no way to it; check the network (ip route);")


def test_refused(manager):
    start(f"ws://{THERE}:1/")
    check_told(f"TCP: {THERE} port 1: Connection refused; ",
               "check the port, firewalls, and whether the server is up")


def test_one_unreachable_one_refused(manager):
    with names(manager_example=["2001:db8:1::1", THERE]):
        start(f"ws://{NAME}:1/")
        check_told(f"TCP: {THERE} port 1: Connection refused, 2001:db8:1::1 port 1: Network is "
                   "unreachable; ", "check the port, firewalls, ")


# Another URL

@pytest.fixture
def second(network):
    manager = Manager(everywhere=True)
    yield manager
    manager.stop()


def test_reload_while_disconnected(manager):
    """The pause before the next attempt is over, too."""
    start(f"ws://{THERE}:1/")
    assert seconds_of_wait(wait_status("Connection refused")) >= 30
    configure(manager.url(THERE))
    clock = Clock()
    reload()
    manager.wait_offer()
    print(f"connected {clock.seconds():.2f} s after `systemctl reload`")
    assert clock.seconds() < RECONNECTED_SEC * LOADED


def test_reload_while_requests_are_open(manager, second):
    """The first manager is told that the agent goes away, the second gets the replies."""
    start_connected(manager)
    manager.request("answered", "heartbeat")
    manager.wait_message("REPLY", "answered")
    with jobs(manager, 2, 10) as (guids, gate):
        configure(second.url(f"[{THERE_6}]"))
        reload()
        wait_for(lambda: manager.closed == 1, "the end of the first connection")
        assert manager.connections[0].get_close_code() == 1001
        second.wait_offer()
        gate.touch()
        for guid in guids:
            assert reply_to(second, guid)["message"] == "o" * 10
        second.ack(second.wait_message("REPLY", "answered"))
        wait_for(lambda: status()["RequestCounts"]["REPLY_ACKED"] == 3, "the last ACK")
    assert len(second.of_type("REPLY")) == 3 and len(manager.of_type("REPLY")) == 1
    assert status()["ManagerUrl"] == second.url(f"[{THERE_6}]")


def test_reload_of_the_same_url_keeps_the_connection(manager):
    start_connected(manager)
    configure(manager.url(THERE))
    reload()
    manager.request("g", "heartbeat")
    manager.wait_message("REPLY", "g")
    assert len(manager.offers) == 1 and not manager.closed
