# SPDX-License-Identifier: Apache-2.0
"""A host that holds many connections to a manager and makes each anew that is dropped, from one
address. Arguments: host, port, source address, how many, and what each does:

idle      nothing at all
head      sends the beginning of an HTTP request
hello     sends the beginning of a TLS handshake
upgraded  goes on to WebSocket and is silent then
trickle   sends a byte of a head each second

Prints a line when as many have connected and said that, and at each hundredth drop. Ends with its standard
input."""
import resource
import select
import socket
import sys
import time

HOST, PORT, SOURCE, N, KIND = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]
UPGRADE = (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
HEAD = {"idle": b"", "head": b"GET / HT", "trickle": b"G", "hello": bytes.fromhex("1603010200010001fc0303"),
        "upgraded": UPGRADE}[KIND]

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
poll, sockets, drops, spoken = select.epoll(), {}, 0, 0


def make():
    s = socket.socket()
    s.setblocking(False)
    s.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    s.bind((SOURCE, 0))
    try:
        s.connect((HOST, PORT))
    except BlockingIOError:
        pass
    sockets[s.fileno()] = s
    poll.register(s.fileno(), select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLOUT)


def on_event(fd, events):
    global drops, spoken
    s = sockets[fd]
    try:
        if events & select.EPOLLOUT and not events & (select.EPOLLERR | select.EPOLLHUP):
            s.send(HEAD)
            poll.modify(fd, select.EPOLLIN | select.EPOLLRDHUP)
            spoken += 1
            if spoken == N:
                print("made", flush=True)
            return
        if not events & (select.EPOLLERR | select.EPOLLHUP) and s.recv(65536):
            return
    except OSError:
        pass
    del sockets[fd]
    s.close()
    drops += 1
    if drops % 100 == 0:
        print("drops", drops, flush=True)
    make()


for _ in range(N):
    make()
poll.register(0, select.EPOLLIN)
trickled = time.monotonic()
while True:
    events = dict(poll.poll(0.2))
    if 0 in events:
        sys.exit(0)
    for fd, what in events.items():
        on_event(fd, what)
    if KIND == "trickle" and time.monotonic() > trickled + 1:
        trickled = time.monotonic()
        for s in sockets.values():
            try:
                s.send(b"x")
            except OSError:
                pass
