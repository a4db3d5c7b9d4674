"""The page and the figures of an evaluation: ``report.html`` and ``figures/``, from its folder alone."""

from headscarp.report.evaluation.page import write_evaluation_report

__all__ = ["write_evaluation_report"]
