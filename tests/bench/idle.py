#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Inside a booted machine: what the idle agent costs. The manager is dcm-manager over TLS."""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

CONF = pathlib.Path("/etc/dcm-agent/agent.conf.d/bench.conf")
BRIEF = "DCM_BENCH_BRIEF" in os.environ  # does it run at all?
RUNS = 1 if BRIEF else 21


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL).stdout.strip()


def show(unit, name):
    return run("systemctl", "show", "-P", name, unit)


def status():
    done = subprocess.run(["dcm-agentctl", "status", "--json"], capture_output=True, text=True)
    return json.loads(done.stdout) if done.stdout else {"State": "absent"}


def make_certificates(work):
    ca, ca_key = work / "ca.pem", work / "ca.key"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "2", "-subj", "/CN=Bench CA", "-keyout", ca_key, "-out", ca)
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
        "/CN=localhost", "-keyout", work / "key.pem", "-out", work / "csr")
    (work / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    run("openssl", "x509", "-req", "-in", work / "csr", "-CA", ca, "-CAkey", ca_key, "-days", "2",
        "-extfile", work / "ext", "-out", work / "cert.pem")
    manager = pathlib.Path("/etc/dcm-manager")
    manager.mkdir(exist_ok=True)
    (manager / "cert.pem").write_bytes((work / "cert.pem").read_bytes())
    (manager / "dcm-manager.conf.d").mkdir(exist_ok=True)
    (manager / "dcm-manager.conf.d/bench.conf").write_text("[enrolment]\nmode = open\n")
    (manager / "key.pem").write_bytes((work / "key.pem").read_bytes())
    run("chgrp", "dcm-manager", manager / "key.pem")
    (manager / "key.pem").chmod(0o640)
    return ca


def start(**connection):
    keys = {"agentmanager_url": "wss://127.0.0.1:8443/", **connection}
    CONF.write_text("[connection]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()))
    run("systemctl", "restart", "dcm-agent.service")
    deadline = time.monotonic() + 60
    while status()["State"] != "connected":
        if time.monotonic() > deadline:
            sys.exit("the agent does not connect: " + status().get("StatusText", ""))


def pss_kib():
    pid = show("dcm-agent.service", "MainPID")
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    threads = re.search(r"Threads:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]
    return {k: int(re.search(rf"^{k}:\s+(\d+)", text, re.M)[1]) for k in ("Rss", "Pss", "Pss_Anon")
            if re.search(rf"^{k}:", text, re.M)} | {"threads": int(threads)}


def microseconds_to_handshake():
    """From systemd's fork, so its own work for the unit's sandbox is in it."""
    since = status()["ConnectedSinceUSec"]
    exec_text = run("busctl", "--json=short", "get-property", "org.freedesktop.systemd1",
                    "/org/freedesktop/systemd1/unit/dcm_2dagent_2eservice",
                    "org.freedesktop.systemd1.Service", "ExecMainStartTimestamp")
    return since - json.loads(exec_text)["data"]


def direct_microseconds(ca, work):
    """From exec of the bare program, without a unit around it."""
    (work / "agent.conf").write_text(
        f"[connection]\nagentmanager_url = wss://127.0.0.1:8443/\nca_cert = {ca}\n")
    state = work / "state"
    state.mkdir(exist_ok=True)
    work.chmod(0o755)
    run("chown", "dcm-agent", state)
    begin = time.time()
    process = subprocess.Popen(
        ["setpriv", "--reuid=dcm-agent", "--regid=dcm-agent", "--clear-groups", "--",
         "/usr/lib/dcm-agent/dcm-agentd", f"--config={work}/agent.conf",
         f"--config-directory={work}/none", f"--state-directory={state}"],
        stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while (s := status())["State"] != "connected":
        if time.monotonic() > deadline:
            process.kill()
            sys.exit("the bare agent does not connect")
    process.terminate()
    process.wait()
    return s["ConnectedSinceUSec"] - begin * 1e6


def context_switches():
    pid = show("dcm-agent.service", "MainPID")
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M)[1])


def report(name, values):
    print(f"  {name:<44} median {statistics.median(values) / 1000:.1f} ms, "
          f"least {min(values) / 1000:.1f}, most {max(values) / 1000:.1f} ({len(values)} runs)")


def main():
    work = pathlib.Path(run("mktemp", "-d"))
    ca = make_certificates(work)
    run("systemctl", "start", "dcm-manager.socket", "dcm-manager.service")
    pathlib.Path("/etc/dcm-agent/ca.pem").write_bytes(ca.read_bytes())

    print("memory of the idle, connected agent (KiB):")
    start(ca_cert="/etc/dcm-agent/ca.pem")
    print(f"  private authority     {pss_kib()}")
    pathlib.Path("/usr/local/share/ca-certificates/bench.crt").write_bytes(ca.read_bytes())
    run("update-ca-certificates")
    start()
    print(f"  system trust store    {pss_kib()}")

    print("from exec to handshake, loopback:")
    starts = []
    for _ in range(RUNS):
        start(ca_cert="/etc/dcm-agent/ca.pem")
        starts.append(microseconds_to_handshake())
    report("private authority, from systemd's fork", starts)
    starts = []
    for _ in range(RUNS):
        start()
        starts.append(microseconds_to_handshake())
    report("system trust store, from systemd's fork", starts)
    run("systemctl", "stop", "dcm-agent.service")
    direct = [direct_microseconds(ca, work) for _ in range(RUNS)]
    report("private authority, from exec, no unit", direct)

    start(ca_cert="/etc/dcm-agent/ca.pem")
    seconds = int(sys.argv[1])
    time.sleep(2)
    before = context_switches()
    time.sleep(seconds)
    print(f"wake-ups while idle: {context_switches() - before} in {seconds} s "
          "(a ping and its pong each 30 s are two)")
    run("systemctl", "stop", "dcm-agent.service")


if __name__ == "__main__":
    main()
