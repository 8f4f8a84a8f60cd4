# SPDX-License-Identifier: Apache-2.0
"""RFC 6455 as a client: what a server may send is taken, what it must not send ends the connection
with the right close code, and the agent comes back. The server is a plain socket, and knows no
WebSocket but what is written here; it also checks each frame of the agent. The cases are those of
the usual conformance suites, in their order.

`whole` sends the bytes of a case at once, `bytes` one by one. Cases that do not break the
connection share one, and some agents take turns, since each waits a while before it comes back."""

import base64
import collections
import contextlib
import functools
import hashlib
import itertools
import json
import os
import shutil
import socket
import struct

import pytest

import harness

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MESSAGE_MAX = 8 << 20  # MESSAGE_SIZE_MAX
FRAGMENTS_MAX = 65536
HEAD_MAX = 65536
DEPTH_MAX = 32
SERVERS = 6
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

serial = itertools.count()


# What a server sends


def frame(payload=b"", opcode=TEXT, fin=True, rsv=0, mask=False, form=None, size=None):
    """`form`: 0, 2 or 8 bytes of extended length, by default the fewest."""
    size = len(payload) if size is None else size
    if form is None:
        form = 0 if size < 126 else 2 if size < 65536 else 8
    first = struct.pack(">B", fin << 7 | rsv << 4 | opcode)
    length = {0: size, 2: 126, 8: 127}[form] | mask << 7
    extended = size.to_bytes(form, "big") if form else b""
    # the mask is all zeros: legal, and the payload stays as it is
    return first + struct.pack(">B", length) + extended + b"\0" * (4 * mask) + payload


def fragments(*parts, opcode=TEXT):
    return b"".join(frame(part, CONTINUATION if i else opcode, i == len(parts) - 1)
                    for i, part in enumerate(parts))


def ping(payload=b"", **options):
    return frame(payload, PING, **options)


def close(code=None, reason=b""):
    return frame(b"" if code is None else struct.pack(">H", code) + reason, CLOSE)


def question(guid, size=0, **more):
    """A message that is answered by a NACK that names the GUID: every byte has to arrive."""
    head, rest = '{"type":"STATUS"', json.dumps({"request_id": guid, **more},
                                                ensure_ascii=False)[1:]
    data = rest.encode()
    return head.encode() + b"," + b" " * (size - len(head) - 1 - len(data)) + data


def nested(levels):
    return question("deep", x=functools.reduce(lambda inner, _: [inner], range(levels - 2), []))


# What it expects

Case = collections.namedtuple("Case", "name data pongs nacks code payload")


def good(name, data, pongs=(), nacks=()):
    """Pongs with exactly these payloads, NACKs with these texts, and the connection goes on."""
    return Case(name, data, list(pongs), list(nacks), None, None)


def bad(name, data, code, pongs=(), nacks=()):
    """The connection ends with that code, after these answers."""
    return Case(name, data, list(pongs), list(nacks), code, None)


def closing(name, data, payload):
    """A proper close is answered by one with the same payload."""
    return Case(name, data, [], [], None, payload)


def cases(*table, chunks=("whole", "bytes")):
    return pytest.mark.parametrize(
        "case, chunk", [pytest.param(case, chunk, id=f"{case.name}-{chunk}")
                        for case in table for chunk in chunks])


