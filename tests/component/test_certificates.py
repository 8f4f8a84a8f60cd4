# SPDX-License-Identifier: Apache-2.0
"""What the agent makes of certificates, over OpenSSL's own server and two well-known TLS fronts.

Each bad certificate, or peer, is refused before the agent has said anything to it, each time anew, and
in words that are written here in full: what is wrong with which certificate, and what to do. Each good
one is taken. Client certificates from files, credentials and a PKCS#11 token; pins; resumed sessions,
which never outlive a change of what is trusted; the crypto policy of the system; SNI."""

import collections
import datetime
import os
import re
import shutil
import subprocess

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

import certificates
from harness import BUILD, temporary_directory, wait_for
from servers import Greeter, Haproxy, Nginx, OpensslServer, own_names
from test_clock import YEAR, Clock
from test_states import JOB

PIN = "canary-83561"  # of the PKCS#11 token
CLOCK = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"


def configure(agent, port, host="localhost", **connection):
    host = f"[{host}]" if ":" in host else host
    agent.configure(f"wss://{host}:{port}/agentManager", logging={"level": "debug"},
                    connection={key: str(value) for key, value in connection.items()})


# Bad ones

Bad = collections.namedtuple("Bad", "text certificate host options connection")


def bad(text, certificate=lambda p: p.good, host="localhost", options=(), **connection):
    """`options` are those of s_server; `connection` is the agent's; both with {a.path} of the PKI."""
    return Bad(text, certificate, host, options, connection)


def chain_that_is_too_long(p):
    short = p.authority("short", p.root, path_length=0)
    return p.leaf(issuer=p.authority("too deep", short))


EXPIRED = ("the certificate of localhost has expired (2021-01-01 00:00 UTC; this machine's clock says "
           "CLOCK); renew it, or set the clock")
TOO_EARLY = ("the certificate of localhost is not valid yet (but from {} 00:00 UTC; this machine's clock "
             "says CLOCK); check the clock")
NEW_ONE = "; the manager needs a new one"
UNKNOWN = ("the certificate of localhost is signed by an authority that is not trusted here; set ca_cert, "
           "or have the server send its whole chain (the last one it sent was signed by '{}')")
WANTED = ("-Verify", "1", "-verify_return_error", "-CAfile", "{root.path}")
KNOWS_ANOTHER = ("-Verify", "1", "-verify_return_error", "-verifyCAfile", "{root.path}")
STRANGER = {"client_cert": "{stranger.path}", "client_key": "{stranger.key_path}"}
NOT_ACCEPTED = "; it does not accept this server's certificate; check client_cert and client_key"

