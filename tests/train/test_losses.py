"""Losses against loops over pixels, and their gradients against differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from headscarp.evaluate.similarity import similarity_map
from headscarp.models import Head
from headscarp.train.loss import REGRESSION_LOSSES, fits_head, make_loss
from headscarp.train.losses import DiceClasses, Loss, dice_loss, focal_loss, tversky_loss
from headscarp.train.options import LossName

SMOOTH = 1.0
SEGMENTATION: tuple[LossName, ...] = ("dice", "dice_printed", "bce", "bce_dice", "focal", "tversky")
Pixels = list[tuple[float, float]]


def scene(seed: int = 0, side: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, labels and mask in double precision; an ignored pixel has a label that must not count."""
    rng = np.random.default_rng(seed)
    shape = (2, 1, side, side)
    mask = rng.random(shape) < 0.7
    target = (rng.random(shape) < 0.4).astype(float)
    target[~mask] = 77.0
    return torch.tensor(rng.normal(0, 2, shape)), torch.tensor(target), torch.tensor(mask)


def pixels(logits: Tensor, target: Tensor, mask: Tensor) -> Pixels:
    """Probability and label of the pixels that count, one after the other."""
    flat = zip(logits.flatten().tolist(), target.flatten().tolist(), mask.flatten().tolist(), strict=True)
    return [(1 / (1 + math.exp(-z)), y) for z, y, counts in flat if counts]


def naive_dice(px: Pixels, factor: float = 2.0) -> float:
    both = predicted = landslide = 0.0
    for p, y in px:
        both, predicted, landslide = both + p * y, predicted + p, landslide + y
    return 1 - (factor * both + SMOOTH) / (predicted + landslide + SMOOTH)


def naive_bce(px: Pixels) -> float:
    return sum(-math.log(p if y else 1 - p) for p, y in px) / len(px)


def naive_focal(px: Pixels) -> float:
    total = 0.0
    for p, y in px:
        of_class, weight = (p, 0.25) if y else (1 - p, 0.75)
        total -= weight * (1 - of_class) ** 2 * math.log(of_class)
    return total / len(px)


def naive_tversky(px: Pixels) -> float:
    hit = sum(p * y for p, y in px)
    false = sum(p * (1 - y) for p, y in px)
    missed = sum((1 - p) * y for p, y in px)
    return 1 - (hit + SMOOTH) / (hit + 0.3 * false + 0.7 * missed + SMOOTH)


NAIVE: dict[LossName, Callable[[Pixels], float]] = {
    "dice": naive_dice,
    "dice_printed": lambda px: naive_dice(px, factor=1.0),
    "bce": naive_bce,
    "bce_dice": lambda px: naive_bce(px) + naive_dice(px),
    "focal": naive_focal,
    "tversky": naive_tversky,
}


@pytest.mark.parametrize("name", SEGMENTATION)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_loss_is_what_a_loop_says(name: LossName, seed: int) -> None:
    given = scene(seed)
    assert float(make_loss(name)(*given)) == pytest.approx(NAIVE[name](pixels(*given)), rel=1e-12)


@pytest.mark.parametrize("name", ["dice", "dice_printed", "bce_dice"])
def test_both_classes_are_summed(name: LossName) -> None:
    given = scene()
    px = pixels(*given)
    factor = 1.0 if name == "dice_printed" else 2.0
    mirrored = [(1 - p, 1 - y) for p, y in px]
    expected = naive_dice(px, factor) + naive_dice(mirrored, factor)
    expected += naive_bce(px) if name == "bce_dice" else 0.0
    assert float(make_loss(name, "both")(*given)) == pytest.approx(expected, rel=1e-12)


def test_the_standard_dice_vanishes_and_the_printed_one_does_not() -> None:
    target = torch.tensor([1.0] * 50 + [0.0] * 50)
    logits, mask = 200 * target - 100, torch.ones(100, dtype=torch.bool)
    assert float(dice_loss()(logits, target, mask)) == pytest.approx(0, abs=1e-6)
    assert float(dice_loss(printed=True)(logits, target, mask)) == pytest.approx(1 - 51 / 101, abs=1e-6)


def test_halves_make_tversky_nearly_dice_and_no_focus_makes_focal_cross_entropy() -> None:
    given = scene(2, side=40)
    px = pixels(*given)
    assert float(tversky_loss(0.5, 0.5)(*given)) == pytest.approx(naive_dice(px), abs=2e-3)
    assert float(focal_loss(alpha=0.5, gamma=0.0)(*given)) == pytest.approx(naive_bce(px) / 2)


def naive_gradient(values: Tensor, target: Tensor, mask: Tensor) -> float:
    total, count = 0.0, 0
    chips, _, rows, cols = values.shape
    for n in range(chips):
        for i in range(rows):
            for j in range(cols):
                for k, m in ((i + 1, j), (i, j + 1)):
                    if k < rows and m < cols and mask[n, 0, i, j] and mask[n, 0, k, m]:
                        own = values[n, 0, k, m] - values[n, 0, i, j]
                        true = target[n, 0, k, m] - target[n, 0, i, j]
                        total, count = total + abs(float(own - true)), count + 1
    return total / count


