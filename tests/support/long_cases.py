"""Cases of a test that run in `make test`, and those that run in `make test-long`."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest

__all__ = ["mostly_long", "partly_long"]


def _cases(cases: Iterable[Any], marked: Collection[Any], long: bool) -> list[Any]:
    cases, marked = list(cases), list(marked)
    for case in marked:
        assert case in cases, f"no such case: {case}"
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.long)
        if (case in marked) is long
        else case
        for case in cases
    ]


def mostly_long(cases: Iterable[Any], short: Collection[Any]) -> list[Any]:
    """Parameters of a test: `make test` has the cases in `short`, `make test-long` the others. A tuple is several arguments."""
    return _cases(cases, short, long=False)


def partly_long(cases: Iterable[Any], long: Collection[Any]) -> list[Any]:
    """Parameters of a test: `make test-long` has the cases in `long`, `make test` the others. A tuple is several arguments."""
    return _cases(cases, long, long=True)
