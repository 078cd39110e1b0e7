"""Make random, partly malformed torch files, and print what torch.load reads from each.

    python differential.py FOLDER SEED COUNT

The files hold plain values and a "payload": a call of a function that only says that it was called.
It often stands where a reader sees it only if it disagrees with CPython or miniz about the form.
Prints a line of JSON for each file: {"file", "named": [global, …], "called": bool}, and either
"value", as scripts/python/golden_values.py describes it, or "error".
"""

import io
import json
import pickle
import random
import struct
import sys
import types
import warnings
import zlib
from collections import OrderedDict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "python"))

import torch
from golden_values import describe

warnings.simplefilter("ignore")
PAYLOAD = b"cevil\npayload\n)R"
MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")

state = {"named": [], "called": False}


def payload(*_arguments):
    state["called"] = True


class Unpickler(pickle.Unpickler):
    """Python's own unpickler, which can reach nothing but OrderedDict and the payload."""

    def find_class(self, module, name):
        state["named"].append(f"{module}.{name}")
        return OrderedDict if (module, name) == ("collections", "OrderedDict") else payload


def load(file, **options):
    return Unpickler(file, **options).load()


pickling = types.ModuleType("differential")
pickling.Unpickler, pickling.load = Unpickler, load


class Maker:
    """Makes one file."""

    def __init__(self, rng: random.Random):
        self.rng = rng

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def text(self) -> bytes:
        """A string, which may hold opcodes with the payload."""
        rng = self.rng
        content = b"x" * rng.choice([0, 1, 3, 9, 40])
        if self.chance(0.5):
            content += rng.choice([b"", b"0", b"N0"]) + PAYLOAD + rng.choice([b"0", b".", b"0N."])
        if len(content) < 256 and self.chance(0.5):
            return b"\x8c" + bytes([len(content)]) + content
        return b"X" + struct.pack("<I", len(content)) + content

    def value(self, depth: int = 0) -> list[bytes]:
        """The opcodes of a value."""
        rng = self.rng
        kind = rng.randrange(10 if depth < 3 else 4)
        if kind == 0:
            return [b"K" + bytes([rng.randrange(256)])]
        if kind == 1:
            return [rng.choice([b"N", b"\x88", b"\x89", b"]", b"}", b")"])]
        if kind < 4:
            return [self.text()]
        if kind == 4:
            return [b"ccollections\nOrderedDict\n", b")", b"R"]
        if kind == 5:  # a value that the memo gives back
            index = rng.choice([0, 1, 2, 5, 9])
            put = rng.choice([b"\x94", b"q" + bytes([index]), b"r" + struct.pack("<I", index)])
            get = rng.choice([b"h" + bytes([rng.choice([0, 1, 2, index])]), b"2"])
            return [*self.value(depth + 1), put, get, b"\x86"]
        if kind == 6:
            return [*self.value(depth + 1), *self.value(depth + 1), b"\x86"]
        if kind == 7:
            items = [op for _ in range(rng.randrange(4)) for op in self.value(depth + 1)]
            return [b"]", b"(", *items, b"e"]
        if kind == 8:
            return [*self.value(depth + 1), b"0", *self.value(depth + 1)]
        return [b"\x8c\x01k", b"0", *self.value(depth + 1), b"\x94"]

    def pickle(self, opcodes: list[bytes] | None = None) -> bytes:
        """A pickle whose frames are right, or wrong in some way."""
        opcodes = [*(opcodes or self.value()), b"."]
        if self.chance(0.3):
            return b"\x80\x02" + b"".join(opcodes)
        out = [b"\x80\x04"]
        while opcodes:
            taken = self.rng.randrange(1, len(opcodes) + 1)
            part, opcodes = opcodes[:taken], opcodes[taken:]
            body = b"".join(part)
            if self.chance(0.7):
                size = len(body)
                if self.chance(0.3):
                    size = max(0, size + self.rng.choice([-20, -5, -2, -1, 1, 2, 9, 30]))
                out.append(b"\x95" + struct.pack("<Q", size))
            out.append(body)
        if self.chance(0.2):
            out.append(PAYLOAD + b".")
        return b"".join(out)

    def legacy(self) -> bytes:
        facts = [b"}", b"(", b"\x8c\x0dlittle_endian", b"\x88", b"u"]
        magic = b"\x8a\x0a" + MAGIC
        parts = [
            self.pickle([magic]) if self.chance(0.2) else b"\x80\x02" + magic + b".",
            self.pickle([b"M\xe9\x03"]),
            self.pickle(facts),
            self.pickle(),
            self.pickle([b"]"]),
        ]
        content = b"".join(parts)
        if self.chance(0.1):  # the checksum of a tar header
            head = bytearray(content.ljust(512, b"\0"))
            at = 148
            head[at : at + 8] = b" " * 8
            head[at : at + 8] = b"%06o\0 " % sum(head[:512])
            content = bytes(head)
        return content

    def archive(self) -> bytes:
        rng = self.rng
        evil = b"\x80\x02" + PAYLOAD + b"."
        records = [("data.pkl", self.pickle()), ("version", b"3\n"), ("byteorder", b"little")]
        if self.chance(0.4):
            other = rng.choice(["DATA.PKL", "Data.pkl", "data.pkl", "data.pkl ", "data.pkl/"])
            records.insert(rng.randrange(len(records) + 1), (other, evil))
        if self.chance(0.1):
            records[0], records[-1] = records[-1], records[0]
        out, directory = io.BytesIO(), io.BytesIO()
        for name, data in records:
            top = rng.choice(["Archive", "archiv"]) if self.chance(0.03) else "archive"
            full = f"{top}/{name}".encode()
            crc = zlib.crc32(data)
            attributes = rng.choice([0x10, 0x30, 0x20, 1 << 20, 0x81A40000, 0, 0, 0, 0, 0, 0, 0])
            method = 8 if self.chance(0.02) else 0
            size = len(data)
            stored = 0 if self.chance(0.02) else size
            at = out.tell()
            sizes = (crc, stored, size, len(full), 0)
            fields = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 0, *sizes)
            out.write(b"PK\3\4" + fields + full + data)
            directory.write(
                b"PK\1\2"
                + struct.pack("<H", 20)
                + fields
                + struct.pack("<HHHII", 0, 0, 0, attributes, at)
                + full
            )
        start, entries = out.tell(), directory.getvalue()
        comment = b""
        if self.chance(0.2):
            # Another archive's directory and end record, in the comment of this one
            inner = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 3, 3, len(entries), start, 0)
            comment = rng.choice([b"", b"note "]) + inner[: rng.choice([22, 22, 21, 12])]
            comment += b"x" * rng.choice([0, 0, 1, 30])
        out.write(entries)
        count = len(records)
        end = struct.pack("<HHHHIIH", 0, 0, count, count, len(entries), start, len(comment))
        out.write(b"PK\5\6" + end + comment)
        return out.getvalue()


def main(folder: Path, seed: int, count: int) -> None:
    for i in range(count):
        maker = Maker(random.Random(seed * 1_000_003 + i))
        content = maker.legacy() if i % 3 == 0 else maker.archive()
        path = folder / f"{i}.pt"
        path.write_bytes(content)
        state.update(named=[], called=False)
        line = {"file": path.name}
        try:
            line["value"] = describe(torch.load(path, pickle_module=pickling, weights_only=False))
        except Exception as error:  # noqa: BLE001
            line["error"] = f"{type(error).__name__}: {error}"[:200]
        print(json.dumps(line | state))


main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
