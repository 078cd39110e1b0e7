"""Small `.sda` files for tests, and golden values of models.

The golden files have the layout of the Python program's golden files.

The tiny model has the usual architecture with about 800,000 weights, but its file stores only 26 KB
of weights. Each weight is a view with overlapping strides, and PyTorch saves only its storage. All
weights are exact in bfloat16 and in float16, so the variants of the model differ only in their
dtypes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import sda_reference as sda
from golden_values import tensor_bytes

TINY_CONFIG = sda.SpectrogramConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=16)
TINY_LATENT_DIM = 3
TINY_SEED = 11
SAVE_DATE = "2026-02-14T00:45:30.123456+00:00"
# Strides of the weights: far enough apart that filters differ, close enough to stay small.
CONV_STRIDES = (6, 4, 3, 1)


# --------------------------------------------------------------------------------------------------
# The tiny model and its variants


def _exact(tensor: Tensor) -> Tensor:
    """Round to values that bfloat16, float16 and float32 all hold."""
    rounded = tensor.to(torch.bfloat16).to(torch.float32)
    return torch.where(rounded.abs() < 2.0**-12, torch.zeros_like(rounded), rounded)


@torch.no_grad()
def _tiny_model() -> sda.ConvVAE:
    """Random weights. Batch norms are calibrated on random input to keep activations in range."""
    torch.manual_seed(TINY_SEED)
    model = sda.ConvVAE(TINY_LATENT_DIM, TINY_CONFIG, dropout=0.0)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            shape = module.weight.shape
            is_linear = isinstance(module, nn.Linear)
            strides = CONV_STRIDES if not is_linear else (1, 700) if shape[0] > shape[1] else (7, 1)
            last = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
            length = last + 1
            values = _exact(torch.randn(length) * module.weight.std() * (3.0 if is_linear else 1.7))
            module.weight = nn.Parameter(values.as_strided(shape, strides))
            module.bias.copy_(_exact(module.bias))
    model.decoder.deconvs[12].bias.fill_(-2.0)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    model.train()
    model(torch.rand(32, 1, *TINY_CONFIG.mel_shape(TINY_CONFIG.sample_rate)))
    for norm in norms:
        norm.momentum = 0.1
        norm.weight.copy_(_exact(1.0 + 0.2 * torch.randn_like(norm.weight)))
        norm.bias.copy_(_exact(0.2 * torch.randn_like(norm.bias)))
        norm.running_mean.copy_(_exact(norm.running_mean))
        norm.running_var.copy_(_exact(norm.running_var).clamp(min=2.0**-8))
    return model.eval()


def _cast(model: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """The state dict in a dtype. Keeps the strides, and checks that no value changes."""
    state = model.state_dict()
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            continue
        flat = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
        cast = flat.to(dtype).as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
        if not torch.equal(cast.to(torch.float32), tensor):
            raise AssertionError(f"{name} changes its values in {dtype}")
        state[name] = cast
    return state


def _tiny_metadata(name: str, number: int) -> dict[str, Any]:
    return {
        "model_id": f"00000000-0000-4000-8001-{number:012d}",
        "name": name,
        "description": "Tiny model, d\u00e9bris & noise \U0001f941",
        "dataset_name": "random",
        "dataset_file_count": 2,
        "dataset_total_duration_s": 2.5,
        "training_date": "2026-02-13T10:00:00+00:00",
        "save_date": SAVE_DATE,
        "training_epochs": 3,
        "final_train_loss": 1e-05,
        "final_val_loss": float("nan"),
        "tags": ["Tiny", "test"],
    }


def _tiny_analysis(model: sda.ConvVAE) -> dict[str, Any]:
    spectrogram = sda.AudioSpectrogram(TINY_CONFIG)
    latents = np.random.default_rng(TINY_SEED).normal(
        0.1, (1.5, 1.0, 0.5), size=(200, TINY_LATENT_DIM)
    )

    @torch.no_grad()
    def render(z: np.ndarray) -> np.ndarray:
        torch.manual_seed(0)
        mel = model.decoder(torch.from_numpy(np.asarray(z, np.float32))[None])
        return spectrogram.mel_to_waveform(mel)[0, 0].numpy()

    analysis = sda.analyse_latents(latents, render, TINY_CONFIG.sample_rate)
    analysis["component_labels"][0] = "Brillo \u2728"
    return analysis


def _old_analysis(analysis: dict[str, Any]) -> dict[str, Any]:
    """The analysis as in old files: lists instead of arrays, without the optional keys."""
    optional = (
        "component_labels", "suggested_labels", "n_steps", "feature_correlations", "latent_dim"
    )
    kept = {k: v for k, v in analysis.items() if k not in optional}
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in kept.items()}


def write_tiny_models(folder: Path) -> None:
    """Write `models/tiny*.sda`, `checkpoints/tiny.pt` and `models/variants.json`.

    variants.json states how the variants differ.
    """
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    model = _tiny_model()
    analysis = _tiny_analysis(model)
    half = _cast(model, torch.float16)
    decoder_only = _cast(model, torch.float64)
    for name in [name for name in decoder_only if name.startswith("encoder.")]:
        if name.startswith("encoder.fc_"):
            del decoder_only[name]
        else:
            decoder_only[name] = half[name]
    training = sda.default_training_config(TINY_LATENT_DIM, "balanced", max_epochs=3)
    variants: list[dict[str, Any]] = []

    def write(name: str, *, number: int, **changes: Any) -> None:
        facts = {
            "dtype": "float16",
            "container": "zip",
            "protocol": 2,
            "has_analysis": changes.get("analysis", analysis) is not None,
            "has_encoder": "encoder.fc_mu.weight" in changes.get("state_dict", half),
        } | changes.pop("facts", {})
        arguments: dict[str, Any] = {
            "state_dict": half,
            "latent_dim": TINY_LATENT_DIM,
            "config": TINY_CONFIG,
            "analysis": analysis,
            "training_config": training,
            "metadata": _tiny_metadata(name.replace("-", " ").title(), number),
        } | changes
        path = models / f"{name}.sda"
        sda.write_sda(path, **arguments)
        variants.append({"file": f"models/{name}.sda", "same_weights_as": "tiny", **facts})

    write("tiny", number=1)
    write(
        "tiny-bfloat16", number=2, state_dict=_cast(model, torch.bfloat16), analysis=None, facts={
            "dtype": "bfloat16"
        }
    )
    write(
        "tiny-decoder-only",
        number=3,
        state_dict=decoder_only,
        analysis=_old_analysis(analysis),
        facts={"dtype": "mixed"},
    )
    write("tiny-protocol5", number=4, pickle_protocol=5, facts={"protocol": 5})
    content = torch.load(models / "tiny.sda", weights_only=False)
    torch.save(content, models / "tiny-legacy.sda", _use_new_zipfile_serialization=False)
    variants.append(variants[0] | {"file": "models/tiny-legacy.sda", "container": "legacy"})
    (models / "variants.json").write_text(json.dumps(variants, indent=1) + "\n", encoding="ascii")
    _write_checkpoint(folder / "checkpoints", half, analysis, training)


def _write_checkpoint(
    folder: Path, state: dict[str, Tensor], analysis: dict[str, Any], training: dict[str, Any]
) -> None:
    """Write a training checkpoint.

    The optimizer's state consists of expanded zeros, which need no space in the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parameters = [t for n, t in state.items() if "running_" not in n and "num_batches" not in n]
    zero = torch.zeros(())
    moments = {
        i: {
            "step": torch.tensor(3.0),
            "exp_avg": zero.expand(t.shape),
            "exp_avg_sq": zero.expand(t.shape),
        }
        for i, t in enumerate(parameters)
    }
    group = {
        "lr": 0.0005,
        "betas": (0.9, 0.999),
        "eps": 1e-08,
        "weight_decay": 0.01,
        "params": list(range(len(parameters))),
    }
    content = {
        "version": 1,
        "epoch": 3,
        "step": 12,
        "model_state_dict": state,
        "optimizer_state_dict": {"state": moments, "param_groups": [group]},
        "scheduler_state_dict": {
            "T_max": 3, "eta_min": 0.0, "base_lrs": [0.0005], "last_epoch": 3, "_step_count": 4
        },
        "train_loss": 2.5,
        "val_loss": 3,
        "kl_weight": 0.001,
        "training_config": training,
        "spectrogram_config": asdict(TINY_CONFIG),
        "metrics_history": {"epochs": [{"epoch": i, "train_loss": 4.5 - i} for i in range(3)]},
        "latent_analysis": analysis,
    }
    torch.save(content, folder / "tiny.pt")


