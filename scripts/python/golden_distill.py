"""Small files of the Python program's later versions, and values computed from them.

The values have the layout that `validate_distill.py` reads: `golden/NAME/golden.json` and arrays.
The models have the usual architectures, but small spectrograms, and their files store few weights:
most tensors of a file are views of one storage, with overlapping strides.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import distill_reference as distill
import sda_reference as sda
import vq_reference as vq
from golden_values import tensor_bytes

LOW = sda.SpectrogramConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=16)
# The program's own, but for the number of mel bands. Only here the low-pass filter works.
HIGH = sda.SpectrogramConfig(n_mels=16)
SAVE_DATE = "2026-11-26T07:05:14.430945+00:00"
# Strides of the weights: far enough apart that filters differ, close enough to stay small.
CONV_STRIDES = (6, 4, 3, 1)
DEEP_STRIDES = (3, 2, 3, 1)
DEEP = 256
# A sound is kept whole up to this length; otherwise as stretches.
WHOLE = 6144
STRETCH, STRETCHES = 2048, 3
# How often a sound is made from a slightly changed mel; the worst counts.
DISTURBED = 2
DISTURBANCE = 1e-7
# Griffin-Lim magnifies rounding more or less, by chance. A sound should be at least as steady as
# this, in dB; otherwise other seeds are tried. With short windows, more is lost than `sensitivity`
# shows.
STEADY, STEADY_SHORT = 45.0, 65.0
TRIES = 12

VOCODER = {
    "resblock_type": 1,
    "upsample_rates": [8, 8, 4, 2],
    "upsample_kernel_sizes": [16, 16, 8, 4],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "num_mels": HIGH.n_mels,
    "sample_rate": HIGH.sample_rate,
    "hop_size": HIGH.hop_length,
    "learning_rate": 0.0002,
    "adam_b1": 0.8,
    "adam_b2": 0.99,
    "lr_decay": 0.999,
    "segment_size": 24_576,
    "batch_size": 8,
    "mpd_periods": [2, 3, 5, 7, 11],
}
# Fewer layers and discriminators, because a checkpoint names each tensor several times.
SMALL_VOCODER = VOCODER | {
    "upsample_rates": [16, 32],
    "upsample_kernel_sizes": [32, 64],
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 2], [1, 3]],
    "mpd_periods": [2, 3],
}
CODEBOOK = {
    "codebook_dim": 8,
    "codebook_size": 12,
    "num_quantizers": 3,
    "decay": 0.8,
    "commitment_weight": 0.25,
    "threshold_ema_dead_code": 2,
    "kmeans_init": True,
    "kmeans_iters": 10,
    "dropout": 0.4,
    "gradient_clip_norm": 1.0,
    "batch_size": 10,
    "max_epochs": 100,
    "learning_rate": 0.0005,
    "weight_decay": 0.01,
    "chunk_duration_s": 1.0,
    "val_fraction": 0.5,
    "augmentation_expansion": 15,
    "checkpoint_interval": 10,
    "preview_interval": 20,
    "max_checkpoints": 3,
    "device": "auto",
    "num_workers": 0,
}
PRIOR = {
    "hidden_size": 16,
    "num_layers": 2,
    "num_heads": 4,
    "dropout": 0.3,
    "max_epochs": 50,
    "learning_rate": 0.0003,
    "weight_decay": 0.01,
    "gradient_clip_norm": 1.0,
    "batch_size": 15,
    "val_fraction": 0.3,
    "device": "auto",
    "seq_len": 24,
    "num_quantizers": 3,
}
STATS = {"mag_mean": 0.8, "mag_std": 1.1, "if_mean": -0.0007, "if_std": 0.28}


# --------------------------------------------------------------------------------------------------
# Weights


@torch.no_grad()
def fill(model: nn.Module, forward: Callable[[], Any], seed: int) -> None:
    """Random weights with overlapping strides. `forward` calibrates the batch norms."""
    torch.manual_seed(seed)
    layers = [
        m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear))
    ]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    # All biases begin at the same element of one storage, and so do the norms' scales.
    shifts = 0.2 * torch.randn(max(len(layer.bias) for layer in layers))
    scales = 1.0 + 0.2 * torch.randn(max(norm.num_features for norm in norms))
    for layer in layers:
        shape = layer.weight.shape
        is_linear = isinstance(layer, nn.Linear)
        strides = CONV_STRIDES if max(shape[:2]) < DEEP else DEEP_STRIDES
        if is_linear:
            strides = (1, 128) if shape[0] > shape[1] else (7, 1)
        length = 1 + sum((n - 1) * by for n, by in zip(shape, strides, strict=True))
        values = torch.randn(length) * layer.weight.std() * (3.0 if is_linear else 1.7)
        layer.weight = nn.Parameter(values.as_strided(shape, strides))
        layer.bias = nn.Parameter(shifts[: len(layer.bias)])
    for norm in norms:
        norm.momentum = None
        norm.weight = nn.Parameter(scales[: norm.num_features])
        norm.bias = nn.Parameter(shifts[: norm.num_features])
    model.train()
    forward()
    model.eval()


def packed(*states: dict[str, Tensor]) -> None:
    """Put all float32 tensors of state dicts into one storage, and all int64 counters into another.

    Tensors that share a storage keep sharing its elements.
    """
    tensors = [tensor for state in states for tensor in state.values()]
    for dtype in (torch.float32, torch.int64):
        stores: dict[int, Tensor] = {}
        places: dict[int, int] = {}
        length = 0
        for tensor in tensors:
            key = tensor.untyped_storage().data_ptr()
            if tensor.dtype != dtype or key in stores:
                continue
            stores[key] = torch.empty(0, dtype=dtype).set_(tensor.untyped_storage())
            places[key] = length
            length += stores[key].numel()
        flat = torch.cat(list(stores.values())) if stores else torch.empty(0, dtype=dtype)
        for state in states:
            for name, tensor in state.items():
                if tensor.dtype != dtype:
                    continue
                offset = places[tensor.untyped_storage().data_ptr()] + tensor.storage_offset()
                state[name] = flat.as_strided(tensor.shape, tensor.stride(), offset)


def random_mels(config: sda.SpectrogramConfig, channels: int) -> Tensor:
    return torch.rand(16, channels, *config.mel_shape(config.sample_rate)) * 2


def make_vae(
    generation: str,
    latent_dim: int,
    config: sda.SpectrogramConfig,
    seed: int,
    bias: Sequence[float],
) -> sda.ConvVAE:
    """`bias` shifts the decoder's last result, and so sets how loud the sound is."""
    torch.manual_seed(seed)
    model = distill.NETWORKS[generation](latent_dim, config, dropout=0.0)
    mels = random_mels(config, model.channels[0])
    fill(model, lambda: model(mels), seed)
    last = [m for m in model.decoder.deconvs if isinstance(m, nn.ConvTranspose2d)][-1]
    last.bias = nn.Parameter(torch.tensor(bias))
    return model


