# SPDX-License-Identifier: Apache-2.0
"""dcm-package with repositories as they are on the network: by https, whose certificate must be trusted, and for apt with
the components of a distribution. apt and dnf themselves read from a server of Python's."""

import functools
import http.server
import os
import ssl
import threading

import pytest

from dnf_root import DnfRoot
from package_root import AptRoot

pytestmark = pytest.mark.skipif(os.getuid() != 0 or not all(map(os.path.exists, (
    "/usr/bin/dpkg-scanpackages", "/usr/bin/dnf-3", "/usr/bin/rpmbuild"))), reason="needs root, apt, dnf and rpmbuild")


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def __init__(self, directory, certificate):
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(directory)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path, certificate.key_path)
        # the handshake belongs to the thread of the connection
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.serve_forever)

    def handle_error(self, *_):
        pass  # a client that does not trust it

    def __enter__(self):
        self.thread.start()
        return f"https://localhost:{self.server_port}"

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()


def apt_root(directory):
    root = AptRoot(directory)
    root.key = root.make_key("good")
    for component in "main", "extra", "other":
        root.build(f"suite/{component}", f"{component}-package", "1.0")
    root.publish_suite("suite", "stable", ("main", "extra", "other"), "Test")  # it calls itself "test", as many do
    root.arguments = {"suite": "stable", "components": ["main", "extra"], "key": root.key}
    root.names = ["main-package", "extra-package"]
    root.source = root.root / "etc/apt/sources.list.d/dcm-net.sources"
    return root


def dnf_root(directory):
    root = DnfRoot(directory)
    root.key = root.make_key("good")
    root.build_many("suite", ["main-package", "extra-package"], "1.0")
    root.publish("suite")
    root.arguments = {"key": root.key}
    root.names = ["main-package", "extra-package"]
    root.source = root.root / "etc/yum.repos.d/dcm-net.repo"
    return root


@pytest.mark.parametrize("make", [apt_root, dnf_root])
def test_https(make, tmp_path, pki):
    root = make(str(tmp_path))
    trusted = root.root / "etc/ssl/certs/ca-certificates.crt"
    try:
        with Server(root.root / "srv/suite", pki.good) as url:
            arguments = {"name": "net", "uri": url + "/", **root.arguments}
            reply = root.bad("add-repository", arguments, "failed")
            assert "ertificate" in reply["error_message"] and not root.source.exists(), reply
            text = trusted.read_text()
            trusted.write_text(text + pki.root.pem())
            reply = root.good("add-repository", arguments)
            assert url in root.source.read_text() and reply["reply_object"]["changed"] is True
            reply = root.good("install", {"packages": root.names, "refresh": True})
            assert {c["name"] for c in reply["reply_object"]["changes"]} == set(root.names) == root.versions().keys()
            # of a component that was not asked for
            root.bad("install", {"packages": ["other-package"]}, "missing")
            trusted.write_text(text)
            reply = root.run("install", {"packages": root.names[:1], "refresh": True})
            assert "ertificate" in reply["message"] + reply["error_message"], reply
    finally:
        root.close()
