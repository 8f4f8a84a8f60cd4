# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, with the build installed: dcm-agentctl configure. What it writes, where, and what it leaves alone;
that nothing is saved which does not connect; the options and the file of the Python agent; questions and answers. The
manager is dcm-manager with TLS."""

import base64
import hashlib
import os
import pathlib
import shutil
import stat
import subprocess

import pytest
import yaml

from python_agent import write_conf

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/examples/install"
ETC = pathlib.Path("/etc/dcm-agent")
OWN = ETC / "agent.conf.d/configure.conf"
SITE = ETC / "agent.conf.d/site.conf"
CERTIFICATE = pathlib.Path("/etc/dcm-manager/cert.pem")
OPEN = pathlib.Path("/etc/dcm-manager/dcm-manager.conf.d/test.conf")
URL = "wss://localhost:8443/agentManager"
NOWHERE = "ws://localhost:1/agentManager"


def run(*command, check=True, **more):
    if "input" not in more:
        more["stdin"] = subprocess.DEVNULL
    done = subprocess.run(command, capture_output=True, text=True, **more)
    assert done.returncode == 0 or not check, (done.stdout, done.stderr)
    return done


def configure(*arguments, **more):
    return run("dcm-agentctl", "configure", *arguments, **more)


def show(name):
    return run("systemctl", "show", "-P", name, "dcm-agent.service").stdout.strip()


def tree():
    return {path: (path.read_bytes(), path.stat().st_mode, path.stat().st_ino) for path in ETC.rglob("*") if path.is_file()}


def effective():
    """section.key: value, of what is not the default"""
    found, section = {}, ""
    for line in run("dcm-agentctl", "config", "--effective").stdout.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.endswith("; default"):
            name, value = line.rsplit(" ; ", 1)[0].split(" =", 1)
            found[f"{section}.{name}"] = value.strip()
    return found


@pytest.fixture(scope="module", autouse=True)
def service():
    CERTIFICATE.parent.mkdir(exist_ok=True)
    key = CERTIFICATE.parent / "key.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "60",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(CERTIFICATE))
    shutil.chown(key, group="dcm-manager")
    key.chmod(0o640)
    CERTIFICATE.chmod(0o644)
    OPEN.parent.mkdir(exist_ok=True)
    OPEN.write_text("[enrolment]\nmode = open\n")
    run("systemctl", "start", "dcm-manager.socket", "dcm-manager.service")
    yield
    run("systemctl", "stop", "dcm-manager.socket", "dcm-manager.service")
    OPEN.unlink()


@pytest.fixture(autouse=True)
def etc(tmp_path_factory):
    run("systemctl", "disable", "--now", "dcm-agent.service")
    saved = tmp_path_factory.mktemp("saved")
    shutil.copytree(ETC, saved / "etc")
    shutil.rmtree("/var/lib/dcm-agent", ignore_errors=True)
    for path in (OWN, SITE):
        path.unlink(missing_ok=True)
    yield
    run("systemctl", "disable", "--now", "dcm-agent.service")
    shutil.rmtree(ETC)
    shutil.copytree(saved / "etc", ETC)
    assert not list(pathlib.Path("/run").glob("dcm-agent-configure*")), "nothing is left"


@pytest.fixture
def ca():
    path = ETC / "ca.pem"
    shutil.copy(CERTIFICATE, path)
    return path


def test_what_connects_is_saved_and_nothing_else(ca):
    before = tree()
    done = configure("--url", NOWHERE, check=False)
    assert done.returncode == 1 and "TCP" in done.stderr and "nothing is saved" in done.stderr and tree() == before
    done = configure("-u", URL, check=False)
    assert done.returncode == 1 and "TLS" in done.stderr and tree() == before
    done = configure("--url", URL, "--cacert-file", str(ca), "--verbose")
    assert f"Saved: {OWN}" in done.stdout and "HTTP" in done.stdout
    assert effective() == {"connection.agentmanager_url": URL, "connection.ca_cert": str(ca)}
    assert stat.S_IMODE(OWN.stat().st_mode) == 0o644
    assert {path: value for path, value in tree().items() if path != OWN} == before
    assert show("ActiveState") == "inactive" and show("UnitFileState") == "disabled"


def test_twice_changes_nothing(ca):
    configure("-u", URL, "-A", str(ca), "--set", "features.site=a = b", "--set", "workers.count=4")
    before = tree()
    done = configure("-u", URL, "-A", str(ca), "--set", "features.site=a = b", "--set", "workers.count=4")
    assert done.stdout == "Nothing to change.\n" and tree() == before
    assert effective()["features.site"] == "a = b"


def test_keys_are_changed_where_they_are_and_defaults_vanish():
    SITE.write_text("; of this site\n[workers]\n# because of the nightly runs\ncount = 7 ; seven\n\n[connection]\npin = a\n  b\n"
                    "proxy = http://user:secret@proxy:3128\n# the end\n")
    configure("--no-check", "--set", "workers.count=9", "--set", "connection.pin=", "-u", NOWHERE)
    assert SITE.read_text() == ("; of this site\n[workers]\n# because of the nightly runs\ncount = 9\n\n[connection]\n"
                                "proxy = http://user:secret@proxy:3128\n# the end\n")
    assert "workers" not in OWN.read_text()
    configure("--no-check", "--set", "workers.count=2", "--set", "logging.level=debug")
    assert "# because" in SITE.read_text() and "count" not in SITE.read_text()
    configure("--no-check", "--set", "logging.console_level=DEBUG")
    assert OWN.read_text().endswith("[logging]\nlevel = debug\nconsole_level = DEBUG\n")
    assert "secret" in SITE.read_text()


def test_an_agent_that_runs_takes_it_and_starts_if_asked(ca):
    configure("-u", URL, "-A", str(ca), "-B", "--start")
    assert show("UnitFileState") == "enabled" and show("ActiveState") == "active"
    run("dcm-manager", "wait-agent", "--timeout", "240")
    pid = show("MainPID")
    configure("--set", "logging.level=debug")
    assert show("MainPID") == pid
    assert run("journalctl", "-u", "dcm-agent.service", "--grep", "eload", check=False).stdout


def test_dry_run(ca):
    before = tree()
    done = configure("-u", URL, "-A", str(ca), "-B", "--start", "--dry-run")
    assert f"+agentmanager_url = {URL}" in done.stdout and tree() == before
    assert show("UnitFileState") == "disabled" and show("ActiveState") == "inactive"


def test_options_of_the_python_agent():
    """As installer.sh of an old fleet passes them, by the old name."""
    done = run("dcm-agent-configure", "-v", "-I", "-U", "dcm", "-p", "/dcm", "-t", "/tmp/dcm", "-C", "ws", "-c", "openstack",
               "-u", NOWHERE, "-m", "/mnt/data", "-l", "/dcm/logs/agent.log", "-L", "WARN", "-Z", "-d", "yes", "-T", "5", "-o",
               "--chef-client-version", "12.6", "--install-extras", "--extra-package-location", "https://example.com/",
               "--package-name", "extras", "-R", "-B")
    assert effective() == {
        "cloud.type": "openstack", "connection.agentmanager_url": NOWHERE, "connection.allow_unknown_certs": "True",
        "storage.mountpoint": "/mnt/data", "logging.level": "warning", "intrusion_detection.ossec": "True",
        "intrusion_detection.alert_threshold": "5"}
    for option in ("-I", "-R", "-p", "-t", "-l", "-o", "--chef-client-version", "--install-extras", "--package-name"):
        assert f"configure: {option} has no effect: " in done.stderr
    assert show("UnitFileState") == "enabled"


@pytest.mark.parametrize("arguments,status,text", [
    (["-U", "joe"], 2, "dcm-agent-commands.d(5)"),
    (["-C", "success_tester"], 2, "no connection of type"),
    (["-L", "loud"], 2, "it must be ERROR"),
    (["--set", "workers.count=many"], 2, "a whole number"),
    (["--set", "workers.number=3"], 2, "there is no key number"),
    (["--set", "workers"], 2, "SECTION.KEY=VALUE"),
    (["-u", "http://example.com"], 1, "nothing is saved"),
    (["-A", "/none", "-u", URL], 1, "/none"),
    (["-c", "Moon"], 2, "cloud"),
    (["--nonsense"], 2, "--help"),
    (["word"], 2, "no operand"),
    (["-r", "/none"], 1, "cannot be read"),
    (["-B"], 0, ""),
    (["-L", "DEBUG"], 1, "no manager is configured"),
])
def test_refused(arguments, status, text):
    before = tree()
    done = configure(*arguments, check=False)
    assert done.returncode == status and text in done.stderr and tree() == before, (done.stdout, done.stderr)


def test_only_root():
    done = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "dcm-agentctl", "configure", "-u", URL, check=False)
    assert done.returncode == 4 and "only root" in done.stderr


def test_taking_over_the_file_of_the_python_agent(tmp_path):
    old = tmp_path / "agent.conf"
    write_conf(old, url=URL, unknown="True")
    done = configure("-r", str(old))
    assert effective() == {
        "connection.agentmanager_url": URL, "connection.allow_unknown_certs": "True", "workers.count": "3",
        "messaging.retransmission_timeout": "7.5", "intrusion_detection.ossec": "True", "cloud.type": "Other",
        "features.site": "example"}
    text = OWN.read_text()
    assert "# raised by the site for the nightly runs\ncount = 3\n" in text and "source_file" not in text
    assert "not taken over, as nothing here corresponds to it: configuration_management.chef_client_version = 12.6" in done.stderr
    assert "the cloud VMware" in done.stderr and "storage" not in done.stderr
    assert not run("dcm-agentctl", "config", "--check", check=False).stdout.count("configure.conf")
    before = tree()
    assert configure("-r", str(old)).stdout == "Nothing to change.\n" and tree() == before
    # options count more than the file
    configure("-r", str(old), "--set", "workers.count=5", "-u", URL + "/2")
    assert effective()["workers.count"] == "5" and effective()["connection.agentmanager_url"] == URL + "/2"


def test_certificates_of_the_former_agent_are_kept(tmp_path):
    old = tmp_path / "agent.conf"
    bundle = tmp_path / "manager.pem"
    shutil.copy(CERTIFICATE, bundle)
    write_conf(old, url=NOWHERE, ca=bundle)
    before = tree()
    assert configure("-r", str(old), check=False).returncode == 1 and tree() == before
    write_conf(old, url=URL, ca=bundle)
    configure("-r", str(old))
    assert effective()["connection.ca_cert"] == str(ETC / "former-ca.pem")
    assert (ETC / "former-ca.pem").read_bytes() == CERTIFICATE.read_bytes()


def pin():
    key = run("openssl", "x509", "-in", str(CERTIFICATE), "-pubkey", "-noout").stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key.encode(), capture_output=True, check=True)
    return base64.b64encode(hashlib.sha256(der.stdout).digest()).decode()


def answers(*lines):
    return configure("-i", input="\n".join(lines) + "\n", check=False)


def test_questions():
    done = answers("http://localhost", URL, "moon", "other", "4", "2", "two words", "", "no", "no", "yes")
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert pin() in done.stdout and "There is no cloud moon." in done.stdout and "It begins with wss://" in done.stdout
    assert "The connection is good." in done.stdout
    assert effective() == {"connection.agentmanager_url": URL, "connection.allow_unknown_certs": "True",
                           "connection.pin": pin()}
    assert show("UnitFileState") == "disabled" and show("ActiveState") == "inactive"
    # what is configured is offered
    before = tree()
    done = answers("", "", "", "yes", "yes", "yes")
    assert done.returncode == 0 and "Nothing to change." in done.stdout and tree() == before
    assert show("UnitFileState") == "enabled" and show("ActiveState") == "active"


def test_questions_with_an_authority(ca):
    done = answers(URL, "OpenStack", "1", str(ca), "", "no", "no", "yes")
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert effective() == {"connection.agentmanager_url": URL, "connection.ca_cert": str(ca), "cloud.type": "OpenStack"}


@pytest.mark.parametrize("lines", [[], [URL], [URL, ""], [URL, "", "3", "", "no"], [URL, "", "3", "", "no", "no", "no"],
                                   [NOWHERE, "", "", "no"], [URL, "", "3"]])
def test_questions_that_end_early(lines):
    before = tree()
    done = answers(*lines)
    assert done.returncode == 1 and "nothing is saved" in done.stderr and tree() == before
    assert show("UnitFileState") == "disabled"


@pytest.fixture
def token():
    """A manager that takes nobody without an enrolment token, and one."""
    OPEN.write_text("[enrolment]\nmode = token\n")
    run("systemctl", "reload", "dcm-manager.service")
    yield run("dcm-manager", "enrol-token", "new").stdout.strip()
    OPEN.write_text("[enrolment]\nmode = open\n")
    run("systemctl", "reload", "dcm-manager.service")


def test_enrolment_token(ca, token):
    """It is in no file that everybody may read, in no journal, in no output; and it lets the agent in."""
    run("journalctl", "--rotate")
    run("journalctl", "--vacuum-time=1s")
    before = tree()
    done = [configure("-u", URL, "-A", str(ca), "--enrolment-token", token, "--dry-run")]
    assert tree() == before and "it is a secret" in done[0].stdout
    assert configure("--enrolment-token", "two words", check=False).returncode == 2
    done.append(configure("-u", URL, "-A", str(ca), "--enrolment-token", "-", "--start", input=token + "\n"))
    file = ETC / "enrolment-token"
    assert file.read_text() == token + "\n" and (stat.S_IMODE(file.stat().st_mode), file.group()) == (0o640, "dcm-agent")
    assert effective()["connection.enrolment_token_file"] == str(file) and token not in OWN.read_text()
    run("dcm-manager", "wait-agent", "--timeout", "240")
    done.append(configure("--enrolment-token", token))
    assert done[-1].stdout == "Nothing to change.\n"
    done += [run("dcm-agentctl", "config", "--effective"), run("dcm-agentctl", "status"), run("journalctl", "-o", "export"),
             run("dcm-manager", "enrol-token", "list", "--json"), run("dcm-agentctl", "config", "--check", check=False)]
    assert all(token not in d.stdout + d.stderr for d in done)
    # one that is in the configuration moves out of it
    SITE.write_text("[connection]\nenrolment_token = canary\n")
    assert "everybody can read the enrolment token" in run("dcm-agentctl", "config", "--check", check=False).stdout
    assert "canary" not in run("dcm-agentctl", "config", "--effective").stdout
    configure("--set", f"connection.enrolment_token={token}")
    assert "enrolment_token" not in SITE.read_text()


def test_enrolment_token_by_questions(ca):
    done = answers(URL, "Other", "1", str(ca), "canary-token", "no", "no", "yes")
    assert done.returncode == 0 and "canary" not in done.stdout + done.stderr
    assert (ETC / "enrolment-token").read_text() == "canary-token\n"


def test_cloud_init(token):
    """What cloud-init does with the example: files, then commands."""
    example = yaml.safe_load((EXAMPLES / "cloud-init.yaml").read_text())
    assert example.keys() == {"write_files", "runcmd"}
    for file in example["write_files"]:
        path = pathlib.Path(file["path"])
        is_token = "token" in file["content"]
        assert is_token or "BEGIN CERTIFICATE" in file["content"]
        path.write_text(f"{token}\n" if is_token else CERTIFICATE.read_text())
        path.chmod(int(file["permissions"], 8))
        shutil.chown(path, *file.get("owner", "root:root").split(":"))
    for command in example["runcmd"]:
        run(*[URL if "://" in word else word for word in command])
    assert show("UnitFileState") == "enabled" and show("ActiveState") == "active"
    run("dcm-manager", "wait-agent", "--timeout", "240")


@pytest.mark.skipif(not shutil.which("ansible-playbook"), reason="needs ansible-core")
def test_ansible(tmp_path, token):
    command = ["ansible-playbook", "--connection", "local", "--inventory", "localhost,", "--extra-vars",
               f"manager_url={URL} manager_ca={CERTIFICATE} enrolment_token={token} ansible_python_interpreter=/usr/bin/python3",
               str(EXAMPLES / "ansible.yml")]
    environment = {**os.environ, "HOME": str(tmp_path), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
    first = run(*command, "-vvv", env=environment).stdout
    assert "changed=3 " in first and token not in first
    run("dcm-manager", "wait-agent", "--timeout", "240")
    assert "changed=0 " in run(*command, env=environment).stdout
