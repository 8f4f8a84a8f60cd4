# SPDX-License-Identifier: Apache-2.0
"""The way through HTTP proxies: squid and tinyproxy, as their packages have them. Where the proxy is
set, for whom it is left out, who may use it, TLS to it and within that; and what is said of those that
are down, refuse, or are no proxies at all. Only these last ones are played by a plain socket.

The password is a canary: nothing that the agent writes or shows may have it."""

import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import socketserver
import subprocess
import threading
import types

import pytest

from harness import BUILD, Agent, Bus, Manager, temporary_directory, wait_for
from servers import Haproxy, Squid, Tinyproxy, own_names

PASSWORD = "canary-48151:@/%"
AUTH = f"agent:{PASSWORD}"
IN_URL = "agent:canary-48151%3A%40%2F%25"
NAME = "one.manager.test"
SECRETS = ["canary", *(base64.b64encode(text.encode()).decode().rstrip("=")[:-1]
                       for text in (AUTH, "agent:canary"))]


@pytest.fixture(scope="module")
def squid(pki):
    with Squid(AUTH, pki.good, [NAME]) as server:
        yield types.SimpleNamespace(**server.ports, connects=server.connects)


@pytest.fixture(scope="module")
def tinyproxy():
    simple = AUTH.replace(PASSWORD, "canary-48151")  # it does not take all characters
    with Tinyproxy() as plain, Tinyproxy(simple) as auth:
        yield types.SimpleNamespace(plain=plain.port, auth=auth.port,
                                    connects=lambda: plain.connects() + auth.connects())


@pytest.fixture(params=["squid", "tinyproxy"])
def proxy(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["ws", "wss"])
def any_manager(request, pki):
    manager = Manager((pki.good.path, pki.good.key_path) if request.param == "wss" else None)
    yield manager
    manager.stop()


def credentials(proxy, in_url=False):
    """What a proxy accepts."""
    if hasattr(proxy, "tls"):
        return IN_URL if in_url else AUTH
    return "agent:canary-48151"


def address(port, user="", scheme="http"):
    return f"{scheme}://{user}{'@' if user else ''}localhost:{port}"


def configure(agent, pki, manager, host="localhost", **connection):
    connection = {"ca_cert": pki.root.path, **connection}
    agent.configure(manager.url(host), logging={"level": "debug"},
                    connection={key: str(value) for key, value in connection.items()})


def connected(agent, manager, names=(), **environment):
    agent.start(own_names(agent.directory, "localhost", *names), **environment)
    manager.wait_offer()
    manager.round_trip("g")


def run(agent, *command, **environment):
    program = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": agent.bus.address, **environment})
    assert program.returncode in (0, 1, 3), program.stderr
    return program.stdout + program.stderr


def agentctl(agent, *arguments):
    agent.wait_name()
    return run(agent, BUILD / "src/dcm-agentctl/dcm-agentctl", *arguments)


def doctor(agent, names, **environment):
    agent.directory.chmod(0o755)  # it is for the agent's user, if there is one
    return run(agent, *names, BUILD / "src/dcm-doctor/dcm-doctor", f"--config={agent.config}",
               f"--config-directory={agent.dropins}", f"--state-directory={agent.state}", **environment)


def written(agent):
    command_line = pathlib.Path(f"/proc/{agent.process.pid}/cmdline").read_text()
    return agent.log.read_text() + agent.notifications() + command_line


def keeps_the_secret(agent):
    """Whatever can be seen of the agent."""
    everything = written(agent) + agent.on_bus("call", "GetAll", "s", "org.dcmagent.Agent1.Manager",
                                               interface="org.freedesktop.DBus.Properties")
    for words in (["status"], ["status", "--json"]):
        everything += agentctl(agent, *words)
    assert not [secret for secret in SECRETS if secret in everything]


def failed(agent, text, n=3, **environment):
    """`text` is a pattern, of all attempts and of what the doctor says."""
    names = own_names(agent.directory, "localhost")
    agent.start(names, **environment)
    agent.wait_failure(n)
    for failure in agent.failures():
        assert re.fullmatch(text, failure), f"\n{failure}\n{text}"
    assert re.search(text, agent.property("StatusText"))
    assert re.search(text, agent.log.read_text())
    keeps_the_secret(agent)
    diagnosis = doctor(agent, names, **environment)
    assert re.search("^FAILED .* " + text.split(": ", 1)[1], diagnosis, re.M), diagnosis
    assert not [secret for secret in SECRETS if secret in diagnosis]


