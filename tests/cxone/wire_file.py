"""The wire file as a judge of requests: does this one follow it?"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml
from jsonschema import Draft202012Validator
from requests import PreparedRequest

_FILE = Path(__file__).parents[1] / "data" / "cxone-openapi.yaml"


@cache
def wire() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return document


def check(schema: dict[str, Any], value: Any) -> None:
    """Components are laid beside the schema, where its references look for them."""
    Draft202012Validator({**schema, "components": wire()["components"]}).validate(value)


def operation_of(request: PreparedRequest) -> str:
    """The operationId that this request is; its body and query are checked against its schema."""
    url = urlsplit(str(request.url))
    for template, item in wire()["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), url.path):
            operation = item[str(request.method).lower()]
            _check_query(operation, dict(parse_qsl(url.query)))
            _check_body(operation, request)
            return str(operation["operationId"])
    raise AssertionError(f"no path {url.path}")


def _check_query(operation: dict[str, Any], query: dict[str, str]) -> None:
    parameters = {each["name"]: each for each in operation.get("parameters", ())}
    assert query.keys() <= parameters.keys()
    assert {name for name, each in parameters.items() if each.get("required")} <= query.keys()
    for name, value in query.items():
        check(parameters[name]["schema"], value)


def _check_body(operation: dict[str, Any], request: PreparedRequest) -> None:
    contents = operation.get("requestBody", {}).get("content", {})
    if not contents:
        assert request.body is None
        return
    (kind, content), *_ = contents.items()
    assert request.headers["Content-Type"] == kind
    check(content["schema"], body_of(request))


def body_of(request: PreparedRequest) -> Any:
    if request.headers["Content-Type"] == "application/json":
        return json.loads(request.body or b"")
    return dict(parse_qsl(str(request.body)))
