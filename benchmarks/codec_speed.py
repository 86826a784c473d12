"""Measure how fast EnCodec tokenizes on this machine's CPU, and that no id changes.

    python benchmarks/codec_speed.py examples/speech/audio

Random weights of the published size; 24 kHz, 6 kbit/s. Compared are, in turns, so that other load
on the machine meets all of them alike:

- `reference`: the authors' package, one process, torch's default threads, file by file. To have it:
  `pip install --no-deps encodec` (its requirements are wavemill's). Else transformers' own forward.
- `one process`: the tokenizer, with as many threads.
- `workers`: the tokenizer in as many processes of one thread, as `wavemill prepare --workers` runs.

Printed are seconds of audio a second, and the median over the rounds of the ratio to the reference.
"""

import argparse
import importlib.util
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.tokenizers.codec_files import drawn_state, golden
from wavemill.audio import resample
from wavemill.tokenizers.base import Codes
from wavemill.tokenizers.encodec import EncodecConfig, EncodecTokenizer

Clip = npt.NDArray[np.float32]
Encode = Callable[[list[Clip]], list[Codes]]
SAMPLE_RATE = 24_000
BANDWIDTH = 6.0
WORKER: dict[str, EncodecTokenizer] = {}
"""The tokenizer of a worker process."""


def read_clips(folder: Path, every: int) -> list[Clip]:
    """Read every so many of the folder's files as mono at 24 kHz."""
    clips = []
    for path in sorted(folder.rglob("*.flac"))[::every]:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        clips.append(resample(audio.mean(axis=1), rate, SAMPLE_RATE))
    return clips


def reference(model: str, tokenizer: EncodecTokenizer) -> Encode:
    """Make the authors' model, or failing that transformers' own way through it."""
    if importlib.util.find_spec("encodec") is None:
        print("reference: transformers (the package encodec is not installed)")
        theirs = tokenizer._model  # noqa: SLF001 - the same weights

        def forward(clip: torch.Tensor) -> torch.Tensor:
            return theirs.encode(clip[None, None], bandwidth=BANDWIDTH).audio_codes[0, 0]  # type: ignore[no-any-return]

    else:
        print("reference: the package encodec")
        encodec: Any = importlib.import_module("encodec")
        authors = encodec.EncodecModel.encodec_model_24khz(pretrained=False)
        authors.load_state_dict(torch.load(model, weights_only=True))
        authors.set_target_bandwidth(BANDWIDTH)

        def forward(clip: torch.Tensor) -> torch.Tensor:
            return authors.encode(clip[None, None])[0][0][0]  # type: ignore[no-any-return]

    def encode(clips: list[Clip]) -> list[Codes]:
        with torch.no_grad():
            return [forward(torch.from_numpy(clip)).T.numpy().astype(np.uint16) for clip in clips]

    return encode


def start_worker(model: str) -> None:
    """Load the tokenizer in a worker, as the pipeline does."""
    torch.set_num_threads(1)
    WORKER["encodec"] = EncodecTokenizer(EncodecConfig(model=model, bandwidth=BANDWIDTH))


def encode_in_worker(clip: Clip) -> Codes:
    """Encode a clip in a worker."""
    return WORKER["encodec"].encode([clip])[0]


def compare(ways: dict[str, Encode], clips: list[Clip], rounds: int) -> None:
    """Run all ways in turns; print their speeds, and how many ids differ."""
    seconds = sum(map(len, clips)) / SAMPLE_RATE
    times: dict[str, list[float]] = {name: [] for name in ways}
    codes: dict[str, list[Codes]] = {}
    for number in range(rounds + 1):
        for name, encode in ways.items():
            started = time.perf_counter()
            codes[name] = encode(clips)
            if number:  # the first round warms up
                times[name].append(time.perf_counter() - started)
    for name, taken in times.items():
        pairs = zip(times["reference"], taken, strict=True)
        ratio = median(theirs / ours for theirs, ours in pairs)
        paired = zip(codes["reference"], codes[name], strict=True)
        wrong = sum(int((theirs != ours).sum()) for theirs, ours in paired)
        total = sum(one.size for one in codes[name])
        speed = seconds / median(taken)
        print(f"{name}: {speed:.1f} s/s, {ratio:.2f} x reference, {wrong} of {total} ids differ")


def main() -> None:
    """Compare on the files of a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="of FLAC files")
    parser.add_argument("--every", type=int, default=1, help="take every so many of the files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    clips = read_clips(arguments.folder, arguments.every)
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "encodec.th")
        torch.save(drawn_state(golden("encodec_24khz")), model)
        tokenizer = EncodecTokenizer(EncodecConfig(model=model, bandwidth=BANDWIDTH))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(arguments.processes, context, start_worker, (model,)) as pool:
            ways: dict[str, Encode] = {
                "reference": reference(model, tokenizer),
                "one process": tokenizer.encode,
                "workers": lambda clips: list(pool.map(encode_in_worker, clips)),
            }
            compare(ways, clips, arguments.rounds)


if __name__ == "__main__":
    main()
