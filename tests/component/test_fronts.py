# SPDX-License-Identifier: Apache-2.0
"""What stands before managers: nginx and haproxy, with TLS, as their packages have them. Through them
requests are answered; when they lose patience, are reloaded or restarted, nothing is lost; and when
there is no manager behind them, the status says what they said. And a manager on another WebSocket
implementation (python3-websockets), which sends fragments and closes in its own ways."""

import asyncio
import contextlib
import json
import ssl
import threading
import time

import pytest
import websockets

from harness import DEADLINE, HANDSHAKE, Manager, free_port, wait_for
from servers import Haproxy, Nginx
from test_states import JOB



def nginx(*arguments, timeout="60s", **options):
    return Nginx(*arguments, more=f"proxy_read_timeout {timeout};", **options)


def haproxy(*arguments, **options):
    return Haproxy(*arguments, mode="http", **options)


def haproxy_tcp(*arguments, **options):
    return Haproxy(*arguments, mode="tcp", **options)


both = pytest.mark.parametrize("make", [nginx, haproxy])
every_front = pytest.mark.parametrize("make", [nginx, haproxy, haproxy_tcp])
every_scheme = pytest.mark.parametrize("scheme", ["ws", "wss"])


def configure(agent, pki, server, host="localhost", **connection):
    agent.configure(server.url(host), connection={"ca_cert": str(pki.root.path), **connection},
                    messaging={"retransmission_timeout": "3600"})


class Requests:
    """A manager's book: what has no ACK is sent again on each new connection, as the protocol wants."""

    def __init__(self, manager):
        self.manager, self.sent, self.acked, self.replies = manager, {}, set(), {}
        self.connections = len(manager.offers)
        manager.on_message = self.take

    def send(self, guid, command="heartbeat", arguments=None):
        self.sent[guid] = command, arguments
        self.manager.request(guid, command, arguments)

    def cancel(self, guid):
        """There is no executor here, so that a job would stay at work for ever."""
        wait_for(lambda: self.repeat() or guid in self.acked, "ACK")
        self.manager.send(type="CANCEL", request_id=guid, message_id="c")

    def take(self, message):
        if message["type"] == "ACK":
            self.acked.add(message["request_id"])
        elif message["type"] == "REPLY":
            self.replies.setdefault(message["request_id"], []).append(message["payload"])
            self.manager.ack(message)

    def repeat(self):
        if self.connections == len(self.manager.offers):
            return
        self.connections = len(self.manager.offers)
        for guid in self.sent.keys() - self.acked:
            self.manager.request(guid, *self.sent[guid])

    def wait(self, *guids):
        def answered():
            self.repeat()
            return self.replies.keys() >= set(guids)

        wait_for(answered, "the answers")


# Through them


@every_scheme
@every_front
def test_requests_and_replies(agent, manager, pki, make, scheme):
    with make(manager.port, pki.good if scheme == "wss" else None) as front:
        configure(agent, pki, front)
        agent.start()
        manager.wait_offer()
        for n in range(20):
            manager.round_trip(f"g{n}")
        manager.request("large", "heartbeat", {"filler": "x" * (6 << 20)})
        manager.wait_message("REPLY", "large")
        assert len(manager.offers) == 1
        assert agent.property("PeerAddress") == f"127.0.0.1 port {front.port}"
        assert bool(agent.property("TlsSession")) == (scheme == "wss")


@every_front
def test_manager_that_closes_behind_it(agent, manager, pki, make):
    with make(manager.port, pki.good) as front:
        configure(agent, pki, front)
        agent.start()
        manager.wait_offer()
        manager.request("g", "heartbeat")
        manager.wait_message("REPLY", "g")
        manager.close_all(1001)
        manager.wait_offer(2)
        manager.wait_message("REPLY", "g", 2)  # it had no acknowledgement
        manager.round_trip("h")


# Their patience


@both
def test_pings_keep_the_connection(agent, manager, pki, make):
    """Twice as long as the front waits for a word."""
    with make(manager.port, pki.good, timeout="1500ms") as front:
        configure(agent, pki, front, heartbeat_frequency="1")
        agent.start()
        manager.wait_offer()
        end = time.monotonic() + 3.1
        wait_for(lambda: manager.closed or time.monotonic() >= end, "time")
        manager.round_trip("g")
        assert len(manager.offers) == 1


