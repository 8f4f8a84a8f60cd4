# SPDX-License-Identifier: Apache-2.0
"""Proves who becomes an agent of dcm-manager: in each mode, by an operator's hand or by an enrolment token, and what
is taken back again; and that no stranger comes in, whatever it claims and however often it asks."""
import contextlib
import hashlib
import json
import pathlib
import signal
import socket
import sqlite3
import subprocess
import sys

import pytest

from harness import DEADLINE, preload, wait_for
from test_manager import TOKEN, Agent, iterate_until, server, start  # noqa: F401
from test_manager_trust import VERSION_1

HERE = pathlib.Path(__file__).resolve().parent


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


def test_rejected_although_it_has_a_token(start):
    """In each mode, and it costs the token no use."""
    server = start("--enrolment=approve")
    ask(server)
    row, = listed(server, "agents", "--waiting")
    assert server.cli("reject", row["id"])[0] == 0
    _, secret = token(server)
    for mode in ("approve", "token", "open"):
        server.stop()
        server.options = (f"--enrolment={mode}",)
        server.start()
        answer = ask(server, enrolment_token=secret)
        assert (answer["return_code"], answer["error_message"]) == (401, "an operator has rejected this agent"), mode
    assert listed(server, "agents") == [] and listed(server, "enrol-token", "list")[0]["used"] == 0


def test_revoked_stays_so_if_its_name_is_taken(approving):
    for i in "12":
        ask(approving, token=TOKEN + i)
    rows = listed(approving, "agents", "--waiting")
    for i, row in enumerate(rows):
        assert approving.cli("accept", row["id"], "--name", f"web{i}")[0] == 0
    assert approving.cli("revoke", "web0")[0] == 0
    code, _, err = approving.cli("accept", "web0", "--name", "web1")
    assert code == 254 and "taken" in err
    assert "revoked" in ask(approving, token=TOKEN + "1")["error_message"]
    assert approving.cli("accept", "web1", "--name", "web3")[0] == 254, "it is accepted already"
    assert [a["name"] for a in listed(approving, "agents")] == ["web0", "web1"]
    assert approving.cli("accept", "web0", "--name", "web2")[0] == 0
    assert ask(approving, token=TOKEN + "1")["handshake"]["serverName"] == "web2"


def test_no_room_for_more_agents(approving):
    """It says so, and what makes room; the one that waits goes on waiting."""
    ask(approving)
    row, = listed(approving, "agents", "--waiting")
    approving.stop()
    with contextlib.closing(sqlite3.connect(approving.database)) as db, db:
        db.executemany("INSERT INTO agents (id, token, server_id, used, created) VALUES (?, ?, '', 1, 1)",
                       ((f"a-{i}", f"t-{i}") for i in range(100000)))
    approving.start()
    code, _, err = approving.cli("accept", row["id"])
    assert code == 254 and "100000 agents" in err and "forget" in err, err
    assert approving.cli("forget", "a-0")[0] == 0 and approving.cli("accept", row["id"])[0] == 0
    assert ask(approving)["return_code"] == 200


def test_stranger_that_unregisters_gives_its_place_up(start):
    """Else strangers who come and unregister would fill the database for good."""
    server = start("--enrolment=open")
    for i in "12":
        agent = server.agent(token=TOKEN + i)
        if i == "2":
            assert server.cli("name", agent.id, "web1")[0] == 0
        agent.send(type="UNREGISTER", request_id="u-1", message_id="u-1", agent_id=agent.id)
        assert agent.wait_closed()[0] == 1008
        assert "revoked" in ask(server, token=TOKEN + i)["error_message"]
    server.stop()
    with contextlib.closing(sqlite3.connect(server.database)) as db:
        assert db.execute("SELECT used, absent IS NOT NULL FROM agents ORDER BY created").fetchall() == [(0, 1), (1, 1)]


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


