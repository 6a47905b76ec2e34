"""A client of the simulator, and the wire contract to hold its answers against."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

CUSTOMER, BUSINESS = "+15551234567", "+18885550100"
WIRE_FILE = Path(__file__).parents[1] / "data" / "cxone-openapi.yaml"


@dataclass
class MovableClock:
    """A clock that stands still until it is moved."""

    now: datetime = datetime(2024, 5, 12, 14, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


_FORMATS = FormatChecker()


@_FORMATS.checks("date-time", ValueError)
def is_date_time(value: object) -> bool:
    """RFC 3339 with a zone."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


class Wire:
    """The wire contract, as a judge of bodies."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = yaml.safe_load(WIRE_FILE.read_text("utf-8"))
        resource: Resource[Any] = DRAFT202012.create_resource(self.document)
        self._registry: Registry[Any] = Registry().with_resource("urn:wire", resource)
        self.operations = {
            operation["operationId"]: operation
            for path in self.document["paths"].values()
            for operation in path.values()
            if "operationId" in operation
        }

    def check_schema(self, name: str, body: object) -> None:
        """Raises unless the body is one of ``components.schemas``."""
        self._check({"$ref": f"urn:wire#/components/schemas/{name}"}, body)

    def check_answer(self, operation: str, answer: requests.Response) -> None:
        """Raises unless the answer is one that the operation may give."""
        responses = self.operations[operation]["responses"]
        response = responses.get(str(answer.status_code)) or responses["default"]
        if "$ref" in response:
            response = self.document["components"]["responses"][response["$ref"].split("/")[-1]]
        if "content" in response:
            assert answer.headers["content-type"] == "application/json"
            schema = response["content"]["application/json"]["schema"]
            self._check(_absolute(schema), answer.json())

    def _check(self, schema: object, body: object) -> None:
        validator = Draft202012Validator(
            schema,  # type: ignore[arg-type]  # a schema read from a file
            registry=self._registry,
            format_checker=_FORMATS,
        )
        validator.validate(body)


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: f"urn:wire{value}" if key == "$ref" else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(one) for one in schema] if isinstance(schema, list) else schema


@dataclass
class Client:
    """Calls operations by name, and checks every answer against the wire contract."""

    url: str
    wire: Wire
    session: requests.Session
    timeout: float = 5.0
    token: str = field(default="", repr=False)

    def call(
        self,
        operation: str,
        conversation_id: str = "{id}",
        *,
        json: Any = None,
        params: dict[str, str] | None = None,
    ) -> requests.Response:
        answer = self.raw(operation, conversation_id, json=json, params=params)
        self.wire.check_answer(operation, answer)
        return answer

    def raw(self, operation: str, conversation_id: str = "{id}", **given: Any) -> requests.Response:
        """As ``call``, for answers that are to be wrong."""
        method, path = self._line(operation)
        url = self.url + path.replace("{conversationId}", conversation_id)
        bearer = {"Authorization": f"Bearer {self.token}"}
        options: dict[str, Any] = {"timeout": self.timeout, "headers": bearer}
        options |= {"allow_redirects": False} | given
        return self.session.request(method, url, **options)

    def ask_token(self, **form: str) -> requests.Response:
        given = {"grant_type": "client_credentials"} | form
        secret = {"client_id": "demo-client", "client_secret": "demo-secret"} | given
        url = f"{self.url}/api/v2/oauth/token"
        return self.session.post(url, data=secret, timeout=self.timeout)

    def log_in(self, **form: str) -> None:
        answer = self.ask_token(**form)
        self.wire.check_answer("issueToken", answer)
        self.token = answer.json()["access_token"]

    def find(self, address: str = CUSTOMER, **params: str) -> list[dict[str, Any]]:
        query = {"channel_type": "sms", "participant_address": address} | params
        found: list[dict[str, Any]] = self.call("findConversations", params=query).json()
        return found

    def open(self, address: str = CUSTOMER, reference: str = "c:1", **fields: Any) -> str:
        """Looks up and creates a conversation; gives its id."""
        self.find(address)
        body = new_conversation(address, reference) | fields
        self.wire.check_schema("NewConversation", body)
        return str(self.call("createConversation", json=body).json()["conversationId"])

    def post(self, conversation_id: str, text: str = "hi", **fields: Any) -> requests.Response:
        return self.call("postMessage", conversation_id, json=new_message(text, **fields))

    def statuses(self, conversation_id: str) -> list[str]:
        """The delivery records' statuses, oldest message first."""
        records = self.call("listDeliveryStatus", params={"conversation_id": conversation_id})
        return [record["status"] for record in records.json()]

    def _line(self, operation: str) -> tuple[str, str]:
        for path, methods in self.wire.document["paths"].items():
            for method, described in methods.items():
                if isinstance(described, dict) and described.get("operationId") == operation:
                    return method.upper(), path
        raise KeyError(operation)


def new_conversation(address: str = CUSTOMER, reference: str = "c:1") -> dict[str, Any]:
    properties = {"business_address": BUSINESS, "client_reference": reference}
    return {
        "channel_type": "sms",
        "initiated_by": "customer",
        "direction": "inbound",
        "participants": [
            {
                "role": "customer",
                "address": address,
                "address_type": "phone",
                "properties": properties,
            }
        ],
        "routing": {"strategy": "queue", "queue_id": "queue_sms", "skills": ["sms"]},
        "status": "active",
    }


def new_message(text: str = "hi", reference: str = "m:1", **fields: Any) -> dict[str, Any]:
    return {
        "direction": "outbound",
        "type": "text",
        "content": {"text": text},
        "metadata": {"client_reference": reference},
    } | fields
