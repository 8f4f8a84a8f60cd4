# SPDX-License-Identifier: Apache-2.0
"""Hits dcm-agentd and dcm-executord at every step that is durable or visible: kills them there, or
lets the step fail. systemd starts them again, and the manager finishes its round. Then: no GUID ran
twice, each has exactly one reply, and the reply is true; each alert was told, as one alert.

In a booted machine (tools/sandbox) with DCM_BUILD=DIR: test-NAME [--full | --case SWEEP/N ...]."""

import argparse
import errno
import os
import random
import sys
import time
from dataclasses import dataclass

import scenario as rounds
from gi.repository import GLib
from injector import AFTER, BEFORE, FAIL, FILE, FOR_EVER, JOURNAL, MEMORY, MIDDLE, SOCKET
from machine import HOOKS, RAN, SECRETS, Machine, journal, library

DEADLINE_SEC = 240.0  # for an answer, which only a failure reaches; the machine may be slow
RELEASE_SEC = 30.0  # for the units of answered jobs to go, once there is nothing else to do
PROGRESS_ROUNDS = 100  # a line of progress after so many
LASTING_SEC = 0.3  # a disk that stays full
LASTING_OFFSETS = {errno.ENOSPC: 0, errno.EROFS: 1, errno.EIO: 2}
WORKERS = 4
SURPLUS = 1.2  # rounds vary: a sweep goes this far beyond the steps that were counted
ROUNDS_IN_VAIN_MAX = 20  # in which no fault is hit by chance
UNFIRED_MAX = 5  # ... or until so many in a row were not reached

# Cases that fail for a known reason: (sweep, name of the request, part of the text): why
KNOWN: dict[tuple[str, str, str], str] = {}


@dataclass(frozen=True)
class Sweep:
    """One kind of fault, tried at each step."""

    name: str
    target: str
    mode: int
    classes: int = FILE | SOCKET
    error: int = 0
    failures: int = 1
    overlap: int = 1  # rounds at once: where the agent waits before it tries again


def errors(target):
    for name in ("ENOSPC", "EIO"):
        for lasting in (False, True):
            yield Sweep(f"{target}-{name}-{'lasting' if lasting else 'once'}", target, FAIL, FILE,
                        getattr(errno, name), FOR_EVER if lasting else 1, overlap=8)
    yield Sweep(f"{target}-EROFS-lasting", target, FAIL, FILE, errno.EROFS, FOR_EVER, overlap=8)


SWEEPS = {
    sweep.name: sweep
    for target in ("agent", "executor")
    for sweep in (
        Sweep(f"{target}-kill-before", target, BEFORE),
        Sweep(f"{target}-kill-middle", target, MIDDLE),
        Sweep(f"{target}-kill-after", target, AFTER),
        Sweep(f"{target}-kill-journal", target, BEFORE, JOURNAL),
        *errors(target),
        Sweep(f"{target}-ENOMEM", target, FAIL, MEMORY, errno.ENOMEM, overlap=8),
    )
}


