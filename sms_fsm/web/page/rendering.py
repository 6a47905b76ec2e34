"""Templates, and how times, ages and numbers are written in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sms_fsm.diagram.durations import about
from sms_fsm.sms import mask
from sms_fsm.web.page.story import Happening

_PACKAGE = "sms_fsm.web.page"


def render(template: str, **values: Any) -> str:
    """A template with these values. Everything in it is escaped but our own pictures."""
    return _templates().get_template(template).render(values)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "about": about,
        "clock": _clock,
        "day": _day,
        "date": _date,
        "instant": _instant,
        "masked": _masked,
        "until": _until,
        "count": _count,
        "groupby_day": _by_day,
    }
    return templates


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M:%S}"


def _masked(address: str) -> Markup:
    """A phone number of which only the last two digits can be read."""
    hidden = mask(address)
    veil = hidden.rstrip("0123456789")
    return Markup('<span class="veil">{}</span>{}').format(veil, hidden.removeprefix(veil))


def _until(moment: datetime, now: datetime) -> str:
    return f"in {about(moment - now)}" if moment > now else "now"


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%A, %-d %B %Y}"


def _date(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%-d %b %Y}"


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _by_day(happenings: Sequence[Happening]) -> list[tuple[datetime, list[Happening]]]:
    """The same by day, each day with a time on it."""
    days = groupby(happenings, key=lambda happening: happening.event.at.astimezone(UTC).date())
    found = [list(each) for _, each in days]
    return [(each[0].event.at, each) for each in found]


def _count(number: int, most: int | None = None) -> str:
    """With thin spaces between thousands; a count that ended at its bound says so."""
    plus = "+" if most is not None and number >= most else ""
    return f"{number:,}".replace(",", "\u202f") + plus