class Connection:
    """One connection of the agent; every frame of it is checked."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""
        self.masks = []
        self.key = None
        self.closed = False

    def read(self):
        try:
            more = self.sock.recv(1 << 20)
        except ConnectionResetError:
            more = b""
        if not more:
            raise EOFError
        self.data += more

    def take(self, n):
        while len(self.data) < n:
            self.read()
        head, self.data = self.data[:n], self.data[n:]
        return head

    def head(self):
        """The agent's request, as a list of lines."""
        while b"\r\n\r\n" not in self.data:
            self.read()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        lines = head.decode("ascii").split("\r\n")
        assert lines[0].startswith("GET / HTTP/1.1")
        fields = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
        assert len(fields) == len(lines) - 1, "a field twice"
        assert fields["upgrade"].lower() == "websocket"
        assert fields["connection"].lower() == "upgrade"
        assert fields["sec-websocket-version"] == "13"
        assert "sec-websocket-extensions" not in fields
        self.key = fields["sec-websocket-key"]
        assert len(base64.b64decode(self.key, validate=True)) == 16

    def accept_line(self):
        digest = hashlib.sha1(self.key.encode() + MAGIC).digest()
        return b"Sec-WebSocket-Accept: " + base64.b64encode(digest)

    def answer_head(self, *lines, status=b"HTTP/1.1 101 Switching Protocols", chunk="whole"):
        lines = lines or (b"Upgrade: websocket", b"Connection: Upgrade", self.accept_line(),
                          b"Sec-WebSocket-Protocol: dcm")
        self.send(b"\r\n".join([status, *lines]) + b"\r\n\r\n", chunk)

    def introduce(self):
        opcode, offer = self.receive()
        assert opcode == TEXT and json.loads(offer)["protocol_version"] == 104
        self.send(frame(json.dumps(harness.HANDSHAKE).encode()))

    def send(self, data, chunk="whole"):
        """The agent may end the connection in the middle of it."""
        try:
            if chunk == "whole":
                self.sock.sendall(data)
            else:
                for i in range(len(data)):
                    self.sock.sendall(data[i:i + 1])
        except (BrokenPipeError, ConnectionResetError):
            pass

    def receive(self):
        """Opcode and payload of a frame, which keeps the rules of RFC 6455, section 5."""
        first, second = self.take(2)
        assert not self.closed, "a frame after the close frame"
        opcode, size = first & 0xf, second & 0x7f
        assert first & 0x80, "the agent does not send fragments"
        assert not first & 0x70, "reserved bits"
        assert opcode in (TEXT, CLOSE, PING, PONG)
        assert second & 0x80, "a client has to mask"
        assert opcode < CLOSE or size < 126, "a long control frame"
        if size >= 126:
            least = 126 if size == 126 else 65536
            size = int.from_bytes(self.take(2 if size == 126 else 8), "big")
            assert size >= least, "a length that is not in its shortest form"
        mask = self.take(4)
        assert not self.masks or self.masks[-1] != mask, "the same mask again"
        self.masks.append(mask)
        data = self.take(size)
        key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        data = (int.from_bytes(data, "big") ^ key).to_bytes(size, "big")
        if opcode == TEXT:
            data.decode()
        self.closed = opcode == CLOSE
        return opcode, data

    def collect(self, until):
        """Pongs, messages up to the wanted one, and the payload of a close frame, which ends it."""
        pongs, messages = [], []
        while True:
            opcode, data = self.receive()
            if opcode == CLOSE:
                return pongs, messages, data
            if opcode == PONG:
                pongs.append(data)
            elif opcode == TEXT:
                message = json.loads(data)
                if message["type"] != "LOG":
                    messages.append(message)
                if until and message["type"] == "REPLY" and message["request_id"] == until:
                    return pongs, messages, None

    def expect_end(self):
        with pytest.raises(EOFError):
            self.receive()
        self.sock.close()


