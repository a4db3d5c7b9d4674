"""Errors a person can act on: what was expected, what was given, why it matters, what to do."""

from __future__ import annotations


class HeadscarpError(Exception):
    """Bad input, told in four parts.

    Parameters
    ----------
    expected : str
        The rule that the input should have met.
    given : str
        The value that was found, echoed.
    why : str
        What would go wrong if the work went on.
    fix : str
        What the user can do about it.

    Examples
    --------
    >>> print(HeadscarpError("a spacing above 0 m", "-10 m", "a grid needs extent", "pass --spacing 10"))
    expected: a spacing above 0 m
    given:    -10 m
    why:      a grid needs extent
    do:       pass --spacing 10
    """

    exit_code = 2

    def __init__(self, expected: str, given: str, why: str, fix: str) -> None:
        self.expected, self.given, self.why, self.fix = expected, given, why, fix
        super().__init__(expected, given, why, fix)

    def __str__(self) -> str:
        """Return the four parts, one a line."""
        return (
            f"expected: {self.expected}\ngiven:    {self.given}\nwhy:      {self.why}\ndo:       {self.fix}"
        )


class SceneError(HeadscarpError):
    """A scene file that cannot be read, or whose facts or values contradict each other."""


class EventError(HeadscarpError):
    """An event, or its windows, that the scenes at hand cannot answer."""


class GridError(HeadscarpError):
    """An area, a grid or a coordinate reference system that cannot be used."""


class OutputError(HeadscarpError):
    """A run folder that cannot be written or read."""


class OptionsError(HeadscarpError):
    """An option, or a configuration file, outside its range."""
