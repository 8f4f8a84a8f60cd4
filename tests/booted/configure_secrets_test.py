# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: keys and tokens of configure_server are seen by the program that they are for alone. While it is at
work and afterwards they are in no command line, no environment, no property of a unit, no message of the bus, no line of
the journal or of the console, no file that stays, and in no memory of what runs on, but for the agent's, which has got
the request."""

import base64
import json
import os
import pathlib
import subprocess

from agent_test import manager, run, wait_for, wait_job  # noqa: F401
from backup_orders_test import seen_by_processes
from bus_monitor import bus_in
from configure_test import CHANGE, CHEF, HERE, PUPPET, b64, clean, files_with, stand_in, task  # noqa: F401
from packages_test import order
from services_test import Storage, storage  # noqa: F401

SECRETS = {name: f"canary-{name}-5e1d" for name in ("puppet", "chef", "variable", "key", "token", "storage")}
WAIT = f"echo x >{HERE}/begun; read -r x <{HERE}/go"
SERVICES = ("dcm-executord.service", "systemd-journald.service", "dbus.service")


def test_settle_is_for_its_unit_alone():
    done = subprocess.run(["/usr/lib/dcm-agent/dcm-configure", "settle"], capture_output=True, text=True)
    assert done.returncode == 1 and "alone" in done.stderr


def memory_of(pid):
    """What can be read of it: its own data, no files."""
    data = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            begin, end = (int(word, 16) for word in line.split()[0].split("-"))
            if "rw" not in line.split()[1]:
                continue
            try:
                memory.seek(begin)
                data.append(memory.read(end - begin))
            except OSError:
                pass
    return b"".join(data)


def long_runners():
    pids = [run("systemctl", "show", "--property=MainPID", "--value", service).strip() for service in SERVICES]
    return {service: pid for service, pid in zip(SERVICES, pids, strict=True) if pid != "0"} | {"systemd": "1"}


def test_secrets_are_nowhere(manager, storage):
    texts = [form for secret in SECRETS.values() for form in (secret.encode(), base64.b64encode(secret.encode())[:-4])]
    marker = HERE / "marker"
    for name in "begun", "go":
        os.mkfifo(HERE / name)
        (HERE / name).chmod(0o666)
    stand_in("puppet", PUPPET.replace("exit $(cat", f"[[ $1 != agent ]] || {{ {WAIT}; }}\nexit $(cat"))
    stand_in("chef-client", CHEF.replace("exit $(cat", f"{WAIT}\nexit $(cat"))
    (HERE / "status").write_text("0")
    Storage.objects["a.sh"] = WAIT.encode()
    playbook = b64(CHANGE + task(f"ansible.builtin.command: bash -c '{WAIT}'"))
    orders = [
        {"configType": "PUPPET", "endpoint": "puppet", "configCert": b64("C"), "configKey": b64(SECRETS["puppet"])},
        {"configType": "CHEF", "endpoint": "https://chef.example", "authId": "a", "encryptedAuthSecret": b64(SECRETS["chef"])},
        {"configType": "ANSIBLE", "playbookText": playbook, "variables": {"x": SECRETS["variable"]},
         "repositoryKey": b64(SECRETS["key"])},
        {"configType": "SCRIPT", "scriptFiles": ["images/a.sh"], "storageDelegate": "1", "storageEndpoint": storage,
         "storagePublicKey": b64("key"), "storagePrivateKey": b64(SECRETS["storage"]), "providerRegionId": "us-east-1"},
    ]
    heard_file = HERE / "bus"
    marker.touch()
    replies, units = [], ""
    with bus_in(heard_file, "type='method_call'", "type='signal'"):
        for arguments in orders:
            _, job = order(manager, "configure_server", **arguments)
            with open(HERE / "begun") as begun:
                begun.readline()
            found = seen_by_processes(texts)
            assert not found, (arguments["configType"], found)
            units += run("systemctl", "show", "dcm-*", check=False)
            for path in pathlib.Path("/run/systemd/transient").glob("*"):
                units += path.read_text() if path.is_file() else ""
            (HERE / "go").write_text("go\n")
            replies.append(wait_job(manager, job, "COMPLETE", "ERROR")["command_reply"])
    assert [r["return_code"] for r in replies] == [0] * len(orders), replies
    heard = heard_file.read_bytes()
    assert b"StartTransientUnit" in heard
    journal = subprocess.run(["journalctl", "-o", "json", "--all"], capture_output=True).stdout
    memories = {name: memory_of(pid) for name, pid in long_runners().items()}
    assert all(memories.values())
    for text in texts:
        for data, place in ((heard, "the bus"), (units.encode(), "properties of units"), (journal, "the journal"),
                            (json.dumps(manager.received).encode(), "what the manager got"), *((m, n) for n, m in memories.items())):
            assert text not in data, (text, place)
    run("systemctl", "stop", "dcm-agent.service")
    # what the stand-ins of Puppet and Chef have noted, where Puppet's key is, and the test
    allowed = {str(HERE / name) for name in ("hostprivkey", "seen", "bus")}
    found = files_with([t.decode() for t in texts], marker)
    assert set(found) <= allowed, found
