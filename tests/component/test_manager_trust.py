# SPDX-License-Identifier: Apache-2.0
"""Proves that whoever reaches dcm-manager's port is a stranger to it: what an agent says of itself
addresses no order and is bounded, and what it may have kept takes no room from others."""
import contextlib
import json
import os
import sqlite3

import pytest

from test_manager import TOKEN, Agent, RawClient, count, server, start  # noqa: F401

# the tables of version 1, as an older dcm-manager has made them
VERSION_1 = """
CREATE TABLE agents (id TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, claimed TEXT,
 stale_told INTEGER NOT NULL DEFAULT 0, server_id TEXT NOT NULL, server_name TEXT NOT NULL,
 vm_instance TEXT, injected_id TEXT, version TEXT, platform TEXT, platform_version TEXT,
 ipv4 TEXT, ipv6 TEXT, features TEXT, created INTEGER NOT NULL, connected INTEGER,
 disconnected INTEGER) WITHOUT ROWID;
CREATE INDEX agents_name ON agents (server_name);
CREATE TABLE requests (guid TEXT PRIMARY KEY, agent TEXT NOT NULL, payload TEXT NOT NULL,
 state TEXT NOT NULL, reply TEXT, error TEXT, created INTEGER NOT NULL,
 updated INTEGER NOT NULL);
CREATE INDEX requests_agent ON requests (agent, state);
CREATE INDEX requests_updated ON requests (state, updated);
CREATE TABLE logs (id INTEGER PRIMARY KEY AUTOINCREMENT, agent TEXT NOT NULL,
 time INTEGER NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL);
CREATE INDEX logs_agent ON logs (agent, id);
CREATE TABLE alerts (id INTEGER PRIMARY KEY AUTOINCREMENT, agent TEXT NOT NULL,
 guid TEXT NOT NULL, time INTEGER NOT NULL, alert TEXT NOT NULL, UNIQUE (agent, guid));
CREATE INDEX alerts_agent ON alerts (agent, id);
PRAGMA user_version = 1;
"""
SECRET = "s3cret-canary-7d1f"


def stored(server):
    """Every byte that the manager has on the disk, after its end."""
    server.stop()
    return b"".join(p.read_bytes() for p in server.directory.glob("manager.db*"))


def query(server, sql, *values):
    with contextlib.closing(sqlite3.connect(server.database)) as db, db:
        return db.execute(sql, values).fetchall()


# ---- who an order is for


@pytest.mark.parametrize("claim", ["id", "prefix", "name", "future"])
def test_what_an_agent_says_of_itself_addresses_no_order(server, claim):
    """Its instance is another agent's id, the beginning of one, a name, or one that comes later."""
    honest = server.agent()
    if claim == "name":
        assert server.cli("name", honest.id, "db01")[0] == 0
    address = {"id": honest.id, "prefix": honest.id[:-2], "name": "db01", "future": "db01"}[claim]
    keys = {"vm_instance": address, "injected_id": address}
    if claim != "id":  # the id of another agent is refused as one's own
        keys["agent_id"] = address
    stranger = server.agent(token=TOKEN + "2", **keys)
    if claim == "future":
        code, _, err = server.cli("run", "db01", "heartbeat")
        assert code == 253 and "no agent" in err
        assert server.cli("name", honest.id, "db01")[0] == 0
    guid = server.run(address, "heartbeat")
    assert server.show(guid)["agent"] == honest.id
    assert honest.receive("REQUEST")["request_id"] == guid
    own = server.run(stranger.id, "heartbeat")
    assert stranger.receive("REQUEST")["request_id"] == own
    code, out, _ = server.cli("agents", "--json")
    row = next(a for a in json.loads(out) if a["id"] == stranger.id)
    assert row["name"] == stranger.id
    assert row["claims"] == {"agent_id": keys.get("agent_id"), "vm_instance": address,
                             "injected_id": address}


def test_agent_is_told_no_claim_as_its_name(server):
    answer = Agent(server.url).handshake(vm_instance="web1")["handshake"]
    assert answer["serverName"] == answer["agentID"]