# Through it


def test_through_a_proxy(agent, any_manager, pki, proxy):
    n = len(proxy.connects())
    configure(agent, pki, any_manager, proxy=address(proxy.plain))
    connected(agent, any_manager)
    assert proxy.connects()[n:] == [f"localhost:{any_manager.port}"]
    assert agent.property("Proxy") == address(proxy.plain)
    assert agent.property("PeerAddress") == f"127.0.0.1 port {proxy.plain}"
    assert f"{address(proxy.plain)}\n" in agentctl(agent, "status")
    assert json.loads(agentctl(agent, "status", "--json"))["Proxy"] == address(proxy.plain)


def test_the_proxy_resolves_the_name(agent, manager, pki, squid):
    """The agent's machine does not know it."""
    n = len(squid.connects())
    with Haproxy(manager.port, pki.leaf(names=[NAME])) as front:
        configure(agent, pki, front, NAME, proxy=address(squid.plain))
        connected(agent, manager)
        front.wait_log(f'sni="{NAME}"')
        assert squid.connects()[n:] == [f"{NAME}:{front.port}"]


def test_reconnects_through_a_proxy(agent, any_manager, pki, proxy):
    configure(agent, pki, any_manager, proxy=address(proxy.plain))
    connected(agent, any_manager)
    for n in (2, 3):
        any_manager.close_all()
        any_manager.wait_offer(n)
        any_manager.round_trip(f"g{n}")


# Who may use it


def by_url(agent, proxy):
    return {"proxy": address(proxy.auth, credentials(proxy, in_url=True))}, {}


def by_file(agent, proxy):
    path = agent.directory / "secret"
    path.write_text(credentials(proxy) + "\n")
    path.chmod(0o600)
    return {"proxy": address(proxy.auth), "proxy_auth": path}, {}


def by_credential(agent, proxy):
    by_file(agent, proxy)
    return ({"proxy": address(proxy.auth), "proxy_auth": "credential:secret"},
            {"CREDENTIALS_DIRECTORY": str(agent.directory)})


def by_environment(agent, proxy):
    return {}, {"http_proxy": address(proxy.auth, credentials(proxy, in_url=True))}


def by_both(agent, proxy):
    """What is configured is for the proxy of the environment too."""
    return by_file(agent, proxy)[0] | {"proxy": ""}, {"http_proxy": address(proxy.auth)}


@pytest.mark.parametrize("source", [by_url, by_file, by_credential, by_environment, by_both])
def test_authentication(agent, manager, pki, proxy, source):
    connection, environment = source(agent, proxy)
    configure(agent, pki, manager, **connection)
    connected(agent, manager, **environment)
    assert agent.property("Proxy") == address(proxy.auth)
    keeps_the_secret(agent)


@pytest.mark.parametrize("user", ["", "agent:canary-wrong", "canary-nobody:canary"])
def test_wrong_authentication(agent, manager, pki, proxy, user):
    configure(agent, pki, manager, proxy=address(proxy.auth, user))
    failed(agent, f"proxy: {address(proxy.auth)}: it answered (407 Proxy Authentication Required|401 "
           "Unauthorized); set or correct proxy_auth")
    assert agent.property("FailedStep") == "proxy"
    assert not manager.connections


@pytest.mark.parametrize("content, reason", [
    (None, "cannot be read: No such file or directory"),
    ("", "is not usable: the authentication is not one line user:password"),
    ("canary", "is not usable: the authentication is not one line user:password"),
    ("agent:canary\nagent:canary\n", "is not usable: the authentication is not one line user:password"),
])
def test_proxy_auth_that_cannot_be_used(agent, manager, pki, squid, content, reason):
    path = agent.directory / "secret"
    if content is not None:
        path.write_text(content)
    configure(agent, pki, manager, proxy=address(squid.auth), proxy_auth=path)
    agent.start()
    agent.wait_notify(f"STATUS=proxy_auth {path} {reason}")
    agent.wait_log(f"proxy_auth {path} {reason}")
    assert agent.property("State") == "idle"
    keeps_the_secret(agent)


