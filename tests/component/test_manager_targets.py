# SPDX-License-Identifier: Apache-2.0
"""Proves whom `dcm-manager run TARGET... COMMAND` means and orders: each agent once, nobody who is not an agent now,
nobody at all if one target means nobody; what is told exists, whoever is killed; and how the ends of many are
summed up."""
import json
import os
import re
import signal
import socket
import sqlite3

import pytest

from harness import wait_for
from test_enrolment import ask, listed
from test_manager import TOKEN, iterate_until, server, start  # noqa: F401

GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def member(server, name=None, group=None, **keys):
    """A connected agent with that name."""
    member.n = getattr(member, "n", 0) + 1
    agent = server.agent(token=f"{TOKEN}{member.n}", **{"ipv4": [f"198.51.100.{member.n % 250}"], **keys})
    agent.name = name or agent.id
    if name:
        assert server.cli("name", agent.id, name)[0] == 0
    if group:
        assert server.cli("group", agent.id, group)[0] == 0
    return agent


def meant(server, *targets):
    code, out, err = server.cli("run", *targets, "--dry-run", "--json", "--", "heartbeat")
    assert code == 0, err
    return sorted(row["name"] for row in json.loads(out))


def told(out):
    """Names by GUID."""
    return dict(re.findall(rf"^({GUID})  (\S+)$", out, re.M))


def n_requests(server):
    return len(listed(server, "requests", "--all"))


@pytest.fixture
def fleet(server):
    server.agents = [member(server, "web1", "web"), member(server, "web2", "web", platform="ubuntu"),
                     member(server, "db1", "db"), member(server, platform="rhel")]
    return server


def test_kinds_of_targets(fleet):
    nameless = fleet.agents[3]
    everybody = sorted(a.name for a in fleet.agents)
    assert meant(fleet, "web*") == ["web1", "web2"]
    assert meant(fleet, "web?") == meant(fleet, "w*[12]") == ["web1", "web2"]
    assert meant(fleet, "web[!1]") == meant(fleet, "web[^1]") == ["web2"]
    assert meant(fleet, "*b1") == ["db1", "web1"]
    assert meant(fleet, "@web") == meant(fleet, "group=web") == ["web1", "web2"]
    assert meant(fleet, "platform=ubuntu") == ["web2"]
    assert meant(fleet, "connected") == meant(fleet, "--all") == meant(fleet, "*") == everybody
    assert meant(fleet, nameless.id[:-1] + "?") == [nameless.id], "an agent without a name is called by its id"
    assert meant(fleet, "db1", "web*", "@web", "platform=debian", "web1") == ["db1", "web1", "web2"]
    fleet.agents[0].close()
    iterate_until(lambda: "web1" not in meant(fleet, "connected"), "the end of the connection")
    assert meant(fleet, "connected") == sorted(set(everybody) - {"web1"})
    fleet.stop(signal.SIGKILL)
    fleet.start()
    assert meant(fleet, "@web") == ["web1", "web2"] and fleet.cli("run", "connected", "heartbeat")[0] == 253
    assert n_requests(fleet) == 0


def test_dry_run_for_people(fleet):
    code, out, _ = fleet.cli("run", "@web", "--dry-run", "heartbeat")
    rows = [line.split() for line in out.splitlines()]
    assert code == 0 and rows[0][:4] == ["ID", "NAME", "CONNECTED", "GROUP"]
    assert sorted(row[1:4] for row in rows[1:]) == [["web1", "yes", "web"], ["web2", "yes", "web"]]
    assert n_requests(fleet) == 0


def test_orders(fleet):
    """One request for each, with GUID and name; the word after the targets is the command."""
    code, out, err = fleet.cli("run", "web*", "db1", "@db", "heartbeat", "--arg", "a=b")
    orders = told(out)
    assert (code, err) == (0, "") and sorted(orders.values()) == ["db1", "web1", "web2"]
    for agent in fleet.agents[:3]:
        request = agent.receive("REQUEST")
        assert orders[request["request_id"]] == agent.name
        assert request["payload"]["command"] == "heartbeat" and request["payload"]["arguments"] == {"a": "b"}
    code, out, err = fleet.cli("run", "@db", "--json", "--", "restart_service", "name=nginx", "n:=1")
    line = json.loads(out)
    assert (line["agent"], line["name"]) == (fleet.agents[2].id, "db1") and code == 0
    request = fleet.agents[2].receive("REQUEST")
    assert request["request_id"] == line["guid"]
    assert request["payload"]["command"] == "restart_service"
    assert request["payload"]["arguments"] == {"name": "nginx", "n": 1}


