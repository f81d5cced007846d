"""A Hugging Face model, and its hidden states for texts of different lengths.

Numbers of hidden states: 0 is the output of the embeddings, k that of block k; -1 is the last, which
most models give after their final normalisation.

Texts of a batch are padded on the right whatever the tokenizer's side: real tokens then have the
positions 0, 1, 2, … that they have alone, in models that count positions, and no causal model sees
what stands behind a token. Encoders get an attention mask. Where a trial shows that padding changes
the states all the same (a model without such a mask), only texts of one length share a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from . import compatibility
from .failure import DATA, IO, NO_INPUT, USAGE, Failure, first_sentence, is_download, is_full

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
# The relative difference that rounding makes between shapes of batches stays below; a padding token
# that is attended to makes more.
_LEAK = 0.05
# Tokenizers that know no longest text say a number far beyond this.
_NO_LIMIT = 10**7


@dataclass(frozen=True)
class ModelChoice:
    """Which model, and how it is run."""

    name: str
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    trusts_code: bool = False


class HiddenStateModel:
    """A model that gives the hidden states of some layers."""

    def __init__(self, choice: ModelChoice, layers: list[int]) -> None:
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        # The commit that the hub's name stands for now: tokenizer and model are of the same.
        self.commit = compatibility.commit(choice.name, choice.revision)
        options = {"revision": self.commit or choice.revision, "trust_remote_code": choice.trusts_code}
        dtype = {compatibility.DTYPE_OPTION: DTYPES.get(choice.dtype, "auto")}
        try:
            self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(choice.name, **options)
            model = AutoModel.from_pretrained(choice.name, **dtype, **options)
        except OSError as error:
            code = IO if is_full(error) or is_download(error) else NO_INPUT
            raise Failure(f"model {choice.name}: not loaded ({first_sentence(error)})", code) from error
        except (ValueError, KeyError, ImportError, SafetensorError) as error:
            raise Failure(f"model {choice.name}: {first_sentence(error)}", DATA) from error
        except Exception as error:
            if not is_download(error):
                raise
            raise Failure(f"model {choice.name}: not loaded ({first_sentence(error)})", IO) from error
        # Where there is none, transformers makes one that knows special tokens at most.
        if len(self.tokenizer) <= len(set(self.tokenizer.all_special_ids)):
            raise Failure(f"model {choice.name}: expected a tokenizer, found none")
        try:
            self.device = torch.device(choice.device if choice.device != "auto" else _best_device())
            model = model.to(self.device).eval()
        except (RuntimeError, AssertionError) as error:
            raise Failure(f"--device {choice.device}: {first_sentence(error)}", USAGE) from error
        model.config.use_cache = False
        self._model = model.get_encoder() if model.config.is_encoder_decoder else model
        self._takes_mask = compatibility.takes_mask(self._model)
        self.dtype: torch.dtype = model.dtype
        trial = self._hidden_states([np.zeros(1, np.int32)])
        if not trial:
            raise Failure(f"model {choice.name}: expected a model that gives hidden states, found none")
        self.layers = [_resolved(layer, len(trial)) for layer in layers]
        if len(set(self.layers)) < len(self.layers):
            raise Failure(
                f"--layers: expected different layers, found {', '.join(map(str, self.layers))}", USAGE
            )
        self.widths = [trial[layer].shape[-1] for layer in self.layers]
        self.batches_equal_lengths_only = self._leaks()

    def states(self, batch: list[np.ndarray], kept: list[np.ndarray]) -> list[torch.Tensor]:
        """For each layer the states of the kept tokens of all texts, one text after the other."""
        every = self._hidden_states(batch)
        longest = max(map(len, batch))
        mask = torch.zeros(len(batch), longest, dtype=torch.bool)
        for row, keep in zip(mask, kept):
            row[: len(keep)] = torch.from_numpy(keep)
        chosen = [every[layer] for layer in self.layers]
        for layer, states in zip(self.layers, chosen):
            if states.shape[:2] != mask.shape:
                raise Failure(
                    f"layer {layer}: expected one state a token, of shape {tuple(mask.shape)}, "
                    f"found {tuple(states.shape[:2])}"
                )
        mask = mask.to(self.device)
        return [states[mask] for states in chosen]

    def longest_text(self) -> int | None:
        """Tokens of the longest text that model and tokenizer take, where either knows."""
        positions = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        limits = [
            limit for limit in (positions, self.tokenizer.model_max_length) if limit and 0 < limit < _NO_LIMIT
        ]
        return min(limits, default=None)

    def _hidden_states(self, batch: list[np.ndarray]) -> tuple[torch.Tensor, ...]:
        longest = max(map(len, batch))
        # Any token will do as padding, but RoBERTa and its kin count positions of others than theirs.
        padding = self.tokenizer.pad_token_id or 0
        ids = torch.full((len(batch), longest), padding, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for number, tokens in enumerate(batch):
            ids[number, : len(tokens)] = torch.from_numpy(tokens)
            mask[number, : len(tokens)] = 1
        try:
            with torch.inference_mode():
                given = {"attention_mask": mask.to(self.device)} if self._takes_mask else {}
                output = self._model(input_ids=ids.to(self.device), output_hidden_states=True, **given)
        except (compatibility.OutOfMemoryError, MemoryError) as error:
            raise Failure(
                f"not enough memory for {len(batch)} texts of up to {longest} tokens: "
                "give a smaller --batch-tokens or --max-length"
            ) from error
        except IndexError as error:
            raise Failure(
                f"the model refused a text of {longest} tokens ({error}): give --max-length"
            ) from error
        return getattr(output, "hidden_states", None) or ()

    def _leaks(self) -> bool:
        """Whether a short text's states differ beside a long one from what they are alone."""
        size = self._model.config.get_text_config().vocab_size
        short, long = (
            np.arange(start, start + n, dtype=np.int32) * 7919 % size for start, n in ((1, 3), (4, 8))
        )
        alone, beside = self._hidden_states([short]), self._hidden_states([short, long])
        for one, other in zip(alone, beside):
            one, other = one[0].float(), other[0, : one.shape[1]].float()
            if one.shape != other.shape or torch.linalg.norm(one - other) > _LEAK * torch.linalg.norm(one):
                return True
        return False


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _resolved(layer: int, count: int) -> int:
    if not -count <= layer < count:
        raise Failure(
            f"--layers: expected numbers from 0 (embeddings) to {count - 1}, "
            f"or from -{count} to -1, found {layer}",
            USAGE,
        )
    return layer % count
