"""Every error tells four parts, and is one family that the command line can catch."""

from __future__ import annotations

import pickle

import pytest

from headscarp.errors import (
    EventError,
    GridError,
    HeadscarpError,
    OptionsError,
    OutputError,
    SceneError,
)

KINDS = [SceneError, EventError, GridError, OutputError, OptionsError]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_prints_its_four_parts_one_a_line(kind: type[HeadscarpError]) -> None:
    error = kind("a rule", "a value", "a consequence", "a remedy")
    assert str(error).splitlines() == [
        "expected: a rule",
        "given:    a value",
        "why:      a consequence",
        "do:       a remedy",
    ]
    assert (error.expected, error.given, error.why, error.fix) == (
        "a rule",
        "a value",
        "a consequence",
        "a remedy",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_caught_as_one_family_and_ends_with_code_2(kind: type[HeadscarpError]) -> None:
    with pytest.raises(HeadscarpError) as caught:
        raise kind("a", "b", "c", "d")
    assert caught.value.exit_code == 2


def test_an_error_survives_the_way_back_from_a_worker_process() -> None:
    error = pickle.loads(pickle.dumps(SceneError("a", "b", "c", "d")))
    assert isinstance(error, SceneError)
    assert str(error) == str(SceneError("a", "b", "c", "d"))


def test_a_part_cannot_be_left_out() -> None:
    with pytest.raises(TypeError):
        SceneError("a", "b", "c")  # type: ignore[call-arg]
