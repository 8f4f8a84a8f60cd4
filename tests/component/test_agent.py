# SPDX-License-Identifier: Apache-2.0
"""The daemon as a manager sees it, over ws: handshake, requests, replies, bad input, restarts."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
import uuid

import pytest

from harness import BUILD, DEADLINE, HANDSHAKE, Manager, free_port, wait_for


def connect(agent, manager, **sections):
    agent.configure(manager.url(), **sections)
    agent.start()
    return manager.wait_offer()


def guid():
    return str(uuid.uuid4())


def test_handshake_has_all_keys(agent, manager):
    offer = connect(agent, manager, features={"hello": "world", "test": "2"})
    assert set(offer) == {
        "ipv4", "ipv6", "agent_id", "token", "vm_instance", "injected_id", "version",
        "protocol_version", "platform", "platform_version", "host_name", "features",
    }
    assert offer["protocol_version"] == 104
    assert offer["agent_id"] is None
    assert isinstance(offer["ipv4"], list) and isinstance(offer["ipv6"], list)
    assert offer["features"]["hello"] == "world" and offer["features"]["test"] == "2"
    assert {"heartbeat", "get_agent_data", "run_script"} <= set(offer["features"]["plugins"])
    assert re.fullmatch(r"[A-Za-z0-9\-_!@#^(),.=+]{30,59}[0-9a-f-]{36}", offer["token"])
    assert (agent.state / "token").stat().st_mode & 0o777 == 0o600
    assert offer["token"] not in agent.log.read_text()


def test_upgrade_request_headers(agent):
    """The request as it is on the wire, taken by a plain socket."""
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        url = f"ws://127.0.0.1:{server.getsockname()[1]}/agentManager?x=1"
        agent.configure(url)
        agent.start()
        data = b""

        def accept():
            try:
                return server.accept()[0]
            except BlockingIOError:
                return None

        client = wait_for(accept, "a connection")
        client.settimeout(DEADLINE)
        while b"\r\n\r\n" not in data:
            data += client.recv(4096)
        client.close()
    head = data.decode().split("\r\n")
    assert head[0] == "GET /agentManager?x=1 HTTP/1.1"
    assert "Sec-WebSocket-Protocol: dcm" in head
    assert "Sec-WebSocket-Version: 13" in head
    assert f"Origin: {url}" in head


def test_ready_without_configuration(agent):
    agent.configure()
    agent.start()
    agent.wait_notify("READY=1")
    assert "Not configured" in agent.notifications()
    assert agent.property("State") == "idle"


def test_ready_without_manager(agent):
    agent.configure(f"ws://127.0.0.1:{free_port()}/")
    agent.start()
    agent.wait_notify("READY=1")
    agent.wait_notify("Connection refused")


def test_heartbeat_from_request_to_ack(agent, manager):
    connect(agent, manager)
    g = guid()
    manager.request(g, "heartbeat")
    reply = manager.wait_message("REPLY", g)
    ack = manager.of_type("ACK", g)
    assert len(ack) == 1 and ack[0]["agent_id"] == "agent-1" and ack[0]["entity"]
    assert manager.received.index(ack[0]) < manager.received.index(reply)
    assert reply["payload"] == {
        "return_code": 0, "reply_type": "string", "reply_object": "STARTING", "message": "",
        "error_message": "",
    }
    assert reply["message_id"] != ack[0]["message_id"]
    manager.ack(reply)
    wait_for(lambda: agent.property("RequestCounts").get("REPLY_ACKED") == 1, "REPLY_ACKED")


def test_agent_data(agent, manager):
    connect(agent, manager)
    g = guid()
    manager.request(g, "get_agent_data")
    payload = manager.wait_message("REPLY", g)["payload"]
    data = payload["reply_object"]
    assert payload["reply_type"] == "agent_data"
    assert data["cpu_count"] == os.cpu_count()
    assert 0 <= data["cpu_load"] <= 100
    total = int(re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read())[1]) * 1024
    assert data["max_ram"] == total and 0 < data["current_ram"] < total
    assert data["processes"] > 1 and data["server_state"] == "OK" and "Linux" in data["platform"]


def test_request_repeated_after_ack_after_reply_and_after_restart(agent, manager):
    connect(agent, manager)
    g = guid()
    manager.request(g, "heartbeat")
    first = manager.wait_message("REPLY", g)
    manager.request(g, "heartbeat")
    second = manager.wait_message("REPLY", g, 2)
    assert second["message_id"] != first["message_id"] and second["payload"] == first["payload"]
    manager.ack(first)
    wait_for(lambda: agent.property("RequestCounts").get("REPLY_ACKED") == 1, "REPLY_ACKED")
    agent.kill()
    agent.start()
    offer = manager.wait_offer(2)
    assert offer["agent_id"] == "agent-1"
    n = len(manager.of_type("REPLY", g))
    manager.request(g, "heartbeat")
    again = manager.wait_message("REPLY", g, n + 1)
    assert again["payload"] == first["payload"]
    assert len(manager.of_type("ACK", g)) == 1


def test_unacknowledged_reply_is_resent_with_its_message_id(agent, manager):
    connect(agent, manager, messaging={"retransmission_timeout": "0.2"})
    g = guid()
    manager.request(g, "heartbeat")
    manager.wait_message("REPLY", g, 3)
    assert len({m["message_id"] for m in manager.of_type("REPLY", g)}) == 1
    manager.ack(manager.of_type("REPLY", g)[0])
    wait_for(lambda: agent.property("RequestCounts").get("REPLY_ACKED") == 1, "REPLY_ACKED")


def test_unacknowledged_reply_survives_kill(agent, manager):
    connect(agent, manager, messaging={"retransmission_timeout": "3600"})
    g = guid()
    manager.request(g, "heartbeat")
    first = manager.wait_message("REPLY", g)
    agent.kill()
    agent.start()
    second = manager.wait_message("REPLY", g, 2)
    assert second["payload"] == first["payload"]


def test_reply_is_sent_once_after_reconnect(agent, manager):
    connect(agent, manager, messaging={"retransmission_timeout": "3600"})
    g = guid()
    manager.request(g, "heartbeat")
    manager.wait_message("REPLY", g)
    manager.close_all()
    manager.wait_offer(2)
    manager.wait_message("REPLY", g, 2)


def test_unknown_command_is_refused_and_stays_refused(agent, manager):
    connect(agent, manager)
    g = guid()
    manager.request(g, "no_such_command")
    nack = manager.wait_message("NACK", g)
    assert "no_such_command is not known" in nack["error_message"] and nack["agent_id"] == "agent-1"
    manager.request(g, "no_such_command")
    manager.wait_message("NACK", g, 2)
    agent.kill()
    agent.start()
    manager.wait_offer(2)
    manager.request(g, "no_such_command")
    manager.wait_message("NACK", g, 3)


@pytest.mark.parametrize("arguments, text", [
    ({}, "mandatory argument 'b64script' is missing"),
    ({"b64script": "!!!", "checksum": "x"}, "'b64script' is not a valid base64"),
    ({"b64script": "aGk=", "checksum": ["x"]}, "'checksum' is not a valid string"),
    ({"b64script": "aGk=", "checksum": None}, "mandatory argument 'checksum' is missing"),
    ({"b64script": "aGk=", "checksum": "00"}, "checksum of the script does not match"),
    ({"b64script": "aGk=", "checksum": "0", "compression": "lzma"}, "not supported"),
    ({"b64script": "aGk=", "checksum": "0", "compression": "gzip"}, "not a valid zlib or gzip"),
    ({"b64script": "aGk=", "checksum": "0", "runUnderSudo": "maybe"},
     "'runUnderSudo' is not a valid boolean"),
    ({"b64script": "aGk=", "checksum": "0", "arguments": "ab"}, "'arguments' is not a valid list"),
])
def test_bad_arguments_are_an_error_reply(agent, manager, arguments, text):
    from urllib.parse import unquote

    connect(agent, manager)
    g = guid()
    # the agent has to know systemd for jobs; a bus without it must not keep it from checking
    manager.request(g, "run_script", arguments)
    payload = manager.wait_message("REPLY", g)["payload"]
    assert payload["return_code"] == 1 and payload["reply_type"] == "void"
    assert text in unquote(payload["error_message"])
    assert not list(agent.jobs.iterdir())


def test_unknown_job_is_told_in_both_texts(agent, manager):
    """The Python agent filled `message`; an error that was raised is in `error_message`."""
    from urllib.parse import unquote

    connect(agent, manager)
    g = guid()
    manager.request(g, "get_job_description", {"jobId": 4711.0})
    payload = manager.wait_message("REPLY", g)["payload"]
    assert (payload["return_code"], payload["reply_type"]) == (1, "void")
    assert payload["message"] == "There is no job with the number 4711"
    assert unquote(payload["error_message"]) == payload["message"]


def test_unknown_argument_is_ignored_with_one_warning(agent, manager):
    from urllib.parse import unquote

    connect(agent, manager)
    g = guid()
    manager.request(g, "heartbeat", {"frobnicate": 1})
    assert manager.wait_message("REPLY", g)["payload"]["return_code"] == 0
    lines = [unquote(m["message"]) for m in manager.of_type("LOG") if m["level"] == "WARNING"]
    assert len([line for line in lines if "frobnicate" in line]) == 1


@pytest.mark.parametrize("text, request_id, reason", [
    ("not json", "DEADBEEF", "not a JSON"),
    ("[]", "DEADBEEF", "not a JSON object"),
    ("null", "DEADBEEF", "not a JSON object"),
    ('{"request_id":"g1"}', "g1", "no type"),
    ('{"type":"WHAT","request_id":"g1"}', "g1", "type"),
    ('{"type":"REPLY","request_id":"g1"}', "g1", "type"),
    ('{"type":"REQUEST","payload":{"command":"heartbeat"}}', "DEADBEEF", "request_id"),
    ('{"type":"REQUEST","request_id":17,"payload":{}}', "DEADBEEF", "request_id"),
    ('{"type":"REQUEST","request_id":"' + "x" * 1025 + '"}', "DEADBEEF", "request_id"),
    ('{"type":"REQUEST","request_id":"g1"}', "g1", "no payload"),
    ('{"type":"REQUEST","request_id":"g1","payload":[]}', "g1", "no payload"),
    ('{"type":"REQUEST","request_id":"g1","payload":{}}', "g1", "no command"),
    ('{"type":"REQUEST","request_id":"g1","payload":{"command":"heartbeat","arguments":[]}}',
     "g1", "not an object"),
    ('{"type":"ACK","request_id":"never-seen"}', "never-seen", "is an unknown ID"),
    ('{"type":"CANCEL","request_id":"never-seen"}', "never-seen", "is an unknown ID"),
    ('{"type":"STATUS","request_id":"never-seen"}', "never-seen", "is an unknown ID"),
    ('{"type":"REQUEST","request_id":"g1","x":' + "[" * 40 + "]" * 40 + "}", "DEADBEEF", "too deep"),
])
def test_bad_input_is_answered_and_the_connection_lives(agent, manager, text, request_id, reason):
    connect(agent, manager)
    manager.send_raw(text)
    nack = manager.wait_message("NACK", request_id)
    assert reason in nack["error_message"]
    g = guid()
    manager.request(g, "heartbeat")
    manager.wait_message("REPLY", g)
    assert len(manager.offers) == 1


@pytest.mark.parametrize("shift", range(4))
def test_what_is_repeated_is_cut_at_characters(agent, manager, shift):
    """Names that are too long to be repeated whole, of characters of four bytes."""
    connect(agent, manager)
    long = "x" * shift + "\U0001f600" * 200
    manager.send(type="CANCEL", request_id=long, message_id="m")
    text = manager.wait_message("NACK", long)["error_message"]
    assert "\ufffd" not in text and long.startswith(text.split()[0]) and len(text.split()[0]) > 60
    g = guid()
    manager.request(g, long)
    text = manager.wait_message("NACK", g)["error_message"]
    assert "\ufffd" not in text and "is not known to this agent" in text
    with pytest.raises(subprocess.CalledProcessError) as failed:
        agent.call("Cancel", "s", long)
    assert "There is no request " + long[:60] in failed.value.stderr


def test_null_arguments_and_absent_arguments(agent, manager):
    connect(agent, manager)
    for payload in ({"command": "heartbeat"}, {"command": "heartbeat", "arguments": None}):
        g = guid()
        manager.send(type="REQUEST", request_id=g, message_id="m", payload=payload)
        assert manager.wait_message("REPLY", g)["payload"]["return_code"] == 0


def test_status_of_an_answered_request(agent, manager):
    connect(agent, manager)
    g = guid()
    manager.request(g, "heartbeat")
    reply = manager.wait_message("REPLY", g)
    manager.send(type="STATUS", request_id=g)
    status = manager.wait_message("STATUS", g)
    assert status["state"] == "REPLY" and status["reply"] == reply["payload"]


def test_request_in_the_segment_of_the_handshake_answer(agent, manager):
    g = guid()

    def on_offer_answered():
        manager.request(g, "heartbeat")

    original = manager.send_raw

    def send_both(text):
        manager.send_raw = original
        original(text)
        on_offer_answered()

    manager.send_raw = send_both
    connect(agent, manager)
    manager.wait_message("REPLY", g)


def test_409_makes_a_new_token(agent, manager):
    manager.answers = [{"return_code": 409}]
    first = connect(agent, manager)
    second = manager.wait_offer(2)
    assert second["token"] != first["token"]
    assert (agent.state / "token").read_text() == second["token"]


def with_identity(**fields):
    return {**HANDSHAKE, "handshake": {**HANDSHAKE["handshake"], **fields}}


@pytest.mark.parametrize("answer, text", [
    ({"return_code": 401}, "401"),
    ({"return_code": 999}, "999"),
    ("no json", "not understood"),
    ({}, "not understood"),
    ({"return_code": 503, "FORCE_BACKOFF": 0.05}, "pause"),
    # what a handshake may not have
    pytest.param(with_identity(agentID="x" * 513), "'agentID' is longer than 512 bytes", id="long"),
    (with_identity(agentID="n\nWATCHDOG=trigger"), "'agentID' has control characters"),
    (with_identity(serverName="n\nWATCHDOG=trigger"), "'serverName' has control characters"),
    (with_identity(serverName="\u009b31m"), "'serverName' has control characters"),
    (with_identity(customerId="a\u0000b"), "'customerId' has control characters"),
    (with_identity(serverId=["x"]), "'serverId' is not a text"),
    pytest.param("[" + "{}," * 80000 + "{}]", "not understood", id="values"),
    pytest.param("x" * (1 << 20), "WebSocket protocol", id="size"),
])
def test_refused_handshake_is_tried_again(agent, manager, answer, text):
    manager.answers = [answer]
    first = connect(agent, manager)
    second = manager.wait_offer(2)
    assert first["token"] == second["token"]
    agent.wait_log(text)
    assert "\nWATCHDOG=" not in agent.notifications()


def test_stored_id_stays_when_another_is_refused(agent, manager):
    """A manager (or who took its place) that tells an id that cannot be one does no lasting harm."""
    manager.answers = [HANDSHAKE, with_identity(agentID="x" * 100000)]
    connect(agent, manager)
    wait_for(lambda: agent.property("AgentId") == "agent-1", "agent-1")
    manager.close_all()
    assert manager.wait_offer(2)["agent_id"] == "agent-1"
    assert manager.wait_offer(3)["agent_id"] == "agent-1"


@pytest.mark.parametrize("stored", ["x" * 100000, "n\nWATCHDOG=trigger"], ids=["long", "lines"])
def test_stored_id_that_cannot_be_one_is_forgotten(agent, manager, stored):
    """As an earlier version may have taken it: the manager is asked by the token alone."""
    connect(agent, manager)
    agent.stop()
    db = sqlite3.connect(agent.state / "requests.db")
    with db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'agent_id'", (stored,))
    db.close()
    agent.start()
    assert manager.wait_offer(2)["agent_id"] is None
    wait_for(lambda: agent.property("AgentId") == "agent-1", "agent-1")


def test_forced_pause_is_never_shorter_than_the_backoff(agent, manager):
    manager.answers = [{"return_code": 503, "FORCE_BACKOFF": 0}] * 3
    connect(agent, manager, connection={"backoff": "400", "max_backoff": "1600"})
    begin = time.monotonic()
    manager.wait_offer(4)
    assert time.monotonic() - begin > (0.4 + 0.8) / 2  # at least: the first may have passed already


def test_changed_agent_id_drops_unsent_replies_and_keeps_guids(agent, manager):
    connect(agent, manager, messaging={"retransmission_timeout": "3600"})
    g = guid()
    manager.request(g, "heartbeat")
    manager.wait_message("REPLY", g)
    other = json.loads(json.dumps(HANDSHAKE))
    other["handshake"]["agentID"] = "agent-2"
    manager.answers = [other]
    manager.close_all()
    assert manager.wait_offer(2)["agent_id"] == "agent-1"
    wait_for(lambda: agent.property("AgentId") == "agent-2", "agent-2")
    assert len(manager.of_type("REPLY", g)) == 1
    manager.request(g, "heartbeat")
    manager.wait_message("REPLY", g, 2)
    assert len(manager.of_type("ACK", g)) == 1


def test_max_at_once_refuses_for_now_alone(agent, manager):
    connect(agent, manager, messaging={"max_at_once": "0"})
    g = guid()
    manager.request(g, "heartbeat")
    assert "can only handle 0" in manager.wait_message("NACK", g)["error_message"]
    agent.configure(manager.url())
    agent.call("Reload")
    manager.request(g, "heartbeat")
    manager.wait_message("REPLY", g)


def test_thousand_requests_in_one_burst(agent, manager):
    connect(agent, manager)
    guids = [guid() for _ in range(1000)]
    manager.on_message = lambda m: m["type"] == "REPLY" and manager.ack(m)
    for g in guids:
        manager.request(g, "heartbeat")
    wait_for(lambda: len(manager.of_type("REPLY")) >= 1000, "1000 replies")
    assert {m["request_id"] for m in manager.of_type("REPLY")} == set(guids)
    wait_for(lambda: agent.property("RequestCounts").get("REPLY_ACKED") == 1000, "all acknowledged")


def test_reload_keeps_and_remakes_the_connection(agent, manager):
    connect(agent, manager)
    agent.wait_notify("Connected to")
    agent.process.send_signal(signal.SIGHUP)
    agent.wait_notify("RELOADING=1")
    agent.wait_log("Configuration reloaded")
    assert len(manager.offers) == 1
    other = Manager()
    try:
        agent.configure(other.url())
        agent.call("Reload")
        other.wait_offer()
        wait_for(lambda: manager.closed == 1, "the old connection to end")
    finally:
        other.stop()


def test_hemlock(agent, manager):
    connect(agent, manager)
    manager.send(type="HEMLOCK", request_id=guid())
    wait_for(lambda: agent.process.poll() is not None, "the end")
    assert agent.process.returncode == 113
    agent.process = None


def test_bus_interface_is_the_one_of_the_xml(agent, manager):
    import xml.etree.ElementTree as xml

    from harness import ROOT

    agent.configure()
    agent.start()
    agent.wait_notify("READY=1")

    def members(node):
        found = set()
        for interface in node.findall("interface"):
            if not interface.get("name").startswith("org.dcmagent"):
                continue
            for m in interface:
                if m.tag == "annotation":
                    continue
                arguments = tuple(
                    (a.get("name"), a.get("type"), a.get("direction", "out"))
                    for a in m.findall("arg")
                )
                emits = [a.get("value") for a in m.findall("annotation")
                         if a.get("name").endswith("EmitsChangedSignal")]
                found.add((interface.get("name"), m.tag, m.get("name"), m.get("type"),
                           m.get("access"), arguments, tuple(emits)))
        return found

    live = json.loads(agent.on_bus("call", "Introspect", interface="org.freedesktop.DBus.Introspectable"))["data"][0]
    contract = (ROOT / "dbus/org.dcmagent.Agent1.xml").read_text()
    assert members(xml.fromstring(live)) == members(xml.fromstring(contract))


def test_no_name_has_two_members_of_an_interface(agent):
    """Clients that make one object of an interface, like cockpit.js, fail if a method has a property's name."""
    import xml.etree.ElementTree as xml
    from collections import Counter

    from harness import ROOT

    agent.configure()
    agent.start()
    agent.wait_notify("READY=1")
    live = json.loads(agent.on_bus("call", "Introspect", interface="org.freedesktop.DBus.Introspectable"))["data"][0]
    sources = {"live": live} | {p.name: p.read_text() for p in (ROOT / "dbus").glob("*.xml")}
    assert len(sources) >= 4
    twice = []
    for source, text in sources.items():
        interfaces = xml.fromstring(text).findall("interface")
        assert any(i.get("name").startswith("org.dcmagent.") and len(i) for i in interfaces), source
        for interface in interfaces:
            names = Counter(m.get("name") for m in interface if m.tag in ("method", "property", "signal"))
            twice += [(source, interface.get("name"), name) for name, n in names.items() if n > 1]
    assert twice == []


