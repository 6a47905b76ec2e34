"""The operator's page: what the machine does, and setting stuck work going again."""

from sms_fsm.web.page.routing import pages

__all__ = ["pages"]
