"""EnCodec at 24 kHz and 6 kbit/s beside the authors' package, with random weights of its size.

- The package encodes file by file, in one process, with torch's default threads.
- The stage does what `wavemill prepare --workers` has its workers do with a unit: decode, resample,
  encode, write. A unit a worker, one thread each.
- The bare model encodes the same clips in the same workers, decoded before.
"""

import argparse
import importlib
import importlib.util
import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from speed import PeerMissingError, by_turns, ratio

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.tokenizers.codec_files import drawn_state, golden
from wavemill.audio import mono_blocks, open_flac
from wavemill.pipelines.ingest import read_inputs
from wavemill.pipelines.segment import AudioForm, segment_row, segment_unit
from wavemill.pipelines.segmenters import make_segmenter, parse_segmenter
from wavemill.pipelines.tokenize import tokenize_unit
from wavemill.records import SEGMENT_SCHEMA, TOKEN_SCHEMA, Recording
from wavemill.spool import UnitReader, write_unit
from wavemill.tokenizers.base import Codes
from wavemill.tokenizers.encodec import EncodecConfig, EncodecTokenizer

Clip = npt.NDArray[np.float32]
SAMPLE_RATE = 24_000
BANDWIDTH = 6.0
PIP = "pip install --no-deps encodec  # what it needs is there"


class Worker(NamedTuple):
    """What a worker process has loaded."""

    tokenizer: EncodecTokenizer
    clips: dict[str, list[Clip]]
    """Of each unit."""


WORKER: list[Worker] = []


def measure(options: argparse.Namespace, one: float, many: float) -> Iterator[str]:
    """Yield lines of figures."""
    if importlib.util.find_spec("encodec") is None:
        raise PeerMissingError(PIP)
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "encodec.th")
        torch.save(drawn_state(golden("encodec_24khz")), model)
        units = make_units(options, Path(folder))
        clips = {unit: read_clips(unit) for unit in units}
        theirs = package(model)
        spawn = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(len(units), spawn, start_worker, (model, clips))
        tokenizer = EncodecTokenizer(EncodecConfig(model=model, bandwidth=BANDWIDTH))
        every = [clip for unit in units for clip in clips[unit]]
        ways: dict[str, Callable[[], list[Codes]]] = {
            "package": lambda: [theirs(clip) for clip in every],
            "stage": partial(spread, pool, run_stage, units),
            "bare": partial(spread, pool, run_bare, units),
            "alone": lambda: tokenizer.encode(every),
        }
        with pool:
            codes = {name: way() for name, way in ways.items() if name != "bare"}
            taken = by_turns(ways, options.rounds)
    seconds = sum(map(len, every)) / SAMPLE_RATE
    limit = max(one, many) * 1e9 / flops_a_second(tokenizer)
    speed = {name: seconds / min(times) for name, times in taken.items()}
    yield f"{len(every)} clips, {seconds:.0f} s; {len(units)} workers of 1 thread"
    total = sum(one.size for one in codes["package"])
    for name, words in (("stage", "the stage"), ("alone", "one process, default threads")):
        pairs = zip(codes["package"], codes[name], strict=True)
        wrong = sum(int((one != other).sum()) for one, other in pairs)
        times = ratio(taken["package"], taken[name])
        yield (
            f"{words}: {times:.2f} times the package's speed ({speed[name]:.1f} and"
            f" {speed['package']:.1f} s of audio a second), {total - wrong} of {total} codes equal"
        )
    over = ratio(taken["stage"], taken["bare"]) - 1
    yield f"the stage takes {100 * over:.1f} % longer than the bare model ({speed['bare']:.1f} s/s)"
    yield (
        f"limit, its products alone at the machine's best: {limit:.1f} s/s; the stage reaches"
        f" {100 * speed['stage'] / limit:.0f} %, the package {100 * speed['package'] / limit:.0f} %"
    )


