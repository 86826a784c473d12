"""A small wav2vec 2.0 with random weights that spells."""

import json
from pathlib import Path

import torch
import transformers

from tests.tokenizers.teachers import tiny

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'"]


def make(folder: Path) -> None:
    """Save the model, its tokenizer and what turns audio into features."""
    (folder / "vocab.json").write_text(json.dumps({c: n for n, c in enumerate(LETTERS)}))
    tokenizer = transformers.Wav2Vec2CTCTokenizer(
        str(folder / "vocab.json"), pad_token="<pad>", word_delimiter_token="|"
    )
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    transformers.Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder)
    config = transformers.Wav2Vec2Config(
        **tiny.SPEECH_ENCODER, vocab_size=len(LETTERS), pad_token_id=0
    )
    torch.manual_seed(3)
    transformers.Wav2Vec2ForCTC(config).eval().save_pretrained(folder)