class Server:
    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(1)
        self.directory = harness.temporary_directory()
        self.bus = harness.Bus(self.directory)
        self.agent = harness.Agent(self.bus, self.directory)
        self.agent.configure(f"ws://127.0.0.1:{self.socket.getsockname()[1]}/",
                             connection={"backoff": "20", "max_backoff": "40",
                                         "heartbeat_frequency": "3600"},
                             messaging={"retransmission_timeout": "3600"})
        self.agent.start()
        self.connection = None
        self.keys = set()
        self.last = "its start"

    def accept(self):
        """A connection, up to the agent's request."""
        for _ in range(int(harness.DEADLINE)):
            assert self.agent.process.poll() is None, self.agent.log.read_text()
            self.agent.notifications()  # a full socket would hold the agent up
            try:
                sock = self.socket.accept()[0]
                break
            except TimeoutError:
                continue
        else:
            raise AssertionError(f"the agent does not come back after {self.last}")
        sock.settimeout(harness.DEADLINE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock)
        connection.head()
        assert connection.key not in self.keys, "the same nonce again"
        self.keys.add(connection.key)
        return connection

    def open(self):
        for _ in range(10):
            if not self.connection:
                connection = self.accept()
                with contextlib.suppress(EOFError):  # the agent has waited too long for its turn
                    connection.answer_head()
                    connection.introduce()
                    self.connection = connection
        assert self.connection, f"no connection stays open after {self.last}"
        return self.connection

    def ended(self, what):
        """The agent has to close it, and to be back when it is this server's turn again."""
        self.connection.expect_end()
        self.connection, self.last = None, what

    def drop(self):
        if self.connection:
            self.connection.sock.close()
        self.connection = None

    def heartbeat(self):
        """Pongs and messages that come before the answer to a request that is sent now."""
        connection, guid = self.open(), f"heartbeat-{next(serial)}"
        connection.send(frame(json.dumps(
            {"type": "REQUEST", "request_id": guid, "message_id": "m",
             "payload": {"command": "heartbeat", "arguments": {}}}).encode()))
        pongs, messages, end = connection.collect(guid)
        assert end is None, f"closed with {end}"
        connection.send(frame(json.dumps({"type": "ACK", "request_id": guid}).encode()))
        assert [m["type"] for m in messages if m.get("request_id") == guid] == ["ACK", "REPLY"]
        return pongs, [m for m in messages if m.get("request_id") != guid]

    def check(self, case, chunk="whole"):
        if not self.connection:
            self.heartbeat()
        connection = self.connection
        try:
            connection.send(case.data, chunk)
            if case.code is None and case.payload is None:
                pongs, messages = self.heartbeat()
            else:
                pongs, messages, end = connection.collect(None)
                if case.payload is not None:
                    assert end == case.payload
                else:
                    assert struct.unpack(">H", end[:2]) == (case.code,), end
                self.ended(case.name)
            assert pongs == case.pongs
            assert [m["type"] for m in messages] == ["NACK"] * len(case.nacks)
            for message, text in zip(messages, case.nacks):
                assert text in message["error_message"]
        except BaseException:
            self.drop()
            raise

    def stop(self):
        self.drop()
        self.socket.close()
        try:
            self.agent.stop()
        finally:
            if self.agent.process:
                self.agent.kill()
            self.agent.close()
            self.bus.stop()
            shutil.rmtree(self.directory)


@pytest.fixture(scope="module")
def servers():
    with contextlib.ExitStack() as stack:
        servers = []
        for _ in range(SERVERS):
            servers.append(Server())
            stack.callback(servers[-1].stop)
        yield itertools.cycle(servers)
        for server in servers:
            server.heartbeat()


@pytest.fixture
def server(servers):
    return next(servers)


def unknown(guid):
    return f"{guid} is an unknown ID"


# 1: framing and lengths

LENGTHS = [good(f"text-{n}", frame(question(f"g{n}", n)), nacks=[unknown(f"g{n}")])
           for n in (124, 125, 126, 127, 128, 65535, 65536)]
LENGTHS.append(good("text-0", frame(), nacks=["JSON"]))
LENGTHS += [good(f"binary-{n}", frame(b"\xff" * n, BINARY), nacks=["binary"])
            for n in (0, 125, 126, 127, 128, 65535, 65536)]


@cases(*LENGTHS)
def test_1_length(server, case, chunk):
    server.check(case, chunk)


@cases(*(bad(f"{size}-in-{form}-bytes", frame(b"a" * size, form=form, opcode=opcode), 1002)
         for opcode in (TEXT, BINARY)
         for size, form in ((0, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65535, 8))),
       bad("top-bit", frame(b"a" * 126, size=1 << 63, form=8), 1002),
       bad("all-bits", frame(b"a" * 126, size=(1 << 64) - 1, form=8), 1002))
def test_1_length_that_breaks_the_rules(server, case, chunk):
    server.check(case, chunk)


# 2: pings and pongs