def test_l1_and_gradient_are_what_loops_say() -> None:
    values, target, mask = scene(3, side=6)
    apart = [
        abs(float(v - t))
        for v, t, m in zip(values.flatten(), target.flatten(), mask.flatten(), strict=True)
        if m
    ]
    assert float(make_loss("l1")(values, target, mask)) == pytest.approx(sum(apart) / len(apart))
    expected = naive_gradient(values, target, mask)
    assert float(make_loss("gradient")(values, target, mask)) == pytest.approx(expected)


def test_ssim_is_one_minus_the_evaluators() -> None:
    rng = np.random.default_rng(4)
    truth = rng.uniform(-1, 1, (2, 1, 20, 24))
    values = np.clip(truth + rng.normal(0, 0.3, truth.shape), -1, 1)
    mask = np.ones(truth.shape, dtype=bool)
    mask[0, 0, 3, 4] = False
    expected = 1 - np.nanmean(similarity_map(values, truth, mask))
    got = make_loss("ssim")(*(torch.tensor(part) for part in (values, truth, mask)))
    assert float(got) == pytest.approx(expected, rel=1e-9)


def every_loss() -> list[tuple[LossName, DiceClasses]]:
    both: list[tuple[LossName, DiceClasses]] = [
        (name, "both") for name in ("dice", "dice_printed", "bce_dice")
    ]
    return [*((name, "landslide") for name in (*SEGMENTATION, *REGRESSION_LOSSES)), *both]


@pytest.mark.parametrize(("name", "classes"), every_loss())
def test_gradients_are_those_of_differences(name: LossName, classes: DiceClasses) -> None:
    smoothed = name in ("ssim", "l1_ssim_gradient")
    logits, target, mask = scene(5, side=13 if smoothed else 4)
    if smoothed:
        mask[:] = True
        logits, target = torch.tanh(logits)[:1], torch.tanh(target)[:1]
        mask = mask[:1]
    loss = make_loss(name, classes)
    logits.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda z: loss(z, target, mask), (logits,), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "classes"), every_loss())
def test_a_batch_that_is_left_out_costs_nothing(name: LossName, classes: DiceClasses) -> None:
    logits, target, mask = scene(6, side=16)
    logits.requires_grad_(True)
    loss = make_loss(name, classes)(logits, target, torch.zeros_like(mask))
    torch.autograd.backward(loss)
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize(("name", "classes"), every_loss())
def test_what_is_left_out_is_never_looked_at(name: LossName, classes: DiceClasses) -> None:
    logits, target, mask = scene(7, side=16)
    mask[..., :12, :] = True
    loss = make_loss(name, classes)
    other = torch.where(mask, target, -5.0)
    assert float(loss(logits, target, mask)) == float(loss(logits, other, mask))


@pytest.mark.parametrize("name", [*SEGMENTATION, *REGRESSION_LOSSES])
def test_sums_of_halves_make_the_loss_of_the_whole(name: LossName) -> None:
    logits, target, mask = scene(8, side=16)
    loss: Loss = make_loss(name)
    halves = [loss.sums(logits[i : i + 1], target[i : i + 1], mask[i : i + 1]) for i in (0, 1)]
    whole = float(loss(logits, target, mask))
    assert float(loss.value(halves[0] + halves[1])) == pytest.approx(whole)
    assert float(loss(logits, target, mask, lambda sums: sums)) == whole


def test_large_logits_do_not_overflow() -> None:
    logits = torch.tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    target, mask = torch.tensor([1.0, 0.0, 0.0, 1.0]), torch.ones(4, dtype=torch.bool)
    for name in SEGMENTATION:
        (gradient,) = torch.autograd.grad(make_loss(name)(logits, target, mask), logits)
        assert bool(gradient.isfinite().all()), name


def test_a_loss_fits_one_head() -> None:
    assert fits_head("dice", Head.CLASSIFICATION)
    assert not fits_head("dice", Head.REGRESSION)
    assert fits_head("ssim", Head.REGRESSION)


def test_the_composite_is_the_weighted_sum_of_its_parts() -> None:
    values, target, mask = scene(9, side=16)
    mask[..., 2:, :] = True
    given = (torch.tanh(values), torch.where(mask, target - 0.5, target), mask)
    parts = [float(make_loss(name)(*given)) for name in ("l1", "ssim", "gradient")]  # type: ignore[arg-type]
    assert len({round(part, 3) for part in parts}) == 3
    whole = float(make_loss("l1_ssim_gradient", weights=(0.5, 2.0, 0.25))(*given))
    assert whole == pytest.approx(0.5 * parts[0] + 2 * parts[1] + 0.25 * parts[2])
    alone = float(make_loss("l1_ssim_gradient", weights=(0.0, 0.0, 3.0))(*given))
    assert alone == pytest.approx(3 * parts[2])