def test_proxy_auth_is_read_again_on_reload(agent, manager, pki, squid):
    path = agent.directory / "secret"
    path.write_text("agent:canary")
    configure(agent, pki, manager, proxy=address(squid.auth), proxy_auth=path)
    failed(agent, "proxy: .* 407 .*", n=1)
    path.write_text(AUTH)
    agent.call("Reload")
    manager.wait_offer()
    keeps_the_secret(agent)


@pytest.mark.parametrize("value, reason", [
    (f"socks5://{IN_URL}@localhost:1080", "it must begin with http:// or https://"),
    (f"http://{IN_URL}@localhost:99999", ".*port.*"),
    (f"http://{IN_URL}@", ".*"),
    (f"http://{IN_URL}@localhost:3128/path", "a proxy's URL has no path"),
    ("http://canary@localhost:3128", "the authentication is not one line user:password"),
])
@pytest.mark.parametrize("where", ["proxy", "http_proxy"])
def test_proxy_that_is_no_url(agent, manager, pki, where, value, reason):
    """The agent does not go past a proxy that somebody wanted."""
    configure(agent, pki, manager, **({"proxy": value} if where == "proxy" else {}))
    agent.start(**({where: value} if where != "proxy" else {}))
    named = f"{where} in .*/agent.conf:[0-9]+" if where == "proxy" else f"{where} in the environment"
    wait_for(lambda: re.search(f"STATUS={named} is not usable: {reason}", agent.notifications()), "it")
    assert not manager.connections
    keeps_the_secret(agent)


# Where it is set

FOR_WS = ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"]
FOR_WSS = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]


@pytest.mark.parametrize("name", sorted({*FOR_WS, *FOR_WSS}))
def test_environment(agent, any_manager, pki, squid, name):
    n = len(squid.connects())
    configure(agent, pki, any_manager)
    connected(agent, any_manager, **{name: address(squid.plain)})
    is_used = name in (FOR_WSS if any_manager.certificate else FOR_WS)
    assert len(squid.connects()) - n == is_used
    assert agent.property("Proxy") == (address(squid.plain) if is_used else "")


@pytest.mark.parametrize("name", ["proxy", "https_proxy"])
def test_the_more_special_setting_decides(agent, any_manager, pki, squid, tinyproxy, name):
    n = len(squid.connects()), len(tinyproxy.connects())
    configure(agent, pki, any_manager, **({"proxy": address(squid.plain)} if name == "proxy" else {}))
    environment = {"all_proxy": address(tinyproxy.plain)}
    if name != "proxy":
        environment |= {"https_proxy": address(squid.plain), "http_proxy": address(squid.plain)}
    connected(agent, any_manager, **environment)
    assert (len(squid.connects()), len(tinyproxy.connects())) == (n[0] + 1, n[1])


@pytest.mark.parametrize("value", ["none", "None"])
def test_none(agent, any_manager, pki, value):
    configure(agent, pki, any_manager, proxy=value)
    connected(agent, any_manager, HTTPS_PROXY="http://localhost:1", http_proxy="http://localhost:1")
    assert agent.property("Proxy") == ""


NO_PROXY = [  # list, host of the URL, whether that is left out
    ("localhost", "localhost", True),
    ("LOCALHOST", "localhost", True),
    ("local", "localhost", False),
    ("host", "localhost", False),
    ("localhost:{port}", "localhost", True),
    ("localhost:1", "localhost", False),
    ("manager.test", NAME, True),
    (".manager.test", NAME, True),
    ("*.manager.test", NAME, True),
    ("test", NAME, True),
    ("anager.test", NAME, False),
    ("two.manager.test", NAME, False),
    ("two.manager.test,one.manager.test", NAME, True),
    ("two.manager.test one.manager.test", NAME, True),
    (" , two.manager.test ,, one.manager.test , ", NAME, True),
    ("127.0.0.1", "127.0.0.1", True),
    ("127.0.0.1:{port}", "127.0.0.1", True),
    ("127.0.0.1:1", "127.0.0.1", False),
    ("127.0.0.0/8", "127.0.0.1", True),
    ("127.0.0.1/32", "127.0.0.1", True),
    ("127.0.0.2/31", "127.0.0.1", False),
    ("10.0.0.0/8 ::1 fe80::/10", "127.0.0.1", False),
    ("127.0.0.0/33", "127.0.0.1", False),
    ("0.0.0.0/0", "127.0.0.1", True),
    ("127.0.0.1 127.0.0.0/8", "localhost", False),  # names are not looked up for this
    ("*", "localhost", True),
    ("*", "127.0.0.1", True),
    ("", "localhost", False),
]


