"""What can go wrong while a picture is drawn."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from sms_fsm.errors import SmsFsmError


class DiagramError(SmsFsmError):
    """A picture cannot be drawn: an unknown format, a missing extra or a failed layout."""


def require(module: str) -> ModuleType:
    """The module of an optional dependency.

    Raises:
        DiagramError: it is not installed; the message says what to install.
    """
    try:
        return import_module(module)
    except ImportError as missing:
        message = f"svg and png need {module}: pip install sms-fsm[pictures]"
        raise DiagramError(message) from missing
