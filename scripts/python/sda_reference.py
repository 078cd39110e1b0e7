"""Reference of the parts of Small DataSet Audio that the other scripts in this folder need.

Needs PyTorch, numpy and scipy, but not torchaudio. Contains the ConvVAE, the spectrogram and its
inverse, the latent analysis and its sliders, and the generation pipeline. Reads and writes `.sda`
files as the Python program does. The fixtures are computed with it. Clarity matters more than
speed.
"""

from __future__ import annotations

import enum
import math
import sys
import types
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

SDA_FORMAT = "sda_model"
SDA_VERSION = 1
ANALYSIS_VERSION = 1
PEAK_LEVEL = 0.891
LOW_PASS_HZ = 20_000
OVERLAP_S = 0.05
FEATURES = (
    "spectral_centroid", "rms_energy", "zero_crossing_rate", "spectral_rolloff", "spectral_flatness"
)
ANALYSIS_ARRAYS = (
    "pca_components",
    "pca_mean",
    "explained_variance_ratio",
    "safe_min",
    "safe_max",
    "warning_min",
    "warning_max",
    "step_size",
)


# --------------------------------------------------------------------------------------------------
# The Python program's Enum, under the name that pickles use


def register_program_modules(package: str = "small_dataset_audio") -> type[enum.Enum]:
    """Make the Enum `OverfittingPreset` importable for pickles that name it.

    Its module is `training.config` of `package`. Later versions call the package `distill`.
    """
    name = f"{package}.training.config"
    if name not in sys.modules:
        for parent in (package, f"{package}.training"):
            sys.modules.setdefault(parent, types.ModuleType(parent))
        sys.modules[name] = types.ModuleType(name)
    module = sys.modules[name]
    if not hasattr(module, "OverfittingPreset"):
        preset = enum.Enum(
            "OverfittingPreset",
            {"CONSERVATIVE": "conservative", "BALANCED": "balanced", "AGGRESSIVE": "aggressive"},
            module=name,
            qualname="OverfittingPreset",
        )
        module.OverfittingPreset = preset  # type: ignore[attr-defined]
    return module.OverfittingPreset


# --------------------------------------------------------------------------------------------------
# Spectrogram


@dataclass(frozen=True)
class SpectrogramConfig:
    """Settings of the mel spectrogram, with the names and defaults that the files use."""

    sample_rate: int = 48_000
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    f_min: float = 0.0
    f_max: float | None = None
    power: float = 2.0

    def mel_shape(self, samples: int) -> tuple[int, int]:
        return self.n_mels, samples // self.hop_length + 1