def test_forgotten_while_its_connection_is_probed(approving):
    """The newer connection is then a stranger's, and nothing is wrong with the database."""
    ask(approving)
    row, = listed(approving, "agents", "--waiting")
    approving.cli("accept", row["id"])
    older = approving.agent(ipv4=["192.0.2.2"])
    newer = Agent(approving.url).offer(ipv4=["198.51.100.9"])
    wait_for(lambda: 'dcm_manager_connections{state="handshake"} 1' in approving.cli("metrics")[1], "the probe")
    assert approving.cli("forget", row["id"])[0] == 0
    assert older.wait_closed()[0] == 1008
    assert "waits for the approval" in newer.receive()["error_message"]
    assert "cannot be accepted now" not in approving.log()


def test_agent_that_unregisters(approving):
    """It gets its answer once all is stored; then it counts as revoked."""
    ask(approving)
    row, = listed(approving, "agents", "--waiting")
    approving.cli("accept", row["id"])
    agent = approving.agent()
    guids = [approving.run(agent.id, "heartbeat") for _ in range(2)]
    done = approving.run(agent.id, "heartbeat")
    agent.reply(done)
    agent.send(type="UNREGISTER", request_id="u-1", message_id="u-1", agent_id=agent.id)
    assert agent.wait_closed()[0] == 1008
    answers = [m["request_id"] for m in agent.messages if m.get("type") == "UNREGISTER_ACK"]
    assert answers == ["u-1"]
    for guid in guids:
        shown = approving.show(guid)
        assert shown["state"] == "NACKED" and "unregistered; perhaps it ran" in json.dumps(shown)
    assert approving.show(done)["state"] == "REPLIED"
    code, _, err = approving.cli("run", agent.id, "heartbeat")
    assert code not in (0, 1) and "unregistered" in err, (code, err)
    assert listed(approving, "agents")[0]["revoked"]
    approving.stop(signal.SIGKILL)
    approving.start()
    answer = ask(approving)
    assert answer["return_code"] == 401 and "revoked" in answer["error_message"]
    assert listed(approving, "agents")[0]["revoked"]


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
    queued = approving.run("db1", "heartbeat")
    assert approving.cli("replace", "db1", newer["id"])[0] == 0
    again = Agent(approving.url)
    answer = again.handshake(token=TOKEN + "2", vm_instance="i-2")["handshake"]
    assert (answer["agentID"], answer["serverName"]) == (old.id, "db1")
    assert again.receive("REQUEST")["request_id"] == queued, "what the old machine never had"
    assert approving.show(sent)["state"] == "NACKED" and "perhaps it ran" in approving.show(sent)["error"]
    assert "waits" in ask(approving)["error_message"]


def test_replace_by_an_agent(start):
    """One that came in already gives up its own place."""
    server = start("--enrolment=open")
    old, newer = server.agent(), server.agent(token=TOKEN + "2")
    server.cli("name", old.id, "db1")
    for wrong, status in (((old.id, "none"), 253), ((old.id, old.id), 254), (("none", old.id), 253)):
        assert server.cli("replace", *wrong)[0] == status
    old.close()
    order = server.run(newer.id, "heartbeat")
    assert server.cli("replace", "db1", newer.id)[0] == 0
    assert newer.wait_closed()[0] == 1008 and server.show(order)["state"] == "NACKED"
    assert ask(server, token=TOKEN + "2", agent_id=newer.id)["handshake"]["agentID"] == old.id
    row, = listed(server, "agents")
    assert (row["id"], row["name"]) == (old.id, "db1")


def test_token_with_a_name(start):
    """It names the agent; one that is taken keeps nobody out."""
    server = start("--enrolment=token")
    for number, name in enumerate(("web1", "web1", "web2")):
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(server.control)
            control.sendall(json.dumps({"method": "enrol_token_new", "expires_usec": 10**9, "uses": 1, "name": name}).encode() + b"\n")
            secret = json.loads(control.makefile().readline())["secret"]
        answer = ask(server, token=TOKEN + str(number), enrolment_token=secret)["handshake"]
        assert (answer["serverName"] == name) == (number != 1)
    assert "the name is taken" in server.log() and sorted(a["name"] for a in listed(server, "agents"))[1:] == ["web1", "web2"]


