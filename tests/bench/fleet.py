#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a fleet costs its manager: agents played by bench-fleet, which an operator has used before.

usage: fleet.py BUILD DIRECTORY AGENTS HISTORY IDLE_SEC

HISTORY: requests that have ended before. DIRECTORY must be on a real disk. Prints figures: the processor
time of the manager is what to compare; durations depend on what else the machine does, and it also plays
the agents. The manager has its socket from here, as from systemd."""

import hashlib
import ctypes
import json
import os
import pathlib
import resource
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time

BUILD, WORK = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve() / "fleet"
AGENTS, HISTORY, IDLE = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
DEADLINE = 600
SPREAD = max(AGENTS // 400, 1)  # of the first connections, in seconds
TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
try:  # the manager's unit has a higher limit than a login; with the right to do so, so does this
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536 + 1024, 65536 + 1024))
except (ValueError, PermissionError):
    pass
HARD_LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
libc = ctypes.CDLL(None)


def start(command, **keys):
    """A process that ends with this one, however that ends."""
    parent = os.getpid()

    def bind():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return subprocess.Popen([str(part) for part in command], preexec_fn=bind, **keys)


class Manager:
    def __init__(self, listening):
        self.listening = listening
        self.start()

    def start(self):
        os.set_inheritable(self.listening.fileno(), True)
        fd = self.listening.fileno()
        command = [BUILD / "src/dcm-manager/dcm-manager", "serve", "--enrolment", "open", "--cert", WORK / "cert.pem", "--key",
                   WORK / "key.pem", "--control", WORK / "control", "--database", WORK / "manager.db"]
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        (WORK / "notify").unlink(missing_ok=True)
        notify.bind(str(WORK / "notify"))
        with (WORK / "log").open("a") as log:
            self.process = start(
                ["sh", "-c", 'if [ $0 != 3 ]; then exec 3<&$0; fi; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"',
                 fd, *command],
                stderr=log, stdin=subprocess.DEVNULL, pass_fds=(fd,),
                env={**os.environ, "NOTIFY_SOCKET": str(WORK / "notify")})
        notify.settimeout(DEADLINE)
        while b"READY=1" not in notify.recv(4096):
            pass
        notify.close()

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss(self):
        return int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def end(self, number):
        begin = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(DEADLINE)
        return time.monotonic() - begin


class Player:
    """One process of agents; `await` is an event, nothing polls."""

    def __init__(self, port, first, count, spread):
        self.process = start([BUILD / "tests/bench/bench-fleet", str(port), str(first), str(count), str(spread)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rest = b""

    def say(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def status(self, deadline, what):
        fd = self.process.stdout.fileno()
        while b"\n" not in self.rest:
            if not select.select([fd], [], [], max(deadline - time.monotonic(), 0))[0]:
                self.say("status")
                sys.exit(f"{what} did not happen within {DEADLINE} s: {os.read(fd, 65536).decode()}")
            if not (data := os.read(fd, 65536)):
                sys.exit(f"{what} did not happen: bench-fleet has ended with {self.process.wait()}")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)


class Fleet:
    """All agents, in as many processes as the limit of descriptors demands."""

    def __init__(self, port, spread):
        n = -(-AGENTS // (HARD_LIMIT - 1000))
        bounds = [AGENTS * i // n for i in range(n + 1)]
        self.players = [Player(port, a, b - a, spread) for a, b in zip(bounds, bounds[1:])]
        self.sizes = [b - a for a, b in zip(bounds, bounds[1:])]
        self.last = [None] * n

    def say(self, text):
        for player in self.players:
            player.say(text)

    def ask(self, commands, what):
        deadline = time.monotonic() + DEADLINE
        for player, command in zip(self.players, commands):
            player.say(command)
        self.last = [player.status(deadline, what) for player in self.players]
        total = {key: sum(s[key] for s in self.last) for key in self.last[0]}
        total["acked_usec"] = max(s["acked_usec"] for s in self.last)
        total["storm_sec"] = (max(s["complete_usec"] for s in self.last) -
                              min(s["begun_usec"] for s in self.last)) / 1e6
        return total

    def status(self):
        return self.ask(["status"] * len(self.players), "a status")

    def whole(self, again):
        """All are connected; if `again`, each once more than at the last status."""
        return self.ask([f"await lost {(s['lost'] + n) if again else 0}"
                         for s, n in zip(self.last, self.sizes)] if again else
                        ["await lost 0"] * len(self.players), "all are back")

    def acked(self, orders):
        """So many more replies of each player are acknowledged than at the last status."""
        return self.ask([f"await acked {s['acked'] + n}" for s, n in zip(self.last, orders)], "the replies")

    def gone(self):
        return self.ask(["await gone"] * len(self.players), "the end of all")

    def end(self):
        for player in self.players:
            player.process.stdin.close()
            player.process.wait(DEADLINE)


def token(number):
    return f"bench-{number:040}-5eac5a49-142f-45f4-93a4-d2a9c93faebb"


def agent_id(number):
    return f"agent-b{number:06}"


def fill_database():
    """Agents that have had an order, and requests that have ended."""
    db = sqlite3.connect(WORK / "manager.db")
    now = time.time_ns() // 1000
    db.executemany("INSERT INTO agents (id, server_id, token, used, created, absent) VALUES (?, ?, ?, 1, ?, ?)",
                   ((agent_id(n), f"server-b{n}", hashlib.sha256(token(n).encode()).hexdigest(), now, now)
                    for n in range(AGENTS)))
    db.executemany("INSERT INTO requests (guid, agent, payload, payload_sha256, state, reply, created, updated)"
                   " VALUES (lower(hex(randomblob(16))), ?, '{\"command\":\"heartbeat\"}', ?, 'REPLIED',"
                   " '{\"return_code\":0}', ?, ?)",
                   ((agent_id(n % AGENTS), "0" * 64, now, now) for n in range(HISTORY)))
    db.commit()
    db.close()


def order_all(fleet, manager):
    """A request to each agent, all written at once to the control socket."""
    before, cpu, begin = fleet.status(), manager.cpu(), time.monotonic()
    control = socket.socket(socket.AF_UNIX)
    control.connect(str(WORK / "control"))
    control.setblocking(False)
    lines = b"".join(json.dumps({"method": "run", "agent": agent_id(n),
                                "payload": {"command": "heartbeat", "arguments": {}}}).encode() + b"\n"
                     for n in range(AGENTS))
    sent = answered = 0
    refused = []
    rest = b""
    poll = select.poll()
    while answered < AGENTS:
        poll.register(control, select.POLLIN | (select.POLLOUT if sent < len(lines) else 0))
        if not poll.poll(DEADLINE * 1000):
            sys.exit(f"only {answered} orders were answered within {DEADLINE} s")
        try:
            sent += control.send(lines[sent:sent + 65536])
        except BlockingIOError:
            pass
        try:
            data = control.recv(1 << 20)
        except BlockingIOError:
            continue
        if not data:
            sys.exit("the manager has closed the control socket")
        *whole, rest = (rest + data).split(b"\n")
        answered += len(whole)
        refused += [line for line in whole if b'"ok":true' not in line.replace(b" ", b"")]
    accepted = time.monotonic() - begin
    if refused:
        sys.exit(f"{len(refused)} orders were refused: {refused[0].decode()}")
    after = fleet.acked(fleet.sizes)
    answered = after["acked_usec"] / 1e6 - begin
    print(f"order to all: accepted after {accepted:.2f} s, replies acknowledged after {answered:.2f} s, processor "
          f"{(manager.cpu() - cpu) / AGENTS * 1e6:.0f} us an order, received twice "
          f"{after['repeated'] - before['repeated']}, missing "
          f"{AGENTS - (after['requests'] - before['requests'])}", flush=True)


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=127.0.0.1", "-keyout", WORK / "key.pem", "-out", WORK / "cert.pem"],
                   check=True, capture_output=True)
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    manager = Manager(listening)
    manager.end(signal.SIGTERM)  # it has made its database
    fill_database()
    manager.start()
    empty = manager.rss()
    fleet = Fleet(listening.getsockname()[1], SPREAD)
    status = fleet.whole(False)
    print(f"{AGENTS} agents, {HISTORY} ended requests; connected within {SPREAD} s: complete after "
          f"{status['storm_sec']:.1f} s, attempts that failed {status['failed']}, processor "
          f"{manager.cpu() / AGENTS * 1e6:.0f} us each", flush=True)

    time.sleep(min(IDLE, 5))
    cpu, begin = manager.cpu(), time.monotonic()
    time.sleep(IDLE)
    seconds = time.monotonic() - begin
    print(f"idle: processor {(manager.cpu() - cpu) / seconds * 100:.2f} %, memory {manager.rss() / 1e6:.0f} MB, "
          f"{(manager.rss() - empty) / AGENTS / 1024:.1f} KiB an agent", flush=True)

    for _ in range(2):
        order_all(fleet, manager)

    before = fleet.status()
    fleet.say("cut")
    cpu = manager.cpu()
    status = fleet.whole(True)
    print(f"all cut at once: all back after {status['storm_sec']:.1f} s, attempts that failed "
          f"{status['failed'] - before['failed']}, lost since {status['lost'] - before['lost'] - AGENTS}, processor "
          f"{(manager.cpu() - cpu) / AGENTS * 1e6:.0f} us each", flush=True)

    before = fleet.status()
    manager.end(signal.SIGKILL)
    manager.start()
    status = fleet.whole(True)
    print(f"manager killed: all back after {status['storm_sec']:.1f} s, attempts that failed "
          f"{status['failed'] - before['failed']}, lost since {status['lost'] - before['lost'] - AGENTS}", flush=True)

    before = fleet.status()
    fleet.say("rest")
    cpu = manager.cpu()
    taken = manager.end(signal.SIGTERM)
    status = fleet.gone()
    print(f"stop: {taken:.1f} s, told so (1001) {status['closed_1001'] - before['closed_1001']} of {AGENTS}, "
          f"status {manager.process.returncode}", flush=True)
    fleet.end()
    shutil.rmtree(WORK)


main()
