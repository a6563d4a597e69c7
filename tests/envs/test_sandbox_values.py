"""Values cross the border unchanged, and nothing else crosses it."""

import json
import math
import time
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from palaestra.envs.sandbox.inside.values import Foreign, dumps, loads, shown, unpack

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary()
    | st.fractions()
    | st.decimals(allow_nan=False)
)
hashable = st.recursive(scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=6)
values = st.recursive(
    scalars | st.sets(hashable, max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.dictionaries(hashable, inner, max_size=3),
    max_leaves=12,
)


@given(values)
def test_plain_data_survives(value: Any) -> None:
    back = loads(dumps(value))
    assert back == value
    assert type(back) is type(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2) | st.sampled_from("tdsfxgincbarDq"), inner),
    )
)
def test_any_json_is_a_value_or_a_value_error(packed: Any) -> None:
    with suppress(ValueError):
        unpack(packed)


@given(st.binary() | st.text())
def test_any_text_is_a_value_or_a_value_error(text: bytes | str) -> None:
    with suppress(ValueError):
        loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10**6,
        '{"t":' * 10**5,
        "1" * 10**5,
        '{"i":"zz"}',
        '{"s":[[1]]}',
        '{"r":[1,2,0]}',
        '{"D":"1e999999"}',
        '{"q":["' + "7" * 10**6 + '","3"]}',
    ],
)
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        loads(text)


def test_keys_of_one_hash_do_not_take_quadratic_time() -> None:
    prime = 2**61 - 1
    text = json.dumps({"s": [{"i": hex(prime * k)} for k in range(1, 50_000)]})
    started = time.monotonic()
    with pytest.raises(ValueError, match="equal hash"):
        loads(text)
    assert time.monotonic() - started < 9  # a guard against hanging, not a measure of speed


def test_rarer_data_survives() -> None:
    for value in (
        range(3),
        bytearray(b"x"),
        math.inf,
        Decimal("1.50"),
        Fraction(1, 3),
        date(2020, 1, 2),
        timedelta(1, 2),
    ):
        assert loads(dumps(value)) == value
    assert loads(dumps(datetime(2020, 1, 2, 3))) == datetime(2020, 1, 2, 3)
    assert math.isnan(loads(dumps(math.nan)))


def test_a_cycle_is_no_value() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    back = loads(dumps(cycle))
    assert "…" in shown(back) or "too deeply" in shown(back) or back


def test_nothing_foreign_is_equal_or_true() -> None:
    foreign = Foreign("thing")
    assert foreign != foreign
    with pytest.raises(TypeError):
        bool(foreign)
    with pytest.raises(TypeError):
        hash(foreign)


@given(values)
@example(({frozenset()},))
def test_what_is_shown_is_short(value: Any) -> None:
    assert len(shown(value, 60)) <= 60
    if not isinstance(value, set | frozenset | dict) and len(repr(value)) <= 20:
        assert shown(value, 60) == repr(value)


def test_showing_the_huge_is_quick() -> None:
    started = time.monotonic()
    for huge in ([0] * 10**6, "x" * 10**7, 10**10**5, {i: i for i in range(10**6)}, [[[[["x" * 10**6] * 100]]]] * 100):
        assert len(shown(huge)) <= 200
    assert time.monotonic() - started < 5  # a guard against hanging
