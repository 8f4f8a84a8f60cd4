# SPDX-License-Identifier: Apache-2.0
"""Proves what a manager does when too many agents come, and when it is drained: who is sent away is told when
to come back, each at another time; and nobody who waits its turn is sent away."""
import contextlib
import json
import pathlib
import re
import resource
import selectors
import signal
import socket
import ssl
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness import DEADLINE
from test_manager import MANAGER, TOKEN, UPGRADE, RawClient, certificate, iterate_until, server, start  # noqa: F401
from test_manager_door import Sourced


def get(server, request):
    """Status, fields and body of the answer."""
    host, port = server.listen.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as connection:
        connection.sendall(request)
        data = b""
        while part := connection.recv(65536):
            data += part
    head, body = data.split(b"\r\n\r\n", 1)
    line, *fields = head.decode().split("\r\n")
    return int(line.split()[1]), dict(f.split(": ", 1) for f in fields), body.decode()


def health(server):
    return get(server, b"GET /health HTTP/1.0\r\nHost: x\r\n\r\n")


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_drain(start):
    """All agents go, one after the other; whoever comes is told when to come back; a restart ends it."""
    server = start("--return-sec=1000")
    agents = [server.agent(token=f"{TOKEN}{i}") for i in range(20)]
    assert health(server)[0::2] == (200, "ok\n")
    assert server.cli("drain", "--within=0.5") == (0, "", "")
    closed = [agent.wait_closed() for agent in agents]
    assert {code for code, _ in closed} == {1001}
    assert {reason for _, reason in closed} == {"the manager is being drained"}
    assert health(server)[0::2] == (503, "draining\n")
    waits = set()
    for _ in range(20):
        status, fields, _ = get(server, UPGRADE)
        assert status == 503
        waits.add(int(fields["Retry-After"]))
    assert all(1 <= wait <= 1000 for wait in waits) and len(waits) > 10
    assert server.cli("drain")[0] == 0  # nobody is left
    assert "20 agents are asked to come back elsewhere or later" in server.log()
    server.stop()
    server.start()
    assert server.agent(token=TOKEN + "0").id == agents[0].id


def test_drain_is_one_after_the_other(server):
    """With a day for it, one of two agents stays; a second drain is done at once; a stop ends a drain."""
    agents = [server.agent(token=f"{TOKEN}{i}") for i in range(3)]
    waiting = server.cli_start("drain", "--within=86400")
    iterate_until(lambda: health(server)[0] == 503, "the drain")
    guid = server.run(agents[2].id, "heartbeat")
    assert agents[2].receive("REQUEST")["request_id"] == guid
    assert not any(agent.closed for agent in agents)
    assert waiting.poll() is None
    assert server.cli("drain", "--within=0.1")[0] == 0
    assert server.finish(waiting)[0] == 0
    assert [agent.wait_closed()[0] for agent in agents] == [1001] * 3


def test_end_during_a_drain(server):
    agent = server.agent()
    waiting = server.cli_start("drain", "--within=86400")
    iterate_until(lambda: health(server)[0] == 503, "the drain")
    assert server.stop() == 0
    assert agent.wait_closed() == (1001, "the manager stops")
    assert server.finish(waiting)[0] in (0, 252)


@pytest.mark.parametrize("option", ["--within=x", "--within=-1", "--handshakes-per-sec=0", "--new-agents-per-sec=nan",
                                    "--return-sec=0"])
def test_wrong_numbers(server, option):
    assert server.cli("drain" if "within" in option else "serve", option)[0] == 2


def test_health_is_not_for_others(server):
    assert get(server, b"GET /healthy HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 426
    assert get(server, b"POST /health HTTP/1.1\r\nHost: x\r\n\r\n")[0::2] == (405, "")
    status, fields, body = get(server, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status, body, fields["Connection"], fields["Content-Length"]) == (200, "ok\n", "close", "3")


def test_new_agents_come_slowly(start):
    """Those that are known do not wait for those that are not; who is sent away is not stored."""
    server = start("--new-agents-per-sec=0.01", "--return-sec=500")
    known = server.agent()
    waits = set()
    for number in range(20):
        client = Sourced(server, "127.0.0.2")
        answer = client.introduce(f"{TOKEN}{number}")
        assert answer["return_code"] == 503 and answer["error_message"] == "too many new agents come at once"
        waits.add(answer["FORCE_BACKOFF"])
        client.close()
    assert all(1 <= wait <= 500 for wait in waits) and len(waits) > 10
    known.close()
    assert server.agent().id == known.id
    assert [a["id"] for a in json.loads(server.cli("agents", "--json")[1])] == [known.id]
    assert server.log().count("come faster than") < 5


def introduced(server, n):
    """Each sends all that it has to say at once."""
    agents = []
    for number in range(n):
        agents.append(Sourced(server, f"127.0.1.{1 + number % 200}"))
        agents[-1].send_text(json.dumps({"token": f"{TOKEN}{number}", "ipv4": ["192.0.2.2"]}), UPGRADE)
    return agents


def read_head(agent):
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := agent.socket.recv(1)):
        head += byte
    return head


def test_a_storm_waits_its_turn(start, many_descriptors):
    """More come at once than handshakes and silent connections have places: none is sent away, also if
    handshakes are few."""
    server = start("--handshakes-per-sec=400", prefix=("prlimit", "--nofile=2400:2400"))
    agents = introduced(server, 900)
    for agent in agents:
        assert read_head(agent).startswith(b"HTTP/1.1 101 ")
    assert {agent.receive_text()["return_code"] for agent in agents} == {200}
    for agent in agents:
        agent.close()
    assert "sent away" not in server.log()


