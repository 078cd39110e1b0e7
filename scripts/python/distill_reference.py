"""Reference of the Python program's later versions, for models with a latent space.

Contains what differs from `sda_reference`: the softplus and the complex network, overlap-add
synthesis, both ways from a mel to sound without Griffin-Lim (HiFi-GAN and phases), and blending.
`vq_reference` has the models of codes. Clarity matters more than speed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import sda_reference as sda

EARLY, MAIN, COMPLEX, GAN = "distill-1", "distill-2", "distill-complex", "distillgan"
FIVE_LAYERS = (2, 64, 128, 256, 512, 1024)
LOGVAR_LIMIT = 20.0
# The smallest sum of windows that a mel is divided by.
SMALLEST_WEIGHT = 1e-8
MAX_BLENDED = 4

# Changes a mel before it becomes sound. The fixtures use it to measure rounding's effect.
Disturb = Callable[[Tensor], Tensor]


# --------------------------------------------------------------------------------------------------
# Networks and files


class SoftplusVAE(sda.ConvVAE):
    """Since `distill-2`. Clamps the log-variance."""

    end = (nn.Softplus,)

    def encode(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.encoder(mel)
        return mu, logvar.clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)


class ComplexVAE(SoftplusVAE):
    """Five layers and two channels: a log mel, and the phase's change from frame to frame."""

    channels = FIVE_LAYERS
    end = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.decoder.register_forward_hook(lambda module, given, mel: self._activate(mel))

    @staticmethod
    def _activate(mel: Tensor) -> Tensor:
        return torch.stack([F.softplus(mel[:, 0]), torch.tanh(mel[:, 1])], dim=1)


