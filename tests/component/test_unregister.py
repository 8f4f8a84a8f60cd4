# SPDX-License-Identifier: Apache-2.0
"""An agent whose owner takes it away from its manager: the manager is told, and whatever it answers, or if it does not or is
not there, the agent forgets id and token and ends for good. tests/booted/test-seal has dcm-agentctl."""

import json
import subprocess
import uuid

import pytest

from harness import wait_for
from test_agent import connect


def begin(agent):
    """The call, which is answered later."""
    return subprocess.Popen(["busctl", f"--address={agent.bus.address}", "--json=short", "--timeout=300", "call", "org.dcmagent.Agent1",
                             "/org/dcmagent/Agent1", "org.dcmagent.Agent1.Manager", "Unregister"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(agent, call, told):
    """The agent has answered, and ended."""
    wait_for(lambda: call.poll() is not None, "the answer")
    out, err = call.communicate()
    assert call.returncode == 0, err
    assert json.loads(out)["data"] == [told]
    wait_for(lambda: agent.process.poll() is not None, "the end of the agent")
    assert agent.process.returncode == 113
    agent.process = None
    assert "Stopped for good, as its owner ordered" in agent.notifications()


def comes_as_a_new_one(agent, manager, token):
    agent.start()
    offers = len(manager.offers)
    wait_for(lambda: len(manager.offers) > offers, "the next handshake")
    assert manager.offers[-1]["agent_id"] is None and manager.offers[-1]["token"] != token
    assert (agent.state / "token").read_text() == manager.offers[-1]["token"]


@pytest.mark.parametrize("answer", ["UNREGISTER_ACK", "NACK", "closes", None])
def test_manager_is_told(agent, manager, answer):
    connect(agent, manager)
    wait_for(lambda: agent.property("State") == "connected", "connected")
    token = manager.offers[-1]["token"]
    guid = str(uuid.uuid4())
    manager.request(guid, "heartbeat")
    manager.wait_message("REPLY", guid)  # not acknowledged
    call = begin(agent)
    message = manager.wait_message("UNREGISTER")
    assert message["agent_id"] == "agent-1" and message["request_id"] and message["message_id"]
    manager.send(type="UNREGISTER_ACK", request_id="another", message_id="x")
    if answer == "closes":
        manager.close_all()
    elif answer:
        manager.send(type=answer, request_id=message["request_id"], message_id="x")
    replies = len(manager.of_type("REPLY", guid))
    end(agent, call, answer == "UNREGISTER_ACK")
    assert not [m for m in manager.of_type("NACK") if m["request_id"] == message["request_id"]]  # a NACK is not refused
    if answer == "UNREGISTER_ACK":
        comes_as_a_new_one(agent, manager, token)
        manager.round_trip(str(uuid.uuid4()))
        assert len(manager.of_type("REPLY", guid)) <= replies + 1  # before it ended
        status = json.loads(agent.call("GetRequest", "s", guid))["data"][0]["state"]["data"]
        assert status == "REPLY_NACKED"


def test_without_connection(agent, manager):
    connect(agent, manager)
    wait_for(lambda: agent.property("State") == "connected", "connected")
    token = manager.offers[-1]["token"]
    url = manager.url()
    agent.configure("ws://127.0.0.1:1/")
    agent.call("Reload")
    wait_for(lambda: agent.property("State") != "connected", "the end of the connection")
    end(agent, begin(agent), False)
    agent.configure(url)
    comes_as_a_new_one(agent, manager, token)


def test_twice(agent, manager):
    connect(agent, manager)
    wait_for(lambda: agent.property("State") == "connected", "connected")
    call = begin(agent)
    message = manager.wait_message("UNREGISTER")
    second = begin(agent)
    wait_for(lambda: second.poll() is not None, "the second answer")
    assert second.returncode != 0 and "leaving already" in second.communicate()[1]
    manager.send(type="UNREGISTER_ACK", request_id=message["request_id"], message_id="x")
    end(agent, call, True)


def test_killed_before_the_answer(agent, manager):
    """Nothing is forgotten; the order is given again."""
    connect(agent, manager)
    wait_for(lambda: agent.property("State") == "connected", "connected")
    token = manager.offers[-1]["token"]
    call = begin(agent)
    manager.wait_message("UNREGISTER")
    agent.process.kill()
    agent.process.wait()
    wait_for(lambda: call.poll() is not None, "the error")
    call.communicate()
    offers = len(manager.offers)
    agent.start()
    wait_for(lambda: len(manager.offers) > offers, "the next handshake")
    assert manager.offers[-1]["token"] == token and manager.offers[-1]["agent_id"] == "agent-1"
    wait_for(lambda: agent.property("State") == "connected", "connected")
    call = begin(agent)
    message = wait_for(lambda: manager.of_type("UNREGISTER")[1:], "it is told again")[0]
    manager.send(type="UNREGISTER_ACK", request_id=message["request_id"], message_id="x")
    end(agent, call, True)