BAD = {
    "expired": bad(
        EXPIRED, lambda p: p.leaf(end=datetime.datetime(2021, 1, 1))),
    "not yet valid": bad(
        TOO_EARLY.format("2048-01-01"),
        lambda p: p.leaf(start=datetime.datetime(2048, 1, 1))),
    "for another name": bad(
        "the certificate of localhost is for another host name (elsewhere.example, *.elsewhere.example); "
        "check agentmanager_url",
        lambda p: p.leaf(names=["elsewhere.example", "*.elsewhere.example"])),
    "for another address": bad(
        "the certificate of 127.0.0.1 is for another host name (127.0.0.2); check agentmanager_url",
        lambda p: p.leaf(names=["127.0.0.2"]), host="127.0.0.1"),
    "for the name, and the URL has the address": bad(
        "the certificate of 127.0.0.1 is for another host name (localhost); check agentmanager_url",
        lambda p: p.leaf(), host="127.0.0.1"),
    "the address as a name": bad(
        "the certificate of 127.0.0.1 is for another host name (127.0.0.1); check agentmanager_url",
        lambda p: p.leaf(plain=[certificates.dns_names("127.0.0.1")], names=()), host="127.0.0.1"),
    "a wildcard that is one label short": bad(
        "the certificate of localhost is for another host name (*.localhost); check agentmanager_url",
        lambda p: p.leaf(names=["*.localhost"])),
    "a wildcard for everything": bad(
        "the certificate of localhost is for another host name (*); check agentmanager_url",
        lambda p: p.leaf(names=["*"])),
    "no name at all": bad(
        "the certificate of localhost is for another host name; check agentmanager_url",
        lambda p: p.leaf(names=())),
    "signed by itself": bad(
        "the certificate of localhost is signed by itself and not trusted here; set ca_cert",
        lambda p: certificates.Certificate(p.directory, "alone", names=["localhost"])),
    "of an unknown authority": bad(
        UNKNOWN.format("other root"), lambda p: p.leaf(issuer=p.other)),
    "of the system's authorities": bad(UNKNOWN.format("root"), ca_cert=""),
    "of another authority with the same name": bad(
        UNKNOWN.format("root"), lambda p: p.leaf(issuer=p.impostor)),
    "without its intermediate": bad(
        UNKNOWN.format("intermediate"), lambda p: p.leaf(issuer=p.intermediate, above="")),
    "of an expired intermediate": bad(
        EXPIRED.replace("of localhost", "of the authority 'old intermediate'"),
        lambda p: p.leaf(issuer=p.authority("old intermediate", p.root,
                                            end=datetime.datetime(2021, 1, 1)))),
    "of an expired root": bad(
        "the authority 'old root' that is trusted here is outside of its dates, this machine's clock "
        "says CLOCK; renew {old.path}, or set the clock",
        lambda p: p.leaf(issuer=p.old), ca_cert="{old.path}"),
    "of something that is not an authority": bad(
        "the certificate of localhost is signed by a certificate that is not an authority",
        lambda p: p.leaf(issuer=p.leaf("no authority", purpose=None))),
    "for clients": bad(
        "the certificate of localhost is not meant for a TLS server",
        lambda p: p.leaf(purpose=certificates.CLIENT)),
    "SHA-1": bad(
        "the certificate of localhost uses an algorithm or a key that is too weak" + NEW_ONE,
        lambda p: p.leaf(digest=hashes.SHA1()), options=("-cipher", "DEFAULT@SECLEVEL=0")),
    "RSA of 768 bits": bad(
        "the certificate of localhost uses an algorithm or a key that is too weak" + NEW_ONE,
        lambda p: p.leaf(key=certificates.rsa_key(768)), options=("-cipher", "DEFAULT@SECLEVEL=0")),
    "a name that its authority must not sign": bad(
        "the certificate of localhost is outside of what its authority may sign: its names or the "
        "length of the chain",
        lambda p: p.leaf(issuer=p.authority(
            "narrow", p.root, critical=[certificates.names_below("elsewhere.example")]))),
    "a chain that is too long": bad(
        "the certificate of localhost is outside of what its authority may sign: its names or the "
        "length of the chain",
        chain_that_is_too_long),
    "a damaged signature": bad(
        "the certificate of localhost has a signature that is wrong: it is damaged, or not the "
        "authority's" + NEW_ONE,
        lambda p: p.leaf(damaged=True)),
    "an unknown critical extension": bad(
        "the certificate of localhost has a critical extension that is not known here",
        lambda p: p.leaf(critical=[certificates.unknown_extension()])),
    "revoked": bad(
        "the certificate of localhost is revoked" + NEW_ONE,
        lambda p: p.revoked, options=("-status_file", "{revocation}")),
    "without the revocation status that it promises": bad(
        "the certificate of localhost must come with a revocation status, and did not",
        lambda p: p.leaf(plain=[certificates.must_staple()])),
    "another key than the pinned one": bad(
        "the key of localhost is not a pinned one; if the manager's key was changed on purpose, set "
        "pin = {good_pin}", pin="{client_pin}"),
    "another key than the pinned one, and nothing else is checked": bad(
        "the key of localhost is not a pinned one; if the manager's key was changed on purpose, set "
        "pin = {good_pin}", pin="{client_pin}", allow_unknown_certs="true"),
    "the pinned key, but expired": bad(
        EXPIRED, lambda p: p.expired, pin="{expired_pin}"),
    "TLS 1.0": bad(
        "localhost refused TLS (alert 70, Error in protocol version); it offers neither TLS 1.2 nor TLS "
        "1.3 that the crypto policy here allows",
        options=("-tls1", "-cipher", "DEFAULT@SECLEVEL=0")),
    "TLS 1.1": bad(
        "localhost refused TLS (alert 70, Error in protocol version); it offers neither TLS 1.2 nor TLS "
        "1.3 that the crypto policy here allows",
        options=("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")),
    "no common algorithm": bad(
        "localhost refused TLS (alert 40, Handshake failed); no common algorithm (see the crypto policy of "
        "both sides), or it wants a certificate: client_cert",
        options=("-tls1_2", "-cipher", "ECDHE-ECDSA-ARIA256-GCM-SHA384")),
    "wants a certificate (TLS 1.3)": bad(
        "localhost refused TLS (alert 116, Certificate is required); it wants a certificate of this "
        "server; set client_cert and client_key", options=("-tls1_3", *WANTED)),
    "wants a certificate (TLS 1.2)": bad(
        "localhost refused TLS (alert 40, Handshake failed); no common algorithm (see the crypto policy of "
        "both sides), or it wants a certificate: client_cert", options=("-tls1_2", *WANTED)),
    "does not know our authority (TLS 1.3)": bad(
        "localhost refused TLS (alert 48, CA is unknown)" + NOT_ACCEPTED,
        options=("-tls1_3", *KNOWS_ANOTHER), **STRANGER),
    "does not know our authority (TLS 1.2)": bad(
        "localhost refused TLS (alert 48, CA is unknown)" + NOT_ACCEPTED,
        options=("-tls1_2", *KNOWS_ANOTHER), **STRANGER),
    "asks for another authority than ours (TLS 1.3)": bad(
        "localhost refused TLS (alert 116, Certificate is required)" + NOT_ACCEPTED,
        options=("-tls1_3", *WANTED), **STRANGER),
    "asks for another authority than ours (TLS 1.2)": bad(
        "localhost refused TLS (alert 40, Handshake failed); no common algorithm (see the crypto policy of "
        "both sides), or it does not accept client_cert",
        options=("-tls1_2", *WANTED), **STRANGER),
    "client_cert that is not there": bad(
        "client_cert {directory}/nowhere with client_key {client.key_path} cannot be used: No such file "
        "or directory",
        client_cert="{directory}/nowhere", client_key="{client.key_path}"),
    "client_key of another certificate": bad(
        "client_cert {client.path} with client_key {stranger.key_path} cannot be used: The certificate "
        "and the given key do not match.",
        client_cert="{client.path}", client_key="{stranger.key_path}"),
    "ca_cert that is not there": bad(
        "ca_cert {directory}/nowhere cannot be used: No such file or directory",
        ca_cert="{directory}/nowhere"),
    "ca_cert that is no certificate": bad(
        "ca_cert {good.key_path} cannot be used: it has no certificate", ca_cert="{good.key_path}"),
    "a credential that is not there": bad(
        "ca_cert credential:ca cannot be used: the service has no such credential (LoadCredential=)",
        ca_cert="credential:ca"),
}

