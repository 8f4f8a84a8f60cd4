# SPDX-License-Identifier: Apache-2.0
"""dcm-fetch as a program, against nginx, python's http.server and raw sockets: what it downloads is what
is there; its status line says "ok", or what failed with the name of the source and nothing secret;
redirects, size, time and protocols are bounded; a certificate that is given is the only one that
counts; and it ends when nobody wants the download any more."""

import contextlib
import http.server
import os
import socket
import subprocess
import tempfile
import threading

import pytest

from certificates import Certificate
from harness import BUILD, DEADLINE, free_port, temporary_directory, wait_for
from servers import Nginx

PROGRAM = BUILD / "src/dcm-fetch/dcm-fetch"
LIMIT = 16 * 1024 * 1024
SCRIPT = b"#!/bin/sh\necho hello\n"
SECRET = "hunter2"


def order(url, patience=30, certificate=""):
    return f"DCM_FETCH=1\nPATIENCE_USEC={int(patience * 1e6)}\nURL={url}\n{certificate}"


class Fetch:
    """A run of the program; `status` is what it wrote to the pipe."""

    def __init__(self, text, environment=None):
        self.content_file = tempfile.TemporaryFile()
        with tempfile.TemporaryFile() as stdin:
            stdin.write(text.encode())
            stdin.flush()
            self.process = subprocess.Popen([PROGRAM], stdin=stdin, stdout=self.content_file,
                                            stderr=subprocess.PIPE, env={**os.environ, **(environment or {})})

    def finish(self):
        status = self.process.stderr.read().decode()
        assert self.process.wait(DEADLINE) == (0 if status == "ok\n" else 1), status
        assert status.endswith("\n") and status.count("\n") == 1 and SECRET not in status
        return status[:-1]

    def content(self):
        return os.pread(self.content_file.fileno(), LIMIT + 1, 0)


def fetch(url, patience=30, certificate="", **options):
    run = Fetch(order(url, patience, certificate), **options)
    status = run.finish()
    return status, run.content()


LOCATIONS = """
    location /files/ {{ alias {root}/; }}
    location = /loop {{ return 302 /loop; }}
    location = /hop1 {{ return 301 /hop2; }} location = /hop2 {{ return 302 /hop3; }}
    location = /hop3 {{ return 303 /hop4; }} location = /hop4 {{ return 307 /hop5; }}
    location = /hop5 {{ return 308 /files/script; }} location = /hop0 {{ return 302 /hop1; }}
    location = /to-file {{ return 302 file:///etc/passwd; }}
    location = /to-ftp {{ return 302 ftp://127.0.0.1/x; }}
    location = /to-http {{ return 302 http://127.0.0.1:1/x; }}
    location = /304 {{ return 304; }} location = /500 {{ return 500; }} location = /204 {{ return 204; }}
    location = /300 {{ return 300; }}
    location = /auth {{ auth_basic x; auth_basic_user_file {root}/passwords; alias {root}/script; }}
"""


@pytest.fixture(scope="module")
def files():
    root = temporary_directory()
    root.chmod(0o755)
    (root / "script").write_bytes(SCRIPT)
    (root / "empty").touch()
    (root / "largest").write_bytes(b"x" * LIMIT)
    (root / "too-large").write_bytes(b"x" * (LIMIT + 1))
    (root / "passwords").write_text("user:{PLAIN}" + SECRET + "\n")
    yield root
    subprocess.run(["rm", "-r", root], check=True)


@pytest.fixture(scope="module")
def web(files):
    with Nginx(1, more=LOCATIONS.format(root=files)) as server:
        yield f"http://127.0.0.1:{server.port}", server