@every_front
def test_impatient_front(agent, manager, pki, make):
    """It ends what is silent; each request before, between and after is answered, and the job once."""
    with make(manager.port, pki.good, timeout="1s") as front:
        # a front that ends connections so soon is not stormed, unless it is told so
        configure(agent, pki, front, heartbeat_frequency="60", max_backoff="200")
        agent.start()
        requests = Requests(manager)
        for n in (1, 2, 3):
            manager.wait_offer(n)
            requests.send(f"g{n}")
            requests.wait(f"g{n}")
        requests.send("job", "run_script", JOB)
        manager.wait_offer(4)
        requests.cancel("job")
        requests.wait("job")
        assert len(requests.replies["job"]) == 1
        assert agent.property("FailedStep") in ("connection", "")


# Their reload


@every_front
def test_reload_with_open_requests(agent, manager, pki, make):
    """A stream of requests meanwhile, each sent when another is answered, and a job."""
    with make(manager.port, pki.good) as front:
        configure(agent, pki, front)
        agent.start()
        manager.wait_offer()
        requests = Requests(manager)
        requests.send("job", "run_script", JOB)

        def next_one():
            guid = f"g{len(requests.sent)}"
            requests.send(guid)
            requests.wait(guid)

        for _ in range(20):
            next_one()
        front.reload()
        end = time.monotonic() + DEADLINE
        while len(manager.offers) < 2 and time.monotonic() < end:
            next_one()
        for _ in range(20):
            next_one()
        requests.cancel("job")
        requests.wait(*requests.sent)
        assert len(requests.replies.pop("job")) == 1
        for guid, payloads in requests.replies.items():
            assert all(payload == payloads[0] for payload in payloads), guid
        assert agent.process.poll() is None


@both
def test_reload_with_a_new_certificate(agent, manager, pki, make):
    """A session is not resumed past the authority, and the new certificate is taken at once."""
    with make(manager.port, pki.good) as front:
        configure(agent, pki, front)
        agent.start()
        manager.wait_offer()
        front.bundle.write_text(pki.leaf(issuer=pki.intermediate).bundle())
        front.reload()
        manager.wait_offer(2)
        manager.round_trip("g")


@every_front
def test_restart(agent, manager, pki, make):
    """There is a while with nobody on the port."""
    port = free_port()
    with make(manager.port, pki.good, port=port) as front:
        configure(agent, pki, front)
        agent.start()
        manager.wait_offer()
        manager.request("g", "heartbeat")
        manager.wait_message("REPLY", "g")
    agent.wait_notify("STATUS=Not connected to")
    wait_for(lambda: any(f.startswith("TCP: ") and "Connection refused" in f for f in agent.failures()),
             "a refused connection")
    with make(manager.port, pki.good, port=port):
        manager.wait_offer(2)
        manager.wait_message("REPLY", "g", 2)


# Nobody behind them


@pytest.mark.parametrize("make, status", [(nginx, "502 Bad Gateway"), (haproxy, "503 Service Unavailable")])
@every_scheme
def test_manager_that_is_down(agent, pki, make, status, scheme):
    port = free_port()
    with make(port, pki.good if scheme == "wss" else None) as front:
        configure(agent, pki, front)
        agent.start()
        assert agent.wait_failure(2).startswith(f"HTTP: the server answered {status}; ")
        assert agent.property("FailedStep") == "HTTP"
        assert status in agent.property("StatusText") and status in agent.log.read_text()
        manager = Manager(port=port)  # and there it is
        with contextlib.ExitStack() as stack:
            stack.callback(manager.stop)
            manager.wait_offer()
            manager.round_trip("g")


@pytest.mark.parametrize("status, is_pause", [("503", True), ("429", True), ("500", False)])
def test_front_that_asks_for_a_pause(agent, pki, status, is_pause):
    """Retry-After; not each status has a say."""
    with Nginx(1, more=f"add_header Retry-After 7 always; if ($host) {{ return {status}; }}") as front:
        configure(agent, pki, front)
        agent.start()
        assert agent.wait_failure().startswith(f"HTTP: the server answered {status} ")
        wait = int(agent.notified.split("next attempt in ")[1].split(" s")[0])
        assert wait in ((7, 8) if is_pause else (0,))


@pytest.mark.parametrize("status, more", [
    ("301 Moved Permanently", "return 301 https://localhost/;"),
    ("401 Unauthorized", "return 401;"),
    ("403 Forbidden", "deny all;"),
    ("404 Not Found", "location /agentManager { return 404; }"),
    ("200 OK", "return 200 hello;"),
])
def test_front_that_knows_no_manager(agent, manager, pki, status, more):
    with Nginx(manager.port, pki.good, more) as front:
        configure(agent, pki, front)
        agent.start()
        failure = agent.wait_failure(2)
        assert failure.startswith("HTTP: ") and status in failure and "; " in failure
        assert not manager.connections