def write_numpy1_model(folder: Path) -> None:
    """`models/tiny-numpy1.sda`: float64 arrays, and numpy scalars in metadata and correlations."""
    loaded = sda.load_sda(folder / "models/tiny.sda")
    assert loaded.analysis is not None
    analysis = {
        k: v.astype(np.float64) if isinstance(v, np.ndarray) else v
        for k, v in loaded.analysis.items()
    }
    analysis["feature_correlations"] = {
        name: [np.float64(x) for x in values]
        for name, values in analysis["feature_correlations"].items()
    }
    metadata = _tiny_metadata("Tiny Numpy1", 5)
    metadata |= {"final_train_loss": np.float32(1e-05), "training_epochs": np.int64(3)}
    sda.write_sda(
        folder / "models/tiny-numpy1.sda",
        state_dict=loaded.content["model_state_dict"],
        latent_dim=TINY_LATENT_DIM,
        config=loaded.config,
        analysis=analysis,
        training_config=loaded.content["training_config"],
        metadata=metadata,
    )


# --------------------------------------------------------------------------------------------------
# Golden values


@dataclass(frozen=True)
class Plan:
    """Which values to compute. The values are short, because their files are in the repository."""

    latents: int
    inverse_frames: int
    encode_case: str | None
    cases: tuple[tuple[str, dict[str, Any]], ...]
    seeds: tuple[int, ...] = (0, 1, 2, 42, 12345)


