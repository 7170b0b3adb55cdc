"""Names of signals: the same under every Python."""

from types import SimpleNamespace
from typing import Any

import pytest
from amaranth import tracer

from softstream.hw.streams.signal_names import install_name_tracer, variable_name

install_name_tracer()


@pytest.mark.parametrize("name_of", [tracer.get_var_name, variable_name], ids=["Amaranth's", "softstream's"])
def test_a_call_has_the_name_of_its_variable(name_of: Any) -> None:
    names: list[str | None] = []

    class Traced:
        def __init__(self, *values: Any, **options: Any) -> None:
            names.append(name_of(2, None))
            self.shape = values

        def clone(self) -> "Traced":
            return self

    def use(*values: Any) -> Any:
        return values

    place = SimpleNamespace(inner=SimpleNamespace())
    # One after the other, so that Python 3.13 joins the store of one with the load of the next.
    first = Traced()
    use(first)
    second = Traced(1, width=8)
    third = second
    place.inner.fourth = fourth = Traced(*[third])
    place.fifth = Traced()
    sixth = Traced().shape
    one, other = Traced(), Traced()
    items = [Traced()]
    use(Traced(), fourth, sixth, one, other, items)
    method = Traced().clone()
    table = {"key": Traced()}
    table["seventh"] = Traced()
    for number in range(2):
        eighth = Traced(number)

        def inner() -> Any:
            nonlocal eighth
            eighth = Traced()
            return eighth

    if inner() and method:
        late = Traced()
    listed = [Traced() for _ in range(2)]
    use(late, listed)
    assert names == [
        *("first", "second", "fourth", "fifth", "sixth", None, "other", "items", None, None, None, None),
        *("eighth", "eighth", "eighth", "late", None, None),
    ]


def test_a_call_without_a_variable_is_an_error_if_there_is_no_default() -> None:
    def trace() -> str:
        return variable_name()

    named = trace()
    assert named == "named"
    with pytest.raises(tracer.NameNotFound):
        print(trace())
