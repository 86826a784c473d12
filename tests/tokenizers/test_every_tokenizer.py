"""What holds of every tokenizer in the table, on real audio and small random weights.

A name that is added to the table and not to `small_models.py` fails here.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.conftest import SPEECH
from tests.tokenizers.codec_files import Clip
from tests.tokenizers.small_models import LABELS, MODELS, Settings, make, mixed_clips, tokens
from tests.tokenizers.teachers.tiny import Trap
from wavemill.audio import resample
from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.tokenizers.base import Tokenizer
from wavemill.tokenizers.table import TOKENIZERS

for package in ("transformers", "openbeats", "faiss"):
    pytest.importorskip(package)

LONG_SECONDS = 24
ENDLESS = 10**9


def test_every_name_in_the_table_has_a_small_model() -> None:
    assert {label.partition("/")[0] for label in MODELS} == set(TOKENIZERS)
    for label, model in MODELS.items():
        says = TOKENIZERS[label.partition("/")[0]][0].long_audio
        assert ("windows" if model.most_changed else "exact") in says


@pytest.fixture(scope="module")
def elsewhere(written: dict[str, Settings]) -> Any:
    """Digests of what another process gives of every fifth clip; its torch has two threads."""
    program = (
        "import json, sys, torch; torch.set_num_threads(2)\n"
        "from tests.tokenizers.test_every_tokenizer import *\n"
        "found = {}\n"
        "for label, settings in json.loads(sys.argv[1]).items():\n"
        "    tokenizer = make(label, settings)\n"
        "    clips = mixed_clips(tokenizer.facts.sample_rate)\n"
        "    found[label] = [tokenizer.facts.digest, digest(tokens(tokenizer, clips[::5]))]\n"
        "print(json.dumps(found))\n"
    )
    command = [sys.executable, "-c", program, json.dumps(written, default=str)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@LABELS
def test_a_clip_s_tokens_depend_on_it_alone(
    label: str, written: dict[str, Settings], elsewhere: Any
) -> None:
    tokenizer = make(label, written[label])
    clips = mixed_clips(tokenizer.facts.sample_rate)
    together = tokens(tokenizer, clips)
    order = np.random.default_rng(1).permutation(len(clips))
    shuffled = tokens(tokenizer, [clips[place] for place in order])
    assert len(clips) == 64
    assert [tokens(tokenizer, [clip])[0] for clip in clips] == together
    assert shuffled == [together[place] for place in order]
    assert [tokenizer.facts.digest, digest(together[::5])] == elsewhere[label]
    assert len({str(row) for found in together for row in found[0]}) > 3


class LargestTensor(TorchDispatchMode):
    """Measures the largest tensor that any step of a computation makes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.num_bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for part in tree_leaves(made):
            if isinstance(part, torch.Tensor):
                self.num_bytes = max(self.num_bytes, part.untyped_storage().nbytes())
        return made


def encode(tokenizer: Tokenizer, clip: Clip) -> tuple[set[tuple[Any, ...]], int]:
    """Encode a clip: its tokens, each with its place, and the largest tensor's size."""
    with LargestTensor() as largest:
        found = tokens(tokenizer, [clip])[0]
    places = found[1] if len(found) == 2 else [[step] for step in range(len(found[0]))]
    rows = {(*place, *row) for place, row in zip(places, found[0], strict=True)}
    return rows, largest.num_bytes


def long_clip(sample_rate: int) -> Clip:
    audio, rate = soundfile.read(min((SPEECH / "long").glob("*.flac")), dtype="float32")
    return resample(audio[: LONG_SECONDS * rate], rate, sample_rate)


@LABELS
def test_a_long_clip_takes_the_memory_of_a_block_and_has_the_tokens_of_the_whole(
    label: str, written: dict[str, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = MODELS[label]
    for name, value in model.blocks.items():
        monkeypatch.setattr(f"wavemill.tokenizers.{name}", value)
    tokenizer = make(label, written[label])
    clip = long_clip(tokenizer.facts.sample_rate)
    rows, size = encode(tokenizer, clip)
    _, size_of_half = encode(tokenizer, clip[: len(clip) // 2])
    # What grows with the clip is the clip, and features of no more numbers than it has samples.
    assert size <= max(size_of_half, 2 * clip.nbytes)
    for name in model.blocks:
        monkeypatch.setattr(f"wavemill.tokenizers.{name}", ENDLESS)
    whole_rows, whole_size = encode(make(label, {**written[label], **model.whole}), clip)
    assert whole_size > 1.5 * size or not model.blocks
    changed = 1 - len(rows & whole_rows) / len(whole_rows)
    assert changed <= model.most_changed


def copied(settings: Settings, folder: Path) -> tuple[Settings, list[Path]]:
    """Copy a tokenizer's files; give its settings for the copies, and the files of weights."""
    given = dict(settings)
    for key, value in settings.items():
        if isinstance(value, str | Path) and Path(value).exists():
            copy = shutil.copytree if Path(value).is_dir() else shutil.copy
            given[key] = copy(value, folder / Path(value).name)
    suffixes = (".safetensors", ".pth", ".pt")
    return given, [path for path in folder.rglob("*") if path.suffix in suffixes]


@pytest.mark.parametrize("label", [label for label in MODELS if MODELS[label].has_files])
@pytest.mark.parametrize("damage", ["trap", "cut", "other"])
def test_weights_that_are_none_are_refused_in_one_line_and_nothing_of_them_is_run(
    label: str, damage: str, written: dict[str, Settings], tmp_path: Path
) -> None:
    settings, weights = copied(written[label], tmp_path)
    assert weights
    for path in weights:
        if damage == "trap":
            torch.save({"model": Trap(tmp_path / "sprung"), "cfg": {}}, path)
        elif damage == "cut":
            path.write_bytes(path.read_bytes()[:1000])
        elif path.suffix == ".safetensors":
            save_file({"other": torch.zeros(3)}, path)
        else:
            torch.save({"other": torch.zeros(3)}, path)
    with pytest.raises(UsageError) as caught:
        make(label, settings)
    assert len(str(caught.value).splitlines()) == 1
    assert str(tmp_path) in str(caught.value)
    assert not (tmp_path / "sprung").exists()
