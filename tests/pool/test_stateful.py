"""The pool against a simple model, by random work."""

from __future__ import annotations

import os

from hypothesis import settings

from skypool.testing.stateful import PoolMachine

campaign = os.environ.get("HYPOTHESIS_PROFILE") == "campaign"

TestPool = PoolMachine.TestCase
TestPool.settings = settings(
    max_examples=500 if campaign else 25,
    stateful_step_count=60 if campaign else 25,
    deadline=None,
)
