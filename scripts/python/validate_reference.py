"""Check `sda_reference` against golden files of the Python program, or against our own.

    python scripts/python/validate_reference.py CORPUS [MODEL ...]

CORPUS holds `models/` and `golden/`. Prints one line per check. Exits with 1 if a check fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sda_reference as sda

MAX_RELATIVE = 1e-4
MIN_CORRELATION = 0.9999
MAX_RMS_RATIO = 1e-3


def read(corpus: Path, entry: dict[str, Any]) -> np.ndarray:
    """A golden array: little-endian float32, its shape in the JSON."""
    return np.fromfile(corpus / entry["file"], dtype="<f4").reshape(entry["shape"])


class Checks:
    """Prints each result and remembers failures."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failed = 0

    def report(self, what: str, ok: bool, figures: str) -> None:
        self.failed += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {self.name} {what}: {figures}")

    def exact(self, what: str, got: Any, wanted: Any) -> None:
        self.report(what, got == wanted, "equal" if got == wanted else f"{got} instead of {wanted}")

    def close(self, what: str, got: np.ndarray, wanted: np.ndarray) -> None:
        error = np.inf
        if got.shape == wanted.shape:
            error = float(np.abs(got - wanted).max() / np.abs(wanted).max())
        self.report(what, error <= MAX_RELATIVE, f"max relative error {error:.2e}")

    def sound(self, what: str, got: np.ndarray, wanted: np.ndarray) -> None:
        if got.shape != wanted.shape:
            self.report(what, False, f"shape {got.shape} instead of {wanted.shape}")
            return
        correlation = float(np.corrcoef(got.ravel(), wanted.ravel())[0, 1])
        rms = float(np.sqrt(np.mean(got**2) / np.mean(wanted**2)) - 1)
        ok = correlation >= MIN_CORRELATION and abs(rms) <= MAX_RMS_RATIO
        self.report(what, ok, f"correlation {correlation:.8f}, RMS {rms:+.2e}")


@torch.no_grad()
def validate(corpus: Path, name: str) -> int:
    golden = json.loads((corpus / "golden" / f"{name}.json").read_text(encoding="utf-8"))
    loaded = sda.load_sda(corpus / golden["file"])
    spectrogram = sda.AudioSpectrogram(loaded.config)
    checks = Checks(name)

    decode = golden["decode"]
    checks.close(
        "decode",
        loaded.model.decoder(torch.from_numpy(read(corpus, decode["z"]))).numpy(),
        read(corpus, decode["mel"]),
    )
    inverse = golden["mel_to_waveform"]
    torch.manual_seed(inverse["torch_manual_seed"])
    waveform = spectrogram.mel_to_waveform(torch.from_numpy(read(corpus, inverse["mel"])))
    checks.sound("mel_to_waveform", waveform.numpy(), read(corpus, inverse["waveform"]))
    if "encode" in golden and golden["encode"]:
        encode = golden["encode"]
        mel = spectrogram.waveform_to_mel(torch.from_numpy(read(corpus, encode["waveform"])))
        checks.close("waveform_to_mel", mel.numpy(), read(corpus, encode["mel"]))
        mu, logvar = loaded.model.encoder(mel)
        checks.close("encode mu", mu.numpy(), read(corpus, encode["mu"]))
        checks.close("encode logvar", logvar.numpy(), read(corpus, encode["logvar"]))
    if loaded.analysis is not None:
        infos = sda.slider_info(loaded.analysis)
        checks.exact("slider_info", infos, golden["slider_info"])
        for row in golden["slider_latents"]:
            checks.exact(
                "slider latent",
                sda.sliders_to_latent(loaded.analysis, row["positions"]).tolist(),
                row["latent"],
            )
        for row in golden["randomize"]:
            checks.exact(
                f"randomize {row['seed']}",
                sda.randomize_sliders(loaded.analysis, row["seed"]),
                row["positions"],
            )
        zones = [
            [sda.in_warning_zone(p, i) for p in range(i["min_step"], i["max_step"] + 1)]
            for i in infos
        ]
        checks.exact("warning_zone", zones, golden["warning_zone"])
    for case in golden.get("generate", []):
        config = sda.generate_config_from_json(case["config"])
        audio = sda.generate(loaded, config)
        checks.sound(f"generate {case['case']}", audio, read(corpus, case["audio"]))
        if "quality" in case:
            quality = sda.quality_report(audio, config.sample_rate)
            checks.exact(f"quality {case['case']}", quality["rating"], case["quality"]["rating"])
    return checks.failed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument(
        "models", nargs="*", default=["default", "small", "no-analysis", "decoder-only"]
    )
    options = parser.parse_args()
    return 1 if sum(validate(options.corpus, name) for name in options.models) else 0


if __name__ == "__main__":
    sys.exit(main())
