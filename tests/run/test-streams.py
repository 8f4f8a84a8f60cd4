#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Proves of each program that people call: what it cannot print is an error with a message, never a success
and never a signal, also where the caller has closed its standard streams; and what it does not take is named.
Usage: test-streams.py PROGRAM...; speaks TAP."""

import os
import pathlib
import subprocess
import sys
import tempfile

PROGRAMS = {pathlib.Path(p).name: p for p in sys.argv[1:]}
FAILURE = {"dcm-manager": 254}  # of the others 1
SHOWN = {"dcm-doctor": "dcm-agentctl doctor", "dcm-config": "dcm-agentctl config"}
FULL, CLOSED = "No space left on device", "standard output is closed"


def run(name, *arguments, stdout=subprocess.DEVNULL, closed=()):
    """The program without the standard streams whose numbers are in `closed`."""
    def close():
        for fd in closed:
            os.close(fd)

    return subprocess.run(
        [PROGRAMS[name], *arguments], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True,
        preexec_fn=close if closed else None, env={**os.environ, "LC_ALL": "C.UTF-8"}, timeout=240)


def is_failure(done, name, why):
    return done.returncode == FAILURE.get(name, 1) and f"The output cannot be written: {why}\n" in done.stderr


def check_full():
    with open("/dev/full", "w") as full:
        for name in PROGRAMS:
            for option in ("--help", "--version"):
                done = run(name, option, stdout=full)
                if not is_failure(done, name, FULL):
                    yield f"{name} {option} >/dev/full: {done}"


def check_closed():
    for name in PROGRAMS:
        for closed in ((1,), (0, 1)):
            done = run(name, "--help", closed=closed)
            if not is_failure(done, name, CLOSED):
                yield f"{name} --help without {closed}: {done}"
        done = run(name, "--help", closed=(0, 1, 2))
        if done.returncode != FAILURE.get(name, 1):
            yield f"{name} --help without any: {done}"
        done = run(name, "--help", closed=(0, 2))
        if done.returncode:
            yield f"{name} --help needs only standard output: {done}"


def check_closed_while_it_works():
    """They open files and sockets before they print."""
    with tempfile.TemporaryDirectory() as directory:
        for name, arguments in (
                ("dcm-doctor", ["--state-directory=" + directory]), ("dcm-doctor", ["--json"]),
                ("dcm-config", ["--effective"]), ("dcm-config", ["--check"])):
            paths = [f"--config={directory}/none", f"--config-directory={directory}/none.d"]
            done = run(name, *arguments, *paths, closed=(1,))
            if not is_failure(done, name, CLOSED):
                yield f"{name} {arguments}: {done}"
            whole = run(name, *arguments, *paths, stdout=subprocess.PIPE)
            if not whole.stdout or whole.returncode not in (0, 1):
                yield f"{name} {arguments}: {whole}"


def check_what_is_not_taken():
    for name in PROGRAMS:
        shown = SHOWN.get(name, name)
        if name not in ("dcm-agentctl", "dcm-manager", "dcm-object", "dcm-volume", "dcm-log", "dcm-config"):
            done = run(name, "what-is-this")
            if done.returncode != 2 or f'{shown} takes no "what-is-this"\nTry {shown} --help\n' not in done.stderr:
                yield f"{name} what-is-this: {done}"
        done = run(name, "--what-is-this")
        if done.returncode != 2 or "'--what-is-this'" not in done.stderr or f"Try {shown} --help" not in done.stderr:
            yield f"{name} --what-is-this: {done}"
    for arguments, text in (
            ([], "Give either --check [FILE] or --effective"),
            (["--json"], "Give either --check [FILE] or --effective"),
            (["--check", "--effective"], "Give either --check [FILE] or --effective"),
            (["--effective", "file"], '--effective takes no "file"'),
            (["--check", "one", "two"], '--check takes no "two"')):
        done = run("dcm-config", *arguments)
        if done.returncode != 2 or done.stderr != f"{text}\nTry dcm-agentctl config --help\n":
            yield f"dcm-config {arguments}: {done}"


def main():
    checks = [f for name, f in globals().items() if name.startswith("check_")]
    print(f"1..{len(checks)}")
    for i, check in enumerate(checks, 1):
        problems = list(check())
        print(*(f"# {p}" for p in problems), sep="\n", end="\n" if problems else "")
        print(f"{'not ok' if problems else 'ok'} {i} - {check.__name__.removeprefix('check_')}", flush=True)


main()