def test_one_agent_is_as_ever(fleet):
    agent = fleet.agents[0]
    for words in (["web1", "heartbeat"], ["--", "web1", "heartbeat"], ["web1", "--", "heartbeat"],
                  [agent.id, "heartbeat"]):
        code, out, err = fleet.cli("run", *words)
        assert code == 0 and re.fullmatch(GUID + "\n", out), err
    assert json.loads(fleet.cli("run", "web1", "heartbeat", "--json")[1])["agent"] == agent.id
    assert fleet.cli("run", "nobody", "heartbeat")[::2] == (253, "dcm-manager: there is no agent 'nobody'\n")
    assert fleet.cli("run", "agent-", "heartbeat")[0] == 254, "several begin so"


@pytest.mark.parametrize("target, said", [
    ("nobody*", "the target 'nobody*' means no agent"), ("@none", "the target '@none' means no agent"),
    ("@", "'@' means no agent"), ("platform=", "means no agent"), ("platform=deb*", "means no agent"),
    ("colour=red", "no such fact"), ("[", "means no agent"), ("nobody", "there is no agent 'nobody'"),
    ("agent-", "matches several agents"), ("", "a target has 1 to"), ("@" + "x" * 2000, "a target has 1 to")])
def test_target_that_means_nobody(fleet, target, said):
    """Also as the last of several: nothing is ordered."""
    code, out, err = fleet.cli("run", "web1", "@db", target, "heartbeat")
    assert code in (253, 254) and out == "" and said in err, (code, err)
    code, out, err = fleet.cli("run", target, "web1", "--dry-run", "heartbeat")
    assert code in (253, 254) and out == "" and said in err, (code, err)
    assert n_requests(fleet) == 0


@pytest.mark.parametrize("words", [["web1"], ["--all"], ["--all", "web1", "heartbeat"],
                                   ["web1", "--", "heartbeat", "x"], ["--all", "web1", "--", "heartbeat"], ["web*", "heartbeat", "--guid=g-1"], []])
def test_wrong_use(fleet, words):
    code, out, err = fleet.cli("run", *words)
    assert code == 2 and out == "" and err.startswith("dcm-manager: "), err
    assert n_requests(fleet) == 0


def test_all(fleet):
    for words in (["--all", "heartbeat"], ["--all", "--", "heartbeat", "x=1"], ["-a", "heartbeat"]):
        assert sorted(told(fleet.cli("run", *words)[1]).values()) == sorted(a.name for a in fleet.agents)


def test_names_that_look_like_targets(server):
    """Whoever is called exactly so is meant, and nobody else; hostile names mean themselves."""
    names = ["web*", "@db", "connected", "platform=debian", "[ab]", "web1", "%s%n", "';DROP/**/TABLE/**/agents;--",
             "wéb", "web\u4e16"]
    agents = [member(server, name, "db") for name in names]
    for name in names:
        assert meant(server, name) == [name], name
    assert meant(server, "group=db") == sorted(names)
    assert meant(server, "web[*]") == ["web*"] and meant(server, "w?b") == ["wéb"]
    assert meant(server, "we[b]*") == sorted(["web*", "web1", "web\u4e16"])
    assert told(server.cli("run", "web*", "heartbeat")[1]) == {}, "one agent: its GUID alone"
    assert agents[0].receive("REQUEST")
    group = "@'--*"
    assert server.cli("group", "web1", "web*", group)[0] == 0
    assert meant(server, "@" + group) == ["web*", "web1"]


def test_agent_cannot_lie_itself_into_more_than_its_facts(server):
    """What it says of itself is compared as text; what may not be a text has been refused before."""
    honest = member(server, "honest")
    member(server, "liar", platform="debian' OR '1'='1", host_name="web1", vm_instance="@db", injected_id="web1")
    assert meant(server, "platform=debian") == ["honest"]
    for target in ("web1", "@db", "web*"):
        assert server.cli("run", target, "heartbeat")[0] == 253
    assert meant(server, "platform=debian' OR '1'='1") == ["liar"]
    assert honest.id


def test_groups(fleet):
    first, second = fleet.agents[:2]
    assert fleet.cli("group", "web1", "db1", "both")[0] == 0
    assert meant(fleet, "@both") == ["db1", "web1"] and meant(fleet, "@web") == ["web2"]
    assert {row["name"]: row["group"] for row in listed(fleet, "agents")}["db1"] == "both"
    assert fleet.cli("ungroup", "web1", "db1")[0] == 0
    assert fleet.cli("run", "@both", "heartbeat")[0] == 253
    assert fleet.cli("group", "web1", "nobody", "x")[0] == 253 and fleet.cli("group", "web1", "a b")[0] == 254
    assert fleet.cli("group", "web1")[0] == 2
    assert first.id and second.id


