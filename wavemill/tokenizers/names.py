"""Names of token streams: they go into file names and become fields of lhotse's cuts."""

import keyword
import re
from collections.abc import Sequence

from wavemill.errors import UsageError

LONGEST = 64

_LHOTSE = """
    append attach_image attach_tensor channel clip_amplitude compress compute_and_store_features
    compute_features copy custom cut_into_windows cut_into_windows_balanced dereverb_wpe
    drop_alignments drop_custom drop_features drop_in_memory_data drop_recording
    drop_supervisions duration end extend_by feat_value features features_type fill_supervision
    filter_supervisions first_non_padding_cut first_non_padding_track frame_shift from_dict
    from_mono has has_custom has_features has_overlapping_supervisions has_recording has_video
    id index_supervisions is_in_memory iter_data map_supervisions merge_supervisions mix
    move_to_memory narrowband normalize_loudness num_channels num_features num_frames
    num_samples pad perturb_speed perturb_tempo perturb_volume phone play_audio plot_alignment
    plot_audio plot_features plot_tracks_audio plot_tracks_features recording recording_id
    resample reverb_rir sampling_rate save_audio speakers_audio_mask speakers_feature_mask split
    start supervisions supervisions_audio_mask supervisions_feature_mask to_dict to_mono tracks
    transforms trim_to_alignments trim_to_supervision_groups trim_to_supervisions
    trimmed_supervisions truncate unmix video with_channels with_custom
    with_features_path_prefix with_id with_recording_path_prefix
"""
"""What lhotse's cuts have already (1.33): a field of such a name would hide it, or be hidden."""

TAKEN_NAMES = {*_LHOTSE.split(), "audio", "cuts", "sharded_manifests", "origin", "type"}
"""Names that lhotse's cuts or the shard layout use for something else."""


def check_name(name: str, spec: str) -> None:
    """Check a stream's name.

    Raises:
        UsageError: it is no name, or is taken.

    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or len(name) > LONGEST:
        raise UsageError(
            f"--tokenizer {spec}: the name {name!r} must be of a-z, A-Z, 0-9 and _, begin with a"
            f" letter, and have {LONGEST} characters at most"
        )
    # lhotse reads `load_x` as the loader of `x`; readers find the audio's tars by `audio_*`.
    if name in TAKEN_NAMES or keyword.iskeyword(name) or name.startswith(("load_", "audio_")):
        raise UsageError(
            f"--tokenizer {spec}: the name {name!r} is taken by Python, by lhotse's cuts or by the"
            " layout of the shards; give another name=..."
        )


def check_names(names: Sequence[str]) -> None:
    """Check the names of streams that lie side by side.

    Raises:
        UsageError: two are equal, or one's files would be found under another's name too.

    """
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two tokenizers are named {name!r}: give one name=..., as in"
                f" --tokenizer {name}:name={name}2"
            )
        for other in names:
            if other.startswith(f"{name}_"):
                raise UsageError(
                    f"--tokenizer name={other}: readers that look for {name}_*.tar would find its"
                    f" files too; give a name that does not begin with {name}_"
                )
