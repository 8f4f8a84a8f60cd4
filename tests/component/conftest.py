# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import shutil
import sys

import pytest

import certificates
import harness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from sampling import pytest_collection_modifyitems  # noqa: E402, F401

for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]  # what is right for the one who runs the tests is not for their agents


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
