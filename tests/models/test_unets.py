"""U-Net and its variants, against each other and against their equations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from headscarp.models import count_parameters
from headscarp.models.attention_unet import AttentionGate, AttentionUNet
from headscarp.models.blocks import conv_norm_relu, initialise
from headscarp.models.dppa_unet import PixelAttention
from tests.models.chips import inputs_of, network_of, settle


def unet_parameters(channels: int, f: int) -> int:
    """Convolutions 9ab + normalisation 2b; transposed 4ab + b; the 1 × 1 head with its bias."""
    widths = [f, 2 * f, 4 * f, 8 * f, 16 * f]
    total, before = 0, channels
    for width in widths:
        total += 9 * before * width + 2 * width + 9 * width * width + 2 * width
        before = width
    for width in widths[:-1]:
        total += 4 * (2 * width) * width + width
        total += 9 * (2 * width) * width + 2 * width + 9 * width * width + 2 * width
    return total + f + 1


def test_unet_has_the_parameters_of_its_layers() -> None:
    # 31,037,633: the count known of U-Net with 64 filters, RGB, batch normalisation, one class
    assert count_parameters(network_of("unet", channels=3, filters=64)) == 31_037_633
    assert unet_parameters(3, 64) == 31_037_633
    assert count_parameters(network_of("unet", channels=2, filters=16)) == unet_parameters(2, 16) == 1_942_433


def test_attention_unet_adds_three_gates() -> None:
    # width w: strided 2 x 2 w -> w/2; 1 x 1 2w -> w/2 with bias; 1 x 1 w/2 -> 1 with bias
    gates = sum(4 * w * (w // 2) + 2 * w * (w // 2) + w // 2 + w // 2 + 1 for w in (32, 64, 128))
    assert count_parameters(network_of("attention_unet", 2, 16)) == unet_parameters(2, 16) + gates


def test_dppa_unet_adds_pixel_attention_to_four_levels() -> None:
    # on 2w channels: 1 x 1 2w -> w/4 with bias; 1 x 1 w/4 -> 1 with bias
    attention = sum(2 * w * (w // 4) + w // 4 + w // 4 + 1 for w in (16, 32, 64, 128))
    assert count_parameters(network_of("dppa_unet", 2, 16)) == unet_parameters(2, 16) + attention


def test_siamese_unet_shares_its_encoder() -> None:
    assert count_parameters(network_of("siamese_unet", 2, 16)) == unet_parameters(2, 16)


def test_open_gates_make_attention_unet_unet() -> None:
    unet, attention = settle(network_of("unet")), settle(network_of("attention_unet"))
    attention.load_state_dict(unet.state_dict(), strict=False)
    gates = [module for module in attention.modules() if isinstance(module, AttentionGate)]
    x = inputs_of(unet).x
    with torch.no_grad():
        assert not torch.allclose(attention(x), unet(x), rtol=1e-2)
        for gate in gates:
            gate.psi.weight.zero_()
            gate.psi.bias.fill_(50.0)  # type: ignore[union-attr]
        assert torch.equal(attention(x), unet(x))
    assert len(gates) == 3


def test_shut_gates_make_skips_silent() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(8)
    skip, coarse = torch.randn(1, 8, 6, 4), torch.randn(1, 16, 3, 2)
    with torch.no_grad():
        gate.psi.bias.fill_(-1e4)  # type: ignore[union-attr]
        assert not bool(gate(skip, coarse).any())


@torch.no_grad()
def test_a_gate_is_its_equation() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(2)
    assert gate.coarse.bias is not None
    skip, coarse = torch.randn(1, 2, 2, 2), torch.randn(1, 4, 1, 1)
    strided = float((gate.skip.weight[0] * skip[0]).sum())
    heard = float((gate.coarse.weight[0, :, 0, 0] * coarse[0, :, 0, 0]).sum() + gate.coarse.bias[0])
    assert strided + heard > 0
    alpha = torch.sigmoid(gate.psi.weight.flatten() * (strided + heard) + gate.psi.bias)
    torch.testing.assert_close(gate(skip, coarse), skip * alpha)
    # the other sign of both is cut off by the rectifier
    shut = torch.sigmoid(torch.zeros(1) + gate.psi.bias)
    torch.testing.assert_close(gate(-skip, coarse - 100 * gate.coarse.weight[:, :]), -skip * shut)


def test_the_finest_skip_has_no_gate() -> None:
    decoder = AttentionUNet(channels=1, filters=8).decoder
    gated = [isinstance(level.gate, AttentionGate) for level in decoder.levels]
    assert gated == [False, True, True, True]


@pytest.mark.parametrize(("bias", "times"), [(0.0, 1.5), (50.0, 2.0), (-200.0, 1.0)])
@pytest.mark.parametrize("inference", [False, True])
def test_pixel_attention_is_one_plus_its_weight_times_the_features(
    bias: float, times: float, inference: bool
) -> None:
    """The sigmoid of zero is 1/2: the formula x + a x gives 3/2, doubling needs a = 1."""
    attention = PixelAttention(16)
    for weight in attention.parameters():
        torch.nn.init.zeros_(weight)
    torch.nn.init.constant_(attention.weigh.bias, bias)  # type: ignore[arg-type]
    x = torch.randn(2, 16, 5, 4)
    with torch.inference_mode(inference):
        torch.testing.assert_close(attention(x.clone()), times * x)


def test_pixel_attention_gives_each_pixel_a_weight_of_its_own() -> None:
    torch.manual_seed(0)
    attention = PixelAttention(16)
    x = torch.randn(1, 16, 3, 4)
    with torch.no_grad():
        factor = attention(x) / x
    w1, w2 = attention.reduce.weight[:, :, 0, 0], attention.weigh.weight[:, :, 0, 0]
    pixel = x[0, :, 2, 1]
    inner = torch.relu(w1 @ pixel + attention.reduce.bias)
    expected = 1 + torch.sigmoid(w2 @ inner + attention.weigh.bias)
    torch.testing.assert_close(factor[0, :, 2, 1], expected.detach().expand(16), rtol=1e-4, atol=1e-5)
    assert float(factor[0, 0].std()) > 0.01


def test_dppa_unet_without_attention_is_unet() -> None:
    unet, dppa = settle(network_of("unet")), settle(network_of("dppa_unet"))
    dppa.load_state_dict(unet.state_dict(), strict=False)
    x = inputs_of(unet).x
    with torch.no_grad():
        for module in dppa.modules():
            if isinstance(module, PixelAttention):
                module.weigh.weight.zero_()
                module.weigh.bias.fill_(-200.0)  # type: ignore[union-attr]
        assert torch.equal(dppa(x), unet(x))


def test_unet_is_its_equations_written_out() -> None:
    network = settle(network_of("unet"))
    weights = {name.removeprefix("body."): value for name, value in network.state_dict().items()}
    x = inputs_of(network).x
    with torch.no_grad():
        torch.testing.assert_close(network(x), unet_by_hand(x, weights), rtol=1e-3, atol=1e-3)


def unet_by_hand(x: Tensor, w: dict[str, Tensor]) -> Tensor:
    def twice(x: Tensor, path: str) -> Tensor:
        for number in (0, 1):
            norm = f"{path}.{number}.norm"
            x = functional.conv2d(x, w[f"{path}.{number}.conv.weight"], padding=1)
            mean, var = (w[f"{norm}.running_{part}"][:, None, None] for part in ("mean", "var"))
            gamma, beta = (w[f"{norm}.{part}"][:, None, None] for part in ("weight", "bias"))
            x = torch.clamp(gamma * (x - mean) / torch.sqrt(var + 1e-5) + beta, min=0)
        return x

    levels = []
    for level in range(5):
        x = x if level == 0 else functional.max_pool2d(x, 2)
        x = twice(x, f"encoder.levels.{level}")
        levels.append(x)
    for level in (3, 2, 1, 0):
        up = f"decoder.levels.{level}.up"
        x = functional.conv_transpose2d(x, w[f"{up}.weight"], w[f"{up}.bias"], stride=2)
        x = twice(torch.cat((levels[level], x), dim=1), f"decoder.levels.{level}.convolve")
    return functional.conv2d(x, w["head.weight"], w["head.bias"])


def test_siamese_skips_of_equal_scenes_are_silent() -> None:
    network = settle(network_of("siamese_unet"))
    heard: list[Tensor] = []
    for level in network.body.decoder.levels:  # type: ignore[union-attr]
        level.register_forward_hook(lambda module, given, result: heard.append(given[1]))
    scene = inputs_of(network).x[:, :1]
    with torch.no_grad():
        network(scene.expand(-1, 2, -1, -1, -1))
        assert len(heard) == 4
        assert not any(bool(skip.any()) for skip in heard)
        heard.clear()
        network(torch.cat((scene, scene + 1), dim=1))
    assert all(bool((skip >= 0).all()) and bool(skip.any()) for skip in heard)


def test_siamese_unet_is_unet_of_the_post_event_scene_with_other_skips() -> None:
    """With silent skips in both, only the post-event scene's deepest level is left."""
    siamese, unet = settle(network_of("siamese_unet")), settle(network_of("unet"))
    unet.load_state_dict(siamese.state_dict())
    for network in (siamese, unet):
        for level in network.body.decoder.levels:  # type: ignore[union-attr]
            level.register_forward_pre_hook(lambda module, given: (given[0], torch.zeros_like(given[1])))
    x = inputs_of(siamese).x
    with torch.no_grad():
        torch.testing.assert_close(siamese(x), unet(x[:, 1]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("module", "fan_in"),
    [
        (torch.nn.Conv2d(64, 256, 3), 64 * 9),
        (torch.nn.Conv2d(256, 256, 3, groups=256), 9),
        (torch.nn.ConvTranspose2d(128, 64, 2, stride=2), 128),
        (torch.nn.ConvTranspose2d(128, 64, 4, stride=2), 128 * 4),
    ],
)
def test_first_weights_are_hes(module: torch.nn.Conv2d | torch.nn.ConvTranspose2d, fan_in: int) -> None:
    torch.manual_seed(0)
    initialise(module)
    # the standard deviation of n normal draws scatters by 1 / sqrt(2 n)
    scatter = 5 / (2 * module.weight.numel()) ** 0.5
    assert float(module.weight.detach().std()) == pytest.approx((2 / fan_in) ** 0.5, rel=scatter)
    assert module.bias is not None
    assert not bool(module.bias.any())


def test_convolutions_divide_sizes_by_their_stride() -> None:
    x = torch.randn(1, 2, 12, 8)
    for kernel, stride, expected in ((3, 1, (12, 8)), (1, 1, (12, 8)), (4, 2, (6, 4))):
        assert conv_norm_relu(2, 3, kernel, stride)(x).shape[-2:] == expected
