"""Hidden states of any Hugging Face model, for text, as activation files.

  python -m attention_probes.extract MODEL --text train.jsonl --layers 6 \\
    --out train.safetensors
  python -m attention_probes.extract MODEL --dataset stanfordnlp/imdb \\
    --split test --layers 4,8,-1 --out imdb

Texts are JSON lines or CSV with a column `text` and, where there are any,
`label`, `group` and `id`. It needs torch from 2.2 and transformers from 4.45:
`pip install 'attention-probes[extract]'`. In a checkout
scripts/extract_hidden_states.py is the same and needs no installed package:
`uv run scripts/extract_hidden_states.py`, or after
`pip install -r scripts/requirements.txt`.

Layers: 0 is the output of the embeddings, k that of block k, -1 the last, which
most models give after their final normalisation. Several layers are one file
each.

OUT that ends in .safetensors is one file. Any other is a folder:
layer-K.safetensors for each layer; with --shard-size 00000.safetensors and so
on, for several layers in folders layer-K.

A run that is killed or interrupted leaves OUT.partial, and the same command
with --resume goes on and writes the same bytes. Memory: the model, one batch of
states, and some 50 bytes a token of a shard.

The commits of model and data set on the hub are recorded in the file;
--revision and --dataset-revision choose others than the newest. Without a
network, HF_HUB_OFFLINE=1 takes both from the cache at once.

Exit codes: 64 usage, 65 bad data, 66 no such file, data set or model, 69 a
package is missing, 70 a fault of ours, 74 input or output failed, 130
interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from pathlib import Path

from .._outputs import input_at
from .failure import IO, NO_INPUT, UNAVAILABLE, USAGE, Failure, first_sentence, is_full
from .options import parser
from .rows import Columns, HubDataset, Rows, Source, TextFiles
from .waiting import waiting

INTERRUPTED = 130


def check(options: argparse.Namespace) -> None:
    """What needs no model."""
    if options.out.suffix == ".safetensors":
        if len(options.layers) > 1 or options.shard_size:
            raise Failure(
                f"--out {options.out}: expected a folder for several layers or shards, found a file's name",
                USAGE,
            )
        if not options.out.parent.is_dir():
            raise Failure(f"--out {options.out}: there is no folder {options.out.parent}", IO)
        read = [*map(str, Path(options.model).glob("*model*.safetensors")), *(options.text or [])]
        if input_at(options.out, read) is not None:
            raise Failure(f"--out: expected another file than the input, found {options.out}", USAGE)
    elif options.out.exists() and not options.out.is_dir():
        raise Failure(
            f"--out {options.out}: expected a folder or a name that ends in .safetensors, found a file", USAGE
        )
    elif options.shard_size and not options.resume and any(options.out.glob("**/*.safetensors")):
        raise Failure(
            f"--out {options.out}: expected a folder without .safetensors files, or --resume", USAGE
        )
    if options.generation_prompt and not options.chat:
        raise Failure("--generation-prompt: expected --chat with it", USAGE)
    if options.whole_chat and not options.chat:
        raise Failure("--whole-chat: expected --chat with it", USAGE)


def text_source(options: argparse.Namespace) -> Source:
    if options.text:
        return TextFiles(options.text)
    with waiting(options.dataset, options.quiet):
        return HubDataset(
            options.dataset,
            options.dataset_config,
            options.split,
            options.streaming,
            options.dataset_revision,
        )


def extract(options: argparse.Namespace) -> None:
    check(options)
    source = text_source(options)
    columns = Columns(options.text_column, options.label_column, options.group_column, options.id_column)
    rows = Rows(source, columns, options.chat, options.limit)
    try:
        from .compatibility import require_versions
        from .encoding import Encoder
        from .model import HiddenStateModel, ModelChoice
        from .progress import Progress
        from .projection import Projection
        from .run import Extraction, Settings, metadata
        from .survey import Survey
    except ImportError as error:
        raise Failure(f"{error}: pip install 'attention-probes[extract]'", UNAVAILABLE) from error

    require_versions()
    classes = options.classes.split(",") if options.classes else source.class_names(rows.label_columns[0])
    survey = Survey.of(rows, classes, options.regression)
    if not survey.rows:
        raise Failure(f"{options.dataset or ', '.join(options.text)}: expected at least one text, found none")
    if survey.labels and survey.labels.task == "multilabel" and len(rows.label_columns) > 1:
        survey.labels.classes = survey.labels.classes or rows.label_columns
    choice = ModelChoice(
        options.model, options.revision, options.model_dtype, options.device, options.trust_remote_code
    )
    with waiting(options.model, options.quiet):
        model = HiddenStateModel(choice, options.layers)
    encoder = Encoder(
        model.tokenizer,
        options.special_tokens,
        options.max_length or model.longest_text(),
        options.chat,
        options.generation_prompt,
        # What such a conversation ends with is no reply, and what it is about.
        options.whole_chat or options.generation_prompt,
    )
    settings = Settings(
        options.out,
        options.dtype,
        options.batch_tokens,
        options.shard_size,
        options.resume,
        options.save_every,
        options.skip_empty,
        Projection(options.project, options.seed) if options.project else None,
    )
    progress = Progress(not options.quiet)
    if model.batches_equal_lengths_only:
        progress.warn("padding changes this model's states: only texts of one length share a batch")
    extraction = Extraction(
        model,
        encoder,
        rows,
        survey,
        settings,
        metadata(
            options.model_name or options.model,
            survey,
            settings,
            options.special_tokens,
            model,
            source,
        ),
        progress,
    )
    try:
        paths = extraction.run()
    finally:
        progress.close()
    if not options.quiet:
        print(*extraction.notes, sep="\n", file=sys.stderr)
        print("wrote", *paths[:4], *(["…", paths[-1]] if len(paths) > 4 else []), file=sys.stderr)


def main(program: str = "python -m attention_probes.extract") -> int:
    """Runs the arguments of the process, for which `program` is the name; the result is its exit code."""
    options = parser(program, __doc__ or "").parse_args()
    try:
        extract(options)
        return os.EX_OK
    except Failure as failure:
        print(f"Error: {failure}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        print(
            "Interrupted: what is complete stays, and the same command with --resume goes on.",
            file=sys.stderr,
        )
        return INTERRUPTED
    except OSError as error:
        sentence = f"{error.filename or 'input or output'}: {error.strerror or first_sentence(error)}"
        if is_full(error):
            sentence += "; what is complete stays, and the same command with --resume goes on"
        print(f"Error: {sentence}", file=sys.stderr)
        return NO_INPUT if isinstance(error, FileNotFoundError) else IO
    except Exception as error:
        traceback.print_exc()
        print(f"Error: a fault of this program or a package: {first_sentence(error)}", file=sys.stderr)
        return os.EX_SOFTWARE


if __name__ == "__main__":
    sys.exit(main())
