"""Random sequences of changes to a pool and to files outside of it, against a model."""

from __future__ import annotations

import pytest
from hypothesis import settings

from skypool.testing.stateful_outside import OutsidePoolMachine


class TestPoolWithFilesOutside(OutsidePoolMachine.TestCase):
    settings = settings(max_examples=6, stateful_step_count=25)


@pytest.mark.campaign
class TestPoolWithFilesOutsideLong(OutsidePoolMachine.TestCase):
    settings = settings(max_examples=150, stateful_step_count=50)
