"""What the tests of training share: one thread, a small store, options that take seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from headscarp.chips.store import ChipStore
from headscarp.split import SplitFile
from headscarp.train.options import FitOptions, NetworkChoice
from tests.train.stores import make_split, make_store


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ChipStore:
    return make_store(tmp_path_factory.mktemp("chips") / "chips.zarr")


@pytest.fixture(scope="session")
def split(store: ChipStore) -> SplitFile:
    return make_split(store)


@pytest.fixture
def unet() -> NetworkChoice:
    return NetworkChoice(network="unet", filters=8)


@pytest.fixture
def quick() -> FitOptions:
    return FitOptions(epochs=3, batch_size=4, learning_rate=5e-3, accelerator="cpu", patience=50)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
