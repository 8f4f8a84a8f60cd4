# SPDX-License-Identifier: Apache-2.0
"""Servers of object storage on 127.0.0.1, in a booted machine: OpenStack Swift with its S3 interface,
Azurite, s3rver, sshd, rclone's WebDAV, which this project did not write; and two stand-ins for what
cannot be had, which speak what is documented: Keystone's version 3 in front of Swift, and Google's
JSON interface. Between them and their clients proxies that cut, wait, or are slow."""

import base64
import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import secrets
import socket
import struct
import subprocess
import threading
import time
import urllib.parse
import urllib.request

LAYER = pathlib.Path(os.environ.get("DCM_OBJECT_SERVERS", "/run/share"))
WORK = pathlib.Path("/run/object-servers")
ROOT = WORK / "root"
DEADLINE = 240.0


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_listening(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


def wait_until(condition, what, seconds=DEADLINE):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def leave(disk, size):
    """Makes a tmpfs so small, or so large, that so many bytes are left."""
    st = os.statvfs(disk)
    used = (st.f_blocks - st.f_bfree) * st.f_frsize
    subprocess.run(["mount", "-o", f"remount,size={used + size}", disk], check=True)


class Server:
    """Programs that belong together; each writes to a log of its own."""

    def __init__(self, name):
        self.name, self.processes = name, []
        self.directory = WORK / name
        self.directory.mkdir(parents=True, exist_ok=True)

    def spawn(self, *command, **options):
        with open(self.directory / f"log{len(self.processes)}", "ab") as log:
            self.processes.append(subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log,
                                                   stderr=subprocess.STDOUT, start_new_session=True, **options))

    def wait_port(self, port, seconds=DEADLINE):
        def ready():
            for process in self.processes:
                assert process.poll() is None, self.logs()
            return is_listening(port)
        wait_until(ready, f"{self.name} listens: {self.logs()}", seconds)

    def logs(self):
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in self.directory.glob("log*"))

    def stop(self):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()
        self.processes = []


def mount_root():
    """The cached root, writable for as long as the machine lives."""
    if ROOT.is_mount():
        return
    for name in ("upper", "work", "root"):
        (WORK / name).mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "overlay", "-o",
                    f"lowerdir={LAYER}/root,upperdir={WORK}/upper,workdir={WORK}/work", "overlay", ROOT], check=True)
    for name in ("proc", "dev"):
        subprocess.run(["mount", "--rbind", f"/{name}", ROOT / name], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", ROOT / "run"], check=True)


class Swift(Server):
    """Its own interface, and that of S3."""

    PORT = 8080
    USER, SECRET = "test:tester", "testing"

    def __init__(self, size="8g"):
        super().__init__("swift")
        mount_root()
        # who was full once is not shunned for a minute
        conf = ROOT / "etc/swift/proxy-server.conf"
        section = "[app:proxy-server]\n"
        conf.write_text(conf.read_text().replace(section, section + "error_suppression_interval = 0\n"))
        self.disk = ROOT / "srv/node/d1"
        self.disk.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.disk], check=True)
        self.start()

    def start(self):
        self.spawn("chroot", ROOT, "memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", "11211")
        for server in ("account", "container", "object", "proxy"):
            self.spawn("chroot", ROOT, f"/usr/bin/swift-{server}-server", f"/etc/swift/{server}-server.conf")
        for port in (6200, 6201, 6202, 11211, self.PORT):
            self.wait_port(port)

    def leave(self, size):
        leave(self.disk, size)

    def place_s3(self, bucket, port=None, **more):
        return {"provider": "s3", "endpoint": f"http://127.0.0.1:{port or self.PORT}", "region": "us-east-1",
                "bucket": bucket, "key": self.USER, "secret": self.SECRET, **more}

    def place(self, bucket, port=None, **more):
        return {"cloudId": 35, "endpoint": f"http://127.0.0.1:{port or self.PORT}/auth/v1.0", "bucket": bucket,
                "key": self.USER, "secret": self.SECRET, **more}


