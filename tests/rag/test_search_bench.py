"""The retrieval benchmark on a folder small enough to know the answer."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "retrieval.py"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(BENCH), *arguments], capture_output=True, text=True, check=False)


def test_ndcg_of_one_found_first_and_one_found_second(tmp_path: Path) -> None:
    texts = {"a": "the disk is full", "b": "disk disk disk full full of logs", "c": "a payment failed"}
    lines = [json.dumps({"_id": name, "title": "", "text": text}) for name, text in texts.items()]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines))
    queries = {"q1": "payment failed", "q2": "disk full", "q3": "not judged"}
    (tmp_path / "queries.jsonl").write_text("\n".join(json.dumps({"_id": name, "text": text}) for name, text in queries.items()))
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tc\t1\nq2\ta\t1\nq1\ta\t0\n")
    done = bench(str(tmp_path), "--json")
    (found,) = json.loads(done.stdout)["retrieval"]
    assert (found["documents"], found["queries"]) == (3, 2)
    assert found["bm25"] == pytest.approx((1 + 1 / math.log2(3)) / 2, abs=1e-4), (
        "the longer text repeats the words and comes first"
    )
    assert 0 < found["fused"] <= 1
    assert set(found) >= {"folder", "bm25", "cosine", "fused", "build_s", "queries_per_s"}


def test_a_folder_without_a_corpus_is_said(tmp_path: Path) -> None:
    done = bench(str(tmp_path))
    assert done.returncode == 2
    assert "no corpus.jsonl in" in done.stderr
