"""The command line: parse, call, print, exit code."""

from __future__ import annotations


def main() -> None:
    """Entry point of ``sms-fsm`` and ``python -m sms_fsm``."""
    from sms_fsm.cli.app import app  # noqa: PLC0415 - importing the package runs nothing
    from sms_fsm.cli.terminal import survive_narrow_encodings  # noqa: PLC0415

    survive_narrow_encodings()
    app(prog_name="sms-fsm")
