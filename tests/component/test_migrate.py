# SPDX-License-Identifier: Apache-2.0
"""dcm-migrate takes what it can from databases of the Python agent that are damaged at many places, and from rows that are
no requests; what it takes is valid, and a second run takes nothing. tests/booted/test-migrate has the rest."""

import json
import pathlib
import random
import sqlite3
import subprocess
import sys

import pytest

from harness import BUILD

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "booted"))

import python_agent  # noqa: E402

PROGRAM = BUILD / "src/dcm-migrate/dcm-migrate"


def take(directory, *arguments, alerts=""):
    return subprocess.run([PROGRAM, f"--former={directory}/former.db", f"--store={directory}/store.db", "--alerts", *arguments],
                          input=alerts, capture_output=True, text=True)


def rows(directory, sql):
    db = sqlite3.connect(directory / "store.db")
    found = db.execute(sql).fetchall()
    db.close()
    return found


def test_a_second_time_takes_nothing(tmp_path):
    python_agent.write_database(tmp_path / "former.db")
    done = take(tmp_path, "--injected-id=launch", alerts=python_agent.ALERT_LOG * 2)
    assert done.returncode == 0 and done.stderr == "" and "requests: 9 taken over" in done.stdout
    assert rows(tmp_path, "SELECT state FROM alerts") == [(2,)]
    before = rows(tmp_path, "SELECT * FROM requests") + rows(tmp_path, "SELECT * FROM meta")
    done = take(tmp_path, "--injected-id=launch", alerts=python_agent.ALERT_LOG)
    assert "requests: 0 taken over, so that none is executed again; 9 known already" in done.stdout
    assert rows(tmp_path, "SELECT * FROM requests") + rows(tmp_path, "SELECT * FROM meta") == before


def test_an_agent_id_is_found(tmp_path):
    """And nothing is changed."""
    python_agent.write_database(tmp_path / "former.db", rows=[])
    assert take(tmp_path, "--has-id").returncode == 1
    assert rows(tmp_path, "SELECT count(*) FROM requests") == [(0,)]
    python_agent.write_database(tmp_path / "other.db")
    (tmp_path / "other.db").rename(tmp_path / "former.db")
    take(tmp_path)
    assert take(tmp_path, "--has-id").returncode == 0


def test_rows_that_are_no_requests(tmp_path):
    python_agent.write_database(tmp_path / "former.db")
    db = sqlite3.connect(tmp_path / "former.db")
    strange = [("", "{}", None, "ACKED"), ("a\nb", "{}", None, "ACKED"), ("1" * 5000, "{}", None, "ACKED"),
               ("unknown-state", "{}", None, "DANCING"), ("no-document", None, None, "ACKED"),
               ("no-json", "{nothing", "{nothing", "REPLY"), ("no-object", "[1]", "[1]", "REPLY"),
               ("deep", "[" * 10000, "{\"a\":" * 10000, "REPLY"), ("no-user", json.dumps(
                   {"payload": {"command": "add_user", "arguments": {"userId": {"a": 1}}}}), None, "REPLY_ACKED"),
               ("blob", b"\xff\x00\xfe", b"\xff", "REPLY"), ("odd-user", json.dumps(
                   {"payload": {"command": "add_user", "arguments": {"userId": "../../etc/passwd\u001b[31m"}}}), None, "REPLY_ACKED")]
    for row in strange:
        db.execute("INSERT INTO requests VALUES (?, NULL, ?, ?, ?, 'agent-1', NULL)", row)
    db.commit()
    db.close()
    done = take(tmp_path)
    assert done.returncode == 0 and done.stderr == "" and "\x1b" not in done.stdout
    assert "4 rows that are no requests" in done.stdout
    for guid, state, reply in rows(tmp_path, "SELECT guid, state, reply FROM requests"):
        assert state != "ACKED" and (not reply or json.loads(reply)["return_code"] in (0, 1)), guid


@pytest.mark.parametrize("seed", range(20))
def test_damage(tmp_path, seed):
    """No page is trusted."""
    chance = random.Random(seed)
    many = [(f"{number:08x}-c68d-45ee-9048-40b883b8f6a9", "heartbeat", {"text": "x" * chance.randrange(6000)}, "REPLY_ACKED")
            for number in range(16, 100)]
    python_agent.write_database(tmp_path / "former.db", rows=[*python_agent.ROWS, *many])
    data = bytearray((tmp_path / "former.db").read_bytes())
    for _ in range(chance.choice((1, 10, 200))):
        at = chance.randrange(100, len(data))
        data[at:at + 4] = chance.randbytes(4)
    if seed % 4 == 0:
        del data[chance.randrange(len(data)):]
    (tmp_path / "former.db").write_bytes(data)
    done = take(tmp_path, alerts=python_agent.ALERT_LOG)
    assert done.returncode in (0, 3) and done.stderr == "", done.stderr
    assert (done.returncode == 3) == ("is damaged" in done.stdout)
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    for state, in rows(tmp_path, "SELECT DISTINCT state FROM requests"):
        assert state in ("REPLY", "REPLY_ACKED", "REPLY_NACKED", "NACKED")
