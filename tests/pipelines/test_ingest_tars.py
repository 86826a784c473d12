import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pipelines.ingest_files import ids, read, write_tar
from wavemill.errors import UsageError
from wavemill.records import (
    DUPLICATE_ID,
    INVALID_JSON,
    INVALID_ROW,
    TRUNCATED,
    UNREADABLE,
    path_id,
    safe_key,
)

AUDIO = b"RIFF" + bytes(2000)


def test_a_sample_becomes_a_recording_that_points_into_the_tar(tmp_path: Path) -> None:
    members = {
        "a.flac": AUDIO, "a.txt": b"hello\n", "a.json": b'{"lang": "en", "id": "x", "snr": 3}',
        "a.cls": b"7", "a.spk": b"s1", "a.npy": b"\x93NUMPY", "a.bin2": b"\xff\x00",
    }  # fmt: skip
    path = write_tar(tmp_path / "t.tar", members)
    recordings, rejects = read(path)
    assert not rejects
    found = recordings[0]
    assert (found.id, found.url, found.member) == ("a", path, "a.flac")
    assert found.num_bytes is not None
    stop = found.byte_offset + found.num_bytes
    assert Path(path).read_bytes()[found.byte_offset : stop] == AUDIO
    assert found.version
    assert (found.window.text, found.window.language, found.window.speaker) == ("hello", "en", "s1")
    assert found.window.custom == {"snr": 3, "id": "x", "cls": "7", "spk": "s1"}
    assert not found.explicit_window


def test_keys_end_at_the_first_dot_and_keep_their_folder(tmp_path: Path) -> None:
    members = {"spk.1/a.b.wav": AUDIO, "spk.1/a.txt": b"x", "spk.2/a.wav": AUDIO}
    recordings, rejects = read(write_tar(tmp_path / "t.tar", members))
    assert not rejects
    assert [found.id for found in recordings] == [safe_key("spk.1/a"), safe_key("spk.2/a")]
    assert recordings[0].window.custom == {"original_id": "spk.1/a"}


def test_keys_that_begin_again_in_every_tar_are_told_apart(tmp_path: Path) -> None:
    tars = [write_tar(tmp_path / f"{i}.tar", {"000.wav": AUDIO}) for i in range(3)]
    assert ids(*tars) == ["000", path_id("1.tar/000"), path_id("2.tar/000")]


def test_a_sample_without_audio_is_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    members = {"a.txt": b"x", "b.wav": AUDIO, "c.json": b"{", "c.wav": AUDIO, "d.wav": AUDIO,
               "d.txt": b"\xff", "e.wav": AUDIO, "e.json": b'{"duration": -1}'}  # fmt: skip
    recordings, rejects = read(write_tar(tmp_path / "t.tar", members))
    assert [found.id for found in recordings] == ["b"]
    assert [(reject.id, reject.reason) for reject in rejects] == [
        ("a", INVALID_ROW), ("c", INVALID_JSON), ("d", INVALID_ROW), ("e", INVALID_ROW),
    ]  # fmt: skip
    assert rejects[0].source.endswith("t.tar#a")


def test_a_sample_with_two_audio_files_is_rejected_rather_than_one_dropped(tmp_path: Path) -> None:
    members = {"a.wav": b"1", "a.flac": b"2", "b.clean.wav": b"3", "b.noisy.wav": b"4"}
    recordings, rejects = read(write_tar(tmp_path / "x.tar", members))
    assert not recordings
    assert [(reject.id, reject.reason) for reject in rejects] == [
        ("a", INVALID_ROW), ("b", INVALID_ROW),
    ]  # fmt: skip
    assert "2 audio among the sample's members: wav, flac" in rejects[0].detail


def test_hidden_members_and_folders_are_passed_over(tmp_path: Path) -> None:
    members = {"._a.wav": b"x", "__meta__.json": b"{}", "d/a.wav": AUDIO}
    recordings, rejects = read(write_tar(tmp_path / "t.tar", members))
    assert not rejects
    assert [found.member for found in recordings] == ["d/a.wav"]


