# SPDX-License-Identifier: Apache-2.0
"""Many agents that nobody knows come to a manager without TLS, a hundred at a time. Arguments: host, port, source address,
how many, the beginning of their tokens, and their enrolment token, in which {} is the number of the agent; empty: none.

Prints a JSON object when all have an answer: how many got which return code, which ids were given out, and what the first
of each reason said. A connection that ends without an answer is made again."""
import collections
import json
import os
import select
import socket
import struct
import sys

HOST, PORT, SOURCE, N, TOKEN, ENROLMENT = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5], sys.argv[6]
AT_ONCE = 100
UPGRADE = (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: dcm\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def offer(number):
    keys = {"ipv4": [SOURCE], "ipv6": [], "agent_id": None, "token": f"{TOKEN}{number}", "vm_instance": None,
            "injected_id": None, "version": "2.0.0", "protocol_version": 104, "platform": "debian", "platform_version": "12",
            "host_name": f"host-{number}", "features": {"plugins": []}}
    if ENROLMENT:
        keys["enrolment_token"] = ENROLMENT.replace("{}", str(number))
    data = json.dumps(keys).encode()
    mask = os.urandom(4)
    head = b"\x81" + (struct.pack(">BH", 0xfe, len(data)) if len(data) > 125 else bytes([0x80 | len(data)]))
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data))


def parse(data):
    """The first text message behind the head of the answer, or None."""
    _, found, rest = data.partition(b"\r\n\r\n")
    if not found or len(rest) < 4:
        return None
    size, start = (struct.unpack(">H", rest[2:4])[0], 4) if rest[1] == 126 else (rest[1], 2)
    return json.loads(rest[start:start + size]) if rest[0] == 0x81 and len(rest) >= start + size else None


poll, open_, left = select.epoll(), {}, list(range(N))
codes, ids, said = collections.Counter(), [], {}
while left or open_:
    while left and len(open_) < AT_ONCE:
        s = socket.socket()
        s.bind((SOURCE, 0))
        s.connect((HOST, PORT))
        number = left.pop()
        s.sendall(UPGRADE + offer(number))
        s.setblocking(False)
        open_[s.fileno()] = [s, number, b""]
        poll.register(s.fileno(), select.EPOLLIN)
    for fd, _ in poll.poll():
        s, number, data = open_[fd]
        try:
            piece = s.recv(65536)
        except ConnectionError:
            piece = b""
        data += piece
        answer = parse(data)
        open_[fd][2] = data
        if piece and not answer:
            continue
        del open_[fd]
        s.close()
        if not answer:
            left.append(number)
            continue
        codes[answer["return_code"]] += 1
        if answer["return_code"] == 200:
            ids.append(answer["handshake"]["agentID"])
        else:
            said.setdefault(answer["error_message"].split(" token")[0].split(": '")[0], answer["error_message"])
print(json.dumps({"codes": codes, "ids": ids, "said": said}))
