"""Loads a model and decodes one mel. The caller times the whole process.

python bench/peers/cold_start.py FILE.sda
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/python"))

import torch  # noqa: E402

import sda_reference as sda  # noqa: E402


@torch.no_grad()
def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    loaded = sda.load_sda(sys.argv[1])
    mel = loaded.model.decoder(torch.zeros(1, loaded.model.latent_dim))
    print(f"{tuple(mel.shape)} {float(mel.sum()):.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
