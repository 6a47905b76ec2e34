"""``serve``: webhooks, API and operator's page over HTTP, with a worker beside them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from sms_fsm.cli.failures import CommandError
from sms_fsm.cli.log_lines import json_log_lines
from sms_fsm.cli.options import ClientId, CXoneUrl, DatabaseUrl, GraphOption, QueueId, Workers
from sms_fsm.cli.signals import stop_on_signals
from sms_fsm.config import Settings
from sms_fsm.engine import Engine
from sms_fsm.logs import get_logger

Host = Annotated[
    str,
    typer.Option(
        "--host",
        metavar="ADDRESS",
        help="Where to listen; others than this machine: 0.0.0.0, behind a proxy that speaks TLS.",
    ),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 picks a free one.")]
WithWorker = Annotated[
    bool,
    typer.Option(
        "--worker/--no-worker", help="Carry out effects here, too, or leave them to `work`."
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Take callbacks from anybody: they are not signed.")
]


def serve(
    *,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    worker: WithWorker = True,
    insecure: Insecure = False,
    workers: Workers = None,
    database_url: DatabaseUrl = None,
    graph: GraphOption = None,
    cxone_url: CXoneUrl = None,
    client_id: ClientId = None,
    queue_id: QueueId = None,
) -> None:
    """Serve webhooks, JSON API, metrics and the operator's page, until a signal comes.

    Callbacks must be signed with SMS_FSM_WEBHOOK_SECRET; API and page ask for SMS_FSM_API_TOKEN.
    The first SIGTERM or SIGINT finishes what is held and exits 0, the second exits at once. Logs
    are JSON lines on stderr.
    """
    settings = Settings.from_env(
        workers=workers,
        database_url=database_url,
        graph=graph,
        cxone_url=cxone_url,
        client_id=client_id,
        queue_id=queue_id,
    )
    log = get_logger(__name__)
    with json_log_lines(), stop_on_signals() as stop, Engine.from_settings(settings) as engine:
        with _served(engine, settings, host, port, stop, worker=worker, insecure=insecure) as url:
            log.info(
                "service.started",
                url=url,
                worker=worker,
                signed=engine.verifies_webhooks,
                page="on" if settings.api_token else "off: set SMS_FSM_API_TOKEN",
            )
            stop.wait()
            log.info("service.draining")
        log.info("service.stopped")


@contextmanager
def _served(
    engine: Engine,
    settings: Settings,
    host: str,
    port: int,
    stop: threading.Event,
    *,
    worker: bool,
    insecure: bool,
) -> Iterator[str]:
    """The service behind its port; told to drain before the port closes.

    Raises:
        CommandError: the extra is missing, or the address cannot be used.
        SettingsError: callbacks are not signed, and nobody said that this is meant.
    """
    try:
        from sms_fsm.web import create_app  # noqa: PLC0415 - an extra, and a second to import
        from sms_fsm.web.page.pictures import warm_up  # noqa: PLC0415
        from sms_fsm.web.server import listening  # noqa: PLC0415
    except ModuleNotFoundError as error:
        hint = "pip install 'sms-fsm[web]'"
        raise CommandError(f"{error.name} is not installed: {hint}") from None
    app = create_app(engine, settings, insecure=insecure, worker=worker)
    threading.Thread(target=warm_up, args=(engine.graph,), daemon=True).start()
    try:
        with listening(app, host, port, stop) as url:
            try:
                yield url
            finally:
                app.state.service.drain()
    except OSError as error:
        raise CommandError(f"{host}:{port}: {error.strerror}") from None