def test_who_is_no_agent_now_is_no_target(start):
    server = start("--enrolment=approve")
    ask(server), ask(server, token=TOKEN + "b", ipv4=["198.51.100.7"])
    for row, name in zip(listed(server, "agents", "--waiting"), ("web1", "web2")):
        server.cli("accept", row["id"], "--name", name)
        server.cli("group", name, "web")
    staying, leaving = server.agent(), server.agent(token=TOKEN + "b", ipv4=["198.51.100.7"])
    ask(server, token=TOKEN + "c", ipv4=["198.51.100.8"])  # waits
    waiting, = listed(server, "agents", "--waiting")
    assert len(meant(server, "--all")) == 2
    assert server.cli("run", waiting["id"], "heartbeat")[0] == 253
    names = {row["id"]: row["name"] for row in listed(server, "agents")}
    leaving.send(type="UNREGISTER", request_id="u-1", message_id="u-1", agent_id=leaving.id)
    leaving.wait_closed()
    for target in ("web*", "@web", "platform=debian", "connected", "--all"):
        assert meant(server, target) == [names[staying.id]], target
    code, out, err = server.cli("run", "web*", names[leaving.id], "heartbeat")
    assert code == 254 and "unregistered" in err and out == ""
    assert server.cli("revoke", staying.id)[0] == 0
    for target in ("web*", "@web", "platform=debian", "connected", "--all"):
        code, out, err = server.cli("run", target, "heartbeat")
        assert code == 253 and out == "" and "nothing was ordered" in err
    assert n_requests(server) == 0


def add_rows(server, n):
    """Agents that were here once."""
    server.stop()
    with sqlite3.connect(server.database) as db:
        db.executemany("INSERT INTO agents (id, token, server_id, used, created, absent, group_name, platform, name,"
                       " revoked) VALUES (?, ?, 's', 1, 1, 1, 'many', 'debian', ?, ?)",
                       [(f"agent-old{i:05}", f"t{i}", f"old{i:05}", 1 if i % 3 == 2 else None) for i in range(n)])
    db.close()
    server.start()


def test_many_agents_come_in_parts(server):
    """More than fit in an answer, some of them revoked: all are meant, each once, and each ordered once."""
    add_rows(server, 3000)
    expected = [f"old{i:05}" for i in range(3000) if i % 3 != 2]
    for target in ("old*", "*[0-9]", "@many", "platform=debian", "--all"):
        assert meant(server, target) == expected, target
    assert meant(server, "old*", "@many", "old00000") == expected
    code, out, err = server.cli("run", "old*", "heartbeat")
    orders = told(out)
    assert code == 0 and sorted(orders.values()) == expected, err
    assert {r["guid"] for r in listed(server, "requests", "--all")} == set(orders)


def wait_lines(process, n):
    wait_for(lambda: os.pread(process.files["stdout"].fileno(), 1 << 20, 0).count(b"\n") >= n
                  or process.poll() is not None, f"{n} lines")


@pytest.mark.parametrize("whom", ["manager", "client"])
def test_killed_in_the_middle(server, whom):
    """Whatever was told exists, once; who was not told can ask."""
    add_rows(server, 6000)
    process = server.cli_start("run", "@many", "heartbeat")
    wait_lines(process, 64)
    if whom == "manager":
        server.stop(signal.SIGKILL)
    else:
        process.kill()
    code, out, err = server.finish(process)
    lines = out[:out.rindex("\n") + 1]
    orders = told(lines)
    assert len(orders) >= 64 and len(orders) == lines.count("\n")
    if whom == "manager":
        assert code == 252 and f"{len(orders)} of 4000 agents were ordered for certain" in err, err
        server.start()
    rows = listed(server, "requests", "--all")
    stored = {r["guid"] for r in rows}
    assert set(orders) <= stored and len(stored) <= len(orders) + 64
    assert len({r["agent"] for r in rows}) == len(rows), "each agent once"