TOO_WEAK = ("SHA-1", "RSA of 768 bits")


@pytest.fixture(scope="module")
def peers(pki):
    """What the table speaks of."""
    pki.old = pki.authority("old root", end=datetime.datetime(2021, 1, 1))
    pki.impostor = pki.authority("impostor", subject="root")
    pki.stranger = pki.leaf("stranger", pki.other, purpose=certificates.CLIENT)
    pki.expired = pki.leaf("expired", end=datetime.datetime(2021, 1, 1))
    pki.revoked = pki.leaf("revoked")
    pki.revocation = pki.revoked.revocation(pki.directory / "revocation")
    for name in ("good", "client", "expired"):
        setattr(pki, f"{name}_pin", getattr(pki, name).pin())
    return pki


def refused(agent, heard, text, **environment):
    """Twice, in the same words, and wherever people look; and the server has heard nothing."""
    agent.start(**environment)
    wait_for(lambda: len(agent.failures()) >= 3 or heard(), "failures")  # READY=1 may repeat the first
    expected = re.escape(f"TLS: {text}").replace("CLOCK", CLOCK)
    for failure in agent.failures():
        assert re.fullmatch(expected, failure), f"\n{failure}\n{expected}"
    assert not heard()
    assert re.search(expected, agent.log.read_text())
    assert re.search(expected, agent.property("StatusText"))
    assert agent.property("FailedStep") == "TLS"