class Driver:
    def __init__(self, seed):
        self.seed = seed
        self.random = random.Random(seed)
        self.manager = rounds.FaultManager()
        self.machine = Machine(self.manager.url(), library(), WORKERS)
        self.faults = self.violations = self.known = self.rounds = 0
        self.jobs = {}  # units that must go in the end: where they are from
        self.open = []
        self.wait(self.machine.is_connected, DEADLINE_SEC)

    # --- waiting ---

    def wait(self, condition, seconds):
        context = GLib.MainContext.default()
        deadline = time.monotonic() + seconds
        timer = GLib.timeout_add(10, lambda: True)
        try:
            while not (value := condition()):
                if time.monotonic() > deadline:
                    return None
                context.iteration(True)
                self.manager.tick()
            return value
        finally:
            GLib.source_remove(timer)

    def is_final(self, scenario):
        if not scenario.answered():
            return False
        states = self.machine.states(
            len(scenario.items) * (len(self.open) + 2) + len(self.manager.polls))
        scenario.final = all(item.final(states.get(guid)) for guid, item in scenario.items.items())
        return scenario.final

    # --- violations ---

    def report(self, sweep, n, guid, text, name=""):
        for (known_sweep, known_name, part), why in KNOWN.items():
            if known_sweep in sweep and known_name in ("", name) and part in text:
                self.known += 1
                print(f"known: {sweep}/{n} {guid}: {text[:120]}: {why}")
                return
        self.violations += 1
        print(f"VIOLATION at {sweep}/{n} (--case {sweep}/{n}, or --seed {self.seed}) {guid}: "
              + text[:1500])
        if guid:
            print("  | " + journal(guid).replace("\n", "\n  | "))
        sys.stdout.flush()

    def finish(self, scenario, sweep, n):
        """The round is over: in order, or because its time is."""
        self.open.remove(scenario)
        if not scenario.final:
            states = self.machine.states(0)
            for guid, item in scenario.items.items():
                if not item.answered() or not item.final(states.get(guid)):
                    self.report(sweep, n, guid, "not finished: " + (
                        f"acked {item.acked}, nack {item.nack!r}, replies {list(item.replies)}, "
                        f"state {states.get(guid)}"), item.name)
            for name, alert in scenario.alerts.items():
                if not alert.answered():
                    self.report(sweep, n, "", f"not told: {name}, {list(alert.told)}")
        for item, text in scenario.verdicts():
            self.report(sweep, n, item.guid, text, item.name)
        self.manager.end(scenario)
        for guid in scenario.items:
            self.jobs[f"dcm-job-{guid}.service"] = (sweep, n, guid)

    def check_leftovers(self, wait=False):
        """Units that were not released, secrets that are left, and scripts that ran after their round."""
        for path in (*RAN.iterdir(), *HOOKS.iterdir()):
            if path.name not in self.manager.items:
                self.report("later", 0, path.name, "executed again")
                path.unlink()
        for name, alert in self.manager.alerts.items():
            if problem := alert.problem():
                self.report("alerts", 0, "", f"{name}: {problem}")
                alert.told = dict([alert.told.popitem()])
        units = self.machine.job_units()
        if wait:
            self.wait(lambda: not self.machine.job_units(), RELEASE_SEC)
            self.wait(lambda: not any(SECRETS.iterdir()), RELEASE_SEC)
            for path in SECRETS.iterdir():
                self.report("later", 0, path.name.lstrip("."), f"its secrets are left: {path}")
                rounds.machine.run("rm", "-r", "--", str(path))
            units = self.machine.job_units()
        for unit, (sweep, n, guid) in list(self.jobs.items()):
            if unit not in units:
                del self.jobs[unit]
            elif wait:
                self.report(sweep, n, guid, f"its unit is left: {units[unit]}")
                rounds.machine.run("systemctl", "kill", "--signal=SIGKILL", unit, check=False)
                rounds.machine.run("systemctl", "stop", unit, check=False)
                rounds.machine.run("systemctl", "reset-failed", unit, check=False)
                del self.jobs[unit]

    # --- rounds ---

    def begin(self, label):
        scenario = rounds.Scenario(f"f.{label}", self.random.random())
        self.open.append(scenario)
        self.rounds += 1
        self.manager.begin(scenario)
        return scenario

    def settle(self, sweep, n, limit):
        """Ends rounds until at most `limit` are under way."""
        while len(self.open) > limit:
            scenario = self.open[0]
            left = scenario.begun + DEADLINE_SEC - time.monotonic()
            self.wait(lambda s=scenario: self.is_final(s), max(left, 0.1))
            self.finish(scenario, *getattr(scenario, "where", (sweep, n)))

    def count(self, sweep):
        """How many steps a round without faults has."""
        injector = self.machine.injectors[sweep.target]
        counts = []
        for _ in range(2):
            injector.arm(-1, sweep.mode, sweep.classes)
            self.begin(f"{sweep.name}-0")
            self.settle(sweep.name, 0, 0)
            counts.append(injector.count)
        injector.disarm()
        return max(counts)

    def hit(self, sweep, n):
        """One round with a fault at step n; whether there was a step n."""
        injector = self.machine.injectors[sweep.target]
        before = injector.fired
        injector.arm(n, sweep.mode, sweep.classes, sweep.error, sweep.failures)
        scenario = self.begin(f"{sweep.name}-{n}")
        scenario.where = (sweep.name, n)
        if sweep.overlap == 1:
            self.settle(sweep.name, n, 0)
        else:
            self.wait(lambda: injector.fired > before or self.is_final(scenario), 3)
            self.wait(lambda: False, LASTING_SEC if sweep.failures > 1 else 0.05)
            injector.disarm()
            self.settle(sweep.name, n, sweep.overlap - 1)
        injector.disarm()
        fired = injector.fired - before
        self.faults += fired
        return fired > 0

    def sweep(self, sweep, steps=None, seconds=None, part=(0, 1)):
        """steps: so many, evenly spaced; else all of them. seconds: random ones, for so long."""
        begun, violations, faults = time.monotonic(), self.violations, self.faults
        total = self.count(sweep)
        end = int(total * SURPLUS) + 1
        unfired = 0
        if seconds:
            numbers = iter(lambda: self.random.randrange(1, total + 1), 0)
        elif steps and steps < total:
            gap = total / steps
            offset = self.random.random() * gap
            numbers = (1 + int(offset + i * gap) for i in range(steps))
        else:
            numbers = range(1 + part[0], end + 1, part[1])
        n_rounds = 0
        for n in numbers:
            if seconds and time.monotonic() - begun > seconds:
                break
            unfired = 0 if self.hit(sweep, n) else unfired + 1
            n_rounds += 1
            if n > total and unfired >= UNFIRED_MAX:
                break
            if n_rounds % 10 == 0:
                self.check_leftovers()
            if n_rounds % PROGRESS_ROUNDS == 0:
                self.summary(f"{sweep.name}: at step {n} of {total}", n_rounds, faults, violations, begun)
        self.close(sweep.name)
        self.summary(f"{sweep.name}: {total} steps", n_rounds, faults, violations, begun)

    def summary(self, what, n_rounds, faults, violations, begun):
        print(f"{what}, {n_rounds} rounds, {self.faults - faults} faults injected, "
              f"{self.violations - violations} invariants violated, "
              f"{time.monotonic() - begun:.0f} s")
        sys.stdout.flush()

    def check_alerts(self, name):
        """Also those that no round waited for."""
        alerts = self.manager.alerts
        self.wait(lambda: all(a.answered() for a in alerts.values()), DEADLINE_SEC)
        for alert, told in alerts.items():
            if not told.answered():
                self.report(name, 0, "", f"{alert} was not told")

    def close(self, name):
        self.settle(name, 0, 0)
        self.check_alerts(name)
        self.check_leftovers(wait=True)
        if not self.wait(self.machine.is_connected, DEADLINE_SEC):
            self.report(name, 0, "", "the agent is not connected in the end")
        self.machine.stop()
        for problem in self.machine.database_problems():
            self.report(name, 0, "", f"the database: {problem}")
        self.machine.start()
        self.wait(self.machine.is_connected, DEADLINE_SEC)
        # all replies are stored, and nothing may be kept any longer
        if not self.wait(lambda: not self.machine.kept_output(), DEADLINE_SEC):
            for guid in self.machine.kept_output():
                self.report(name, 0, guid, "its output is kept")

    def random_kills(self, seconds):
        """Both programs, at random steps, and again while they recover."""
        begun, violations, faults = time.monotonic(), self.violations, self.faults
        totals = {t: self.count(SWEEPS[f"{t}-kill-before"]) for t in self.machine.injectors}
        n_rounds = 0
        fired = {t: i.fired for t, i in self.machine.injectors.items()}

        def arm(target, low, high):
            self.machine.injectors[target].arm(
                self.random.randint(low, high), self.random.choice((BEFORE, MIDDLE, AFTER)),
                FILE | SOCKET | self.random.choice((0, JOURNAL)))

        def rearm():
            for target, injector in self.machine.injectors.items():
                if injector.fired > fired[target]:
                    self.faults += injector.fired - fired[target]
                    fired[target] = injector.fired
                    if self.random.random() < 0.7:
                        arm(target, 1, 60)

        until = time.monotonic() + seconds  # from here on: on a loaded machine counting the steps takes its time
        while time.monotonic() < until or (self.faults == faults and n_rounds < ROUNDS_IN_VAIN_MAX):
            for target, total in totals.items():
                if self.random.random() < 0.8:
                    arm(target, 1, total)
            scenario = self.begin(f"random-{n_rounds}")
            scenario.where = ("random", n_rounds)
            self.wait(lambda s=scenario: rearm() or self.is_final(s), DEADLINE_SEC)
            for injector in self.machine.injectors.values():
                injector.disarm()
            rearm()
            for injector in self.machine.injectors.values():
                injector.disarm()
            self.finish(scenario, "random", n_rounds)
            n_rounds += 1
            if n_rounds % 10 == 0:
                self.check_leftovers()
        self.close("random")
        self.summary(f"random: seed {self.seed}", n_rounds, faults, violations, begun)

    def case(self, text):
        """SWEEP/N, as a violation prints it."""
        name, n = text.split("/")
        sweep = SWEEPS[name]
        fired = self.hit(sweep, int(n))
        print(f"{text}: fired {fired}, at {self.machine.injectors[sweep.target].last}")
        self.close(name)