@pytest.mark.parametrize("entries, host, is_left_out", NO_PROXY)
def test_no_proxy(agent, manager, pki, squid, entries, host, is_left_out):
    """Each by the key, with the proxy from the environment."""
    n = len(squid.connects())
    configure(agent, pki, manager, host, no_proxy=entries.format(port=manager.port))
    connected(agent, manager, [NAME], http_proxy=address(squid.plain))
    assert squid.connects()[n:] == ([] if is_left_out else [f"{host}:{manager.port}"])
    assert agent.property("Proxy") == ("" if is_left_out else address(squid.plain))


@pytest.mark.parametrize("environment, key, is_left_out", [
    ({"NO_PROXY": "localhost"}, None, True),
    ({"no_proxy": "localhost"}, None, True),
    ({"NO_PROXY": "elsewhere", "no_proxy": "localhost"}, None, False),
    ({"NO_PROXY": "localhost"}, "elsewhere", False),
    ({"NO_PROXY": "elsewhere"}, "localhost", True),
])
def test_no_proxy_of_the_environment(agent, manager, pki, squid, environment, key, is_left_out):
    n = len(squid.connects())
    configure(agent, pki, manager, proxy=address(squid.plain), **({"no_proxy": key} if key else {}))
    connected(agent, manager, **environment)
    assert len(squid.connects()) - n == (not is_left_out)


@pytest.mark.parametrize("entries", ["::1", "[::1]", "::/64", "[::1]:{port}"])
def test_no_proxy_for_ipv6(agent, manager, pki, squid, entries):
    with Haproxy(manager.port, pki.good, host="::1") as front:
        configure(agent, pki, front, "[::1]", proxy=address(squid.plain),
                  no_proxy=entries.format(port=front.port))
        connected(agent, manager)
        assert agent.property("Proxy") == ""


def test_reload_with_another_proxy(agent, manager, pki, squid, tinyproxy):
    n = len(tinyproxy.connects())
    configure(agent, pki, manager, proxy=address(squid.plain))
    connected(agent, manager)
    configure(agent, pki, manager, proxy=address(tinyproxy.plain))
    agent.call("Reload")
    manager.wait_offer(2)
    assert len(tinyproxy.connects()) == n + 1
    configure(agent, pki, manager, proxy="none")
    agent.call("Reload")
    manager.wait_offer(3)
    manager.round_trip("direct")
    assert agent.property("Proxy") == ""


# TLS to the proxy


@pytest.mark.parametrize("user", ["", IN_URL], ids=["open", "with authentication"])
def test_tls_to_squid(agent, any_manager, pki, squid, user):
    port = squid.tls_auth if user else squid.tls
    n = len(squid.connects())
    configure(agent, pki, any_manager, proxy=address(port, user, "https"), proxy_ca_cert=pki.root.path)
    connected(agent, any_manager)
    assert squid.connects()[n:] == [f"localhost:{any_manager.port}"]
    assert agent.property("Proxy") == address(port, scheme="https")
    assert bool(agent.property("TlsSession")) == bool(any_manager.certificate)
    keeps_the_secret(agent)


def test_tls_within_tls(agent, pki, tinyproxy):
    """Other authorities for the proxy than for the manager, a pin that is the manager's alone, large
    messages, and a session with the manager that is resumed."""
    with contextlib.ExitStack() as stack:
        manager = Manager((pki.good.path, pki.good.key_path))
        stack.callback(manager.stop)
        front = stack.enter_context(Haproxy(tinyproxy.plain, pki.leaf(issuer=pki.other)))
        configure(agent, pki, manager, proxy=address(front.port, scheme="https"), pin=pki.good.pin(),
                  proxy_ca_cert=pki.other.path)
        connected(agent, manager)
        front.wait_log('sni="localhost"')
        manager.request("large", "heartbeat", {"filler": "x" * (6 << 20)})
        manager.wait_message("REPLY", "large")
        manager.close_all()
        manager.wait_offer(2)
        manager.round_trip("again")
        assert agent.property("TlsSession")