def make_vq(config: sda.SpectrogramConfig, seed: int) -> vq.VqVae:
    torch.manual_seed(seed)
    model = vq.VqVae(CODEBOOK, config, dropout=0.0)
    mels = random_mels(config, 1)
    _, frames = config.mel_shape(config.sample_rate)

    def forward() -> None:
        model.decoder(model.encoder(mels), frames)

    fill(model, forward, seed)
    last = [m for m in model.decoder.deconvs if isinstance(m, nn.ConvTranspose2d)][-1]
    last.bias = nn.Parameter(torch.tensor([-0.5]))
    with torch.no_grad():
        embedded = model.encoder(mels)
    # Each level's vectors are smaller, because they stand for what the levels before left over.
    for level, layer in enumerate(model.quantizer.rvq.layers):
        book = layer._codebook
        book.embed.copy_(torch.randn(book.embed.shape) * embedded.std() / 2**level)
        book.embed_avg.copy_(book.embed)
        book.cluster_size.copy_(2 + 8 * torch.rand(book.cluster_size.shape))
    return model.eval()


def make_prior(seed: int) -> vq.Prior:
    """Weights large enough that the codes depend on those before."""
    torch.manual_seed(seed)
    prior = vq.Prior(CODEBOOK["codebook_size"], PRIOR)
    with torch.no_grad():
        for name, parameter in prior.named_parameters():
            if "norm" not in name and "ln_f" not in name:
                parameter.copy_(torch.randn(parameter.shape) * 0.35)
    return prior.eval()


