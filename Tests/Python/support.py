"""Small models with random weights, tokenizers trained on the spot, and extraction run in this process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
import warnings
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

# Before transformers is imported, so test files import this one first.
os.environ["HF_HUB_OFFLINE"] = "1"
SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
BUILT = [SCRIPTS.parent / ".build" / build / "attnprobe" for build in ("release", "debug")]
# The newest attnprobe that was built; None without.
TOOL = max(filter(Path.exists, BUILT), key=lambda path: path.stat().st_mtime, default=None)
# The package as it is installed, or that of this checkout, also in the processes that tests start.
if find_spec("attention_probes") is None:
    SOURCES = str(SCRIPTS.parent / "python" / "src")
    sys.path.insert(0, SOURCES)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [SOURCES, os.environ.get("PYTHONPATH")]))

import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors import safe_open  # noqa: E402
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

from attention_probes.extract.__main__ import main  # noqa: E402

transformers.utils.logging.set_verbosity_error()
torch.set_num_threads(1)  # models as small as these are slower on more

# Lengths from one token to many, white space, characters of several bytes.
TEXTS = [
    "A probe reads hidden states.",
    "One",
    "The attention of a head is a softmax over the tokens of one sequence, and nothing else.",
    "  two  spaces\nand a line ",
    "naïve 😀 façade 日本",
    "Padding must not leak into what a model computes for another text in the same batch.",
    "of the of the of",
    "A",
]
WIDTH = 32


def byte_level(folder: Path, **special: str) -> None:
    """A byte-level BPE as GPT-2 and Llama have it; with a bos_token, texts begin with it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|end|>", "<s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    start = [("<s>", tokenizer.token_to_id("<s>"))]
    if "bos_token" in special:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=start)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", **special)
    fast.save_pretrained(folder)


def word_piece(folder: Path) -> None:
    """A WordPiece with [CLS] and [SEP], as BERT has it."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(TEXTS[:3], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)


def gpt2(folder: Path) -> None:
    """A decoder that learns a vector a position, with a tokenizer that knows no padding token."""
    byte_level(folder)
    _save(transformers.GPT2Config(vocab_size=400, n_positions=64, n_embd=WIDTH, n_layer=3, n_head=4), folder)


def bert(folder: Path) -> None:
    """An encoder: without a mask every token would see the padding."""
    word_piece(folder)
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
    _save(transformers.BertConfig(vocab_size=300, max_position_embeddings=64, **sizes), folder)


def llama(folder: Path) -> None:
    """A decoder with rotary positions, whose tokenizer pads on the left and begins every text with <s>."""
    byte_level(folder, bos_token="<s>", pad_token="<|end|>", padding_side="left")
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
    _save(transformers.LlamaConfig(vocab_size=400, max_position_embeddings=64, **sizes), folder)


def t5(folder: Path) -> None:
    """An encoder-decoder, of which the encoder is taken."""
    word_piece(folder)
    sizes = {"d_model": WIDTH, "d_kv": 8, "d_ff": 64, "num_layers": 3, "num_heads": 4}
    _save(transformers.T5Config(vocab_size=300, decoder_start_token_id=0, **sizes), folder)


def byt5(folder: Path) -> None:
    """The same with a tokenizer in plain Python, which gives no offsets."""
    transformers.ByT5Tokenizer().save_pretrained(folder)
    sizes = {"d_model": WIDTH, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    _save(transformers.T5Config(vocab_size=384, decoder_start_token_id=0, **sizes), folder)


def fnet(folder: Path) -> None:
    """An encoder that mixes all tokens, padding too, and knows no mask."""
    word_piece(folder)
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 2, "intermediate_size": 64}
    _save(transformers.FNetConfig(vocab_size=300, max_position_embeddings=64, **sizes), folder)


def _save(config: transformers.PretrainedConfig, folder: Path, dtype: torch.dtype = torch.float32) -> None:
    torch.manual_seed(0)
    transformers.AutoModel.from_config(config).to(dtype).save_pretrained(folder)


class ExtractionTest(unittest.TestCase):
    """A temporary folder, models in it, and extraction."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.out = self.folder / "out.safetensors"

    def model(self, build) -> Path:
        folder = self.folder / build.__name__
        if not folder.exists():
            with contextlib.redirect_stderr(io.StringIO()):
                build(folder)
        return folder

    def jsonl(self, records: list, name: str = "texts.jsonl") -> Path:
        path = self.folder / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        return path

    def texts(self, texts: list[str] = TEXTS) -> Path:
        return self.jsonl([{"text": text} for text in texts])

    def run_script(self, *arguments: object) -> tuple[int, str]:
        """Exit code and standard error."""
        errors = io.StringIO()
        argv = ["extract", *map(str, arguments)]
        quiet = warnings.catch_warnings()
        with quiet, mock.patch.object(sys, "argv", argv), contextlib.redirect_stderr(errors):
            # Which Python does not show either, unless unittest asks for it.
            warnings.simplefilter("ignore", ResourceWarning)
            try:
                code = main()
            except SystemExit as exit:
                code = exit.code
        return code, errors.getvalue()

    def extract(self, *arguments: object, out: Path | None = None) -> str:
        """Standard error of a run that must end well."""
        code, errors = self.run_script(*arguments, "--out", out or self.out)
        self.assertEqual(code, 0, errors)
        return errors

    def refuse(self, expected: int, sentence: str, *arguments: object) -> None:
        """A run that must end with a code and one sentence, and leave nothing."""
        code, errors = self.run_script(*arguments, "--quiet", "--out", self.out)
        self.assertEqual(code, expected, errors)
        self.assertRegex(errors, sentence)
        self.assertEqual(len(errors.strip().splitlines()), 1, errors)
        self.assertEqual(list(self.folder.glob("out*")), [])


class Activations:
    """A file, read with the safetensors library."""

    def __init__(self, path: Path) -> None:
        with safe_open(path, "pt") as file:
            self.metadata = file.metadata()
            self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        self.states = self.tensors["hidden_states"]
        self.offsets = self.tensors["offsets"].tolist()

    def sequences(self) -> list[torch.Tensor]:
        return [self.states[a:b] for a, b in zip(self.offsets, self.offsets[1:])]

    def strings(self, name: str) -> list[str]:
        text, offsets = self.tensors[name].numpy().tobytes(), self.tensors[f"{name}_offsets"].tolist()
        return [text[a:b].decode() for a, b in zip(offsets, offsets[1:])]

    def token_texts(self) -> list[list[str]]:
        tokens = self.strings("token_text")
        return [tokens[a:b] for a, b in zip(self.offsets, self.offsets[1:])]

    def labels(self) -> np.ndarray:
        return self.tensors["labels"].numpy()
