"""``headscarp sensitivity``: what can be found on a stack."""

from headscarp.pipeline.sensitivity.run import run_sensitivity

__all__ = ["run_sensitivity"]
