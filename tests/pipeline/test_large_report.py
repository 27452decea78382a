"""The report of 10,000 samples: small enough to send, made within a minute."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from augmint.core.version import __version__
from augmint.formats.images import write_png
from augmint.models import get_card
from augmint.pipeline.manifest import Manifest, dump_json
from augmint.pipeline.plan import make_plan
from augmint.pipeline.reporting import report
from augmint.pipeline.sums import write_sums
from augmint.pipeline.verify import verify
from support import pattern

CLASSES = tuple(f"class {i}" for i in range(20))
REAL, MINTED, REJECTED, PICTURES, SIDE = 2_000, 8_000, 2_000, 100, 200


def large_run(out: Path) -> Manifest:
    """The folder of a run of 10,000 photographs, as a run writes it; files are links to a few pictures."""
    manifest = Manifest(out)
    manifest.open()
    rng = np.random.default_rng(0)
    blobs = [write_png(pattern((SIDE, SIDE, 3), seed)) for seed in range(PICTURES)]
    drawn = write_png(pattern((32, 32, 3)))
    real = [real_row(i, manifest) for i in range(REAL)]
    for start in range(0, REAL, 64):
        rows = real[start : start + 64]
        manifest.commit(rows[0]["unit"], {"judge": rng.normal(size=(len(rows), 768)).astype(np.float32)}, rows)
    manifest.commit("fit", {"y": np.zeros((REAL, 1), np.float32)}, [{"classes": CLASSES, "judge": "judge"}, *real])
    children = [child_row(i) for i in range(MINTED + REJECTED)]
    for start in range(0, len(children), 32):
        rows = children[start : start + 32]
        some = [drawn] * len(rows)
        kept = sum(row["kept"] for row in rows)
        arrays = {
            "blob": np.frombuffer(b"".join(some), np.uint8),
            "offsets": np.cumsum([0, *map(len, some)], dtype=np.int64),
            "judge": rng.normal(size=(kept, 768)).astype(np.float32),
        }
        manifest.commit(f"draw-00-0000-{start // 32:05d}", arrays, [{"job": ""}, *rows])
    write_folder(manifest, blobs, real, children)
    return manifest


def real_row(i: int, manifest: Manifest) -> dict:
    facts = {"id": f"{CLASSES[i % 20]}/{i}.png", "target": CLASSES[i % 20], "group": "", "sha256": "", "row": i % 64}
    return {**facts, "unit": f"encode-0000-{i // 64:05d}"}


def child_row(i: int) -> dict:
    label = CLASSES[i % 20]
    parents = [f"data:{label}/{(i + 20 * k) % REAL}.png" for k in (0, 1)]
    verdict = {"kept": True} if i < MINTED else {"kept": False, "gate": "realism", "threshold": 1.0}
    facts = {"id": f"syn-{i:016x}", "label": label, "refs": parents, "label_weights": [0.5, 0.5], "label_by": "parents"}
    return {**facts, **verdict, "scores": {"consistency": 0.9, "realism": 0.5}, "note": "", "group": ""}


def write_folder(manifest: Manifest, blobs: list[bytes], real: list[dict], children: list[dict]) -> None:
    out, lines = manifest.out, []
    for i, blob in enumerate(blobs):
        manifest.write(out / ".augmint" / f"{i}.png", blob, durable=False)
    for i, row in enumerate([*real, *children[:MINTED]]):
        label = row.get("target") or row["label"]
        name = f"{label}/{Path(row['id']).stem}.png"
        (out / "train" / label).mkdir(parents=True, exist_ok=True)
        os.link(out / ".augmint" / f"{i % PICTURES}.png", out / "train" / name)
        own = {
            "file_name": name,
            "label": label,
            "is_synthetic": "kept" in row,
            "id": row["id"],
            "refs": row.get("refs"),
        }
        scores = dump_json(row["scores"]) if "scores" in row else ""
        lines.append(own | {"label_weights": [0.5, 0.5], "label_by": "", "note": "", "scores": scores})
    rejects = [{**row, "score": 0.5, "unit": f"draw-00-0000-{(MINTED + i) // 32:05d}"}
               for i, row in enumerate(children[MINTED:])]  # fmt: skip
    digests = {f"{role}_sha256": get_card(name).weights.sha256 for role, name in
               (("model", "tiny-image"), ("judge", "tiny-judge"))}  # fmt: skip
    plan = {**make_plan({"size": 128, "factor": 5.0}).as_dict(), **digests, "classes": CLASSES, "augmint": __version__}
    texts = {
        "train/metadata.jsonl": "".join(dump_json(row) + "\n" for row in lines),
        "rejects.jsonl": "".join(dump_json(row) + "\n" for row in rejects),
        "skipped.jsonl": "",
        "README.md": "card",
        ".augmint/plan.json": dump_json(plan),
        "run.json": '{"judge": "independent"}',
        ".augmint/run.sha256": "",
    }
    for name, text in texts.items():
        manifest.write(out / name, text.encode(), durable=False)
    write_sums(manifest)


@pytest.mark.slow
def test_ten_thousand_samples(tmp_path):
    manifest = large_run(tmp_path / "out")
    begin = time.process_time()
    written = report(manifest.out)
    seconds = time.process_time() - begin
    print(f"{REAL + MINTED} samples: {written.bytes / 1e6:.1f} MB in {seconds:.1f} s of one core")
    assert written.bytes < 25e6 and seconds < 60
    page = written.path.read_text()
    assert "120 of 8000 minted samples" in page and "2,000 real and 8,000 minted" in page
    assert "1,200 of 8,000 minted" in page and "2000 draws were rejected; 12 are shown" in page
    assert [name for name, _ in verify(manifest.out).problems] == ["run.json"]  # its sum was left out above
