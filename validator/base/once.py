"""A property that is computed when it is first asked for, and is the same object ever after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

_T = TypeVar("_T")


class once(Generic[_T]):
    """As ``functools.cached_property``, for an object that threads share.

    Threads that ask first at the same time may each compute the value, but all of them get the one that was kept. (With
    ``cached_property`` of Python 3.12 and newer each would get its own.)
    """

    def __init__(self, make: Callable[[Any], _T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, obj: None, owner: type) -> once[_T]: ...

    @overload
    def __get__(self, obj: object, owner: type) -> _T: ...

    def __get__(self, obj: object | None, owner: type) -> once[_T] | _T:
        if obj is None:
            return self
        value: _T = obj.__dict__.setdefault(self._name, self._make(obj))
        return value
