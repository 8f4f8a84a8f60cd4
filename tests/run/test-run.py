#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that dcm-run tells the truth about its script: status, signal, failed start; keeps its
output within bounds, with count and checksum of all of it; and is hindered by nothing: daemons that
hold its pipes, a full disk, signals. Usage: test-run.py DCM-RUN; speaks TAP."""
import errno
import fcntl
import hashlib
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

PROGRAM = sys.argv[1]
HEAD = TAIL = 512 * 1024
EMPTY = hashlib.sha256(b"").hexdigest()


class RunTest(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dcm-run-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.script = self.dir / "script"
        for name in ("exit", "stdout", "stderr"):
            (self.dir / name).touch()

    def start(self, text="", arguments=(), options=(), stdout=None, claimed=False, **more):
        self.script.write_text(text)
        self.script.chmod(0o755)
        if not claimed and (self.dir / "exit").exists():
            os.truncate(self.dir / "exit", 0)
        with open(stdout or self.dir / "stdout", "r+b", 0) as out, \
                open(self.dir / "stderr", "r+b", 0) as err:
            return subprocess.Popen([PROGRAM, *options, "--", self.script, *arguments],
                                    stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                    env={**os.environ, "DCM_EXIT_RECORD": str(self.dir / "exit")},
                                    **more)

    def run_script(self, *arguments, **options):
        return self.start(*arguments, **options).wait(timeout=240)

    def start_with_files(self, text, letters="rlp", options=(), script_input=None):
        """As the executor does it: descriptors in flight on standard input."""
        self.script.write_text(text)
        self.script.chmod(0o755)
        for name in ("exit", "log"):
            (self.dir / name).write_bytes(b"")
        if not (self.dir / "lines").exists():
            os.mkfifo(self.dir / "lines")
        paths = {"r": "exit", "l": "log", "p": "lines", "i": "input", "x": "exit"}
        (self.dir / "input").write_text(script_input or "")
        fds = [os.open(self.dir / paths[x], os.O_RDWR | os.O_NONBLOCK) for x in letters]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if letters:
            socket.send_fds(ours, [letters.encode()], fds)
        for fd in fds:
            os.close(fd)
        ours.close()
        with theirs, open(self.dir / "stdout", "r+b", 0) as out, open(self.dir / "stderr", "r+b", 0) as err:
            return subprocess.Popen([PROGRAM, *options, "--", self.script], stdin=theirs, stdout=out, stderr=err,
                                    env={**os.environ, "DCM_LOG_FILE": str(self.dir / "lines")})

    def test_files_in_flight(self):
        """The script gets none of them but its input, and writes lines into the FIFO."""
        for text, letters in ((None, "rlp"), ("told\n", "rlpi"), ("told\n", "iplr")):
            process = self.start_with_files(
                "#!/bin/bash\ncat\nfor i in {0..30}; do [ -e /proc/$$/fd/$i ] && printf '%s ' $i; done\n"
                "readlink /proc/$$/fd/0\n"
                "echo one >$DCM_LOG_FILE; echo two >>$DCM_LOG_FILE; exit 3\n", letters, script_input=text)
            self.assertEqual(process.wait(timeout=240), 3)
            self.assert_end("exited", 3)
            self.assertEqual((self.dir / "stdout").read_text(),
                             f"{text or ''}0 1 2 {self.dir / 'input' if text else '/dev/null'}\n")
            self.assertEqual((self.dir / "log").read_text(), "one\ntwo\n")
            os.truncate(self.dir / "stdout", 0)

    def test_files_that_are_not_all_there(self):
        for letters in ("", "rl", "lp", "rlx", "rlpr", "xxxx"):
            process = self.start_with_files(f"#!/bin/sh\ntouch {self.dir}/ran\n", letters)
            self.assertEqual(process.wait(timeout=240), 125, letters)
        self.assertFalse((self.dir / "ran").exists())

    def test_lines_have_a_bound(self):
        """Ten times as much as is kept; the last ones are there, also those of a script that is killed."""
        process = self.start_with_files(
            "#!/bin/bash\nhead -c 1310720 /dev/zero >$DCM_LOG_FILE; echo last >>$DCM_LOG_FILE; kill -KILL $$\n",
            options=["--output-max=131072"])
        self.assertEqual(process.wait(timeout=240), 128 + signal.SIGKILL)
        log = (self.dir / "log").read_bytes()
        self.assertLessEqual(len(log), 131072 + 64)
        self.assertIn(b"last\n", log)

    def test_limit_of_descriptors_is_taken_away(self):
        """As any process of its user can: it goes on all the same."""
        script = (f"#!{sys.executable}\nimport os, resource, sys\n"
                  "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (0, 0))\n"
                  "for _ in range(3):\n    print('x' * 99999, flush=True)\nos.kill(os.getpid(), 9)\n")
        # a sanitizer that looks for leaks at the end needs descriptors
        with unittest.mock.patch.dict(os.environ, ASAN_OPTIONS="detect_leaks=0"):
            self.assertEqual(self.run_script(script), 128 + signal.SIGKILL)
        self.assert_end("killed", signal.SIGKILL)
        self.assertEqual((self.dir / "stdout").read_text(), 3 * ("x" * 99999 + "\n"))

    def test_capability_is_asked_for(self):
        """Not of root, whom no other user can trace."""
        self.assertEqual(self.run_script("#!/bin/sh\nexit 3\n", options=["--require-capability"]),
                         3 if os.geteuid() == 0 else 126)

    def record(self):
        lines = (self.dir / "exit").read_text().splitlines()
        self.assertEqual((lines[0], lines[-1]), ("DCM_EXIT_RECORD=1", "END=1"))
        return {k: int(v) if v.isdigit() and len(v) < 60 else v
                for k, v in (line.split("=", 1) for line in lines)}

    def assert_end(self, kind, status):
        record = self.record()
        self.assertEqual((record["KIND"], record["STATUS"]), (kind, status))
        self.assertLessEqual(record["STARTED_USEC"], record["ENDED_USEC"])
        return record

    def test_statuses(self):
        for status in (0, 1, 42, 125, 255):
            self.assertEqual(self.run_script(f"#!/bin/sh\nexit {status}\n"), status)
            self.assert_end("exited", status)

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGPIPE, signal.SIGHUP):
            self.assertEqual(self.run_script(f"#!/bin/sh\nkill -{int(number)} $$\n"), 128 + number)
            self.assert_end("killed", number)

    def test_signal_is_passed_on(self):
        """With --pass-signal, for a script that ends in order; otherwise only to dcm-run, which goes on."""
        fifo = self.dir / "ready"
        os.mkfifo(fifo)
        for options in (["--pass-signal"], []):
            process = self.start_with_files(
                f"#!/bin/bash\ntrap 'echo asked; exit 7' TERM\necho x >{fifo}\nread -r x <{fifo}\nexit 3\n",
                options=options)
            fifo.read_text()
            process.send_signal(signal.SIGTERM)
            if options:
                self.assertEqual(process.wait(timeout=240), 7)
                self.assertEqual((self.dir / "stdout").read_text(), "asked\n")
            else:
                fifo.write_text("go on\n")
                self.assertEqual(process.wait(timeout=240), 3)

    def test_output_and_arguments(self):
        arguments = ["a b", "", "$HOME", "--", "-x"]
        self.assertEqual(self.run_script('#!/bin/sh\nprintf "%s|" "$@"; echo err >&2\n', arguments), 0)
        record = self.record()
        expected = "".join(f"{a}|" for a in arguments).encode()
        self.assertEqual((self.dir / "stdout").read_bytes(), expected)
        self.assertEqual((self.dir / "stderr").read_bytes(), b"err\n")
        self.assertEqual(record["STDOUT_SHA256"], hashlib.sha256(expected).hexdigest())
        self.assertEqual((record["STDOUT_TOTAL"], record["STDOUT_HEAD"], record["STDOUT_TAIL"]),
                         (len(expected), len(expected), 0))
        self.assertEqual(record["STDERR_TOTAL"], 4)

    def test_no_output(self):
        self.run_script("#!/bin/sh\n")
        record = self.record()
        self.assertEqual((record["STDOUT_TOTAL"], record["STDOUT_SHA256"]), (0, EMPTY))

    def test_start_failures(self):
        """Standard error names what could not be run; of a script that is its interpreter, as it stands there."""
        for text, options, status, error, words in (
                ("#!/nonexistent/interpreter\n", (), 127, 2, "'/nonexistent/interpreter', which cannot be run: No such"),
                ("#! \t/nonexistent/x y z\n", (), 127, 2, "the interpreter '/nonexistent/x', which"),
                ("#!/bin/bash\r\necho\r\n", (), 127, 2, "'/bin/bash\\r', which cannot be run: No such file or directory. The "
                 "lines of the script end in CR LF"),
                ("#!/bin/sh\v\x1b[31m\n", (), 127, 2, "'/bin/sh\\x0b\\x1b[31m'"),
                ("#!/nonexistent" + "x" * 241, (), 127, 2, "'/nonexistent" + "x" * 241 + "'"),
                ("#!/etc/passwd\n", (), 126, 13, "'/etc/passwd', which cannot be run: Permission denied."),
                ("", ("--interpreter=no-such-program",), 127, 2, "'no-such-program' cannot be run: No such"),
                ("no first line", (), 126, 8, "is neither a program nor a script whose first line"),
                ("x", ("--interpreter=/",), 126, 13, "'/' cannot be run: Permission denied")):
            os.truncate(self.dir / "stderr", 0)
            self.assertEqual(self.run_script(text, options=options), status, text)
            record = self.assert_end("start-failed", error)
            told = (self.dir / "stderr").read_text()
            self.assertIn(words, told)
            self.assertEqual(record["STDERR_TOTAL"], len(told))

    def test_interpreter(self):
        self.assertEqual(self.run_script("import sys; sys.exit(len(sys.argv))", ["a", "b"],
                                         options=["--interpreter=python3"]), 3)

    def test_process_is_clean(self):
        """Default signals, nothing blocked, three descriptors, own group, no DCM_EXIT_RECORD."""
        old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        extra = os.open("/dev/null", os.O_RDONLY)
        os.set_inheritable(extra, True)
        try:
            self.run_script(
                "import os\nprint(sorted(map(int, os.listdir('/proc/self/fd')))[:4])\n"
                "print('DCM_EXIT_RECORD' in os.environ, os.getpgrp() == os.getpid())\n"
                "for line in open('/proc/self/status'):\n"
                "    if line[:6] in ('SigBlk', 'SigIgn'): print(line.split()[1])\n",
                options=["--interpreter=python3"], close_fds=False, restore_signals=False)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, old)
            os.close(extra)
        fds, flags, blocked, ignored = (self.dir / "stdout").read_text().splitlines()
        self.assertEqual((fds, flags, int(blocked, 16)), ("[0, 1, 2, 3]", "False True", 0))
        # Python itself ignores SIGPIPE and SIGXFSZ; 32 and 33 belong to the C library
        python = {signal.SIGPIPE, signal.SIGXFSZ, 32, 33}
        self.assertEqual(int(ignored, 16) & ~sum(1 << (n - 1) for n in python), 0)

    def test_daemon_left_behind(self):
        """It holds both pipes and lives on: the end is the end of the main process."""
        fifo = self.dir / "fifo"
        os.mkfifo(fifo)
        fd = os.open(fifo, os.O_RDWR)
        self.assertEqual(self.run_script(
            f"#!/bin/bash\necho started\n(read -r line <{fifo}; exec sleep 0) &\nexit 4\n"), 4)
        self.assertEqual(self.assert_end("exited", 4)["STDOUT_TOTAL"], 8)
        os.write(fd, b"go\n")
        os.close(fd)

    def test_daemon_that_writes_for_ever(self):
        self.assertEqual(self.run_script("#!/bin/bash\nyes &\nexit 4\n"), 4)
        self.assert_end("exited", 4)

    def test_last_words(self):
        """All that was written before the end is kept, though the end is noticed first."""
        for _ in range(20):
            self.run_script("#!/bin/sh\nhead -c 65536 /dev/zero\n")
            self.assertEqual(self.record()["STDOUT_TOTAL"], 65536)

    def test_large_output(self):
        size, line = 100 * 1024 * 1024, b"0123456789abcde\n"
        self.assertEqual(self.run_script(
            f"import sys\nblock = {line!r} * 65536\nfor i in range(100): sys.stdout.buffer.write(block)\n"
            "sys.stdout.buffer.write(b'the end')\n", options=["--interpreter=python3"]), 0)
        record, end = self.record(), b"the end"
        digest = hashlib.sha256()
        for _ in range(100):
            digest.update(line * 65536)
        digest.update(end)
        self.assertEqual(record["STDOUT_TOTAL"], size + len(end))
        self.assertEqual(record["STDOUT_SHA256"], digest.hexdigest())
        self.assertEqual((record["STDOUT_HEAD"], record["STDOUT_TAIL"], record["STDOUT_TAIL_OFFSET"]),
                         (HEAD, TAIL, size + len(end) - TAIL))
        kept = (self.dir / "stdout").read_bytes()
        self.assertEqual(len(kept), HEAD + TAIL)
        self.assertEqual(kept[:HEAD], line * (HEAD // len(line)))
        cut = (record["STDOUT_TAIL_OFFSET"] - HEAD) % TAIL
        ring = kept[HEAD:]
        tail = ring[cut:] + ring[:cut]
        self.assertEqual(tail, ((line * (TAIL // len(line) + 1)) + end)[-TAIL:])

    def test_sizes_around_the_bounds(self):
        for half in (64 * 1024, HEAD, 4 * HEAD):
            for size in (half - 1, half, half + 1, 2 * half, 2 * half + 1):
                self.run_script(f"#!/bin/sh\nhead -c {size} /dev/zero\n",
                                options=[f"--output-max={2 * half}"])
                record = self.record()
                tail = min(max(size - half, 0), half)
                self.assertEqual(
                    (record["STDOUT_TOTAL"], record["STDOUT_HEAD"], record["STDOUT_TAIL"],
                     record["STDOUT_TAIL_OFFSET"]),
                    (size, min(size, half), tail, size - tail if tail else 0))
                self.assertEqual((self.dir / "stdout").stat().st_size, min(size, 2 * half))

    def test_size_is_written_down_before_the_script_begins(self):
        """From then on a reader knows what is head and what is ring; the default is not said."""
        for options, lines in (((), ["DCM_EXIT_RECORD=1"]), (["--output-max=1048576"], ["DCM_EXIT_RECORD=1"]),
                               (["--output-max=131072"], ["DCM_EXIT_RECORD=1", "OUTPUT_MAX=131072"])):
            self.run_script(f"#!/bin/sh\ncat {self.dir}/exit\n", options=options)
            self.assertEqual((self.dir / "stdout").read_text().splitlines(), lines)
            self.assertEqual((self.dir / "exit").read_text().splitlines()[:len(lines)], lines)
            os.truncate(self.dir / "stdout", 0)
        for size in ("131071", "1073741825", "x", "", "-1"):
            self.assertEqual(self.run_script(f"#!/bin/sh\ntouch {self.dir}/ran\n",
                                             options=[f"--output-max={size}"]), 125)
        self.assertFalse((self.dir / "ran").exists())

    def test_full_disk(self):
        self.assertEqual(self.run_script("#!/bin/sh\nhead -c 3000000 /dev/zero; exit 9\n",
                                         stdout="/dev/full"), 9)
        record = self.assert_end("exited", 9)
        self.assertEqual((record["STDOUT_TOTAL"], record["STDOUT_HEAD"], record["STDOUT_TAIL"]),
                         (3000000, 0, 0))
        self.assertEqual(record["STDOUT_SHA256"], hashlib.sha256(bytes(3000000)).hexdigest())

    def test_file_size_limit(self):
        """A disk that fills up in the middle; and no SIGXFSZ kills."""
        self.assertEqual(self.run_script(
            "#!/bin/sh\nhead -c 3000000 /dev/zero; exit 9\n",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (700000, 700000))), 9)
        record = self.assert_end("exited", 9)
        self.assertEqual((record["STDOUT_TOTAL"], record["STDOUT_HEAD"]), (3000000, HEAD))
        self.assertGreater(record["STDOUT_TAIL"], 0)
        self.assertLessEqual(record["STDOUT_TAIL"], 700000 - HEAD)

    def test_order_to_end_before_the_script(self):
        """systemd tells all processes of a unit, and the script is none yet: dcm-run tells it."""
        with open(self.dir / "exit", "r+b", 0) as record:
            fcntl.flock(record, fcntl.LOCK_EX)
            process = self.start("#!/bin/sh\nexec sleep infinity\n")
            while not re.search(rf"-> FLOCK .* {process.pid} ", pathlib.Path("/proc/locks").read_text()):
                os.sched_yield()  # until it waits for the lock: its signal handlers are set then
            process.send_signal(signal.SIGTERM)
            status = pathlib.Path(f"/proc/{process.pid}/status")
            while int(re.search(r"^ShdPnd:\s+(\w+)$", status.read_text(), re.M)[1], 16):
                os.sched_yield()
        self.assertEqual(process.wait(timeout=240), 128 + signal.SIGTERM)
        self.assert_end("killed", signal.SIGTERM)

    def hooks(self, **texts):
        """Options for hooks of these texts."""
        for name, text in texts.items():
            (self.dir / name).write_text(text)
            (self.dir / name).chmod(0o755)
        return [f"--{name}={self.dir / name}" for name in texts]

    def test_script_that_cannot_start_after_its_hook(self):
        """The job has begun all the same: the hook has run, and so the other one does, which may undo what it did."""
        for script, status in (("#!/nonexistent\n", 127), ("\x7fELF", 126)):
            options = self.hooks(pre="#!/bin/sh\necho pre\n", post="#!/bin/sh\necho post $DCM_STATUS\n")
            self.assertEqual(self.run_script(script, options=options), status)
            self.assert_end("exited", status)
            self.assertEqual((self.dir / "stdout").read_text(), f"pre\npost {status}\n")
            self.assertIn("dcm-run: ", (self.dir / "stderr").read_text())
            os.truncate(self.dir / "stdout", 0)
        self.assertEqual(self.run_script("#!/nonexistent\n", options=self.hooks(post="#!/bin/sh\necho post\n")), 127)
        self.assert_end("start-failed", errno.ENOENT)
        self.assertEqual((self.dir / "stdout").read_text(), "")

    def test_descriptors_are_taken_away_by_a_hook(self):
        """Nothing more can be started; what has run is not denied."""
        pre = (f"#!{sys.executable}\nimport os, resource\nprint('pre', flush=True)\n"
               "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (0, 0))\n")
        with unittest.mock.patch.dict(os.environ, ASAN_OPTIONS="detect_leaks=0"):
            self.assertEqual(self.run_script("#!/bin/sh\n", options=self.hooks(pre=pre)), 126)
        self.assert_end("exited", 126)
        self.assertEqual((self.dir / "stdout").read_text(), "pre\n")

    def test_hook_that_fails_is_told(self):
        """Otherwise its status would be taken for that of the command."""
        for pre, why in (("exit 5\n", "status 5"), ("kill -KILL $$\n", "signal 9")):
            os.truncate(self.dir / "stderr", 0)
            self.run_script("#!/bin/sh\necho ran\n", options=self.hooks(pre=f"#!/bin/sh\n{pre}", post="#!/bin/sh\necho ran\n"))
            self.assertEqual((self.dir / "stderr").read_text(),
                             f"dcm-run: the script .pre of this machine, in /etc/dcm-agent/scripts, failed ({why}), "
                             "so the command itself did not run.\n")
            self.assertEqual((self.dir / "stdout").read_text(), "")
        os.truncate(self.dir / "stderr", 0)
        self.assertEqual(self.run_script("#!/bin/sh\n", options=self.hooks(post="#!/bin/sh\nexit 9\n")), 9)
        self.assertEqual((self.dir / "stderr").read_text(),
                         "dcm-run: the script .post of this machine, in /etc/dcm-agent/scripts, failed (status 9), "
                         "though the command itself did not.\n")
        os.truncate(self.dir / "stderr", 0)
        self.assertEqual(self.run_script("#!/bin/sh\nexit 3\n", options=self.hooks(post="#!/bin/sh\nexit 9\n")), 3)
        self.assertEqual((self.dir / "stderr").read_text(), "")

    def test_hook_that_is_left_out_is_told(self):
        """The job was asked to end; its script, which was not asked or did not care, has succeeded."""
        options = self.hooks(post=f"#!/bin/sh\ntouch {self.dir}/ran\n")
        self.assertEqual(self.run_script("#!/bin/sh\nkill -TERM $PPID\n", options=options), 0)
        self.assert_end("exited", 0)
        self.assertFalse((self.dir / "ran").exists())
        self.assertEqual((self.dir / "stderr").read_text(),
                         "dcm-run: the job was asked to end, so the script .post was not run.\n")

    def test_signals_to_itself(self):
        fifo = self.dir / "fifo"
        os.mkfifo(fifo)
        process = self.start(f"#!/bin/sh\necho before\nread line <{fifo}\necho after\nexit 6\n")
        fd = os.open(fifo, os.O_WRONLY)
        while not (self.dir / "stdout").read_bytes():  # from then on it knows of the script
            select.select([], [], [], 0.01)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
        os.write(fd, b"go\n")
        os.close(fd)
        self.assertEqual(process.wait(timeout=240), 6)
        self.assertEqual((self.dir / "stdout").read_text(), "before\nafter\n")

    def test_output_is_there_at_once(self):
        """The file can be followed while the script runs."""
        fifo = self.dir / "fifo"
        os.mkfifo(fifo)
        process = self.start(f"#!/bin/sh\necho before\nread line <{fifo}\n")
        fd = os.open(fifo, os.O_WRONLY)
        while not (self.dir / "stdout").read_bytes():
            select.select([], [], [], 0.01)
        os.write(fd, b"go\n")
        os.close(fd)
        self.assertEqual(process.wait(timeout=240), 0)

    def test_closed_pipes(self):
        self.assertEqual(self.run_script("#!/bin/sh\nexec >&- 2>&-\nsleep 0.05\nexit 3\n"), 3)

    def test_record_written_by_the_script(self):
        self.run_script(f"#!/bin/sh\nyes END=1 | head -c 10000 >{self.dir}/exit\nexit 2\n")
        self.assert_end("exited", 2)

    def test_no_record_no_start(self):
        (self.dir / "exit").unlink()
        self.assertEqual(self.run_script(f"#!/bin/sh\ntouch {self.dir}/ran\n"), 125)
        self.assertFalse((self.dir / "ran").exists())
        self.assertFalse((self.dir / "exit").exists())

    def test_claimed_record_no_start(self):
        script = f"#!/bin/sh\necho x >>{self.dir}/ran\ncat {self.dir}/exit\n"
        self.assertEqual(self.run_script(script), 0)
        self.assertEqual((self.dir / "stdout").read_text(), "DCM_EXIT_RECORD=1\n")
        before = (self.dir / "exit").read_bytes()
        for left in (before, b"D"):
            (self.dir / "exit").write_bytes(left)
            self.assertEqual(self.run_script(script, claimed=True), 125)
            self.assertEqual((self.dir / "exit").read_bytes(), left)
        self.assertEqual((self.dir / "ran").read_text(), "x\n")

    def test_usage(self):
        for arguments in ([], ["--"], ["x"], ["--interpreter=x"], ["--interpreter=x", "--"]):
            self.assertEqual(subprocess.run([PROGRAM, *arguments], stderr=subprocess.DEVNULL,
                                            check=False).returncode, 125)

    def test_needs_only_libc(self):
        needed = subprocess.run(["ldd", PROGRAM], stdout=subprocess.PIPE, text=True,
                                check=True).stdout
        if "asan" in needed:
            self.skipTest("built with a sanitizer")
        names = {line.split()[0].split("/")[-1].split(".")[0] for line in needed.splitlines()}
        self.assertLessEqual(names, {"linux-vdso", "linux-gate", "libc", "ld-linux-x86-64",
                                     "ld-linux-aarch64", "ld64", "ld-linux"})


class TapResult(unittest.TestResult):
    def say(self, ok, test, extra="", detail=""):
        print(f"{'ok' if ok else 'not ok'} {self.testsRun} - {test.id().split('.')[-1]}{extra}")
        for line in detail.splitlines():
            print(f"# {line}")

    def addSuccess(self, test):
        self.say(True, test)

    def addSkip(self, test, reason):
        self.say(True, test, f" # SKIP {reason}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say(False, test, detail=self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.say(False, test, detail=self.errors[-1][1])


suite = unittest.defaultTestLoader.loadTestsFromTestCase(RunTest)
print(f"1..{suite.countTestCases()}", flush=True)
result = TapResult()
suite.run(result)
sys.exit(not result.wasSuccessful())