def make_certificate(name, peers):
    try:
        return BAD[name].certificate(peers)
    except (ValueError, UnsupportedAlgorithm) as error:
        if name not in TOO_WEAK:
            raise
        pytest.skip(f"python3-cryptography does not make it any more: {error}")


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("name", BAD)
def test_refused(agent, peers, name):
    case = BAD[name]
    fill = lambda text: text.format(**vars(peers))  # noqa: E731
    options = [fill(option) for option in case.options]
    connection = {"ca_cert": peers.root.path, **{k: fill(v) for k, v in case.connection.items()}}
    with OpensslServer(make_certificate(name, peers), *options) as server:
        configure(agent, server.port, case.host, **connection)
        refused(agent, server.heard, fill(case.text))


def test_server_without_tls(agent, manager, pki):
    with Nginx(manager.port) as server:
        configure(agent, server.port, ca_cert=pki.root.path)
        refused(agent, lambda: manager.connections,
                "localhost does not speak TLS on this port; is it a ws:// URL?")


def test_server_that_greets_first(agent, pki):
    with Greeter() as server:
        configure(agent, server.port, ca_cert=pki.root.path)
        refused(agent, lambda: False, "localhost does not speak TLS on this port; is it a ws:// URL?")


def test_machine_that_lost_its_clock(agent, pki):
    """As one without a battery does."""
    clock = Clock(agent.directory)
    clock.jump(-20 * YEAR)
    with OpensslServer(pki.good) as server:
        configure(agent, server.port, ca_cert=pki.root.path)
        refused(agent, server.heard, TOO_EARLY.format("2020-01-01"), **clock.environment())


# Good ones


def accepted(agent, manager, **environment):
    agent.start(**environment)
    manager.wait_offer()
    manager.round_trip("g")
    wait_for(lambda: agent.property("State") == "connected", "the state")


