"""`wavemill profile` and `wavemill recipes`."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from wavemill.cli import main
from wavemill.errors import DatasetError, JobError, UsageError
from wavemill.models.memory import profile as profiles
from wavemill.models.memory.predict import Predictor
from wavemill.models.synthetic import Extent
from wavemill.sharding.bins import read_profile

TINY = ("layers=1", "width=64", "stream=mvq")


def profile(prepared: Path, *arguments: object) -> None:
    given = {str(argument).partition("=")[0] for argument in arguments}
    tiny = [word for value in TINY if value.partition("=")[0] not in given
            for word in ("--set", value)]  # fmt: skip
    command: list[object] = [
        "profile",
        "token-lm",
        "--data",
        prepared,
        "--quiet",
        "--device",
        "cpu",
        *tiny,
    ]
    command += arguments
    main(args=[str(word) for word in command], standalone_mode=False)


def profiled(
    prepared: Path, capsys: pytest.CaptureFixture[str], *arguments: object
) -> dict[str, Any]:
    profile(prepared, *arguments, "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_the_file_is_what_is_printed_and_plan_takes_it(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes, lengths = tmp_path / "sizes.yaml", tmp_path / "lengths.jsonl"
    profile(prepared, "--memory-gb", 0.1, "--buckets", 1, "--out", sizes)
    printed = capsys.readouterr().out
    assert sizes.read_text() in printed
    options = yaml.safe_load(sizes.read_text())
    assert options["recipe"] == "token-lm"
    assert options["settings"] == ["layers=1", "width=64", "stream=mvq"]
    assert (options["streams"], options["device"]) == (["mvq"], "cpu")
    assert len(options["max_tps"]) == len(options["bucket_batch_size"])
    assert [bucket.size for bucket in read_profile(options, "sizes.yaml")] == (
        options["bucket_batch_size"]
    )
    bound, tokens = options["bucket_duration_bins"][-1]
    lengths.write_text(f'{{"id": "a", "duration": {bound}, "tokens": {tokens}}}\n')
    main(args=["plan", str(lengths), "--profile", str(sizes), "--json"], standalone_mode=False)
    planned = json.loads(capsys.readouterr().out)
    assert planned["full"] == pytest.approx(1 / options["bucket_batch_size"][-1], abs=1e-6)


def test_no_bucket_is_over_the_limit_and_each_is_nearly_full(
    prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = profiled(prepared, capsys, "--memory-gb", 0.2, "--memory-fraction", 0.5, "--buckets", 2)
    assert len(found["buckets"]) == len(found["bucket_batch_size"]) > 2
    for bucket, size in zip(found["buckets"], found["bucket_batch_size"], strict=True):
        assert 0.9 * 100e6 < bucket["step_bytes"] <= 100e6
        assert bucket["batch_size"] == size
    by_bounds = [bucket["batch_size"] for bucket in found["buckets"]]
    assert by_bounds == sorted(by_bounds, reverse=True)


def test_what_takes_more_memory_has_smaller_batches(
    prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--buckets", 1, "--sub-buckets", 1, "--memory-gb")
    base, *less = (
        profiled(prepared, capsys, *few, *more)["bucket_batch_size"][0]
        for more in (
            (0.2,),
            (0.1,),
            (0.2, "--memory-fraction", 0.5),
            (0.2, "--precision", "float32"),
            (0.2, "--set", "layout=flat"),
            (0.2, "--set", "layers=3"),
        )
    )
    assert max(less) < base


def test_ranks_take_room_for_a_copy_of_the_gradients(
    prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = (
        *("--set", "layers=12", "--set", "width=512", "--memory-gb", 1),
        *("--buckets", 1, "--sub-buckets", 1),
    )
    assert profiled(prepared, capsys, *deep)["bucket_batch_size"][-1] >= 1
    with pytest.raises(JobError, match="one sample of"):
        profile(prepared, *deep, "--world-size", 2)


def test_one_sample_that_does_not_fit_ends_it_with_a_line(prepared: Path) -> None:
    with pytest.raises(JobError, match=r"one sample of 10.51 s and 1051 tokens .* takes 0.0\d+ GB"):
        profile(prepared, "--memory-gb", 0.01)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--memory-gb", "0"], "--memory-gb 0.0: give 0.001"),
        (["--memory-gb", "1", "--memory-fraction", "1.5"], "--memory-fraction 1.5: give"),
        (["--memory-gb", "1", "--world-size", "0"], "--world-size 0: give 1"),
        (["--memory-gb", "1", "--precision", "float16"], "--precision float16: give float32 or"),
        (["--memory-gb", "1", "--device", "tpu"], "--device tpu: give auto, cuda, cpu"),
        (["--memory-gb", "1", "--preset", "huge"], "--preset huge: token-lm has"),
        (["--memory-gb", "1", "--set", "layers"], "settings look like"),
    ],
)
def test_options_that_are_none_are_refused(
    arguments: list[str], words: str, prepared: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        profile(prepared, *arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told(prepared: Path) -> None:
    with pytest.raises(UsageError, match="torch finds no GPU here; give --device cpu"):
        profile(prepared, "--memory-gb", 1, "--device", "cuda")


def test_what_is_no_dataset_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no folder"):
        profile(tmp_path / "nothing", "--memory-gb", 1)


def test_where_steps_are_run_they_are_not_predicted(
    prepared: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The GPU's place is taken by a memory that runs out and does not say how much was asked."""

    def meter(*about: Any) -> Any:
        recipe, data, config = about
        predictor = Predictor(recipe, data, precision=config.precision)

        def measure(extent: Extent, size: int) -> int | None:
            peak = predictor.step_bytes(extent, size).peak
            return peak if peak <= config.limit else None

        return measure

    predicted = profiled(prepared, capsys, "--memory-gb", 0.1, "--buckets", 1, "--sub-buckets", 1)
    monkeypatch.setattr(profiles, "_meter", meter)
    assert (
        profiled(prepared, capsys, "--memory-gb", 0.1, "--buckets", 1, "--sub-buckets", 1)
        == predicted
    )
    with pytest.raises(JobError, match=r"one sample of .* does not fit"):
        profile(prepared, "--memory-gb", 0.01)


def test_recipes_are_listed_with_their_settings(capsys: pytest.CaptureFixture[str]) -> None:
    main(args=["recipes"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    paper = lines.index("token-lm --preset paper")
    assert "width=1024" in lines[paper + 1]
    assert "batch_tokens=50000" in lines[paper + 2]
    main(args=["recipes", "--json"], standalone_mode=False)
    facts = json.loads(capsys.readouterr().out)
    assert set(facts["token-lm"]["presets"]) == {"small", "paper"}
    assert facts["token-lm"]["presets"]["paper"]["layers"] == 24
    assert facts["token-lm"]["training"]["paper"]["precision"] == "bfloat16"