@both
def test_ws_to_a_port_with_tls(agent, manager, pki, make):
    with make(manager.port, pki.good) as front:
        configure(agent, pki, front)
        agent.configure(front.url().replace("wss", "ws"))
        agent.start()
        failure = agent.wait_failure(2)
        assert failure.startswith("HTTP: ")
        assert make is haproxy or "400 Bad Request" in failure
        assert "; check agentmanager_url" in failure or "wss://" in failure, "the remedy"


# python3-websockets


class WebsocketsManager:
    """The server's side of the protocol in a thread."""

    def __init__(self, certificate=None):
        self.scheme, self.context = "ws", None
        if certificate:
            self.scheme, self.context = "wss", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate.path, certificate.key_path)
        self.offers, self.received, self.subprotocols = [], [], []
        self.socket = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self.run(self.listen())
        self.port = self.server.sockets[0].getsockname()[1]

    def url(self, host="localhost"):
        return f"{self.scheme}://{host}:{self.port}/agentManager"

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    async def listen(self):
        return await websockets.serve(self.talk, "127.0.0.1", 0, subprotocols=["dcm"], ssl=self.context,
                                      max_size=16 << 20)

    async def talk(self, connection):
        self.subprotocols.append(connection.subprotocol)
        offer = json.loads(await connection.recv())
        await connection.send(json.dumps(HANDSHAKE))
        self.socket = connection
        self.offers.append(offer)
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in connection:
                self.received.append(json.loads(text))

    def send(self, parts=1, **message):
        """In so many fragments."""
        text = json.dumps(message)
        size = -(-len(text) // parts)
        pieces = [text[i:i + size] for i in range(0, len(text), size)]
        self.run(self.socket.send(text if parts == 1 else pieces))

    def ping(self):
        async def ping():
            await (await self.socket.ping())

        self.run(ping())

    def request(self, guid, parts=1, **arguments):
        self.send(parts, type="REQUEST", request_id=guid, message_id=f"m-{guid}",
                  payload={"command": "heartbeat", "arguments": arguments})

    def wait(self, kind, guid, n=1):
        def found():
            return [m for m in self.received if m["type"] == kind and m["request_id"] == guid][n - 1:]

        return wait_for(found, f"{kind} for {guid}")[0]

    def wait_offer(self, n=1):
        wait_for(lambda: len(self.offers) >= n, f"handshake {n}")

    def stop(self):
        async def close():
            self.server.close()
            await self.server.wait_closed()

        self.run(close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture(params=["ws", "wss"])
def other(request, agent, pki):
    manager = WebsocketsManager(pki.good if request.param == "wss" else None)
    try:
        configure(agent, pki, manager)
        agent.start()
        manager.wait_offer()
        yield manager
        agent.stop()
    finally:
        manager.stop()


def test_other_manager(agent, other):
    assert other.subprotocols == ["dcm"]
    assert other.offers[0]["protocol_version"] == 104
    other.request("g")
    assert other.wait("ACK", "g")["agent_id"] == "agent-1"
    reply = other.wait("REPLY", "g")
    assert reply["payload"]["return_code"] == 0
    other.send(type="ACK", request_id="g", message_id=reply["message_id"])
    other.send(type="STATUS", request_id="g", message_id="s")
    assert other.wait("STATUS", "g")["state"] == "REPLY_ACKED"


def test_other_manager_sends_fragments(agent, other):
    other.request("three", parts=3)
    other.wait("REPLY", "three")
    other.request("many", parts=1000, filler="ä€😀" * 1000)
    other.wait("REPLY", "many")
    other.request("large", parts=7, filler="x" * (6 << 20))
    other.wait("REPLY", "large")
    other.ping()
    assert len(other.offers) == 1


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 4000])
def test_other_manager_closes(agent, other, code):
    other.request("g")
    other.wait("REPLY", "g")
    other.run(other.socket.close(code))
    other.wait_offer(2)
    other.wait("REPLY", "g", 2)  # it had no acknowledgement
    assert f"connection: the manager closed the connection (code {code})" in agent.log.read_text()


def test_other_manager_resets(agent, other):
    """Without a closing handshake."""
    other.request("g")
    other.wait("REPLY", "g")
    other.loop.call_soon_threadsafe(other.socket.transport.abort)
    other.wait_offer(2)
    other.wait("REPLY", "g", 2)