def test_machine_that_lost_its_token_takes_its_old_place(approving):
    """It claims its id still, which lets nobody in; an operator who knows it gives the place back."""
    ask(approving)
    row, = listed(approving, "agents", "--waiting")
    approving.cli("accept", row["id"], "--name=db1")
    answer = ask(approving, token=TOKEN + "2", agent_id=row["id"])
    assert answer["return_code"] == 401
    newer, = listed(approving, "agents", "--waiting")
    assert newer["agent_id"] == row["id"] != newer["id"]
    assert approving.cli("replace", "db1", newer["id"])[0] == 0
    assert ask(approving, token=TOKEN + "2", agent_id=row["id"])["handshake"]["serverName"] == "db1"
    assert ask(approving, agent_id=row["id"])["return_code"] == 401


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


@pytest.mark.parametrize("mode", ["approve", "token", "open"])
def test_enrolment_token_of_one_that_claims_an_id(start, mode):
    """Of a machine that lost its own token, perhaps: it gets an id of its own. Without a valid one it is refused."""
    server = start(f"--enrolment={mode}")
    _, secret = token(server, "--uses=2")
    first = ask(server, enrolment_token=secret)["handshake"]["agentID"]
    claims = {"agent_id": first, "token": TOKEN + "2"}
    for keys in ({}, {"enrolment_token": "guess"}):
        assert ask(server, **claims, **keys)["return_code"] == 401
    answer = ask(server, **claims, enrolment_token=secret)
    assert answer["return_code"] == 200 and answer["handshake"]["agentID"] != first
    assert ask(server)["handshake"]["agentID"] == first
    assert [r["used"] for r in listed(server, "enrol-token", "list")] == [2]


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


def test_what_was_valid_once_is_no_guess(start):
    """Behind one address many servers may have an old token."""
    server = start("--enrolment=token")
    _, secret = token(server, "--uses=1")
    number, revoked = token(server)
    assert server.cli("enrol-token", "revoke", number)[0] == 0
    answers = [ask(server, token=TOKEN + str(i), enrolment_token=revoked) for i in range(12)]
    assert all("was revoked" in a["error_message"] for a in answers)
    assert ask(server, enrolment_token=secret)["return_code"] == 200


def test_guesses_are_limited(start):
    server = start("--enrolment=token")
    _, secret = token(server)
    answers = [ask(server, token=TOKEN + str(i), enrolment_token=f"guess{i}") for i in range(12)]
    assert {a["return_code"] for a in answers} == {401}
    assert "does not know the enrolment token" in answers[9]["error_message"]
    assert "too many wrong" in answers[10]["error_message"]
    assert "too many wrong" in ask(server, enrolment_token=secret)["error_message"]
    assert listed(server, "agents") == []


def test_nothing_is_told_or_changed_that_was_not_stored(start, tmp_path):
    """A commit that fails: no use of the token, and nobody comes in or is sent away for good."""
    failing = tmp_path / "failing"
    variables = {**preload("failing-sqlite"), "FAILING_COMMIT": failing}
    server = start("--enrolment=approve", prefix=("env", *(f"{name}={value}" for name, value in variables.items())))
    _, secret = token(server)
    for i in "123":
        ask(server, token=TOKEN + i)
    waiting, rejected, known = (row["id"] for row in listed(server, "agents", "--waiting"))
    assert server.cli("reject", rejected)[0] == 0 and server.cli("accept", known, "--name=web1")[0] == 0
    leaving = server.agent(token=TOKEN + "3")
    before = [listed(server, *list_) for list_ in (["agents"], ["agents", "--waiting"], ["enrol-token", "list"])]

    said = server.log().count("is accepted"), server.log().count("New agent agent-")
    failing.touch()
    assert ask(server, token=TOKEN + "4", enrolment_token=secret)["return_code"] == 503
    leaving.send(type="UNREGISTER", request_id="u-1", message_id="u-1", agent_id=leaving.id)
    iterate_until(lambda: "has left cannot be stored" in server.log(), "the failure")
    for order in (["accept", waiting], ["accept", rejected], ["reject", waiting], ["enrol-token", "new"],
                  ["enrol-token", "revoke", before[2][0]["id"]], ["replace", known, waiting], ["revoke", known],
                  ["forget", known]):
        code, out, err = server.cli(*order)
        assert (code, out) == (254, "") and ("disk is full" in err or order[0] == "replace"), (order, code, out, err)
    assert (server.log().count("is accepted"), server.log().count("New agent agent-")) == said == (1, 0)
    failing.unlink()

    after = [listed(server, *list_) for list_ in (["agents"], ["agents", "--waiting"], ["enrol-token", "list"])]
    assert after[1:] == before[1:] and [a["revoked"] for a in after[0]] == [None]
    assert not [m for m in leaving.messages if m.get("type") == "UNREGISTER_ACK"]
    assert ask(server, token=TOKEN + "3")["handshake"]["agentID"] == known
    assert ask(server, token=TOKEN + "4", enrolment_token=secret)["return_code"] == 200
    assert ask(server, token=TOKEN + "2")["error_message"] == "an operator has rejected this agent"


