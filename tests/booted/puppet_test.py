# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: configure_server with a real Puppet, agent and server, and the agent's package from a signed
repository by the commands about packages. Run it by tests/tools/test-puppet, which has the server.
Environment: DCM_FAULTS, full (everything) or a sample."""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import uuid

import pytest

from agent_test import manager, reply_to, run, show, wait_for  # noqa: F401
from certificates import Certificate
from configure_test import b64, console, files_with, is_clean
from object_servers import LAYER, ROOT, Server, mount_root
from package_root import AptRoot
from services_test import begin, finish, work

HERE = pathlib.Path("/srv/puppet-test")
MANIFESTS = ROOT / "etc/puppet/code/environments/production/manifests"
SECONDS = 900.0
LOOK = """#!/bin/sh
cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | grep -acF -f {here}/secrets >>{here}/found
exit 0
"""
UNIT = """[Service]
ExecStart=/usr/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""
GOOD = f"""
exec {{ 'look': command => '/bin/true', unless => '{HERE}/look' }}
file {{ '{HERE}/motd': content => "hello\\n", mode => '0640' }}
package {{ 'thing': ensure => installed }}
-> service {{ 'thing': ensure => running, enable => true }}
"""
everything = pytest.mark.skipif(os.environ.get("DCM_FAULTS") != "full", reason="takes long: set DCM_FAULTS=full")


class Machine(AptRoot):
    """The machine itself, with its own package database and one repository."""

    HIDDEN = ("/etc/apt", "/var/lib/apt", "/var/cache/apt")

    def __init__(self):
        self.root = pathlib.Path("/")
        self.architecture = run("dpkg", "--print-architecture").strip()
        for path in self.HIDDEN:
            run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path)
        for path in ("/etc/apt/sources.list.d", "/etc/apt/apt.conf.d", "/var/lib/apt/lists/partial",
                     "/var/cache/apt/archives/partial", "/srv/build", "/srv/main"):
            pathlib.Path(path).mkdir(parents=True)
        pathlib.Path("/etc/apt/apt.conf.d/test").write_text('APT::Sandbox::User "root";\n')
        pathlib.Path("/var/lib/man-db/auto-update").unlink(missing_ok=True)  # takes minutes, and nobody reads them here
        for package in (LAYER / "packages").iterdir():
            os.symlink(package, f"/srv/main/{package.name}")
        self.key = self.make_key("good")
        self.build("main", "thing", "1.0", files={"lib/systemd/system/thing.service": UNIT})
        self.build("main", "slow", "1.0", postinst=f"touch {HERE}/began; read -r _ <{HERE}/pipe; touch {HERE}/ended")
        self.publish("main", "Main")

    def argv(self, *command):
        return [*command]


class PuppetServer(Server):
    """With an authority of its own, which signs nothing by itself."""

    JAVA = ("-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dlogappender=STDOUT",
            "-Djruby.logger.class=com.puppetlabs.jruby_utils.jruby.Slf4jLogger", "-Djruby.lib=/usr/share/jruby/lib",
            "-jar", "/usr/share/puppetserver/puppetserver.jar", "--config", "/etc/puppet/puppetserver/conf.d",
            "--bootstrap-config", "/etc/puppet/puppetserver/services.d")
    PORT = 8140

    def __init__(self):
        super().__init__("puppet")
        mount_root()
        hosts = "127.0.0.1 localhost puppet\n"
        (ROOT / "etc/hosts").write_text(hosts)
        pathlib.Path("/etc/hosts").write_text(pathlib.Path("/etc/hosts").read_text() + hosts)
        self.inside("install", "-d", "-o", "puppet", "-g", "puppet", "/run/puppetserver", "/var/log/puppetserver")
        self.spawn("chroot", "--userspec=puppet:puppet", ROOT, "java", *self.JAVA)

    @staticmethod
    def inside(*command):
        return subprocess.run(["chroot", ROOT, *command], check=True, capture_output=True, text=True).stdout

    def wait(self):
        self.wait_port(self.PORT, SECONDS)

    def ca(self, verb, name):
        self.inside("puppetserver", "ca", verb, "--certname", name)

    def identity(self, name):
        """What its authority gives a client: arguments of the request."""
        self.ca("generate", name)
        ssl = ROOT / "var/lib/puppet/ssl"
        return {"configClientName": name, "configCert": b64((ssl / f"certs/{name}.pem").read_text()),
                "configKey": b64((ssl / f"private_keys/{name}.pem").read_text()), **self.authority()}

    @staticmethod
    def authority():
        return {"configCa": b64((ROOT / "etc/puppet/puppetserver/ca/ca_crt.pem").read_text())}