def mel_filter_bank(config: SpectrogramConfig) -> Tensor:
    """HTK triangles without normalisation, `[n_fft/2+1, n_mels]`.

    Equals torchaudio's `melscale_fbanks`.
    """

    def hz_to_mel(hz: float) -> float:
        return 2595.0 * math.log10(1.0 + hz / 700.0)

    f_max = config.sample_rate / 2 if config.f_max is None else config.f_max
    bins = torch.linspace(0, config.sample_rate // 2, config.n_fft // 2 + 1)
    mels = torch.linspace(hz_to_mel(config.f_min), hz_to_mel(f_max), config.n_mels + 2)
    edges = 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    widths = edges[1:] - edges[:-1]
    slopes = edges.unsqueeze(0) - bins.unsqueeze(1)
    rising = -slopes[:, :-2] / widths[:-1]
    falling = slopes[:, 2:] / widths[1:]
    return torch.clamp(torch.minimum(rising, falling), min=0.0)


class AudioSpectrogram:
    """Waveform `[B, 1, samples]` to log-mel `[B, 1, n_mels, time]` and back."""

    griffin_lim_iterations = 64
    griffin_lim_momentum = 0.99

    def __init__(self, config: SpectrogramConfig) -> None:
        self.config = config
        self.window = torch.hann_window(config.n_fft)
        self.filter_bank = mel_filter_bank(config)

    def _stft(self, waveform: Tensor) -> Tensor:
        config = self.config
        return torch.stft(
            waveform,
            config.n_fft,
            config.hop_length,
            window=self.window,
            center=True,
            pad_mode="reflect",
            onesided=True,
            return_complex=True,
        )

    def _istft(self, spectrum: Tensor) -> Tensor:
        return torch.istft(spectrum, self.config.n_fft, self.config.hop_length, window=self.window)

    def waveform_to_mel(self, waveform: Tensor) -> Tensor:
        spectrum = self._stft(waveform[:, 0]).abs().pow(self.config.power)
        mel = torch.matmul(spectrum.transpose(-1, -2), self.filter_bank).transpose(-1, -2)
        return torch.log1p(mel).unsqueeze(1)

    def mel_to_waveform(self, mel: Tensor) -> Tensor:
        """Returns `[B, 1, (time-1)·hop_length]`.

    Draws the initial phases from torch's global generator.
    """
        linear = torch.expm1(mel[:, 0].clamp(min=0.0))
        spectrum = torch.relu(
            torch.linalg.lstsq(self.filter_bank.T[None], linear, driver="gels").solution
        )
        return self._griffin_lim(spectrum.pow(1.0 / self.config.power)).unsqueeze(1)

    def _griffin_lim(self, magnitude: Tensor) -> Tensor:
        """The fast variant of Perraudin, Balazs and Søndergaard (2013).

    Has the same steps as torchaudio.
    """
        momentum = self.griffin_lim_momentum / (1.0 + self.griffin_lim_momentum)
        angles = torch.rand(magnitude.shape, dtype=torch.complex64)
        previous = torch.zeros((), dtype=torch.complex64)
        for _ in range(self.griffin_lim_iterations):
            rebuilt = self._stft(self._istft(magnitude * angles))
            angles = rebuilt - previous * momentum
            angles = angles.div(angles.abs().add(1e-16))
            previous = rebuilt
        return self._istft(magnitude * angles)


# --------------------------------------------------------------------------------------------------
# Model


# Channels before the first convolution of the encoder, and after each.
FOUR_LAYERS = (1, 32, 64, 128, 256)


def grid_of(mel_shape: tuple[int, int], channels: Sequence[int] = FOUR_LAYERS) -> tuple[int, int]:
    """The size of a spectrogram after the encoder's convolutions. Each one halves both axes."""
    cell = 2 ** (len(channels) - 1)
    return -(-mel_shape[0] // cell), -(-mel_shape[1] // cell)


class Convolutions(nn.Sequential):
    """The encoder's strided convolutions. Pads the high ends of both axes with zeros."""

    def __init__(self, channels: Sequence[int], dropout: float) -> None:
        self.cell = 2 ** (len(channels) - 1)
        layers: list[nn.Module] = []
        for inner, outer in zip(channels, channels[1:], strict=False):
            layers += [
                nn.Conv2d(inner, outer, 3, stride=2, padding=1),
                nn.BatchNorm2d(outer),
                nn.ReLU(),
                nn.Dropout2d(dropout),
            ]
        super().__init__(*layers)

    def forward(self, mel: Tensor) -> Tensor:
        height, width = mel.shape[-2:]
        return super().forward(F.pad(mel, (0, -width % self.cell, 0, -height % self.cell)))


def deconvolutions(
    channels: Sequence[int], dropout: float, end: Sequence[nn.Module]
) -> nn.Sequential:
    """Mirrors `Convolutions`. `end` follows the last convolution."""
    layers: list[nn.Module] = []
    for inner, outer in zip(channels[::-1], channels[-2::-1], strict=False):
        layers += [
            nn.ConvTranspose2d(inner, outer, 3, stride=2, padding=1, output_padding=1),
            nn.BatchNorm2d(outer),
            nn.ReLU(),
            nn.Dropout2d(dropout),
        ]
    return nn.Sequential(*layers[:-3], *end)


class Encoder(nn.Module):
    """Strided convolutions, then the mean and the log-variance of the latent vector."""

    def __init__(
        self, latent_dim: int, flat: int, dropout: float, channels: Sequence[int]
    ) -> None:
        super().__init__()
        self.convs = Convolutions(channels, dropout)
        self.fc_mu = nn.Linear(flat, latent_dim)
        self.fc_logvar = nn.Linear(flat, latent_dim)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.convs(mel).flatten(1)
        return self.fc_mu(hidden), self.fc_logvar(hidden)


class Decoder(nn.Module):
    """Mirrors `Encoder`. Crops to the spectrogram's shape."""

    def __init__(
        self,
        latent_dim: int,
        mel_shape: tuple[int, int],
        dropout: float,
        channels: Sequence[int],
        end: Sequence[nn.Module],
    ) -> None:
        super().__init__()
        self.mel_shape = mel_shape
        self.grid = grid_of(mel_shape, channels)
        self.deepest = channels[-1]
        self.deconvs = deconvolutions(channels, dropout, end)
        self.fc = nn.Linear(latent_dim, self.deepest * self.grid[0] * self.grid[1])

    def forward(self, z: Tensor) -> Tensor:
        mel = self.deconvs(self.fc(z).view(-1, self.deepest, *self.grid))
        return mel[..., : self.mel_shape[0], : self.mel_shape[1]]


class ConvVAE(nn.Module):
    """The Python program's model. Its state dict has the names of the program's files."""

    channels: Sequence[int] = FOUR_LAYERS
    # The modules after the decoder's last convolution.
    end: Sequence[type[nn.Module]] = (nn.Sigmoid,)

    def __init__(self, latent_dim: int, config: SpectrogramConfig, dropout: float = 0.2) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        mel_shape = config.mel_shape(config.sample_rate)
        grid = grid_of(mel_shape, self.channels)
        flat = self.channels[-1] * grid[0] * grid[1]
        self.encoder = Encoder(latent_dim, flat, dropout, self.channels)
        end = [module() for module in self.end]
        self.decoder = Decoder(latent_dim, mel_shape, dropout, self.channels, end)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns `(reconstruction, mu, logvar)`. Samples the latent vector, as training does."""
        mu, logvar = self.encoder(mel)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return self.decoder(z), mu, logvar


# --------------------------------------------------------------------------------------------------
# `.sda` files


@dataclass
class LoadedModel:
    """A loaded `.sda` file: a float32 model in eval mode, and the file's dict."""

    model: ConvVAE
    config: SpectrogramConfig
    content: dict[str, Any]

    @property
    def analysis(self) -> dict[str, Any] | None:
        return self.content["latent_analysis"]

    @property
    def has_encoder(self) -> bool:
        return "encoder.fc_mu.weight" in self.content["model_state_dict"]


def load_sda(path: str | Path) -> LoadedModel:
    """Load a file as the Python program does. Unpickles the file, so it must be trusted."""
    register_program_modules()
    content = torch.load(path, map_location="cpu", weights_only=False)
    if content.get("format") != SDA_FORMAT:
        raise ValueError(f"{path}: not an {SDA_FORMAT} file")
    if content.get("version", 0) > SDA_VERSION:
        raise ValueError(f"{path}: the version is newer than supported")
    config = SpectrogramConfig(**content["spectrogram_config"])
    model = ConvVAE(content.get("latent_dim", 64), config)
    state = content["model_state_dict"]
    model.load_state_dict(state, strict="encoder.fc_mu.weight" in state)
    return LoadedModel(model.eval(), config, content)


METADATA_DEFAULTS: dict[str, Any] = {
    "model_id": "",
    "name": "Untitled Model",
    "description": "",
    "dataset_name": "",
    "dataset_file_count": 0,
    "dataset_total_duration_s": 0.0,
    "training_date": "",
    "save_date": "",
    "training_epochs": 0,
    "final_train_loss": 0.0,
    "final_val_loss": 0.0,
    "tags": [],
    "has_analysis": False,
    "n_active_components": 0,
}


def default_training_config(latent_dim: int, preset: str, **changes: Any) -> dict[str, Any]:
    """The Python program's training settings, in its order, with its Enum as the preset."""
    config: dict[str, Any] = {
        "latent_dim": latent_dim,
        "batch_size": 32,
        "max_epochs": 100,
        "learning_rate": 0.0005,
        "kl_warmup_fraction": 0.3,
        "free_bits": 0.5,
        "val_fraction": 0.2,
        "chunk_duration_s": 1.0,
        "checkpoint_interval": 10,
        "preview_interval": 5,
        "preview_interval_short": 2,
        "max_checkpoints": 3,
        "preset": register_program_modules()(preset),
        "regularization": {
            "dropout": 0.2,
            "weight_decay": 0.01,
            "augmentation_expansion": 10,
            "gradient_clip_norm": 1.0,
        },
        "device": "auto",
        "num_workers": 0,
    }
    unknown = set(changes) - set(config)
    if unknown:
        raise ValueError(f"unknown training settings: {sorted(unknown)}")
    return config | changes


def write_sda(
    path: str | Path,
    *,
    state_dict: Mapping[str, Tensor],
    latent_dim: int,
    config: SpectrogramConfig,
    analysis: dict[str, Any] | None,
    training_config: dict[str, Any],
    metadata: Mapping[str, Any],
    pickle_protocol: int = 2,
) -> int:
    """Write an `.sda` file as the Python program does, and return its size in bytes.

    `state_dict` should come from `Module.state_dict()` or `half_state_dict`, because the file needs
    its `_metadata` attribute. Two calls with the same arguments write the same bytes.
    """
    unknown = set(metadata) - set(METADATA_DEFAULTS)
    if unknown:
        raise ValueError(f"unknown metadata: {sorted(unknown)}")
    full = METADATA_DEFAULTS | dict(metadata)
    if not full["model_id"] or not full["save_date"]:
        raise ValueError("model_id and save_date are required, so that the file is reproducible")
    uuid.UUID(full["model_id"])
    if analysis is not None:
        full |= {"has_analysis": True, "n_active_components": analysis["n_active_components"]}
    content = {
        "format": SDA_FORMAT,
        "version": SDA_VERSION,
        "model_state_dict": state_dict,
        "latent_dim": latent_dim,
        "spectrogram_config": asdict(config),
        "latent_analysis": analysis,
        "training_config": training_config,
        "metadata": full,
    }
    torch.save(content, path, pickle_protocol=pickle_protocol)
    return Path(path).stat().st_size


def half_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """The state dict with its floating-point tensors as float16.

    Keeps int64 counters and `_metadata`.
    """
    state = model.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            half = tensor.to(torch.float16)
            if not torch.isfinite(half).all():
                raise ValueError(f"{name} does not fit in float16")
            state[name] = half
    return state


# --------------------------------------------------------------------------------------------------
# Latent analysis and sliders


def audio_features(waveform: np.ndarray, sample_rate: int) -> dict[str, float]:
    """Five scalar features of a mono sound."""
    power = np.abs(np.fft.rfft(waveform.astype(np.float64))) ** 2
    hz = np.fft.rfftfreq(len(waveform), 1 / sample_rate)
    total = power.sum() + 1e-20
    smooth = power + 1e-12
    return {
        "spectral_centroid": float((hz * power).sum() / total),
        "rms_energy": float(np.sqrt(np.mean(waveform.astype(np.float64) ** 2))),
        "zero_crossing_rate": float(np.mean(np.abs(np.diff(np.signbit(waveform).astype(np.int8))))),
        "spectral_rolloff": float(
            hz[np.searchsorted(np.cumsum(power), 0.85 * total).clip(0, len(hz) - 1)]
        ),
        "spectral_flatness": float(np.exp(np.mean(np.log(smooth))) / np.mean(smooth)),
    }


def analyse_latents(
    latents: np.ndarray,
    render: Callable[[np.ndarray], np.ndarray],
    sample_rate: int,
    *,
    min_variance_ratio: float = 0.02,
    n_steps: int = 21,
) -> dict[str, Any]:
    """PCA of encoded latents `[n, latent_dim]` → the `latent_analysis` dict of the file.

    Components that explain at least `min_variance_ratio` are active. The safe range covers the
    middle 90 % of the data, the warning range the middle 98 %. `render` turns a latent vector into
    a mono waveform. Each axis is rendered at nine points of its safe range. The correlations with
    `audio_features` give the suggested labels.
    """
    mean = latents.mean(axis=0)
    _, singular, rows = np.linalg.svd(latents - mean, full_matrices=False)
    # An SVD does not define the sign of an axis. Fix it, so that each BLAS gives the same file.
    rows *= np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)])[:, None]
    ratio = singular**2 / np.sum(singular**2)
    active = max(1, int(np.sum(ratio >= min_variance_ratio)))
    components = rows[:active].astype(np.float32)
    projected = (latents - mean) @ components.T
    warning_min, safe_min, safe_max, warning_max = (
        np.percentile(projected, q, axis=0).astype(np.float32) for q in (1, 5, 95, 99)
    )
    correlations: dict[str, list[float]] = {name: [] for name in FEATURES}
    for axis in range(active):
        points = np.linspace(safe_min[axis], safe_max[axis], 9)
        heard = [audio_features(render(mean + p * components[axis]), sample_rate) for p in points]
        for name in FEATURES:
            values = [h[name] for h in heard]
            flat = np.std(values) < 1e-12
            correlations[name].append(0.0 if flat else float(np.corrcoef(points, values)[0, 1]))
    best = [
        max(FEATURES, key=lambda name, a=axis: abs(correlations[name][a])) for axis in range(active)
    ]
    suggested = [
        name if abs(correlations[name][axis]) >= 0.5 else f"Axis {axis + 1}"
        for axis, name in enumerate(best)
    ]
    return {
        "version": ANALYSIS_VERSION,
        "pca_components": components,
        "pca_mean": mean.astype(np.float32),
        "explained_variance_ratio": ratio[:active].astype(np.float32),
        "n_active_components": active,
        "component_labels": [f"Axis {axis + 1}" for axis in range(active)],
        "suggested_labels": suggested,
        "safe_min": safe_min,
        "safe_max": safe_max,
        "warning_min": warning_min,
        "warning_max": warning_max,
        "step_size": ((safe_max - safe_min) / np.float32(n_steps - 1)).astype(np.float32),
        "n_steps": n_steps,
        "feature_correlations": correlations,
        "latent_dim": latents.shape[1],
    }


