"""The codec in the training loop: stopped and gone on with, on several ranks, a tokenizer."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conftest import SPEECH
from tests.models.codec.small import ADVERSARY, SIZES, build, make, tones
from tests.sharding.drawn import clip_samples, make_dataset
from wavemill.errors import UsageError
from wavemill.models.codec.model import CODEC, CodecModel, Part
from wavemill.models.ranks import Ranks
from wavemill.models.training.job import TrainJob, prepare, train
from wavemill.models.training.log import read_log
from wavemill.models.training.loop import Outcome
from wavemill.models.training.run import load_run
from wavemill.specs import Spec
from wavemill.tokenizers import make_tokenizer
from wavemill.tokenizers.base import Decoder

ROOT = Path(__file__).parents[3]
MODEL = (
    *(one for one in SIZES if one.split("=")[0] not in ("codebooks_from", "gain_db")),
    *ADVERSARY, "adversary_from=1", "codebooks_from=1", "gain_db=6",
)  # fmt: skip
TRAINING = ("batch_size=4", "learning_rate=3e-3", "warmup=0", "schedule=constant", "log_every=1")


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen clips of real speech; not to be changed."""
    return make_dataset(
        clip_samples(SPEECH / "audio", 16), tmp_path_factory.mktemp("speech"), "flac", 0.5
    )


def trained(data: Path, out: Path, steps: int) -> Outcome:
    job = TrainJob(
        recipe="codec", data=[str(data)], out=str(out), settings=MODEL,
        training=(*TRAINING, f"steps={steps}"),
    )  # fmt: skip
    return train(
        prepare(job), device="cpu", ranks=Ranks(), say=print, show=lambda *_: None,
        stop=lambda: None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four steps; not to be changed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    trained(speech, out, 4)
    return out


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    speech: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    trained(speech, out, 2)
    trained(speech, out, 4)
    rows = [
        [{name: row[name] for name in row if "/" in name} for row in read_log(of)]
        for of in (out, whole)
    ]
    assert rows[0] == rows[1]
    assert [len([name for name in row if "discriminator" in name]) for row in rows[0]] == [
        0,
        2,
        2,
        2,
    ]
    first, second = load_run(str(out)).weights, load_run(str(whole)).weights
    assert set(first) == set(second)
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


class Meeting:
    """Two threads that stand for two ranks: sums and maxima of what both bring."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(2)
        self._brought: list[Tensor] = []

    def reduce(self, how: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def reduced(value: Tensor) -> Tensor:
            self._brought.append(value.clone())
            self._barrier.wait()
            value.copy_(how(torch.stack(self._brought)))
            if self._barrier.wait() == 0:
                self._brought.clear()
            self._barrier.wait()
            return value

        return reduced


def test_averages_of_two_ranks_are_those_of_one_that_has_both_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = make(*ADVERSARY, "revive_below=0.5")
    audio = tones(4, 1600)
    one, ranks = build(recipe), [build(recipe) for _ in range(2)]

    def hear(model: CodecModel, place: int, step: int) -> None:
        torch.manual_seed(10 * step + place)
        half = audio[2 * place : 2 * place + 2] + 0.1 * step
        model(
            half, torch.tensor([1600, 1000]), Part(turn=CODEC, quantizes=step > 0, fills=not step)
        )

    for step in range(3):
        for place in range(2):
            hear(one, place, step)
            hear(ranks[place], place, step)
        one.after_step()
        meeting = Meeting()
        with monkeypatch.context() as patch:
            for name in ("pool", "codebooks", "balancer"):
                where = f"wavemill.models.codec.{name}.sum_over_ranks"
                patch.setattr(where, meeting.reduce(lambda both: both.sum(0)))
            patch.setattr(
                "wavemill.models.codec.pool.max_over_ranks",
                meeting.reduce(lambda both: both.amax(0)),
            )
            threads = [threading.Thread(target=model.after_step) for model in ranks]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=60)
        expected = dict(one.named_buffers())
        for model in ranks:
            for name, buffer in model.named_buffers():
                torch.testing.assert_close(buffer, expected[name], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_two_ranks_train_as_one_that_takes_both_batches(speech: Path, tmp_path: Path) -> None:
    curves = []
    for ranks in (1, 2):
        out = tmp_path / str(ranks)
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
        settings = [part for one in MODEL for part in ("--set", one)]
        training = [part for one in (*TRAINING, "batches=2") for part in ("--train", one)]
        command = [sys.executable, *launch, "-m", "wavemill", "train", "codec", "--data",
                   str(speech), "--out", str(out), "--steps", "5", "--device", "cpu"]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run([*command, *settings, *training], env=environment, cwd=tmp_path,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        curves.append([row["codec/loss"] for row in read_log(out)])
    assert len(curves[0]) == 5
    assert curves[1] == pytest.approx(curves[0], abs=1e-4)


def test_what_was_trained_is_a_tokenizer(whole: Path) -> None:
    tokenizer = make_tokenizer(Spec.parse(f"codec:model={whole}"))
    facts = tokenizer.facts
    assert (facts.name, facts.kind, facts.sample_rate, facts.frame_rate) == (
        "codec", "codec", 16_000, 500.0,
    )  # fmt: skip
    assert (facts.num_codebooks, facts.codebook_size) == (3, 8)
    clip = tones(1, 1234)[0].numpy()
    (codes,) = tokenizer.encode([clip])
    assert codes.shape == (-(-1234 // 32), 3)
    model = load_run(str(whole)).build()
    assert isinstance(model, CodecModel)
    with torch.no_grad():
        expected, _ = model.run(
            torch.from_numpy(clip)[None], torch.tensor([1234]), Part(turn=CODEC)
        )
    assert isinstance(tokenizer, Decoder)
    found = tokenizer.decode(codes)[:1234]
    assert np.allclose(found, expected[0].numpy(), atol=1e-5)


def test_fewer_codebooks_are_the_first_ones(whole: Path) -> None:
    every, some = (make_tokenizer(Spec.parse(f"codec:model={whole}{more}"))
                   for more in ("", ",codebooks=2"))  # fmt: skip
    clip = tones(1, 1000)[0].numpy()
    assert np.array_equal(every.encode([clip])[0][:, :2], some.encode([clip])[0])
    assert every.facts.weights_digest != some.facts.weights_digest
    assert isinstance(some, Decoder)
    assert some.decode(some.encode([clip])[0]).shape == (1024,)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("codebooks=4", "codebooks=4: .* has 3; give 1 to 3"),
        ("codebooks=0", "codebooks=0: .* has 3"),
        ("model=/nowhere", "no run and no .safetensors file /nowhere"),
    ],
)
def test_a_codec_that_is_none_is_refused(whole: Path, settings: str, words: str) -> None:
    spec = settings if "model" in settings else f"model={whole},{settings}"
    with pytest.raises(UsageError, match=words):
        make_tokenizer(Spec.parse(f"codec:{spec}"))


def test_a_run_of_another_recipe_or_without_a_checkpoint_is_refused(
    whole: Path, tmp_path: Path
) -> None:
    content = json.loads((whole / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match="no whole checkpoint yet"):
        make_tokenizer(Spec.parse(f"codec:model={tmp_path}"))
    (tmp_path / "run.json").write_text(json.dumps({**content, "recipe": "token-lm"}))
    with pytest.raises(UsageError, match="is of recipe token-lm, not of codec"):
        make_tokenizer(Spec.parse(f"codec:model={tmp_path}"))
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UsageError, match=r"run.json is damaged"):
        make_tokenizer(Spec.parse(f"codec:model={tmp_path}"))