def test_names_are_given_listed_and_taken_away(server):
    first, second = server.agent(), server.agent(token=TOKEN + "2")
    assert server.cli("name", first.id, "web1")[0] == 0
    assert server.cli("name", second.id, "web1")[0] == 254
    assert server.cli("name", second.id, first.id)[0] == 254  # nor another one's id
    assert server.cli("agents")[1].split("\n")[1].split()[:2] == [first.id, "web1"]
    again = Agent(server.url).handshake(agent_id=first.id)
    assert again["handshake"]["serverName"] == "web1"
    assert server.cli("unname", "web1")[0] == 0
    assert server.cli("unname", "web1")[0] == 253
    assert server.cli("run", "web1", "heartbeat")[0] == 253
    assert server.cli("name", second.id, "web1")[0] == 0
    server.run("web1", "heartbeat")
    assert second.receive("REQUEST")
    for wrong in ("", "a b", "a\nb", "\x1b[31m", "x" * 513, "a\u009bb"):
        assert server.cli("name", first.id, wrong)[0] == 254


def test_names_that_were_claims_are_none_after_an_upgrade(start, tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "manager.db")) as db:
        db.executescript(VERSION_1)
        for row in (("a-given", "web1", "i-1", 5), ("a-claimed", "i-2", "i-2", None),
                    ("a-none", "a-none", None, 9)):
            db.execute("INSERT INTO agents (id, token, server_id, server_name, vm_instance, created,"
                       " connected) VALUES (?1, ?1, 's', ?2, ?3, 1, ?4)", row)
        payload = json.dumps({"command": "add_user", "arguments": {"password": SECRET}})
        for guid, state in (("g-over", "REPLIED"), ("g-open", "ACKED")):
            db.execute("INSERT INTO requests VALUES (?, 'a-none', ?, ?, '{}', NULL, 1, 1)",
                       (guid, payload if state == "ACKED" else payload.replace(SECRET, SECRET * 2), state))
        db.execute("INSERT INTO alerts (agent, guid, time, alert) VALUES ('a-none', 'x', 1, '{\"é\":1}')")
        db.execute("INSERT INTO logs (agent, time, level, message) VALUES ('a-none', 1, 'INFO', 'é')")
        db.commit()
    server = start()
    listed = {a["id"]: a for a in json.loads(server.cli("agents", "--json")[1])}
    assert {i: a["name"] for i, a in listed.items()} == {
        "a-given": "web1", "a-claimed": "a-claimed", "a-none": "a-none"}
    assert listed["a-claimed"]["claims"]["vm_instance"] == "i-2"
    assert server.cli("run", "i-2", "heartbeat")[0] == 253
    assert server.show(server.run("web1", "heartbeat"))["agent"] == "a-given"
    assert server.show("g-open")["payload"]["arguments"] == {"password": SECRET}
    assert server.show("g-over")["payload"] == {"command": "add_user"}
    assert len(json.loads(server.cli("alerts", "--json")[1])) == 1
    assert dict(query(server, "SELECT agent, bytes FROM kept")) == {"": 10, "a-none": 10}
    assert SECRET.encode() * 2 not in stored(server)
    server.start()
    assert server.show("g-over")["state"] == "REPLIED"


# ---- texts and sizes of the handshake


FIELDS = ["agent_id", "vm_instance", "injected_id", "version", "platform", "platform_version"]


@pytest.mark.parametrize("value,fault", [
    ("a\nWATCHDOG=trigger", "control characters"), ("\x1b[31m", "control characters"),
    ("a\x7f", "control characters"), ("a\u009b", "control characters"),
    ("a\0b", "control characters"), ("x" * 513, "longer than 512 bytes"),
    ("é" * 257, "longer than 512 bytes"), (True, "not a text"), (["a"], "not a text")],
    ids=["newline", "escape", "delete", "c1", "nul", "long", "long-utf8", "boolean", "list"])
def test_fields_of_the_handshake_are_texts(server, value, fault):
    server.agent()
    for key in FIELDS:
        agent = Agent(server.url)
        answer = agent.handshake(**{key: value})
        assert answer["return_code"] == 400
        assert key in answer["error_message"] and fault in answer["error_message"]
        assert agent.wait_closed()[0] == 1008
    assert server.agent().id  # what is refused changes nothing


@pytest.mark.parametrize("keys", [
    {"ipv4": ["192.0.2.1\n"]}, {"ipv6": ["x" * 513]}, {"ipv4": ["192.0.2.1"] * 65},
    {"features": {"plugins": ["a\x1b"]}}, {"features": {"a\n": 1}}, {"features": {"a": {"b": ["x" * 600]}}}],
    ids=range(6))
