# SPDX-License-Identifier: Apache-2.0
"""The manager's certificate without an expert: `dcm-manager init`, `renew`, `agent-package`, and the warning before it
expires. OpenSSL is the judge of what is made."""
import datetime
import json
import os
import re
import signal
import socket
import subprocess

import pytest

import certificates
from test_manager import DEADLINE, MANAGER, Agent, start  # noqa: F401

NAMES = ("manager.example.com", "192.0.2.1", "2001:db8::1", "*.example.org")
FILES = {"ca.pem": 0o644, "ca-key.pem": 0o600, "cert.pem": 0o644, "key.pem": 0o640}


def call(*arguments, check=True):
    done = subprocess.run([MANAGER, *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    assert not check or done.returncode == 0, done.stderr
    return done


def init(directory, *names):
    return call("init", "--directory", directory, *(f"--name={name}" for name in names)).stdout


def contents(directory):
    return {p.name: p.read_bytes() for p in directory.iterdir()}


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=True).stdout


def verify(directory, *options):
    return openssl("verify", "-purpose", "sslserver", "-x509_strict", "-CAfile", directory / "ca.pem", *options,
                   directory / "cert.pem")


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "made"


def test_init_makes_what_openssl_accepts(directory):
    out = init(directory, *NAMES)
    assert {p.name: p.stat().st_mode & 0o7777 for p in directory.iterdir()} == FILES
    assert directory.stat().st_mode & 0o777 == 0o755
    for option, name in (("-verify_hostname", NAMES[0]), ("-verify_ip", NAMES[1]), ("-verify_ip", NAMES[2]),
                         ("-verify_hostname", "a.example.org")):
        verify(directory, option, name)
    with pytest.raises(subprocess.CalledProcessError):
        verify(directory, "-verify_hostname", "other.example.com")
    openssl("x509", "-noout", "-checkend", 824 * 86400, "-in", directory / "cert.pem")
    assert "agentmanager_url = wss://manager.example.com:8443/agentManager\n" in out
    assert f"Copy {directory}/ca.pem" in out and "ca_cert = /etc/dcm-agent/manager-ca.pem\n" in out


def test_init_again_changes_nothing(directory):
    init(directory, NAMES[0])
    before = contents(directory)
    out = init(directory, NAMES[0])
    assert contents(directory) == before and "Made" not in out and NAMES[0] in out
    assert contents(directory) == before and "Made" not in init(directory)
    done = call("init", "--directory", directory, "--name=other.example.com", check=False)
    assert done.returncode == 254 and "'dcm-manager renew'" in done.stderr and contents(directory) == before


@pytest.mark.parametrize("missing", [["cert.pem"], ["cert.pem", "key.pem"], ["cert.pem", "key.pem", "ca.pem"]])
def test_init_continues_where_it_was_interrupted(directory, missing):
    init(directory, NAMES[0])
    kept = {n: d for n, d in contents(directory).items() if n not in missing}
    for name in missing:
        (directory / name).unlink()
    (directory / "cert.pem.new").write_text("half")
    out = init(directory, NAMES[0])
    assert sorted(re.findall(r"Made .*/(.*)", out)) == sorted(missing)
    assert {n: d for n, d in contents(directory).items() if n in kept} == kept
    assert sorted(contents(directory)) == sorted(FILES)
    verify(directory, "-verify_hostname", NAMES[0])


def test_certificate_of_ones_own_stays(directory):
    directory.mkdir()
    own = certificates.Certificate(directory, "own", names=["manager.example.com"])
    own.path.rename(directory / "cert.pem")
    done = call("init", "--directory", directory, check=False)
    assert done.returncode == 254 and "without its key.pem" in done.stderr
    own.key_path.rename(directory / "key.pem")
    before = contents(directory)
    out = init(directory)
    assert contents(directory) == before and "ca_cert" not in out and "Made" not in out
    done = call("renew", "--directory", directory, check=False)
    assert done.returncode == 254 and "where you got it" in done.stderr and contents(directory) == before
    assert "ca_cert" not in call("agent-package", "--directory", directory).stdout
    done = call("agent-package", "--group=web", "--directory", directory, check=False)
    assert (done.returncode, done.stdout) == (2, "") and "give the NAME" in done.stderr


@pytest.mark.parametrize("name", ["", "a b", "-a", "a..b", "a.", "münchen.example", "x" * 64, "1.2.3", "a/b", "a\nb", "[::1]"])
def test_names_that_are_none(directory, name):
    done = call("init", "--directory", directory, "--name", name, check=False)
    assert done.returncode == 2 and "neither a host name nor an address" in done.stderr and not directory.exists()


def test_without_a_name_it_is_that_of_the_machine(directory):
    init(directory)
    verify(directory, "-verify_hostname", os.uname().nodename)


def test_renew_keeps_key_and_names(directory):
    init(directory, *NAMES)
    before = contents(directory)
    out = call("renew", "--directory", directory).stdout
    after = contents(directory)
    assert {n for n in FILES if after[n] != before[n]} == {"cert.pem"}
    assert all(f"\n    {name}\n" in out for name in NAMES) and "systemctl reload dcm-manager" in out
    for option, name in (("-verify_hostname", NAMES[0]), ("-verify_ip", NAMES[2])):
        verify(directory, option, name)
    call("renew", "--directory", directory, "--name=new.example.com")
    verify(directory, "-verify_hostname", "new.example.com")
    with pytest.raises(subprocess.CalledProcessError):
        verify(directory, "-verify_hostname", NAMES[0])


def test_what_is_missing_or_wrong_has_words(directory):
    for verb in ("renew", "agent-package"):
        done = call(verb, "--directory", directory, check=False)
        assert done.returncode == 254 and "'dcm-manager init' makes it" in done.stderr
    init(directory, NAMES[0])
    other = directory.parent / "other"
    init(other, NAMES[0])
    (directory / "ca-key.pem").write_bytes((other / "ca-key.pem").read_bytes())
    done = call("renew", "--directory", directory, check=False)
    assert done.returncode == 254 and "not the key of ca.pem" in done.stderr
    (directory / "ca-key.pem").unlink()
    assert "no ca-key.pem" in call("renew", "--directory", directory, check=False).stderr
    (directory / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nx\n")
    done = call("init", "--directory", directory, check=False)
    assert done.returncode == 254 and "cannot be read" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_directory_of_somebody_else_is_refused(directory):
    directory.mkdir()
    os.chown(directory, 1, 1)
    done = call("init", "--directory", directory, "--name=a", check=False)
    assert done.returncode == 254 and "chown root" in done.stderr and not contents(directory)


def test_agent_connects_with_it(start, directory):
    init(directory, "127.0.0.1")
    server = start("--cert", str(directory / "cert.pem"), "--key", str(directory / "key.pem"), tls=True)
    agent = Agent(server.url, directory / "ca.pem").accepted()
    call("renew", "--directory", directory)
    server.process.send_signal(signal.SIGHUP)
    guid = server.run(agent.id, "heartbeat")
    assert agent.receive("REQUEST")["request_id"] == guid
    assert Agent(server.url, directory / "ca.pem").accepted().id == agent.id
    assert "certificate" not in server.cli("agents")[2] and "renew it" not in server.log()


@pytest.mark.parametrize("url", ["wss://198.51.100.7:8443/agentManager", "ws://[2001:db8::7]/"])
def test_script_for_a_server(directory, tmp_path, url):
    init(directory, NAMES[0])
    script = tmp_path / "script"
    script.write_text(call("agent-package", "--directory", directory, "--url", url).stdout)
    subprocess.run(["sh", "-n", script], check=True)
    text = script.read_text()
    assert f"\nagentmanager_url = {url}\n" in text and (directory / "ca.pem").read_text() in text
    assert "PRIVATE" not in text


@pytest.mark.parametrize("url", ["https://a/", "wss://a b", "wss://a\nEND", "wss://a;b", "wss://'", "wss://" + "a" * 400])
def test_urls_that_are_none(directory, url):
    init(directory, NAMES[0])
    done = call("agent-package", "--directory", directory, "--url", url, check=False)
    assert done.returncode == 2 and done.stdout == ""


@pytest.mark.parametrize("days,word", [(20, "expires on"), (-1, "expired on")])
def test_expiry_is_warned_of(start, tmp_path, days, word):
    now = datetime.datetime.utcnow()
    old = certificates.Certificate(tmp_path, "old", names=["127.0.0.1"], start=now - datetime.timedelta(days=300),
                                   end=now + datetime.timedelta(days=days))
    server = start("--cert", str(old.path), "--key", str(old.key_path), tls=True)
    assert f"The certificate {word} {old.certificate.not_valid_after:%Y-%m-%d}" in server.log()
    code, out, err = server.cli("agents", "--json")
    assert (code, json.loads(out)) == (0, []) and f"the certificate {word} " in err and "renew it: dcm-manager renew" in err


def test_status_text_has_the_warning(tmp_path):
    now = datetime.datetime.utcnow()
    old = certificates.Certificate(tmp_path, "old", names=["127.0.0.1"], start=now - datetime.timedelta(days=300),
                                   end=now + datetime.timedelta(days=3))
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(DEADLINE)
    process = subprocess.Popen([MANAGER, "serve", "--listen=127.0.0.1:0", f"--control={tmp_path}/control",
                                f"--database={tmp_path}/db", f"--cert={old.path}", f"--key={old.key_path}"],
                               env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}, stderr=subprocess.DEVNULL)
    try:
        text = ""
        while "READY=1" not in text:
            text = notify.recv(4096).decode()
        assert f"the certificate expires on {old.certificate.not_valid_after:%Y-%m-%d}: renew it" in text
        process.send_signal(signal.SIGHUP)
        while "Connected agents: 0; the certificate expires on" not in text:
            text = notify.recv(4096).decode()
    finally:
        process.terminate()
        process.wait()


def test_a_short_life_is_no_reason_to_warn(start, tmp_path):
    """As of certificates that are renewed automatically when a third of their life is left."""
    now = datetime.datetime.utcnow()
    short = certificates.Certificate(tmp_path, "short", names=["127.0.0.1"], start=now - datetime.timedelta(days=60),
                                     end=now + datetime.timedelta(days=29))
    server = start("--cert", str(short.path), "--key", str(short.key_path), tls=True)
    assert "renew it" not in server.log() and server.cli("agents")[2] == ""
