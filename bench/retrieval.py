"""How well the product's own ranking finds the right document: nDCG@10 on any BEIR folder.

    python bench/retrieval.py FOLDER… [--json]

A folder holds corpus.jsonl, queries.jsonl and qrels.tsv. Nothing is fitted here.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rag.embed import embed
from rag.ranking import Scores, WordIndex, best, fused

Relevant = dict[str, dict[str, int]]


def ndcg(found: list[str], relevant: dict[str, int], depth: int = 10) -> float:
    """Discounted gain of the first `depth` found ids over the best possible one, 0..1."""
    gains = [relevant.get(name, 0) for name in found[:depth]]
    ideal = sorted(relevant.values(), reverse=True)[:depth]
    return _discounted(gains) / _discounted(ideal)


def _discounted(gains: list[int]) -> float:
    return float(sum(gain / np.log2(rank + 2) for rank, gain in enumerate(gains)))


def read(folder: Path) -> tuple[dict[str, str], dict[str, str], Relevant]:
    """Documents, queries and judgements by id; judged documents with score 0 are not relevant."""
    documents = {row["_id"]: f"{row.get('title', '')}\n{row['text']}".strip() for row in _lines(folder / "corpus.jsonl")}
    queries = {row["_id"]: row["text"] for row in _lines(folder / "queries.jsonl")}
    relevant: Relevant = {}
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        query, document, score = line.split("\t")
        if int(score) > 0:
            relevant.setdefault(query, {})[document] = int(score)
    return documents, queries, relevant


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def measure(folder: Path) -> dict[str, float | int | str]:
    """nDCG@10 of BM25, cosine and both fused over every judged query, and what it took."""
    documents, queries, relevant = read(folder)
    names, texts = list(documents), list(documents.values())
    started = time.perf_counter()
    index, vectors = WordIndex(texts), embed(texts)
    built = time.perf_counter()
    sums = dict.fromkeys(("bm25", "cosine", "fused"), 0.0)
    for query, wanted in relevant.items():
        bm25 = index.scores(queries[query])
        cosine = (vectors @ embed([queries[query]])[0]).astype(np.float64)
        for name, scores in (("bm25", bm25), ("cosine", cosine), ("fused", fused(bm25, cosine))):
            sums[name] += ndcg(_names(scores, names), wanted)
    done = time.perf_counter()
    figures = {name: round(total / len(relevant), 4) for name, total in sums.items()}
    took = {"build_s": round(built - started, 2), "queries_per_s": round(len(relevant) / (done - built), 1)}
    return {"folder": folder.name, "documents": len(names), "queries": len(relevant), **figures, **took}


def _names(scores: Scores, names: list[str]) -> list[str]:
    return [names[i] for i in best(scores, 10, names)]


def main(write: Callable[[str], object] = sys.stdout.write) -> None:
    parser = argparse.ArgumentParser(description="nDCG@10 of BM25, cosine and fused ranking on BEIR folders")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object with a list of results, on one line")
    asked = parser.parse_args()
    if missing := [folder for folder in asked.folders if not (folder / "corpus.jsonl").is_file()]:
        parser.error(f"no corpus.jsonl in {missing[0]}")
    results = [measure(folder) for folder in asked.folders]
    if asked.json:
        write(json.dumps({"retrieval": results}) + "\n")
        return
    write(f"{'folder':20} {'documents':>9} {'queries':>7} {'BM25':>7} {'cosine':>7} {'fused':>7} {'queries/s':>9}\n")
    for row in results:
        write(
            f"{row['folder']:20} {row['documents']:>9} {row['queries']:>7} {row['bm25']:>7} {row['cosine']:>7} {row['fused']:>7}"
            f" {row['queries_per_s']:>9}\n"
        )


if __name__ == "__main__":
    main()
