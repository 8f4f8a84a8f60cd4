# SPDX-License-Identifier: Apache-2.0
"""dcm-cloud as a program, against metadata services as the clouds document them, good and bad ones; and the
agent with a dcm-cloud that answers, lies, or does not answer."""

import contextlib
import json
import os
import socket
import subprocess
import threading

import pytest
from gi.repository import GLib

import metadata
from harness import BUILD, DEADLINE, FAST_CLOCK, wait_for
from test_doctor import doctor, findings, give_token  # noqa: F401
from metadata import INSTANCE, LAUNCH, SCRIPT, UUID, Metadata

HOST = socket.gethostname().split(".")[0]
NOTHING = {"instance_id": None, "injected_id": None, "vm_id": None, "ipv4": None, "ipv6": None, "problem": None}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def cloud(tmp_path, root):
    def run(kind=None, url=None, *arguments, status=0, **environment):
        config = tmp_path / "agent.conf"
        config.write_text("[cloud]\n" + (f"type = {kind}\n" if kind else "") +
                          (f"metadata_url = {url}\n" if url else ""))
        done = subprocess.run(
            [BUILD / "src/dcm-cloud/dcm-cloud", f"--config={config}", f"--config-directory={tmp_path}/none",
             f"--root={root}", *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE,
            env={**os.environ, **environment})
        assert done.returncode == status, done.stderr
        return done.stdout if arguments or status else json.loads(done.stdout)
    return run


def firmware(root, **files):
    directory = root / "sys/class/dmi/id"
    directory.mkdir(parents=True)
    for name, text in files.items():
        (directory / name).write_text(text + "\n")


AMAZON = {**NOTHING, "type": "Amazon", "instance_id": INSTANCE, "injected_id": LAUNCH, "ipv4": ["10.1.2.3"]}
IDENTITIES = [
    ("Amazon", metadata.amazon(), AMAZON),
    ("Amazon", metadata.amazon_v1(), AMAZON),
    ("Google", metadata.google, {**NOTHING, "type": "Google", "instance_id": f"{HOST}_5512943879236841234",
                                 "injected_id": LAUNCH}),
    ("DigitalOcean", metadata.digital_ocean, {**NOTHING, "type": "DigitalOcean", "instance_id": "2756294",
                                              "ipv4": ["203.0.113.20"], "ipv6": ["2001:db8::20"]}),
    ("OpenStack", metadata.openstack, {**NOTHING, "type": "OpenStack", "instance_id": UUID}),
    ("CloudStack", metadata.cloudstack, {**NOTHING, "type": "CloudStack", "instance_id": UUID}),
    ("Azure", metadata.azure, {**NOTHING, "type": "Azure", "instance_id": f"{HOST}:{HOST}:{HOST}", "vm_id": UUID}),
]
NAMES = ["Amazon-v2", "Amazon-v1", "Google", "DigitalOcean", "OpenStack", "CloudStack", "Azure"]


@pytest.mark.parametrize("kind,answer,expected", IDENTITIES, ids=NAMES)
def test_configured(cloud, kind, answer, expected):
    with Metadata(answer) as service:
        assert cloud(kind, service.url) == expected
        # any case, and an address with a path, as installers of the Python agent wrote it
        assert cloud(kind.upper(), service.url + "/latest/meta-data") == expected


@pytest.mark.parametrize("kind,answer,expected", IDENTITIES, ids=NAMES)
def test_found_by_asking_all(cloud, kind, answer, expected):
    with Metadata(answer) as service:
        assert cloud(None, service.url) == expected
        assert cloud("unknown", service.url) == expected


@pytest.mark.parametrize("kind,files", [
    ("Amazon", {"sys_vendor": "Amazon EC2"}),
    ("Google", {"product_name": "Google Compute Engine"}),
    ("DigitalOcean", {"sys_vendor": "DigitalOcean"}),
    ("OpenStack", {"product_name": "OpenStack Nova"}),
    ("OpenStack", {"chassis_asset_tag": "OpenStack Compute"}),
    ("CloudStack", {"product_name": "CloudStack KVM Hypervisor", "sys_vendor": "Apache Software Foundation"}),
    ("Azure", {"chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77", "sys_vendor": "Microsoft Corporation"}),
])
def test_firmware_decides_whom_to_ask(cloud, root, kind, files):
    """Nobody else is asked, so that the answer comes without waiting for them."""
    firmware(root, **files)
    answer, expected = next((a, e) for k, a, e in reversed(IDENTITIES) if k == kind)
    with Metadata(answer) as service:
        assert cloud(None, service.url) == expected
        single = list(service.asked)
        service.asked.clear()
        cloud(kind, service.url)
        assert single == service.asked


def test_firmware_of_another_hypervisor(cloud, root):
    firmware(root, sys_vendor="Microsoft Corporation", product_name="Virtual Machine", chassis_asset_tag="None")
    with Metadata(metadata.files({})) as service:
        assert cloud(None, service.url) == {**NOTHING, "type": "UNKNOWN"}


@pytest.mark.parametrize("kind", ["Amazon", "Google", "DigitalOcean", "OpenStack", "CloudStack"])
def test_first_script(cloud, kind):
    answer = next(a for k, a, _ in IDENTITIES if k == kind)
    with Metadata(answer) as service:
        assert cloud(kind, service.url, "--script") == SCRIPT


def test_no_script(cloud):
    with Metadata(metadata.amazon({})) as service:
        assert cloud("Amazon", service.url, "--script", status=1) == ""
    assert cloud("Other", None, "--script", status=1) == ""


def test_others_have_nothing_to_tell(cloud):
    assert cloud("other") == {**NOTHING, "type": "Other"}


def test_unknown_type_is_found_out(cloud):
    with Metadata(metadata.openstack) as service:
        assert cloud("Nimbus", service.url)["type"] == "OpenStack"


def test_absent_values_are_null(cloud):
    with Metadata(metadata.amazon({"/latest/meta-data/instance-id": INSTANCE})) as service:
        assert cloud("Amazon", service.url) == {**NOTHING, "type": "Amazon", "instance_id": INSTANCE}


@pytest.mark.parametrize("status,text", [
    (401, "refuses to answer"), (403, "refuses to answer"), (404, "answers with an error"),
    (429, "answers with an error"), (500, "answers with an error"), (503, "answers with an error"),
    (302, "answers with an error"),
])
def test_refusals(cloud, status, text):
    with Metadata(metadata.amazon(refused=status)) as service:
        found = cloud("Amazon", service.url)
        assert found == {**NOTHING, "type": "Amazon", "problem": found["problem"]}
        assert found["problem"] == f"Amazon's metadata service {service.url} " + found["problem"].split(" ", 4)[4]
        assert text in found["problem"]


@pytest.mark.parametrize("value", ["", "\n", "i-1 2", "<html>sign in</html>", "i-" + "0" * 2000, b"i-\xff\xfe",
                                   b"i-1\0i-2", "i-1\nSet-Cookie: x", "x-123"],
                         ids=["empty", "line", "blank", "page", "long", "no-utf8", "nul", "lines", "prefix"])
def test_what_is_no_id_is_not_taken(cloud, value):
    with Metadata(metadata.amazon({"/latest/meta-data/instance-id": value})) as service:
        found = cloud("Amazon", service.url)
        assert found["instance_id"] is None
        assert "answers with something other" in found["problem"]
        assert cloud(None, service.url) == {**NOTHING, "type": "UNKNOWN"}


def test_a_portal_that_answers_everything_is_no_cloud(cloud):
    with Metadata(lambda handler, *_: metadata.send(handler, 200, "<html>sign in</html>")) as service:
        assert cloud(None, service.url) == {**NOTHING, "type": "UNKNOWN"}


def test_not_googles_without_its_mark(cloud):
    """Some service that knows the path is not Google's."""
    with Metadata(metadata.files({"/computeMetadata/v1/instance/id": "12"})) as service:
        assert "something other" in cloud("Google", service.url)["problem"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"uuid":null}', '{"uuid":7}', '{"uuid":"a b"}', '{"uuid":"x"',
                                  "[" * 10000, '{"uuid":"' + "x" * 2000 + '"}'],
                         ids=["empty", "array", "none", "null", "number", "blank", "cut", "deep", "long"])
