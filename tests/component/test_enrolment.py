# SPDX-License-Identifier: Apache-2.0
"""Proves who becomes an agent of dcm-manager: in each mode, by an operator's hand or by an enrolment token, and what
is taken back again; and that no stranger comes in, whatever it claims and however often it asks."""
import json
import sqlite3
import contextlib

import pytest

from test_manager import TOKEN, Agent, server, start  # noqa: F401


def ask(server, **keys):
    agent = Agent(server.url)
    answer = agent.handshake(**keys)
    if answer["return_code"] != 200:
        agent.wait_closed()
    return answer


def listed(server, *arguments):
    code, out, err = server.cli(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def token(server, *options):
    made = listed(server, "enrol-token", "new", *options)
    assert set(made) == {"id", "secret", "expires"}
    return made["id"], made["secret"]


@pytest.fixture
def approving(start):
    return start("--enrolment=approve")


def test_default_is_to_approve(start, tmp_path):
    server = start(f"--config={tmp_path}/none")
    assert ask(server)["return_code"] == 401 and "Enrolment of new agents: approve" in server.log()


def test_an_agent_waits_until_it_is_accepted(approving):
    answer = ask(approving, vm_instance="i-1", injected_id="x", host_name="web1")
    assert answer["return_code"] == 401
    row, = listed(approving, "agents", "--waiting")
    assert f"waits for the approval of an operator: 'dcm-manager accept {row['id']}'" in answer["error_message"]
    assert row["fingerprint"][:16] in answer["error_message"]
    assert (row["host_name"], row["vm_instance"], row["injected_id"]) == ("web1", "i-1", "x")
    assert listed(approving, "agents") == []
    ask(approving)
    again, = listed(approving, "agents", "--waiting")
    assert again["id"] == row["id"] and again["first_seen"] == row["first_seen"] < again["last_seen"]
    assert approving.cli("accept", row["id"], "--name", "web1")[:2] == (0, row["id"] + "\n")
    assert listed(approving, "agents", "--waiting") == []
    handshake = ask(approving)["handshake"]
    assert (handshake["agentID"], handshake["serverName"]) == (row["id"], "web1")


def test_accept_by_fingerprint_and_what_is_ambiguous_or_taken(approving):
    ask(approving), ask(approving, token=TOKEN + "2")
    first, second = sorted(listed(approving, "agents", "--waiting"), key=lambda r: r["first_seen"])
    assert approving.cli("accept", first["fingerprint"][:8])[0] == 253
    assert approving.cli("accept", "agent-")[0] == 254
    assert approving.cli("accept", first["fingerprint"][:16], "--name", "web1")[0] == 0
    assert approving.cli("accept", second["id"], "--name", "web1")[0] == 254
    assert len(listed(approving, "agents", "--waiting")) == 1


def test_rejected_until_it_is_accepted(approving):
    ask(approving)
    row, = listed(approving, "agents", "--waiting")
    assert approving.cli("reject", row["id"])[0] == 0
    assert ask(approving)["error_message"] == "an operator has rejected this agent"
    assert approving.cli("accept", row["id"])[0] == 0
    assert ask(approving)["return_code"] == 200


def test_revoke_forget(approving):
    ask(approving)
    row, = listed(approving, "agents", "--waiting")
    approving.cli("accept", row["id"])
    agent = approving.agent()
    guid = approving.run(agent.id, "heartbeat")
    assert approving.cli("revoke", agent.id)[0] == 0
    assert agent.wait_closed()[0] == 1008
    assert "revoked" in ask(approving)["error_message"]
    assert listed(approving, "agents")[0]["revoked"]
    assert approving.cli("accept", agent.id)[0] == 0 and approving.cli("accept", agent.id)[0] == 254
    agent = approving.agent()
    assert approving.cli("forget", agent.id)[0] == 0
    assert agent.wait_closed()[0] == 1008 and listed(approving, "agents") == []
    assert approving.show(guid)["state"] == "NACKED"
    assert "waits for the approval" in ask(approving)["error_message"]


def test_replace(approving):
    ask(approving)
    row, = listed(approving, "agents", "--waiting")
    approving.cli("accept", row["id"], "--name", "db1")
    old = approving.agent(vm_instance="i-1")
    sent = approving.run(old.id, "heartbeat")
    assert old.receive("REQUEST")["request_id"] == sent
    assert ask(approving, token=TOKEN + "2", vm_instance="i-2")["return_code"] == 401
    newer, = listed(approving, "agents", "--waiting")
    assert approving.cli("replace", "db1", newer["id"])[0] == 254  # it is connected
    old.close()
    queued = None
    assert approving.cli("replace", "db1", newer["id"])[0] == 0
    answer = ask(approving, token=TOKEN + "2", vm_instance="i-2")["handshake"]
    assert (answer["agentID"], answer["serverName"]) == (old.id, "db1")
    assert approving.show(sent)["state"] == "NACKED" and queued is None
    assert "waits" in ask(approving)["error_message"]


@pytest.mark.parametrize("mode", ["approve", "token", "open"])
def test_enrolment_token(start, mode):
    server = start(f"--enrolment={mode}")
    number, secret = token(server, "--group=web", "--uses=2")
    assert secret.encode() not in b"".join(p.read_bytes() for p in server.directory.glob("manager.db*"))
    for i in range(2):
        assert ask(server, token=TOKEN + str(i), enrolment_token=secret)["return_code"] == 200
    assert ask(server, token=TOKEN + "0", enrolment_token=secret)["return_code"] == 200  # it is known: no use
    assert {a["group"] for a in listed(server, "agents")} == {"web"}
    row, = listed(server, "enrol-token", "list")
    assert (row["id"], row["used"], row["uses"]) == (number, 2, 2)
    answer = ask(server, token=TOKEN + "x", enrolment_token=secret)
    assert answer["return_code"] == (200 if mode == "open" else 401)
    assert mode == "open" or "has been used up" in answer["error_message"]
    assert (len(listed(server, "agents", "--waiting")) == 1) == (mode == "approve")
    assert secret not in server.log()


def test_revoked_and_expired_tokens(start):
    server = start("--enrolment=token")
    number, secret = token(server)
    assert server.cli("enrol-token", "revoke", number)[0] == 0 and server.cli("enrol-token", "revoke", "x")[0] == 253
    assert "was revoked" in ask(server, enrolment_token=secret)["error_message"]
    number, secret = token(server)
    with contextlib.closing(sqlite3.connect(server.database)) as db, db:
        db.execute("UPDATE enrolment_tokens SET expires = 1 WHERE id = ?", (number,))
    assert "has expired" in ask(server, enrolment_token=secret)["error_message"]
    assert "need an enrolment token" in ask(server)["error_message"]


def test_guesses_are_limited(start):
    server = start("--enrolment=token")
    _, secret = token(server)
    answers = [ask(server, token=TOKEN + str(i), enrolment_token=f"guess{i}") for i in range(12)]
    assert {a["return_code"] for a in answers} == {401}
    assert "does not know the enrolment token" in answers[9]["error_message"]
    assert "too many wrong" in answers[10]["error_message"]
    assert "too many wrong" in ask(server, enrolment_token=secret)["error_message"]
    assert listed(server, "agents") == []


def test_tokens_survive_a_kill(start):
    server = start("--enrolment=token")
    _, secret = token(server)
    assert ask(server, enrolment_token=secret)["return_code"] == 200
    server.stop(9)
    server.start()
    assert ask(server)["return_code"] == 200
    assert "used up" in ask(server, token=TOKEN + "2", enrolment_token=secret)["error_message"]


def test_configuration(start, tmp_path):
    conf = tmp_path / "m.conf"
    conf.write_text("[enrolment]\nmode = open\n")
    server = start(f"--config={conf}")
    assert ask(server)["return_code"] == 200
    server.stop()
    conf.write_text("[enrolment]\nmode = opne\n")
    server.start()
    assert ask(server, token=TOKEN + "2")["return_code"] == 401
    assert f"{conf}:2: " in server.log() and "approve, token or open" in server.log()