@contextlib.contextmanager
def raw_server(answer):
    """Each connection is given to answer() in a thread, after its request was read."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            answer(connection, stopped)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/script"
    finally:
        stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


# What is there


@pytest.mark.parametrize("name", ["script", "empty", "largest"])
def test_downloads(web, files, name):
    status, content = fetch(f"{web[0]}/files/{name}?query#fragment")
    same = content == (files / name).read_bytes()
    assert status == "ok" and same


def test_python_server_and_port_in_upper_case_scheme(files):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=files)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        assert fetch(f"HTTP://127.0.0.1:{server.server_port}/script") == ("ok", SCRIPT)
        server.shutdown()


def test_password_of_the_url_is_sent_and_not_told(web):
    url = web[0].replace("http://", f"http://user:{SECRET}@")
    assert fetch(f"{url}/auth") == ("ok", SCRIPT)
    status, _ = fetch(f"{url.replace('user', 'other')}/auth?{SECRET}")
    assert status == f"{web[0][7:]} answered with the HTTP status 401"


def test_no_proxy_and_no_netrc_of_the_environment(web):
    broken = {name: "http://127.0.0.1:1" for name in ("http_proxy", "https_proxy", "all_proxy")}
    assert fetch(f"{web[0]}/files/script", environment=broken) == ("ok", SCRIPT)


# What fails


@pytest.mark.parametrize("path, status", [("files/none", 404), ("500", 500), ("304", 304), ("300", 300)])
def test_http_status(web, path, status):
    result, content = fetch(f"{web[0]}/{path}?{SECRET}")
    assert (result, content) == (f"{web[0][7:]} answered with the HTTP status {status}", b"")


def test_status_204_is_an_empty_script(web):
    assert fetch(f"{web[0]}/204") == ("ok", b"")


def test_redirects(web):
    """Five are followed, six not, and no loop."""
    assert fetch(f"{web[0]}/hop1") == ("ok", SCRIPT)
    for path in ("hop0", "loop"):
        status, content = fetch(f"{web[0]}/{path}")
        assert (status, content) == (f"{web[0][7:]}: more than 5 redirects", b"")


@pytest.mark.parametrize("path", ["to-file", "to-ftp"])
def test_redirect_to_another_protocol(web, path):
    status, content = fetch(f"{web[0]}/{path}")
    assert (status, content) == ("A redirect leads to another protocol than https or http", b"")


def test_too_large(web):
    """With its length in the head, and without: then it is cut off at the limit."""
    status, content = fetch(f"{web[0]}/files/too-large")
    assert status == f"What {web[0][7:]} sends is too large: a script may have 16 MiB" and not content

    def endless(connection, stopped):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not stopped.is_set():
            connection.sendall(b"x" * 65536)

    with raw_server(endless) as url:
        status, content = fetch(url)
        assert "is too large: a script may have 16 MiB" in status and len(content) <= LIMIT


def test_no_server_and_no_name():
    port = free_port()
    assert fetch(f"http://127.0.0.1:{port}/")[0] == f"127.0.0.1:{port}: Connection refused"
    assert fetch(f"http://user:{SECRET}@nowhere.invalid/{SECRET}")[0] == \
        "nowhere.invalid: the name cannot be resolved"


def test_no_connection():
    """A listener whose queue is full: the kernel answers nothing."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        name = "127.0.0.1:%d" % listener.getsockname()[1]
        assert fetch(f"http://{name}/", patience=1)[0] == f"{name}: no connection within 1 s"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun"])
def test_silent_source(head):
    def stall(connection, stopped):
        connection.sendall(head)
        stopped.wait()

    with raw_server(stall) as url:
        assert "has sent nothing for 1 s" in fetch(url, patience=1)[0]


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun"])
def test_broken_off(answer):
    with raw_server(lambda connection, _: connection.sendall(answer)) as url:
        assert fetch(url)[0].endswith(": the connection broke off")


NO_HTTP = [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 999999999 x\r\n\r\n", b"\0" * 100,
           b"HTTP/1.1 200 \x1b[31m\r\nContent-Length: -1\r\n\r\nx"]


@pytest.mark.parametrize("answer", NO_HTTP, ids=map(str, range(len(NO_HTTP))))
def test_no_http(answer):
    with raw_server(lambda connection, _: connection.sendall(answer)) as url:
        status = fetch(url)[0]
        assert status != "ok" and status.isprintable() and url[7:-7] in status


def test_endless_head():
    def endless(connection, stopped):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for n in range(100000):
            connection.sendall(b"X-%d: %s\r\n" % (n, b"x" * 10000))

    with raw_server(endless) as url:
        assert fetch(url)[0] not in ("", "ok")


# Whose certificate


@pytest.fixture(scope="module")
def tls_web(pki, files):
    with Nginx(1, pki.good, more=LOCATIONS.format(root=files)) as server:
        yield f"https://localhost:{server.port}"


def test_own_authority_is_not_of_the_system(tls_web):
    status, content = fetch(f"{tls_web}/files/script")
    assert status.startswith(f"{tls_web[8:]}: TLS: ") and "verification failed" in status and not content


def test_pinned(tls_web, pki, tmp_path):
    """The certificate itself, the authority that signed it, or one of several."""
    for text in (pki.good.pem(), pki.root.pem(), pki.other.pem() + pki.root.pem(),
                 "a comment\n" + pki.good.pem().replace("\n", "\r\n")):
        assert fetch(f"{tls_web}/files/script", certificate=text) == ("ok", SCRIPT)


