import dataclasses

import pytest
from lhotse.cut import Cut, MixedCut, MonoCut, MultiCut, PaddingCut
from lhotse.cut.data import DataCut

from wavemill.errors import UsageError
from wavemill.tokenizers.names import TAKEN_NAMES, check_name, check_names

CUTS = (Cut, DataCut, MonoCut, MultiCut, MixedCut, PaddingCut)


def test_every_attribute_of_lhotses_cuts_is_taken() -> None:
    names = {name for kind in CUTS for name in dir(kind)}
    for kind in CUTS:
        if dataclasses.is_dataclass(kind):
            names |= {field.name for field in dataclasses.fields(kind)}
        for base in kind.__mro__:
            names |= set(getattr(base, "__annotations__", {}))
    free = {name for name in names - TAKEN_NAMES if not name.startswith(("_", "load_"))}
    assert free == set()


@pytest.mark.parametrize(
    "name",
    ["start", "duration", "load_audio", "load_x", "supervisions", "num_samples", "move_to_memory",
     "custom", "audio", "audio_hq", "cuts", "origin", "class", "None", "_x", "", "9x", "a-b",
     "caf\u00e9", "a" * 65, "a/b", "a\n"],
)  # fmt: skip
def test_names_that_readers_would_take_for_something_else_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="the name"):
        check_name(name, "beats")


@pytest.mark.parametrize("name", ["beats", "mvq2", "Codes_8", "a" * 64])
def test_other_names_are_free(name: str) -> None:
    check_name(name, "beats")


def test_streams_side_by_side_have_names_that_patterns_tell_apart() -> None:
    check_names(["mvq", "mvq2", "beats"])
    with pytest.raises(UsageError, match="two tokenizers are named 'mvq'"):
        check_names(["mvq", "beats", "mvq"])
    with pytest.raises(UsageError, match=r"look for mvq_\*\.tar"):
        check_names(["mvq_8", "mvq"])
