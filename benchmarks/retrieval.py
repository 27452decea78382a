"""Does a pool help a small model? Real unlabelled rows, picked and labelled by `retrieval` in a pretrained space.

(a) text: the student `scratch` (TF-IDF, C by 3-fold cross-validation on the real rows in each arm) at 10 rows a
class, picks from 1,500 texts, judge all-MiniLM-L6-v2; TREC, SST-2, SNIPS. (b) images: a small CNN at 20 rows a class of
CIFAR-10, the same number of updates in each arm, picks from 2,000 pictures, judge SqueezeNet 1.1. Test, train and pool
rows are disjoint, texts that occur twice are left out. 20 draws of train and pool rows; differences to `none` are
paired by draw, with 95 % t-intervals. Texts are measured three times: accuracy on the published test rows, the mean
over the classes of it (balanced), and accuracy on other rows of the published training part: TREC's test rows are of
another kind than its training rows (46 % of them, not 22 %, begin with "what is" or "what are").

    python benchmarks/retrieval.py text       # each resumes: a draw that is done is kept in $AUGMINT_DRAWS
    python benchmarks/retrieval.py images     # and both write benchmarks/results/retrieval.json
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augmint.core.types import Budget, Draw, Latents, Sample, TrainingSet
from augmint.models import load_encoder
from augmint.pipeline.machine import machine_facts
from augmint.students.scratch import Scratch
from augmint.synthesizers.retrieval import Retrieval
from frozen import DATA, SQUEEZENET, cached

RESULTS = Path(__file__).parent / "results" / "retrieval.json"
DRAWS = Path(os.environ.get("AUGMINT_DRAWS", "/tmp/augmint-retrieval-draws"))
TEXT_SHOTS, TEXT_POOL, TEXT_PICKS = 10, 1500, 150
IMAGE_SHOTS, IMAGE_POOL, IMAGE_PICKS = 20, 2000, 150
UPDATES, BATCH = 200, 64
BUDGET = Budget(updates=100, trials=3)
"""Of the student of texts, as in `lift_text.py`."""
SETS = {"trec": "trec6", "sst2": "sst2", "snips": "snips"}

Array = np.ndarray[Any, Any]


# --- what both parts do -----------------------------------------------------------------------------------------------


def split(y: Array, shots: int, pool: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Positions of ``shots`` rows of each class, and of ``pool`` others."""
    order = rng.permutation(len(y))
    train = np.concatenate([order[y[order] == c][:shots] for c in range(int(y.max()) + 1)])
    return train, order[~np.isin(order, train)][:pool]


def picks(z: Array, y: Array, train: Array, pool: Array, count: int, method: Retrieval) -> tuple[Array, Array]:
    """Positions of the rows picked for ``count`` places of each class, and the labels they get."""
    k = int(y.max()) + 1
    names = np.array([str(i) for i in range(len(y))])
    real = Latents(names[train], z[train], np.eye(k, dtype=np.float32)[y[train]])
    unlabelled = Latents(names[pool], z[pool], np.zeros((len(pool), k), np.float32))
    rng = np.random.default_rng(0)
    own = [np.flatnonzero(y[train] == c) for c in range(k)]
    anchors = np.concatenate([np.resize(rows, count) for rows in own])
    draw: Draw = method.fit(real, rng, pool=unlabelled).sample(real.take(anchors), rng)
    assert draw.pick is not None
    given = draw.pick >= 0
    return pool[draw.pick[given]], y[train][anchors[given]]


def carry_out(part: str, draws: int, one: Callable[[int], dict[str, float]]) -> list[dict[str, float]]:
    """The figures of each draw, from disk where they are there."""
    DRAWS.mkdir(parents=True, exist_ok=True)
    for draw in range(draws):
        path = DRAWS / f"{part}-{draw:02d}.json"
        if not path.exists():
            path.write_text(json.dumps(one(draw)))
            print(path.stem, path.read_text(), flush=True)
    return [json.loads((DRAWS / f"{part}-{draw:02d}.json").read_text()) for draw in range(draws)]


