"""unpack_wheel.py WHEEL FOLDER: takes LibTorch out of a torch wheel.

Checks each file against its SHA-256 in the wheel's RECORD. Exits 1 when one differs.
"""

import base64
import csv
import hashlib
import io
import os
import re
import sys
import zipfile
import zlib

WANTED = re.compile(
    r"torch/(lib/[^/]+\.(so[.\d]*|dylib|dll|lib)|include/.+|share/cmake/.+|version\.py)$"
)
# Libraries for Python and for PyTorch's own tests: a tenth of the size, never opened here.
UNWANTED = re.compile(
    r"/(lib)?(torch_python|shm|\w*_test|torchbind_test|backend_with_compiler|aoti_custom_ops)\."
)
LICENCES = re.compile(r"torch-[^/]+\.dist-info/(licenses/.+|LICENSE|NOTICE)$")
CHUNK = 1 << 20


def destination(name):
    if WANTED.match(name) and not UNWANTED.search(name):
        return name.split("/", 1)[1]
    if LICENCES.match(name):
        return "licenses/" + name.split("/", 1)[1].removeprefix("licenses/")
    return None


def read_record(wheel):
    (name,) = [n for n in wheel.namelist() if re.fullmatch(r"torch-[^/]+\.dist-info/RECORD", n)]
    rows = csv.reader(io.TextIOWrapper(wheel.open(name), "utf-8"))
    return {path: digest for path, digest, _size in rows}


class Progress:
    """Prints a line for each tenth of the bytes."""

    def __init__(self, total):
        self.total, self.done, self.shown = total, 0, 0

    def add(self, size):
        self.done += size
        percent = self.done * 100 // self.total
        if percent >= self.shown + 10:
            self.shown = percent - percent % 10
            print(f"  {self.shown} % of {self.total >> 20} MB", file=sys.stderr, flush=True)


def extract(wheel, info, path, expected, progress):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    digest = hashlib.sha256()
    with wheel.open(info) as source, open(path, "wb") as target:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            target.write(chunk)
            progress.add(len(chunk))
    actual = "sha256=" + base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    if actual != expected:
        raise ValueError(f"{info.filename}: RECORD says {expected}, found {actual}")


def main(wheel_path, folder):
    with zipfile.ZipFile(wheel_path) as wheel:
        record = read_record(wheel)
        chosen = [(info, to) for info in wheel.infolist() if (to := destination(info.filename))]
        progress = Progress(sum(info.file_size for info, _ in chosen))
        for info, to in chosen:
            parts = to.split("/")
            if ".." in parts or to.startswith("/"):
                raise ValueError(f"{info.filename}: a path that leaves its folder")
            extract(wheel, info, os.path.join(folder, *parts), record.get(info.filename), progress)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        sys.exit(f"unpack_wheel.py: {error}")