@pytest.mark.parametrize("mode", ["approve", "token"])
def test_refused_agents_take_no_pace(start, mode):
    """Who is refused, or waits already, does not hold up a new agent that may come in; each new one counts, though."""
    server = start(f"--enrolment={mode}", "--new-agents-per-sec=0.01")
    _, secret = token(server)
    if mode == "approve":
        assert ask(server)["return_code"] == 401, "the only one that may come for 100 seconds"
        assert [ask(server)["return_code"] for _ in range(5)] == [401] * 5, "it waits already"
        assert ask(server, token=TOKEN + "2")["return_code"] == 503 and len(listed(server, "agents", "--waiting")) == 1
        return
    assert [ask(server, token=TOKEN + str(i))["return_code"] for i in range(5)] == [401] * 5
    assert ask(server, token=TOKEN + "x", enrolment_token=secret)["return_code"] == 200
    _, secret = token(server)
    assert ask(server, token=TOKEN + "y", enrolment_token=secret)["return_code"] == 503
    assert [t["used"] for t in listed(server, "enrol-token", "list")].count(0) == 1, "the 503 has not used it"


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


# ---- many


def strangers(server, n, source, name, enrolment=""):
    """Starts them; end() waits for what they were told."""
    host, port = server.listen.split(":")
    return subprocess.Popen([sys.executable, HERE / "strangers.py", host, port, source, str(n), name, enrolment],
                            stdout=subprocess.PIPE, text=True)


def end(process):
    out, _ = process.communicate(timeout=10 * DEADLINE)
    assert process.returncode == 0
    return json.loads(out)


def test_ten_thousand_strangers(approving):
    """They are listed, bounded, and logged in few lines; who came before from elsewhere stays, and comes in."""
    ask(approving, host_name="honest")
    row, = listed(approving, "agents", "--waiting")
    crowd = end(strangers(approving, 10500, "127.0.0.2", "crowd-"))
    assert crowd["codes"] == {"401": 10500} and crowd["ids"] == []
    waiting = listed(approving, "agents", "--waiting")
    assert 9900 <= len(waiting) <= 10000 and row["id"] in {w["id"] for w in waiting}
    assert {w["host_name"] for w in waiting} >= {"honest", "host-0"}, "those that came last are there"
    assert len({w["id"] for w in waiting}) == len(waiting)
    assert "those of the address with the most" in approving.log() and len(approving.log().splitlines()) < 1000
    assert approving.cli("accept", row["id"])[0] == 0
    assert ask(approving)["return_code"] == 200
    assert [a["id"] for a in listed(approving, "agents")] == [row["id"]]


def test_those_that_make_room(approving):
    """Some at once, one after the other of the address with the most, each time the one seen the longest ago."""
    approving.stop()
    with contextlib.closing(sqlite3.connect(approving.database)) as db, db:
        db.executemany("INSERT INTO waiting (id, token, source, peer, created, seen) VALUES (?, ?, ?, '', 1, ?)",
                       ((f"a-{i}", f"t-{i}", "crowd" if i >= 9980 else str(i), i + 1) for i in range(10000)))
    approving.start()
    ask(approving)
    gone = {f"a-{i}" for i in range(10000)} - {w["id"] for w in listed(approving, "agents", "--waiting")}
    assert gone == {f"a-{i}" for i in [*range(64 - 19), *range(9980, 9999)]}