def plan_kills(target):
    def plan(driver, full):
        for how in ("before", "middle"):
            driver.sweep(SWEEPS[f"{target}-kill-{how}"], steps=None if full else 8)

    return plan


def plan_errors(target):
    def plan(driver, full):
        for sweep in SWEEPS.values():
            if sweep.target == target and sweep.error == errno.ENOMEM:
                driver.sweep(sweep, seconds=120 if full else 5)
            elif sweep.target == target and sweep.error:
                # those that last take seconds: each error at every fourth step
                part = (LASTING_OFFSETS[sweep.error], 4) if sweep.failures > 1 else (0, 1)
                driver.sweep(sweep, steps=None if full else 4, part=part)

    return plan


def main(plan):
    """plan: what one test-NAME does, (driver, full) -> None."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true",
                        default=os.environ.get("DCM_FAULTS") == "full",
                        help="every step, and longer random runs (DCM_FAULTS=full)")
    parser.add_argument("--seed", type=int,
                        default=int(os.environ.get("DCM_FAULTS_SEED", random.randrange(1 << 32))))
    parser.add_argument("--case", nargs="*", help="single cases, SWEEP/N: " + " ".join(SWEEPS))
    parser.add_argument("--sweep", nargs="*", help="whole sweeps")
    parser.add_argument("--steps", type=int, help="of a --sweep, so many, evenly spaced")
    options = parser.parse_args()
    print(f"seed {options.seed} (--seed, DCM_FAULTS_SEED)")
    driver = Driver(options.seed)
    if options.case:
        for text in options.case:
            driver.case(text)
    elif options.sweep:
        for name in options.sweep:
            driver.sweep(SWEEPS[name], options.steps)
    else:
        plan(driver, options.full)
    known = f" ({driver.known} more for known reasons)" if driver.known else ""
    print(f"faults injected: {driver.faults}, invariants violated: {driver.violations}{known}")
    if not driver.faults:
        print("no fault was injected: nothing is shown")
    sys.exit(1 if driver.violations or not driver.faults else 0)
