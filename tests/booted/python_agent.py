# SPDX-License-Identifier: Apache-2.0
"""What the Python agent 1.2.5 leaves in its base directory when it is killed with requests in every state that occurs, as a
real one had it, with made-up contents."""

import pathlib

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
