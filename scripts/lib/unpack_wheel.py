"""unpack_wheel.py WHEEL FOLDER: takes LibTorch out of a torch wheel.

Each file is checked against the SHA-256 that the wheel's RECORD gives for it. Exits 1 when one differs.
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

WANTED = re.compile(r"torch/(lib/[^/]+\.(so[.\d]*|dylib|dll|lib)|include/.+|share/cmake/.+|version\.py)$")
# What serves Python or PyTorch's own tests: a tenth of the size, and never opened here.
UNWANTED = re.compile(r"/(lib)?(torch_python|shm|\w*_test|torchbind_test|backend_with_compiler|aoti_custom_ops)\.")
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


def extract(wheel, info, path, expected):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    digest = hashlib.sha256()
    with wheel.open(info) as source, open(path, "wb") as target:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            target.write(chunk)
    actual = "sha256=" + base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    if actual != expected:
        raise ValueError(f"{info.filename}: RECORD says {expected}, found {actual}")


def main(wheel_path, folder):
    with zipfile.ZipFile(wheel_path) as wheel:
        record = read_record(wheel)
        chosen = [(info, to) for info in wheel.infolist() if (to := destination(info.filename))]
        total = sum(info.file_size for info, _ in chosen)
        done = shown = 0
        for info, to in chosen:
            parts = to.split("/")
            if ".." in parts or to.startswith("/"):
                raise ValueError(f"{info.filename}: a path that leaves its folder")
            extract(wheel, info, os.path.join(folder, *parts), record.get(info.filename))
            done += info.file_size
            percent = done * 100 // total
            if percent >= shown + 10:
                shown = percent
                print(f"  {percent} % of {total >> 20} MB, checked", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        sys.exit(f"unpack_wheel.py: {error}")