def test_openstack_json_that_is_none(cloud, text):
    with Metadata(metadata.files({"/openstack/latest/meta_data.json": text})) as service:
        assert "something other" in cloud("OpenStack", service.url)["problem"]


def test_too_much(cloud):
    with Metadata(lambda handler, *_: metadata.send(handler, 200, "x" * (1 << 20))) as service:
        assert "answers with too much" in cloud("OpenStack", service.url)["problem"]


def test_wrong_address(cloud):
    with Metadata(metadata.digital_ocean) as service:
        found = cloud("DigitalOcean", service.url)
        assert found["ipv4"] == ["203.0.113.20"]
    table = {"/metadata/v1/id": "1", "/metadata/v1/interfaces/public/0/ipv4/address": "300.1.2.3"}
    with Metadata(metadata.files(table)) as service:
        found = cloud("DigitalOcean", service.url)
        assert found["instance_id"] == "1" and found["ipv4"] is None and "something other" in found["problem"]


def test_redirects_are_not_followed(cloud):
    with Metadata(metadata.openstack) as other:
        def answer(handler, _method, path):
            metadata.send(handler, 302, Location=other.url + path)
        with Metadata(answer) as service:
            assert cloud("OpenStack", service.url)["instance_id"] is None
        assert other.asked == []


