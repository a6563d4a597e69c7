"""Outputs and values that are the same, and those that are not."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from palaestra.envs.code.compare import same_json, same_output


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ("3\n", "3"),
        ("3", "3\n\n \n"),
        ("1  2\t3 \r\n", "1 2 3\n"),
        ("  1\n2", "1\n2"),
        ("", "\n"),
        ("0.3333333", "0.333333333333"),
        ("7.0", "7"),
        ("7", "7.000"),
        ("2.9999999", "3"),
        ("1e3", "1000"),
        (".5", "0.5"),
        ("-0.0", "0.0"),
        ("1000000.5", "1000000.0"),
        ("x=0.5 1.0000001", "x=0.5 1.0"),
        ("nan inf", "nan inf"),
        ("1" * 500 + ".5", "1" * 500 + ".5"),
        ("1e21", "1000000000000000000000"),
    ],
)
def test_outputs_that_are_the_same(actual: str, expected: str) -> None:
    assert same_output(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ("", "3"),
        ("3", "4"),
        ("1 2", "1\n2"),
        ("1\n\n2", "1\n2"),
        ("\n3", "3"),
        ("12", "1 2"),
        ("3 3", "3"),
        ("1000000008", "1000000007"),
        ("1000000007.1", "1000000007"),
        ("1.0000000071e9", "1000000007"),
        ("1000000000000000000001.0", "1000000000000000000000"),
        ("3.00001", "3"),
        ("0.33333", "0.333333333"),
        ("007", "7"),
        ("x1.0", "x1.00"),
        ("nan", "1.0"),
        ("inf", "1.0"),
        ("1e999999999", "1.0"),
        ("1.0", "1e-999999999999999999999"),
        ("1_0.0", "10.0"),
        ("١.0", "1.0"),
        ("0x10", "16.0"),
        ("1e5000000000", "inf"),
        ("YES", "yes"),
    ],
)
def test_outputs_that_differ(actual: str, expected: str) -> None:
    assert not same_output(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (3, 3),
        (3.0, 3),
        (3, 3.0),
        (0.1 + 0.2, 0.3),
        (1e12 + 1.0, 1e12),
        ((1, (2, "a")), [1, [2, "a"]]),
        ({1: "b", False: "c", None: 2.0}, {"1": "b", "false": "c", "null": 2}),
        ({2: "a", 1.5: None}, {"2": "a", "1.5": None}),
        (True, True),
        (None, None),
        (float("inf"), float("inf")),
        (float("nan"), float("nan")),
        (10**400, 10**400),
        ([[]], [[]]),
    ],
)
def test_values_that_are_the_same(actual: Any, expected: Any) -> None:
    assert same_json(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (True, 1),
        (1, True),
        (0, False),
        (0.0, None),
        ("3", 3),
        (3, "3"),
        (b"a", "a"),
        ({1, 2}, [1, 2]),
        ("ab", ["a", "b"]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({1: "a", "1": "b"}, {"1": "a", "2": "b"}),
        ({(1,): 2}, {"[1]": 2}),
        ([1, 2], [2, 1]),
        ([1], 1),
        (1, [1]),
        (3.00001, 3),
        (1000000008, 1000000007),
        (10**400, 1.0),
        (1.0, 10**400),
        (10**400 + 1, 10**400),
        (float("nan"), 1.0),
        (float("inf"), 1e308),
        (1 + 0j, 1),
        ([0], {}),
        (object(), 1),
    ],
)
def test_values_that_differ(actual: Any, expected: Any) -> None:
    assert not same_json(actual, expected)


def test_hostile_values_are_compared_in_no_time() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    began = time.process_time()
    assert not same_json(deep, [[[1]]])
    assert not same_json({1 << 3_000_000: 1}, {"1": 1})
    assert not same_json(1 << 3_000_000, (1 << 3_000_000) + 1)
    assert not same_output("9" * 4_000_000, "1.0")
    assert not same_output("1e" + "9" * 300, "1.5")
    assert not same_output("\n" * 4_000_000 + "x", "y")
    assert same_output("1.00000001 " * 20_000, "1.0 " * 20_000)
    assert time.process_time() - began < 3.0
    while deep:
        deep = deep[0]  # taken apart here, because the interpreter would do it by recursion


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_every_value_is_its_own(value: Any) -> None:
    assert same_json(value, value)


@given(json_values, json_values)
def test_any_two_values_are_compared(left: Any, right: Any) -> None:
    assert same_json(left, right) in (True, False)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_two_texts_are_compared(left: str, right: str) -> None:
    assert same_output(left, left)
    assert same_output(left, right) == same_output(left + "\n", right)