def test_thousands_of_guesses(start):
    """Nobody comes in, few lines are logged, the address is not heard any more, and others are."""
    server = start("--enrolment=token")
    _, secret = token(server)
    guesses = [strangers(server, 2000, f"127.0.0.{i}", f"guess-{i}-", "dcm-enrol-{}") for i in (2, 3)]
    for g in guesses:
        told = end(g)
        assert told["codes"] == {"401": 2000} and any("too many wrong" in text for text in told["said"].values())
    assert len(server.log().splitlines()) < 1000 and listed(server, "agents") == []
    assert end(strangers(server, 1, "127.0.0.2", "late-", secret))["codes"] == {"401": 1}
    assert end(strangers(server, 1, "127.0.0.4", "honest-", secret))["codes"] == {"200": 1}


@pytest.mark.parametrize("killed", [False, True])
def test_one_token_for_many_at_once(start, killed):
    """As many come in as it has uses, also when the manager is killed between."""
    server = start("--enrolment=token")
    _, secret = token(server, "--uses=700", "--group=web")
    crowd = [strangers(server, 1000, f"127.0.0.{i}", f"crowd-{i}-", secret) for i in (2, 3)]
    if killed:
        wait_for(lambda: listed(server, "enrol-token", "list")[0]["used"] > 50, "some of them")
        server.stop(9)
        for process in crowd:
            process.kill()
            process.communicate()
        server.start()
        used = listed(server, "enrol-token", "list")[0]["used"]
        assert used == len(listed(server, "agents"))
        crowd = [strangers(server, 1000, f"127.0.0.{i}", f"crowd-{i}-", secret) for i in (2, 3)]
    told = [end(c) for c in crowd]
    assert len({i for t in told for i in t["ids"]}) == sum(t["codes"].get("200", 0) for t in told)
    agents = listed(server, "agents")
    assert len(agents) == 700 and {a["group"] for a in agents} == {"web"}
    row, = listed(server, "enrol-token", "list")
    assert (row["used"], row["uses"]) == (700, 700)
    assert killed or sum(t["codes"].get("200", 0) for t in told) == 700


def test_upgraded_database(start, tmp_path):
    """Agents of the version before stay accepted."""
    with contextlib.closing(sqlite3.connect(tmp_path / "manager.db")) as db:
        db.executescript(VERSION_1)
        db.execute("INSERT INTO agents (id, token, server_id, server_name, created) VALUES ('a-1', ?, 's', 'a-1', 1)",
                   (hashlib.sha256(TOKEN.encode()).hexdigest(),))
        db.commit()
    server = start("--enrolment=approve")
    assert ask(server)["handshake"]["agentID"] == "a-1"
    assert ask(server, token=TOKEN + "2")["return_code"] == 401
    row, = listed(server, "agents")
    assert not row["group"] and not row["revoked"]


# ---- a real agent

CANARY = "canary-enrolment-48151"
REFUSAL = {"return_code": 401, "error_message": "waits"}


def connected(agent, n=1):
    wait_for(lambda: agent.property("State") == "connected", "the connection")