def make_generator(config: dict[str, Any], seed: int) -> dict[str, Tensor]:
    """A HiFi-GAN generator's state dict."""
    torch.manual_seed(seed)
    state: dict[str, Tensor] = {}

    def layer(name: str, shape: tuple[int, int, int], outputs: int, gain: float) -> None:
        v = torch.randn(shape)
        state[f"{name}.bias"] = 0.05 * torch.randn(outputs)
        # The norm over all axes but the first decides, so `gain` sets the size of the result.
        state[f"{name}.weight_g"] = gain * (1 + 0.1 * torch.randn(shape[0], 1, 1))
        state[f"{name}.weight_v"] = v

    channels = config["upsample_initial_channel"]
    layer("conv_pre", (channels, config["num_mels"], 7), channels, 0.1)
    kernels = config["resblock_kernel_sizes"]
    blocks = []
    for stage, width in enumerate(config["upsample_kernel_sizes"]):
        layer(f"ups.{stage}", (channels, channels // 2, width), channels // 2, 3.0)
        channels //= 2
        for k, (size, dilations) in enumerate(
            zip(kernels, config["resblock_dilation_sizes"], strict=True)
        ):
            for convs in ("convs1", "convs2"):
                for i in range(len(dilations)):
                    name = f"resblocks.{stage * len(kernels) + k}.{convs}.{i}"
                    blocks.append((name, (channels, channels, size)))
    for name, shape in blocks:
        layer(name, shape, shape[0], 0.8)
    layer("conv_post", (1, channels, 7), 1, 1.0)
    state["conv_post.bias"].zero_()
    return state


# --------------------------------------------------------------------------------------------------
# Files


def metadata(name: str, number: int, analysis: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "model_id": f"00000000-0000-4000-8002-{number:012d}",
        "name": name,
        "description": "Tiny model, line 1\nline 2 \u2014 \u201cquotes\u201d",
        "dataset_name": "random",
        "dataset_file_count": 2,
        "dataset_total_duration_s": 2.5,
        "training_date": "2026-02-14T09:30:15.123456",
        "save_date": SAVE_DATE,
        "training_epochs": 3,
        "final_train_loss": 0.0527375,
        "final_val_loss": 0.25,
        "tags": ["tiny", "\u00c6nigma"],
        "has_analysis": analysis is not None,
        "n_active_components": 0 if analysis is None else analysis["n_active_components"],
    }


def training_config(generation: str, latent_dim: int) -> dict[str, Any]:
    """The generation's training settings, in its order."""
    own = sda.default_training_config(latent_dim, "balanced", max_epochs=3)
    preset = sda.register_program_modules("distill")("balanced")
    made: dict[str, Any] = {}
    for key, value in own.items():
        made[key] = preset if key == "preset" else value
        if key == "kl_warmup_fraction" and generation != distill.EARLY:
            made["kl_weight_max"] = 0.01
        if key == "regularization" and generation == distill.COMPLEX:
            made["complex_spectrogram"] = {
                "if_masking_threshold": 1e-05, "n_fft": 2048, "hop_length": 512, "n_mels": 128
            }
            made["loss"] = {
                "stft": {
                    "weight": 1.0,
                    "fft_sizes": (512, 1024, 2048),
                    "hop_sizes": (128, 256, 512),
                    "win_lengths": (512, 1024, 2048),
                },
                "reconstruction": {"weight": 0.1, "magnitude_weight": 1.0, "if_weight": 0.5},
                "kl": {"weight_max": 0.01, "warmup_fraction": 0.3, "free_bits": 0.1},
            }
    return made


def analyse(model: distill.DistillModel, seed: int) -> dict[str, Any]:
    """The latent analysis of random latents. Some axes explain more than others."""
    dim = model.model.latent_dim
    latents = np.random.default_rng(seed).normal(0.1, np.linspace(1.5, 0.5, dim), (200, dim))
    spectrogram = distill.spectrogram_of(model)

    @torch.no_grad()
    def render(z: np.ndarray) -> np.ndarray:
        torch.manual_seed(0)
        mel = model.model.decoder(torch.from_numpy(np.asarray(z, np.float32))[None])
        return distill.mel_to_sound(model, spectrogram, mel)

    analysis = sda.analyse_latents(
        latents, render, model.config.sample_rate, min_variance_ratio=0.05
    )
    if model.generation == distill.COMPLEX:
        count = analysis["n_active_components"]
        analysis["component_labels"] = [f"PC{i + 1}" for i in range(count)]
        analysis["suggested_labels"] = [f"PC{i + 1} (Brightness)" for i in range(count)]
    return analysis


def save_vae(
    path: Path,
    generation: str,
    model: sda.ConvVAE,
    config: sda.SpectrogramConfig,
    number: int,
    *,
    with_analysis: bool = True,
    vocoder_state: dict[str, Any] | None = None,
) -> None:
    """Write a file with the keys of its generation in their order."""
    state = model.state_dict()
    content: dict[str, Any] = {
        "format": "distillgan_model" if generation == distill.GAN else "distill_model",
        "version": 1,
        "model_state_dict": state,
        "latent_dim": model.latent_dim,
        "spectrogram_config": asdict(config),
        "latent_analysis": None,
        "training_config": training_config(generation, model.latent_dim),
    }
    stats = {"normalization_stats": STATS} if generation == distill.COMPLEX else {}
    vocoder = None
    if vocoder_state is not None:
        vocoder = distill.HifiGan(vocoder_state["generator_state_dict"], vocoder_state["config"])
    if with_analysis:
        loaded = distill.DistillModel(generation, model, config, content | stats, vocoder)
        content["latent_analysis"] = analyse(loaded, number)
    name = path.stem.replace("-", " ").title()
    content["metadata"] = metadata(name, number, content["latent_analysis"])
    content |= stats
    if vocoder_state is not None:
        content["vocoder_state"] = vocoder_state
    packed(state)
    torch.save(content, path)


def vocoder_state(config: dict[str, Any], seed: int, *, cancelled: bool) -> dict[str, Any]:
    generator = make_generator(config, seed)
    packed(generator)
    state = {
        "type": "hifigan_v2",
        "generator_state_dict": generator,
        "config": config,
        "training_metadata": {
            "epochs": 5 if cancelled else 120,
            "total_epochs": 60 if cancelled else 120,
            "final_loss": 31.40625,
            "training_date": "2026-11-26T06:57:09.922411+00:00",
        },
    }
    if cancelled:
        state["checkpoint"] = vocoder_checkpoint(generator, config)
    return state


def vocoder_checkpoint(generator: dict[str, Tensor], config: dict[str, Any]) -> dict[str, Any]:
    """What a cancelled training leaves. The discriminators and all moments are expanded zeros."""
    mpd: dict[str, Tensor] = {}
    zero = torch.zeros(())
    for i, _ in enumerate(config["mpd_periods"]):
        for name, shape in (("convs.0", (32, 1, 5, 1)), ("conv_post", (1, 1024, 3, 1))):
            prefix = f"discriminators.{i}.{name}"
            mpd[f"{prefix}.bias"] = zero.expand(shape[0])
            mpd[f"{prefix}.weight_g"] = zero.expand(shape[0], 1, 1, 1)
            mpd[f"{prefix}.weight_v"] = zero.expand(shape)
    msd = {
        "discriminators.0.convs.0.bias": zero.expand(128),
        "discriminators.0.convs.0.weight_orig": zero.expand(128, 1, 15),
        "discriminators.0.convs.0.weight_u": zero.expand(128),
        "discriminators.0.convs.0.weight_v": zero.expand(15),
        "discriminators.1.convs.0.bias": zero.expand(128),
        "discriminators.1.convs.0.weight_g": zero.expand(128, 1, 1),
        "discriminators.1.convs.0.weight_v": zero.expand(128, 1, 15),
    }
    schedule = {
        "gamma": config["lr_decay"],
        "base_lrs": [config["learning_rate"]],
        "last_epoch": 4,
        "_step_count": 5,
        "_is_initial": False,
        "_get_lr_called_within_step": False,
        "_last_lr": [config["learning_rate"] * config["lr_decay"] ** 4],
    }
    learned = [t for n, t in {**mpd, **msd}.items() if not n.endswith("weight_u")]
    return {
        "generator_state_dict": generator,
        "mpd_state_dict": mpd,
        "msd_state_dict": msd,
        "optim_g_state_dict": adam(list(generator.values()), config["learning_rate"]),
        "optim_d_state_dict": adam(learned, config["learning_rate"] / 2),
        "sched_g_state_dict": schedule,
        "sched_d_state_dict": dict(schedule),
        "epoch": 4,
    }


def adam(parameters: Sequence[Tensor], rate: float) -> dict[str, Any]:
    """An AdamW optimizer's state after a step, with zeros as the moments."""
    zero, step = torch.zeros(()), torch.tensor(1.0)
    return {
        "state": {
            i: {"step": step, "exp_avg": zero.expand(t.shape), "exp_avg_sq": zero.expand(t.shape)}
            for i, t in enumerate(parameters)
        },
        "param_groups": [
            {
                "lr": rate,
                "betas": (0.8, 0.99),
                "eps": 1e-08,
                "weight_decay": 0.01,
                "amsgrad": False,
                "maximize": False,
                "foreach": None,
                "capturable": False,
                "differentiable": False,
                "fused": None,
                "decoupled_weight_decay": True,
                "initial_lr": rate,
                "params": list(range(len(parameters))),
            }
        ],
    }


def save_vq(
    path: Path, model: vq.VqVae, config: sda.SpectrogramConfig, number: int, prior: vq.Prior | None
) -> None:
    state = model.state_dict()
    packed(state)
    content: dict[str, Any] = {
        "format": "distill_model",
        "version": 2,
        "model_type": "vqvae",
        "model_state_dict": state,
        "vqvae_config": dict(CODEBOOK),
        "spectrogram_config": asdict(config),
        "training_config": dict(CODEBOOK),
        "codebook_health_snapshot": codebook_health(),
        "loss_curve_history": {
            "train_losses": [2.6, 1.35], "val_losses": [2.58, 1.33],
            "recon_losses": [2.64, 1.39], "commit_losses": [2.65, 1.4],
        },
        "metadata": metadata(path.stem.replace("-", " ").title(), number, None),
    }
    if prior is not None:
        prior_state = prior.state_dict()
        packed(prior_state)
        content |= {
            "has_prior": True,
            "prior_state_dict": prior_state,
            "prior_config": dict(PRIOR),
            "prior_metadata": {
                "epochs_trained": 50,
                "final_perplexity": 41.25,
                "best_perplexity": 37.5,
                "training_date": "2026-02-27T12:00:00+00:00",
            },
        }
    torch.save(content, path)


def codebook_health() -> dict[str, Any]:
    return {
        f"level_{q}": {"utilization": 1.0 - q / 8, "perplexity": 9.5 - q, "dead_codes": q}
        for q in range(CODEBOOK["num_quantizers"])
    }


def save_checkpoint(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Write a training checkpoint, and the small JSON file beside it."""
    torch.save(content, folder / f"{name}.pt")
    meta = {key: content[key] for key in ("epoch", "train_loss", "val_loss")}
    (folder / f"{name}.pt.meta.json").write_text(json.dumps(meta, indent=2), encoding="utf-8")


def write_checkpoints(folder: Path, main: Path, codes: Path) -> None:
    """Checkpoints of the v1.1 branch and of the branch with codes, from the models' files."""
    folder.mkdir(parents=True, exist_ok=True)
    scheduler = {"T_max": 3, "eta_min": 0.0, "base_lrs": [0.0005], "last_epoch": 3}
    for name, path in (("tiny-v1.1", main), ("tiny-vq", codes)):
        content = distill.load_content(path)
        state = content["model_state_dict"]
        packed(state)
        learned = [t for n, t in state.items() if n.endswith(("weight", "bias"))]
        made: dict[str, Any] = {
            "version": 1,
            "epoch": 2,
            "step": 0,
            "model_state_dict": state,
            "optimizer_state_dict": adam(learned, 0.0005),
            "scheduler_state_dict": scheduler | {"_step_count": 4, "_last_lr": [0.0]},
            "train_loss": 16.452295303344727,
            "val_loss": 18.781452178955078,
        }
        if path == codes:
            made = {"version": 1, "model_type": "vqvae", **made, "commitment_weight": 0.25}
        else:
            made["kl_weight"] = 0.01
        made |= {
            "training_config": content["training_config"],
            "spectrogram_config": content["spectrogram_config"],
            "metrics_history": {
                "step_metrics": [],
                "epoch_metrics": [{"epoch": i, "train_loss": 18.0 - i} for i in range(3)],
            },
        }
        if path == codes:
            made["codebook_health"] = codebook_health()
        else:
            made["latent_analysis"] = content["latent_analysis"]
        save_checkpoint(folder, name, made)


# --------------------------------------------------------------------------------------------------
# Values


class Writer:
    """Writes the arrays of one folder of values, and the JSON that describes them."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder / "golden" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.files: dict[str, Any] = {}

    def array(self, file: str, values: Any, what: str, **facts: Any) -> None:
        array = np.asarray(values)
        kind = "<i4" if file.endswith(".i32") else "<f4"
        (self.folder / file).write_bytes(np.ascontiguousarray(array).astype(kind).tobytes())
        self.files[file] = {"shape": list(array.shape), "what": what, **facts}

    def sound(self, file: str, audio: np.ndarray, what: str, **facts: Any) -> None:
        """Keeps only some stretches of a long sound; `wave` is about all samples."""
        rows = np.atleast_2d(audio)
        wave = {
            "channels": len(rows),
            "samples": rows.shape[1],
            "sum": rows.sum(axis=1, dtype=np.float64).tolist(),
            "sum_of_squares": np.square(rows, dtype=np.float64).sum(axis=1).tolist(),
            "peak": float(np.abs(rows).max()),
        }
        if rows.shape[1] <= WHOLE:
            self.array(file, audio, what, wave=wave, **facts)
            return
        last = rows.shape[1] - STRETCH
        starts = [i * last // (STRETCHES - 1) for i in range(STRETCHES)]
        kept = np.stack([rows[:, start : start + STRETCH] for start in starts])
        self.array(
            file,
            kept,
            f"{what} (stretches: [stretch][channel][sample])",
            wave=wave,
            stretch_starts=starts,
            **facts,
        )

    def write(self, facts: dict[str, Any]) -> None:
        text = json.dumps(
            _plain({"files": self.files, **facts}), separators=(",", ":"), allow_nan=False
        )
        path = self.folder / "golden.json"
        path.write_text(text.replace('},"', '},\n"') + "\n", encoding="ascii")


def _plain(value: Any) -> Any:
    """The value for JSON: an infinity becomes text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and np.isinf(value):
        return str(value)
    return value


def digests(state: dict[str, Tensor]) -> dict[str, Any]:
    return {
        key: {
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
            "sha256": hashlib.sha256(tensor_bytes(tensor)).hexdigest(),
        }
        for key, tensor in state.items()
    }


def signal_to_difference(a: np.ndarray, b: np.ndarray) -> float:
    noise = float(np.sum((a.astype(np.float64) - b) ** 2))
    return float(10 * np.log10(np.sum(a.astype(np.float64) ** 2) / noise)) if noise else 200.0


def sensitivity(
    sound: np.ndarray, again: Callable[[distill.Disturb], np.ndarray]
) -> dict[str, Any]:
    """What a relative change of 1e-7 in the mel does to a sound: the worst of some tries."""
    others = []
    for seed in range(DISTURBED):
        random = torch.Generator().manual_seed(seed)

        def disturb(mel: Tensor, random: torch.Generator = random) -> Tensor:
            return mel * (1 + DISTURBANCE * torch.randn(mel.shape, generator=random))

        others.append(again(disturb))
    return {
        "perturbation": "every mel times (1 + 1e-7 gaussian)",
        "max_abs": max(float(np.abs(other - sound).max()) for other in others),
        "snr_db": min(signal_to_difference(sound, other) for other in others),
    }


def steady_seed(
    seed: int, config: sda.SpectrogramConfig, sound_of: Callable[[int, distill.Disturb], np.ndarray]
) -> tuple[int, np.ndarray, dict[str, Any]]:
    """The first seed from `seed` on with a steady sound, or the best one; its sound and facts."""
    enough = STEADY_SHORT if config.n_fft == LOW.n_fft else STEADY
    tried = []
    for each in range(seed, seed + TRIES):
        sound = sound_of(each, lambda mel: mel)
        facts = sensitivity(sound, lambda disturb, each=each: sound_of(each, disturb))
        tried.append((facts["snr_db"], each, sound, facts))
        if facts["snr_db"] >= enough:
            break
    _, best, sound, facts = max(tried, key=lambda entry: entry[0])
    return best, sound, facts


Cases = Sequence[tuple[str, dict[str, Any]]]


@torch.no_grad()
def write_latent_values(folder: Path, name: str, file: str, cases: Cases) -> None:
    """Values of a model with a latent space. "sliders" as latent_vector is a row of sliders."""
    write = Writer(folder, name)
    loaded = distill.load_distill(folder / file)
    model, content, config = loaded.model, loaded.content, loaded.config
    spectrogram = distill.spectrogram_of(loaded)
    torch.manual_seed(3)
    z = torch.randn(2, model.latent_dim)
    mels = torch.cat([model.decoder(each[None]) for each in z])
    write.array("decode_z.f32", z, "latent vectors")
    write.array("decode_mel.f32", mels if mels.shape[1] > 1 else mels[:, 0], "decoded, one by one")
    given = torch.rand(mels[:1].shape) * 2
    mu, logvar = model.encode(given)
    is_complex = loaded.generation == distill.COMPLEX
    write.array("encode_in.f32" if is_complex else "encode_in_mel.f32", given[0], "given mel")
    write.array("encode_mu.f32", mu[0], "encoder mean")
    write.array("encode_logvar.f32", logvar[0], "encoder log-variance")

    def sound_of(seed: int, disturb: distill.Disturb) -> np.ndarray:
        torch.manual_seed(seed)
        return distill.mel_to_sound(loaded, spectrogram, disturb(mels[:1]))

    seed, sound, facts = steady_seed(7, config, sound_of)
    print(f"{name} mel_to_wave: {facts['snr_db']:.1f} dB, seed {seed}")
    what = "sound of decode_mel[0]"
    write.sound("mel_to_wave.f32", sound, what, seed=seed, sensitivity=facts)
    if is_complex:
        amplitude, phase = distill.amplitude_and_phase(
            spectrogram, mels[:1], content["normalization_stats"]
        )
        write.array("linear_amplitude_4.f32", amplitude[0, :, -4:], "linear amplitude, last frames")
        write.array("linear_phase_4.f32", phase[0, :, -4:], "linear phase, last frames")
    if loaded.vocoder is not None:
        negative = torch.randn(config.n_mels, 12)
        out = loaded.vocoder(negative[None])[0]
        write.array("vocoder_negative_in.f32", negative, "mel with negative values")
        write.sound("vocoder_negative_out.f32", out.numpy(), "HiFi-GAN of it")
    rows = []
    if loaded.analysis is not None:
        count = loaded.analysis["n_active_components"]
        for positions in ([0] * count, [(3 * i) % 11 - 5 for i in range(count)]):
            latent = sda.sliders_to_latent(loaded.analysis, positions)
            rows.append({"positions": positions, "latent": latent.tolist()})
    made = [write_case(write, loaded, case, settings, rows) for case, settings in cases]
    facts = {
        "model": file,
        "cases": made,
        **described(content),
        "sliders": [] if loaded.analysis is None else sda.slider_info(loaded.analysis),
        "slider_latents": rows,
    }
    if loaded.vocoder is not None:
        facts["vocoder_state"] = {
            "generator_state_dict": digests(content["vocoder_state"]["generator_state_dict"])
        }
    write.write(facts)


def described(content: dict[str, Any]) -> dict[str, Any]:
    """What a file says about itself."""
    simple = ("format", "version", "latent_dim", "metadata", "spectrogram_config", "vqvae_config")
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "keys": list(content),
        **{key: content[key] for key in simple if key in content},
        "state_dict": digests(content["model_state_dict"]),
    }


def write_case(
    write: Writer,
    loaded: distill.DistillModel,
    case: str,
    settings: dict[str, Any],
    rows: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    config = dict(settings)
    if config.get("latent_vector") == "sliders":
        config["latent_vector"] = rows[-1]["latent"]

    def sound_of(seed: int, disturb: distill.Disturb) -> np.ndarray:
        request = sda.generate_config_from_json(config | {"seed": seed})
        return distill.generate(loaded, request, disturb=disturb).audio

    config["seed"], _, facts = steady_seed(config["seed"], loaded.config, sound_of)
    request = sda.generate_config_from_json(config)
    made = distill.generate(loaded, request)
    if made.path is not None and made.mel is not None:
        write.array(f"{case}_trajectory.f32", made.path, f"{case}: latents that are decoded")
        if made.mel.shape[1] == 1:
            write.array(f"{case}_mel.f32", made.mel[0, 0], f"{case}: the added log mel")
    audio = made.audio
    write.sound(f"{case}_audio.f32", audio, f"{case}: the result", sensitivity=facts)
    print(f"{write.folder.name} {case}: {facts['snr_db']:.1f} dB, seed {request.seed}, SNR "
          f"{made.quality['snr_db']:.2f}, {made.quality['rating']}, "
          f"peak {made.quality['clipping']['peak_value']:.4f}")
    return {
        "name": case,
        "config": config,
        "result": result_of(audio, request, made.quality),
        "file": f"{case}_audio.f32",
    }


def result_of(
    audio: np.ndarray, request: sda.GenerateConfig, quality: dict[str, Any]
) -> dict[str, Any]:
    return {
        "sample_rate": request.sample_rate,
        "quality": quality,
        "seed_used": request.seed,
        "duration_s": audio.shape[-1] / request.sample_rate,
        "channels": 1 if audio.ndim == 1 else len(audio),
    }


@torch.no_grad()
def write_codes_values(folder: Path, file: str) -> None:
    """Values of a model of codes without a prior."""
    write = Writer(folder, "vq")
    loaded = vq.load_vq(folder / file)
    model, spectrogram = loaded.model, vq.spectrogram_of(loaded.config)
    torch.manual_seed(5)
    mel = random_mels(loaded.config, 1)[:1]
    codes = model.encode(mel)
    others = [mel * (1 + 1e-5 * torch.randn(mel.shape)) for _ in range(9)]
    if not all(torch.equal(codes, model.encode(other)) for other in others):
        raise AssertionError("the codes depend on rounding: take another mel")
    write.array("encode_in_mel.f32", mel[0, 0], "log mel given to the encoder")
    write.array("encode_embeddings.f32", model.encoder(mel)[0], "encoder's output")
    write.array("encode_codes.i32", codes, "its codes, [positions][levels]")
    given = torch.randint(0, CODEBOOK["codebook_size"], (2, *codes.shape))
    grid = sda.grid_of(loaded.config.mel_shape(loaded.config.sample_rate))
    mels = torch.cat([model.decode(each) for each in given])
    write.array("decode_codes.i32", given, "codes, [2][positions][levels]")
    embedded = model.quantizer.embed(given[0], grid)[0]
    write.array("decode_embeddings.f32", embedded, "sums of the codes' vectors")
    write.array("decode_mel.f32", mels[:, 0], "decoded log mels")
    single = torch.zeros_like(given[0])
    single[:, 1] = 5
    for name, each, seed in (
        ("decode_wave", mels[:1], 1077),
        ("preview_code", model.decode(single), 1078),
    ):

        def sound_of(
            disturb: distill.Disturb = lambda mel: mel, each: Tensor = each, seed: int = seed
        ) -> np.ndarray:
            torch.manual_seed(seed)
            return spectrogram.mel_to_waveform(disturb(each))[0, 0].numpy()

        sound = sound_of()
        facts = {"seed": seed, "sensitivity": sensitivity(sound, sound_of)}
        write.sound(f"{name}.f32", sound, name, **facts)
        print(f"vq {name}: {facts['sensitivity']['snr_db']:.1f} dB")
    write.write({"model": file, "cases": [], **described(loaded.content)})


@torch.no_grad()
def write_prior_values(folder: Path, file: str) -> None:
    """Values of a model of codes with a prior."""
    write = Writer(folder, "vq_prior")
    loaded = vq.load_vq(folder / file)
    prior = loaded.prior
    assert prior is not None
    torch.manual_seed(6)
    codes = torch.randint(0, CODEBOOK["codebook_size"], (prior.length,))
    write.array("logits_codes.i32", codes, "tokens")
    write.array("logits.f32", prior(codes), "the prior's logits after each")
    samples = []
    for seed, temperature, top_k, top_p in (
        (1088, 1.0, 0, 0.9), (1098, 0.7, 5, 1.0), (1108, 1.5, 0, 0.6), (1118, 1.0, 3, 0.95)
    ):
        drawn = steady_sample(prior, seed, temperature, top_k, top_p)
        samples.append({
            "seed": seed,
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
            "codes": drawn.tolist(),
        })
    cases = []
    for name, config in (
        ("gen_1s", {"duration_s": 1.0, "seed": 1088}),
        ("gen_25", {
            "duration_s": 2.5, "seed": 1098, "temperature": 0.7, "top_k": 5, "top_p": 0.95,
            "overlap_samples": 3840,
        }),
    ):
        request = sda.generate_config_from_json(config)
        audio, drawn = vq.generate(loaded, request)
        for i, chunk in enumerate(drawn):
            again = steady_sample(
                prior, request.seed + i, request.temperature, request.top_k, request.top_p
            )
            assert torch.equal(again, chunk)

        def again_of(
            disturb: distill.Disturb, request: sda.GenerateConfig = request
        ) -> np.ndarray:
            return vq.generate(loaded, request, disturb)[0]

        facts = sensitivity(audio, again_of)
        print(f"vq_prior {name}: {facts['snr_db']:.1f} dB")
        write.sound(f"{name}.f32", audio, "sound of drawn codes", sensitivity=facts)
        cases.append({
            "name": name,
            "config": config,
            "file": f"{name}.f32",
            "samples": len(audio),
            "chunk_codes": [chunk.tolist() for chunk in drawn],
        })
    write.write({
        "model": file,
        "cases": cases,
        **described(loaded.content),
        "prior_config": loaded.content["prior_config"],
        "prior_state_dict": digests(loaded.content["prior_state_dict"]),
        "samples": samples,
    })


def steady_sample(
    prior: vq.Prior, seed: int, temperature: float, top_k: int, top_p: float
) -> Tensor:
    """Drawn codes. Checks that rounding in the weights does not change them."""

    def draw() -> Tensor:
        torch.manual_seed(seed)
        return prior.sample(temperature, top_k, top_p)

    drawn = draw()
    before = prior.head.weight.clone()
    for _ in range(5):
        prior.head.weight.copy_(before * (1 + 2e-6 * torch.randn(before.shape)))
        if not torch.equal(draw(), drawn):
            raise AssertionError(f"the codes of seed {seed} depend on rounding: take another seed")
    prior.head.weight.copy_(before)
    return drawn


@dataclass(frozen=True)
class BlendCase:
    name: str
    models: tuple[str, ...]
    weights: tuple[float, ...]
    mode: str
    positions: list[int]
    config: dict[str, Any]


def write_blend_values(
    folder: Path, name: str, files: dict[str, str], cases: Sequence[BlendCase], vocoder: str | None
) -> None:
    """Values of blends. `vocoder` names the model whose vocoder plays all latents."""
    write = Writer(folder, name)
    models = {key: distill.load_distill(folder / file) for key, file in files.items()}
    by = models[vocoder].vocoder if vocoder else None
    made = []
    for case in cases:
        chosen = [models[key] for key in case.models]
        request = sda.generate_config_from_json(case.config)

        def blended(
            disturb: distill.Disturb = lambda mel: mel,
            case: BlendCase = case,
            chosen: list[distill.DistillModel] = chosen,
            request: sda.GenerateConfig = request,
        ) -> distill.Generated:
            return distill.blend(
                chosen,
                case.weights,
                request,
                mode=case.mode,
                positions=case.positions,
                vocoder=by,
                disturb=disturb,
            )

        result = blended()
        facts = {}
        if by is None:
            facts["sensitivity"] = sensitivity(
                result.audio, lambda disturb, blended=blended: blended(disturb).audio
            )
        file = f"{case.name}_audio.f32"
        write.sound(file, result.audio, f"{case.name}: the blend", **facts)
        print(f"{name} {case.name}: {facts.get('sensitivity', {}).get('snr_db')}, "
              f"{result.quality['rating']} {result.quality['snr_db']:.2f}")
        made.append({
            "name": case.name,
            "models": case.models,
            "weights": case.weights,
            "mode": case.mode,
            "slider_positions": case.positions,
            "config": case.config,
            "defaults": {"sample_rate": case.config["sample_rate"]},
            "union_sliders": distill.union_sliders(chosen),
            "latents": [z.tolist() for z in distill.blended_latents(chosen, case.positions)],
            "result": result_of(result.audio, request, result.quality),
            "file": file,
        })
    write.write({
        "model": None,
        "program": "v1.1" if vocoder else "own",
        "models": files,
        "cases": made,
    })


# --------------------------------------------------------------------------------------------------
# All


STEREO = {"mode": "stereo", "width": 1.2, "depth": 0.6}
CASES: dict[str, Cases] = {
    "rename": (
        ("c2", {"duration_s": 2.0, "seed": 1012, "sample_rate": 48_000}),
        ("slider", {
            "duration_s": 1.5, "seed": 1016, "sample_rate": 44_100, "latent_vector": "sliders"
        }),
        ("interp", {
            "duration_s": 2.0,
            "seed": 1014,
            "sample_rate": 48_000,
            "concat_mode": "latent_interpolation",
            "steps_between": 2,
            "spatial": STEREO,
        }),
    ),
    "main": (
        ("c25", {"duration_s": 2.5, "seed": 1024, "sample_rate": 48_000}),
        ("slider_e1", {
            "duration_s": 3.2,
            "seed": 1027,
            "sample_rate": 48_000,
            "latent_vector": "sliders",
            "evolution_amount": 1.0,
        }),
        ("slider_e0", {
            "duration_s": 1.0,
            "seed": 1027,
            "sample_rate": 44_100,
            "latent_vector": "sliders",
            "evolution_amount": 0.0,
        }),
        ("dual", {
            "duration_s": 1.5, "seed": 1031, "sample_rate": 44_100, "stereo_mode": "dual_seed"
        }),
        ("mid_side", {
            "duration_s": 1.0,
            "seed": 1032,
            "sample_rate": 48_000,
            "stereo_mode": "mid_side",
            "stereo_width": 0.4,
        }),
    ),
    "gan": (
        ("c1", {"duration_s": 1.0, "seed": 1035, "sample_rate": 48_000}),
        ("slider_e05", {
            "duration_s": 1.5, "seed": 1038, "sample_rate": 44_100, "latent_vector": "sliders"
        }),
    ),
    "voc": (
        ("c25", {"duration_s": 2.5, "seed": 1046, "sample_rate": 48_000}),
        ("slider_e05", {
            "duration_s": 2.5, "seed": 1049, "sample_rate": 44_100, "latent_vector": "sliders"
        }),
        ("stereo", {
            "duration_s": 1.0, "seed": 1052, "sample_rate": 96_000, "spatial": STEREO
        }),
    ),
    "ckpt": (
        ("c1", {"duration_s": 1.0, "seed": 1056, "sample_rate": 44_100}),
        ("dual", {
            "duration_s": 1.5, "seed": 1060, "sample_rate": 48_000, "stereo_mode": "dual_seed"
        }),
    ),
    "cs": (
        ("c25", {"duration_s": 2.5, "seed": 1068, "sample_rate": 48_000}),
        ("slider_e05", {
            "duration_s": 2.5, "seed": 1071, "sample_rate": 44_100, "latent_vector": "sliders"
        }),
        ("stereo", {
            "duration_s": 1.0, "seed": 1072, "sample_rate": 48_000, "spatial": STEREO
        }),
    ),
}
FILES = {
    "rename": "models/tiny-early.distill",
    "main": "models/tiny.distill",
    "gan": "models/tiny.distillgan",
    "voc": "models/tiny-vocoder.distillgan",
    "ckpt": "models/tiny-cancelled.distillgan",
    "cs": "models/tiny-complex.distill",
}
VQ_FILE, PRIOR_FILE = "models/tiny-vq.distill", "models/tiny-prior.distill"


def write_all(folder: Path) -> None:
    """Write the later versions' models and checkpoints, and the values of the models."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    plans = (
        ("rename", distill.EARLY, 3, LOW, [-2.0], {}),
        ("main", distill.MAIN, 4, HIGH, [-0.5], {}),
        ("gan", distill.GAN, 16, HIGH, [-0.5], {}),
        ("voc", distill.GAN, 16, HIGH, [-0.5], {
            "vocoder_state": vocoder_state(VOCODER, 38, cancelled=False)
        }),
        ("ckpt", distill.GAN, 16, HIGH, [-0.5], {
            "vocoder_state": vocoder_state(SMALL_VOCODER, 36, cancelled=True),
            "with_analysis": False,
        }),
        ("cs", distill.COMPLEX, 4, LOW, [0.5, 0.0], {}),
    )
    for number, (name, generation, latent_dim, config, bias, more) in enumerate(plans, start=1):
        model = make_vae(generation, latent_dim, config, 20 + number, bias)
        save_vae(folder / FILES[name], generation, model, config, number, **more)
        write_latent_values(folder, name, FILES[name], CASES[name])
    save_vq(folder / VQ_FILE, make_vq(LOW, 31), LOW, 7, None)
    write_codes_values(folder, VQ_FILE)
    save_vq(folder / PRIOR_FILE, make_vq(LOW, 32), LOW, 8, make_prior(33))
    write_prior_values(folder, PRIOR_FILE)
    write_checkpoints(folder / "checkpoints", folder / FILES["main"], folder / VQ_FILE)
    one = {"duration_s": 1.0, "seed": 1601, "sample_rate": 44_100}
    two = {"duration_s": 2.0, "seed": 1602, "sample_rate": 48_000}
    write_blend_values(
        folder,
        "blend",
        {key: FILES[key] for key in ("gan", "voc", "ckpt")},
        (
            BlendCase("latent2", ("gan", "voc"), (40.0, 25.0), "latent", [-1, -2, 4, 3], two),
            BlendCase("audio2", ("voc", "ckpt"), (25.0, 12.5), "audio", [2, 5, -2], one),
        ),
        "voc",
    )
    write_blend_values(
        folder,
        "blend_griffin_lim",
        {key: FILES[key] for key in ("main", "gan")},
        (BlendCase("audio2", ("main", "gan"), (80.0, 20.0), "audio", [1, 2, -1, 0, -5], one),),
        None,
    )