def test_properties_on_the_bus(agent, manager):
    connect(agent, manager)
    wait_for(lambda: agent.property("State") == "connected", "connected")
    assert agent.property("ManagerUrl") == manager.url()
    assert agent.property("AgentId") == "agent-1"
    assert agent.property("ServerName") == "web1"
    assert agent.property("ProtocolVersion") == 104
    assert agent.property("ConnectedSinceUSec") > 0
    g = guid()
    manager.request(g, "heartbeat")
    manager.wait_message("REPLY", g)
    requests = json.loads(agent.call("ListRequests", "u", "0"))["data"][0]
    assert [r[:3] for r in requests] == [[g, "heartbeat", "REPLY"]]
    details = json.loads(agent.call("GetRequest", "s", g))["data"][0]
    assert json.loads(details["reply"]["data"])["reply_object"] == "STARTING"
    commands = json.loads(agent.call("ListCommands"))["data"][0]
    assert [c[0] for c in commands] == ["add_repository", "add_user", "backup_data_source",
                                        "backup_paths", "backup_service", "clean_image", "configure_server",
                                        "configure_service", "configure_service_with_ssl", "delete_system_stat",
                                        "fetch_run", "get_agent_data", "get_job_description",
                                        "get_job_output", "get_private_ip_address",
                                        "get_service_state", "get_service_states",
                                        "get_system_stat", "grant_database_access", "heartbeat",
                                        "hold_packages", "init_system_stat", "initialize",
                                        "install_data_source", "install_packages",
                                        "install_service", "list_backups", "list_devices",
                                        "list_packages", "list_schedules", "list_updates", "lock",
                                        "mount_volume", "reboot_required", "reboot_server",
                                        "remove_former",
                                        "remove_packages", "remove_repository", "remove_schedule",
                                        "remove_user", "rename", "resize_volume",
                                        "restore_data_source", "restore_paths", "restore_service",
                                        "revoke_database_access", "run_script", "start_service",
                                        "start_services", "stop_service", "terminate", "unlock",
                                        "unmount_volume", "update_packages", "upgrade",
                                        "upgrade_agent", "verify_backup"]


