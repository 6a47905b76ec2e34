"""The schema for editors and the loader agree."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pytest
from graph_documents import SMALL, SMALL_NAMES, small
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from sms_fsm.graph import (
    ClosedPolicy,
    EventKind,
    OnFailure,
    UnknownCodes,
    check_text,
    default_graph_text,
)
from sms_fsm.graph.findings import Findings
from sms_fsm.graph.resolution import MAX_STATES
from sms_fsm.graph.shape import KEYS
from sms_fsm.graph.yaml_tree import MAX_VALUE, ListNode, MapNode, Node, read_tree

SCHEMA = json.loads((files("sms_fsm.graph") / "states.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft7Validator(SCHEMA)
IN_SCHEMA = {"failed_delivery": "failedDelivery", "delivery_poll": "deliveryPoll"}


def plain(node: Node) -> Any:
    """The node as the data that an editor sees, by the core schema of YAML 1.2."""
    match node:
        case MapNode():
            return {key: plain(value) for key, (_, value) in node.entries.items()}
        case ListNode():
            return [plain(item) for item in node.items]
    if node.kind in {"null", "boolean", "number"}:
        return json.loads(node.text.lower() or "null")
    return node.text


def data(text: str) -> Any:
    return plain(read_tree(text, Findings()))


def definition(kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = {"document": SCHEMA, **SCHEMA["definitions"]}[
        IN_SCHEMA.get(kind, kind)
    ]
    return found


def objects(schema: Any) -> list[Mapping[str, Any]]:
    """Every part of the schema that describes a mapping with fixed keys."""
    parts = schema.values() if isinstance(schema, dict) else schema
    inner = [found for part in parts if isinstance(part, dict | list) for found in objects(part)]
    is_object = isinstance(schema, dict) and schema.get("additionalProperties") is False
    return [schema, *inner] if is_object else inner


def test_the_schema_is_a_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)


def test_the_shipped_graph_fits_the_schema() -> None:
    assert list(VALIDATOR.iter_errors(data(default_graph_text()))) == []


@pytest.mark.parametrize("kind", KEYS)
def test_schema_and_loader_know_the_same_keys(kind: str) -> None:
    schema = definition(kind)
    assert set(schema["properties"]) == KEYS[kind].known
    assert set(schema.get("required", ())) == KEYS[kind].required


def test_the_loader_knows_every_mapping_of_the_schema() -> None:
    assert len(objects(SCHEMA)) == len(KEYS)


def test_every_key_is_described() -> None:
    for part in objects(SCHEMA):
        for name, field in part["properties"].items():
            referred = SCHEMA["definitions"].get(field.get("$ref", "").split("/")[-1], {})
            assert "description" in field | referred, name


def test_schema_and_loader_know_the_same_words_and_limits() -> None:
    definitions = SCHEMA["definitions"]
    policies = definitions["policies"]["properties"]
    unknown_codes = definitions["failedDelivery"]["properties"]["unknown_codes"]
    on_failure = definitions["effect"]["properties"]["on_failure"]
    assert definitions["event"]["properties"]["kind"]["enum"] == list(EventKind)
    assert on_failure["enum"] == list(OnFailure)
    assert policies["closed_conversation"]["enum"] == list(ClosedPolicy)
    assert unknown_codes["enum"] == list(UnknownCodes)
    assert SCHEMA["properties"]["states"]["maxProperties"] == MAX_STATES
    assert definitions["label"]["maxLength"] == MAX_VALUE


ODD = ("[]", "{}", "null", "true", "7", "-1", "1.5", "text", "any", "any but a", "any but", "a.b")
SPOTS = (
    *("graph: small", "version: 2", "initial: true", "kind: timer", "retry_for: 1h"),
    *("on_failure: hold", "id: out", "from: a", "from: b, on: Go", "to: b", "do: call"),
)


@given(st.sampled_from(SPOTS), st.sampled_from(ODD) | st.text("abz059_-. ").map(json.dumps))
def test_schema_and_loader_judge_the_shape_of_a_value_alike(spot: str, value: str) -> None:
    text = small(spot, f"{spot.rsplit(':', 1)[0]}: {value}")
    fits = VALIDATOR.is_valid(data(text))
    codes = {problem.code for problem in check_text(text, SMALL_NAMES)}
    assert fits == (not any(code.startswith(("G0", "G1")) for code in codes))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 2", "version: 2\ncolour: red"),
        ("version: 2\n", ""),
        ("rest: true}\nevents", "rest: yes}\nevents"),
        ("retry_for: 1h", "retry_for: 60"),
        ("id: out, ", ""),
        ("do: call", "do: [call, call]"),
        ("from: a", "from: []"),
        ("kind: timer", "kind: alarm"),
    ],
)
def test_the_schema_finds_slips_while_they_are_written(old: str, new: str) -> None:
    assert not VALIDATOR.is_valid(data(small(old, new)))


def test_the_small_document_fits_the_schema() -> None:
    assert VALIDATOR.is_valid(data(SMALL))
