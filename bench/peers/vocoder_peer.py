"""Runs a model's HiFi-GAN in PyTorch, for comparison.

    python bench/peers/vocoder_peer.py FILE.distillgan [--threads N]

Works: 1 s, 3 s (in quick runs), 60 s: a mel of that length to sound, in one piece. The norms of the
weights are folded before. turns.py measures the works on request.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/python"))

import torch  # noqa: E402

import distill_reference as distill  # noqa: E402
from turns import peer_options, serve  # noqa: E402


def main() -> int:
    options = peer_options(__doc__)
    loaded = distill.load_distill(options.file)
    vocoder = loaded.vocoder
    if vocoder is None:
        sys.exit(f"{options.file} has no vocoder")
    vocoder._layer = cache(vocoder._layer)

    def work(seconds: int) -> torch.Tensor:
        frames = seconds * loaded.config.sample_rate // loaded.config.hop_length + 1
        mel = torch.full((1, loaded.config.n_mels, frames), 0.5)
        with torch.inference_mode():
            return vocoder(mel)

    serve({f"{s} s": lambda s=s: work(s) for s in (1, 3, 60)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
