"""Write test/fixtures/data: the folders of the Python program, in the form of its JSON files.

    python scripts/python/make_folders.py

presets/<model id>/presets.json   folders, presets, unknown fields, all forms of numbers
history/                          one entry without sliders and one with, their sounds and pictures
exported/                         sidecars as the program's versions 1.0 and 1.1 write them, and as
                                  version 0.1 of this package wrote them
config.toml                       paths, one of them absolute

Only the standard library is needed. A second run writes the same bytes.
"""

from __future__ import annotations

import json
import struct
import wave
import zlib
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2] / "test/fixtures/data"
MODEL_ID = "11111111-2222-4333-8444-555555555555"
RATE = 44100


def date(second: int, microsecond: int = 307261) -> str:
    fraction = f".{microsecond:06}" if microsecond else ""
    return f"2026-11-26T07:05:{second:02}{fraction}+00:00"


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        json.dump(value, file, indent=2)


def preset(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "preset_id": f"00000000-0000-4000-8000-{number:012}",
        "name": f"Preset {number}",
        "folder": "",
        "slider_positions": [0, 0, 0],
        "n_components": 3,
        "seed": None,
        "created": date(number),
        "modified": date(number),
        "description": "",
        **changes,
    }


def presets() -> None:
    found = [
        preset(1, name="Crème brûlée ☁ 🎛", folder="Nächte", slider_positions=[-2, 10, 0], seed=1600,
               description='line 1\nline 2\ttab "quoted" \\ \x7f\u2028'),
        preset(2, slider_positions=[0.5, 1e-05, 1.0], folder="never/created", seed=0),
        # Fields and values that this package does not know.
        {"color": [1e16, float("nan"), {}], **preset(3, created=date(3, 0)), "rating": 4.0},
    ]
    value = {
        "version": 1,
        "model_id": MODEL_ID,
        "theme": {"name": "dark", "levels": []},
        "folders": [
            {"name": "Nächte", "created": date(0), "pinned": True},
            {"name": "ambient/dark", "created": date(0, 0)},
        ],
        "presets": {entry["preset_id"]: entry for entry in found},
        "last": -0.0,
    }
    path = DATA / "presets" / MODEL_ID / "presets.json"
    write_json(path, value)
    del value["presets"][found[-1]["preset_id"]]
    write_json(path.with_name("presets.json.bak"), value)


def quality(snr_db: float) -> dict[str, Any]:
    return {
        "snr_db": snr_db,
        "clipping": {
            "clipped_samples": 0,
            "clipped_percentage": 0.0,
            "peak_value": 0.8751504421234131,
            "max_consecutive_clipped": 0,
            "has_clipping": False,
        },
        "rating": "green",
        "rating_reason": "Good quality (SNR inf dB, no clipping)",
    }


def entry(number: int, **changes: Any) -> dict[str, Any]:
    entry_id = f"00000000-0000-4000-9000-{number:012}"
    return {
        "entry_id": entry_id,
        "timestamp": date(number),
        "model_id": MODEL_ID,
        "model_name": "Singing Wires",
        "slider_positions": None,
        "n_components": 3,
        "seed": 1600 + number,
        "duration_s": 0.01,
        "sample_rate": RATE,
        "stereo_mode": "mono",
        "preset_name": "custom",
        "audio_file": f"audio/{entry_id}.wav",
        "thumbnail_file": f"thumbnails/{entry_id}.png",
        "quality_score": quality(float("inf")),
        "latent_vector": None,
        **changes,
    }


def write_wav(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(struct.pack("<441h", *((i % 100) * 300 - 15000 for i in range(441))))


def write_png(path: Path) -> None:
    """A transparent picture of the size of the program's thumbnails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = 310, 46

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    rows = (b"\0" + b"\xff\xff\xff\0" * width) * height
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def history() -> None:
    entries = [
        entry(1),
        entry(2, slider_positions=[-1, 9, 5], preset_name="Crème brûlée", sample_rate=48000,
              duration_s=2.0, quality_score=quality(59.66640736409212), model_id="another",
              latent_vector=[1.3763988018035889, -0.09124013781547546, 1e-05]),
    ]
    folder = DATA / "history"
    for found in entries:
        write_wav(folder / found["audio_file"])
        write_png(folder / found["thumbnail_file"])
    for name, found in ("history.json", entries), ("history.json.bak", entries[:1]):
        write_json(folder / name, {"version": 1, "entries": {e["entry_id"]: e for e in found}})


def sidecar(name: str, evolution: float | None, **generation: Any) -> None:
    since_main = {} if evolution is None else {"evolution_amount": evolution}
    config = {
        "duration_s": 0.25,
        "max_duration_s": 60.0,
        "seed": 1900,
        "chunk_duration_s": 1.0,
        "concat_mode": "crossfade",
        "stereo_mode": "mono",
        "stereo_width": 0.7,
        "spatial": None,
        "export_format": "wav",
        "sample_rate": 48000,
        "bit_depth": "24-bit",
        "steps_between": 10,
        "overlap_samples": 2400,
        **since_main,
        "latent_vector": None,
        **generation,
    }
    value = {
        "version": 1,
        "timestamp": date(43, 493209),
        "model_name": "Tide Pool — early",
        "seed": config["seed"],
        "generation": config,
        "quality": quality(float("inf")),
        "audio": {
            "file": f"{name}.wav",
            "format": "WAV",
            "sample_rate": config["sample_rate"],
            "bit_depth": config["bit_depth"],
            "channels": 1 if config["spatial"] is None else 2,
            "duration_s": 0.25,
        },
    }
    write_json(DATA / "exported" / f"{name}.json", value)


def sidecar_of_this_package() -> None:
    """Version 0.1 of this package wrote other keys, infinities as null, and a line's end."""
    report = quality(float("inf"))
    value = {
        "file": "kitchen_42.wav",
        "model": {"model_id": MODEL_ID, "name": "Kitchen"},
        "seed": 42,
        "config": {
            "duration_s": 2,
            "concat_mode": "crossfade",
            "steps_between": 10,
            "overlap_samples": 2400,
            "joint": "equal-power",
            "loudness": "none",
            "sliders": [1, -2],
            "latent_vector": None,
            "spatial": {"mode": "stereo", "width": 0.7, "depth": 0.3},
            "sample_rate": 44100,
            "bit_depth": 16,
        },
        "audio": {"sample_rate": 44100, "channels": 2, "duration_s": 2},
        "quality": {
            "snr_db": None,
            "rating": report["rating"],
            "rating_reason": report["rating_reason"],
            "clipping": {**report["clipping"], "clipped_percentage": 0},
        },
    }
    text = json.dumps(value, indent=2, ensure_ascii=False)
    (DATA / "exported/small-dataset-audio-0.1.json").write_text(f"{text}\n", encoding="utf-8")


def exported() -> None:
    sidecar("v1.0_mono", None)
    sidecar("v1.0_mid_side", None, stereo_mode="mid_side", latent_vector=[-0.7142857313156128, 0.0])
    sidecar("v1.1_stereo", 0.5, spatial={"mode": "stereo", "width": 1.1, "depth": 0.4},
            sample_rate=44100, bit_depth="32-bit float")
    sidecar_of_this_package()


CONFIG = """\
[general]
project_name = "Field recordings"
first_run_complete = true

[paths]
datasets = "sounds"
models = "models"
generated = "/srv/generated"
history = "../history"

[hardware]
device = "auto"
max_batch_size = 32
memory_limit_gb = 0.0
"""

if __name__ == "__main__":
    presets()
    history()
    exported()
    (DATA / "config.toml").write_text(CONFIG, encoding="utf-8", newline="\n")
