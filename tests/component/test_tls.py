# SPDX-License-Identifier: Apache-2.0
"""wss against libsoup (GLib's TLS, so OpenSSL or GnuTLS as the system has it): what is trusted, what is
refused, and whether the reason is said where people look."""

import subprocess

import pytest

from harness import Manager, temporary_directory, wait_for


class Authority:
    """A certificate authority and its servers, made by openssl."""

    def __init__(self, directory, name):
        self.directory = directory
        self.name = name
        self.certificate = directory / f"{name}.pem"
        self.key = directory / f"{name}.key"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", self.key, "-out",
                     self.certificate)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True,
                       stdin=subprocess.DEVNULL)

    def server(self, name, names, start="20200101000000Z", end="20491231235959Z"):
        """Certificate and key of a server with these subject alternative names."""
        base = self.directory / f"{self.name}-{name}"
        key, request, certificate = (base.with_suffix(s) for s in (".key", ".csr", ".pem"))
        extensions = base.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        database = base.with_suffix(".db")
        database.write_text("")
        config = base.with_suffix(".cnf")
        config.write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={database}\nnew_certs_dir={self.directory}\n"
            "rand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n")
        self.openssl("ca", "-batch", "-config", config, "-in", request, "-out", certificate,
                     "-cert", self.certificate, "-keyfile", self.key, "-startdate", start, "-enddate",
                     end, "-extfile", extensions, "-notext")
        return certificate, key


@pytest.fixture(scope="session")
def authority():
    import shutil

    directory = temporary_directory()
    authority = Authority(directory, "ca")
    authority.other = Authority(directory, "other")
    authority.good = authority.server("good", "DNS:localhost,IP:127.0.0.1")
    yield authority
    shutil.rmtree(directory)


@pytest.fixture
def serve():
    managers = []

    def start(certificate):
        managers.append(Manager(certificate))
        return managers[-1]

    yield start
    for manager in managers:
        manager.stop()


def configure(agent, url, **connection):
    agent.configure(url, connection={k: str(v) for k, v in connection.items()})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_good_certificate(agent, authority, serve, host):
    manager = serve(authority.good)
    configure(agent, manager.url(host), ca_cert=authority.certificate)
    agent.start()
    manager.wait_offer()
    manager.request("g", "heartbeat")
    manager.wait_message("REPLY", "g")


def test_large_messages_pass_through_tls(agent, authority, serve):
    manager = serve(authority.good)
    configure(agent, manager.url(), ca_cert=authority.certificate)
    agent.start()
    manager.wait_offer()
    manager.request("g", "heartbeat", {"filler": "x" * (6 << 20)})
    manager.wait_message("REPLY", "g")
    assert len(manager.offers) == 1


def refused(agent, manager, reason):
    """It never introduces itself, and says why."""
    agent.start()
    agent.wait_notify(reason)
    agent.wait_log(reason)
    assert not manager.offers
    assert reason in agent.property("StatusText")


def test_wrong_authority(agent, authority, serve):
    manager = serve(authority.good)
    configure(agent, manager.url(), ca_cert=authority.other.certificate)
    refused(agent, manager, "is signed by an authority that is not trusted here; set ca_cert")


def test_authority_that_the_system_does_not_trust(agent, authority, serve):
    manager = serve(authority.good)
    configure(agent, manager.url())
    refused(agent, manager, "is signed by an authority that is not trusted here; set ca_cert")


def test_wrong_host(agent, authority, serve):
    manager = serve(authority.server("elsewhere", "DNS:elsewhere.example"))
    configure(agent, manager.url("localhost"), ca_cert=authority.certificate)
    refused(agent, manager, "the certificate of localhost is for another host name")


def test_wrong_address(agent, authority, serve):
    manager = serve(authority.server("name-only", "DNS:localhost"))
    configure(agent, manager.url("127.0.0.1"), ca_cert=authority.certificate)
    refused(agent, manager, "the certificate of 127.0.0.1 is for another host name")


def test_expired(agent, authority, serve):
    manager = serve(authority.server("old", "DNS:localhost", end="20210101000000Z"))
    configure(agent, manager.url("localhost"), ca_cert=authority.certificate)
    refused(agent, manager, "the certificate of localhost has expired (2021-01-01 00:00 UTC; this machine's clock says ")


def test_not_yet_valid(agent, authority, serve):
    manager = serve(authority.server("new", "DNS:localhost", start="20480101000000Z"))
    configure(agent, manager.url("localhost"), ca_cert=authority.certificate)
    refused(agent, manager, "the certificate of localhost is not valid yet (but from 2048-01-01 00:00 UTC; this ")


def test_ca_cert_that_is_missing_or_empty(agent, authority, serve, tmp_path):
    manager = serve(authority.good)
    configure(agent, manager.url(), ca_cert=tmp_path / "nowhere.pem")
    refused(agent, manager, "cannot be used")


def test_allow_unknown_certs_is_loud(agent, authority, serve):
    manager = serve(authority.server("elsewhere2", "DNS:elsewhere.example", end="20210101000000Z"))
    configure(agent, manager.url("localhost"), allow_unknown_certs="true")
    agent.start()
    manager.wait_offer()
    agent.wait_log("allow_unknown_certs is set")


def test_tls_to_a_server_without_it(agent):
    """As a web server answers bytes that it does not understand."""
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        agent.configure(f"wss://127.0.0.1:{server.getsockname()[1]}/")
        agent.start()

        def answered():
            try:
                client = server.accept()[0]
            except BlockingIOError:
                return "is it a ws:// URL?" in agent.notifications()
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            client.close()
            return False

        wait_for(answered, "the reason")


def test_descriptors_and_connections_do_not_leak(agent, authority, serve):
    import os

    manager = serve(authority.good)
    configure(agent, manager.url(), ca_cert=authority.other.certificate)
    agent.start()
    count = lambda: len(os.listdir(f"/proc/{agent.process.pid}/fd"))  # noqa: E731
    agent.wait_notify("not trusted")
    agent.notified = ""
    agent.wait_notify("not trusted")
    before = count()
    for _ in range(5):
        agent.notified = ""
        agent.wait_notify("not trusted")
    wait_for(lambda: count() <= before + 1, "no more descriptors than before")