class Azurite(Server):
    ACCOUNT = "devstoreaccount1"
    KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # public

    def __init__(self):
        super().__init__("azurite")
        self.port = free_port()
        self.data = self.directory / "data"
        self.data.mkdir(exist_ok=True)
        self.start()

    def start(self):
        self.spawn("node", LAYER / "node/node_modules/.bin/azurite-blob", "--silent", "--disableTelemetry",
                   "--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort", self.port, "--location", self.data)
        self.wait_port(self.port)

    def url(self, port=None):
        return f"http://127.0.0.1:{port or self.port}/{self.ACCOUNT}"

    def place(self, bucket, port=None, **more):
        return {"cloudId": 4, "endpoint": self.url(port), "bucket": bucket, "account": self.ACCOUNT,
                "secret": self.KEY, **more}


class S3rver(Server):
    def __init__(self):
        super().__init__("s3rver")
        self.port = free_port()
        self.start()

    def start(self):
        self.spawn("node", LAYER / "node/node_modules/.bin/s3rver", "--directory", self.directory / "data",
                   "--address", "127.0.0.1", "--port", self.port, "--silent")
        self.wait_port(self.port)

    def place(self, bucket, port=None, **more):
        return {"cloudId": 1, "endpoint": f"http://127.0.0.1:{port or self.port}", "bucket": bucket,
                "key": "S3RVER", "secret": "S3RVER", **more}


class Sshd(Server):
    """Its files are in a tmpfs, at /data of the server."""

    USER, SECRET = "keeper", "pass word 1"

    def __init__(self, size="2g"):
        super().__init__("sshd")
        mount_root()
        self.port = free_port()
        self.data = ROOT / "data"
        self.data.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "tmpfs", self.data], check=True)
        (ROOT / "run/sshd").mkdir(exist_ok=True)
        run = ["chroot", ROOT]
        subprocess.run([*run, "useradd", "--no-create-home", self.USER], check=True)
        subprocess.run([*run, "chpasswd"], input=f"{self.USER}:{self.SECRET}", text=True, check=True)
        subprocess.run([*run, "ssh-keygen", "-A"], check=True, stdout=subprocess.DEVNULL)
        self.host_key = "\n".join(" ".join(path.read_text().split()[:2]) for path in (ROOT / "etc/ssh").glob("ssh_host_*.pub"))
        self.private_key = self._make_key()
        self.start()

    def _make_key(self):
        path = ROOT / "etc/ssh/user"
        subprocess.run(["chroot", ROOT, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/user"], check=True)
        (ROOT / "etc/ssh/user.pub").chmod(0o644)
        return path.read_text()

    def start(self):
        self.spawn("chroot", ROOT, "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-o", "ListenAddress=127.0.0.1",
                   "-o", f"Port={self.port}", "-o", "UsePAM=no", "-o", "StrictModes=no", "-o", "PasswordAuthentication=yes",
                   "-o", "AuthorizedKeysFile=/etc/ssh/user.pub", "-o", "MaxStartups=100", "-o", "Subsystem=sftp internal-sftp")
        self.wait_port(self.port)

    def leave(self, size):
        leave(self.data, size)

    def place(self, bucket, port=None, **more):
        return {"provider": "sftp", "endpoint": f"127.0.0.1:{port or self.port}", "bucket": f"/data/{bucket}",
                "key": self.USER, "secret": self.SECRET, "hostKey": self.host_key, **more}


class Webdav(Server):
    USER, SECRET = "keeper", "pass word 2"

    def __init__(self, size="2g"):
        super().__init__("webdav")
        self.port = free_port()
        self.data = self.directory / "data"
        self.data.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.data], check=True)
        self.start()

    def start(self):
        self.spawn("rclone", "serve", "webdav", "--config", "/dev/null", "--addr", f"127.0.0.1:{self.port}",
                   "--user", self.USER, "--pass", self.SECRET, self.data)
        self.wait_port(self.port)

    def leave(self, size):
        leave(self.data, size)

    def place(self, bucket, port=None, **more):
        return {"provider": "webdav", "endpoint": f"http://127.0.0.1:{port or self.port}", "bucket": bucket,
                "key": self.USER, "secret": self.SECRET, **more}


# --- stand-ins ---------------------------------------------------------------------------------------

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content_Type", "application/json")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            data += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return data


