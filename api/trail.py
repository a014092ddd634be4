"""The audit trail: events that fit a filter, the newest first."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from access import rights
from api.resources import Moment, Paged, Resource, one_of
from audit import circumstances, telling, trail
from audit.models import Event
from audit.trail import Filter


class EventFilters(Paged):
    person = serializers.CharField(max_length=150, required=False, help_text=trail.FILTERS["person"])
    action = serializers.CharField(max_length=60, required=False, help_text=trail.FILTERS["action"])
    about = serializers.CharField(max_length=100, required=False, help_text=trail.FILTERS["about"])
    result = one_of(*Event.Result.values, required=False)
    how = one_of(*circumstances.WAYS, required=False)
    since = serializers.DateField(required=False, help_text=trail.FILTERS["since"])
    until = serializers.DateField(required=False, help_text=trail.FILTERS["until"])
    request = serializers.CharField(max_length=64, required=False, help_text=trail.FILTERS["request"])


class EventRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    at = Moment()
    person = serializers.CharField(source="actor_name")
    on_behalf_of = serializers.CharField()
    how = serializers.CharField()
    action = serializers.CharField()
    sentence = serializers.SerializerMethodField(help_text="what was done, to be read after the name of who did it")
    about = serializers.CharField(source="subject")
    result = serializers.ChoiceField(choices=Event.Result.values)
    detail = serializers.DictField()
    address = serializers.CharField()
    request = serializers.CharField(source="request_id")

    def get_sentence(self, event: Event) -> str:
        return telling.sentence(event)


class Events(Resource):
    """Events of the trail, the newest first."""

    right = rights.SEE_TRAIL
    filters = EventFilters
    gives = EventRow
    many = True

    def get(self, request: Request) -> Response:
        chosen = Filter(**{name: str(value) for name, value in self.chosen.items()})
        if chosen.problems:
            raise ValidationError({"filter": chosen.problems})
        return self.page(chosen.events())