@cases(*(good(f"ping-{n}", ping(bytes(range(n))), [bytes(range(n))]) for n in (0, 1, 2, 124, 125)),
       good("ping-not-text", ping(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"),
            [b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"]),
       good("ten-pings", b"".join(ping(b"%d" % i) for i in range(10)),
            [b"%d" % i for i in range(10)]),
       good("pong-unasked", frame(b"", PONG)),
       good("pong-unasked-with-payload", frame(b"unasked", PONG)),
       good("pong-then-ping", frame(b"unasked", PONG) + ping(b"asked"), [b"asked"]),
       bad("ping-126", ping(b"p" * 126), 1002),
       bad("ping-126-of-8-bytes", ping(b"p" * 126, form=8), 1002),
       bad("ping-125-of-2-bytes", ping(b"p" * 125, form=2), 1002),
       bad("pong-126", frame(b"p" * 126, PONG), 1002),
       bad("ping-then-ping-126", ping(b"one") + ping(b"p" * 126), 1002, [b"one"]))
def test_2_ping(server, case, chunk):
    server.check(case, chunk)


def test_2_every_length_of_a_ping(server):
    payloads = [os.urandom(n) for n in range(126)]
    server.check(good("all", b"".join(map(ping, payloads)), payloads))


def test_2_thousand_pings_at_once(server):
    payloads = [b"%d" % n for n in range(1000)]
    server.check(good("thousand", b"".join(map(ping, payloads)), payloads))


# 3: reserved bits

@cases(*(bad(f"rsv-{rsv}-{name}", frame(payload, opcode, rsv=rsv), 1002)
         for rsv in range(1, 8)
         for name, opcode, payload in (("text", TEXT, b"{}"), ("binary", BINARY, b"x"),
                                       ("ping", PING, b""), ("pong", PONG, b"p"),
                                       ("close", CLOSE, b"\x03\xe8"))),
       *(bad(f"rsv-{rsv}-continuation",
             frame(b"{", fin=False) + frame(b"}", CONTINUATION, rsv=rsv), 1002)
         for rsv in (1, 2, 4)),
       bad("rsv-after-good-ones", frame() + ping(b"p") + frame(b"{}", rsv=4), 1002, [b"p"],
           ["JSON"]),
       chunks=("whole",))
def test_3_reserved_bits(server, case, chunk):
    server.check(case, chunk)


# 4: reserved opcodes

@cases(*(bad(f"opcode-{opcode}-{len(payload)}", frame(payload, opcode), 1002)
         for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15) for payload in (b"", b"x")),
       *(bad(f"opcode-{opcode}-between-fragments",
             frame(b"{", fin=False) + frame(b"", opcode) + frame(b"}", CONTINUATION), 1002)
         for opcode in (3, 7, 11, 15)))
def test_4_reserved_opcodes(server, case, chunk):
    server.check(case, chunk)


# 5: fragmentation

PARTS = [question("fragments")[i:i + 5] for i in range(0, 60, 5)]
FRAGMENTS_ANSWER = [unknown("fragments")]
BETWEEN = [frame(part, CONTINUATION if i else TEXT, i == len(PARTS) - 1)
           for i, part in enumerate(PARTS)]


@cases(good("two", fragments(question("two")[:20], question("two")[20:]), nacks=[unknown("two")]),
       good("many", fragments(*PARTS), nacks=FRAGMENTS_ANSWER),
       good("of-one-byte", fragments(*(bytes([b]) for b in question("single"))),
            nacks=[unknown("single")]),
       good("empty-first", fragments(b"", question("e1")), nacks=[unknown("e1")]),
       good("empty-last", fragments(question("e2"), b""), nacks=[unknown("e2")]),
       good("empty-between", fragments(b"", *PARTS[:3], b"", b"", *PARTS[3:], b""),
            nacks=FRAGMENTS_ANSWER),
       good("all-empty", fragments(b"", b"", b""), nacks=["JSON"]),
       good("binary", fragments(b"\xff", b"", b"\xfe", opcode=BINARY), nacks=["binary"]),
       good("large", fragments(question("large", 70000)[:66000], question("large", 70000)[66000:]),
            nacks=[unknown("large")]),
       good("two-messages", fragments(*PARTS) + fragments(question("second"), b""),
            nacks=FRAGMENTS_ANSWER + [unknown("second")]),
       good("ping-between-two", ping(b"between").join(BETWEEN[:1] + [b"".join(BETWEEN[1:])]),
            [b"between"], FRAGMENTS_ANSWER),
       good("ping-between-all", ping(b"between").join(BETWEEN), [b"between"] * (len(BETWEEN) - 1),
            FRAGMENTS_ANSWER),
       good("long-ping-between", ping(b"p" * 125).join(BETWEEN), [b"p" * 125] * (len(BETWEEN) - 1),
            FRAGMENTS_ANSWER),
       good("pong-between", frame(b"p", PONG).join(BETWEEN), nacks=FRAGMENTS_ANSWER),
       bad("ping-in-fragments", frame(b"p", PING, fin=False) + frame(b"q", CONTINUATION), 1002),
       bad("pong-in-fragments", frame(b"p", PONG, fin=False) + frame(b"q", CONTINUATION), 1002),
       bad("close-in-fragments", frame(b"\3", CLOSE, fin=False) + frame(b"\xe8", CONTINUATION),
           1002),
       bad("ping-in-fragments-between",
           BETWEEN[0] + frame(b"p", PING, fin=False) + b"".join(BETWEEN[1:]), 1002),
       bad("continuation-first", frame(b"{}", CONTINUATION), 1002),
       bad("continuation-first-not-final", frame(b"{", CONTINUATION, fin=False), 1002),
       bad("continuation-empty", frame(b"", CONTINUATION), 1002),
       bad("continuation-after-message", frame(b"") + frame(b"{}", CONTINUATION), 1002,
           nacks=["JSON"]),
       bad("continuation-after-fragments", fragments(*PARTS) + frame(b"{}", CONTINUATION), 1002,
           nacks=FRAGMENTS_ANSWER),
       bad("text-inside", BETWEEN[0] + frame(b"{}"), 1002),
       bad("text-inside-not-final", BETWEEN[0] + frame(b"{", fin=False), 1002),
       bad("binary-inside", BETWEEN[0] + frame(b"b", BINARY), 1002),
       bad("text-inside-after-ping", BETWEEN[0] + ping(b"p") + frame(b"{}"), 1002, [b"p"]),
       bad("text-inside-empty", frame(b"", fin=False) + frame(b""), 1002))
def test_5_fragmentation(server, case, chunk):
    server.check(case, chunk)


def test_5_close_between_fragments(server):
    """It is answered, and the rest of the message is not waited for."""
    server.check(closing("close", BETWEEN[0] + close(1000) + b"".join(BETWEEN[1:]), b"\x03\xe8"))


# 6: UTF-8. RFC 6455, section 8.1: a text frame that is not UTF-8 fails the connection, with 1007
# (section 7.4.1); it is no message yet, so that a NACK cannot be its answer.

VALID = {
    "greek": "κόσμε",
    "sizes": "~\u00a0\u07ff\u0800\ufffd\U00010000",
    "largest-of-three-bytes": "\uffff",
    "around-surrogates": "\ud7ff\ue000\ufffd",
    "noncharacters": "\ufdd0\ufffe\U0001ffff",
    "last": "\U0010ffff",
    "mixed": "a\u00e4\u20ac\U0001f600z",
}
INVALID = {
    "continuation": b"\x80",
    "continuation-last": b"\xbf",
    "two-continuations": b"\x80\xbf",
    "lonely-start-2": b"\xc3 ",
    "lonely-start-3": b"\xe2 ",
    "lonely-start-4": b"\xf0 ",
    "cut-off-2": b"\xc3",
    "cut-off-3": b"\xe2\x82",
    "cut-off-4": b"\xf0\x9f\x98",
    "short-3": b"\xe2\x82 ",
    "short-4": b"\xf0\x9f\x98 ",
    "fe": b"\xfe",
    "ff": b"\xff",
    "overlong-2": b"\xc0\xaf",
    "overlong-2-last": b"\xc1\xbf",
    "overlong-3": b"\xe0\x80\xaf",
    "overlong-3-last": b"\xe0\x9f\xbf",
    "overlong-4": b"\xf0\x80\x80\xaf",
    "overlong-4-last": b"\xf0\x8f\xbf\xbf",
    "overlong-nul": b"\xc0\x80",
    "surrogate-first": b"\xed\xa0\x80",
    "surrogate-last": b"\xed\xbf\xbf",
    "surrogate-pair": b"\xed\xa0\x80\xed\xb0\x80",
    "above-10ffff": b"\xf4\x90\x80\x80",
    "five-bytes": b"\xf8\x88\x80\x80\x80",
    "six-bytes": b"\xfc\x84\x80\x80\x80\x80",
}


def answer_to(text):
    """A noncharacter is valid UTF-8, so the message is read; but no request has such an id."""
    is_id = not any(ord(c) & 0xfffe == 0xfffe or 0xfdd0 <= ord(c) <= 0xfdef for c in text)
    return unknown(text) if is_id else "The message has no valid request_id"


@cases(*(good(name, frame(question(text)), nacks=[answer_to(text)]) for name, text in VALID.items()),
       *(good(f"{name}-in-fragments-of-a-byte",
              fragments(*(bytes([b]) for b in question(f"cut-{text}"))),
              nacks=[answer_to(f"cut-{text}")])
         for name, text in VALID.items()),
       good("cut-by-a-ping", ping(b"\xff").join(
           (frame(b'{"type":"STATUS","request_id":"\xe2\x82', fin=False),
            frame(b'\xac"}', CONTINUATION))), [b"\xff"], [unknown("€")]),
       good("nul", frame(b"\0"), nacks=["JSON"]))
def test_6_utf8(server, case, chunk):
    server.check(case, chunk)


@cases(*(bad(name, frame(b"text " + data), 1007) for name, data in INVALID.items()),
       *(bad(f"{name}-in-last-fragment", fragments(b"", b"text ", data), 1007)
         for name, data in INVALID.items()),
       # before the end of the message
       *(bad(f"{name}-in-first-fragment", frame(data, fin=False), 1007)
         for name, data in INVALID.items() if not name.startswith("cut-off")),
       bad("cut-in-fragments-wrong", fragments(b"\xe2", b"\x82", b"("), 1007),
       bad("cut-off-in-fragments", fragments(b"\xe2", b"\x82", b""), 1007),
       bad("in-a-frame-without-its-end", frame(b"ab\xff", size=100), 1007),
       bad("second-message", frame(b"") + frame(b"\xff"), 1007, nacks=["JSON"]))
def test_6_not_utf8(server, case, chunk):
    server.check(case, chunk)


# 7: the close handshake

CLOSES = {
    "empty": b"",
    "code": struct.pack(">H", 1000),
    "reason": struct.pack(">H", 1000) + b"good bye",
    "reason-not-ascii": struct.pack(">H", 1001) + "gö€\U0001f600d".encode(),
    "longest-reason": struct.pack(">H", 1000) + b"r" * 123,
    **{str(code): struct.pack(">H", code)
       for code in (1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999)},
}


@cases(*(closing(name, frame(payload, CLOSE), payload) for name, payload in CLOSES.items()),
       closing("then-text", close(1000) + frame(question("late")), b"\x03\xe8"),
       closing("then-ping", close(1000) + ping(b"late"), b"\x03\xe8"),
       closing("then-close", close(1000) + close(1001), b"\x03\xe8"),
       closing("then-nonsense", close(1000) + b"\xff" * 20, b"\x03\xe8"))
def test_7_close(server, case, chunk):
    server.check(case, chunk)


@cases(bad("one-byte", frame(b"\x03", CLOSE), 1002),
       bad("126-bytes", close(1000, b"r" * 124), 1002),
       bad("reason-not-utf8", close(1000, b"bye\xff"), 1007),
       bad("reason-overlong", close(1000, b"\xc0\xaf"), 1007),
       bad("reason-surrogate", close(1000, b"\xed\xa0\x80"), 1007),
       bad("reason-cut-off", close(1000, b"bye\xe2\x82"), 1007),
       *(bad(f"code-{code}", close(code), 1002)
         for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999,
                      5000, 65535)))
def test_7_close_that_breaks_the_rules(server, case, chunk):
    server.check(case, chunk)


def test_7_answers_come_before_the_close(server):
    server.check(bad("ping-first", ping(b"first") + frame() + frame(b"\x03", CLOSE), 1002,
                     [b"first"], ["JSON"]))


def test_7_close_while_answers_wait(server):
    """The server does not read, closes, and then reads: the close frame comes all the same. The questions
    are no more than sockets hold, as the agent may stop to read them; their answers are."""
    server.heartbeat()
    for _ in range(1500):
        server.connection.send(frame(question("x" * 1000)))
    server.connection.send(close(1000))
    _, messages, end = server.connection.collect(None)
    assert end == b"\x03\xe8"
    assert messages and all(m["type"] == "NACK" for m in messages)
    server.ended("answers that waited")


def test_7_end_without_a_close(server):
    """A server that just goes: the agent comes back."""
    server.heartbeat()
    server.drop()
    server.heartbeat()


def test_7_agent_says_good_bye(server):
    server.heartbeat()
    server.agent.notifications()
    server.agent.process.terminate()
    assert server.connection.collect(None)[2] == struct.pack(">H", 1001)
    server.ended("SIGTERM")
    assert server.agent.process.wait(harness.DEADLINE) == 0
    server.agent.start()


# Section 5.1: a server must not mask

@cases(bad("text", frame(question("masked"), mask=True), 1002),
       bad("text-empty", frame(b"", mask=True), 1002),
       bad("text-of-126", frame(question("masked", 126), mask=True), 1002),
       bad("binary", frame(b"b", BINARY, mask=True), 1002),
       bad("ping", ping(b"p", mask=True), 1002),
       bad("pong", frame(b"p", PONG, mask=True), 1002),
       bad("close", frame(b"\x03\xe8", CLOSE, mask=True), 1002),
       bad("continuation", BETWEEN[0] + frame(b"c", CONTINUATION, mask=True), 1002))
def test_8_masked(server, case, chunk):
    server.check(case, chunk)


# 9: limits

@cases(good("largest", frame(question("largest", MESSAGE_MAX)), nacks=[unknown("largest")]),
       good("largest-not-json", frame(b"x" * MESSAGE_MAX), nacks=["JSON"]),
       good("largest-binary", frame(b"x" * MESSAGE_MAX, BINARY), nacks=["binary"]),
       good("largest-in-fragments",
            fragments(*[b" " * (MESSAGE_MAX // 8)] * 7, question("pieces", MESSAGE_MAX // 8)),
            nacks=[unknown("pieces")]),
       bad("too-large", frame(b"x" * (MESSAGE_MAX + 1)), 1009),
       bad("too-large-binary", frame(b"x" * (MESSAGE_MAX + 1), BINARY), 1009),
       bad("too-large-by-its-header", frame(b"x", size=MESSAGE_MAX + 1), 1009),
       bad("largest-length-there-is", frame(b"x", size=(1 << 63) - 1), 1009),
       bad("too-large-in-fragments",
           fragments(*[b" " * (MESSAGE_MAX // 8)] * 8, b"x"), 1009),
       bad("too-large-with-largest-length",
           frame(b"x", fin=False) + frame(b"x", CONTINUATION, size=(1 << 63) - 1), 1009),
       good("most-fragments", fragments(*[b""] * (FRAGMENTS_MAX - 1), question("most")),
            nacks=[unknown("most")]),
       # section 7.4.1: 1009 is for a message that is too big to process, however it is big
       bad("too-many-fragments", fragments(*[b""] * (FRAGMENTS_MAX + 1)), 1009),
       bad("endless-fragments",
           frame(b"", fin=False) + frame(b"x", CONTINUATION, fin=False) * (2 * FRAGMENTS_MAX),
           1009),
       good("deepest-json", frame(nested(DEPTH_MAX)), nacks=[unknown("deep")]),
       good("json-too-deep", frame(nested(DEPTH_MAX + 1)), nacks=["deep"]),
       good("json-much-too-deep", frame(b"[" * 100000), nacks=["deep"]),
       chunks=("whole",))
def test_9_limits(server, case, chunk):
    server.check(case, chunk)


def test_9_flood_of_pings(server):
    """More than the answers that may wait, in one segment: 1008, policy."""
    server.heartbeat()
    server.connection.send(ping() * 8000)
    assert server.connection.collect(None)[2] == struct.pack(">H", 1008)
    server.ended("a flood of pings")


# The upgrade: RFC 6455, section 4.1

def head_of(size, accept):
    lines = (b"Upgrade: websocket", b"Connection: Upgrade", accept)
    empty = len(b"HTTP/1.1 101 x\r\n" + b"\r\n".join([*lines, b"X: "]) + b"\r\n\r\n")
    return [*lines, b"X: " + b"x" * (size - empty)]


UPGRADE, CONNECTION = b"Upgrade: websocket", b"Connection: Upgrade"


@pytest.mark.parametrize("chunk", ["whole", "bytes"])
@pytest.mark.parametrize("lines", [
    pytest.param(lambda a: [UPGRADE, CONNECTION, a], id="least"),
    pytest.param(lambda a: [b"uPGRADE:WebSocket  ", b"cONNECTION:\tkeep-alive, uPGRADE",
                            a.replace(b"Sec-WebSocket", b"sEC-wEBsOCKET")], id="case-and-space"),
    pytest.param(lambda a: [b"X: " + b"x" * 9000, UPGRADE, CONNECTION, a], id="long"),
    pytest.param(lambda a: head_of(HEAD_MAX, a), id="longest"),
])
def test_upgrade(server, lines, chunk):
    server.drop()
    connection = server.accept()
    connection.answer_head(*lines(connection.accept_line()), status=b"HTTP/1.1 101 x", chunk=chunk)
    connection.introduce()
    server.connection = connection
    server.heartbeat()


@pytest.mark.parametrize("lines, status", [
    pytest.param(lambda a: head_of(HEAD_MAX + 1, a), b"HTTP/1.1 101 x", id="too-long"),
    pytest.param(lambda a: [b"X: " + b"x" * (1 << 20)], b"HTTP/1.1 101 x", id="endless"),
    pytest.param(lambda a: [UPGRADE, CONNECTION, a], b"HTTP/1.1 200 OK", id="status-200"),
    pytest.param(lambda a: [UPGRADE, CONNECTION, a], b"HTTP/1.1 404 x", id="status-404"),
    pytest.param(lambda a: [UPGRADE, CONNECTION, a], b"SSH-2.0-x", id="not-http"),
    pytest.param(lambda a: [CONNECTION, a], b"HTTP/1.1 101 x", id="no-upgrade"),
    pytest.param(lambda a: [b"Upgrade: h2c", CONNECTION, a], b"HTTP/1.1 101 x",
                 id="another-upgrade"),
    pytest.param(lambda a: [UPGRADE, a], b"HTTP/1.1 101 x", id="no-connection"),
    pytest.param(lambda a: [UPGRADE, CONNECTION], b"HTTP/1.1 101 x", id="no-accept"),
    pytest.param(lambda a: [UPGRADE, CONNECTION, a + b"="], b"HTTP/1.1 101 x", id="wrong-accept"),
    pytest.param(lambda a: [UPGRADE, CONNECTION, a.swapcase()], b"HTTP/1.1 101 x",
                 id="accept-in-another-case"),
    pytest.param(lambda a: [UPGRADE, CONNECTION, a,
                            b"Sec-WebSocket-Extensions: permessage-deflate"],
                 b"HTTP/1.1 101 x", id="extension"),
    pytest.param(lambda a: [UPGRADE, CONNECTION, a, b"Sec-WebSocket-Protocol: other"],
                 b"HTTP/1.1 101 x", id="subprotocol"),
])
def test_upgrade_refused(server, lines, status):
    """No frame is sent, and the agent tries again."""
    server.drop()
    connection = server.accept()
    connection.answer_head(*lines(connection.accept_line()), status=status)
    server.connection = connection
    server.ended("a bad head")