def test_lists_and_features_of_the_handshake_are_texts(server, keys):
    answer = Agent(server.url).handshake(**keys)
    assert answer["return_code"] == 400 and next(iter(keys)) in answer["error_message"]


def test_longest_texts_are_taken(server):
    agent = server.agent(vm_instance="x" * 512, platform="é" * 256, version="\U0001f600")
    row = json.loads(server.cli("agents", "--json")[1])[0]
    assert row["claims"]["vm_instance"] == "x" * 512
    assert (row["id"], row["platform"], row["version"]) == (agent.id, "é" * 256, "\U0001f600")


# ---- copies


@pytest.mark.parametrize("address", ["127.0.0.1", "172.17.0.1"])
def test_addresses_that_many_machines_have_prove_nothing(server, address):
    """The first one lives, and says so when it is pinged: the second is a copy."""
    first = server.agent(ipv4=[address, "192.0.2.1"])
    copy = Agent(server.url)
    assert copy.handshake(agent_id=first.id, ipv4=[address, "192.0.2.2"])["return_code"] == 409
    assert not first.closed
    assert "is one a copy of the other?" in server.log()


def test_copies_that_have_only_a_loopback_address(server):
    first = server.agent(ipv4=["127.0.0.1"])
    assert Agent(server.url).handshake(agent_id=first.id, ipv4=["127.0.0.1"])["return_code"] == 409
    assert not first.closed


@pytest.mark.parametrize("keys", [{"ipv4": ["192.0.2.9"]}, {"vm_instance": "i-1"}, {"ipv4": []}])
def test_copies_that_push_each_other_out_are_told(server, keys):
    """Whatever they have in common, and on the fourth time; the one that is connected stays."""
    agent = server.agent(**keys)
    for _ in range(3):
        newer = server.agent(agent_id=agent.id, **keys)
        assert agent.wait_closed()[1] == "replaced by a newer connection"
        agent = newer
    assert "copy" not in server.log()
    assert Agent(server.url).handshake(agent_id=agent.id, **keys)["return_code"] == 409
    assert not agent.closed and "is one a copy of the other?" in server.log()


def test_agent_whose_connections_hang_is_no_copy(server):
    """However often: those before it do not answer."""
    dead = []
    for _ in range(5):
        dead.append(RawClient(server))
        dead[-1].upgrade()
        dead[-1].send_text(json.dumps({"token": TOKEN, "ipv4": ["192.0.2.9"]}))
        assert dead[-1].receive_text()["return_code"] == 200
    assert "copy" not in server.log()
    for client in dead:
        client.close()


# ---- what is kept


def test_secrets_of_a_request_go_with_its_reply(server):
    agent = server.agent()
    arguments = ("add_user", "--arg", f"password={SECRET}", "--arg", "userId=bob", "--guid", "g1")
    assert server.run(agent.id, *arguments) == "g1"
    assert agent.receive("REQUEST")["payload"]["arguments"]["password"] == SECRET
    assert server.show("g1")["payload"]["arguments"]["password"] == SECRET
    agent.reply("g1", 0, "done")
    assert agent.receive("ACK")["request_id"] == "g1"
    shown = server.show("g1")
    assert shown["payload"] == {"command": "add_user"} and shown["reply"]["message"] == "done"
    # the same order again is none, another one is told apart, although its arguments are gone
    assert server.run(agent.id, *arguments) == "g1"
    assert server.cli("run", agent.id, "add_user", "--arg", "userId=eve", "--guid", "g1")[0] == 254
    assert SECRET.encode() not in stored(server)


def test_secrets_of_a_refused_request_go_and_come_with_the_order(server):
    agent = server.agent()
    arguments = ("add_user", "--arg", f"password={SECRET}", "--guid", "g1")
    server.run(agent.id, *arguments)
    agent.receive("REQUEST")
    agent.send(type="NACK", request_id="g1", message_id="n", error_message="busy " + "x" * 5000)
    waiting = server.cli_start("run", agent.id, "heartbeat", "--guid", "g2", "--wait")
    agent.reply(agent.receive("REQUEST")["request_id"])
    server.finish(waiting)
    shown = server.show("g1")
    assert shown["payload"] == {"command": "add_user"} and len(shown["error"]) <= 1024
    server.run(agent.id, *arguments)
    assert agent.receive("REQUEST")["payload"]["arguments"] == {"password": SECRET}