def table(rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Mean of each arm and measure, and its paired difference to ``none`` with a 95 % interval, in points."""
    out = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        arm, _, measure = name.partition(": ")
        if measure == "rows picked":
            out[name] = {"mean": round(float(values.mean()), 1)}
            continue
        out[name] = {"mean": round(100 * float(values.mean()), 2)}
        if arm != "none" and measure != "labels right":
            none = np.array([row[name.replace(arm, "none", 1)] for row in rows])
            out[name] |= _interval(100 * (values - none))
    return out


def _interval(difference: Array) -> dict[str, float]:
    half = scipy.stats.t.ppf(0.975, len(difference) - 1) * difference.std(ddof=1) / np.sqrt(len(difference))
    mean = float(difference.mean())
    return {"gain": round(mean, 2), "low": round(mean - half, 2), "high": round(mean + half, 2)}


# --- texts ------------------------------------------------------------------------------------------------------------


def read_texts(name: str) -> tuple[list[str], Array, dict[str, tuple[list[str], Array]]]:
    """Texts and classes of 4,000 training rows, and of the rows to measure on; no text twice, none in both."""
    with gzip.open(DATA / "text" / f"{SETS[name]}.jsonl.gz", "rt", encoding="utf8") as file:
        rows = [json.loads(line) for line in file]
    test = {row["text"]: row["label"] for row in rows if row["split"] == "test"}
    train = {row["text"]: row["label"] for row in rows if row["split"] == "train" and row["text"] not in test}
    classes = sorted(set(test.values()))
    order = np.random.default_rng(0).permutation(len(train))
    kept, others = ([list(train)[i] for i in np.sort(part)] for part in (order[:4000], order[4000:6000]))
    number = {text: classes.index(label) for text, label in {**train, **test}.items()}
    parts = {"": list(test), "other rows": others}
    return kept, _numbers(kept, number), {word: (part, _numbers(part, number)) for word, part in parts.items()}


def _numbers(texts: list[str], number: dict[str, int]) -> Array:
    return np.array([number[text] for text in texts])


def tfidf_student(texts: list[str], y: Array, real: int, parts: dict[str, tuple[list[str], Array]]) -> dict[str, float]:
    """Measures of the student fitted on ``texts``, the first ``real`` of which are the labelled rows."""
    k, minted = int(y.max()) + 1, np.arange(len(y)) >= real
    names = tuple(map(str, range(k)))
    rows = TrainingSet(_samples(texts), np.eye(k, dtype=np.float32)[y], np.ones(len(y), np.float32), minted, names)
    student, out = Scratch().fit(rows, BUDGET, np.random.default_rng(0)), {}
    for word, (part, truth) in parts.items():
        right = student.predict_proba(_samples(part)).argmax(axis=1) == truth
        out[word] = float(right.mean())
        if not word:
            out["balanced"] = float(np.mean([right[truth == c].mean() for c in np.unique(truth)]))
    return out


def _samples(texts: list[str]) -> tuple[Sample, ...]:
    return tuple(Sample(str(i), text) for i, text in enumerate(texts))


def scrambled(text: str, rng: np.random.Generator) -> str:
    """Words of a text with a tenth of them dropped and a tenth swapped with another (Wei and Zou 2019)."""
    words = text.split()
    for i in np.flatnonzero(rng.random(len(words)) < 0.1):
        j = int(rng.integers(len(words)))
        words[i], words[j] = words[j], words[i]
    kept = [word for word, here in zip(words, rng.random(len(words)) >= 0.1, strict=True) if here]
    return " ".join(kept or words)


def text_draw(name: str, z: Array, draw: int) -> dict[str, float]:
    """Measures of every arm in one draw."""
    texts, y, parts = read_texts(name)
    rng = np.random.default_rng(draw)
    train, pool = split(y, TEXT_SHOTS, TEXT_POOL, rng)
    own, labels = [texts[i] for i in train], y[train]
    copies = np.repeat(np.arange(len(train)), TEXT_PICKS // TEXT_SHOTS)

    out: dict[str, float] = {}

    def arm(word: str, more: list[str], extra: Array) -> None:
        found = tfidf_student([*own, *more], np.concatenate([labels, extra]), len(own), parts)
        out.update({f"{word}: {measure}" if measure else word: value for measure, value in found.items()})

    arm("none", [], labels[:0])
    arm("oversampling", [own[i] for i in copies], labels[copies])
    arm("word dropout and swap", [scrambled(own[i], rng) for i in copies], labels[copies])
    arms = {
        "retrieval": (Retrieval(), TEXT_PICKS),
        "retrieval, margin": (Retrieval(pick="margin"), TEXT_PICKS),
        "retrieval, whole pool": (Retrieval(confidence=0.0), TEXT_POOL),
    }
    for word, (method, count) in arms.items():
        rows, given = picks(z, y, train, pool, count, method)
        arm(word, [texts[i] for i in rows], given)
        out[f"{word}: labels right"] = float((y[rows] == given).mean())
        out[f"{word}: rows picked"] = len(rows)
    return out


def text_tables(draws: int) -> dict[str, Any]:
    """The tables of all text sets."""
    encoder, tables = load_encoder("all-MiniLM-L6-v2"), {}
    for name in SETS:
        texts, *_ = read_texts(name)
        z = cached(f"retrieval-{name}-{encoder.space}", texts, encoder.encode)
        tables[name] = table(carry_out(name, draws, lambda draw, name=name, z=z: text_draw(name, z, draw)))  # type: ignore[misc]
    return tables


# --- images -----------------------------------------------------------------------------------------------------------


def small_cnn(classes: int) -> nn.Module:
    """Three convolutions and a linear layer on 4 x 4 cells."""
    layers: list[nn.Module] = []
    for before, width in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 16, classes))
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def flips_and_crops(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each picture (n, 3, 32, 32) mirrored or not, and moved by up to 4 px."""
    mirrored = torch.rand(len(x), generator=generator) < 0.5
    x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    wide, (top, left) = F.pad(x, (4, 4, 4, 4), mode="reflect"), torch.randint(0, 9, (2, len(x)), generator=generator)
    span = torch.arange(32)
    rows, columns = top[:, None] + span, left[:, None] + span
    return wide[torch.arange(len(x))[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cnn_accuracy(x: Tensor, y: Tensor, test: Tensor, y_test: Tensor, seed: int, *, classic: bool, mixup: bool) -> float:
    """Test accuracy after a fixed number of updates."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net, target = small_cnn(10), F.one_hot(y, 10).float()
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=UPDATES)
    for _ in range(UPDATES):
        rows = torch.randint(0, len(x), (BATCH,), generator=generator)
        batch, labels = x[rows], target[rows]
        if classic:
            batch = flips_and_crops(batch, generator)
        if mixup:
            share = float(torch.distributions.Beta(0.4, 0.4).sample())
            batch, labels = (share * v + (1 - share) * v.roll(1, 0) for v in (batch, labels))
        loss = F.cross_entropy(net(batch.contiguous(memory_format=torch.channels_last)), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    net.eval()
    with torch.inference_mode():
        return float((net(test).argmax(1) == y_test).float().mean())


def image_draw(z: Array, draw: int) -> dict[str, float]:
    """Accuracy of every arm in one draw."""
    archive = dict(np.load(DATA / "images" / "cifar10_5k_2k.npz"))
    y, y_test = archive["y_train"].astype(np.int64), torch.from_numpy(archive["y_test"].astype(np.int64))
    x, test = (_pixels(archive[key]) for key in ("x_train", "x_test"))
    train, pool = split(y, IMAGE_SHOTS, IMAGE_POOL, np.random.default_rng(draw))
    rows, given = picks(z, y, train, pool, IMAGE_PICKS, Retrieval())
    both, labels = np.concatenate([train, rows]), np.concatenate([y[train], given])

    def arm(use: Array, label: Array, classic: bool = False, mixup: bool = False) -> float:
        return cnn_accuracy(x[use], torch.from_numpy(label), test, y_test, draw, classic=classic, mixup=mixup)

    return {
        "none": arm(train, y[train]),
        "flips and crops": arm(train, y[train], classic=True),
        "flips, crops, mixup": arm(train, y[train], classic=True, mixup=True),
        "retrieval": arm(both, labels),
        "retrieval, flips and crops": arm(both, labels, classic=True),
        "retrieval: labels right": float((y[rows] == given).mean()),
        "retrieval: rows picked": len(rows),
    }


def _pixels(images: Array) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def image_tables(draws: int) -> dict[str, Any]:
    """The table of CIFAR-10."""
    encoder = load_encoder("squeezenet1_1", path=SQUEEZENET)
    with np.load(DATA / "images" / "cifar10_5k_2k.npz") as archive:
        z = cached(f"cifar-train-{encoder.space}", archive["x_train"], encoder.encode)
    return {"cifar10": table(carry_out("cifar10", draws, lambda draw: image_draw(z, draw)))}


def main() -> None:
    """Run a part and put its tables beside those of the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["text", "images"])
    parser.add_argument("--draws", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    tables = {"text": text_tables, "images": image_tables}[args.part](args.draws)
    for name, arms in tables.items():
        for arm, facts in arms.items():
            print(f"{name:8s} {arm:36s} {json.dumps(facts)}")
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    facts = {"machine": machine_facts(), "draws": args.draws, **tables}
    RESULTS.write_text(json.dumps({**known, args.part: facts}, indent=1) + "\n")


if __name__ == "__main__":
    main()
