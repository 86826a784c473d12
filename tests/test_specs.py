from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.errors import UsageError
from wavemill.specs import Spec, configure

NAMES = st.text("abz_", min_size=1, max_size=6)
VALUES = st.text("abz 019.=:/-", max_size=8).map(str.strip)


class Thing:
    """What the table's name stands for."""


@dataclass(frozen=True, kw_only=True)
class Config:
    seconds: float
    count: int = 3
    loud: bool = False
    path: str = "x"
    limit: float | None = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("count is negative")


TABLE = {"thing": (Thing, Config)}


def fill(text: str) -> Config:
    build, config = configure(Spec.parse(text), TABLE, "--thing")
    assert build is Thing
    assert isinstance(config, Config)
    return config


@settings(deadline=None)
@given(NAMES, st.dictionaries(NAMES, VALUES, max_size=4))
def test_a_spec_reads_back_what_it_prints(name: str, values: dict[str, str]) -> None:
    spec = Spec(name=name, settings=tuple(sorted(values.items())))
    assert Spec.parse(str(spec)) == spec


@settings(deadline=None)
@given(st.permutations(["a=1", "b=2", "c=3"]))
def test_the_order_of_settings_makes_no_difference(pairs: list[str]) -> None:
    assert str(Spec.parse("x:" + ",".join(pairs))) == "x:a=1,b=2,c=3"


def test_spaces_around_names_and_values_do_not_count() -> None:
    assert Spec.parse(" x : a = 1 , b=2") == Spec.parse("x:a=1,b=2")


@pytest.mark.parametrize("text", ["x:a", "x:=1", "x:a=1,", "x: =1", "x:,"])
def test_settings_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="settings look like x:name=value"):
        Spec.parse(text)


def test_a_setting_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="given twice"):
        Spec.parse("x:a=1,a=2")


def test_values_become_what_the_settings_are() -> None:
    found = fill("thing:seconds=2,count=7,loud=TRUE,path=a=b,limit=0.5")
    assert found == Config(seconds=2.0, count=7, loud=True, path="a=b", limit=0.5)
    assert fill("thing:seconds=1") == Config(seconds=1.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("thingy", "no such name; did you mean 'thing'.* there are: thing"),
        ("thing:second=1", "no setting 'second'; did you mean 'seconds'"),
        ("thing", "needs seconds: thing:seconds=..."),
        ("thing:seconds=long", "seconds=long: this is no float"),
        ("thing:seconds=1,count=1.5", "count=1.5: this is no int"),
        ("thing:seconds=1,loud=yes", "loud=yes: give true or false"),
        ("thing:seconds=1,count=-1", "count is negative"),
    ],
)
def test_what_is_wrong_is_said_with_what_there_is(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        fill(text)
