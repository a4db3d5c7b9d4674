"""Trainings that cannot begin, go on, or end."""

from __future__ import annotations

from headscarp.errors import HeadscarpError


class TrainError(HeadscarpError):
    """A training that cannot begin, go on, or keep what it has learned."""
