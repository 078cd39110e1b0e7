"""Generates sound from a model in Python, for comparison; also its two expensive parts alone.

    python bench/peers/generate_peer.py FILE.sda [--threads N]

Works: 1 s, 3 s (in quick runs), 60 s, decode (one latent), griffin_lim (one mel to sound, including
the inverse mel scale). turns.py measures them on request. Unlike the package, this makes no quality
report of the sound.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/python"))

import torch  # noqa: E402

import sda_reference as sda  # noqa: E402
from turns import peer_options, serve  # noqa: E402

SEED = 1


def main() -> int:
    options = peer_options(__doc__)
    loaded = sda.load_sda(options.file)
    spectrogram = sda.AudioSpectrogram(loaded.config)
    z = torch.zeros(1, loaded.model.latent_dim)

    @torch.no_grad()
    def decode() -> torch.Tensor:
        return loaded.model.decoder(z)

    mel = decode()

    @torch.no_grad()
    def griffin_lim() -> torch.Tensor:
        return spectrogram.mel_to_waveform(mel)

    works: dict[str, Callable[[], Any]] = {
        **{
            f"{s} s": lambda s=s: sda.generate(loaded, sda.GenerateConfig(float(s), SEED))
            for s in (1, 3, 60)
        },
        "decode": decode,
        "griffin_lim": griffin_lim,
    }
    works["1 s"]()  # imports scipy
    serve(works)
    return 0


if __name__ == "__main__":
    sys.exit(main())
