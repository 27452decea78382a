"""500 good pictures and 25 bad ones: each bad one is listed once, the good ones do not notice, memory stays small."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support import MEMORY, digit_images, save

CODE = (
    MEMORY
    + """
import sys
from augmint.cli import main
code = main(sys.argv[1:])
print(memory("VmHWM"), file=sys.stderr)
sys.exit(code)
"""
)


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header says so, and whose data is not there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def animation() -> bytes:
    frames = [Image.new("RGB", (16, 16), (i * 80, 0, 0)) for i in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def bad_files(good: bytes) -> dict[str, bytes]:
    """25 names and contents, of six kinds."""
    files = {f"cut{i}.png": good[: len(good) // 2 + i] for i in range(5)}
    files |= {f"empty{i}.png": b"" for i in range(4)}
    files |= {f"text{i}.png": b"this is no picture\n" * (i + 1) for i in range(4)}
    files |= {f"bomb{i}.png": png_of(30_000, 30_000) for i in range(4)}
    files |= {f"animated{i}.webp": animation() for i in range(4)}
    return files | {f"noise{i}.jpg": np.random.default_rng(i).bytes(2000) for i in range(4)}


def write_good(root: Path) -> Path:
    """500 pictures of five classes, one a CMYK JPEG and one of 16 bits."""
    for label in range(5):
        (root / str(label)).mkdir(parents=True)
        for i, image in enumerate(digit_images(label, 100)):
            save(root / str(label) / f"{i:04d}.png", image)
    wide = np.random.default_rng(0).integers(0, 2**16, (20, 24), dtype=np.uint16)
    Image.fromarray(wide).save(root / "1" / "0000.png")
    (root / "0" / "0000.png").unlink()
    Image.new("CMYK", (20, 24), (10, 200, 30, 40)).save(root / "0" / "0000.jpg")
    return root


def run(data: Path, out: Path, *words: str) -> tuple[int, int]:
    """Exit code and peak memory in bytes of a run of its own."""
    base = ["run", str(data), "-o", str(out), "--method", "noise", "--gate", "none", "--factor", "1.1", "--size", "64"]
    done = subprocess.run([sys.executable, "-c", CODE, *base, "-q", *words], capture_output=True, text=True)
    return done.returncode, int(done.stderr.strip().splitlines()[-1])


def children(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "train").rglob("syn-*.png")}


@pytest.mark.slow
def test_25_bad_files_among_500_good_ones(tmp_path: Path) -> None:
    clean, mixed = write_good(tmp_path / "clean"), write_good(tmp_path / "mixed")
    bad = bad_files((clean / "2" / "0000.png").read_bytes())
    for i, (name, content) in enumerate(sorted(bad.items())):
        (mixed / str(i % 5) / name).write_bytes(content)
    assert len(bad) == 25
    code, peak = run(mixed, tmp_path / "out")
    assert code == 0, "25 of 525 is 4.8 %, below the default of 5 %"
    assert peak < 1.5e9
    skipped = [json.loads(line) for line in (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()]
    assert sorted(Path(row["id"]).name for row in skipped) == sorted(bad)
    assert all(row["skipped"] and row["sha256"] for row in skipped)
    assert len({row["skipped"] for row in skipped}) >= 5, "the reasons tell the kinds apart"
    assert run(mixed, tmp_path / "out", "--max-skipped", "4%")[0] == 1
    assert run(clean, tmp_path / "alone")[0] == 0
    assert children(tmp_path / "out") == children(tmp_path / "alone")
    assert len(children(tmp_path / "out")) == 50
    for name in ("0/0000.jpg", "1/0000.png", "2/0000.png"):
        before, after = Image.open(clean / name), Image.open(tmp_path / "out" / "train" / name)
        assert before.mode == after.mode and np.array_equal(np.asarray(before), np.asarray(after))
