"""`wavemill export`: hypotheses in the forms of others."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import read_jsonl
from tests.hypotheses.drawn import make_folder
from wavemill.cli import main
from wavemill.errors import UsageError
from wavemill.hypotheses.records import Hypothesis, Utterance
from wavemill.hypotheses.source import open_source


def run(*arguments: object) -> None:
    main(args=[str(word) for word in arguments], standalone_mode=False)


def one(name: str, **about: Any) -> Utterance:
    hypotheses = tuple(
        Hypothesis(text=text, score=-float(rank), raw=text.upper())
        for rank, text in enumerate(("he said so", "he said to"))
    )
    fields = {"reference": "he said so", **about}
    return Utterance(id=name, recording_id=name, hypotheses=hypotheses, **fields)


def test_both_forms_of_hyporadise_are_read_back(tmp_path: Path) -> None:
    ones = [one("a"), one("b", split="test"), one("c", reference=None)]
    folder = make_folder(ones, tmp_path / "folder")
    for kind in ("hyporadise", "hyporadise-trainer"):
        place = tmp_path / f"{kind}.json"
        run("export", folder.url, "--as", kind, "--to", place, "--split", "train")
        found = list(open_source(str(place)).utterances())
        assert [(row.texts, row.reference) for row in found] == [(ones[0].texts, "he said so")]
    rows = json.loads((tmp_path / "hyporadise.json").read_text())
    assert rows[0]["input"] == ["he said so", "he said to"]


def test_parquet_has_a_plain_row_an_utterance(tmp_path: Path) -> None:
    folder = make_folder([one("a"), one("b", reference=None)], tmp_path / "folder")
    run("export", folder.url, "--as", "parquet", "--to", tmp_path / "flat.parquet")
    rows = pq.read_table(tmp_path / "flat.parquet").to_pylist()
    assert [(row["id"], row["input"], row["score"], row["output"]) for row in rows] == [
        ("a", ["he said so", "he said to"], [0.0, -1.0], "he said so"),
        ("b", ["he said so", "he said to"], [0.0, -1.0], None),
    ]


def test_shards_have_the_keys_of_a_dataset_in_its_order(prepared: Path, tmp_path: Path) -> None:
    keys = {
        path.parent.name: [cut["id"] for cut in read_jsonl(path)]
        for path in sorted(prepared.glob("bucket-*/cuts.000000.jsonl"))
    }
    every = [key for found in keys.values() for key in found]
    known = [one(key) for key in every[:-1][::-1]]
    folder = make_folder([*known, one("elsewhere")], tmp_path / "folder")
    out = tmp_path / "shards"
    run("export", folder.url, "--as", "shards", "--data", prepared, "--to", out)
    for bucket, expected in keys.items():
        with tarfile.open(out / bucket / "hypotheses_000000.tar") as tar:
            names = [name.split(".", 1) for name in tar.getnames()]
            held = [json.load(tar.extractfile(name)) for name in tar.getnames()]  # type: ignore[arg-type]
        assert names == [[key, "hyp.json"] for key in expected]
        assert [len(sample["hypotheses"]) for sample in held] == [
            0 if key == every[-1] else 2 for key in expected
        ]
    with pytest.raises(UsageError, match="give another folder"):
        run("export", folder.url, "--as", "shards", "--data", prepared, "--to", prepared / "x")
    with pytest.raises(UsageError, match="go together"):
        run("export", folder.url, "--as", "shards", "--to", out)


# Both leave the tars to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_lhotse_and_webdataset_join_them_with_the_audio(prepared: Path, tmp_path: Path) -> None:
    import lhotse
    import webdataset

    bucket = prepared / "bucket-00"
    keys = [cut["id"] for cut in read_jsonl(bucket / "cuts.000000.jsonl")]
    folder = make_folder([one(key) for key in keys], tmp_path / "folder")
    run("export", folder.url, "--as", "shards", "--data", prepared, "--to", tmp_path / "out")
    ours = tmp_path / "out" / "bucket-00"
    fields = {
        "cuts": [str(bucket / "cuts.000000.jsonl")],
        "recording": [str(bucket / "audio_000000.tar")],
        "hypotheses": [str(ours / "hypotheses.000000.jsonl")],
    }
    cuts = list(lhotse.CutSet.from_shar(fields=fields))
    assert [cut.id for cut in cuts] == keys
    assert cuts[0].hypotheses["hypotheses"][0]["text"] == "he said so"
    assert cuts[0].load_audio().size
    tars = webdataset.WebDataset(str(ours / "hypotheses_000000.tar"), shardshuffle=False)
    samples = list(tars.decode())
    assert [sample["__key__"] for sample in samples] == keys
    assert samples[0]["hyp.json"]["reference"] == "he said so"
