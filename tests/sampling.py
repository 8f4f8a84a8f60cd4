# SPDX-License-Identifier: Apache-2.0
"""A hook of pytest that conftest.py of component and booted tests have."""

import os
import random


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