GOOD = {
    "a name": (lambda p: p.good, "localhost"),
    "an IPv4 address": (lambda p: p.good, "127.0.0.1"),
    "an IPv6 address": (lambda p: p.good, "::1"),
    "a chain with an intermediate": (lambda p: p.leaf(issuer=p.intermediate), "localhost"),
    "a chain with its root": (lambda p: p.leaf(above=p.root.pem()), "localhost"),
    "a chain in no order": (
        lambda p: p.leaf(issuer=p.intermediate, above=p.other.pem() + p.intermediate.pem()), "localhost"),
    "a wildcard": (lambda p: p.leaf(names=["*.manager.test"]), "one.manager.test"),
    "another case": (lambda p: p.leaf(names=["LocalHost"]), "localhost"),
    "a name that its authority may sign": (
        lambda p: p.leaf(issuer=p.authority("test", p.root, critical=[certificates.names_below("test")]),
                         names=["one.manager.test"]), "one.manager.test"),
    "a chain of the greatest length": (
        lambda p: p.leaf(issuer=p.authority("short enough", p.root, path_length=0)), "localhost"),
    "RSA": (lambda p: p.leaf(key=certificates.rsa_key()), "localhost"),
    "Ed25519": (lambda p: p.leaf(key=certificates.ed25519_key()), "localhost"),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(agent, manager, pki, name):
    make, host = GOOD[name]
    with Haproxy(manager.port, make(pki), host="::1" if host == "::1" else "127.0.0.1") as front:
        configure(agent, front.port, host, ca_cert=pki.root.path)
        agent.start(own_names(agent.directory, "localhost", "one.manager.test"))
        manager.wait_offer()
        manager.round_trip("g")
        sni = "" if host in ("127.0.0.1", "::1") else host
        front.wait_log(f'sni="{sni}" ')
        address = {"::1": "::1"}.get(host, "127.0.0.1")
        assert agent.property("PeerAddress") == f"{address} port {front.port}"


@pytest.mark.parametrize("option, version", [("ssl-max-ver TLSv1.2", "TLS1.2"),
                                             ("ssl-min-ver TLSv1.3", "TLS1.3")])
def test_version(agent, manager, pki, option, version):
    with Haproxy(manager.port, pki.good, option) as front:
        configure(agent, front.port, ca_cert=pki.root.path)
        accepted(agent, manager)
        assert f"[{version.replace('S', 'Sv')} " in front.log()
        assert agent.property("TlsSession").startswith(f"{version}, ")


def test_authority_as_credential(agent, manager, pki):
    with Haproxy(manager.port, pki.good) as front:
        configure(agent, front.port, ca_cert="credential:root.pem")
        accepted(agent, manager, CREDENTIALS_DIRECTORY=str(pki.directory))


# Pins


@pytest.mark.parametrize("connection", [
    {"ca_cert": "{root.path}", "pin": "{good_pin}"},
    {"ca_cert": "{root.path}", "pin": "{client_pin} {good_pin}"},
    {"ca_cert": "{root.path}", "pin": "{good_pin}, {client_pin}"},
    {"allow_unknown_certs": "true", "pin": "{good_pin}"},
], ids=["the one", "the second", "the first", "nothing else is checked"])
def test_pin(agent, manager, peers, connection):
    with Haproxy(manager.port, peers.good) as front:
        configure(agent, front.port, **{k: v.format(**vars(peers)) for k, v in connection.items()})
        accepted(agent, manager)


def test_pin_holds_for_a_new_certificate_of_the_same_key(agent, manager, pki):
    renewed = pki.leaf(key=pki.good.key)
    with Haproxy(manager.port, renewed) as front:
        configure(agent, front.port, ca_cert=pki.root.path, pin=pki.good.pin())
        accepted(agent, manager)


def test_pin_that_is_none_is_not_left_out(agent, manager, pki):
    """Whoever wrote half a pin did not want to go without."""
    with Haproxy(manager.port, pki.good) as front:
        configure(agent, front.port, ca_cert=pki.root.path, pin=pki.good.pin()[:-4])
        agent.start()
        agent.wait_notify(f"STATUS=pin in {agent.config}:5 is not base64 of a SHA-256")
        agent.wait_log(f"pin in {agent.config}:5 is not base64 of a SHA-256")
        assert not manager.connections


# Certificates of this server

ASKS = "verify required ca-file {root.path}"


def asking(manager, pki, options=""):
    return Haproxy(manager.port, pki.good, f"{ASKS.format(**vars(pki))} {options}")


@pytest.fixture(scope="module")
def token(pki):
    """The configuration of SoftHSM, with the client's key and certificate in a token."""
    directory = temporary_directory()
    config = directory / "softhsm2.conf"
    (directory / "tokens").mkdir()
    config.write_text(f"directories.tokendir = {directory}/tokens\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(config)}

    def run(*command):
        subprocess.run(list(map(str, command)), check=True, capture_output=True, env=environment,
                       stdin=subprocess.DEVNULL)

    run("softhsm2-util", "--init-token", "--free", "--label", "dcm", "--pin", PIN, "--so-pin", PIN)
    run("softhsm2-util", "--import", pki.client.key_path, "--token", "dcm", "--label", "client", "--id",
        "01", "--pin", PIN)
    listed = subprocess.run(["p11tool", "--list-tokens"], capture_output=True, text=True, env=environment)
    if "token=dcm" not in listed.stdout:
        pytest.skip("GnuTLS does not load SoftHSM's module here: p11-kit does not know it")
    run("p11tool", "--login", f"--set-pin={PIN}", "--write", "--load-certificate", pki.client.path,
        "--label", "client", "--id", "01", "pkcs11:token=dcm")
    (directory / "pin").write_text(PIN)
    yield {"SOFTHSM2_CONF": str(config)}
    shutil.rmtree(directory)


KEY_IN_TOKEN = f"pkcs11:token=dcm;object=client;type=private?pin-value={PIN}"
OWN = {
    "PEM": ("{client.path}", "{client.key_path}"),
    "one PEM for both": ("{bundle}", None),
    "credentials": ("credential:client.pem", "credential:client.key"),
    "key in a token": ("{client.path}", KEY_IN_TOKEN),
    "both in a token": (f"pkcs11:token=dcm;object=client;type=cert?pin-value={PIN}", KEY_IN_TOKEN),
    "PIN in a file": ("{client.path}", "pkcs11:token=dcm;object=client;type=private?pin-source={pin}"),
}


def own_certificate(pki, names, environment):
    bundle = pki.directory / "bundle.pem"
    bundle.write_text(pki.client.bundle())
    pin = os.path.dirname(environment.get("SOFTHSM2_CONF", "")) + "/pin"
    values = {"bundle": bundle, "pin": pin, **vars(pki)}
    return {key: name.format(**values) for key, name in zip(("client_cert", "client_key"), names) if name}


@pytest.mark.parametrize("option", ["ssl-max-ver TLSv1.2", "ssl-min-ver TLSv1.3"])
@pytest.mark.parametrize("name", OWN)
def test_client_certificate(agent, manager, pki, name, option, request):
    environment = request.getfixturevalue("token") if "pkcs11:" in "".join(map(str, OWN[name])) else {}
    with asking(manager, pki, option) as front:
        configure(agent, front.port, ca_cert=pki.root.path, **own_certificate(pki, OWN[name], environment))
        accepted(agent, manager, CREDENTIALS_DIRECTORY=str(pki.directory), **environment)
        front.wait_log('client="client"')
        manager.close_all()  # the token is opened anew for each connection
        manager.wait_offer(2)
        manager.round_trip("again")
    agent.stop()
    for text in (agent.log.read_text(), agent.notifications()):
        assert PIN not in text


@pytest.mark.parametrize("uri, reason", [
    (KEY_IN_TOKEN.replace(PIN, "wrong-pin"), ""),
    (KEY_IN_TOKEN.replace("object=client", "object=nobody"), ""),
    (KEY_IN_TOKEN.split("?")[0], ""),
], ids=["a wrong PIN", "no such key", "no PIN"])
def test_token_that_does_not_give_the_key(agent, manager, pki, token, uri, reason):
    with asking(manager, pki) as front:
        configure(agent, front.port, ca_cert=pki.root.path, client_cert=pki.client.path, client_key=uri)
        agent.start(**token)
        wait_for(lambda: agent.failures(), "a failed attempt")
        assert agent.failures()[0].startswith(
            f"TLS: client_cert {pki.client.path} with client_key cannot be used: {reason}")
        assert not manager.connections
    agent.stop()
    for text in (agent.log.read_text(), agent.notifications()):
        assert PIN not in text and "wrong-pin" not in text


def test_renewed_client_certificate_and_reload(agent, manager, pki):
    """A job is at work meanwhile, and answered once."""
    cert, key = (agent.directory / name for name in ("own.pem", "own.key"))

    def install(certificate):
        for source, target in ((certificate.path, cert), (certificate.key_path, key)):
            temporary = target.with_suffix(".new")
            shutil.copy(source, temporary)
            temporary.replace(target)

    install(pki.client)
    with asking(manager, pki) as front:
        configure(agent, front.port, ca_cert=pki.root.path, client_cert=cert, client_key=key)
        accepted(agent, manager)
        front.wait_log('client="client"')
        manager.request("job", "run_script", JOB)
        manager.wait_message("ACK", "job")
        install(pki.leaf("renewed", purpose=certificates.CLIENT))
        agent.call("Reload")
        manager.wait_offer(2)
        front.wait_log('client="renewed"')
        manager.send(type="CANCEL", request_id="job", message_id="c")
        manager.ack(manager.wait_message("REPLY", "job"))
        manager.round_trip("last")
        assert len(manager.of_type("REPLY", "job")) == 1 == len(manager.of_type("ACK", "job"))
        agent.call("Reload")  # and nothing is new
        manager.round_trip("really last")
        assert len(manager.offers) == 2


# Sessions


def reconnect(manager):
    n = len(manager.offers)
    manager.close_all()
    manager.wait_offer(n + 1)
    manager.round_trip(f"after connection {n}")


@pytest.mark.parametrize("option", ["ssl-max-ver TLSv1.2", "ssl-min-ver TLSv1.3"])
def test_session_is_resumed(agent, manager, pki, option):
    with Haproxy(manager.port, pki.good, option) as front:
        configure(agent, front.port, ca_cert=pki.root.path)
        accepted(agent, manager)
        assert not agent.property("TlsSession").endswith(", resumed")
        for _ in range(3):
            reconnect(manager)
            assert agent.property("TlsSession").endswith(", resumed")
        assert [int(r) for r in re.findall('resumed="(\\d)"', front.log())] == [0, 1, 1, 1]


@pytest.mark.parametrize("age, resumed", [(3500, True), (3601, False)])
def test_session_is_resumed_within_an_hour(agent, manager, pki, age, resumed):
    """A resumption does not check the certificate again: after an hour that is done."""
    clock = agent.directory / "boot-clock"
    clock.write_text("0")
    with Haproxy(manager.port, pki.good) as front:
        # so long a wait that it is seen: whoever asks wakes the agent, which looks at its clock then
        configure(agent, front.port, ca_cert=pki.root.path, backoff=3600_000)
        agent.start(LD_PRELOAD=str(BUILD / "tests/component/boot-clock.so"), BOOT_CLOCK=str(clock),
                    ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
        manager.wait_offer()
        manager.round_trip("first")
        clock.write_text(str(age))
        manager.close_all()
        wait_for(lambda: agent.property("State") == "waiting", "the end of the first one")
        agent.call("Reconnect")  # the kernel's timers know nothing of that clock
        manager.wait_offer(2)
        assert agent.property("TlsSession").endswith(", resumed") == resumed


def test_session_is_resumed_by_nginx(agent, manager, pki):
    with Nginx(manager.port, pki.good) as front:
        configure(agent, front.port, ca_cert=pki.root.path)
        accepted(agent, manager)
        reconnect(manager)
        agent.stop()
        front.wait_log("TLSv1.3 reused=r sni=localhost status=101")
        assert front.log().count("TLSv1.3 reused=. sni=localhost status=101") == 1


def test_session_that_the_server_has_forgotten(agent, manager, pki):
    """As after its restart: a full handshake, and no failure."""
    with Haproxy(manager.port, pki.good) as front:
        configure(agent, front.port, ca_cert=pki.root.path)
        accepted(agent, manager)
        port = front.port
    with Haproxy(manager.port, pki.good, port=port):
        manager.wait_offer(2)
        manager.round_trip("second")
        assert not agent.property("TlsSession").endswith(", resumed")
        assert not [f for f in agent.failures() if f.startswith("TLS: ")]


@pytest.mark.parametrize("change, text", [
    ({"ca_cert": "{other.path}"}, UNKNOWN.format("root")),
    ({"pin": "{client_pin}"}, "the key of localhost is not a pinned one"),
], ids=["ca_cert", "pin"])
def test_session_does_not_outlive_a_change_of_trust(agent, manager, peers, change, text):
    trust = {"ca_cert": peers.root.path}
    with Haproxy(manager.port, peers.good) as front:
        configure(agent, front.port, **trust)
        accepted(agent, manager)
        trust.update((key, value.format(**vars(peers))) for key, value in change.items())
        configure(agent, front.port, **trust)
        agent.call("Reload")
        wait_for(lambda: any(text in failure for failure in agent.failures()), "the refusal")
        assert len(manager.offers) == 1


def test_session_of_an_unchecked_server_is_not_resumed_when_it_is_checked(agent, manager, pki):
    with Haproxy(manager.port, pki.good) as front:
        configure(agent, front.port, allow_unknown_certs="true")
        accepted(agent, manager)
        configure(agent, front.port, ca_cert=pki.other.path)
        agent.call("Reload")
        wait_for(lambda: any(UNKNOWN.format("root") in f for f in agent.failures()), "the refusal")
        assert len(manager.offers) == 1


# The crypto policy of the system


def policy(agent, text):
    path = agent.directory / "policy"
    path.write_text(f"[overrides]\n{text}\n")
    return {"GNUTLS_SYSTEM_PRIORITY_FILE": str(path), "GNUTLS_SYSTEM_PRIORITY_FAIL_ON_INVALID": "1"}


def test_policy_without_a_cipher(agent, manager, pki):
    with Haproxy(manager.port, pki.good, "ssl-max-ver TLSv1.2") as front:
        configure(agent, front.port, ca_cert=pki.root.path)
        accepted(agent, manager)
        assert agent.property("TlsSession") == "TLS1.2, AES-256-GCM"
        agent.stop()
        environment = policy(agent, "tls-disabled-cipher = AES-256-GCM")
        agent.start(**environment)
        manager.wait_offer(2)
        wait_for(lambda: agent.property("TlsSession").startswith("TLS1.2, "), "the session")
        assert "AES-256-GCM" not in agent.property("TlsSession")
        assert "AES256-GCM" not in front.log().splitlines()[-1]


def test_policy_without_tls_1_2(agent, pki):
    with OpensslServer(pki.good, "-tls1_2") as server:
        configure(agent, server.port, ca_cert=pki.root.path)
        refused(agent, server.heard, "localhost refused TLS (alert 70, Error in protocol version); it offers "
                "neither TLS 1.2 nor TLS 1.3 that the crypto policy here allows",
                **policy(agent, "disabled-version = tls1.2"))
