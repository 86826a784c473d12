"""Make examples/speech, the small real data set of the examples and tests.

    python benchmarks/corpora.py asterisk-en effects --out CORPORA
    python benchmarks/make_examples.py CORPORA [--out examples/speech]

It copies chosen prompts and sound effects, joins other prompts to two recordings with pauses, and
writes manifests, licences and ATTRIBUTION.md. The same corpora give the same files.
OUT's audio, long and effects are made anew: what was in them is removed.
"""

import argparse
import json
import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import corpora
import numpy as np
import soundfile

EXAMPLES = Path(__file__).parents[1] / "examples/speech"
SEED = 7

# Chosen by hand: whole phrases, whose transcripts a speech recogniser confirmed; some single words
# for the short end. No digits, symbols or typing errors in the text, no text twice.
UTTERANCES = """
    your calling hello digits/tomorrow goodbye auth-thankyou im-sorry digits/day-3 sorry minute
    please-try-again do-not-disturb confbridge-muted hello-world one-moment-please queue-thankyou
    number-not-answering conf-full confbridge-conf-end confbridge-locked all-circuits-busy-now
    dir-welcome vm-marked-urgent conf-extended info-about-last-call conf-leaderhasleft conf-kicked
    transfer pls-hold-while-try cannot-complete-as-dialed privacy-incorrect demo-echodone
    tt-monkeysintro something-terribly-wrong vm-nobodyavail tt-weasels vm-msgforwarded vm-sorry
    conf-onlyperson pm-invalid-option conf-roll-callcomplete followme/pls-hold-while-try
    vm-invalidpassword followme/sorry vm-mailboxfull priv-introsaved vm-rec-name privacy-unident
    followme/status confbridge-pin-bad ss-noservice vm-nobox queue-youarenext demo-thanks
    vm-invalid-password vm-newuser dir-instr vm-instructions tt-allbusy demo-nogo"""

# Other prompts than those above, dealt in turn to the recordings.
LONG_PROMPTS = """
    conf-placeintoconf conf-now-recording conf-nonextended confbridge-only-participant vm-dialout
    confbridge-pin queue-holdtime vm-reenterpassword vm-record-prepend invalid privacy-prompt
    priv-recordintro auth-incorrect vm-passchanged vm-tempremoved vm-rec-busy vm-rec-temp
    dir-nomore conf-getchannel check-number-dial-again feature-not-avail-line speed-dial-empty
    vm-whichbox confbridge-removed"""
BACKGROUNDS = (("silence", None), ("hiss", 25))  # kind and signal-to-noise ratio in dB

# Unclipped, of many kinds, and each named as CC0 by the package's notice; `notice_of` checks that.
EFFECTS = """
    ambi_choir ambi_soft_buzz ambi_swoosh bd_boom drum_cowbell drum_cymbal_open drum_tom_hi_soft
    elec_blip elec_ping elec_triangle elec_twang guit_harmonics misc_burp misc_crow perc_swash
    perc_till tabla_ke1 tabla_tun3 vinyl_backspin vinyl_scratch"""
HISS = "vinyl_hiss"

ATTRIBUTION = """# Attribution

## `audio/` and `long/`: telephone prompts in English

- Recorded by Allison Smith (http://www.theivrvoice.com) for Asterisk; financial contributions by
  Digium, Inc. (http://www.digium.com). Copyright 2003-2010, Allison Smith.
- Taken from the Debian packages {sounds}
  and {texts}.
- Licence: Creative Commons Attribution-ShareAlike 3.0 (CC-BY-SA-3.0), `LICENSE.txt`. The changed
  recordings here are under the same licence. The author endorses neither them nor this project.
- Changed in `audio/`: decoded from G.722 to 16 kHz mono FLAC; the transcripts, as published, were
  put into a manifest.
- Changed in `long/`: decoded likewise, joined with pauses of 0.4 to 5 s, the second over vinyl
  hiss 25 dB below the speech (`{hiss}`, CC0, see below).

## `effects/`: sound effects

- From freesound.org by way of Sonic Pi, whose authors trimmed some of them; taken from the Debian
  package {effects}, whose notice names each of these as CC0.
- Licence: Creative Commons Zero 1.0 (CC0), `effects/LICENSE.txt`.
- Changed: nothing; the labels come from the file names.

| file | author | source |
|-|-|-|
"""

Notice = dict[str, str]


class Prompt(NamedTuple):
    """A row of the prompt corpus and the file it names."""

    row: corpora.Row
    audio: Path


