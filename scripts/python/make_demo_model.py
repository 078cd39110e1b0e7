"""Train the small 48 kHz model of the package on sounds that this script synthesises.

    python scripts/python/make_demo_model.py [--output FILE.sda] [--epochs N]

The sounds are plucked strings, struck bars, drums and pads on a pentatonic scale. Formulas make all
of them, so no recordings and no rights of others are involved. Seeds are fixed and training runs on
one CPU thread, so the same PyTorch build writes the same file. Takes a few minutes.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import sda_reference as sda

RATE = 48_000
LATENT_DIM = 6
SEED = 20_260_214
PENTATONIC = (0, 2, 4, 7, 9, 12, 14, 16, 19, 21, 24)
BASE_HZ = 130.81
PEAK_MEL = 0.98
PEAK_POWER = 8.0
MODEL_ID = "5da00000-0000-4000-8000-000000000001"
DATE = "2026-02-14T00:00:00.000000+00:00"


# --------------------------------------------------------------------------------------------------
# The sounds


def _harmonics(
    hz: float, time_s: np.ndarray, brightness: float, decay: float, spread: float
) -> np.ndarray:
    """Partials whose levels depend on `brightness`. Higher partials decay faster."""
    sound = np.zeros_like(time_s)
    for n in range(1, 25):
        partial_hz = hz * n * math.sqrt(1.0 + spread * n * n)
        if partial_hz > 0.42 * RATE:
            break
        level = n ** -(2.4 - 1.8 * brightness)
        falling = np.exp(-time_s * (1.0 + 0.35 * n) / decay)
        sound += level * falling * np.sin(2 * np.pi * partial_hz * time_s + n)
    return sound


def pluck(
    hz: float, brightness: float, decay: float, noise: np.ndarray, time_s: np.ndarray
) -> np.ndarray:
    """A plucked string with a short scrape at its start."""
    scrape = 0.15 * brightness * noise * np.exp(-time_s * 160)
    return np.minimum(time_s / 0.003, 1.0) * (
        _harmonics(hz, time_s, brightness, decay, 1e-4) + scrape
    )


def bar(
    hz: float, brightness: float, decay: float, noise: np.ndarray, time_s: np.ndarray
) -> np.ndarray:
    """A struck bar, such as a marimba's: the partials of a free beam."""
    sound = 0.05 * brightness * noise * np.exp(-time_s * 300)
    for ratio, level in ((1.0, 1.0), (2.756, 0.7), (5.404, 0.45), (8.933, 0.25)):
        if ratio * hz < 0.42 * RATE:
            falling = np.exp(-time_s * (1.0 + 0.8 * ratio * (1.2 - brightness)) / decay)
            sound = sound + level * brightness ** (ratio / 4) * falling * np.sin(
                2 * np.pi * ratio * hz * time_s
            )
    return np.minimum(time_s / 0.002, 1.0) * sound


def drum(
    hz: float, brightness: float, decay: float, noise: np.ndarray, time_s: np.ndarray
) -> np.ndarray:
    """A drum skin with a falling pitch. Its rattle is louder at higher brightness."""
    pitch = hz * 0.5 * (1.0 + 1.5 * np.exp(-time_s * 30))
    skin = np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.exp(-time_s * 4.0 / decay)
    return np.minimum(time_s / 0.002, 1.0) * (
        skin + 0.8 * brightness * noise * np.exp(-time_s * 9.0 / decay)
    )


def pad(
    hz: float, brightness: float, decay: float, noise: np.ndarray, time_s: np.ndarray
) -> np.ndarray:
    """A slow tone of two detuned voices."""
    envelope = np.minimum(time_s / (0.15 + 0.2 * decay), 1.0) * np.minimum(
        (1.0 - time_s) / 0.15, 1.0
    ).clip(0)
    voices = sum(
        _harmonics(hz * tuning, time_s, 0.7 * brightness, 50.0, 0.0) for tuning in (0.997, 1.003)
    )
    return envelope * (voices + 0.02 * brightness * noise)


INSTRUMENTS = (pluck, bar, drum, pad)


