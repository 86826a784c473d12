"""What the config.json of a fitted model says of the teacher whose features it was fitted on.

`features` is the teacher's digest, `teacher` says which one it is and where it was: so a model
finds its teacher again, and no other will do.
"""

import json
from dataclasses import asdict
from typing import Any

from wavemill import storage
from wavemill.errors import UsageError
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.teachers.base import Teacher, TeacherConfig
from wavemill.tokenizers.teachers.table import make_teacher


def describe(teacher: Teacher) -> dict[str, Any]:
    """Say in a config.json which teacher a model was fitted on."""
    facts = teacher.facts
    return {
        "features": facts.digest,
        "teacher": {
            **asdict(teacher.config),
            "dim": facts.dim,
            "frame_rate": facts.frame_rate,
            "sample_rate": facts.sample_rate,
            **teacher.place.digest_parts,
        },
    }


def read_config(url: str, command: str) -> dict[str, Any]:
    """Read a config.json.

    Raises:
        UsageError: it is not there or is no JSON object.

    """
    try:
        config: Any = json.loads(storage.read_bytes(url))
    except FileNotFoundError as error:
        raise UsageError(f"no {url}: a model is a folder that `{command}` wrote") from error
    except ValueError as error:
        raise UsageError(f"{url} is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise UsageError(f"{url} must be a JSON object")
    return config


def teacher_of(
    url: str,
    config: dict[str, Any],
    name: str | None,
    model: str | None,
    layer: int | None,
    place: Place,
) -> Teacher:
    """Build the teacher that a config.json names.

    Args:
        url: of the config.json, for errors.
        config: what it holds.
        name: the teacher that the user named; None for the one in the config.json.
        model: where its weights are now; None for where they were.
        layer: None for that in the config.json.
        place: where it runs.

    Raises:
        UsageError: it cannot be had, or its features are not those that the model was fitted on.

    """
    stored = config.get("teacher", {})
    if not isinstance(stored, dict):
        raise UsageError(f"{url}: teacher must be an object; got {stored!r}")
    fitted_on = stored.get("name", "logmel")
    if name not in (None, fitted_on):
        raise UsageError(f"{url}: the model was fitted on teacher {fitted_on!r}, not {name!r}")
    wanted = TeacherConfig(
        name=fitted_on,
        model=model if model is not None else stored.get("model"),
        layer=layer if layer is not None else stored.get("layer"),
    )
    teacher = make_teacher(wanted, place)
    if config.get("features") != teacher.facts.digest:
        raise UsageError(
            f"{url}: features must be {teacher.facts.digest!r}, those of teacher {fitted_on} as it"
            f" is; got {config.get('features')!r}: give the teacher that the model was fitted on,"
            " or fit it again"
        )
    return teacher