def sizes(server, agent):
    return {t: query(server, f"SELECT coalesce(sum(bytes), 0) FROM {t} WHERE agent = ?", agent.id)[0][0]
            for t in ("alerts", "logs")}


def test_alerts_and_lines_are_bounded_by_bytes(server):
    agent, other = server.agent(), server.agent(token=TOKEN + "2")
    other.send(type="ALERT", request_id="o", message_id="o", message="other")
    other.receive("ALERT_ACK")
    for i in range(80):
        agent.send(type="ALERT", request_id=f"a-{i}", message_id="q", message="A" * 500000)
    for _ in range(80):
        agent.receive("ALERT_ACK")
    for i in range(2500):
        agent.send(type="LOG", token="", level="INFO", message="L" * 10000)
    agent.send(type="ALERT", request_id="last", message_id="q", message="last")
    agent.receive("ALERT_ACK")
    kept = sizes(server, agent)
    assert 14 << 20 <= kept["alerts"] <= 18 << 20
    assert 14 << 20 <= kept["logs"] <= 18 << 20
    assert sizes(server, other)["alerts"] > 0
    newest = json.loads(server.cli("alerts", "-n", "1", "--json", agent.id)[1])
    assert newest[0]["alert"]["message"] == "last"
    assert dict(query(server, "SELECT agent, bytes FROM kept"))[agent.id] == sum(kept.values())


def test_huge_alert_is_shortened_and_acknowledged(server):
    agent = server.agent()
    agent.send(type="ALERT", request_id="big", message_id="q", level=12, rule=7, subject="é" * 100000,
               message="x" * 3000000, alert_timestamp=1795365577100, more=["y" * 1000000])
    assert agent.receive("ALERT_ACK")["request_id"] == "big"
    alert = json.loads(server.cli("alerts", "--json")[1])[0]["alert"]
    assert (alert["level"], alert["rule"], alert["alert_timestamp"]) == (12, 7, 1795365577100)
    assert alert["shortened"] is True and "more" not in alert
    assert set(alert["subject"]) == {"é"} and 1000 < len(alert["message"]) <= 16384


def fill(server, n):
    """So many agents that came once, years ago, and to which nobody ordered anything."""
    server.stop()
    with contextlib.closing(sqlite3.connect(server.database)) as db, db:
        db.executemany("INSERT INTO agents (id, token, server_id, created, absent) VALUES (?1, ?1, 's', ?2, ?2)",
                       ((f"agent-x{i}", i) for i in range(n)))
    server.start()


def test_registrations_of_strangers_make_room_for_each_other_alone(server):
    known, ordered = server.agent(), server.agent(token=TOKEN + "2")
    assert server.cli("name", known.id, "web1")[0] == 0
    server.run(ordered.id, "heartbeat")
    known.close()
    ordered.close()
    fill(server, 100000)
    query(server, "INSERT INTO logs (agent, time, level, message) VALUES ('agent-x0', 1, 'INFO', 'x')")
    query(server, "UPDATE agents SET absent = -1 WHERE used = 1")  # away for longer than anybody
    strangers = [server.agent(token=f"{TOKEN}-{i}") for i in range(3)]
    assert server.agent(agent_id=known.id).id == known.id
    assert server.agent(agent_id=ordered.id, token=TOKEN + "2").id == ordered.id
    rows = {row[0] for row in query(server, "SELECT id FROM agents")}
    assert {"agent-x0", "agent-x1", "agent-x2"}.isdisjoint(rows) and "agent-x3" in rows
    assert {a.id for a in strangers} <= rows
    assert query(server, "SELECT (SELECT count(*) FROM logs), (SELECT count(*) FROM kept WHERE agent != '')") == [(0, 0)]
    server.run("web1", "heartbeat")  # found among 100,000
    code, _, err = server.cli("run", "agent-x99", "heartbeat")
    assert code == 0, err  # an id, though others begin with it


def test_agent_that_was_forgotten_comes_as_a_new_one(server):
    agent = server.agent(token=TOKEN + "2")
    agent.close()
    fill(server, 10000)
    query(server, "UPDATE agents SET absent = -1 WHERE id = ?", agent.id)
    server.agent()
    again = Agent(server.url).handshake(agent_id=agent.id, token=TOKEN + "2")
    assert again["return_code"] == 200 and again["handshake"]["agentID"] != agent.id


