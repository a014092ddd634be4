"""The API described as OpenAPI 3.1, from what each resource declares."""

from functools import cache
from typing import Any, cast

from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer
from rest_framework import serializers

from api import once, urls
from api.asking import KINDS
from api.jobs import Jobs, JobWhole
from api.later import Later
from api.problems import CONTENT_TYPE
from api.resources import Resource, Strict


class Problem(serializers.Serializer[Any]):
    """What went wrong: what happened, what it means for the data, what to do (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    request = serializers.CharField(help_text="by which the trail knows the request")
    errors = serializers.DictField(  # type: ignore[assignment]  # taken out of the class by the library: no attribute
        required=False, help_text="parameter or key: what is wrong with it"
    )
    job = serializers.UUIDField(required=False, help_text="the active job that stands in the way")


class Described(AutoSchema):
    """What a Resource says of itself: `filters`, `asks`, `gives`, `many`, and who may."""

    @property
    def resource(self) -> Resource:
        return cast(Resource, self.view)

    def get_operation_id(self) -> str:
        return f"{self.method.lower()}{type(self.resource).__name__}"

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix(f"/{urls.V1}").split("/")[0] or "contents"]

    def get_auth(self) -> list[dict[str, list[str]]]:
        by_tokens = self.method == "GET" or self.resource.by_tokens
        return [{"token": []}, {"session": []}] if by_tokens else [{"session": []}]

    def get_override_parameters(self) -> list[Any]:
        if self.method == "GET":
            return [self.resource.filters] if self.resource.filters is not Strict else []
        if not isinstance(self.resource, Jobs):
            return []
        return [OpenApiParameter(once.HEADER, str, OpenApiParameter.HEADER, description="sent again, it asks once")]

    def get_request_serializer(self) -> Any:
        if isinstance(self.resource, Jobs):
            bodies: dict[str, Any] = {name: kind.body for name, kind in KINDS.items()}
            return PolymorphicProxySerializer("Ask", bodies, resource_type_field_name="kind")
        return self.resource.asks if self.resource.asks is not Strict else None

    def get_response_serializers(self) -> Any:
        view, problem = self.resource, {("default", CONTENT_TYPE): OpenApiResponse(Problem, "what went wrong")}
        if isinstance(view, Jobs) and self.method == "POST":
            again = OpenApiResponse(JobWhole, "the job that the same request has made before")
            return {201: OpenApiResponse(JobWhole, "the job that was made"), 200: again, **problem}
        return {200: _page_of(view.told_by) if view.many else view.told_by, **problem}


def _page_of(row: type[serializers.BaseSerializer[Any]]) -> type[serializers.Serializer[Any]]:
    numbers = {name: serializers.IntegerField() for name in ("count", "page", "pages")}
    return type(f"{row.__name__}Page", (serializers.Serializer,), {**numbers, "results": row(many=True)})


@cache
def described() -> dict[str, Any]:
    """The whole description."""
    patterns = []
    for pattern in urls.resources:
        later = cast(Later, pattern.callback)
        patterns.append(path(str(pattern.pattern), later.view, name=pattern.name))
    generator: Any = SchemaGenerator
    return dict(generator(patterns=patterns).get_schema(request=None, public=True))
