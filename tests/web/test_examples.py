"""The examples of the documentation run as they are written."""

from __future__ import annotations

import importlib.util
import io
import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from wsgiref.util import setup_testing_defaults

import pytest
from world import QUEUE, World

from .serving import SECRET, TOKEN, serving, signed, text

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def environment(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """What the examples find in their environment."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE_URL": world.settings.database_url.replace("+psycopg", ""),
        "CXONE_URL": world.simulator.url,
        "CLIENT_ID": "demo-client",
        "CLIENT_SECRET": "demo-secret",
        "QUEUE_ID": QUEUE,
        "WEBHOOK_SECRET": SECRET,
        "API_TOKEN": TOKEN,
    }.items():
        monkeypatch.setenv(f"SMS_FSM_{name}", value)
    return world


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wsgi(environment: World) -> Iterator[ModuleType]:
    module = _module("embed_wsgi")
    yield module
    module.engine.close()


def _post(app: Callable[..., list[bytes]], body: bytes, headers: dict[str, str]) -> tuple[str, str]:
    """What a WSGI application answers."""
    environ: dict[str, object] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/webhooks/cxone",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    setup_testing_defaults(environ)
    statuses: list[str] = []
    answer = app(environ, lambda status, _: statuses.append(status))
    return statuses[0], b"".join(answer).decode()


def test_the_plain_example_answers_a_text(
    environment: World, capsys: pytest.CaptureFixture[str]
) -> None:
    runpy.run_path(str(EXAMPLES / "embed_plain.py"), run_name="__main__")
    assert capsys.readouterr().out.strip() == "awaiting_delivery"
    (conversation,) = environment.engine.conversations()
    assert environment.posted(conversation.id) == ["Hello?", "Hello! How can we help?"]


def test_the_plain_example_is_ten_lines_long() -> None:
    lines = (EXAMPLES / "embed_plain.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 10


def test_the_wsgi_example_stores_a_signed_text(wsgi: ModuleType, environment: World) -> None:
    body = json.dumps(text("m-1")).encode()
    status, answer = _post(wsgi.app, body, signed(body))
    assert status == "200 OK"
    identity = json.loads(answer)["results"][0]["conversation"]
    assert environment.conversation(identity).state == "new"


def test_the_wsgi_example_refuses_what_is_unsigned_or_too_long(wsgi: ModuleType) -> None:
    assert _post(wsgi.app, b"{}", {})[0].startswith("401")
    assert _post(wsgi.app, b"x" * 300_000, {})[0].startswith("413")


def test_the_fastapi_example_serves_webhooks_api_and_page_under_its_prefix(
    environment: World,
) -> None:
    module = _module("embed_fastapi")
    body = json.dumps(text("m-1", external_customer_id="7")).encode()
    with serving(module.app) as client:
        assert client.post("/sms/webhooks/cxone", data=body, headers=signed(body)).ok
        assert client.get("/tickets/7").json()["ticket"] == "7"
        assert client.call("GET", "/sms/conversations").json()["items"][0]["messages"] == []
        assert client.get("/sms/").headers["Location"] == "login"
        answer = client.post("/sms/login", data={"name": "Mara", "token": TOKEN})
        assert "Path=/sms/" in answer.headers["Set-Cookie"]
        assert client.get("/sms/static/page.css").status_code == 200
        home = client.get("/sms/")
        assert home.status_code == 200
        assert client.get("/sms/dead-letters").status_code == 200