def make_sounds(rng: np.random.Generator) -> np.ndarray:
    """Sounds of one second each, `[n, 1, 48000]`.

    One sound for each combination of instrument, note, brightness and decay.
    """
    time_s = np.arange(RATE) / RATE
    grid = itertools.product(INSTRUMENTS, PENTATONIC, (0.1, 0.5, 0.9), (0.35, 1.0))
    sounds = []
    for instrument, semitones, brightness, decay in grid:
        jitter = rng.uniform(-0.1, 0.1, size=2)
        noise = rng.standard_normal(RATE)
        hz = BASE_HZ * 2 ** (semitones / 12)
        bright, long = float(brightness + jitter[0]), float(decay * (1 + jitter[1]))
        sounds.append(instrument(hz, bright, long, noise, time_s))
    return np.stack(sounds).astype(np.float32)[:, None]


def to_targets(sounds: np.ndarray, spectrogram: sda.AudioSpectrogram) -> tuple[np.ndarray, Tensor]:
    """Scale each sound so that its mel fits the range of the decoder's sigmoid, `(0, 1)`.

    The loudest bin gets the power `PEAK_POWER`. Mel values are then clipped at `PEAK_MEL`, so that
    quieter partials use more of the range.
    """
    levelled, mels = [], []
    for sound in torch.from_numpy(sounds):
        power = torch.expm1(spectrogram.waveform_to_mel(sound[None])).max()
        sound = sound * torch.sqrt(PEAK_POWER / power)
        levelled.append(sound.numpy())
        mels.append(spectrogram.waveform_to_mel(sound[None]).clamp(max=PEAK_MEL))
    return np.stack(levelled), torch.cat(mels)


# --------------------------------------------------------------------------------------------------
# Training


def _compress(mel: Tensor) -> Tensor:
    """Approximate loudness of a bin. Without it, the loudest partial dominates the loss."""
    return (mel + 1e-5).pow(0.25)


def train(model: sda.ConvVAE, mels: Tensor, epochs: int, kl_weight: float) -> float:
    """Returns the mean loss of the last epoch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    batch = 24
    steps = math.ceil(len(mels) / batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=3e-3, total_steps=epochs * steps, pct_start=0.15
    )
    model.train()
    started = time.monotonic()
    mean_loss = math.nan
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(mels)).split(batch):
            target = mels[rows]
            mel, mu, logvar = model(target)
            pixels = F.mse_loss(_compress(mel), _compress(target), reduction="sum") / len(rows)
            kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum() / len(rows)
            loss = pixels + kl_weight * min(1.0, epoch / (0.3 * epochs)) * kl
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 100.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        mean_loss = total / len(mels)
        if epoch % 5 == 0 or epoch == epochs - 1:
            seconds = time.monotonic() - started
            print(
                f"epoch {epoch:3d}  loss {mean_loss:8.2f}  pixels {pixels:8.2f}  "
                f"kl {kl:6.2f}  {seconds:5.0f} s",
                flush=True,
            )
    model.eval()
    return mean_loss


@torch.no_grad()
def settle_batch_norm(model: sda.ConvVAE, mels: Tensor) -> None:
    """Replace the running statistics by averages over the trained network."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    model.train()
    for rows in torch.randperm(len(mels)).split(48):
        model(mels[rows])
    model.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


# In this order, each feature labels the first unlabelled axis that clearly changes it.
LABEL_OF_FEATURE = {
    "spectral_centroid": "Brightness",
    "spectral_flatness": "Noise",
    "rms_energy": "Loudness",
    "zero_crossing_rate": "Pitch",
    "spectral_rolloff": "Treble",
}


def name_components(analysis: dict[str, Any]) -> None:
    """Label each axis after a feature that it clearly changes.

    An axis without such a feature keeps its label "Axis n".
    """
    nameless = list(range(analysis["n_active_components"]))
    for feature, label in LABEL_OF_FEATURE.items():
        strength = analysis["feature_correlations"][feature]
        axis = next((axis for axis in nameless if abs(strength[axis]) >= 0.7), None)
        if axis is not None:
            analysis["component_labels"][axis] = label
            nameless.remove(axis)


# --------------------------------------------------------------------------------------------------
# Measurements of the written model's sound


