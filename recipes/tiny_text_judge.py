"""Make tiny-text-judge: latent semantic analysis of running text and of WordNet's tree, a few megabytes.

Two matrices of words are decomposed:

- near: positive pointwise mutual information of words that stand up to five words apart (contexts smoothed by 0.75,
  Levy et al. 2015) in wikitext-2 (validation and test parts) and AG news;
- tree: words by the nodes of WordNet above any of their senses, a later sense counting less and a node by how few words
  lie below it.

Rows are singular vectors times the root of the singular values, centred, of unit length. The vectors of pieces of words
are what comes nearest, by ridge regression, to the vectors of the words as means of their pieces.

The four sets that benchmarks score on are never read here. How many columns each matrix gets was chosen by a probe on
AG news' topics, ten of each (its labels are not used in training); `--score` prints that.

Run: python recipes/tiny_text_judge.py --data $AUGMINT_DATA/text --out /tmp/tiny/judge
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy import sparse
from scipy.sparse.linalg import svds

from sentences import read

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from augmint.models.tiny_text_judge import TinyTextJudge, pieces_of, words_of

WINDOW = 5
PIECES = 2048
RIDGE = 1.0
F32 = NDArray[np.float32]


def endings(word: str) -> list[str]:
    """The word, and what it may be a form of."""
    found = [word]
    for end, instead in (
        ("ies", "y"),
        ("es", ""),
        ("es", "e"),
        ("s", ""),
        ("ed", ""),
        ("ed", "e"),
        ("ing", ""),
        ("ing", "e"),
    ):
        if word.endswith(end) and len(word) > len(end) + 2:
            found.append(word[: -len(end)] + instead)
    return found


def near(texts: list[list[int]], size: int) -> sparse.csr_matrix:
    """(v, v) positive pointwise mutual information; -1 is a word that is not in the list."""
    rows, columns, weights = [], [], []
    flat = np.concatenate([np.array([*text, *[-1] * WINDOW]) for text in texts])
    for apart in range(1, WINDOW + 1):
        a, b = flat[:-apart], flat[apart:]
        both = (a >= 0) & (b >= 0)
        rows += [a[both], b[both]]
        columns += [b[both], a[both]]
        weights += [np.full(2 * both.sum(), 1 / apart)]
    together = (np.concatenate(rows), np.concatenate(columns))
    counts = sparse.coo_matrix((np.concatenate(weights), together), (size, size)).tocsr().tocoo()
    of_word = np.asarray(counts.sum(1)).ravel()
    of_context = np.asarray(counts.sum(0)).ravel() ** 0.75
    chance = of_word[counts.row] * of_context[counts.col] / of_context.sum()
    counts.data = np.maximum(np.log(counts.data / chance), 0)
    return counts.tocsr()


def tree(words: list[str], path: Path) -> sparse.csr_matrix:
    """(v, nodes): how much a word lies below each node of WordNet."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        net = json.load(file)
    above = [parents for _, _, parents in net["synsets"]]
    entries: dict[tuple[int, int], float] = {}
    for row, word in enumerate(words):
        senses: dict[str, list[int]] = next(
            (net["lemmas"][form] for form in endings(word) if form in net["lemmas"]), {}
        )
        for numbers in senses.values():
            for rank, synset in enumerate(numbers[:3]):
                for node in ancestors(synset, above):
                    entries[row, node] = max(entries.get((row, node), 0), 1 / (1 + rank))
    at = np.array(list(entries)).T
    found = sparse.coo_matrix((np.array(list(entries.values())), (at[0], at[1])), (len(words), len(above))).tocsr()
    below = np.asarray((found > 0).sum(0)).ravel()
    return found @ sparse.diags(np.log(len(words) / np.maximum(below, 1)) * (below > 1))


def ancestors(synset: int, above: list[list[int]]) -> set[int]:
    """The synset and all nodes above it."""
    found, new = {synset}, [synset]
    while new:
        new = [parent for node in new for parent in above[node] if parent not in found]
        found.update(new)
    return found


def decompose(matrix: sparse.csr_matrix, width: int) -> F32:
    """(v, width) of unit length, zeros for words of which the matrix knows nothing."""
    left, sizes, _ = svds(matrix.astype(np.float64), width, random_state=0)
    rows = left * np.sqrt(sizes)
    known = np.asarray(abs(matrix).sum(1)).ravel() > 0
    rows[known] -= rows[known].mean(0)
    rows[known] /= np.linalg.norm(rows[known], axis=1, keepdims=True)
    rows[~known] = 0
    return np.asarray(rows, np.float32)


