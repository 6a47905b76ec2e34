"""Replay: an exported log judged again, on its own graphs or on a candidate."""

from sms_fsm.replay.coverage import Coverage
from sms_fsm.replay.lines import Entry, bounded_lines
from sms_fsm.replay.parts import verify_file
from sms_fsm.replay.problems import LogProblem, ProblemCode
from sms_fsm.replay.reading import read_log
from sms_fsm.replay.rebuilding import (
    Drift,
    RebuildReport,
    StoredConversation,
    StoredLog,
    rebuild,
)
from sms_fsm.replay.report import ReplayReport
from sms_fsm.replay.verdicts import Bucket, Divergence
from sms_fsm.replay.verifying import verify

__all__ = [
    "Bucket",
    "Coverage",
    "Divergence",
    "Drift",
    "Entry",
    "LogProblem",
    "ProblemCode",
    "RebuildReport",
    "ReplayReport",
    "StoredConversation",
    "StoredLog",
    "bounded_lines",
    "read_log",
    "rebuild",
    "verify",
    "verify_file",
]