def test_pinned_and_another_one(tls_web, pki):
    """Neither another root, nor another certificate of the same root, nor the same name and authority."""
    for text in (pki.other.pem(), pki.leaf().pem(), pki.leaf(names=["localhost", "127.0.0.1"]).pem(),
                 "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        status, content = fetch(f"{tls_web}/files/script", certificate=text)
        assert status.startswith(f"{tls_web[8:]}: TLS: ") and not content


def test_pinned_for_another_host(tls_web, pki):
    with Nginx(1, pki.leaf(names=["elsewhere.example"]), more="location = /x { return 200 x; }") as server:
        status, _ = fetch(f"https://localhost:{server.port}/x", certificate=pki.root.pem())
        assert "TLS: " in status and "localhost" in status


def test_expired_and_self_signed(pki, tmp_path):
    """Pinned is not for ever; and a self-signed certificate is as good as any when it is pinned."""
    old = pki.leaf(end=pki.good.certificate.not_valid_before.replace(year=2021))
    with Nginx(1, old, more="location = /x { return 200 x; }") as server:
        assert "TLS: " in fetch(f"https://localhost:{server.port}/x", certificate=pki.root.pem())[0]
        assert "TLS: " in fetch(f"https://localhost:{server.port}/x", certificate=old.pem())[0]
    alone = Certificate(pki.directory, "alone", names=["localhost"])
    with Nginx(1, alone, more="location = /x { return 200 x; }") as server:
        assert fetch(f"https://localhost:{server.port}/x", certificate=alone.pem()) == ("ok", b"x")


def test_old_tls(pki):
    with Nginx(1, pki.good, more="ssl_ciphers ALL:@SECLEVEL=0; ssl_protocols TLSv1 TLSv1.1;") as server:
        status, _ = fetch(f"https://localhost:{server.port}/", certificate=pki.root.pem())
        assert status.startswith(f"localhost:{server.port}: TLS: ")


def test_https_never_leads_to_http(tls_web, pki):
    status, _ = fetch(f"{tls_web}/to-http", certificate=pki.root.pem())
    assert status == "A redirect leads to another protocol than https"


def test_peer_without_tls(web):
    url = web[0].replace("http:", "https:")
    assert fetch(f"{url}/files/script")[0].startswith(f"{url[8:]}: TLS: ")


def test_silent_in_the_handshake():
    with raw_server(lambda _, stopped: stopped.wait()) as url:
        status = fetch(url.replace("http:", "https:"), patience=1)[0]
        assert status == f"{url[7:-7]}: no connection within 1 s"


# Files


def test_file(files, tmp_path):
    (files / "a b").write_bytes(SCRIPT)
    for url in (f"file://{files}/script", f"file://localhost{files}/script", f"FILE://{files}/a%20b",
                f"file://{files}/script?query"):
        assert fetch(url) == ("ok", SCRIPT), url


def test_no_such_file(files):
    os.mkfifo(files / "fifo")
    assert fetch(f"file://{files}/none")[0] == f"{files}/none cannot be read: No such file or directory"
    assert fetch(f"file://{files}/too-large")[0] == f"{files}/too-large is too large: a script may have 16 MiB"
    for path in (files, files / "fifo", "/dev/zero", "/dev/stdin"):
        status = fetch(f"file://{path}")[0]
        assert "is not a regular file" in status or path == "/dev/stdin"
    assert fetch(f"file://{files}/%00")[0] == "The URL is not a valid file URL"


# The order


@pytest.mark.parametrize("text", [
    "", "x", "DCM_FETCH=1\n", order("ftp://host/x"), order("gopher://host"), order("http://host/a b"),
    order("http://host/\u00e9"), order("http://" + "x" * 8200), order("file://host/etc/passwd"),
    order("http://host", certificate="no certificate"), order("http://host") + "\0", order("x", 0),
    order("http://host", 1e6), order("http://host", certificate="x" * 90000),
])
def test_order_that_is_none(text):
    assert Fetch(text).finish() == "The order cannot be read: Bad message"


@pytest.mark.parametrize("url", ["http://", "http://:80/", "http://host:99999/", "http://[::1/", "http://@/",
                                 f"http://user:{SECRET}@:80/", f"http://{SECRET}@host:x{SECRET}/"])
def test_url_that_is_none(url):
    assert fetch(url, patience=1)[0] not in ("ok", "")


def test_arguments_are_refused():
    done = subprocess.run([PROGRAM, "http://host/"], capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and b"takes no arguments" in done.stderr


# The reader


def test_ends_when_nobody_reads():
    """The agent has gone, or gave up: while the source is silent, and while it sends."""
    arrived = threading.Event()

    def stall(connection, stopped):
        arrived.set()
        stopped.wait()

    with raw_server(stall) as url:
        run = Fetch(order(url, patience=1800))
        wait_for(arrived.is_set, "the request")
        run.process.stderr.close()
        wait_for(lambda: run.process.poll() is not None, "the end")
        assert run.process.returncode == 1


def test_full_disk(files):
    """What could not be kept is not said to be there."""
    with tempfile.TemporaryFile() as stdin, open("/dev/full", "wb") as full:
        stdin.write(order(f"file://{files}/script").encode())
        stdin.flush()
        done = subprocess.run([PROGRAM], stdin=stdin, stdout=full, stderr=subprocess.PIPE)
    assert done.stderr == f"{files}/script cannot be kept\n".encode() and done.returncode == 1
