"""Answers compared with what the API says of itself in OpenAPI."""

import re
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

HERE = "urn:api"


class Checked:
    def __init__(self, described: dict[str, Any]) -> None:
        self._paths = described["paths"]
        whole = Resource.from_contents(described, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(HERE, whole)

    def answer(self, method: str, path: str, answer: Any, said: Any) -> None:
        """Raises AssertionError, or what the validator raises."""
        if path == "schema/":
            return
        responses = self._of(path).get(method, {}).get("responses", {})
        kind, status = answer.headers["Content-Type"], str(answer.status_code)
        if status in responses:
            assert kind == "application/json"
            self._valid(responses[status]["content"][kind]["schema"], said)
        else:
            assert answer.status_code >= 400 and kind == "application/problem+json", (answer.status_code, kind)
            self._valid({"$ref": "#/components/schemas/Problem"}, said)
            assert said["status"] == answer.status_code and said["request"] == answer.headers["X-Request-ID"]

    def _of(self, path: str) -> dict[str, Any]:
        for template, methods in self._paths.items():
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
            if re.fullmatch(pattern, f"/api/v1/{path}"):
                return dict(methods)
        return {}

    def _valid(self, schema: dict[str, Any], said: Any) -> None:
        text = {name: f"{HERE}{value}" if name == "$ref" else value for name, value in schema.items()}
        Draft202012Validator(text, registry=self._registry).validate(said)