def test_client_certificate_through_a_proxy(agent, manager, pki, squid):
    """It is the manager's business, and not the proxy's."""
    asks = f"verify optional ca-file {pki.root.path}"
    with Haproxy(squid.plain, pki.good, asks) as outer, Haproxy(manager.port, pki.good, asks) as inner:
        configure(agent, pki, inner, proxy=address(outer.port, scheme="https"),
                  proxy_ca_cert=pki.root.path, client_cert=pki.client.path,
                  client_key=pki.client.key_path)
        connected(agent, manager)
        inner.wait_log('client="client"')
        outer.wait_log('sni="localhost" client=""')


@pytest.mark.parametrize("name, authority, text", [
    ("localhost", "other", "the certificate of localhost is signed by an authority that is not trusted "
     "here; set proxy_ca_cert, or have the server send its whole chain \\(the last one it sent was "
     "signed by 'root'\\)"),
    ("localhost", None, "the certificate of localhost is signed by an authority that is not trusted here; "
     "set proxy_ca_cert, or have the server send its whole chain \\(the last one it sent was signed by "
     "'root'\\)"),
    ("elsewhere", "root", "the certificate of localhost is for another host name \\(elsewhere\\); check "
     "proxy"),
], ids=["another authority", "no authority", "another name"])
def test_certificate_of_the_proxy(agent, manager, pki, squid, name, authority, text):
    with Haproxy(squid.plain, pki.leaf(names=[name])) as front:
        trust = {"proxy_ca_cert": getattr(pki, authority).path} if authority else {}
        configure(agent, pki, manager, proxy=address(front.port, IN_URL, "https"), **trust)
        failed(agent, f"proxy: {address(front.port, scheme='https')}: {text}")
        assert not front.log().count("sni="), "it has spoken to the proxy"


@pytest.mark.parametrize("made_for, scheme, text", [
    ("plain", "https", "localhost does not speak TLS on this port; is it an http:// proxy\\?"),
    ("tls", "http", "it .*"),
])
def test_wrong_scheme(agent, manager, pki, squid, made_for, scheme, text):
    port = getattr(squid, made_for)
    configure(agent, pki, manager, proxy=address(port, scheme=scheme), proxy_ca_cert=pki.root.path)
    failed(agent, f"proxy: {address(port, scheme=scheme)}: {text}")


# Proxies that do not do it


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_proxy_that_is_down(agent, manager, pki):
    port = closed_port()
    configure(agent, pki, manager, proxy=address(port, IN_URL))
    failed(agent, f"proxy: {address(port)}: 127.0.0.1 port {port}: Connection refused; check the port, "
           "firewalls, and whether the server is up")
    assert agent.property("FailedStep") == "proxy"


def test_proxy_with_an_unknown_name(agent, manager, pki):
    configure(agent, pki, manager, proxy=f"http://{IN_URL}@proxy.test:3128")
    failed(agent, "proxy: http://proxy.test:3128: the name proxy.test cannot be resolved: Name or service "
           "not known; check the spelling")
    assert agent.property("FailedStep") == "proxy"


def test_manager_that_the_proxy_forbids(agent, pki, squid):
    agent.configure("ws://forbidden.test:80/", connection={"proxy": address(squid.plain)})
    failed(agent, f"proxy: {address(squid.plain)}: it answered 403 Forbidden; have it allow the manager's "
           "name and port")


def test_manager_that_the_proxy_cannot_reach(agent, pki, proxy):
    agent.configure(f"ws://localhost:{closed_port()}/", connection={"proxy": address(proxy.plain)})
    failed(agent, f"proxy: {address(proxy.plain)}: it answered 50[023] .*; it cannot reach the manager")


