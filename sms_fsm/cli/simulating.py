"""``simulator``: a simulated CXone over HTTP, until a signal stops it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from sms_fsm.cli.failures import CommandError
from sms_fsm.cli.faults import fault_from
from sms_fsm.cli.options import ClientId
from sms_fsm.cli.signals import stop_on_signals
from sms_fsm.cli.terminal import line, note
from sms_fsm.config import Settings
from sms_fsm.simulator import CarrierPlan, Simulator

DEMO_CLIENT = "demo-client"
DEMO_SECRET = "demo-secret"  # noqa: S105 - of a simulated tenant


def simulator(
    *,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 picks a free one.")
    ] = 8650,
    webhook_url: Annotated[
        str | None,
        typer.Option("--webhook-url", metavar="URL", help="Where callbacks go, by POST."),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(
            "--ledger",
            metavar="FILE",
            help="Keep everything in this file, and go on from what it holds.",
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="FAULT",
            help="What goes wrong and when; may be repeated.",
        ),
    ] = None,
    failing: Annotated[
        float, typer.Option("--failing", min=0, max=1, help="Share of texts that carriers fail.")
    ] = 0.0,
    silent: Annotated[
        float,
        typer.Option("--silent", min=0, max=1, help="Share of texts that carriers are silent on."),
    ] = 0.0,
    copies: Annotated[
        int, typer.Option("--copies", min=0, help="How often each callback comes.")
    ] = 1,
    token_lifetime: Annotated[
        int, typer.Option("--token-lifetime", min=1, metavar="SECONDS", help="Of access tokens.")
    ] = 3600,
    seed: Annotated[int, typer.Option("--seed", help="All chance comes from it.")] = 0,
    client_id: ClientId = None,
) -> None:
    """Serve a simulated CXone over HTTP, with faults on request.

    It holds to the wire contract, keeps a ledger (`GET /simulator/ledger`) and judges its
    clients (`GET /simulator/judge`). The client is demo-client with demo-secret, or what
    SMS_FSM_CLIENT_ID and SMS_FSM_CLIENT_SECRET say. Callbacks are signed with
    SMS_FSM_WEBHOOK_SECRET.

    A fault is `OPERATION:KIND` with settings behind it, such as
    `postMessage:reset,probability=0.1` or `findConversations:status,status=503,times=3`.
    """
    _check(webhook_url, ledger)
    settings = Settings.from_env(client_id=client_id)
    served = _simulator(
        settings,
        carrier=CarrierPlan(failing=failing, silent=silent, copies=copies),
        webhook_url=webhook_url,
        ledger=ledger,
        token_lifetime=token_lifetime,
        seed=seed,
    )
    for asked in fault or ():
        served.fault(fault_from(asked))
    with stop_on_signals() as stop, _serving(served, host, port) as url:
        line(f"SMS_FSM_CXONE_URL={url}")
        line(f"SMS_FSM_CLIENT_ID={settings.client_id or DEMO_CLIENT}")
        if settings.client_secret is None:
            line(f"SMS_FSM_CLIENT_SECRET={DEMO_SECRET}")
        note("a simulated CXone; ledger, judge and faults are under /simulator/; stop: Ctrl-C")
        stop.wait()


def _check(webhook_url: str | None, ledger: Path | None) -> None:
    """What would only be noticed when the first call comes."""
    if webhook_url is not None and not webhook_url.startswith(("http://", "https://")):
        raise CommandError("--webhook-url: expected http://HOST/PATH")
    if ledger is not None and not ledger.absolute().parent.is_dir():
        raise CommandError(f"{ledger}: its folder does not exist")


def _simulator(
    settings: Settings,
    *,
    carrier: CarrierPlan,
    webhook_url: str | None,
    ledger: Path | None,
    token_lifetime: int,
    seed: int,
) -> Simulator:
    """A simulator that sends callbacks by itself.

    Raises:
        CommandError: the ledger cannot be used.
    """
    secret = settings.client_secret.get_secret_value() if settings.client_secret else DEMO_SECRET
    try:
        return Simulator(
            seed=seed,
            client_id=settings.client_id or DEMO_CLIENT,
            client_secret=secret,
            token_lifetime_seconds=token_lifetime,
            carrier=carrier,
            webhook_url=webhook_url,
            webhook_secret=next(iter(settings.webhook_secrets), None),
            ledger_path=ledger,
            auto_deliver=True,
        )
    except OSError as error:
        raise CommandError(f"{ledger}: {error.strerror}") from None
    except ValidationError:
        raise CommandError(f"{ledger}: this is no ledger of a simulator") from None


@contextmanager
def _serving(served: Simulator, host: str, port: int) -> Iterator[str]:
    try:
        url = served.start(port, host)
    except OSError as error:
        raise CommandError(f"{host}:{port}: {error.strerror}") from None
    try:
        yield url
    finally:
        served.stop()
