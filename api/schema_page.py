"""The page of the API's description; the library that writes it is loaded when somebody asks."""

from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api.resources import Resource
from warehouse.on_use import OnUse

schema = OnUse("api.schema")


class OpenApiRenderer(JSONRenderer):
    media_type = "application/vnd.oai.openapi+json"
    format = "openapi"


class Schema(Resource):
    """The description of this API, as OpenAPI 3.1."""

    renderer_classes = (OpenApiRenderer, JSONRenderer)

    def get(self, request: Request) -> Response:
        return Response(schema.described())
