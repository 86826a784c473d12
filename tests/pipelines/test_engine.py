import pytest

from wavemill.errors import UsageError
from wavemill.pipelines.engine import Engine, _last_words, split_beam_options


def test_a_value_is_told_from_an_input_of_the_same_name() -> None:
    arguments = ["x", "--job_name", "x", "x", "--flink_master=y", "--streaming", "z"]
    own, rest = split_beam_options(arguments)
    assert own == ["--job_name", "x", "--flink_master=y", "--streaming"]
    assert rest == ["x", "x", "z"]


def test_what_beam_does_not_know_is_left() -> None:
    assert split_beam_options(["--tokenzier", "beats"]) == ([], ["--tokenzier", "beats"])


@pytest.mark.parametrize("argument", ["--job_name", "--direct_num_workers=many"])
def test_a_wrong_value_of_beams_options_is_refused(
    argument: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=argument.split("=", maxsplit=1)[0]):
        split_beam_options([argument])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["Nonsense", "no.such.Module", "os.nothing"])
def test_a_runner_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"--runner {name}.*FlinkRunner"):
        Engine(runner=name)


@pytest.mark.parametrize("workers", [0, -1, 10**6])
def test_an_absurd_number_of_workers_is_refused(workers: int) -> None:
    with pytest.raises(UsageError, match=f"--workers {workers}: give 1 to"):
        Engine(workers=workers)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("RuntimeError: OSError: [Errno 5] x [while running 'segment']", "OSError: [Errno 5] x"),
        ("Traceback\n  File y\nwavemill.errors.JobError: cannot write z\n", "cannot write z"),
        ("RuntimeError: wavemill.errors.JobError: cannot write z", "cannot write z"),
        ("something else", "something else"),
        ("", "RuntimeError"),
    ],
)
def test_the_reason_is_taken_out_of_a_workers_traceback(text: str, words: str) -> None:
    assert _last_words(RuntimeError(text)) == words
