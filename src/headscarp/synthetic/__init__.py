"""A generated event, written in the same formats as a real one."""

from __future__ import annotations

from headscarp.synthetic.event import write_demo_event

__all__ = ["write_demo_event"]
