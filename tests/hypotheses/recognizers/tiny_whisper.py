"""A small Whisper with random weights that writes words, for transformers and CTranslate2."""

import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers

SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"]
WORDS = ["cat", "dog", "sat", "ran", "mat", "hat", "the", "a", "on", "in"]


def make(folder: Path) -> None:
    """Save the model, its tokenizer and what turns audio into features."""
    vocabulary = {word: number for number, word in enumerate((*SPECIAL, *WORDS))}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token=SPECIAL[0]))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.add_special_tokens(SPECIAL)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token=SPECIAL[0], bos_token=SPECIAL[1], unk_token=SPECIAL[0],
        pad_token=SPECIAL[0], additional_special_tokens=SPECIAL[1:],
    )  # fmt: skip
    config = transformers.WhisperConfig(
        d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, num_mel_bins=80,
        vocab_size=len(vocabulary), pad_token_id=0, bos_token_id=1, eos_token_id=0,
        decoder_start_token_id=1,
    )  # fmt: skip
    torch.manual_seed(6)
    model = transformers.WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():  # a word follows itself, or the text ends
        words = model.model.decoder.embed_tokens.weight.mul_(6)
        words[0] = 0.7 * words[len(SPECIAL) :].sum(0)
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=0, pad_token_id=0, bos_token_id=1, decoder_start_token_id=1, max_length=448,
        no_timestamps_token_id=2, is_multilingual=False, suppress_tokens=[1, 2],
        begin_suppress_tokens=[],
    )  # fmt: skip
    model.save_pretrained(folder)
    extractor: Any = transformers.WhisperFeatureExtractor(feature_size=80)
    transformers.WhisperProcessor(extractor, tokenizer).save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))


def convert(folder: Path, to: Path) -> None:
    """Save it as CTranslate2 reads it."""
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(folder), copy_files=["tokenizer.json"]).convert(str(to))
    assert json.loads((to / "config.json").read_text()) is not None
