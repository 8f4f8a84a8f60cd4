# SPDX-License-Identifier: Apache-2.0
"""The configuration and the connection: what cannot be used keeps the agent from connecting, also by
`reconnect`; no password is shown; a socket that the kernel destroys ends an attempt and nothing else."""

import shutil
import signal
import socket
import subprocess

import pytest

from harness import DEADLINE, wait_for

PIN = "A" * 43 + "="


def idle(agent, text):
    agent.wait_notify(text)
    assert agent.property("State") == "idle"
    assert text in agent.property("StatusText")


@pytest.mark.parametrize("key, value, text", [
    ("pin", "A" * 70000, "{file}:5: the line of pin is lost: it is too long, or indented"),
    ("pin", ",", "pin in {file}:5 is not base64 of a SHA-256"),
    ("pin", "\udcff", "{file}:5: the value of pin in [connection] is not valid"),
    ("ca_cert", "/" + "x" * 70000, "{file}:5: the line of ca_cert is lost"),
    ("proxy", "http://" + "x" * 70000, "{file}:5: the line of proxy is lost"),
])
def test_guard_that_is_lost_keeps_the_agent_from_connecting(agent, manager, key, value, text):
    agent.configure(manager.url())
    with agent.config.open("a", errors="surrogateescape") as f:
        f.write(f"{key} = {value}\n")
    agent.start()
    idle(agent, text.format(file=agent.config))
    assert not manager.offers


@pytest.mark.parametrize("name, told", [("pin", "pin"), ("p\udcff", "p\ufffd")])
def test_dropin_that_cannot_be_read_keeps_the_agent_from_connecting(agent, manager, name, told):
    """Root reads everything, so it is a directory; whatever its name, the bus is told."""
    agent.configure(manager.url())
    (agent.dropins / f"{name}.conf").mkdir()
    agent.start()
    idle(agent, f"configuration file {agent.dropins}/{told}.conf is a directory; replace it with a file")


@pytest.mark.parametrize("keys, why", [
    ({"pin": "nonsense"}, "is not base64 of a SHA-256"),
    ({"ca_cert": "/nonexistent/ca.pem"}, "cannot be read: /nonexistent/ca.pem: No such file or directory"),
    ({"pins": "x"}, "there is no key pins in [connection]"),
])
def test_unusable_reload_fails_and_the_connection_stays(agent, manager, keys, why):
    agent.configure(manager.url())
    agent.start()
    manager.wait_offer()
    agent.wait_notify("Connected")
    agent.configure(manager.url(), connection=keys, workers={"count": "7"})
    with pytest.raises(subprocess.CalledProcessError) as failed:
        agent.call("Reload")
    assert why in failed.value.stderr
    agent.wait_notify("; the last reload failed, so the previous configuration stays in force: ")
    assert agent.property("State") == "connected" and why in agent.property("StatusText")
    agent.wait_log("The reload failed: ")
    agent.process.send_signal(signal.SIGHUP)
    wait_for(lambda: agent.log.read_text().count("The reload failed: ") == 2, "the same by a signal")
    assert len(manager.offers) == 1 and not manager.closed
    agent.configure(manager.url())
    agent.call("Reload")
    assert "reload" not in agent.property("StatusText") and len(manager.offers) == 1


def test_unusable_start_and_reload_is_not_brought_back_by_reconnect(agent, manager):
    agent.configure(manager.url(), connection={"pin": "first"})
    agent.start()
    idle(agent, "is not base64 of a SHA-256")
    agent.configure(manager.url(), connection={"pins": "second"})
    with pytest.raises(subprocess.CalledProcessError):
        agent.call("Reload")
    idle(agent, "there is no key pins")
    agent.configure(manager.url(), connection={"pin": "third"})
    with pytest.raises(subprocess.CalledProcessError):
        agent.call("Reload")
    idle(agent, "is not base64 of a SHA-256")
    assert "reload" not in agent.property("StatusText"), "there is nothing else in force"
    agent.call("Reconnect")
    idle(agent, "is not base64 of a SHA-256")
    assert agent.property("FailedStep") == "" and agent.property("PeerAddress") == ""
    agent.configure(manager.url())
    agent.call("Reload")
    manager.wait_offer()


def test_reconnect(agent, manager):
    agent.configure(manager.url(), connection={"backoff": "60000", "max_backoff": "60000"})
    agent.start()
    manager.wait_offer()
    agent.call("Reconnect")
    manager.wait_offer(2)
    wait_for(lambda: manager.closed == 1, "the former connection's good-bye")
    assert manager.connections[0].get_close_code() == 1001
    manager.answers.append({"return_code": 503, "FORCE_BACKOFF": 3600})
    manager.close_all()
    agent.call("Reconnect")
    manager.wait_offer(3)
    agent.wait_notify("asked for a pause (503)")
    agent.call("Reconnect")
    manager.wait_offer(4)


def test_password_in_a_refused_url_is_not_shown(agent):
    agent.configure("wss://joe:canary@manager.example/")
    agent.start()
    idle(agent, "user names and passwords in the URL are not supported")
    assert "canary" not in agent.on_bus("introspect") + agent.notifications() + agent.log.read_text()


def test_pins_go_on_in_the_next_lines(agent, manager):
    """They have no meaning without TLS, but are read."""
    agent.configure(manager.url(), connection={"pin": "\n  ".join([PIN] * 8)})
    agent.start()
    manager.wait_offer()
    agent.configure(manager.url(), connection={"pin": "\n  ".join([PIN] * 9)})
    with pytest.raises(subprocess.CalledProcessError) as failed:
        agent.call("Reload")
    assert "has more than 8 values" in failed.value.stderr


def destroy_connections_to(port):
    """ss(8): needs a kernel that can."""
    done = subprocess.run(["ss", "-K", "-tn", "dst", "127.0.0.1", "dport", "=", f":{port}"],
                          capture_output=True, text=True)
    return f":{port}" in done.stdout


def test_socket_that_is_destroyed_while_a_proxy_is_asked(agent):
    """Its error is one that TLS has, too."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(DEADLINE)
        agent.configure("wss://manager.example/",
                        connection={"proxy": f"http://127.0.0.1:{port}", "backoff": "60000"})
        agent.start()
        with server.accept()[0] as client:
            client.settimeout(DEADLINE)
            assert client.recv(7) == b"CONNECT"
            if not shutil.which("ss") or not destroy_connections_to(port):
                pytest.skip("this kernel destroys no sockets")
            agent.wait_notify("proxy: http://127.0.0.1")
    assert agent.process.poll() is None
    assert "Software caused connection abort" in agent.property("StatusText")
