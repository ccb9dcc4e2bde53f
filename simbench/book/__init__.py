"""Books out of events: order by order, by price and by level number, in one relocatable array of integers."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """This package, which can be called: `simbench.book(path)` is a function of the API that shares its name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return import_module("simbench.api").book(*arguments, **options)  # by name: this room imports nothing of it


sys.modules[__name__].__class__ = _Room
