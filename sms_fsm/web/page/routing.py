"""The addresses of the operator's page."""

from __future__ import annotations

from fastapi import APIRouter

from sms_fsm.web.page.acts import acts
from sms_fsm.web.page.assets import assets
from sms_fsm.web.page.desk import Desk
from sms_fsm.web.page.looking import looking
from sms_fsm.web.service import Service


def pages(service: Service) -> APIRouter:
    """The page at ``/`` with all that belongs to it; none of it is in the OpenAPI document."""
    desk = Desk(service)
    joined = APIRouter(include_in_schema=False)
    for part in (looking(desk), acts(desk), assets()):
        joined.include_router(part)
    return joined