def test_silent_manager_is_given_up(agent, manager):
    """libsoup answers pings only while its main loop runs, and here it does not."""
    connect(agent, manager, connection={"heartbeat_frequency": "1"})
    agent.wait_notify("Connected to")
    agent.notify.setblocking(True)
    agent.notify.settimeout(DEADLINE)
    while "has been silent" not in agent.notified:
        agent.notified += agent.notify.recv(65536).decode()
    agent.notify.setblocking(False)
    manager.wait_offer(2)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_full_disk_refuses_and_recovers(agent, manager):
    """The state directory is a file system of 1 MiB, in a mount namespace of the agent's own."""
    agent.configure(manager.url())
    agent.start(wrapper=["unshare", "--mount", "--propagation", "private", "sh", "-c",
                         f"mount -t tmpfs -o size=1M tmpfs {agent.state} && exec \"$@\"", "sh"])
    manager.wait_offer()
    state = f"/proc/{agent.process.pid}/root{agent.state}"
    before = guid()
    manager.request(before, "heartbeat")
    manager.wait_message("REPLY", before)
    filler = f"{state}/filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    # small changes still fit into pages that the journal has; a large one does not
    g = guid()
    manager.request(g, "heartbeat", {"filler": "x" * 100000})
    nack = manager.wait_message("NACK", g)
    assert "cannot store the request: No space left on device" in nack["error_message"]
    assert not manager.of_type("ACK", g)
    agent.wait_log("the agent refuses requests until it can")
    os.unlink(filler)
    manager.request(g, "heartbeat", {"filler": "x" * 100000})
    assert manager.wait_message("REPLY", g)["payload"]["return_code"] == 0
    manager.request(before, "heartbeat")
    manager.wait_message("REPLY", before, 2)
    assert len(manager.offers) == 1


