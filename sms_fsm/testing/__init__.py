"""For hosts that test their own code and their own graphs: nothing here needs CXone or a network.

`FrozenClock` and `FakePlatform` are given to `Engine.from_settings`; `covering_paths` leads through
every rule of a graph; the ``assert_…`` functions tell the whole story when they fail. The pytest
plugin that comes with the package replays a folder of exported logs.
"""

from sms_fsm.testing.answers import Answer
from sms_fsm.testing.clock import FrozenClock
from sms_fsm.testing.life import Happening
from sms_fsm.testing.logs import assert_replays
from sms_fsm.testing.paths import Coverage, Path, covering_paths
from sms_fsm.testing.platform import FakePlatform, Posted
from sms_fsm.testing.steps import (
    assert_moved,
    assert_planned,
    assert_refused,
    assert_stayed,
    described,
)

__all__ = [
    "Answer",
    "Coverage",
    "FakePlatform",
    "FrozenClock",
    "Happening",
    "Path",
    "Posted",
    "assert_moved",
    "assert_planned",
    "assert_refused",
    "assert_replays",
    "assert_stayed",
    "covering_paths",
    "described",
]
