# SPDX-License-Identifier: Apache-2.0
"""A short soak.py: a manager that stays bad costs an agent no memory, no descriptors and no log."""

import soak

SECONDS = 10


def test_soak():
    assert not soak.soak(SECONDS)