@pytest.fixture(scope="module")
def server():
    HERE.mkdir()
    HERE.chmod(0o755)
    server = PuppetServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def machine(server):
    return Machine()


@pytest.fixture
def puppet(manager, machine, server):
    """A request, to its end: the reply, and all that was said. The client is installed if it is missing."""
    def call(**arguments):
        job = begin(manager, "configure_server", configType="PUPPET", endpoint="https://puppet:8140", **arguments)
        reply = finish(manager, job, SECONDS)["command_reply"]
        lines = [text for _, text in console(manager) if not text.startswith("The job")]
        return reply, "\n".join([reply["message"], *lines])

    if not shutil.which("puppet"):
        reply, said = call()
        assert reply["return_code"] == 1 and "install the package puppet-agent" in said, reply
        work(manager, "add_repository", name="main", uri="file:/srv/main", suite="./", key=machine.key)
        done = finish(manager, begin(manager, "install_packages", packages=["puppet-agent"]), SECONDS)["command_reply"]
        assert done["return_code"] == 0 and "puppet-agent" in [c["name"] for c in done["reply_object"]["changes"]], done
    server.wait()
    return call


@pytest.fixture(scope="module")
def good(server):
    """The arguments of a client that the server knows."""
    server.wait()
    return server.identity("web1")


def manifest(text):
    (MANIFESTS / "site.pp").write_text(text)


def figures(reply):
    return {name: reply["reply_object"][name] for name in ("changed", "failed", "skipped", "dry_run")}


def figures_of(changed=0, failed=0, skipped=0, dry_run=False):
    return {"changed": changed, "failed": failed, "skipped": skipped, "dry_run": dry_run}


def secret_of(identity):
    """A line of its key."""
    return base64.b64decode(identity["configKey"]).decode().splitlines()[2]


def test_changes_once(manager, puppet, good):
    """A file, a package and a service; the second run changes nothing. The key is where it belongs, and nowhere else."""
    secret = secret_of(good)
    (HERE / "secrets").write_text(f"{secret}\n")
    (HERE / "look").write_text(LOOK.format(here=HERE))
    (HERE / "look").chmod(0o755)
    manifest(GOOD)
    reply, said = puppet(**good)
    assert reply["return_code"] == 0 and figures(reply) == figures_of(3), (reply, said)
    assert (HERE / "motd").read_text() == "hello\n" and show("thing.service", "ActiveState") == "active"
    assert show("thing.service", "UnitFileState") == "enabled" and "1.0" in run("dpkg-query", "-W", "thing")
    reply, _ = puppet(**good)
    assert reply["return_code"] == 0 and figures(reply) == figures_of(0) and reply["reply_object"]["total"] > 3, reply
    assert [int(n) for n in (HERE / "found").read_text().split()] == [0, 0]
    run("journalctl", "--sync")
    assert secret not in json.dumps(manager.received) + run("journalctl", "-o", "export", "--no-pager")
    assert sorted(files_with([secret], HERE / "secrets")) == ["/var/lib/puppet/ssl/private_keys/web1.pem"]


