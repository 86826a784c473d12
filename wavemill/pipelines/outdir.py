"""The output folder: whether a job may write there, and what of it is the job's own to remove.

A job removes what an earlier one wrote, so it must know that from everything else. Ours is a folder
with our mark in its spool or with our `dataset.json`; in it, a file is ours if the plan that the
spool remembers or the `dataset.json` lists it. Whatever else lies there is left alone.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from wavemill import storage
from wavemill.errors import JobError, UsageError
from wavemill.hypotheses.folder import FACTS, is_folder
from wavemill.pipelines.plan_files import PlanFiles, marker_url
from wavemill.records import to_json
from wavemill.sharding import layout
from wavemill.sharding.dataset import BESIDE_BUCKETS, FORMAT, NAME

SPOOL = "_work"
MARK = "wavemill.json"
"""In the spool from the first moment on: this folder is a job's."""
LOCK = "lock"
"""In a local spool; see `lock.py`."""
PLAN_NOTE = "plan.json"
"""In the spool: which plan the shards in the folder belong to."""
KINDS = {NAME: "a dataset", FACTS: "hypotheses"}
"""What jobs make, by the file that is written last."""
REMOVING = "removing"
_OF_A_PLAN = re.compile(r"shards-[0-9a-f]+|plan-[0-9a-f]+")


def check_out(out: str, inputs: Sequence[str], facts: str = NAME) -> None:
    """Check that a job may write to `out`, before it does anything.

    Args:
        out: the folder.
        inputs: of the job.
        facts: the file that makes the folder what the job makes of it: of `KINDS`.

    Raises:
        UsageError: it is a file or somebody's folder, holds what another kind of job made, or an
            input lies in it.

    """
    _check_name(out)
    for name, words in KINDS.items():
        if name != facts and storage.is_file(storage.join(out, name)):
            raise UsageError(f"--out {out} holds {words} ({name}): give another folder")
    if not _is_free_or_ours(out):
        raise UsageError(
            f"--out {out} holds files that no job of wavemill wrote: give a new or empty folder,"
            " or that of an earlier job"
        )
    for name in inputs:
        if storage.is_within(storage.fixed_part(name), out):
            raise UsageError(
                f"the input {name} lies inside --out {out}, whose files are not read: give another"
                " folder for the dataset"
            )


def _check_name(out: str) -> None:
    if not out.isprintable() or "\0" in out:
        raise UsageError(f"--out {out!r}: give a name of printable characters, in UTF-8")
    if storage.holds_secrets(out):
        raise UsageError(
            f"--out {storage.shown(out)} is given with credentials, which would be written down:"
            " give the plain URL, and them to the store's client (as AWS_ACCESS_KEY_ID)"
        )
    if storage.is_local(out):
        place = storage.local_path(out)
        if os.path.lexists(place) and not os.path.isdir(place):  # noqa: PTH112 - a Path may raise
            what = "a file" if os.path.isfile(place) else "no folder"  # noqa: PTH113
            raise UsageError(f"--out {out} is {what}: name a folder for the dataset")


def _visible(folder: str) -> set[str]:
    return {name for name in storage.list_names(folder) if not name.startswith(".")}


def _is_free_or_ours(out: str) -> bool:
    held = {name for name in _visible(out) if not name.endswith(".log")}
    if not storage.is_local(out):  # whose listing may lack what was just written
        beside = (*BESIDE_BUCKETS, FACTS)
        held |= {name for name in beside if storage.is_file(storage.join(out, name))}
    if not held or storage.is_file(storage.join(out, SPOOL, MARK)):
        return True
    if _read_dataset(out) or is_folder(out):
        return True
    # A job that was killed before its first word leaves this.
    return held == {SPOOL} and _visible(storage.join(out, SPOOL)) <= {LOCK}


def mark(out: str, spool: str) -> None:
    """Say that a folder is a job's, and clear away what killed writers left in it."""
    place = storage.join(spool, MARK)
    if not storage.is_file(place):
        storage.write_text(place, [to_json({"format": FORMAT, "holds": "the spool of a job"})])
    clear_partial(out)


def clear_partial(out: str) -> None:
    """Clear away what killed writers left in a folder and its spool."""
    if not storage.is_local(out):
        storage.remove_partial(out)
        return
    storage.remove_partial(out, BESIDE_BUCKETS)
    for name in storage.list_names(out):
        if name == SPOOL or layout.is_bucket(name):
            storage.remove_partial(storage.join(out, name))


