"""The dataset card: what it says is so, and its code runs."""

import json
import re
from pathlib import Path

import pytest
import yaml
from datasets import get_dataset_config_names
from huggingface_hub import DatasetCard

from tests.conftest import SPEECH, UTTERANCES, read_jsonl, wavemill
from wavemill.pipelines.card import card
from wavemill.sharding.said import MOST, OTHER, Said, said_of


def blocks(out: Path, language: str) -> list[str]:
    text = (out / "README.md").read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_its_code_gives_tokens_in_every_reader(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(prepared)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    found = blocks(prepared, "python")
    assert len(found) == 4
    for block in found:
        names: dict[str, object] = {}
        exec(compile(block, "README.md", "exec"), names)
        if "cuts" in names and "loader" not in names:
            cut = next(iter(names["cuts"]))  # type: ignore[call-overload]
            assert cut.load_mvq().shape[-1] == 4
            assert cut.load_audio().size
        else:
            codes = names.get("codes", names.get("value"))
            assert len(codes) > 0  # type: ignore[arg-type]


def test_nemo_s_files_are_there(prepared: Path) -> None:
    (block,) = blocks(prepared, "yaml")
    settings = yaml.safe_load(block)["train_ds"]
    for name in ("tarred_audio_filepaths", "manifest_filepath"):
        begin, last, end = re.split(r"_OP_000000\.\.(\d+)_CL_", settings[name])
        assert (prepared / f"{begin}{last}{end}").is_file()
        assert not (prepared / f"{begin}{int(last) + 1:06d}{end}").exists()


def test_the_hub_s_packages_read_its_front_matter(prepared: Path) -> None:
    data = DatasetCard.load(prepared / "README.md").data
    assert data["language"] == ["en"]
    assert data["size_categories"] == ["n<1K"]
    assert data["task_categories"] == ["automatic-speech-recognition", "text-to-speech"]
    configs = {config["config_name"]: config["data_files"] for config in data["configs"]}
    assert sorted(get_dataset_config_names(str(prepared))) == sorted(configs)
    matched = [path for pattern in configs.values() for path in prepared.glob(pattern)]
    assert sorted(matched) == sorted(prepared.glob("bucket-*/*.tar"))


def test_licences_and_sources_of_the_manifest_are_told(tmp_path: Path) -> None:
    rows = read_jsonl(UTTERANCES)[:6]
    named = ["CC-BY-SA-3.0", "CC-BY-SA-3.0", "house | rules", "", None, 7]
    for row, name in zip(rows, named, strict=True):
        row["audio_filepath"] = str(SPEECH / row["audio_filepath"])
        row["license" if name != "house | rules" else "licence"] = name
    rows[1]["lang"] = "en_GB"
    manifest = tmp_path / "a `odd` name: x.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    done = wavemill("prepare", manifest, "--out", out, "--buckets", 2)
    assert done.code == 0, done.err
    content = json.loads((out / "dataset.json").read_text())
    assert content["said"] == {
        "texts": 6,
        "languages": {"en": 5, "en_GB": 1},
        "licences": {"CC-BY-SA-3.0": 2, "house | rules": 1},
    }
    text = (out / "README.md").read_text("utf-8")
    assert "\n".join(card(content)) in text
    assert "| `house \\| rules` | 1 |" in text
    assert "a `odd` name: x.jsonl``" in text
    data = DatasetCard(text).data
    assert (data["license"], data["license_name"]) == ("other", "several")
    assert (data["language"], data["language_details"]) == (["en"], ["en-GB"])
    assert wavemill("lint", out).code == 0


def test_names_beyond_a_hundred_are_counted_together() -> None:
    said = Said()
    rows = [
        {"text": None, "language": f"x-{number}", "custom": {"licence": str(number)}}
        for number in range(MOST + 20)
    ]
    for row in rows:
        said.add(said_of([row]))
    found = said.as_json()
    assert found["texts"] == 0
    for what in ("languages", "licences"):
        assert len(found[what]) == MOST + 1
        assert found[what][OTHER] == 20