def of_pieces(words: list[str], vectors: F32) -> F32:
    """(PIECES, d): vectors of pieces, whose means come nearest to the words'."""
    places = [pieces_of(word, PIECES) for word in words]
    rows = np.repeat(np.arange(len(words)), [len(place) for place in places])
    shares = np.concatenate([np.full(len(place), 1 / len(place)) for place in places])
    share = sparse.csr_matrix((shares, (rows, np.concatenate(places))), (len(words), PIECES))
    square = (share.T @ share).toarray() + np.eye(PIECES) * RIDGE * share.multiply(share).sum() / PIECES
    return np.asarray(np.linalg.solve(square, share.T @ vectors), np.float32)


def make(folder: Path, args: argparse.Namespace) -> tuple[list[str], F32, F32, F32]:
    """Words, idf, vectors, and vectors of pieces."""
    texts = [words_of(text.replace("[UNK]", " ")) for part in read(folder).values() for text in part]
    counts = Counter(word for text in texts for word in text)
    with gzip.open(folder / "oewn_synsets.json.gz", "rt", encoding="utf-8") as file:
        senses = {word: sum(map(len, parts.values())) for word, parts in json.load(file)["lemmas"].items()}
    for word, number in senses.items():  # a word of many senses is a common one, though these texts may lack it
        if number > 1 and word.isalpha() and word.islower():
            counts[word] += number - 1
    words = [word for word, count in counts.most_common(args.learned) if count > 1]
    places = {word: number for number, word in enumerate(words)}
    documents = Counter(word for text in texts for word in set(text))
    idf = np.log((1 + len(texts)) / (1 + np.array([documents[word] for word in words])))
    idf = np.minimum(idf, args.most_idf).astype(np.float32)
    parts = []
    if args.near:
        parts.append(
            decompose(near([[places.get(word, -1) for word in text] for text in texts], len(words)), args.near)
        )
    if args.tree:
        parts.append(args.weight * decompose(tree(words, folder / "oewn_synsets.json.gz"), args.tree))
    vectors = np.concatenate(parts, axis=1)
    pieces = of_pieces(words, vectors)
    kept = slice(args.kept)
    return words[kept], np.append(idf[kept], idf.max()).astype(np.float32), vectors[kept], pieces


def score(encoder: TinyTextJudge, folder: Path) -> float:
    """Accuracy of a probe on AG news' topics, ten of each, over 20 draws."""
    from sklearn.linear_model import LogisticRegression

    with gzip.open(folder / "agnews_from_test_7600.jsonl.gz", "rt", encoding="utf-8") as file:
        found = [json.loads(line) for line in file]
    rows, labels = encoder.encode([row["text"] for row in found]), np.array([row["label"] for row in found])
    right = []
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(rows))
        train = np.concatenate([order[labels[order] == name][:10] for name in np.unique(labels)])
        rest = np.setdiff1d(order, train)[:2000]
        probe = LogisticRegression(C=10, max_iter=300).fit(rows[train], labels[train])
        right.append(probe.score(rows[rest], labels[rest]))
    return float(np.mean(right))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights")
    parser.add_argument("--near", type=int, default=112, help="columns of running text")
    parser.add_argument("--tree", type=int, default=80, help="columns of WordNet")
    parser.add_argument("--weight", type=float, default=1.0, help="of WordNet's columns")
    parser.add_argument("--learned", type=int, default=30000, help="words that are decomposed")
    parser.add_argument("--kept", type=int, default=10000, help="words that are kept; pieces stand for the others")
    parser.add_argument("--most-idf", type=float, default=7.0)
    parser.add_argument("--score", action="store_true")
    args = parser.parse_args()
    words, idf, vectors, pieces = make(args.data, args)
    args.out.mkdir(parents=True, exist_ok=True)
    letters = np.frombuffer("\n".join(words).encode(), np.uint8)
    half = {"idf": idf.astype(np.float16), "vectors": vectors.astype(np.float16), "pieces": pieces.astype(np.float16)}
    half = {name: np.ascontiguousarray(array) for name, array in half.items()}  # safetensors issue 825
    save_file({"words": letters, **half}, args.out / "tiny_text_judge.safetensors")
    print(f"{(args.out / 'tiny_text_judge.safetensors').stat().st_size} bytes, {len(words)} words", words[-5:])
    if args.score:
        places = {word: number for number, word in enumerate(words)}
        print(f"AG news, ten of each: {score(TinyTextJudge('', 4096, places, idf, vectors, pieces), args.data):.4f}")


if __name__ == "__main__":
    main()