def test_agent_sends_its_secret_until_it_is_accepted(agent, manager):
    """By one manager, with one secret, as one agent; and no text that others see has it."""
    keys = {"enrolment_token": CANARY}
    manager.answers = [REFUSAL, REFUSAL]
    agent.configure(manager.url(), connection=keys)
    agent.start()
    connected(agent)
    assert [o.get("enrolment_token") for o in manager.offers] == [CANARY] * 3 and manager.offers[0]["host_name"]
    agent.call("Reconnect")
    assert "enrolment_token" not in manager.wait_offer(4)
    agent.kill()
    agent.start()
    assert "enrolment_token" not in manager.wait_offer(5)
    for number, change in enumerate([{"enrolment_token": CANARY + "2"}, {}], 6):
        agent.configure(manager.url(), connection={**keys, **change})
        agent.call("Reload")
        assert manager.wait_offer(number)["enrolment_token"] == {**keys, **change}["enrolment_token"]
        connected(agent)
    agent.configure(manager.url("localhost"), connection=keys)  # which is another manager
    agent.call("Reload")
    assert manager.wait_offer(8)["enrolment_token"] == CANARY
    connected(agent)
    manager.answers = [{"return_code": 409}]  # then it is another agent
    agent.call("Reconnect")
    assert "enrolment_token" not in manager.wait_offer(9)
    assert manager.wait_offer(10)["enrolment_token"] == CANARY
    connected(agent)
    manager.round_trip("g-1")
    seen = agent.on_bus("introspect") + agent.notifications() + agent.log.read_text()
    assert "canary" not in seen
    assert b"canary" not in b"".join(p.read_bytes() for p in agent.state.iterdir() if p.is_file())


@pytest.mark.parametrize("content,said", [
    (None, "cannot be read: No such file or directory"), ("", "has no enrolment token"), ("two words\n", "has no enrolment token"),
    ("x" * 257, "has no enrolment token"), ("x" * 5000, "cannot be read: "), ("caf\u00e9", "has no enrolment token")])
def test_agent_connects_without_a_secret_that_cannot_be_used(agent, manager, tmp_path, content, said):
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
    agent.configure(manager.url(), connection={"enrolment_token_file": file})
    agent.start()
    assert "enrolment_token" not in manager.wait_offer()
    agent.wait_log(f"enrolment_token_file {file} {said}")
    agent.call("Reconnect")
    manager.wait_offer(2)
    assert agent.log.read_text().count("enrolment_token_file") == 1
    file.write_text(CANARY + "\n")
    agent.call("Reload")
    assert manager.wait_offer(3)["enrolment_token"] == CANARY


def test_agent_takes_its_secret_from_a_credential(agent, manager, tmp_path):
    directory = tmp_path / "credentials"
    directory.mkdir()
    (directory / "enrolment_token").write_text(CANARY)
    (directory / "other").write_text(CANARY + "2")
    agent.configure(manager.url())
    agent.start(CREDENTIALS_DIRECTORY=str(directory))
    assert manager.wait_offer()["enrolment_token"] == CANARY
    agent.configure(manager.url(), connection={"enrolment_token_file": "credential:other"})
    agent.call("Reload")
    assert manager.wait_offer(2)["enrolment_token"] == CANARY + "2"


@pytest.mark.parametrize("value", ["two words", "x" * 257, "caf\u00e9"])
def test_agent_ignores_a_secret_that_is_none(agent, manager, value):
    agent.configure(manager.url(), connection={"enrolment_token": value})
    agent.start()
    assert "enrolment_token" not in manager.wait_offer()
    agent.wait_log("the value of enrolment_token in [connection] is not valid")
    assert value not in agent.log.read_text()


def test_real_agent_in_each_mode(start, agent):
    server = start("--enrolment=approve")
    agent.configure(server.url)
    agent.start()
    wait_for(lambda: listed(server, "agents", "--waiting"), "an agent that waits")
    row, = listed(server, "agents", "--waiting")
    agent.wait_notify(f"fingerprint {row['fingerprint'][:16]}")
    assert server.cli("accept", row["id"], "--name=web1")[0] == 0
    connected(agent)
    assert agent.property("AgentId") == row["id"] and agent.property("ServerName") == "web1"
    assert server.cli("forget", "web1")[0] == 0
    _, secret = token(server)
    agent.configure(server.url, connection={"enrolment_token": secret})
    agent.call("Reload")
    wait_for(lambda: agent.property("AgentId") != row["id"] and agent.property("State") == "connected", "the new agent")
    assert listed(server, "enrol-token", "list")[0]["used"] == 1
    assert server.cli("revoke", agent.property("AgentId"))[0] == 0
    agent.wait_notify("an operator has revoked this agent")
    assert listed(server, "enrol-token", "list")[0]["used"] == 1