def test_damaged_database_is_set_aside(agent, manager):
    connect(agent, manager)
    agent.kill()
    database = agent.state / "requests.db"
    (agent.state / "requests.db-wal").unlink()
    database.write_bytes(b"this is no database" * 1000)
    agent.start()
    manager.wait_offer(2)
    kept = [p for p in agent.state.iterdir() if ".damaged-" in p.name]
    assert len(kept) == 1 and kept[0].read_bytes().startswith(b"this is no database")
    agent.wait_log("is damaged and was moved to")
    assert database.stat().st_mode & 0o777 == 0o600


def test_second_agent_on_one_database_is_refused(agent, manager, bus):
    import subprocess

    connect(agent, manager)
    second = subprocess.run(
        [agent.process.args[0], f"--config={agent.config}", f"--state-directory={agent.state}"],
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus.address}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=DEADLINE)
    assert second.returncode == 1 and "cannot be opened" in second.stderr


def test_second_agent_on_one_bus_is_refused(agent, manager, bus, tmp_path):
    import subprocess

    connect(agent, manager)
    agent.wait_notify("READY=1")
    (tmp_path / "agent.conf").write_text("")
    second = subprocess.run(
        [agent.process.args[0], f"--config={tmp_path}/agent.conf", f"--state-directory={tmp_path}"],
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus.address}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=DEADLINE)
    assert second.returncode == 1 and "another agent owns it" in second.stderr


