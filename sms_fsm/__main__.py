"""``python -m sms_fsm`` is ``sms-fsm``."""

from __future__ import annotations

from sms_fsm.cli import main

if __name__ == "__main__":
    main()
