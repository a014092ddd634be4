"""What there is, and what there is not."""

from typing import Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.resources import Resource

LISTS = {
    "runs": "load runs",
    "jobs": "jobs; POST asks for one",
    "approvals": "what waits for a decision",
    "archives": "the catalogue of archives",
    "audit/events": "the audit trail",
    "schema": "all of this, as OpenAPI",
}


class Entry(serializers.Serializer[Any]):
    path = serializers.CharField()
    holds = serializers.CharField()


class Contents(serializers.Serializer[Any]):
    lists = Entry(many=True)


class Index(Resource):
    """What the API has."""

    gives = Contents

    def get(self, request: Request) -> Response:
        return self.one({"lists": [{"path": f"/api/v1/{name}/", "holds": holds} for name, holds in LISTS.items()]})


class Unknown(Resource):
    """Any other path: told as the API tells errors."""

    by_tokens = True

    def get(self, request: Request, rest: str) -> Response:
        slash = "" if rest.endswith("/") else " Paths end with a slash."
        raise Http404(f"There is nothing here.{slash} /api/v1/ lists what there is.")

    post = put = patch = delete = get
