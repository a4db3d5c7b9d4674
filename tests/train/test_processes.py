"""Two processes train as one does."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import nn

from headscarp.checkpoint import read_checkpoint
from headscarp.chips.store import ChipStore
from headscarp.split import SplitFile
from headscarp.train.errors import TrainError
from headscarp.train.options import FitOptions, NetworkChoice
from headscarp.train.processes import SharedBatchNorm, added, share_batch_statistics
from headscarp.train.run import train


def test_one_process_adds_nothing() -> None:
    sums = torch.tensor([1.0, 2.0])
    assert added(sums) is sums


def test_shared_statistics_are_those_of_torch_in_one_process() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4, 5, 6, dtype=torch.float64) * 3 + 1
    norm = nn.BatchNorm2d(4, momentum=0.3).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    whole = nn.Sequential(norm)
    shared = nn.Sequential(nn.BatchNorm2d(4, momentum=0.3).double())
    shared.load_state_dict(whole.state_dict())
    share_batch_statistics(shared)
    shared.double()
    assert isinstance(shared[0], SharedBatchNorm)
    given = [x.clone().requires_grad_(True) for _ in range(2)]
    results = [module(own) for module, own in zip((whole, shared), given, strict=True)]
    for result in results:
        torch.autograd.backward(result.pow(3).sum())
    torch.testing.assert_close(*results)
    torch.testing.assert_close(given[0].grad, given[1].grad)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, shared.state_dict()[name])
    torch.testing.assert_close(whole.eval()(x), shared.eval()(x))


@pytest.mark.slow
def test_two_processes_train_as_one(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, tmp_path: Path
) -> None:
    # uneven parts: 5 chips are 3 and 2, the last batch has one each
    once = quick.model_copy(update={"batch_size": 5, "epochs": 2, "learning_rate": 1e-3})
    records = [
        train(store, split, unet, once.model_copy(update={"devices": n}), tmp_path / str(n)) for n in (1, 2)
    ]
    logs = [list(csv.DictReader((tmp_path / str(n) / "log.csv").read_text().splitlines())) for n in (1, 2)]
    for one, two in zip(*logs, strict=True):
        for name in ("train_loss", "validation_loss"):
            assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-3), name
    assert records[0].chips == records[1].chips
    nets = [read_checkpoint(tmp_path / str(n) / "last.safetensors").network for n in (1, 2)]
    first = [net.body.encoder.levels[0][0].norm.running_mean for net in nets]
    torch.testing.assert_close(*first, rtol=1e-2, atol=1e-3)
    apart = torch.cat([(a - b).abs().flatten() for a, b in zip(*(n.parameters() for n in nets), strict=True)])
    assert float((apart > 1e-3).float().mean()) < 0.02
    assert sorted(path.name for path in (tmp_path / "2").iterdir()) == sorted(
        path.name for path in (tmp_path / "1").iterdir()
    )


@pytest.mark.slow
def test_an_error_of_a_process_is_told(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, tmp_path: Path
) -> None:
    wild = quick.model_copy(update={"devices": 2, "learning_rate": 1e38})
    with pytest.raises(TrainError, match=r"in epoch 1, chips storm_"):
        train(store, split, unet, wild, tmp_path / "out")