def test_token_never_leaves_by_log(agent, manager):
    agent.configure(manager.url(), logging={"level": "debug", "console_level": "DEBUG"})
    agent.start()
    token = manager.wait_offer()["token"]
    g = guid()
    manager.request(g, "run_script", {"b64script": "c2VjcmV0LWNhbmFyeQ==", "checksum": "canary"})
    manager.wait_message("REPLY", g)
    agent.stop()
    log = agent.log.read_text()
    assert token not in log and "canary" not in log and "c2VjcmV0" not in log
    assert not [m for m in manager.received if "c2VjcmV0" in json.dumps(m)]


def test_arguments_do_not_stay(agent, manager):
    """Short and long ones, of which a secret may be a part: soon after the reply no file has them."""
    connect(agent, manager)
    for size in (1, 4000, 200_000):
        g = guid()
        manager.request(g, "run_script", {"b64script": "c2VjcmV0LWNhbmFyeQ==" + "QUFB" * size, "checksum": "canary-83561"})
        manager.ack(manager.wait_message("REPLY", g))

    def found():
        return [path for path in agent.state.iterdir() if path.is_file()
                and re.search(rb"canary-83561|c2VjcmV0LWNhbmFyeQ|QUFBQUFBQUFB", path.read_bytes())]

    wait_for(lambda: not found(), "files without arguments")