def read_prompts(corpus: Path) -> dict[str, Prompt]:
    """Read a corpus's manifest; the keys are the paths below audio/ without the suffix."""
    lines = (corpus / "manifest.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    paths = [Path(row["audio_filepath"]) for row in rows]
    return {
        path.relative_to("audio").with_suffix("").as_posix(): Prompt(row, corpus / path)
        for row, path in zip(rows, paths, strict=True)
    }


def make_utterances(prompts: dict[str, Prompt], out: Path) -> list[corpora.Row]:
    """Copy the chosen prompts with their rows."""
    chosen = [(name, prompts[name]) for name in UTTERANCES.split()]
    for name, prompt in chosen:
        corpora.copy(out, f"{name}.flac", prompt.audio)
    return [prompt.row for _, prompt in chosen]


def make_long(prompts: dict[str, Prompt], hiss: Path, out: Path) -> list[corpora.Row]:
    """Join prompts, with pauses, over each of the backgrounds."""
    noises = {"silence": np.zeros(1, np.int16), "hiss": corpora.decode(hiss)}
    chosen = [prompts[name] for name in LONG_PROMPTS.split()]
    dice = random.Random(SEED)
    rows = []
    for number, (kind, snr_db) in enumerate(BACKGROUNDS):
        mine = chosen[number :: len(BACKGROUNDS)]
        clips = [(corpora.decode(prompt.audio), prompt.row["text"]) for prompt in mine]
        track, segments = corpora.concatenate(clips, dice)
        audio = out / f"long-{number:02d}-{kind}.flac"
        soundfile.write(audio, corpora.add_background(track, noises[kind], snr_db), corpora.RATE)
        about = {name: mine[0].row[name] for name in ("lang", "speaker")}
        text = " ".join(text for _, text in clips)
        about |= {"background": kind, "snr_db": snr_db, "segments": segments}
        rows.append(corpora.row(out, audio, text=text, **about))
    return rows


def make_effects(corpus: Path, out: Path) -> list[corpora.Row]:
    """Copy the chosen sounds as they are."""
    rows = []
    for name in EFFECTS.split():
        audio = out / f"{name}.flac"
        shutil.copyfile(corpus / "audio/samples" / audio.name, audio)
        rows.append(corpora.row(out, audio, label=corpora.label(audio)))
    return rows


def notices(corpus: Path, package: str) -> tuple[str, list[str]]:
    """Find one package in a corpus's LICENSE.txt: its name with version, its paragraphs."""
    for notice in (corpus / "LICENSE.txt").read_text("utf-8").split("Package: ")[1:]:
        full_name, *paragraphs = notice.strip().split("\n\n")
        if full_name.startswith(f"{package}_"):
            return full_name, paragraphs
    raise corpora.CorpusError(f"{corpus / 'LICENSE.txt'} has no notice of {package}")


def fields(paragraph: str) -> Iterator[tuple[str, str]]:
    """Split a paragraph of a Debian notice into its one-line fields."""
    for line in paragraph.splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith(" "):
            yield name, value.strip()


def notice_of(name: str, paragraphs: Sequence[str]) -> str:
    """Find the notice of one sound effect; refuse a sound that is not CC0."""
    for paragraph in paragraphs:
        found = dict(fields(paragraph))
        if found.get("Files") == f"etc/samples/{name}.flac" and found.get("License") == "CC0":
            return paragraph
    raise corpora.CorpusError(f"the notice of the package does not say that {name} is CC0")


def write_licences(asterisk: Path, effects: Path, out: Path) -> None:
    """Write the parts of the packages' notices that are about these files, and who made them."""
    package, paragraphs = notices(asterisk, "asterisk-core-sounds-en-g722")
    wanted = ("Format:", "Files: *\n", "License: CC-BY-SA-3.0\n")
    chosen = [paragraph for paragraph in paragraphs if paragraph.startswith(wanted)]
    heading = f"From the notice of the Debian package {package}, what is about audio/ and long/:"
    (out / "LICENSE.txt").write_text("\n\n".join([heading, *chosen]) + "\n", "utf-8")

    synth, paragraphs = notices(effects, "sonic-pi-samples")
    names = [*EFFECTS.split(), HISS]
    about = [notice_of(name, paragraphs) for name in names]
    text = next(paragraph for paragraph in paragraphs if paragraph.startswith("License: CC0\n"))
    heading = f"From the notice of the Debian package {synth}, what is about these sounds:"
    (out / "effects/LICENSE.txt").write_text("\n\n".join([heading, *about, text]) + "\n", "utf-8")

    texts, _ = notices(asterisk, "asterisk-core-sounds-en")
    table = [dict(fields(paragraph)) for paragraph in about]
    lines = [
        f"| `{name}.flac` | {found['Copyright']} | {found['Source']} |\n"
        for name, found in zip(names, table, strict=True)
    ]
    top = ATTRIBUTION.format(sounds=package, texts=texts, effects=synth, hiss=HISS)
    (out / "ATTRIBUTION.md").write_text(top + "".join(lines), "utf-8")


def make(folder: Path, out: Path) -> None:
    """Make the whole example folder."""
    asterisk, effects = folder / "asterisk-en", folder / "effects"
    for part in ("audio", "long", "effects"):
        shutil.rmtree(out / part, ignore_errors=True)
        (out / part).mkdir(parents=True)
    prompts = read_prompts(asterisk)
    hiss = effects / f"audio/samples/{HISS}.flac"
    corpora.write_manifest(make_utterances(prompts, out), out)
    corpora.write_manifest(make_long(prompts, hiss, out / "long"), out / "long")
    corpora.write_manifest(make_effects(effects, out / "effects"), out / "effects")
    write_licences(asterisk, effects, out)


def main() -> int:
    """Read the command line and make the examples; return the exit status."""
    parser = argparse.ArgumentParser(description="Make examples/speech from built corpora.")
    parser.add_argument("corpora", type=Path, help="folder with asterisk-en and effects")
    parser.add_argument("--out", type=Path, default=EXAMPLES, help="folder to make anew")
    options = parser.parse_args()
    try:
        make(options.corpora, options.out)
    except (corpora.CorpusError, OSError) as error:
        print(f"make_examples.py: {error}", file=sys.stderr)
        return 1
    print(f"made {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