class SigmoidVAE(sda.ConvVAE):
    """The first version under the name Distill: v1.0's network."""

    def encode(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(mel)


NETWORKS: dict[str, type[sda.ConvVAE]] = {
    EARLY: SigmoidVAE,
    MAIN: SoftplusVAE,
    COMPLEX: ComplexVAE,
    GAN: SoftplusVAE,
}


@dataclass
class DistillModel:
    """A loaded file: a float32 model in eval mode, and the file's dict."""

    generation: str
    model: Any
    config: sda.SpectrogramConfig
    content: dict[str, Any]
    vocoder: HifiGan | None

    @property
    def analysis(self) -> dict[str, Any] | None:
        return self.content["latent_analysis"]


def generation_of(content: Mapping[str, Any]) -> str:
    """Which version wrote a file with a latent space."""
    if content["format"] == "distillgan_model":
        return GAN
    if content["format"] != "distill_model":
        raise ValueError(f"not a model file: format is {content['format']!r}")
    layer = content["model_state_dict"]["decoder.deconvs.0.weight"]
    if tuple(layer.shape) == (1024, 512, 3, 3):
        return COMPLEX
    return MAIN if "kl_weight_max" in content["training_config"] else EARLY


def load_content(path: str | Path) -> dict[str, Any]:
    """The dict of a file. Unpickles the file, so it must be trusted."""
    sda.register_program_modules("distill")
    return torch.load(path, map_location="cpu", weights_only=False)


def load_distill(path: str | Path) -> DistillModel:
    """Load a `.distill` or `.distillgan` file with a latent space."""
    content = load_content(path)
    generation = generation_of(content)
    config = sda.SpectrogramConfig(**content["spectrogram_config"])
    model = NETWORKS[generation](content["latent_dim"], config)
    model.load_state_dict(content["model_state_dict"])
    state = content.get("vocoder_state")
    vocoder = HifiGan(state["generator_state_dict"], state["config"]) if state else None
    return DistillModel(generation, model.eval(), config, content, vocoder)


# --------------------------------------------------------------------------------------------------
# From mel to sound


class HifiGan:
    """The generator of HiFi-GAN V2 (Kong, Kim, Bae 2020), from a state dict and a config."""

    slope = 0.1
    last_slope = 0.01

    def __init__(self, state: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
        if math.prod(config["upsample_rates"]) != config["hop_size"]:
            raise ValueError("the product of upsample_rates must be hop_size")
        self.config = config
        self.sample_rate = config["sample_rate"]
        self.state = state

    def _layer(self, name: str) -> tuple[Tensor, Tensor]:
        """Weight and bias. The norm of a weight is over all axes but the first."""
        v, g = self.state[f"{name}.weight_v"], self.state[f"{name}.weight_g"]
        norm = v.flatten(1).norm(dim=1).reshape(g.shape)
        return g * v / norm, self.state[f"{name}.bias"]

    def _conv(self, x: Tensor, name: str, dilation: int = 1) -> Tensor:
        weight, bias = self._layer(name)
        padding = (weight.shape[2] - 1) * dilation // 2
        return F.conv1d(x, weight, bias, padding=padding, dilation=dilation)

    def _block(self, x: Tensor, name: str, dilations: Sequence[int]) -> Tensor:
        for i, dilation in enumerate(dilations):
            change = self._conv(F.leaky_relu(x, self.slope), f"{name}.convs1.{i}", dilation)
            x = x + self._conv(F.leaky_relu(change, self.slope), f"{name}.convs2.{i}")
        return x

    @torch.no_grad()
    def __call__(self, mel: Tensor) -> Tensor:
        """Log mels `[B, n_mels, time]` to sound `[B, time·hop_size]`."""
        config = self.config
        kernels = config["resblock_kernel_sizes"]
        x = self._conv(torch.expm1(mel.clamp(min=0.0)), "conv_pre")
        for stage, (rate, width) in enumerate(
            zip(config["upsample_rates"], config["upsample_kernel_sizes"], strict=True)
        ):
            weight, bias = self._layer(f"ups.{stage}")
            x = F.conv_transpose1d(
                F.leaky_relu(x, self.slope), weight, bias, stride=rate, padding=(width - rate) // 2
            )
            total = torch.zeros(())
            for k, dilations in enumerate(config["resblock_dilation_sizes"]):
                total = total + self._block(x, f"resblocks.{stage * len(kernels) + k}", dilations)
            x = total / len(kernels)
        return torch.tanh(self._conv(F.leaky_relu(x, self.last_slope), "conv_post"))[:, 0]


def linear_spectrum(spectrogram: sda.AudioSpectrogram, mel: Tensor) -> Tensor:
    """Mels `[B, n_mels, time]` to linear bins `[B, n_fft/2+1, time]`: least squares, then relu."""
    return torch.relu(
        torch.linalg.lstsq(spectrogram.filter_bank.T[None], mel, driver="gels").solution
    )


def amplitude_and_phase(
    spectrogram: sda.AudioSpectrogram, mel: Tensor, stats: Mapping[str, float] | None
) -> tuple[Tensor, Tensor]:
    """Decoded `[B, 2, n_mels, time]` to linear amplitudes and phases `[B, n_fft/2+1, time]`.

    The phases sum up the changes over time. Negative phases become 0, as negative amplitudes do.
    """
    loud, change = mel[:, 0], mel[:, 1]
    if stats is not None:
        loud = loud * stats["mag_std"] + stats["mag_mean"]
        change = change * stats["if_std"] + stats["if_mean"]
    amplitude = torch.sqrt(torch.expm1(loud).clamp(min=0.0))
    phase = torch.cumsum(change * math.pi, dim=-1)
    return linear_spectrum(spectrogram, amplitude), linear_spectrum(spectrogram, phase)


def complex_mel_to_waveform(
    spectrogram: sda.AudioSpectrogram, mel: Tensor, stats: Mapping[str, float] | None
) -> Tensor:
    """Decoded `[B, 2, n_mels, time]` to sound `[B, (time-1)·hop_length]`."""
    amplitude, phase = amplitude_and_phase(spectrogram, mel, stats)
    return spectrogram._istft(torch.polar(amplitude, phase))


def spectrogram_of(loaded: DistillModel) -> sda.AudioSpectrogram:
    """The spectrogram, with the generation's number of Griffin-Lim iterations."""
    spectrogram = sda.AudioSpectrogram(loaded.config)
    spectrogram.griffin_lim_iterations = 64 if loaded.generation == EARLY else 128
    return spectrogram


@torch.no_grad()
def mel_to_sound(
    loaded: DistillModel,
    spectrogram: sda.AudioSpectrogram,
    mel: Tensor,
    vocoder: HifiGan | None = None,
) -> np.ndarray:
    """Decoded `[1, channels, n_mels, time]` to sound, by the model's own method.

    Griffin-Lim draws its phases from torch's global generator. `vocoder` replaces the model's. A
    `.distillgan` file without a vocoder is played by Griffin-Lim, because BigVGAN, which the Python
    program takes, is not part of the file.
    """
    if loaded.generation == COMPLEX:
        stats = loaded.content["normalization_stats"]
        return complex_mel_to_waveform(spectrogram, mel, stats)[0].numpy()
    chosen = vocoder or loaded.vocoder
    if chosen is not None:
        return chosen(mel[:, 0])[0].numpy()
    return spectrogram.mel_to_waveform(mel)[0, 0].numpy()


# --------------------------------------------------------------------------------------------------
# What BigVGAN is given: Slaney's mels of 44100 Hz instead of the program's

BIGVGAN_RATE = 44_100
# Added to the diagonal, so that the pseudo-inverse is stable.
RIDGE = 1e-4


def slaney_filter_bank(rate: int, n_fft: int, n_mels: int) -> np.ndarray:
    """Triangles of equal area on Slaney's mel scale, `[n_mels, n_fft/2+1]`.

    The scale is linear up to 1000 Hz and logarithmic above.
    """
    per_mel, log_from = 200 / 3, 1000.0
    log_step = math.log(6.4) / 27
    top = log_from / per_mel + math.log(rate / 2 / log_from) / log_step
    mels = np.linspace(0, top, n_mels + 2)
    edges = np.where(
        mels * per_mel < log_from,
        mels * per_mel,
        log_from * np.exp(log_step * (mels - log_from / per_mel)),
    )
    bins = np.linspace(0, rate / 2, n_fft // 2 + 1)
    slopes = edges[:, None] - bins
    widths = np.diff(edges)[:, None]
    triangles = np.maximum(0, np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def bigvgan_transfer() -> Tensor:
    """The matrix from the program's mel powers to BigVGAN's, `[128, 128]`."""
    own = sda.mel_filter_bank(sda.SpectrogramConfig())
    slaney = torch.from_numpy(slaney_filter_bank(BIGVGAN_RATE, 2048, 128))
    gram = own.T @ own + RIDGE * torch.eye(own.shape[1])
    return slaney @ (own @ torch.linalg.inv(gram))


def bigvgan_mel(mel: Tensor) -> Tensor:
    """Log mels `[B, 128, time]` of 48000 Hz to those of BigVGAN, `[B, 128, time·48000/44100]`.

    The number of frames is the program's. Frames of equal length would make it `time·44100/48000`.
    """
    power = bigvgan_transfer() @ torch.expm1(mel.clamp(min=0.0))
    frames = round(mel.shape[-1] * sda.SpectrogramConfig().sample_rate / BIGVGAN_RATE)
    moved = F.interpolate(power, size=frames, mode="linear", align_corners=False)
    return moved.clamp(min=1e-5).log()


# --------------------------------------------------------------------------------------------------
# Overlap-add synthesis


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Spherical interpolation; linear if the vectors are nearly parallel."""
    cosine = torch.clamp(torch.dot(a / a.norm(), b / b.norm()), -1.0, 1.0)
    if abs(float(cosine)) > 0.9995:
        return torch.lerp(a, b, t)
    angle = torch.acos(cosine)
    share = angle * t
    return torch.sin(angle - share) / torch.sin(angle) * a + torch.sin(share) / torch.sin(angle) * b


def step_count(config: sda.SpectrogramConfig, duration_s: float) -> int:
    """How many latent vectors are decoded for a sound."""
    _, chunk = config.mel_shape(config.sample_rate)
    needed = math.ceil(duration_s) * config.sample_rate // config.hop_length + 1
    return max(1, math.ceil((needed - chunk) / (chunk // 2)) + 1)


def anchors_of(request: sda.GenerateConfig, steps: int, latent_dim: int) -> list[Tensor]:
    """The latent vectors that the path passes. Draws from torch's global generator."""
    seconds = math.ceil(request.duration_s)
    if request.latent_vector is None:
        return [torch.randn(1, latent_dim)[0] for _ in range(max(2, seconds))]
    first = torch.tensor(request.latent_vector, dtype=torch.float32)
    if steps == 1 or request.evolution_amount == 0:
        return [first]
    count = max(2, (2 * seconds + 2) // 3)
    others = [
        slerp(first, torch.randn(latent_dim), request.evolution_amount) for _ in range(count - 1)
    ]
    return [first, *others]


def trajectory(anchors: Sequence[Tensor], steps: int) -> Tensor:
    """`steps` points at equal distances on the way through the anchors, `[steps, latent_dim]`."""
    if len(anchors) == 1 or steps == 1:
        return anchors[0].expand(steps, -1)
    points = []
    for i in range(steps):
        at = i / (steps - 1) * (len(anchors) - 1)
        segment = min(int(at), len(anchors) - 2)
        points.append(slerp(anchors[segment], anchors[segment + 1], at - segment))
    return torch.stack(points)


@torch.no_grad()
def overlap_mel(model: nn.Module, path: Tensor) -> Tensor:
    """Decodes each point, and adds the mels with Hann windows at half their length.

    The first frame of several steps is 0, because the window begins with 0.
    """
    decoded = [model.decoder(z[None])[0] for z in path]
    if len(decoded) == 1:
        return decoded[0][None]
    chunk = decoded[0].shape[-1]
    hop, window = chunk // 2, torch.hann_window(chunk)
    frames = (len(decoded) - 1) * hop + chunk
    total = torch.zeros(*decoded[0].shape[:-1], frames)
    weight = torch.zeros(frames)
    for i, mel in enumerate(decoded):
        total[..., i * hop : i * hop + chunk] += mel * window
        weight[i * hop : i * hop + chunk] += window
    return (total / weight.clamp(min=SMALLEST_WEIGHT))[None]


@dataclass
class Generated:
    """What the pipeline returns, and its intermediate results for the first channel."""

    audio: np.ndarray
    quality: dict[str, Any]
    path: Tensor | None
    mel: Tensor | None


def generate(
    loaded: DistillModel,
    request: sda.GenerateConfig,
    *,
    vocoder: HifiGan | None = None,
    disturb: Disturb = lambda mel: mel,
) -> Generated:
    """The whole pipeline of a model's generation. `audio` is `[n]` or `[2, n]`."""
    spectrogram = spectrogram_of(loaded)
    made: list[tuple[Tensor, Tensor]] = []
    chosen = vocoder or loaded.vocoder
    rate = chosen.sample_rate if chosen else loaded.config.sample_rate
    early = loaded.generation == EARLY

    def overlapped(seed: int) -> np.ndarray:
        torch.manual_seed(seed)
        steps = step_count(loaded.config, request.duration_s)
        path = trajectory(anchors_of(request, steps, loaded.model.latent_dim), steps)
        mel = overlap_mel(loaded.model, path)
        made.append((path, mel))
        audio = mel_to_sound(loaded, spectrogram, disturb(mel), chosen)
        return sda.low_pass(audio, rate, min(sda.LOW_PASS_HZ, 0.95 * rate / 2))

    def chunks(seed: int) -> np.ndarray:
        return sda.channel_of_chunks(loaded, spectrogram, request, seed, disturb)

    audio = sda.finish(
        chunks if early else overlapped, request, rate, kaiser=loaded.generation == GAN
    )
    quality = sda.quality_report(audio, request.sample_rate)
    path, mel = made[0] if made else (None, None)
    return Generated(sda.cut(audio, request), quality, path, mel)


# --------------------------------------------------------------------------------------------------
# Blending


def shares(weights: Sequence[float]) -> list[float]:
    """Weights divided by their sum; equal if all are 0."""
    total = sum(weights)
    return [w / total for w in weights] if total > 0 else [1 / len(weights)] * len(weights)


def union_sliders(models: Sequence[DistillModel]) -> list[dict[str, Any]]:
    """Slider k stands for component k of each model that has it."""
    analyses = [model.analysis for model in models]
    counts = [analysis["n_active_components"] if analysis else 0 for analysis in analyses]
    sliders = []
    for k in range(max(counts, default=0)):
        having = [i for i, count in enumerate(counts) if count > k]
        first = analyses[having[0]]
        assert first is not None
        label = first["suggested_labels"][k] or first["component_labels"][k]
        variances = [float(analyses[i]["explained_variance_ratio"][k]) * 100 for i in having]
        sliders.append({
            "index": k,
            "label": label,
            "variance_pct": max(variances),
            "model_indices": having,
            "component_indices": [k] * len(having),
        })
    return sliders


def blended_latents(models: Sequence[DistillModel], positions: Sequence[int]) -> list[np.ndarray]:
    """Each model's latent vector at the union's positions; zeros without an analysis."""
    latents = []
    for model in models:
        if model.analysis is None:
            latents.append(np.zeros(model.model.latent_dim, np.float32))
            continue
        count = model.analysis["n_active_components"]
        own = (list(positions) + [0] * count)[:count]
        latents.append(sda.sliders_to_latent(model.analysis, own))
    return latents


def blend(
    models: Sequence[DistillModel],
    weights: Sequence[float],
    request: sda.GenerateConfig,
    *,
    mode: str,
    positions: Sequence[int] | None,
    vocoder: HifiGan | None = None,
    disturb: Disturb = lambda mel: mel,
) -> Generated:
    """Blend models with weights above 0, in "latent" or in "audio" mode. One model plays alone."""
    if not 1 <= len(models) <= MAX_BLENDED:
        raise ValueError(f"1 to {MAX_BLENDED} models can be blended")
    by = shares(weights)
    latents = None if positions is None else blended_latents(models, positions)

    def one(model: DistillModel, latent: np.ndarray | None) -> Generated:
        own = request
        if latent is not None:
            own = sda.GenerateConfig(**{**vars(request), "latent_vector": latent.tolist()})
        return generate(model, own, vocoder=vocoder, disturb=disturb)

    if len(models) == 1:
        return one(models[0], latents[0] if latents else None)
    if mode == "latent":
        if latents is None:
            raise ValueError("latent mode needs positions")
        z = torch.zeros(len(latents[0]))
        for share, latent in zip(by, latents, strict=True):
            z = z + share * torch.from_numpy(latent)
        return one(models[0], z.numpy())
    sounds = [
        one(model, latents[i] if latents else None).audio for i, model in enumerate(models)
    ]
    total = np.zeros_like(max(sounds, key=lambda sound: sound.shape[-1]))
    for share, sound in zip(by, sounds, strict=True):
        total[..., : sound.shape[-1]] += np.float32(share) * sound
    return Generated(total, sda.quality_report(total, request.sample_rate), None, None)
