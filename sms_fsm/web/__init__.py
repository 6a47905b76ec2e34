"""The service over HTTP: webhooks, JSON API, health, metrics and the operator's page.

Needs the extra ``web``. `create_app` is a whole FastAPI application, `router` the same routes for
a host's own.
"""

from sms_fsm.web.app import create_app
from sms_fsm.web.routing import router

__all__ = ["create_app", "router"]