class RawProxy(socketserver.ThreadingTCPServer):
    """Takes a request, and answers with these bytes; None: never."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, answer, closes=True):
        self.answer, self.closes, self.requests = answer, closes, []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), None)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()

    def finish_request(self, request, _address):
        head = b""
        with contextlib.suppress(ConnectionError):
            while b"\r\n\r\n" not in head:
                data = request.recv(65536)
                if not data:
                    return
                head += data
            self.requests.append(head.decode())
            request.sendall(self.answer or b"")
            if self.closes and self.answer is not None:
                request.shutdown(socket.SHUT_WR)
            while not self.over.is_set() and request.recv(65536):
                pass

    def __exit__(self, *_):
        self.over.set()
        self.shutdown()
        self.server_close()


OK = b"HTTP/1.1 200 Connection established\r\n"
BAD = {
    "502": (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "it answered 502 Bad Gateway; it cannot reach the manager"),
    "405": (b"HTTP/1.1 405 Method Not Allowed\r\n\r\n",
            "it answered 405 Method Not Allowed; it must allow CONNECT"),
    "301": (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
            "it answered 301 Moved; check proxy"),
    "407 without Basic": (
        b"HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n",
        "it answered 407 Who are you; only Basic authentication is supported here"),
    "an answer with control characters": (
        b"HTTP/1.1 500 \x1b[31mred\x07\r\n\r\n",
        r"it answered 500 \?\[31mred\?; it cannot reach the manager"),
    "garbage": (bytes(range(256)) * 300, r"the head of its answer is too long; is it an HTTP proxy\?"),
    "SSH": (b"SSH-2.0-server\r\n\r\n", "it does not speak HTTP; check proxy, and whether it is https://"),
    "an alert of TLS": (b"\x15\x03\x01\x00\x02\x02\x46",
                        r"it closed the connection; is it an HTTP proxy\?"),
    "the end": (b"", r"it closed the connection; is it an HTTP proxy\?"),
    "half a head": (OK, r"it closed the connection; is it an HTTP proxy\?"),
    "a head of 100 KiB": (OK + b"x: " + b"y" * (100 << 10) + b"\r\n\r\n",
                          r"the head of its answer is too long; is it an HTTP proxy\?"),
    "a head without an end": (OK + b"x: y\r\n" * 20000,
                              r"the head of its answer is too long; is it an HTTP proxy\?"),
    "data behind the head": (OK + b"\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
                             r"it sent data of its own behind its answer; is it an HTTP proxy\?"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_answer(agent, manager, pki, name):
    answer, text = BAD[name]
    with RawProxy(answer) as server:
        configure(agent, pki, manager, proxy=address(server.port, IN_URL))
        failed(agent, f"proxy: {address(server.port)}: {text}")
        secret = base64.b64encode(AUTH.encode()).decode()
        target = f"localhost:{manager.port}"
        for request in server.requests:
            assert request.startswith(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n")
            assert f"\r\nProxy-Authorization: Basic {secret}\r\n" in request
            assert "GET" not in request and "Sec-WebSocket" not in request
        assert not manager.connections


def test_tunnel_to_something_else(agent, pki, manager):
    """What is behind the proxy is the manager's fault, and not the proxy's."""
    with RawProxy(OK + b"\r\n", closes=True) as server:
        configure(agent, pki, manager, proxy=address(server.port))
        failed(agent, "HTTP: .*")
        assert agent.property("FailedStep") == "HTTP"


def test_password_goes_to_the_proxy_alone(agent, pki, squid):
    with RawProxy(b"HTTP/1.1 404 Not Found\r\n\r\n") as manager:  # a manager that prints its requests
        agent.configure(f"ws://localhost:{manager.port}/", connection={
            "proxy": address(squid.auth, IN_URL)})
        agent.start()
        assert "404" in agent.wait_failure()
        assert manager.requests and "roxy-" not in "".join(manager.requests)


@pytest.fixture(scope="module", autouse=True)
def patient():
    """An agent whose proxy says nothing at all; it waits while the other tests run."""
    with contextlib.ExitStack() as stack:
        directory = temporary_directory()
        stack.callback(shutil.rmtree, directory)
        bus = Bus(directory)
        stack.callback(bus.stop)
        server = stack.enter_context(RawProxy(None))
        agent = Agent(bus, directory)
        stack.callback(agent.close)
        stack.callback(lambda: agent.process and agent.kill())
        agent.configure("ws://localhost:1/", connection={"proxy": address(server.port, IN_URL)})
        agent.start()
        yield agent, server
        agent.stop()


def test_proxy_that_says_nothing(patient):
    agent, server = patient
    text = f"proxy: {address(server.port)}: it does not answer; is it an HTTP proxy?"
    assert agent.wait_failure() == text
    agent.wait_log(text)
    keeps_the_secret(agent)