def test_overlong_configuration_line_is_ignored_whole(agent, manager):
    """Half a URL would name another host."""
    agent.configure(manager.url() + "?" + "x" * 70000)
    agent.start()
    agent.wait_notify(f"{agent.config}:4: the line of agentmanager_url is lost: it is too long, or indented")
    agent.wait_log("is too long; ignored")


def test_change_signals(agent, manager, bus):
    """What changes is signalled: properties, and each request's state."""
    from gi.repository import Gio

    connection = Gio.DBusConnection.new_for_address_sync(
        bus.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
        | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
    properties, requests = {}, []

    def on_properties(_c, _sender, _path, _interface, _signal, parameters):
        interface, changed, _invalidated = parameters.unpack()
        if interface == "org.dcmagent.Agent1.Manager":
            for name, value in changed.items():
                properties.setdefault(name, []).append(value)

    def on_request(_c, _sender, _path, _interface, _signal, parameters):
        requests.append(parameters.unpack())

    for interface, signal_name, callback in (
            ("org.freedesktop.DBus.Properties", "PropertiesChanged", on_properties),
            ("org.dcmagent.Agent1.Manager", "RequestChanged", on_request)):
        connection.signal_subscribe(None, interface, signal_name, "/org/dcmagent/Agent1", None,
                                    Gio.DBusSignalFlags.NONE, callback)
    # the match rules are with the bus when it has answered this
    connection.call_sync("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId", None, None,
                         Gio.DBusCallFlags.NONE, -1, None)
    agent.configure(f"ws://127.0.0.1:{free_port()}/")
    agent.start()
    agent.wait_notify("READY=1")
    agent.configure(manager.url())
    agent.call("Reload")
    manager.wait_offer()
    g = guid()
    manager.request(g, "heartbeat")
    manager.ack(manager.wait_message("REPLY", g))
    wait_for(lambda: (g, "heartbeat", "REPLY_ACKED") in requests, "the last state")
    assert [r[2] for r in requests if r[0] == g] == ["ACKED", "REPLY", "REPLY_ACKED"]
    wait_for(lambda: any(c.get("REPLY_ACKED") == 1 for c in properties.get("RequestCounts", [])),
             "the counts")
    assert "connected" in properties["State"] and "agent-1" in properties["AgentId"]
    assert manager.url() in properties["ManagerUrl"] and max(properties["ConnectedSinceUSec"]) > 0
    connection.close_sync(None)