def test_proxies_are_not_asked(cloud):
    with Metadata(metadata.openstack) as service, Metadata(metadata.files({})) as proxy:
        found = cloud("OpenStack", service.url, http_proxy=proxy.url, ALL_PROXY=proxy.url)
        assert found["instance_id"] == UUID
        assert proxy.asked == []


@pytest.fixture
def silent():
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as s:
        yield f"http://127.0.0.1:{s.getsockname()[1]}"


def test_whole_time_is_bounded(cloud, silent):
    """Ten seconds for everything together; the test's own timeout is the looser one."""
    assert "does not answer in time" in cloud("Amazon", silent, **FAST_CLOCK)["problem"]


def test_all_are_asked_at_the_same_time(cloud, silent):
    assert cloud(None, silent, **FAST_CLOCK) == {**NOTHING, "type": "UNKNOWN"}


def test_trickle_is_bounded(cloud):
    end = threading.Event()

    def answer(handler, *_):
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not end.wait(0.2):
                handler.wfile.write(b"x")

    with Metadata(answer) as service:
        try:
            assert "does not answer in time" in cloud("OpenStack", service.url, **FAST_CLOCK)["problem"]
        finally:
            end.set()


def test_no_http(cloud):
    with socket.create_server(("127.0.0.1", 0)) as s:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = s.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(b"\0\xff\0 garbage\r\n\r\n")
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            found = cloud("Amazon", f"http://127.0.0.1:{s.getsockname()[1]}")
            assert "something other" in found["problem"]
        finally:
            s.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_nobody_there(cloud):
    assert "cannot be reached" in cloud("Amazon", "http://127.0.0.1:1")["problem"]