@everything
def test_what_fails(manager, puppet, good):
    manifest(f"file {{ '{HERE}/nothing/x': content => 'x' }}\nfile {{ '{HERE}/after': content => 'x' }}")
    reply, said = puppet(**good)
    assert reply["return_code"] == 99 and figures(reply) == figures_of(1, failed=1) and "resources have failed" in said, reply
    manifest("file { '/srv/x': ")
    reply, said = puppet(**good)
    assert reply["return_code"] == 99 and not reply["reply_object"] and "there was no run" in said, reply
    assert "Syntax error" in said


@everything
def test_dry_run(manager, puppet, server, good):
    """Changes nothing, makes no key, and asks for no certificate."""
    dry = server.identity("dry1")
    manifest(f"file {{ '{HERE}/dry': content => 'x' }}")
    for arguments in (dry, {"configClientName": "web1"}):
        reply, said = puppet(**arguments, dry_run=True)
        assert reply["return_code"] == 0 and figures(reply) == figures_of(0, dry_run=True), said
    reply, said = puppet(configClientName="dry2", dry_run=True, **server.authority())
    assert reply["return_code"] == 1 and "needs a certificate" in said, said
    assert not (HERE / "dry").exists() and not list(pathlib.Path("/var/lib/puppet/ssl").rglob("dry*.pem"))
    assert not list((ROOT / "etc/puppet/puppetserver/ca").rglob("dry2.pem"))


@everything
def test_whom_the_server_does_not_know(manager, puppet, server, good, tmp_path):
    """Not signed yet, and signed then; revoked; of another authority; a key of another certificate. Nothing of it is in the
    way of who is known afterwards."""
    manifest("")
    new = {"configClientName": "new1", **server.authority()}
    reply, said = puppet(**new)
    assert reply["return_code"] == 99 and "not been signed yet" in said and "sign it on puppet" in said, said
    server.ca("sign", "new1")
    reply, said = puppet(**new)
    assert reply["return_code"] == 0, said
    other = Certificate(tmp_path, "other", authority=True)
    stranger = Certificate(tmp_path, "new2", other)
    wrong = {"configClientName": "new2", "configCert": b64(stranger.pem()), "configKey": b64(stranger.key_path.read_text())}
    for arguments, words in ((wrong | server.authority(), "cannot be found locally"),
                             (wrong | {"configCa": b64(other.pem())}, "issued by 'CN=other' is missing"),
                             (good | {"configKey": wrong["configKey"]}, "does not match its private key")):
        reply, said = puppet(**arguments)
        assert reply["return_code"] == 99 and not reply["reply_object"] and words in said, said
    reply, said = puppet(**good)
    assert reply["return_code"] == 0, said
    server.ca("revoke", "new1")
    reply, said = puppet(configClientName="new1")
    assert reply["return_code"] == 99 and not reply["reply_object"], reply
    assert "alert certificate" in said, "the server's words for it"


@everything
def test_cancel(manager, puppet, good):
    """In the middle of the installation of a package: that is waited for, the database is consistent, and the next run goes
    on."""
    manifest("package { 'slow': ensure => installed }\n-> file { '%s/late': content => 'x' }" % HERE)
    os.mkfifo(HERE / "pipe")
    guid = str(uuid.uuid4())
    manager.request(guid, "configure_server", {"configType": "PUPPET", "endpoint": "puppet", **good})
    assert reply_to(manager, guid)["reply_type"] == "job_description"
    wait_for((HERE / "began").exists, "the package", 300)
    manager.send(type="CANCEL", request_id=guid)
    with open(HERE / "pipe", "rb+", buffering=0) as pipe:  # also where nobody reads any more
        wait_for(lambda: run("ps", "-C", "puppet", "-o", "state=").split() == ["T"], "the halt", 300)
        pipe.write(b"\n")
        wait_for(is_clean, "the end of the run, and of its files", 300)
    assert not (HERE / "late").exists()
    assert (HERE / "ended").exists() and not run("dpkg", "--audit") and not os.listdir("/var/lib/dpkg/updates")
    manifest("file { '%s/late': content => 'x' }" % HERE)
    reply, said = puppet(**good)
    assert reply["return_code"] == 0 and figures(reply) == figures_of(1), said
