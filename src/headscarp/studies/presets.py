"""Studies that come with the package, as YAML files beside their code."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from headscarp.errors import OptionsError

PRESETS = {
    "pan_shi": ("small", "paper"),
    "sen12": ("small", "hokkaido"),
    "sar2ndvi": ("small", "hualien"),
}
"""By study."""


def study_file(study: str, config: Path | None, preset: str | None) -> Path:
    """The file of a study: the one that is given, or a preset.

    Raises
    ------
    OptionsError
        If both or neither are given, or there is no preset of that name.
    """
    names = PRESETS[study]
    if (config is None) == (preset is None):
        raise OptionsError(
            f"--config FILE or --preset {'|'.join(names)}",
            "both" if config else "neither",
            "what the study is made of would not be known",
            "give one of them",
        )
    if config is not None:
        return config
    if preset not in names:
        raise OptionsError(
            f"a preset: {' or '.join(names)}",
            repr(preset),
            "what the study is made of would not be known",
            "name one of them, or give --config FILE",
        )
    return Path(str(resources.files("headscarp.studies").joinpath(study, "presets", f"{preset}.yaml")))