def slider_info(analysis: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One dict for each slider, as the Python program shows it."""
    half = analysis["n_steps"] // 2

    def steps(boundary: float, step: float, rounding: Callable[[float], int]) -> int:
        return 0 if step == 0 else max(-half, min(half, rounding(boundary / step)))

    infos = []
    for i in range(analysis["n_active_components"]):
        step = float(analysis["step_size"][i])
        infos.append(
            {
                "index": i,
                "label": analysis["component_labels"][i],
                "suggested_label": analysis["suggested_labels"][i],
                "min_step": -half,
                "max_step": half,
                "safe_min_step": steps(float(analysis["safe_min"][i]), step, math.ceil),
                "safe_max_step": steps(float(analysis["safe_max"][i]), step, math.floor),
                "warning_min_step": steps(float(analysis["warning_min"][i]), step, math.ceil),
                "warning_max_step": steps(float(analysis["warning_max"][i]), step, math.floor),
                "variance_explained_pct": float(analysis["explained_variance_ratio"][i]) * 100,
            }
        )
    return infos


def sliders_to_latent(analysis: Mapping[str, Any], positions: Sequence[int]) -> np.ndarray:
    """The latent vector of slider positions, accumulated in float32 in the sliders' order."""
    z = np.asarray(analysis["pca_mean"], dtype=np.float32).copy()
    for i, position in enumerate(positions):
        component = np.asarray(analysis["pca_components"][i], np.float32)
        z += np.float32(position * analysis["step_size"][i]) * component
    return z


def randomize_sliders(analysis: Mapping[str, Any], seed: int) -> list[int]:
    """Uniform positions within the safe range."""
    rng = np.random.default_rng(seed)
    return [
        int(rng.integers(info["safe_min_step"], info["safe_max_step"] + 1))
        for info in slider_info(analysis)
    ]


def in_warning_zone(position: int, info: Mapping[str, Any]) -> bool:
    """Whether the position is between the safe and the warning boundary, on either side."""
    low = info["warning_min_step"] <= position < info["safe_min_step"]
    high = info["safe_max_step"] < position <= info["warning_max_step"]
    return low or high


# --------------------------------------------------------------------------------------------------
# Generation


@dataclass
class GenerateConfig:
    """Settings of a request, with the field names of the golden files."""

    duration_s: float
    seed: int
    concat_mode: str = "crossfade"
    latent_vector: list[float] | None = None
    steps_between: int = 10
    stereo_mode: str = "mono"
    spatial: dict[str, Any] | None = None
    sample_rate: int = 48_000
    stereo_width: float = 0.5
    evolution_amount: float = 0.5
    overlap_samples: int = 2400
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 0.9

    def space(self) -> tuple[str, float, float]:
        """Mode (mono, stereo or dual_seed), width and depth."""
        if self.spatial is not None:
            spatial = self.spatial
            return spatial["mode"], spatial.get("width", 0.7), spatial.get("depth", 0.5)
        mode = "stereo" if self.stereo_mode == "mid_side" else self.stereo_mode
        return mode, self.stereo_width, 0.3


@torch.no_grad()
def render_latent(loaded: LoadedModel, spectrogram: AudioSpectrogram, z: Tensor) -> np.ndarray:
    """One latent vector `[latent_dim]` to about one second of mono sound."""
    mel = loaded.model.decoder(z.reshape(1, -1))
    return spectrogram.mel_to_waveform(mel)[0, 0].numpy()


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Spherical interpolation of unnormalised vectors; linear if they are nearly parallel."""
    cosine = torch.clamp(torch.dot(a / a.norm(), b / b.norm()), -1.0, 1.0)
    if abs(float(cosine)) > 0.9995:
        return (1.0 - t) * a + t * b
    angle = torch.acos(cosine)
    return (torch.sin((1.0 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


def crossfade(chunks: Sequence[np.ndarray], overlap: int) -> np.ndarray:
    """Join chunks as the Python program does: the *tail* rises and the *head* falls."""
    window = np.hanning(2 * overlap).astype(np.float32)
    joined = chunks[0]
    for chunk in chunks[1:]:
        middle = joined[-overlap:] * window[:overlap] + chunk[:overlap] * window[overlap:]
        joined = np.concatenate([joined[:-overlap], middle, chunk[overlap:]])
    return joined


def channel_of_chunks(
    loaded: Any,
    spectrogram: AudioSpectrogram,
    config: GenerateConfig,
    seed: int,
    disturb: Callable[[Tensor], Tensor] = lambda mel: mel,
) -> np.ndarray:
    """Chunks of one channel, joined and low-passed.

    Draws from torch's generator in the Python program's order. `disturb` changes each mel.
    """
    rate = loaded.config.sample_rate
    latent_dim = loaded.model.latent_dim
    overlap = int(rate * OVERLAP_S)
    count = math.ceil(config.duration_s)
    torch.manual_seed(seed)

    @torch.no_grad()
    def render(z: Tensor) -> np.ndarray:
        mel = disturb(loaded.model.decoder(z.reshape(1, -1)))
        return spectrogram.mel_to_waveform(mel)[0, 0].numpy()

    if config.latent_vector is not None:
        base = torch.tensor(config.latent_vector, dtype=torch.float32)
        chunks = [render(base)]
        for _ in range(count - 1):
            chunks.append(render(base + torch.randn(latent_dim) * 0.1))
        joined = crossfade(chunks, overlap)
    else:
        anchors = [torch.randn(1, latent_dim)[0] for _ in range(count)]
        if config.concat_mode == "latent_interpolation":
            path = [
                slerp(a, b, float(t))
                for a, b in zip(anchors, anchors[1:], strict=False)
                for t in torch.linspace(0, 1, config.steps_between)
            ]
            joined = np.concatenate([render(z) for z in [*path, anchors[-1]]])
        else:
            joined = crossfade([render(z) for z in anchors], overlap)
    return low_pass(joined, rate)


def low_pass(audio: np.ndarray, rate: int, cutoff: float = LOW_PASS_HZ) -> np.ndarray:
    """8th-order Butterworth, forward and backward.

    Returns the sound unchanged if 20 kHz is not below half its sample rate.
    """
    if rate / 2 <= LOW_PASS_HZ:
        return audio
    # Imported here, because the import takes seconds and must not count as loading time.
    import scipy.signal

    sections = scipy.signal.butter(8, cutoff, btype="low", fs=rate, output="sos")
    return scipy.signal.sosfiltfilt(sections, audio).astype(np.float32)


def _delayed(audio: np.ndarray, samples: int) -> np.ndarray:
    return np.concatenate([np.zeros(samples, audio.dtype), audio])[: len(audio)]


def mid_side(mono: np.ndarray, rate: int, width: float) -> np.ndarray:
    """`[2, n]`: the right channel is delayed by 15 ms, the side signal is scaled by `width`."""
    right = _delayed(mono, int(0.015 * rate))
    mid, side = (mono + right) / 2, (mono - right) / 2 * np.float32(width)
    return np.stack([mid + side, mid - side])


def depth_reflection(stereo: np.ndarray, rate: int, depth: float) -> np.ndarray:
    """Add one early reflection to each channel if the depth is at least 0.01."""
    if depth < 0.01:
        return stereo
    delay, level = int(depth * 0.040 * rate), np.float32(depth * 0.15)
    return np.stack([channel + level * _delayed(channel, delay) for channel in stereo])


HANN_WIDTH = 6
KAISER_WIDTH = 64
KAISER_BETA = 14.769656459379492
ROLLOFF = 0.99


def resample(audio: np.ndarray, rate: int, target: int, *, kaiser: bool = False) -> np.ndarray:
    """Windowed-sinc resampling as in torchaudio, along the last axis.

    The window is Hann's of width 6, or Kaiser's of width 64. torchaudio computes the positions in
    double precision, except one quotient and the Kaiser window's factors.
    """
    if rate == target:
        return audio
    divisor = math.gcd(rate, target)
    old, new = rate // divisor, target // divisor
    reach = KAISER_WIDTH if kaiser else HANN_WIDTH
    base = min(old, new) * ROLLOFF
    width = math.ceil(reach * old / base)
    offsets = torch.arange(-width, width + old, dtype=torch.float64)[None, None] / old
    t = (torch.arange(0, -new, -1)[:, None, None] / new + offsets) * base
    t = t.clamp(-reach, reach)
    if kaiser:
        beta = torch.tensor(KAISER_BETA)
        window = torch.i0(beta * torch.sqrt(1 - (t / reach) ** 2)) / torch.i0(beta)
    else:
        window = torch.cos(t * math.pi / reach / 2) ** 2
    t = t * math.pi
    kernels = torch.where(t == 0, 1.0, t.sin() / t) * window * (base / old)
    flat = torch.from_numpy(np.ascontiguousarray(audio, np.float32)).reshape(-1, audio.shape[-1])
    padded = F.pad(flat, (width, width + old))
    out = F.conv1d(padded[:, None], kernels.to(torch.float32), stride=old)
    length = math.ceil(np.float32(new * audio.shape[-1] / old))
    out = out.transpose(1, 2).reshape(flat.shape[0], -1)[:, :length]
    return out.reshape(*audio.shape[:-1], -1).numpy()


def _longest_run(flags: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def quality_report(audio: np.ndarray, rate: int) -> dict[str, Any]:
    """SNR of 10 ms frames, clipping, and a traffic light.

    A finite SNR is the mean power of signal frames divided by the mean power of other frames. The
    frames of all channels count, one channel after the other.
    """
    samples = audio.ravel()
    frame = int(0.010 * rate)
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame).astype(np.float64)
    powers = np.mean(frames**2, axis=1)
    loud = np.sqrt(powers) > 0.01
    if not loud.any():
        snr = 0.0
    elif loud.all() or not powers[~loud].any():
        snr = math.inf
    else:
        snr = float(10 * np.log10(powers[loud].mean() / powers[~loud].mean()))
    clipped = np.abs(audio) >= 0.999
    longest = max(_longest_run(row) for row in np.atleast_2d(clipped))
    percent = float(100 * clipped.mean())
    clipping = {
        "clipped_samples": int(clipped.sum()),
        "clipped_percentage": percent,
        "peak_value": float(np.abs(audio).max()),
        "max_consecutive_clipped": longest,
        "has_clipping": bool(clipped.any()),
    }
    if snr < 15 or percent > 0.1:
        rating = "red"
    elif snr <= 30 or clipped.any():
        rating = "yellow"
    else:
        rating = "green"
    return {"snr_db": snr, "clipping": clipping, "rating": rating}


def generate(loaded: LoadedModel, config: GenerateConfig) -> np.ndarray:
    """The whole pipeline: `[n]` for mono, `[2, n]` for stereo, float32 at `config.sample_rate`."""
    spectrogram = AudioSpectrogram(loaded.config)

    def channel(seed: int) -> np.ndarray:
        return channel_of_chunks(loaded, spectrogram, config, seed)

    return cut(finish(channel, config, loaded.config.sample_rate), config)


def finish(
    channel: Callable[[int], np.ndarray],
    config: GenerateConfig,
    rate: int,
    *,
    kaiser: bool = False,
) -> np.ndarray:
    """All steps after the low-pass filter, except the cut: space, peak and sample rate.

    `channel` makes one channel at `rate` from a seed.
    """
    mode, width, depth = config.space()
    audio = channel(config.seed)
    if mode == "stereo":
        audio = depth_reflection(mid_side(audio, rate, width), rate, depth)
    elif mode == "dual_seed":
        audio = depth_reflection(np.stack([audio, channel(config.seed + 1)]), rate, depth)
    peak = np.abs(audio).max()
    if peak > 0:
        audio = audio * np.float32(PEAK_LEVEL / peak)
    return resample(audio, rate, config.sample_rate, kaiser=kaiser)


def cut(audio: np.ndarray, config: GenerateConfig) -> np.ndarray:
    """The sound without the samples after the wanted duration."""
    return np.ascontiguousarray(
        audio[..., : int(config.duration_s * config.sample_rate)], dtype=np.float32
    )


def generate_config_from_json(case: Mapping[str, Any]) -> GenerateConfig:
    """A `config` object of a golden file."""
    known = {field.name for field in fields(GenerateConfig)}
    unknown = set(case) - known
    if unknown:
        raise ValueError(f"unknown generation settings: {sorted(unknown)}")
    return GenerateConfig(**case)
