#!/usr/bin/env python3
"""Builds the wheel and the source archive with the standard library alone (PEP 427, PEP 621), with the same bytes each time.

    scripts/build.py OUT
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LICENSE = ROOT.parent.parent / "LICENSE"
EPOCH = (2020, 1, 1, 0, 0, 0)


def version() -> str:
    scope: dict[str, str] = {}
    exec((ROOT / "src" / "keyward" / "_version.py").read_text(encoding="utf-8"), scope)
    return scope["__version__"]


def metadata() -> str:
    return (
        f"Metadata-Version: 2.1\nName: keyward\nVersion: {version()}\n"
        "Summary: Client and guards for Keyward: issue, verify and take back API keys\n"
        "License: Apache-2.0\nLicense-File: LICENSE\n"
        "Requires-Python: >=3.9\nClassifier: Programming Language :: Python :: 3\nClassifier: Typing :: Typed\n"
        "Description-Content-Type: text/markdown\n\n" + (ROOT / "README.md").read_text(encoding="utf-8")
    )


def package() -> dict[str, bytes]:
    folder = ROOT / "src" / "keyward"
    return {f"keyward/{f.name}": f.read_bytes() for f in sorted(folder.iterdir()) if f.suffix == ".py" or f.name == "py.typed"}


def wheel(out: Path) -> Path:
    info = f"keyward-{version()}.dist-info"
    files = package()
    files[f"{info}/METADATA"] = metadata().encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: keyward\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/LICENSE"] = LICENSE.read_bytes()
    record = ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    path = out / f"keyward-{version()}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            z.writestr(entry, data)
    return path


def source(out: Path) -> Path:
    base = f"keyward-{version()}"
    files = {f"src/{name}": data for name, data in package().items()}
    for name in ("pyproject.toml", "README.md"):
        files[name] = (ROOT / name).read_bytes()
    files["LICENSE"] = LICENSE.read_bytes()
    files["PKG-INFO"] = metadata().encode()
    path = out / f"{base}.tar.gz"
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(f"{base}/{name}")
            entry.size, entry.mode = len(files[name]), 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    return path


def main() -> int:
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "dist")
    out.mkdir(parents=True, exist_ok=True)
    for path in (wheel(out), source(out)):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