class StandIn:
    """A server of this project, in a thread."""

    def __init__(self, handler):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.server.owner = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class KeystoneHandler(Handler):
    def do_GET(self):
        self.answer(200, {"version": {"id": "v3"}})

    def do_POST(self):
        keystone = self.server.owner
        auth = json.loads(self.body())["auth"]
        user = auth["identity"]["password"]["user"]
        if (user["name"], user["password"], user["domain"]) != ("tester", "testing", {"name": "Default"}):
            self.answer(401, {"error": {"code": 401, "title": "Unauthorized"}})
            return
        url, token = keystone.swift_token()
        endpoint = {"interface": "public", "region": "here", "region_id": "here", "url": url, "id": "1"}
        catalog = [{"type": "object-store", "name": "swift", "id": "1", "endpoints": [endpoint]}]
        self.answer(201, {"token": {"expires_at": "2099-01-01T00:00:00.000000Z", "catalog": catalog}},
                    X_Subject_Token=token)


class Keystone(StandIn):
    """POST /v3/auth/tokens, as "Identity API v3" has it; the tokens are Swift's own."""

    def __init__(self, swift):
        super().__init__(KeystoneHandler)
        self.swift = swift

    def swift_token(self):
        request = urllib.request.Request(f"http://127.0.0.1:{self.swift.PORT}/auth/v1.0",
                                         headers={"X-Auth-User": self.swift.USER, "X-Auth-Key": self.swift.SECRET})
        with urllib.request.urlopen(request) as reply:
            return reply.headers["X-Storage-Url"], reply.headers["X-Auth-Token"]

    def place(self, bucket, **more):
        return {"cloudId": 35, "endpoint": f"http://127.0.0.1:{self.port}/v3", "bucket": bucket, "key": "tester",
                "secret": "testing", "account": "test", "domain": "Default", "region": "here", **more}


