"""The page a person reads after a run: ``report.html``, one file that loads nothing."""

from headscarp.report.page import write_report

__all__ = ["write_report"]