def test_who_finds_the_queue_full_is_told_when_to_come_back(start, many_descriptors):
    """With places for some 150 that wait, and one handshake in a long time: the others get a 503 before the
    manager has read anything of theirs."""
    server = start("--handshakes-per-sec=0.01", "--return-sec=700", prefix=("prlimit", "--nofile=266:266"))
    agents = introduced(server, 400)
    waits, selector = set(), selectors.DefaultSelector()
    for agent in agents:
        selector.register(agent.socket, selectors.EVENT_READ)
    while len(selector.get_map()) > 200:
        for key, _ in selector.select(DEADLINE):
            with contextlib.suppress(ConnectionError):
                head = key.fileobj.recv(4096)
                if head.startswith(b"HTTP/1.1 503 "):
                    waits.add(int(head.split(b"Retry-After: ")[1].split(b"\r\n")[0]))
            selector.unregister(key.fileobj)
    assert len(waits) > 50 and all(1 <= wait <= 700 for wait in waits)
    assert "More agents come than this machine serves" in server.log()
    for agent in agents:
        agent.close()


def families(server):
    code, out, err = server.cli("metrics")
    assert code == 0 and err == "" and out.endswith("# EOF\n")
    return {family.name: family for family in text_string_to_metric_families(out)}


def value(found, name, **labels):
    numbers = [s.value for family in found.values() for s in family.samples if s.name == name and s.labels == labels]
    assert len(numbers) == 1, (name, labels, found)
    return numbers[0]


def test_metrics(start):
    """They are OpenMetrics, and say what has happened."""
    server = start("--new-agents-per-sec=0.01")
    before = families(server)
    agent = server.agent()
    refused = Sourced(server, "127.0.0.2")
    assert refused.introduce(TOKEN + "2")["return_code"] == 503
    guid = server.run(agent.id, "heartbeat")
    request = agent.receive("REQUEST")
    found = families(server)
    assert value(found, "dcm_manager_requests", state="open") == 1
    agent.ack(request)
    iterate_until(lambda: server.show(guid)["state"] == "ACKED", "the acknowledgement")
    assert value(families(server), "dcm_manager_requests", state="acked") == 1
    agent.reply(guid)
    agent.receive("ACK")
    found = families(server)
    for name, n in (("agents_connected", 1), ("agents_known", 1), ("connects_total", 1), ("registrations_total", 1),
                    ("disconnects_total", 0), ("draining", 0), ("orders_total", 1)):
        assert value(found, "dcm_manager_" + name) == n, name
        assert value(before, "dcm_manager_" + name) == 0, name
    assert value(found, "dcm_manager_refusals_total", reason="busy") == 1
    assert value(found, "dcm_manager_requests_ended_total", state="replied") == 1
    assert value(found, "dcm_manager_requests", state="acked") == 0
    buckets = [s for s in found["dcm_manager_commit_seconds"].samples if s.name.endswith("_bucket")]
    assert [s.labels["le"] for s in buckets][-1] == "+Inf"
    assert sorted(s.value for s in buckets) == [s.value for s in buckets]
    assert value(found, "dcm_manager_commit_seconds_bucket", le="+Inf") >= 3
    agent.close()
    refused.close()
    assert server.cli("drain")[0] == 0
    found = families(server)
    assert value(found, "dcm_manager_draining") == 1 and value(found, "dcm_manager_disconnects_total") == 1
    for name, family in found.items():
        assert name.startswith("dcm_manager_") and family.documentation, name
        assert not family.unit or name.endswith("_" + family.unit), name


def test_the_page_scrapes(server, tmp_path):
    """The command of dcm-manager(8) for the textfile collector leaves one whole file, also over an old one."""
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs/man/dcm-manager.8").read_text()
    line = re.search(r"^ExecStart=/bin/sh -c '(.*)'$", page.replace("\\e\n", "\\\n").replace("\\\n", ""), re.M)[1]
    for before, after in (("/var/lib/prometheus/node-exporter", str(tmp_path)),
                          ("dcm-manager metrics", f"{MANAGER} --control={server.control} metrics")):
        assert before in line
        line = line.replace(before, after)
    for _ in range(2):
        subprocess.run(["/bin/sh", "-c", line], check=True)
        text = (tmp_path / "dcm-manager.prom").read_text()
        assert [f for f in text_string_to_metric_families(text) if f.name == "dcm_manager_agents_known"]
        assert not list(tmp_path.glob("dcm-manager.prom?*"))
    server.stop()
    assert subprocess.run(["/bin/sh", "-c", line], stderr=subprocess.DEVNULL).returncode == 252
    assert (tmp_path / "dcm-manager.prom").read_text() == text  # the collector tells its age


def test_who_comes_back_resumes_the_session(start, certificate, tmp_path):
    """Each time, until the manager has another certificate or begins anew."""
    cert = certificate("manager")
    server = start("--cert", str(cert), "--key", str(tmp_path / "key.pem"), tls=True)
    context = ssl.create_default_context(cafile=str(cert))
    host, port = server.listen.rsplit(":", 1)

    def come(session):
        with socket.create_connection((host, int(port)), timeout=DEADLINE) as plain:
            with context.wrap_socket(plain, server_hostname=host, session=session) as secure:
                secure.sendall(UPGRADE)
                assert secure.recv(65536).startswith(b"HTTP/1.1 101 ")
                return secure.session, secure.session_reused

    session, resumed = come(None)
    assert not resumed
    for _ in range(3):
        session, resumed = come(session)
        assert resumed
    server.process.send_signal(signal.SIGHUP)
    iterate_until(lambda: "New connections get the certificate read now" in server.log(), "the reload")
    session, resumed = come(session)
    assert not resumed
    assert come(session)[1]
    server.stop()
    server.start()
    assert not come(session)[1]
