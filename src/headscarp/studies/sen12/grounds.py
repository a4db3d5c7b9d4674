"""Patches of the study: stores of chips by what a model sees, and the splits that all models share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headscarp.chips.store import ChipStore, open_store
from headscarp.errors import OptionsError
from headscarp.features.sets import FeatureSet, feature_set
from headscarp.ingest.sen12landslides import ALIGNED, read_task_splits
from headscarp.pipeline.sen12 import (
    PatchReport,
    blocked_folds,
    make_patch_chips,
    official_splits,
    read_patch_report,
)
from headscarp.pipeline.sen12.variants import with_variants
from headscarp.pipeline.stages import Progress, silent
from headscarp.split import SplitFile
from headscarp.studies.sen12.options import FEATURES, SENSORS, Look, Sen12Options, SplitChoice
from headscarp.studies.sharing import held

STORES = "stores"
_SERIES = {"official_asc": "s1asc", "official_dsc": "s1dsc", "aligned": ALIGNED}


@dataclass(frozen=True)
class Grounds:
    """Stores and splits of a study, made when they are first asked for.

    Attributes
    ----------
    options : Sen12Options
    root : Path
        Folder of the study.
    progress : callable
    """

    options: Sen12Options
    root: Path
    progress: Progress = silent

    def store(self, look: Look, split: SplitChoice) -> ChipStore:
        """Chips of the patches of a split, in the channels that a model sees.

        Raises
        ------
        OptionsError
            If the folders of patches or splits are not given.
        """
        sensors = SENSORS[split]
        features = self.features(look, split)
        path = self.root / STORES / f"{'_'.join(sensors)}_{features.name}.zarr"
        given = self._patches()
        with held(path):
            if path.exists():  # of this study, whose key names root and tasks
                return open_store(path)
            return make_patch_chips(
                given.root,
                sensors,
                features,
                self.official(),
                path,
                inventories=(self.options.inventory,),
                s2_offset=self.options.s2_offset,
                progress=self.progress,
            )

    def reports(self) -> dict[str, PatchReport]:
        """Reports of the stores that were made so far, by the store's name."""
        stores = sorted((self.root / STORES).glob("*.zarr"))
        return {path.stem: read_patch_report(path) for path in stores}

    def features(self, look: Look, split: SplitChoice) -> FeatureSet:
        """Channels of a model on a split, with those of the variants; the name says which, and the offset."""
        own = feature_set(FEATURES[look][SENSORS[split]])
        return with_variants(own, self.options.variants, self.options.s2_offset)

    def split(self, store: ChipStore, split: SplitChoice, fold: int) -> SplitFile:
        """The split itself: an official one as it is, or a fold over blocks of ground."""
        if split == "blocked":
            return blocked_folds(store.facts, self.options.folds)[fold]
        series = _SERIES[split]
        own = [one for one in self.official() if one.chips[0].series == series]
        return official_splits(store.facts, own)[series]

    def official(self) -> list[SplitFile]:
        """The splits of the task folder."""
        return [task.split for task in read_task_splits(self._patches().tasks)]

    def _patches(self) -> _Folders:
        given = self.options
        if given.root is None or given.tasks is None:
            raise OptionsError(
                "--root with the patches and --tasks with the official splits of Sen12Landslides",
                f"root {given.root}, tasks {given.tasks}",
                "there is nothing to train on",
                "fetch them (headscarp fetch sen12), or simulate them (docs/sen12.md)",
            )
        return _Folders(given.root, given.tasks)


@dataclass(frozen=True)
class _Folders:
    root: Path
    tasks: Path