def check_there(spool: str) -> None:
    """Check that a spool is still where it was, before more is written to it.

    Where a disk was unmounted, files would be written into the folder that lies beneath.

    Raises:
        JobError: it was removed, or its disk is gone.

    """
    if storage.is_local(spool) and not storage.exists(storage.join(spool, MARK)):
        raise JobError(
            f"{spool} is gone: it was removed, or its disk unmounted, while the job ran; put it"
            " back and run the same command again"
        )


def make_room(out: str, spool: str, note: dict[str, Any]) -> None:
    """Remove the shards of another plan, and first of all what makes them a dataset.

    Args:
        out: the folder.
        spool: its spool.
        note: the plan that is about to be written: `plan` (its name), `streams` and `audio`.

    """
    place = storage.join(spool, PLAN_NOTE)
    old = _read_note(place) if storage.is_file(place) else {}
    if old == note:
        return
    # Markers go first, and by their names: no listing need show one, and one that stayed would
    # speak for files that another plan has written since.
    storage.remove_files([*_noted_markers(spool, old)])
    listed = {*_dataset_files(out), *_noted_files(spool, old)}
    # A job killed from here on still knows what it has to remove.
    storage.write_text(place, [to_json({REMOVING: sorted(listed)})])
    storage.remove_files([storage.join(out, NAME)])
    storage.remove_files([storage.join(out, path) for path in sorted(listed)])
    # From the deepest on; one that holds something of others stays.
    folders = {parent for path in listed for parent in (path.rsplit("/", 1)[0], path.split("/")[0])}
    storage.remove_empty_folders(storage.join(out, name) for name in sorted(folders, reverse=True))
    for name in storage.list_names(spool):
        if _OF_A_PLAN.fullmatch(name):
            storage.remove(storage.join(spool, name))
    storage.write_text(place, [to_json(note)])


def _read_note(place: str) -> dict[str, Any]:
    try:
        return dict(json.loads(storage.read_bytes(place)))
    except (ValueError, TypeError) as error:
        raise JobError(
            f"{place} is damaged ({error}): remove {place.rsplit('/', 1)[0]} and give the same"
            " command again, which then starts anew"
        ) from error


def clear_spool(spool: str) -> None:
    """Remove a spool, whose lock is held, with the lock file last."""
    note = storage.join(spool, PLAN_NOTE)
    old = _read_note(note) if storage.is_file(note) else {}
    storage.remove_files([*_noted_markers(spool, old)])
    for name in storage.list_names(spool):
        if name != LOCK:
            storage.remove(storage.join(spool, name))
    if storage.is_local(spool):  # on a store the lock is no file that nobody can take
        storage.remove(spool)


def clear_unused(spool: str) -> None:
    """Remove a spool, whose lock is held, that holds nothing but its mark."""
    if set(storage.list_names(spool)) <= {MARK, LOCK}:
        clear_spool(spool)


def plan_files(spool: str, name: str) -> PlanFiles:
    """Return a plan in the spool."""
    return PlanFiles(storage.join(spool, f"plan-{name}"))


def _read_dataset(out: str) -> dict[str, Any] | None:
    """Read the folder's `dataset.json`; None where there is none, or another program's."""
    try:
        content = json.loads(storage.read_bytes(storage.join(out, NAME)))
    except (OSError, ValueError, RecursionError):
        return None
    ours = isinstance(content, dict) and content.get("format") == FORMAT
    return content if ours else None


def _dataset_files(out: str) -> Iterator[str]:
    """Yield the shards' files that the folder's `dataset.json` lists, if it is ours."""
    shards = (_read_dataset(out) or {}).get("shards")
    for shard in shards if isinstance(shards, list) else ():
        for file in shard.get("files", ()) if isinstance(shard, dict) else ():
            path = str(file.get("path")) if isinstance(file, dict) else ""
            if layout.is_shard_file(path):  # whatever stands there, nothing else is removed
                yield path


def _noted_markers(spool: str, note: dict[str, Any]) -> Iterator[str]:
    """Yield the places of the markers of all shards of a noted plan."""
    name = note.get("plan", "")
    plan = plan_files(spool, name)
    for number in range(len(plan.shards()) if plan.exists() else 0):
        yield marker_url(storage.join(spool, f"shards-{name}"), number)


def _noted_files(spool: str, note: dict[str, Any]) -> Iterator[str]:
    """Yield every file that a noted plan may have made, whether it came to it or not."""
    yield from note.get(REMOVING, ())
    plan = plan_files(spool, note.get("plan", ""))
    if plan.exists():
        for bucket, number in plan.shards():
            for name in layout.shard_files(number, note["streams"], audio=note["audio"]):
                yield f"{bucket}/{name}"
