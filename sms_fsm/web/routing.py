"""All routes together, for the service's own application and for a host's."""

from __future__ import annotations

from fastapi import APIRouter

from sms_fsm.config import Settings
from sms_fsm.engine import Engine
from sms_fsm.errors import SettingsError
from sms_fsm.web.api import api
from sms_fsm.web.health import health
from sms_fsm.web.ingress import webhooks
from sms_fsm.web.page import pages
from sms_fsm.web.service import Service


def router(engine: Engine, settings: Settings, *, insecure: bool = False) -> APIRouter:
    """The service's routes for a host's own application. The host starts workers itself.

    Raises:
        SettingsError: webhooks are not signed, and ``insecure`` was not said.
    """
    check_secrets(engine, insecure=insecure)
    service = Service.of(engine, settings)
    service.start()
    return routes(service)


def routes(service: Service) -> APIRouter:
    """Everything that the service answers."""
    joined = APIRouter()
    for part in (webhooks, health, api, pages):
        joined.include_router(part(service))
    return joined


def check_secrets(engine: Engine, *, insecure: bool) -> None:
    """Refuse to take callbacks from anybody.

    Raises:
        SettingsError: webhooks are not signed, and nobody said that this is meant.
    """
    if not engine.verifies_webhooks and not insecure:
        raise SettingsError(
            "webhook_secret: missing (SMS_FSM_WEBHOOK_SECRET); without it anybody can send "
            "callbacks. To allow that, say so: --insecure"
        )