def make_units(options: argparse.Namespace, folder: Path) -> list[str]:
    """Write the clips as `wavemill prepare` writes segments: a unit a worker, equally long."""
    inputs = (str(options.clips),)
    rows = [row for row in read_inputs(inputs, leave_out="") if isinstance(row, Recording)]
    units, chosen = [], rows[:: options.every]
    shares: list[list[Recording]] = [[] for _ in range(options.workers)]
    for row in sorted(chosen, key=seconds_of, reverse=True):
        min(shares, key=lambda share: sum(map(seconds_of, share))).append(row)
    for number, share in enumerate(shares):
        units.append(str(folder / f"{number}.arrow"))
        segmenter = make_segmenter(parse_segmenter("none"))
        with write_unit(units[-1], SEGMENT_SCHEMA) as file:
            for result in segment_unit(share, segmenter, AudioForm()):
                segment = segment_row(result)
                file.add(segment, segment["num_audio_bytes"])
    return units


def seconds_of(row: Recording) -> float:
    """Look up how long a local file is."""
    return float(soundfile.info(row.url).duration)


def read_clips(unit: str) -> list[Clip]:
    """Decode a unit's clips."""
    segments = UnitReader(unit)
    clips = []
    for index in range(len(segments)):
        with open_flac(segments.buffer("audio", index)) as stream:
            clips.append(np.concatenate(list(mono_blocks(stream, SAMPLE_RATE))))
    return clips


def package(model: str) -> Callable[[Clip], Codes]:
    """Load the authors' model."""
    encodec: Any = importlib.import_module("encodec")
    authors = encodec.EncodecModel.encodec_model_24khz(pretrained=False)
    authors.load_state_dict(torch.load(model, weights_only=True))
    authors.set_target_bandwidth(BANDWIDTH)

    @torch.no_grad()
    def encode(clip: Clip) -> Codes:
        codes_QT = authors.encode(torch.from_numpy(clip)[None, None])[0][0][0]
        codes: Codes = codes_QT.T.numpy().astype(np.uint16)
        return codes

    return encode


def spread(
    pool: ProcessPoolExecutor, run: Callable[[str], list[Codes]], units: list[str]
) -> list[Codes]:
    """Run units in the workers; give all clips' codes."""
    return [codes for unit in pool.map(run, units) for codes in unit]


def start_worker(model: str, clips: dict[str, list[Clip]]) -> None:
    """Load the tokenizer in a worker, as the pipeline does."""
    torch.set_num_threads(1)
    tokenizer = EncodecTokenizer(EncodecConfig(model=model, bandwidth=BANDWIDTH))
    WORKER.append(Worker(tokenizer, clips))


def run_bare(unit: str) -> list[Codes]:
    """Encode what is decoded, in a worker."""
    return WORKER[0].tokenizer.encode(WORKER[0].clips[unit])


def run_stage(unit: str) -> list[Codes]:
    """Do the stage's work on a unit, in a worker."""
    place = f"{unit}.tokens"
    with write_unit(place, TOKEN_SCHEMA) as file:
        for row in tokenize_unit(UnitReader(unit), WORKER[0].tokenizer):
            file.add(row, len(row["npy"]))
    tokens = UnitReader(place)
    return [read_npy(tokens.buffer("npy", index)) for index in range(len(tokens))]


def read_npy(stored: memoryview) -> Codes:
    """Read stored codes."""
    import io

    codes: Codes = np.load(io.BytesIO(stored), allow_pickle=False)
    return codes


def flops_a_second(tokenizer: EncodecTokenizer) -> float:
    """Count what the products of a second of audio take."""
    model = tokenizer._model  # noqa: SLF001 - its layers
    rate = float(SAMPLE_RATE)
    total = 0.0
    for layer in model.encoder.modules():
        if isinstance(layer, torch.nn.Conv1d):
            rate /= layer.stride[0]
            total += 2 * rate * layer.weight.numel()
        elif isinstance(layer, torch.nn.LSTM):
            total += 2 * rate * sum(part.numel() for part in layer.parameters() if part.ndim == 2)
    books = tokenizer.facts.num_codebooks
    dim: int = model.config.codebook_dim
    return total + 2 * rate * books * tokenizer.facts.codebook_size * dim
