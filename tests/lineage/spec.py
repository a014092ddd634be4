"""The published OpenLineage schema as JSON Schema, from the official client's classes, which are generated from it.

Each class names the version of the schema that it was made of (`_get_schema`); a facet of an event is checked by the
class that its `_schemaURL` names.
"""

import types
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import attr
from jsonschema import Draft202012Validator, FormatChecker
from openlineage.client import facet_v2
from openlineage.client.event_v2 import RunEvent
from openlineage.client.generated import base

PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
    Any: {},
}
FORMATS = {
    "eventTime": "date-time",
    "runId": "uuid",
    "producer": "uri",
    "_producer": "uri",
    "_schemaURL": "uri",
    "schemaURL": "uri",
    "uri": "uri",
}
STARTED = ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")


@cache
def facet_classes() -> dict[str, type]:
    """Address of its schema → facet class."""
    found = {}
    for module in vars(facet_v2).values():
        if isinstance(module, types.ModuleType) and module.__name__.startswith("openlineage.client.generated."):
            for kind in vars(module).values():
                if isinstance(kind, type) and issubclass(kind, base.BaseFacet):
                    found[kind._get_schema()] = kind
    return found


def complaints(event: dict[str, Any]) -> list[str]:
    """What of an event is not as the schema wants it, its facets included."""
    found = [_told(error) for error in _validator(RunEvent).iter_errors(event)]
    if event.get("eventType") not in STARTED:
        found.append("eventType")
    if event.get("schemaURL") != RunEvent._get_schema():
        found.append("schemaURL")
    for facet in _facets(event):
        kind = facet_classes().get(facet["_schemaURL"])
        found += [_told(e) for e in _validator(kind).iter_errors(facet)] if kind else [f"no {facet['_schemaURL']}"]
    return found


def _facets(part: Any) -> list[dict[str, Any]]:
    """Every facet, at whatever depth."""
    if isinstance(part, list):
        return [facet for item in part for facet in _facets(item)]
    if not isinstance(part, dict):
        return []
    own = [part] if "_schemaURL" in part else []
    return own + [facet for item in part.values() for facet in _facets(item)]


def _told(error: Any) -> str:
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message}"


@cache
def _validator(kind: type) -> Draft202012Validator:
    return Draft202012Validator(_schema(kind), format_checker=FormatChecker())


def _schema(kind: Any) -> dict[str, Any]:
    if kind in PLAIN:
        return PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [one.value for one in kind]}
    if get_origin(kind) in (Union, types.UnionType):
        return {"anyOf": [_schema(one) for one in get_args(kind) if one is not type(None)]}
    if get_origin(kind) is list:
        return {"type": "array", "items": _schema(get_args(kind)[0])}
    if get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": _schema(get_args(kind)[1])}
    return _object(kind)


@cache
def _object(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    properties, required = {}, []
    for field in attr.fields(kind):
        said = _schema(hints[field.name]) if not _recursive(kind, hints[field.name]) else {}
        properties[field.name] = said | ({"format": FORMATS[field.name]} if field.name in FORMATS else {})
        if field.default is attr.NOTHING or field.name in ("producer", "schemaURL", "_producer", "_schemaURL"):
            required.append(field.name)
    closed = not issubclass(kind, base.BaseFacet)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": not closed}


def _recursive(kind: type, hint: Any) -> bool:
    return kind in get_args(hint) or any(_recursive(kind, inner) for inner in get_args(hint))
