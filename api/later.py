"""Views that are loaded with the first request for them: the framework under the API takes as long to load as a third
of Restage, and no command and no page needs it."""

from functools import cached_property
from importlib import import_module
from typing import Any

from django.http import HttpRequest, HttpResponseBase


class Later:
    """The view of a resource of a module of this room. It looks after logins and forged requests itself."""

    login_required = False
    csrf_exempt = True

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    @cached_property
    def view(self) -> Any:
        return getattr(import_module(f"api.{self._module}"), self._name).as_view()

    @property
    def right(self) -> str:
        return str(self.view.right)

    def __call__(self, request: HttpRequest, **given: Any) -> HttpResponseBase:
        answered: HttpResponseBase = self.view(request, **given)
        return answered
