# SPDX-License-Identifier: Apache-2.0
import os
import random
import shutil

import pytest

import certificates
import harness

for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]  # what is right for the one who runs the tests is not for their agents


def pytest_collection_modifyitems(config, items):
    """Of a file whose tests are long, SAMPLE of them by chance; all with DCM_FAULTS=full, or where tests are named."""
    if os.environ.get("DCM_FAULTS") == "full" or config.option.keyword or any("::" in word for word in config.args):
        return
    # all processes of a run must choose the same ones
    run = getattr(config, "workerinput", {}).get("testrunuid")
    left_out = []
    for module in {item.module for item in items if hasattr(item.module, "SAMPLE")}:
        tests = [item for item in items if item.module is module]
        chance = random.Random(run and run + module.__name__)
        left_out += chance.sample(tests, max(len(tests) - module.SAMPLE, 0))
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def bus():
    directory = harness.temporary_directory()
    bus = harness.Bus(directory)
    yield bus
    bus.stop()
    shutil.rmtree(directory)


@pytest.fixture
def agent(bus):
    directory = harness.temporary_directory()
    agent = harness.Agent(bus, directory)
    yield agent
    try:
        agent.stop()
    finally:
        if agent.process:
            agent.kill()
        agent.close()
        shutil.rmtree(directory)


@pytest.fixture
def fast_clock(agent):
    agent.environment = harness.FAST_CLOCK


@pytest.fixture
def manager():
    manager = harness.Manager()
    yield manager
    manager.stop()


@pytest.fixture(scope="session")
def pki():
    directory = harness.temporary_directory()
    directory.chmod(0o755)  # servers run without privileges
    yield certificates.Authorities(directory)
    shutil.rmtree(directory)