@pytest.mark.parametrize("path,text", [
    ("run/systemd/netif/leases/2", "# This is private data.\nADDRESS=127.0.0.9\nSERVER_ADDRESS=127.0.0.1\n"),
    ("var/lib/dhcp/dhclient.eth0.leases", "lease {\n  option dhcp-server-identifier 192.0.2.1;\n}\n"
                                          "lease {\n  option dhcp-server-identifier 127.0.0.1;\n}\n"),
    ("var/lib/dhclient/dhclient-eth0.leases", "lease {\n option dhcp-server-identifier 127.0.0.1;\n}\n"),
    ("var/lib/NetworkManager/dhclient-x-eth0.lease", "lease {\n option dhcp-server-identifier 127.0.0.1;\n}\n"),
], ids=["networkd", "dhclient-debian", "dhclient-rhel", "dhclient-of-NetworkManager"])
@pytest.mark.skipif(os.geteuid() != 0, reason="needs port 80 of a network namespace of its own")
def test_cloudstack_is_at_the_dhcp_server(tmp_path, root, path, text):
    (root / path).parent.mkdir(parents=True)
    (root / path).write_text(text)
    script = tmp_path / "run.py"
    script.write_text(f"""
import subprocess, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
import metadata
with metadata.Metadata(metadata.cloudstack, port=80):
    for kind in ("CloudStack", "CloudStack3", "UNKNOWN"):
        open({str(tmp_path / 'agent.conf')!r}, "w").write(f"[cloud]\\ntype = {{kind}}\\n")
        subprocess.run([{str(BUILD / 'src/dcm-cloud/dcm-cloud')!r}, "--config={tmp_path}/agent.conf",
                        "--root={root}"], check=True)
""")
    done = subprocess.run(["unshare", "--net", "sh", "-c", 'ip link set lo up && exec python3 "$0"', script],
                          capture_output=True, text=True, timeout=120)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(f["type"], f["instance_id"]) for f in found] == [
        ("CloudStack", UUID), ("CloudStack3", UUID), ("CloudStack", UUID)], done.stderr


NETWORK_MANAGER = """
import sys
import dbus, dbus.service, dbus.mainloop.glib
from gi.repository import GLib

dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SystemBus()
NAME = "org.freedesktop.NetworkManager"


class Object(dbus.service.Object):
    def __init__(self, path, interface, **properties):
        super().__init__(bus, path)
        self.interface, self.properties = interface, properties

    @dbus.service.method("org.freedesktop.DBus.Properties", in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        if interface != self.interface:
            raise dbus.exceptions.DBusException("no such interface", name="org.freedesktop.DBus.Error.UnknownInterface")
        return self.properties[name]


def path(name):
    return dbus.ObjectPath("/org/freedesktop/NetworkManager" + name, variant_level=1)


objects = [
    Object("/org/freedesktop/NetworkManager", NAME, ActiveConnections=dbus.Array(
        [path("/ActiveConnection/%d" % i) for i in (1, 2, 3)], signature="o", variant_level=1)),
    # one without DHCP, one that has just ended, one with it
    Object("/org/freedesktop/NetworkManager/ActiveConnection/1", NAME + ".Connection.Active",
           Dhcp4Config=dbus.ObjectPath("/", variant_level=1)),
    Object("/org/freedesktop/NetworkManager/ActiveConnection/3", NAME + ".Connection.Active",
           Dhcp4Config=path("/DHCP4Config/7")),
    Object("/org/freedesktop/NetworkManager/DHCP4Config/7", NAME + ".DHCP4Config",
           Options=dbus.Dictionary({"ip_address": "192.0.2.7", "expiry": dbus.UInt32(7, variant_level=1),
                                    "dhcp_server_identifier": sys.argv[1]}, signature="sv", variant_level=1)),
]
name = dbus.service.BusName(NAME, bus)
print("ready", flush=True)
GLib.MainLoop().run()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs port 80 of a network namespace of its own")
@pytest.mark.parametrize("server,found", [("127.0.0.1", UUID), ("nonsense", None)])
def test_cloudstack_as_networkmanager_knows_it(tmp_path, bus, server, found):
    """NetworkManager keeps its leases to itself and tells them on the bus; here something speaks for it."""
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus.address}
    (tmp_path / "agent.conf").write_text("[cloud]\ntype = CloudStack\n")
    script = tmp_path / "run.py"
    script.write_text(f"""
import subprocess, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
import metadata
with metadata.Metadata(metadata.cloudstack, port=80):
    subprocess.run([{str(BUILD / 'src/dcm-cloud/dcm-cloud')!r}, "--config={tmp_path}/agent.conf"], check=True)
