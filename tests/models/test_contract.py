"""What every network promises, whichever it is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from headscarp.models import BODIES, Head, Network, NetworkOptions, Takes, for_inference, make_network
from headscarp.models.blocks import ConvNormRelu
from headscarp.models.network import pad
from tests.models.chips import CHANNELS, Dated, dates_of, inputs_of, network_of, settle

NAMES = sorted(BODIES)
SERIES = ["convlstm_unet", "utae"]
WITH_DATES = [*SERIES, "siamese_unet"]
LEAST_ALIKE = {"segnet": 0.9}
"""Share of pixels: where two values of a pool are equal but for rounding, SegNet unpools to either place."""
every_network = pytest.mark.parametrize("name", NAMES)


@every_network
@pytest.mark.parametrize("size", [(1, 1), (16, 16), (33, 47), (64, 32)])
@pytest.mark.parametrize("batch", [1, 3])
def test_any_size_and_batch_trains_and_keeps_its_size(name: str, size: tuple[int, int], batch: int) -> None:
    network = network_of(name)
    logits = network(*inputs_of(network, batch, size))
    assert logits.shape == (batch, 1, *size)
    assert logits.is_contiguous()
    assert bool(logits.isfinite().all())


@every_network
@pytest.mark.parametrize("channels", [1, 2, 9])
def test_any_number_of_channels(name: str, channels: int) -> None:
    network = network_of(name, channels=channels)
    assert network(*inputs_of(network)).shape == (2, 1, 32, 32)


@every_network
@pytest.mark.parametrize("filters", [16, 24])
def test_any_multiple_of_eight_filters(name: str, filters: int) -> None:
    network = network_of(name, filters=filters).eval()
    with torch.no_grad():
        assert network(*inputs_of(network)).shape == (2, 1, 32, 32)


@every_network
def test_gradients_reach_every_parameter_and_pixel(name: str) -> None:
    network = network_of(name)
    inputs = inputs_of(network, size=(64, 64))
    inputs.x.requires_grad_(True)
    network(*inputs).square().sum().backward()
    unreached = [n for n, w in network.named_parameters() if w.grad is None or not bool(w.grad.any())]
    assert unreached == []
    assert inputs.x.grad is not None
    # channels and dates alike; maxima hide single pixels
    assert bool(inputs.x.grad.flatten(-2).any(dim=-1).all())


@every_network
def test_a_seed_fixes_weights_and_training(name: str) -> None:
    first, again = (trained(network_of(name), steps=3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    torch.manual_seed(1)
    other = trained(make_network(NetworkOptions(network=name, channels=CHANNELS, filters=8)), steps=3)
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


@every_network
def test_four_chips_are_learned(name: str) -> None:
    network = network_of(name, channels=2)
    inputs, label = four_chips(network)
    assert f1_after_learning(network, inputs, label) > 0.99


@every_network
def test_the_layout_of_memory_is_the_networks_own_business(name: str) -> None:
    network = settle(network_of(name))
    inputs = inputs_of(network)
    strided = inputs.x.transpose(-1, -2).contiguous().transpose(-1, -2)
    layouts = []
    for module in network.modules():
        if isinstance(module, ConvNormRelu):
            module.register_forward_hook(lambda m, given, result: layouts.append(given[0]))  # type: ignore[misc]
    with torch.no_grad():
        torch.testing.assert_close(network(*inputs), network(strided, *inputs[1:]))
    assert layouts
    assert all(x.is_contiguous(memory_format=torch.channels_last) for x in layouts)


@every_network
def test_a_padded_size_is_the_size_padded_by_hand(name: str) -> None:
    network = settle(network_of(name))
    inputs = inputs_of(network, size=(33, 47))
    padded_y, padded_x = {8: (40, 48), 16: (48, 48), 32: (64, 64)}[network.stride]
    rows, columns = torch.arange(padded_y).clamp(max=32), torch.arange(padded_x).clamp(max=46)
    by_hand = inputs.x.index_select(-2, rows).index_select(-1, columns)
    with torch.no_grad():
        torch.testing.assert_close(
            network(*inputs), network(by_hand, *inputs[1:])[..., :33, :47], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    ("size", "padded"),
    [((32, 48), (32, 48)), ((33, 47), (48, 48)), ((1, 16), (32, 32)), ((64, 65), (64, 80))],
)
def test_no_more_is_padded_than_the_stride_asks(size: tuple[int, int], padded: tuple[int, int]) -> None:
    x = torch.randn(2, 3, 1, *size)
    larger = pad(x, 16)
    assert larger.shape == (2, 3, 1, *padded)
    assert torch.equal(larger[..., : size[0], : size[1]], x)
    assert torch.equal(larger[..., -1, -1], x[..., -1, -1])


@every_network
@pytest.mark.parametrize("strides", [1, 4, 6])
@pytest.mark.parametrize("ready", [False, True])
def test_what_lies_inside_a_halo_is_that_of_the_whole(name: str, strides: int, ready: bool) -> None:
    """A halo may be left out of the work, never of what is seen; one too narrow to be left out is cut."""
    network = settle(network_of(name)).eval()
    halo = strides * network.stride
    inputs = inputs_of(network, 1, (2 * halo + 37, 2 * halo + 50))
    used = for_inference(network) if ready else network
    with torch.inference_mode():
        whole = used(*inputs)
        inside = used(*inputs, halo_px=halo)
    assert inside.shape == (1, 1, 37, 50)
    torch.testing.assert_close(inside, whole[..., halo:-halo, halo:-halo], rtol=1e-4, atol=1e-4)


@every_network
def test_a_halo_that_does_not_fit_is_refused(name: str) -> None:
    network = network_of(name).eval()
    inputs = inputs_of(network, 1, (2 * network.stride, 5 * network.stride))
    for halo in (-network.stride, 1, network.stride):
        with pytest.raises(ValueError, match="halo"):
            network(*inputs, halo_px=halo)


@every_network
def test_samples_of_a_batch_do_not_meet_when_predicting(name: str) -> None:
    network = settle(network_of(name))
    inputs = inputs_of(network, batch=3)
    second = Dated(*(None if part is None else part[1:2] for part in inputs))
    with torch.no_grad():
        torch.testing.assert_close(network(*inputs)[1:2], network(*second), rtol=1e-4, atol=1e-5)


@every_network
def test_the_regression_head_is_the_hyperbolic_tangent_of_the_logits(name: str) -> None:
    logits, values = (settle(network_of(name, head=head)) for head in ("classification", "regression"))
    inputs = inputs_of(logits)
    with torch.no_grad():
        torch.testing.assert_close(values(*inputs), torch.tanh(logits(*inputs)))


@every_network
def test_inference_predicts_the_same_at_several_sizes(name: str) -> None:
    network = settle(network_of(name))
    ready = for_inference(network)
    for batch, size in ((2, (32, 32)), (1, (70, 45)), (5, (32, 64)), (2, (32, 32))):
        inputs = inputs_of(network, batch, size)
        with torch.inference_mode():
            expected = network(*inputs)
            given = ready(*inputs)
        # with gradients enabled the folded weights are used without oneDNN
        for folded in (given, ready(*inputs)):
            close = torch.isclose(folded, expected, rtol=1e-3, atol=1e-4 * float(expected.std()))
            assert float(close.float().mean()) >= LEAST_ALIKE.get(name, 1.0)
    assert not any(weight.requires_grad for weight in ready.parameters())
    assert any(isinstance(module, ConvNormRelu) for module in network.modules())
    assert not any(isinstance(module, ConvNormRelu) for module in ready.modules())


@every_network
def test_weights_and_options_make_the_network_again(name: str) -> None:
    network = trained(network_of(name), steps=1).eval()
    again = make_network(NetworkOptions.from_dict(network.options.to_dict())).eval()
    again.load_state_dict(network.state_dict())
    inputs = inputs_of(network)
    with torch.no_grad():
        assert torch.equal(network(*inputs), again(*inputs))


@every_network
def test_wrong_shapes_are_refused(name: str) -> None:
    network = network_of(name)
    x = inputs_of(network).x
    flat, deep = x.flatten(0, -4), x.flatten(0, -4)[:, None].expand(-1, 3, -1, -1, -1)
    with pytest.raises(ValueError, match=f"{name} expected .*given"):
        network(deep if network.takes is not Takes.SERIES else flat)
    with pytest.raises(ValueError, match=f"{name} expected 3 channels, given 2"):
        network(x[..., :2, :, :])
    with pytest.raises(ValueError, match="at least one sample"):
        network(x[:0])


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(SERIES)))
def test_dates_are_refused_where_there_is_no_series(name: str) -> None:
    network = network_of(name)
    with pytest.raises(ValueError, match="expected no dates"):
        network(inputs_of(network).x, valid=torch.ones(2, 2, dtype=torch.bool))


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("dates", [1, 2, 5])
def test_any_number_of_dates(name: str, dates: int) -> None:
    network = network_of(name)
    assert network(*inputs_of(network, dates=dates)).shape == (2, 1, 32, 32)


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("mode", ["training", "evaluation"])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_padded_dates_change_nothing(name: str, mode: str, place: int) -> None:
    network = network_of(name) if mode == "training" else settle(network_of(name))
    x, _, days = inputs_of(network)
    assert days is not None
    kept = [date for date in range(4) if date != place]
    padded, padded_days = torch.full((2, 4, CHANNELS, 32, 32), float("nan")), torch.full((2, 4), 999.0)
    padded[:, kept], padded_days[:, kept] = x, days
    valid = torch.zeros(2, 4, dtype=torch.bool)
    valid[:, kept] = True
    logits = network(padded, valid, padded_days)
    torch.testing.assert_close(logits, network(x, None, days), rtol=1e-4, atol=1e-4)
    logits.sum().backward()
    assert all(w.grad is not None and bool(w.grad.isfinite().all()) for w in network.parameters())


@pytest.mark.parametrize("name", SERIES)
def test_samples_with_different_numbers_of_dates_share_a_batch(name: str) -> None:
    network = settle(network_of(name))
    x, valid, days = inputs_of(network)
    assert valid is not None
    assert days is not None
    valid = valid.clone()
    valid[0, 2] = False
    with torch.no_grad():
        together = network(x, valid, days)
        short = network(x[:1, :2], None, days[:1, :2])
        long = network(x[1:], None, days[1:])
    torch.testing.assert_close(together, torch.cat((short, long)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", WITH_DATES)
def test_the_order_of_dates_matters_where_the_network_reads_an_order(name: str) -> None:
    """U-TAE reads days: (scene, day) pairs in any order are one series, scenes on other days another."""
    network = settle(network_of(name))
    x, valid, days = inputs_of(network)
    turned = x.flip(1)
    with torch.no_grad():
        before, after = network(x, valid, days), network(turned, valid, days)
        assert float((before - after).abs().max()) > 0.01 * float(before.std())
        if days is not None:
            pairs = network(turned, valid, days.flip(1))
            same = bool(torch.allclose(before, pairs, rtol=1e-3, atol=1e-4))
            assert same == (name == "utae")


@pytest.mark.parametrize("name", SERIES)
def test_dates_that_contradict_the_series_are_refused(name: str) -> None:
    network = network_of(name)
    x, valid, days = inputs_of(network)
    assert valid is not None
    with pytest.raises(ValueError, match=r"expected dates of \(2, 3\), given \(2, 2\)"):
        network(x, valid[:, :2], days)
    with pytest.raises(ValueError, match="a valid date in each sample"):
        network(x, torch.tensor([[False] * 3, [True] * 3]), days)
    with pytest.raises(ValueError, match="expected booleans"):
        network(x, valid.float(), days)


def trained(network: Network, steps: int) -> Network:
    inputs = inputs_of(network)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        network(*inputs).square().mean().backward()
        optimiser.step()
    return network


def four_chips(network: Network) -> tuple[Dated, Tensor]:
    """Rectangles of weaker backscatter under noise, in the last date where there are dates."""
    inputs = inputs_of(network, batch=4)
    label = torch.zeros(4, 1, 32, 32)
    for chip, (y, x, height, width) in enumerate(
        ((4, 4, 12, 8), (12, 16, 8, 12), (8, 8, 16, 16), (20, 0, 8, 20))
    ):
        label[chip, :, y : y + height, x : x + width] = 1
    last = inputs.x if not dates_of(network, 3) else inputs.x[:, -1]
    last.mul_(0.5).sub_(2 * label)
    return inputs, label


def f1_after_learning(network: Network, inputs: Dated, label: Tensor) -> float:
    """F1 in evaluation mode, at most 120 steps; stops where the chips are known."""
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    f1 = 0.0
    for step in range(1, 121):
        optimiser.zero_grad()
        functional.binary_cross_entropy_with_logits(network(*inputs), label).backward()
        optimiser.step()
        if step % 20 == 0:
            f1 = f1_of(network, inputs, label)
            if f1 > 0.99:
                break
    return f1


def f1_of(network: Network, inputs: Dated, label: Tensor) -> float:
    with torch.no_grad():
        mapped = network.eval()(*inputs) > 0
    network.train()
    hits = float((mapped & (label > 0)).sum())
    return 2 * hits / float(mapped.sum() + label.sum())


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a network of .*'unet'.*given 'u-net'"):
        make_network(NetworkOptions(network="u-net"))


def test_a_checkpoint_with_other_options_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the options"):
        NetworkOptions.from_dict({"network": "unet", "channels": 2})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"channels": 0}, "at least 1 channel, given 0"),
        ({"filters": 20}, "multiple of 8 filters, given 20"),
        ({"head": "boxes"}, "'boxes' is not a valid Head"),
    ],
)
def test_options_outside_their_range_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NetworkOptions(**given)  # type: ignore[arg-type]


def test_options_are_plain_values_and_come_back() -> None:
    options = NetworkOptions(network="utae", channels=4, filters=32, head=Head.REGRESSION)
    stored = options.to_dict()
    assert stored == {"network": "utae", "channels": 4, "filters": 32, "head": "regression"}
    assert all(type(value) in (str, int) for value in stored.values())
    assert NetworkOptions.from_dict(stored) == options
