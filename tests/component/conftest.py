# SPDX-License-Identifier: Apache-2.0
import shutil

import pytest

import harness


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
        agent.notify.close()
        shutil.rmtree(directory)


@pytest.fixture
def manager():
    manager = harness.Manager()
    yield manager
    manager.stop()