# ---- agents of old


def test_nack_that_answers_a_status_changes_nothing(server):
    agent = server.agent()
    guid = server.run(agent.id, "heartbeat")
    agent.ack(agent.receive("REQUEST"))
    for _ in range(2):
        asking = server.cli_start("status", guid)
        agent.receive("STATUS")
        agent.send(type="NACK", request_id=guid, message_id="n", error_message="'Guid' object")
        code, out, err = server.finish(asking)
        assert (code, out) == (251, "") and "'Guid' object" in err
        assert server.show(guid)["state"] == "ACKED"
    agent.reply(guid, 0, "done after all")
    agent.receive("ACK")
    assert server.show(guid)["reply"]["message"] == "done after all"


def test_nack_that_answers_no_question_is_a_refusal(server):
    """One question is answered once, by a STATUS too, and in the order of other requests."""
    agent = server.agent()
    guid, other = server.run(agent.id, "heartbeat"), server.run(agent.id, "heartbeat")
    for _ in range(2):
        agent.ack(agent.receive("REQUEST"))
    asking = server.cli_start("status", guid)
    agent.receive("STATUS")
    agent.send(type="STATUS", request_id=guid, message_id="s", state="ACKED")
    assert server.finish(asking)[0] == 0
    for of in (guid, other):
        agent.send(type="NACK", request_id=of, message_id="n", error_message="gone")
        agent.reply("never-seen")
        agent.receive("NACK")  # so the one before it was read
        assert server.show(of)["state"] == "NACKED"


def test_acknowledged_request_is_sent_once_more_after_each_connection(start):
    server = start("--retransmit-sec", "0.2")
    agent = server.agent()
    guid = server.run(agent.id, "run_script", "--arg", "a=b")
    agent.ack(agent.receive("REQUEST"))
    agent.close()
    for _ in range(2):
        agent = server.agent(agent_id=agent.id)
        request = agent.receive("REQUEST")
        assert (request["request_id"], request["payload"]["arguments"]) == (guid, {"a": "b"})
        # not twice: what comes next is another one, after as many repetitions as it takes
        other = server.run(agent.id, "heartbeat")
        assert [agent.receive("REQUEST")["request_id"] for _ in range(4)] == [other] * 4
        agent.reply(other)
        agent.close()
    agent = server.agent(agent_id=agent.id)
    agent.reply(guid, 0, "at last")  # before it was asked again: then it is not
    other = server.run(agent.id, "heartbeat")
    assert {agent.receive("REQUEST")["request_id"] for _ in range(4)} == {other}


@pytest.mark.parametrize("payload,stored_reply", [
    ('{"return_code": 3, "message": "out", "error_message": "e"}',
     {"return_code": 3, "message": "out", "error_message": "e"}),
    ("null", None), (None, None), ("no JSON", "no JSON"), ("", ""), ([1], [1])])
def test_reply_that_is_a_string_or_null(server, payload, stored_reply):
    agent = server.agent()
    waiting = server.cli_start("run", agent.id, "heartbeat", "--wait", "--guid", "g1")
    agent.receive("REQUEST")
    agent.send(type="REPLY", request_id="g1", message_id="r", payload=payload)
    assert agent.receive("ACK")["request_id"] == "g1"
    code, out, err = server.finish(waiting)
    shown = server.show("g1")
    assert (shown["state"], shown["reply"]) == ("REPLIED", stored_reply)
    text = server.cli("show", "g1")[1]
    if isinstance(stored_reply, dict):
        assert (code, out, err) == (3, "out\n", "e\n") and "Return code: 3" in text
    else:
        said = "null" if stored_reply is None else "not a reply object"
        assert code == 1 and out == "" and said in err and said in text


# ---- what cannot be taken


def fill_message(**message):
    """More than 8 MiB; the ids stand behind what is large, as they may."""
    return json.dumps({"payload": {"return_code": 0, "message": "x" * (9 << 20)}, **message})


