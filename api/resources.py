"""What every resource of the API has in common: who may, what is asked and told, page by page."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.core import exceptions
from django.core.paginator import Paginator
from django.forms.utils import from_current_timezone
from django.http import QueryDict
from django.utils.timezone import get_current_timezone_name, is_naive
from rest_framework import permissions, serializers, status
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from access import rights
from api.authentication import ByToken
from api.models import Token
from jobs.moment_field import YEARS

PAGE_ROWS, MOST_ROWS = 50, 200
MOST_BYTES = 256 * 1024


class TooLargeError(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"A body has at most {MOST_BYTES // 1024} kB. Nothing was changed."


class Strict(serializers.Serializer[Any]):
    """What is asked. A name that it does not know is an error: it would be thought to be in force."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, QueryDict):
            data = _each_once(data)
        if isinstance(data, Mapping) and (unknown := sorted(set(data) - set(self.fields))):
            raise ValidationError({str(name)[:60]: ["There is nothing of this name."] for name in unknown})
        return super().to_internal_value(data)


def _each_once(given: QueryDict) -> dict[str, Any]:
    """Raises ValidationError."""
    if twice := [name for name, values in given.lists() if len(values) > 1]:
        raise ValidationError({name[:60]: ["It is there more than once."] for name in twice})
    return given.dict()


def one_of(*choices: str, **more: Any) -> serializers.ChoiceField:
    """One of some words."""
    told: dict[str, Any] = {"invalid_choice": f"It must be one of: {', '.join(choices)}."}
    return serializers.ChoiceField(choices=choices, error_messages=told, **more)


class Moment(serializers.DateTimeField):
    """Told in UTC, whatever the zone of the console's pages."""

    def __init__(self, **more: Any) -> None:
        super().__init__(default_timezone=UTC, **more)

    def to_representation(self, value: Any) -> Any:
        return super().to_representation(datetime.fromisoformat(value) if isinstance(value, str) else value)


class At(serializers.DateTimeField):
    """A moment that is asked about, as a form takes it: one that the console's clocks show twice or never is refused.
    The library's own check lets both pass and guesses."""

    def enforce_timezone(self, value: datetime) -> datetime:
        try:
            found = from_current_timezone(value) if is_naive(value) else value
        except exceptions.ValidationError:
            self.fail("make_aware", timezone=get_current_timezone_name())
        if found.year not in YEARS:
            self.fail("overflow")
        return found


class Paged(Strict):
    """The parameters of every list."""

    page = serializers.IntegerField(default=1, min_value=1, max_value=1_000_000, help_text="from 1 on")
    size = serializers.IntegerField(default=PAGE_ROWS, min_value=1, max_value=MOST_ROWS, help_text="rows of a page")


class ByCaller(SimpleRateThrottle):
    """So many requests a minute of each token, or each person with a session; each web process counts its own."""

    scope = "caller"
    rate = "600/min"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        who = f"token-{request.auth.pk}" if isinstance(request.auth, Token) else f"user-{request.user.pk}"
        return f"api-{who}"


class Reaches(permissions.BasePermission):
    """A token reads; with the scope it does what is open to tokens, and never anything else."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        token = request.auth
        if not isinstance(token, Token):
            return True
        if request.method in permissions.SAFE_METHODS:
            return True
        if not (isinstance(view, Resource) and view.by_tokens):
            self.message = "No token does this: it is a person's act. Log in to the console."
        elif token.scope != Token.Scope.ASK:
            self.message = f"The token {token.name} only reads. Make one that also asks for jobs."
        else:
            return True
        return False


class Resource(APIView):
    """`right`: without it nothing here is shown or done; what an act needs besides, its own function demands.

    `by_tokens`: whether more than reading is open to tokens. `filters`: the parameters of GET. `asks`: the body of
    POST. `gives`: one thing that is told; with `many` a page.
    """

    right: ClassVar[str] = rights.SEE
    by_tokens: ClassVar[bool] = False
    filters: ClassVar[type[Strict]] = Strict
    asks: ClassVar[type[Strict]] = Strict
    gives: ClassVar[type[serializers.BaseSerializer[Any]] | None] = None
    many: ClassVar[bool] = False

    authentication_classes = (ByToken, SessionAuthentication)
    permission_classes = (permissions.IsAuthenticated, Reaches)
    throttle_classes = (ByCaller,)
    renderer_classes: tuple[type[BaseRenderer], ...] = (JSONRenderer,)
    parser_classes = (JSONParser,)
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    @classmethod
    def as_view(cls, **given: Any) -> Any:
        view = super().as_view(**given)
        view.__dict__["right"] = cls.right  # the tests of all views read it
        return view

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        rights.demand(request.user, self.right)
        reads = request.method in permissions.SAFE_METHODS
        self.wanted = _valid(self.filters if reads else Strict, request.query_params)
        if _bytes(request) > MOST_BYTES:
            raise TooLargeError()

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {**super().default_response_headers, "Cache-Control": "no-store"}

    @property
    def user(self) -> User:
        return cast(User, self.request.user)

    @property
    def token(self) -> Token | None:
        return self.request.auth if isinstance(self.request.auth, Token) else None

    def body(self, kind: type[Strict] | None = None) -> dict[str, Any]:
        """What was sent, as it must be. Raises ValidationError."""
        return _valid(kind or self.asks, self.request.data)

    @property
    def told_by(self) -> type[serializers.BaseSerializer[Any]]:
        """What `gives` is, of a resource that answers with anything. Raises TypeError."""
        if self.gives is None:
            raise TypeError(f"{type(self).__name__} does not say what it gives.")
        return self.gives

    def one(self, found: Any) -> Response:
        return Response(self.told_by(found).data)

    def page(self, found: Any) -> Response:
        """The page that was asked for; one beyond the last is empty."""
        paginator = Paginator(found, self.wanted["size"])
        number, pages = self.wanted["page"], paginator.num_pages
        rows = paginator.page(number).object_list if number <= pages else []
        told = self.told_by(rows, many=True).data
        return Response({"count": paginator.count, "page": number, "pages": pages, "results": told})

    @property
    def chosen(self) -> dict[str, Any]:
        """The filters that were given, without what turns pages."""
        return {name: value for name, value in self.wanted.items() if name not in ("page", "size")}


def _bytes(request: Request) -> int:
    """How long the body says that it is: no more of it is ever read."""
    told = str(request.META.get("CONTENT_LENGTH") or 0)
    return int(told) if told.isdecimal() and len(told) < 16 else 0


def _valid(kind: type[Strict], given: Any) -> dict[str, Any]:
    asked = kind(data=given)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)