def test_order_again_under_the_same_guid_is_one_request(fleet):
    """As the client does after a restart of the manager."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(fleet.control)
        orders = [{"agent": a.id, "guid": f"g-{i}"} for i, a in enumerate(fleet.agents)]
        line = json.dumps({"method": "order", "payload": {"command": "heartbeat"}, "orders": orders}).encode() + b"\n"
        for _ in range(2):
            s.sendall(line)
            answer = json.loads(s.makefile().readline())
            assert answer["ok"] and answer["orders"] == orders[:len(answer["orders"])], answer
        for bad in ({}, {"orders": []}, {"orders": [{"agent": "x"}]}, {"orders": "x"}, {"orders": [7]},
                    {"orders": [{"agent": "x", "guid": "\n"}]}):
            s.sendall(json.dumps({"method": "order", "payload": {"command": "x"}, **bad}).encode() + b"\n")
            assert json.loads(s.makefile().readline())["error"] == "invalid", bad
        s.sendall(json.dumps({"method": "order", "payload": {"command": "x"}, "orders": [
            {"agent": "gone", "guid": "g-x"}, {"agent": fleet.agents[0].id, "guid": "g-1"}]}).encode() + b"\n")
        answer = json.loads(s.makefile().readline())
        assert [o["error"] for o in answer["orders"]] == ["not-found", "exists"][:len(answer["orders"])]
        for bad in ({}, {"target": 7}, {"target": ""}, {"target": "x" * 2000}):
            s.sendall(json.dumps({"method": "targets", **bad}).encode() + b"\n")
            assert json.loads(s.makefile().readline())["error"] == "invalid", bad
    assert n_requests(fleet) <= len(orders)


def wait_many(fleet, *options):
    return fleet.cli_start("run", "web*", "db1", "--wait", *options, "--", "run_script")


def answer_all(fleet, codes):
    for agent, code in zip(fleet.agents, codes):
        guid = agent.receive("REQUEST")["request_id"]
        if code is not None:
            agent.reply(guid, code, f"output of {agent.name}", f"error of {agent.name}" if code else "")


def test_wait_all_succeed(fleet):
    process = wait_many(fleet)
    answer_all(fleet, (0, 0, 0))
    code, out, err = fleet.finish(process)
    assert (code, err) == (0, "") and "web1: succeeded\n" in out
    assert out.endswith("3 succeeded, 0 failed, 0 did not answer\n") and "output of" not in out


def test_wait_some_fail(fleet):
    process = wait_many(fleet)
    answer_all(fleet, (0, 7, 0))
    code, out, err = fleet.finish(process)
    assert code == 1 and "web2: failed with return code 7\n" in out and "output of web1" not in out
    assert out.endswith("\nweb2:\noutput of web2\nerror of web2\n\n2 succeeded, 1 failed, 0 did not answer\n"), out


def test_wait_refused_and_json(fleet):
    process = wait_many(fleet, "--json")
    for agent, kind in zip(fleet.agents, ("REPLY", "NACK", "REPLY")):
        guid = agent.receive("REQUEST")["request_id"]
        if kind == "NACK":
            agent.send(type="NACK", request_id=guid, message_id="x", agent_id=agent.id, error_message="no \x1b[31m")
        else:
            agent.reply(guid, 0, "fine")
    code, out, err = fleet.finish(process)
    lines = [json.loads(line) for line in out.splitlines()]
    ends = {o["name"]: (o["state"], o["reply"] and o["reply"]["message"]) for o in lines if "state" in o}
    assert code == 1 and ends == {"web1": ("REPLIED", "fine"), "web2": ("NACKED", None), "db1": ("REPLIED", "fine")}
    assert lines[-1] == {"succeeded": 2, "failed": 1, "unanswered": 0} and "\x1b" not in out


def test_wait_some_do_not_answer(fleet):
    """The first one is silent: the others' answers count all the same."""
    process = wait_many(fleet, "--timeout=3")
    answer_all(fleet, (None, 5, 0))
    code, out, err = fleet.finish(process)
    assert code == 2 and out.endswith("1 succeeded, 1 failed, 1 did not answer\n"), (out, err)
    guid = next(g for g, name in told(out).items() if name == "web1")
    assert f"web1 has not answered; its request continues: dcm-manager show {guid}\n" in err


def test_wait_follows_long_runners(fleet):
    process = fleet.cli_start("run", "@db", "--wait", "--", "run_script")
    agent = fleet.agents[2]
    first = agent.receive("REQUEST")
    agent.answer(first["request_id"], {"return_code": 0, "reply_type": "job_description", "message": "",
                                       "error_message": "", "reply_object": {"job_id": 4, "job_status": "RUNNING"}})
    for status in ("RUNNING", "FAILED"):
        request = agent.receive("REQUEST")
        assert request["payload"]["command"] == "get_job_description"
        reply = {"return_code": 3, "reply_type": "void", "reply_object": None, "message": "late", "error_message": ""}
        agent.answer(request["request_id"], {
            "return_code": 0, "reply_type": "job_description", "message": "", "error_message": "",
            "reply_object": {"job_id": 4, "job_status": status,
                             "command_reply": reply if status == "FAILED" else None}},
            message_id=f"x-{status}")
    code, out, err = fleet.finish(process)
    assert code == 1 and "db1: failed with return code 3" in out and "\ndb1:\nlate\n" in out, (out, err)


def test_wait_through_a_restart_of_the_manager_is_told(fleet):
    """Without a socket that outlives it the waiting ends, and says where the answers will be."""
    process = wait_many(fleet)
    wait_lines(process, 3)
    fleet.stop(signal.SIGKILL)
    code, out, err = fleet.finish(process)
    assert code == 252 and len(told(out)) == 3 and "3 did not answer" in out
    fleet.start()
    for guid in told(out):
        assert fleet.show(guid)["guid"] == guid
