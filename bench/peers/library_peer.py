"""A models folder's index in plain Python: json, dataclasses, a temporary file and os.replace.

    python bench/peers/library_peer.py INDEX.json QUERY

Works: open, search, add (to a copy of the index, not synced). turns.py measures them on request.
The index should be in the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from turns import serve


@dataclass
class Entry:
    model_id: str
    name: str
    description: str
    file_path: str
    file_size_bytes: int
    dataset_name: str
    dataset_file_count: int
    dataset_total_duration_s: float
    training_date: str
    save_date: str
    training_epochs: int
    final_train_loss: float
    final_val_loss: float
    has_analysis: bool
    n_active_components: int
    tags: list[str]


def load(index: Path) -> dict[str, Entry]:
    with open(index, encoding="utf-8") as file:
        data = json.load(file)
    return {key: Entry(**value) for key, value in data["models"].items()}


def save(index: Path, entries: dict[str, Entry]) -> None:
    data = {"version": 1, "models": {key: asdict(entry) for key, entry in entries.items()}}
    if index.exists():
        shutil.copy2(index, f"{index}.bak")
    handle, temporary = tempfile.mkstemp(dir=index.parent, suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=2)
    os.replace(temporary, index)


def search(entries: dict[str, Entry], query: str) -> list[Entry]:
    sought = query.lower()
    found = [
        e for e in entries.values() if sought in e.name.lower() or sought in e.description.lower()
    ]
    return sorted(found, key=lambda e: e.save_date, reverse=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("index", type=Path)
    parser.add_argument("query")
    options = parser.parse_args()
    entries = load(options.index)
    template = asdict(next(iter(entries.values())))
    grown = dict(entries)
    with tempfile.TemporaryDirectory(dir=options.index.parent) as folder:
        copy = Path(folder) / "model_library.json"
        shutil.copyfile(options.index, copy)

        def add() -> None:
            key = f"new-{len(grown)}"
            grown[key] = Entry(**{**template, "model_id": key})
            save(copy, grown)

        serve(
            {
                "open": lambda: load(options.index),
                "search": lambda: search(entries, options.query),
                "add": add,
            }
        )


if __name__ == "__main__":
    main()
