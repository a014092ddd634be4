"""Modules whose libraries take longer to load than all of Restage, for the few processes that use them."""

from importlib import import_module
from typing import Any


class OnUse:
    """A module that is loaded when something of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