class GoogleHandler(Handler):
    """Paths and replies: "Cloud Storage JSON API", "Using OAuth 2.0 for server to server applications"."""

    def handle_any(self):
        google = self.server.owner
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        data = self.body()
        if url.path == "/token":
            self.token(google, data)
        elif self.headers.get("Authorization") != "Bearer " + google.token:
            self.fail(401, "Invalid Credentials")
        else:
            with google.lock:
                self.route(google, [urllib.parse.unquote(p) for p in url.path.strip("/").split("/")], data)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def fail(self, status, message):
        self.answer(status, {"error": {"code": status, "message": message,
                                       "errors": [{"reason": message, "message": message}]}})

    def token(self, google, data):
        assertion = dict(urllib.parse.parse_qsl(data.decode()))["assertion"]
        if google.verify(assertion):
            self.answer(200, {"access_token": google.token, "token_type": "Bearer", "expires_in": 3600})
        else:
            self.answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})

    def route(self, google, path, data):
        if path[:2] == ["upload", "storage"] or "uploadType" in self.query or "upload_id" in self.query:
            self.upload(google, path[path.index("b") + 1] if "b" in path else None, data)
        elif self.command == "POST" and path[-1] == "b":
            google.buckets[json.loads(data)["name"]] = {}
            self.answer(200, {"kind": "storage#bucket", "name": json.loads(data)["name"]})
        else:
            bucket = path[path.index("b") + 1]
            rest = path[path.index("b") + 2:]
            if bucket not in google.buckets:
                self.fail(404, "The specified bucket does not exist.")
            elif not rest:
                self.answer(200, {"kind": "storage#bucket", "name": bucket})
            elif len(rest) == 1:
                self.list(google.buckets[bucket])
            else:
                self.object(google, bucket, "/".join(rest[1:]))

    def upload(self, google, bucket, data):
        if "upload_id" in self.query:
            upload = google.uploads[self.query["upload_id"]]
            upload["data"] += data
            if self.headers["Content-Range"].endswith("/*"):
                self.answer(308, Range=f"bytes=0-{len(upload['data']) - 1}")
                return
            self.answer(200, google.store(upload["bucket"], upload["name"], bytes(upload["data"])))
        elif bucket not in google.buckets:
            self.fail(404, "The specified bucket does not exist.")
        elif self.query["uploadType"] == "resumable":
            name = json.loads(data)["name"]
            number = secrets.token_hex(8)
            google.uploads[number] = {"bucket": bucket, "name": name, "data": bytearray()}
            self.answer(200, Location=f"http://127.0.0.1:{google.port}/upload/storage/v1/b/{bucket}/o?upload_id={number}")
        else:
            boundary = self.headers["Content-Type"].split("boundary=")[1].strip('"').encode()
            parts = data.split(b"--" + boundary)
            name = json.loads(parts[1].split(b"\r\n\r\n", 1)[1])["name"]
            content = parts[2].split(b"\r\n\r\n", 1)[1][:-2]
            self.answer(200, google.store(bucket, name, content))

    def list(self, objects):
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter")
        items, prefixes = [], set()
        for name, (resource, _) in sorted(objects.items()):
            rest = name[len(prefix):]
            if not name.startswith(prefix):
                continue
            if delimiter and delimiter in rest:
                prefixes.add(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                items.append(resource)
        self.answer(200, {"kind": "storage#objects", "items": items, "prefixes": sorted(prefixes)})

    def object(self, google, bucket, name):
        if name not in google.buckets[bucket]:
            self.fail(404, "No such object: " + name)
            return
        resource, content = google.buckets[bucket][name]
        if self.command == "DELETE":
            del google.buckets[bucket][name]
            self.answer(204)
        elif self.query.get("alt") != "media":
            self.answer(200, resource)
        elif "Range" in self.headers:
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            piece = content[int(first):int(last) + 1 if last else None]
            self.answer(206, piece, Content_Range=f"bytes {first}-{int(first) + len(piece) - 1}/{len(content)}")
        else:
            self.answer(200, content)


class Google(StandIn):
    def __init__(self):
        super().__init__(GoogleHandler)
        self.buckets, self.uploads, self.token = {}, {}, secrets.token_hex(16)
        self.lock = threading.Lock()
        key = subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True).stdout
        self.public = WORK / "google.pub"
        self.public.write_bytes(subprocess.run(["openssl", "rsa", "-pubout"], input=key, check=True,
                                               capture_output=True).stdout)
        self.key = key.decode()

    def verify(self, assertion):
        head, claims, signature = assertion.split(".")
        decode = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))  # noqa: E731
        (WORK / "google.sig").write_bytes(decode(signature))
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", self.public, "-signature", WORK / "google.sig"],
                              input=f"{head}.{claims}".encode(), capture_output=True)
        return done.returncode == 0 and json.loads(decode(claims))["iss"] == "keeper@example.com"

    def store(self, bucket, name, content):
        resource = {"kind": "storage#object", "name": name, "bucket": bucket, "size": str(len(content)),
                    "updated": "2026-12-01T10:00:00.000Z", "timeCreated": "2026-12-01T10:00:00.000Z",
                    "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),
                    "mediaLink": f"http://127.0.0.1:{self.port}/download/storage/v1/b/{bucket}/o/"
                                 f"{urllib.parse.quote(name, safe='')}?alt=media"}
        self.buckets[bucket][name] = (resource, content)
        return resource

    def place(self, bucket, **more):
        credentials = {"type": "service_account", "project_id": "p1", "private_key_id": "1", "private_key": self.key,
                       "client_email": "keeper@example.com", "client_id": "1",
                       "token_uri": f"http://127.0.0.1:{self.port}/token"}
        return {"cloudId": 9, "endpoint": f"http://127.0.0.1:{self.port}/storage/v1/", "bucket": bucket,
                "credentials": credentials, **more}


# --- between client and server -----------------------------------------------------------------------

class Proxy:
    """Passes connections on to a port. Cuts each of the next `cuts` connections with a reset after
    `after` bytes in one direction; passes no more than `rate` bytes per second; or passes nothing."""

    def __init__(self, target, after=None, cuts=0, rate=None, silent=False):
        self.target, self.after, self.cuts, self.rate, self.silent = target, after, cuts, rate, silent
        self.cut = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if self.silent:
                    threading.Thread(target=self._swallow, args=(client,), daemon=True).start()
                    continue
                server = socket.create_connection(("127.0.0.1", self.target))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    @staticmethod
    def _swallow(client):
        with contextlib.suppress(OSError), client:
            while client.recv(65536):
                pass

    def _must_cut(self, passed):
        with self.lock:
            if self.after is None or passed < self.after or self.cut >= self.cuts:
                return False
            self.cut += 1
            return True

    def _pass(self, source, sink):
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                sink.sendall(data)
                passed += len(data)
                if self.rate:
                    time.sleep(len(data) / self.rate)
                if self._must_cut(passed):
                    for end in (source, sink):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        end.shutdown(socket.SHUT_RD)
                        end.close()
                    return
            sink.shutdown(socket.SHUT_WR)
