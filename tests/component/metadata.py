# SPDX-License-Identifier: Apache-2.0
"""Metadata services as the clouds document them: Amazon IMDSv2 and v1, Google, DigitalOcean, OpenStack,
CloudStack, Azure."""

import http.server
import json
import threading
import urllib.parse

INSTANCE = "i-0123456789abcdef0"
LAUNCH = "launch-1"
UUID = "d8e02d56-2648-49a3-bf97-6be8f1204f38"
SCRIPT = "#!/bin/sh\necho first start\n"


class Metadata:
    """A server whose `answer(handler, method, path)` says everything; it knows what was asked."""

    def __init__(self, answer, host="127.0.0.1", port=0):
        self.asked = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                outer.asked.append(f"{self.command} {self.path}")
                answer(self, self.command, self.path)

            do_GET = do_PUT = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((host, port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://{host}:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def send(handler, status, text="", **headers):
    data = text if isinstance(text, bytes) else text.encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(data)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(data)


def files(table, **headers):
    """A path that is not in the table is a 404."""
    def answer(handler, _method, path):
        found = table.get(path)
        send(handler, 200 if found is not None else 404, found or "", **headers)
    return answer


AMAZON = {
    "/latest/meta-data/instance-id": INSTANCE,
    "/latest/meta-data/local-ipv4": "10.1.2.3",
    "/latest/meta-data/es:dmcm-launch-id": LAUNCH,
    "/latest/user-data": SCRIPT,
}


def amazon_v1(table=None):
    """Before 2019: there is no token, and PUT is not a method."""
    def answer(handler, method, path):
        if method == "PUT":
            return send(handler, 405)
        return files(AMAZON if table is None else table)(handler, method, path)
    return answer


def amazon(table=None, token="AQAEAKd=", refused=None):
    """HttpTokens=required: 401 without the token, 400 for a PUT without its time to live."""
    def answer(handler, method, path):
        if refused:
            return send(handler, refused)
        if method == "PUT" and path == "/latest/api/token":
            ttl = handler.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
            good = ttl.isdigit() and 1 <= int(ttl) <= 21600
            return send(handler, 200 if good else 400, token if good else "")
        if handler.headers.get("X-aws-ec2-metadata-token") != token:
            return send(handler, 401)
        return files(AMAZON if table is None else table)(handler, method, path)
    return answer


def google(handler, method, path):
    """403 without the header, which the answer has too."""
    if handler.headers.get("Metadata-Flavor") != "Google":
        return send(handler, 403, Metadata_Flavor="Google")
    return files({
        "/computeMetadata/v1/instance/id": "5512943879236841234",
        "/computeMetadata/v1/instance/attributes/es-dmcm-launch-id": LAUNCH,
        "/computeMetadata/v1/instance/attributes/startup-script": SCRIPT,
    }, Metadata_Flavor="Google")(handler, method, path)


digital_ocean = files({
    "/metadata/v1/id": "2756294",
    "/metadata/v1/interfaces/public/0/ipv4/address": "203.0.113.20",
    "/metadata/v1/interfaces/public/0/ipv6/address": "2001:db8::20",
    "/metadata/v1/user-data": SCRIPT,
})

openstack = files({
    "/openstack/latest/meta_data.json": json.dumps({"uuid": UUID, "name": "web", "launch_index": 0, "keys": []}),
    "/openstack/latest/user_data": SCRIPT,
    "/latest/meta-data/instance-id": "i-0000000a",  # it speaks Amazon's too
})

cloudstack = files({"/latest/instance-id": UUID + "\n", "/latest/user-data": SCRIPT})


def azure(handler, method, path):
    """400 without the header, without a version, or with one that it does not have."""
    url = urllib.parse.urlsplit(path)
    query = urllib.parse.parse_qs(url.query)
    if handler.headers.get("Metadata") != "true" or query.get("api-version") != ["2021-02-01"]:
        return send(handler, 400, '{"error":"Bad request"}')
    if query.get("format") != ["text"]:
        return send(handler, 400, '{"error":"Bad request"}')
    return files({"/metadata/instance/compute/vmId": UUID,
                  "/metadata/instance/compute/userData": "IyEvYmluL3NoCg=="})(handler, method, url.path)
