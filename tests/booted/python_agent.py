# SPDX-License-Identifier: Apache-2.0
"""What the Python agent 1.2.5 leaves in its base directory when it is killed with requests in every state that occurs, as a
real one had it, with made-up contents."""

import json
import pathlib
import sqlite3

TOKEN = "aB-_!@#^(),.=+0123456789abcdefghijklmnopqrst7bbaed41-58ff-44ff-b092-533a95b81548"

AGENT_CONF = """\
[pydev]
#host=
#port=

[workers]
# raised by the site for the nightly runs
count=3
long_runner_threads=1

[connection]
type=ws
#source_file=
#dest_file=
agentmanager_url={url}
backoff=1000
max_backoff=300000
heartbeat_frequency=30
allow_unknown_certs={unknown}
ca_cert={ca}

[logging]
configfile={base}/etc/logging.yaml

[plugin]
configfile={base}/etc/plugin.conf

[storage]
temppath=/tmp/dcm
base_dir={base}
mountpoint=/mnt/dcmdata
#dbfile=
script_dir={base}/bin
db_timeout=14400
default_filesystem=ext3

[system]
user=dcm
sudo=/usr/bin/sudo

[intrusion_detection]
ossec=True
max_process_time=5.0
alert_threshold=10

[cloud]
type=VMware
#metadata_url=

[messaging]
retransmission_timeout=7.5
max_at_once=-1

[platform]
script_locations=common-linux
#name=
#version=

[jobs]
retain_job_time=3600

[extra]
location=https://linux-stable-agent.enstratius.com/
#package_name=
base_path=/opt/dcm-agent-extras

[configuration_management]
chef_client_version=12.6

[features]
site=example
"""


def write_conf(path, base="/dcm", url="ws://localhost:1/agentManager", ca="/etc/ssl/certs/ca-certificates.crt", unknown="False"):
    pathlib.Path(path).write_text(AGENT_CONF.format(base=base, url=url, ca=ca, unknown=unknown))


PLUGIN_CONF = """\
[default]

[plugin:add_user]
type = python_module
module_name = dcm.agent.plugins.builtin.add_user
script_name = addUser

[plugin:docker_create_container]
type = python_module
module_name = dcmdocker.create_container

[plugin:get_time_example]
type = python_module
module_name = exampleplugin.get_time_example
"""

SCHEMA = """\
CREATE TABLE requests (request_id TEXT primary key not null, creation_time date, request_doc text, reply_doc text,
    state string, agent_id string, last_update_time date);
CREATE TABLE users (username string not null, added_time date, ssh_public_key text, owner integer, agent_id string,
    administrator integer, PRIMARY KEY (username, agent_id));
CREATE TABLE alerts (alert_time integer not null, added_time integer, alert_hash string not null, level integer,
    rule integer, message text, subject text, PRIMARY KEY (alert_hash));
"""

REPLY = {"return_code": 0, "reply_type": "void", "reply_object": None, "message": "unacked reply\n", "error_message": ""}
SCRIPT = {"b64script": "IyEvYmluL3NoCnRvdWNoIC90bXAvZXhlY3V0ZWQK",  # touch /tmp/executed
          "checksum": "9c412b43e0f6e57ec814352dd64041378d9bacb75b8c4fe7305caca7eb63221e"}
ROWS = [  # GUID, command, arguments, state
    ("00000001-c68d-45ee-9048-40b883b8f6a9", "heartbeat", {}, "REPLY_ACKED"),
    ("00000002-c68d-45ee-9048-40b883b8f6a9", "add_user", {"userId": "jdoe", "firstName": "Jane", "lastName": "Doe",
                                                          "authentication": None, "administrator": "false"}, "REPLY_ACKED"),
    ("00000003-c68d-45ee-9048-40b883b8f6a9", "add_user", {"userId": "gone", "firstName": "", "lastName": "",
                                                          "authentication": None, "administrator": "true"}, "REPLY_ACKED"),
    ("00000004-c68d-45ee-9048-40b883b8f6a9", "remove_user", {"userId": "gone"}, "REPLY_ACKED"),
    ("00000005-c68d-45ee-9048-40b883b8f6a9", "run_script", SCRIPT, "REPLY_ACKED"),
    ("00000006-c68d-45ee-9048-40b883b8f6a9", "init_system_stat", {"statType": "cpu-idle", "statName": "cpu", "holdCount": 10,
                                                                  "checkInterval": 1.0}, "REPLY_ACKED"),
    ("00000007-c68d-45ee-9048-40b883b8f6a9", "run_script", SCRIPT, "REPLY_NACKED"),
    ("00000008-c68d-45ee-9048-40b883b8f6a9", "run_script", SCRIPT, "ACKED"),
    ("00000009-c68d-45ee-9048-40b883b8f6a9", "run_script", SCRIPT, "REPLY"),
]
ACKED, UNACKED = ROWS[7][0], ROWS[8][0]
ALERT_TIME, ALERT_PLACE = 1796055745, "98765"
ALERT_LOG = f"""\
** Alert {ALERT_TIME}.{ALERT_PLACE}: - syslog,sshd,
2026 Nov 22 00:00:00 host->/var/log/auth.log
Rule: 5716 (level 12) -> 'SSHD authentication failed.'
Src IP: 192.0.2.0
User: root
sample 0

"""


def write_database(path, rows=tuple(ROWS), agent_ids=("agent-1",)):
    """The first id is the newest rows'; each older one has copies of them."""
    db = sqlite3.connect(path)
    db.executescript(SCHEMA)
    for age, agent in enumerate(agent_ids):
        for number, (guid, command, arguments, state) in enumerate(rows):
            guid = guid if age == 0 else f"{age}{guid[1:]}"
            document = {"type": "REQUEST", "request_id": guid, "message_id": f"mgr{number}", "entity": "requester",
                        "payload": {"command": command, "arguments": arguments}}
            db.execute("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?)",
                       (guid, f"2026-11-{30 - age:02} 16:22:{number:02}.569404", json.dumps(document),
                        json.dumps(REPLY) if state == "REPLY" else None, state, agent, "2026-11-30 16:23:00.000000"))
    db.execute("INSERT INTO alerts VALUES (?, ?, ?, 12, 5716, ?, ?)",
               (int(float(f"{ALERT_TIME}.{ALERT_PLACE}") * 1000), ALERT_TIME * 1000, "f0" * 32, "sample 0",
                "SSHD authentication failed."))
    db.commit()
    db.close()


def write_tree(base, url="ws://localhost:1/agentManager", token=TOKEN, **database):
    """The whole directory."""
    base = pathlib.Path(base)
    for name in ("etc", "logs", "home", "secure", "bin"):
        (base / name).mkdir(parents=True)
    write_conf(base / "etc/agent.conf", base="/dcm", url=url)
    (base / "etc/plugin.conf").write_text(PLUGIN_CONF)
    write_database(base / "secure/agentdb.sql", **database)
    (base / "secure/injected_id").write_text("launch-0f3c2a")
    (base / "secure/token").write_text(token)
    (base / "bin/variables.sh").write_text("DCM_USER=dcm\nDCM_BASEDIR=/dcm\n")
    for name in ("listDevices", "removeUser", "siteBackup"):
        (base / "bin" / name).write_text(f"#!/bin/bash\necho {name} of the site\n")
        (base / "bin" / name).chmod(0o550)