def test_two_members_of_one_name_are_two_samples(tmp_path: Path) -> None:
    path = tmp_path / "t.tar"
    with tarfile.open(path, "w") as tar:
        for _ in range(2):
            member = tarfile.TarInfo("a.wav")
            member.size = len(AUDIO)
            tar.addfile(member, io.BytesIO(AUDIO))
    recordings, rejects = read(path)
    assert len(recordings) + len(rejects) == 2
    assert {reject.reason for reject in rejects} <= {DUPLICATE_ID}


def test_a_tar_that_ends_early_gives_its_whole_samples_and_one_reject(tmp_path: Path) -> None:
    members = {f"{i}.{suffix}": AUDIO for i in range(4) for suffix in ("wav", "txt")}
    whole = Path(write_tar(tmp_path / "whole.tar", members)).read_bytes()
    ends = tarfile.open(tmp_path / "whole.tar")  # noqa: SIM115 - closed below
    starts = [member.offset for member in ends.getmembers()]
    ends.close()
    for name, end, expected in [
        ("in audio", starts[4] + 1000, 2),
        ("in a header", starts[4] + 100, 2),
        ("between members", starts[4], 2),
        ("after the audio", starts[5], 3),
        ("at the end mark", starts[7] + 512 + 2048, 4),
    ]:
        (tmp_path / "cut.tar").write_bytes(whole[:end])
        recordings, rejects = read(tmp_path / "cut.tar")
        assert len(recordings) == expected, name
        assert [reject.reason for reject in rejects] == [TRUNCATED], name
        assert rejects[0].id == safe_key("cut.tar")


def test_an_empty_file_and_a_file_of_something_else_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "empty.tar").write_bytes(b"")
    (tmp_path / "else.tar").write_bytes(b"not a tar" * 500)
    _, rejects = read(tmp_path / "empty.tar", tmp_path / "else.tar")
    assert [reject.reason for reject in rejects] == [TRUNCATED, UNREADABLE]


def test_a_compressed_tar_is_wrong_usage(tmp_path: Path) -> None:
    for name in ("t.tar.gz", "t.tgz", "t.zip"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(UsageError, match="decompress it first"):
            read(tmp_path / name)


def test_a_shar_recording_beside_the_audio_does_no_harm(tmp_path: Path) -> None:
    recording = {"id": "a", "sources": [{"type": "shar", "channels": [0], "source": ""}],
                 "sampling_rate": 8000, "num_samples": 8000, "duration": 1.0}  # fmt: skip
    members = {"a.flac": AUDIO, "a.json": json.dumps(recording).encode()}
    recordings, rejects = read(write_tar(tmp_path / "recording.000000.tar", members))
    assert not rejects
    assert recordings[0].window.duration_seconds == 1.0
    assert recordings[0].window.custom == {}


def test_what_webdataset_writes_is_read(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    with webdataset.TarWriter(str(tmp_path / "t.tar")) as writer:
        writer.write({"__key__": "spk/a", "wav": AUDIO, "txt": "hi", "json": {"speaker": "s"}})
    recordings, rejects = read(tmp_path / "t.tar")
    assert not rejects
    assert (recordings[0].window.text, recordings[0].window.speaker) == ("hi", "s")


@settings(max_examples=150, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.integers(0, 5000), st.binary(min_size=1, max_size=40), st.integers(0, 9000))
def test_damage_anywhere_never_ends_the_reading(
    tmp_path: Path, place: int, noise: bytes, end: int
) -> None:
    members = {"a.wav": AUDIO, "a.txt": b"x", "b" * 120 + ".wav": AUDIO, "c.json": b"{}"}
    data = bytearray(Path(write_tar(tmp_path / "t.tar", members)).read_bytes())
    data[place : place + len(noise)] = noise
    (tmp_path / "t.tar").write_bytes(data[: max(end, 600)])
    recordings, rejects = read(tmp_path / "t.tar")
    assert len(recordings) + len(rejects) >= 1