""")
    speaker = subprocess.Popen(["/usr/bin/python3", "-c", NETWORK_MANAGER, server], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert speaker.stdout.readline() == "ready\n"
        done = subprocess.run(["unshare", "--net", "sh", "-c", 'ip link set lo up && exec python3 "$0"', script],
                              capture_output=True, text=True, timeout=120, env=environment)
        assert json.loads(done.stdout)["instance_id"] == found, done.stderr
    finally:
        speaker.kill()
        speaker.wait()


@pytest.mark.parametrize("path", ["usr/sbin/mdata-get", "lib/smartdc/mdata-get"])
def test_joyent(cloud, root, path):
    program = root / path
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\ncase $1 in es:dmcm-launch-id) echo launch-7 ;; user-script) echo script ;;\n'
                       '*) echo "No metadata for \'$1\'" >&2; exit 1 ;; esac\n')
    program.chmod(0o755)
    expected = {**NOTHING, "type": "Joyent", "instance_id": "launch-7", "injected_id": "launch-7"}
    assert cloud("Joyent") == expected
    with Metadata(metadata.files({})) as service:
        assert cloud(None, service.url) == expected
    assert cloud("Joyent", None, "--script") == "script\n"


@pytest.mark.parametrize("script,text", [("exec sleep 1000", "in time"), ("echo x; exec >/dev/null; exec sleep 1000", "in time"), ("exit 1", "error"),
                                         ("exec yes", "too much"), ("exec cat /dev/zero", "too much"),
                                         ("echo 'a\nb'", "something other")])
def test_joyents_program_misbehaves(cloud, root, script, text):
    program = root / "usr/sbin/mdata-get"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    found = cloud("Joyent", **(FAST_CLOCK if "sleep" in script else {}))
    assert found["instance_id"] is None
    assert text in found["problem"]


def test_joyent_without_its_program(cloud):
    assert "error" in cloud("Joyent")["problem"]


def test_konami(cloud):
    found = cloud("Konami", DCM_KONAMI_INSTANCE_ID="k-1", DCM_KONAMI_INJECTED_ID="j-1",
                  DCM_KONAMI_PRIVATE_IP="10.0.0.1", DCM_KONAMI_PUBLIC_IP="203.0.113.1")
    assert found == {**NOTHING, "type": "Konami", "instance_id": "k-1", "injected_id": "j-1",
                     "ipv4": ["10.0.0.1", "203.0.113.1"]}
    assert cloud("Konami", DCM_KONAMI_PUBLIC_IP="203.0.113.1")["ipv4"] == ["203.0.113.1"]
    assert cloud("Konami", DCM_KONAMI_PRIVATE_IP="here")["problem"]
    found = cloud("Konami", DCM_KONAMI_PRIVATE_IP="10.0.0.1", DCM_KONAMI_PUBLIC_IP="here")
    assert found["ipv4"] == ["10.0.0.1"] and found["problem"]
    assert cloud("Konami", DCM_KONAMI_INSTANCE_ID="k-1") == {**NOTHING, "type": "Konami", "instance_id": "k-1"}


def test_cloudstack_without_a_lease(cloud):
    assert cloud("CloudStack")["problem"] == ("CloudStack's metadata service cannot be found: it runs on the DHCP "
                                              "server, and no lease names that server")


def test_azure_by_its_file(cloud, root):
    """The old rule, without a metadata service."""
    (root / "var/lib/waagent").mkdir(parents=True)
    (root / "var/lib/waagent/ovf-env.xml").write_text("<Environment/>")
    with Metadata(metadata.files({})) as service:
        assert cloud(None, service.url) == {**NOTHING, "type": "Azure", "instance_id": f"{HOST}:{HOST}:{HOST}"}


# --- the agent's side ------------------------------------------------------------------------------


class Oracle:
    """A dcm-cloud: answers each connection with what `texts` has for it, the last one for ever."""

    def __init__(self, path, *texts):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(16)
        os.chmod(path, 0o666)
        self.texts = list(texts)
        self.held = []
        self.n = 0
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                self.n += 1
                text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
                if text is None:
                    self.held.append(connection)
                    continue
                with connection, contextlib.suppress(OSError):
                    connection.sendall(text if isinstance(text, bytes) else text.encode())

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()
        for connection in self.held:
            connection.close()


@pytest.fixture
def oracle(agent):
    made = []

    def make(*texts):
        made.append(Oracle(agent.directory / "cloud", *texts))
        return made[-1]

    yield make
    for o in made:
        o.stop()


def identity(**values):
    return json.dumps({**NOTHING, **values})


def test_identity_is_offered(agent, manager, oracle):
    oracle(identity(type="Amazon", instance_id=INSTANCE, injected_id=LAUNCH, ipv4=["10.1.2.3"]))
    agent.configure(manager.url())
    agent.start(DCM_AGENT_INJECTED_ID="of-the-environment")
    offer = manager.wait_offer()
    assert (offer["vm_instance"], offer["injected_id"], offer["ipv4"]) == (INSTANCE, LAUNCH, ["10.1.2.3"])
    assert agent.property("CloudType") == "Amazon"
    assert agent.property("InstanceId") == INSTANCE
    assert agent.property("CloudProblem") == ""


def test_what_the_cloud_does_not_know_is_from_here(agent, manager, oracle):
    oracle(identity(type="OpenStack", instance_id=UUID))
    agent.configure(manager.url())
    agent.start(DCM_AGENT_INJECTED_ID="of-the-environment")
    offer = manager.wait_offer()
    assert (offer["vm_instance"], offer["injected_id"]) == (UUID, "of-the-environment")
    addresses = {a["local"] for i in json.loads(subprocess.run(["ip", "-j", "-4", "address"], capture_output=True,
                                                               text=True, check=True).stdout)
                 for a in i["addr_info"] if i["operstate"] != "DOWN" and "LOOPBACK" not in i["flags"]}
    assert set(offer["ipv4"]) <= addresses


@pytest.mark.parametrize("text,expected", [
    (identity(type="Amazon", instance_id=INSTANCE), ("ok", f"Amazon {INSTANCE}")),
    (identity(type="UNKNOWN"), ("ok", "none")),
    (identity(type="Amazon", problem="Amazon's metadata service cannot be reached"),
     ("warning", "Amazon's metadata service cannot be reached")),
    (None, ("warning", "dcm-cloud does not answer: systemctl start dcm-cloud.socket")),
], ids=["id", "none", "problem", "silent"])
def test_doctor_tells_of_it(agent, manager, oracle, doctor, text, expected):
    oracle(text)
    agent.configure(manager.url())
    give_token(agent)
    status, output = doctor("--json", **({} if text else FAST_CLOCK))
    found = findings(output)
    assert status == 0 and found["cloud"] == expected and found["handshake"][0] == "ok"
    assert manager.offers[0]["vm_instance"] == (INSTANCE if expected[0] == "ok" and "i-" in expected[1] else None)


def test_unknown_type_is_warned_of(agent, manager):
    agent.configure(manager.url(), cloud={"type": "Nimbus"})
    agent.start()
    manager.wait_offer()
    agent.wait_log("the value of type in [cloud] is not valid: it must be a cloud of agent.conf(5), or Other; ignored")
    agent.configure(manager.url(), cloud={"type": "amazon"})
    n = agent.n_lines()
    agent.call("Reload")
    assert "[cloud]" not in "\n".join(agent.log.read_text().splitlines()[n:])


def test_doctor_takes_one_answer(agent, manager, oracle, doctor, monkeypatch):
    """The cloud is asked again after half a minute, when the handshake has begun."""
    monkeypatch.setattr(type(manager), "_on_text", lambda *_: None)
    o = oracle(identity(type="Amazon", problem="Amazon's metadata service cannot be reached"))
    agent.configure(manager.url())
    give_token(agent)
    timer = GLib.timeout_add(50, lambda: o.n < 2 or manager.close_all() or True)
    try:
        status, output = doctor("--json", **FAST_CLOCK)
    finally:
        GLib.source_remove(timer)
    assert status == 1 and o.n == 2 and len(manager.connections) == 1
    assert [line["check"] for line in json.loads(output)].count("cloud") == 1
    assert findings(output)["handshake"][0] == "failed"


def test_without_dcm_cloud(agent, manager):
    agent.configure(manager.url())
    agent.start()
    assert manager.wait_offer()["vm_instance"] is None
    assert agent.property("CloudType") == ""


def test_silent_dcm_cloud_delays_the_handshake_and_not_the_start(agent, manager, oracle):
    oracle(None)
    agent.configure(manager.url())
    agent.start()
    agent.wait_notify("READY=1\nSTATUS=Asking the cloud for the identity of this server")
    assert manager.offers == []
    assert manager.wait_offer()["vm_instance"] is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type":"Nimbus"}', '{"type":"Amazon","instance_id":7}',
                                  '{"type":"Amazon","ipv4":["x"]}', '{"type":"Amazon","instance_id":"a\\nb"}',
                                  '{"type":"Amazon"', b"\xff", "x" * 100000],
                         ids=["empty", "array", "none", "type", "number", "address", "lines", "cut", "no-utf8", "long"])
def test_lies_are_not_told_on(agent, manager, oracle, text):
    oracle(text)
    agent.configure(manager.url())
    agent.start()
    assert manager.wait_offer()["vm_instance"] is None
    agent.wait_log("dcm-cloud did not answer")


def test_reload_asks_again_and_a_new_identity_is_told(agent, manager, oracle):
    o = oracle(identity(type="Amazon", problem="Amazon's metadata service cannot be reached"),
               identity(type="Amazon", instance_id=INSTANCE), identity(type="Amazon", instance_id=INSTANCE))
    agent.configure(manager.url())
    agent.start()
    assert manager.wait_offer()["vm_instance"] is None
    assert agent.property("CloudProblem") == "Amazon's metadata service cannot be reached"
    agent.call("Reload")
    assert manager.wait_offer(2)["vm_instance"] == INSTANCE
    assert agent.property("CloudProblem") == ""
    agent.call("Reload")
    wait_for(lambda: o.n == 3, "the third question")
    manager.round_trip("after-the-same-answer")
    assert len(manager.offers) == 2


def test_cloud_is_looked_for_again_when_there_is_a_connection(agent, manager, oracle):
    """The network may have been down when none answered."""
    o = oracle(identity(type="UNKNOWN"), identity(type="OpenStack", instance_id=UUID))
    agent.configure(manager.url())
    agent.start()
    assert manager.wait_offer()["vm_instance"] is None
    assert manager.wait_offer(2)["vm_instance"] == UUID
    manager.round_trip("afterwards")
    assert o.n == 2 and len(manager.offers) == 2


def test_connections_that_come_and_go_are_no_questions(agent, manager, oracle):
    o = oracle(identity(type="UNKNOWN"))
    agent.configure(manager.url())
    agent.start()
    manager.wait_offer()
    wait_for(lambda: o.n == 2, "the question of the first connection")
    for n in (2, 3, 4):
        agent.call("Reconnect")
        manager.wait_offer(n)
        manager.round_trip(f"on-connection-{n}")
    assert o.n == 2


def test_an_outage_does_not_end_an_identity(agent, manager, oracle):
    o = oracle(identity(type="Amazon", instance_id=INSTANCE),
               identity(type="Amazon", problem="Amazon's metadata service cannot be reached"),
               identity(type="Amazon", problem="Amazon's metadata service does not answer in time"))
    agent.configure(manager.url())
    agent.start()
    manager.wait_offer()
    for n, problem in ((2, "cannot be reached"), (3, "does not answer in time")):
        agent.call("Reload")
        wait_for(lambda n=n: o.n == n, "the next question")
        wait_for(lambda p=problem: p in agent.property("CloudProblem"), problem)
        assert agent.property("InstanceId") == INSTANCE
        manager.round_trip(f"after-{n}")
    assert len(manager.offers) == 1