@pytest.mark.parametrize("what", ["size", "fragments", "depth", "values"])
def test_reply_that_cannot_be_taken_ends_its_request_with_words(server, what):
    agent = server.agent()
    waiting = server.cli_start("run", agent.id, "heartbeat", "--wait", "--guid", "g1")
    agent.ack(agent.receive("REQUEST"))
    end = '"request_id": "g1", "type": "REPLY", "message_id": "m1"}'
    text = {"size": fill_message(request_id="g1", type="REPLY", message_id="m1"),
            "fragments": fill_message(request_id="g1", type="REPLY", message_id="m1"),
            "depth": '{"payload": ' + "[" * 100 + "]" * 100 + ", " + end,
            "values": '{"payload": [' + "{}," * 2700000 + "{}], " + end}[what]
    words = {"size": "more than 8 MiB", "fragments": "more than 8 MiB", "depth": "nested too deep",
             "values": "too much"}.get(what)
    agent.ws.send_text(text)
    ack = agent.receive("ACK")
    assert (ack["request_id"], ack["message_id"]) == ("g1", "m1")
    code, out, err = server.finish(waiting)
    assert (code, out) == (1, "") and "reply cannot be accepted" in err
    assert words in err or what == "values"
    assert server.show("g1")["state"] == "REPLIED"
    guid = server.run(agent.id, "heartbeat")  # the same connection goes on
    assert agent.receive("REQUEST")["request_id"] == guid
    assert not agent.closed


def test_alert_that_cannot_be_taken_is_acknowledged(server):
    agent = server.agent()
    agent.ws.send_text(fill_message(request_id="al-1", type="ALERT", message_id="m1"))
    assert agent.receive("ALERT_ACK")["request_id"] == "al-1"
    alert = json.loads(server.cli("alerts", "--json")[1])[0]["alert"]
    assert alert["request_id"] == "al-1" and "more than 8 MiB" in alert["message"]


def test_what_is_too_large_and_nobodys_reply(server):
    agent, other = server.agent(), server.agent(token=TOKEN + "2")
    guid = server.run(agent.id, "heartbeat")
    other.ws.send_text(fill_message(request_id=guid, type="REPLY", message_id="m1"))
    assert other.receive("NACK")["request_id"] == guid
    assert server.show(guid)["state"] == "SENT"
    for text in (fill_message(request_id=guid, type="STATUS"), fill_message(type="REPLY"), fill_message()):
        other.ws.send_text(text)
        assert other.wait_closed()[0] == 1009
        other = server.agent(token=TOKEN + "2")


def memory(server, name="VmRSS"):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(name + ":"))


def half_message(client, announced, sent):
    client.socket.sendall(b"\x81\xff" + announced.to_bytes(8, "big") + b"\0\0\0\0" + b" " * sent)


@pytest.mark.skipif("asan" in os.environ.get("DCM_BUILD", ""), reason="sanitizers take memory of their own")
def test_half_messages_of_strangers_cost_little(server):
    """They are refused beyond the bound of a handshake, by their first bytes; within it, what has
    come counts."""
    server.agent()
    before = memory(server)
    clients = [RawClient(server) for _ in range(60)]
    for client in clients:
        client.upgrade()
        half_message(client, 8 << 20, 1)
        assert client.close_code() == 1009
        client.close()
    clients = [RawClient(server) for _ in range(60)]
    for client in clients:
        client.upgrade()
        half_message(client, 200000, 199000)
    guid = server.run(server.agent(token=TOKEN + "2").id, "heartbeat")  # after all that was read
    assert server.show(guid)
    assert memory(server, "VmHWM") - before < 60 << 20
    for client in clients:
        client.close()


@pytest.mark.skipif("asan" in os.environ.get("DCM_BUILD", ""), reason="sanitizers take memory of their own")
def test_half_messages_of_all_agents_are_bounded_together(server):
    """Sixty that have registered hold 480 MiB back; one that comes later has room for a large reply."""
    clients = []
    for i in range(60):
        clients.append(RawClient(server))
        clients[-1].upgrade()
        clients[-1].send_text(json.dumps({"token": f"{TOKEN}-{i}", "ipv4": ["192.0.2.2"]}))
        assert clients[-1].receive_text()["return_code"] == 200
        half_message(clients[-1], 8 << 20, (8 << 20) - 1000)
    agent = server.agent()
    guid = server.run(agent.id, "heartbeat")
    agent.receive("REQUEST")
    agent.reply(guid, 0, "x" * (7 << 20))
    assert agent.receive("ACK")["request_id"] == guid
    assert memory(server, "VmHWM") < 450 << 20
    clients[0].socket.sendall(b" " * 500)
    assert clients[0].close_code() == 1013  # it began first
    for client in clients:
        client.close()