@torch.no_grad()
def describe(path: Path, reference: sda.ConvVAE, mels: Tensor) -> bool:
    """Print features of the sound along each slider.

    Returns False if a sound is silent or the first slider hardly changes the sound.
    """
    loaded = sda.load_sda(path)
    spectrogram = sda.AudioSpectrogram(loaded.config)
    mu, _ = reference.encoder(mels)
    full = reference.decoder(mu)
    half = loaded.model.decoder(mu)
    difference = float((half - full).abs().max() / full.abs().max())
    print(f"float16 against float32: max difference {difference:.2e} of the largest")
    rebuilt = F.mse_loss(_compress(full), _compress(mels)) / _compress(mels).var()
    print(f"reconstruction: {float(rebuilt):.3f} of the variance unexplained")
    analysis = loaded.analysis
    assert analysis is not None
    print(f"latents: mean {mu.mean(0).numpy().round(2)}, deviation {mu.std(0).numpy().round(2)}")
    good = True
    for info in sda.slider_info(analysis):
        heard = []
        for position in (-8, -4, 0, 4, 8):
            positions = [0] * analysis["n_active_components"]
            positions[info["index"]] = position
            z = torch.from_numpy(sda.sliders_to_latent(analysis, positions))
            torch.manual_seed(0)
            sound = sda.render_latent(loaded, spectrogram, z)
            heard.append(sda.audio_features(sound / np.abs(sound).max(), RATE))
            good &= bool(np.isfinite(sound).all()) and float(np.abs(sound).max()) > 1e-4
        centroids = [h["spectral_centroid"] for h in heard]
        good &= info["index"] > 0 or max(centroids) > 1.2 * min(centroids)
        print(
            f"slider {info['index']} {info['label']:>10} {info['variance_explained_pct']:4.1f} %  "
            f"safe {info['safe_min_step']}…{info['safe_max_step']}  centroid "
            + " ".join(f"{c:5.0f}" for c in centroids)
            + "  flatness "
            + " ".join(f"{h['spectral_flatness']:.0e}" for h in heard)
        )
    return good


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--output", type=Path, default=root / "assets/models/synthetic-plucks.sda")
    parser.add_argument("--epochs", type=int, default=90)
    parser.add_argument("--kl-weight", type=float, default=4.0)
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    config = sda.SpectrogramConfig()
    spectrogram = sda.AudioSpectrogram(config)
    _, mels = to_targets(make_sounds(np.random.default_rng(SEED)), spectrogram)
    print(f"{len(mels)} sounds, mel {tuple(mels.shape[1:])}, mean {float(mels.mean()):.4f}")

    model = sda.ConvVAE(LATENT_DIM, config, dropout=0.0)
    # Start from silence: most of a spectrogram is near zero.
    torch.nn.init.constant_(model.decoder.deconvs[12].bias, -7.0)
    loss = train(model, mels, options.epochs, options.kl_weight)
    settle_batch_norm(model, mels)

    state = sda.half_state_dict(model)
    stored = sda.ConvVAE(LATENT_DIM, config)
    stored.load_state_dict(state)
    stored.eval()
    with torch.no_grad():
        latents = stored.encoder(mels)[0].numpy()

        def render(z: np.ndarray) -> np.ndarray:
            torch.manual_seed(0)
            mel = stored.decoder(torch.from_numpy(np.asarray(z, np.float32))[None])
            return spectrogram.mel_to_waveform(mel)[0, 0].numpy()

        analysis = sda.analyse_latents(latents, render, RATE)
    name_components(analysis)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    size = sda.write_sda(
        options.output,
        state_dict=state,
        latent_dim=LATENT_DIM,
        config=config,
        analysis=analysis,
        training_config=sda.default_training_config(
            LATENT_DIM,
            "balanced",
            batch_size=24,
            max_epochs=options.epochs,
            learning_rate=0.003,
            device="cpu",
        ),
        metadata={
            "model_id": MODEL_ID,
            "name": "Synthetic Plucks",
            "description": "Plucked strings, struck bars, drums and pads, all made from formulas",
            "dataset_name": "synthetic",
            "dataset_file_count": len(mels),
            "dataset_total_duration_s": float(len(mels)),
            "training_date": DATE,
            "save_date": DATE,
            "training_epochs": options.epochs,
            "final_train_loss": loss,
            "final_val_loss": loss,
            "tags": ["demo", "synthetic", "pluck"],
        },
    )
    print(f"{options.output}: {size:,} bytes, {analysis['n_active_components']} active components")
    return 0 if describe(options.output, model, mels) else 1


if __name__ == "__main__":
    sys.exit(main())