# "sliders" as the value of latent_vector stands for the second row of slider_latents.
TINY_PLAN = Plan(
    latents=2,
    inverse_frames=60,
    encode_case=None,
    cases=(
        ("one", {"duration_s": 0.15, "seed": 0}),
        ("sr44100", {"duration_s": 0.1, "seed": 1, "sample_rate": 44100}),
    ),
)
DEMO_PLAN = Plan(
    latents=1,
    inverse_frames=32,
    encode_case="crossfade",
    cases=(
        ("crossfade", {"duration_s": 1.002, "seed": 42}),
        ("one", {"duration_s": 0.1, "seed": 0}),
        ("sliders", {"duration_s": 1.002, "seed": 9, "latent_vector": "sliders"}),
    ),
)


class ArrayWriter:
    """Writes little-endian float32 files and describes them as the golden JSON does."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name

    def __call__(self, key: str, values: np.ndarray | Tensor) -> dict[str, Any]:
        array = np.asarray(values)
        file = f"golden/{self.name}.{key}.f32"
        (self.folder / file).write_bytes(array.astype("<f4").tobytes())
        return {"file": file, "shape": list(array.shape), "dtype": "float32"}


@torch.no_grad()
def write_golden(folder: Path, name: str, path: Path, plan: Plan) -> None:
    """`golden/NAME.json` and its `.f32` files for the model at `path`."""
    (folder / "golden").mkdir(parents=True, exist_ok=True)
    write = ArrayWriter(folder, name)
    loaded = sda.load_sda(path)
    content, analysis = loaded.content, loaded.analysis
    assert analysis is not None
    spectrogram = sda.AudioSpectrogram(loaded.config)
    infos = sda.slider_info(analysis)
    latents = [
        {"positions": positions, "latent": sda.sliders_to_latent(analysis, positions).tolist()}
        for positions in _slider_positions(len(infos))
    ]

    torch.manual_seed(3)
    z = torch.randn(plan.latents, loaded.model.latent_dim)
    mel = loaded.model.decoder(z)
    short_mel = mel[..., : plan.inverse_frames]
    torch.manual_seed(7)
    waveform = spectrogram.mel_to_waveform(short_mel)
    _check_stability(name, spectrogram, short_mel, waveform)
    generated = [
        _golden_case(loaded, case, settings, latents[1]["latent"], write)
        for case, settings in plan.cases
    ]
    # `encode` reuses a generated sound if the plan names one. Otherwise a sound is made for it.
    if plan.encode_case is None:
        torch.manual_seed(8)
        sound = write("in", spectrogram.mel_to_waveform(mel))
    else:
        audio = next(entry["audio"] for entry in generated if entry["case"] == plan.encode_case)
        sound = audio | {"shape": [1, 1, *audio["shape"]]}
    heard = spectrogram.waveform_to_mel(
        torch.from_numpy(np.fromfile(folder / sound["file"], "<f4").reshape(sound["shape"]))
    )
    mu, logvar = loaded.model.encoder(heard)

    golden = {
        "file": _relative(path, folder),
        "file_size_bytes": path.stat().st_size,
        "latent_dim": content["latent_dim"],
        "spectrogram_config": content["spectrogram_config"],
        "metadata": {k: _json_float(v) for k, v in content["metadata"].items()},
        "state_dict": {
            key: {
                "shape": list(tensor.shape),
                "dtype": str(tensor.dtype),
                "sha256": hashlib.sha256(tensor_bytes(tensor)).hexdigest(),
            }
            for key, tensor in content["model_state_dict"].items()
        },
        "training_config_preset": content["training_config"]["preset"].value,
        "training_config_learning_rate": content["training_config"]["learning_rate"],
        "mel_shape": list(loaded.config.mel_shape(loaded.config.sample_rate)),
        "analysis": {
            k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in analysis.items()
        },
        "analysis_dtypes": {
            k: str(v.dtype) for k, v in analysis.items() if isinstance(v, np.ndarray)
        },
        "slider_info": infos,
        "slider_latents": latents,
        "decode": {"z": write("z", z), "mel": write("mel", mel)},
        "mel_to_waveform": {
            "mel": write("shortmel", short_mel),
            "torch_manual_seed": 7,
            "waveform": write("wave", waveform),
        },
        "encode": {
            "waveform": sound,
            "mel": write("inmel", heard),
            "mu": write("mu", mu),
            "logvar": write("logvar", logvar),
        },
        "generate": generated,
        "randomize": [
            {"seed": seed, "positions": sda.randomize_sliders(analysis, seed)}
            for seed in plan.seeds
        ],
        "warning_zone": [
            [sda.in_warning_zone(p, info) for p in range(info["min_step"], info["max_step"] + 1)]
            for info in infos
        ],
    }
    text = json.dumps(golden, separators=(",", ":"), allow_nan=False).replace('],"', '],\n"')
    (folder / f"golden/{name}.json").write_text(text + "\n", encoding="ascii")


def _slider_positions(count: int) -> list[list[int]]:
    """The centre, and a row of alternating positions (0, -1, 2, -3 … within ±10)."""
    return [[0] * count, [i % 11 if i % 2 == 0 else -(i % 11) for i in range(count)]]


def _golden_case(
    loaded: sda.LoadedModel,
    case: str,
    settings: dict[str, Any],
    slider_latent: list[float],
    write: Callable[[str, np.ndarray], dict[str, Any]],
) -> dict[str, Any]:
    config = dict(settings)
    if config.get("latent_vector") == "sliders":
        config["latent_vector"] = slider_latent
    request = sda.generate_config_from_json(config)
    audio = sda.generate(loaded, request)
    quality = sda.quality_report(audio, request.sample_rate)
    entry = {
        "case": case,
        "config": config,
        "seed_used": request.seed,
        "duration_s": audio.shape[-1] / request.sample_rate,
        "channels": 1 if audio.ndim == 1 else audio.shape[0],
        "sample_rate": request.sample_rate,
        "audio": write(f"gen-{case}", audio),
    }
    # A finite SNR is this reference's own definition, so other implementations may differ.
    if not np.isfinite(quality["snr_db"]):
        entry["quality"] = quality | {"snr_db": _json_float(quality["snr_db"])}
    return entry


def _check_stability(
    name: str, spectrogram: sda.AudioSpectrogram, mel: Tensor, waveform: Tensor
) -> None:
    """Check that an error of 1e-6 in the spectrogram hardly changes the golden sound.

    Griffin-Lim can amplify rounding errors.
    """
    noise = torch.randn(mel.shape, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(7)
    other = spectrogram.mel_to_waveform(mel * (1 + 1e-6 * noise))
    correlation = float(np.corrcoef(waveform.numpy().ravel(), other.numpy().ravel())[0, 1])
    print(f"{name}: correlation {correlation:.7f} after a relative error of 1e-6")
    if correlation < 0.9999:
        raise AssertionError(f"{name}: the golden waveform is too sensitive to be compared")


def _json_float(value: Any) -> Any:
    """The value; a non-finite float becomes the text that Python's `json` writes for it."""
    if isinstance(value, float) and not np.isfinite(value):
        return json.dumps(value)
    return value


def _relative(path: Path, folder: Path) -> str:
    """The path relative to `folder`, with `..` if the path is outside `folder`."""
    path, folder = path.resolve(), folder.resolve()
    common = next(parent for parent in (folder, *folder.parents) if parent in path.parents)
    ups = len(folder.parts) - len(common.parts)
    return "/".join([*[".."] * ups, *path.relative_to(common).parts])
