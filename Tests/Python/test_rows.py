"""Text, labels and groups from files of several kinds, and what is refused."""

from __future__ import annotations

import gzip
import importlib.util
import unittest

from support import Activations, ExtractionTest, bert, gpt2, llama

import numpy as np
from attention_probes.extract.options import size


class RowsTest(ExtractionTest):
    def labels(self, *labels: object, options: tuple = ()) -> Activations:
        path = self.jsonl([{"text": "One", "label": label} for label in labels])
        self.extract(self.model(gpt2), "--text", path, "--layers", 1, *options)
        return Activations(self.out)

    def check(self, file: Activations, task: str, expected: np.ndarray, classes: str | None) -> None:
        np.testing.assert_array_equal(file.labels(), expected)
        self.assertEqual(file.labels().dtype, expected.dtype)
        self.assertEqual((file.metadata["task"], file.metadata.get("classes")), (task, classes))

    def test_labels(self) -> None:
        indices, bits = np.array([1, 0, 1]), np.array([[1, 0], [0, 0], [1, 1]], np.uint8)
        self.check(self.labels(1, 0, 1), "binary", indices, None)
        self.check(self.labels(True, False, True), "binary", indices, None)
        self.check(self.labels("no", "ham", "no"), "binary", indices, '["ham", "no"]')
        classes = ("--classes", "no,ham")
        self.check(self.labels("no", "ham", "no", options=classes), "binary", 1 - indices, '["no", "ham"]')
        self.check(self.labels(2, 0, 1), "multiclass", np.array([2, 0, 1]), None)
        self.check(self.labels(0.5, -1, 2), "regression", np.array([[0.5], [-1], [2]], np.float32), None)
        self.check(
            self.labels(5, 3, 1, options=("--regression",)), "regression", np.float32([[5], [3], [1]]), None
        )
        self.check(self.labels([1, 0], [0, 0], [1, 1]), "multilabel", bits, None)
        self.check(self.labels(["a"], [], ["b", "a"]), "multilabel", bits, '["a", "b"]')
        self.check(self.labels([1, 0.5]), "regression", np.float32([[1, 0.5]]), None)

    def test_no_labels(self) -> None:
        path = self.jsonl([{"text": "One", "label": "a"}, {"text": "of", "label": "b"}])
        self.extract(self.model(gpt2), "--text", path, "--layers", 1, "--label-column", "")
        self.assertNotIn("labels", Activations(self.out).tensors)

    def test_tables(self) -> None:
        table = 'name,body,spam,long,topic\nx,"One, ""two""\nlines",1,0,b\ny,of,0,0,a\n'
        model = self.model(gpt2)
        names = [
            "--text-column",
            "body",
            "--id-column",
            "name",
            "--group-column",
            "topic",
            "--label-column",
            "spam,long",
        ]
        tabs = table.replace(",", "\t").replace("One\t", "One,")
        for name, text in (("t.csv", "\ufeff" + table), ("t.tsv", tabs)):
            (self.folder / name).write_text(text, encoding="utf-8")
            self.extract(model, "--text", self.folder / name, "--layers", 1, *names)
            file = Activations(self.out)
            self.assertEqual(file.strings("sequence_ids"), ["x", "y"])
            self.assertEqual("".join(file.token_texts()[0]), 'One, "two"\nlines')
            self.assertEqual(file.tensors["groups"].tolist(), [0, 1])
            self.check(file, "multilabel", np.array([[1, 0], [0, 0]], np.uint8), '["spam", "long"]')

    def test_several_files_and_gzip(self) -> None:
        first = self.jsonl([{"text": "One"}])
        second = self.folder / "more.jsonl.gz"
        with gzip.open(second, "wt") as file:
            file.write('{"text": "of"}\n\n{"text": "A"}\n')
        self.extract(self.model(gpt2), "--text", first, second, "--layers", 1)
        self.assertEqual(Activations(self.out).strings("token_text"), ["One", "of", "A"])
        self.assertEqual(Activations(self.out).strings("sequence_ids"), ["0", "1", "2"])

    @unittest.skipUnless(importlib.util.find_spec("datasets"), "needs the package datasets")
    def test_data_set(self) -> None:
        import datasets

        features = datasets.Features(
            {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["n", "y"])}
        )
        rows = {"text": ["One", "of", "A"], "label": [1, 0, 1]}
        folder = self.folder / "set"
        datasets.disable_progress_bars()
        datasets.Dataset.from_dict(rows, features=features).to_parquet(folder / "train.parquet")
        for options in ((), ("--streaming",)):
            self.extract(self.model(gpt2), "--dataset", folder, "--layers", 1, "--limit", 2, *options)
            file = Activations(self.out)
            self.assertEqual(file.strings("token_text"), ["One", "of"])
            self.check(file, "binary", np.array([1, 0]), '["n", "y"]')
        self.out.unlink()
        self.refuse(
            66, "--dataset .*nowhere: ", self.model(gpt2), "--dataset", folder / "nowhere", "--layers", 1
        )
        self.refuse(
            66,
            "--dataset .*set: .*split",
            self.model(gpt2),
            "--dataset",
            folder,
            "--split",
            "dev",
            "--layers",
            1,
        )
        arguments = self.model(gpt2), "--layers", 1, "--dataset"
        self.refuse(66, "revision v1, found .* not on the hub", *arguments, folder, "--dataset-revision", "v1")
        datasets.Dataset.from_dict(rows).save_to_disk(self.folder / "saved")
        self.refuse(66, "save_to_disk", *arguments, self.folder / "saved")

    @unittest.skipUnless(importlib.util.find_spec("datasets"), "needs the package datasets")
    def test_data_set_with_lists_of_classes(self) -> None:
        import datasets

        of = datasets.List if hasattr(datasets, "List") else datasets.Sequence  # as it is called from 4.0 on, and before
        classes = of(datasets.ClassLabel(names=["joy", "anger", "fear"]))
        features = datasets.Features({"text": datasets.Value("string"), "label": classes})
        rows = {"text": ["One", "of"], "label": [[1], [0]]}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(self.folder / "set" / "train.parquet")
        self.extract(self.model(gpt2), "--dataset", self.folder / "set", "--layers", 1)
        bits = np.array([[0, 1, 0], [1, 0, 0]], np.uint8)
        self.check(Activations(self.out), "multilabel", bits, '["joy", "anger", "fear"]')

    @unittest.skipUnless(importlib.util.find_spec("datasets"), "needs the package datasets")
    def test_broken_data_sets(self) -> None:
        for name, text, sentence in (
            ("a/train.csv", "text\na\nb,c,d\n", "Expected 1 fields in line 3, saw 3"),
            ("b/train.jsonl", '{"text": "a"}\n{"text":\n', "JSON parse error"),
        ):
            path = self.folder / name
            path.parent.mkdir()
            path.write_text(text)
            for options in ((), ("--streaming",)):
                arguments = ["--dataset", path.parent, "--layers", 1, *options]
                self.refuse(65, f"--dataset .*{sentence}", self.model(gpt2), *arguments)

    def test_empty_texts(self) -> None:
        path = self.jsonl([{"text": "One"}, {"text": ""}, {"text": "of"}])
        options = [self.model(gpt2), "--text", path, "--layers", 1]
        self.refuse(
            65, r"texts.jsonl, line 2: expected a text with at least one token, found none in ''", *options
        )
        # Found before the first of the texts before it is computed, and not when its turn comes.
        self.out = self.out.with_suffix("")
        late = self.jsonl([*({"text": "One"} for _ in range(50)), {"text": " \n"}, {"text": ""}], "late.jsonl")
        sentence = "line 52: expected a text with"
        self.refuse(65, sentence, options[0], "--text", late, "--layers", 1, "--shard-size", "1KB")
        self.out = self.out.with_suffix(".safetensors")
        # Others without a letter have tokens, and are not counted twice.
        blank = self.jsonl([{"text": "One"}, {"text": " " * 40}], "blank.jsonl")
        errors = self.extract(options[0], "--text", blank, "--layers", 1, "--max-length", 3)
        self.assertIn("1 text cut to 3 tokens", errors)
        errors = self.extract(*options, "--skip-empty")
        self.assertIn("1 text without a token left out", errors)
        self.assertEqual(Activations(self.out).strings("sequence_ids"), ["0", "2"])

    def test_refused_text(self) -> None:
        def refuse(
            sentence: str, content: str | bytes, name: str = "t.jsonl", *options: object, code: int = 65
        ) -> None:
            path = self.folder / name
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            self.refuse(code, sentence, self.model(gpt2), "--text", path, "--layers", 1, *options)

        refuse("t.jsonl: expected at least one text, found none", "")
        refuse("line 2: expected a JSON object, found Expecting", '{"text": "a"}\n{"text":\n')
        refuse("line 1: expected a JSON object, found list", "[1]\n")
        refuse("line 1: expected a column text, found body", '{"body": "a"}\n')
        refuse("line 1: expected a string in column text, found int", '{"text": 5}\n')
        refuse("line 1: expected Unicode in column text, found half", '{"text": "\\ud800"}\n')
        refuse("line 1: expected a column l, found text", '{"text": "a"}\n', "t.jsonl", "--label-column", "l")
        refuse("line 2: expected a column label", '{"text": "a", "label": 1}\n{"text": "a"}\n')
        refuse("line 1: expected a value in column label, found none", '{"text": "a", "label": null}\n')
        refuse(
            "line 2: expected a label like the rows before",
            '{"text": "a", "label": 1}\n{"text": "a", "label": [1]}',
        )
        refuse("line 2: expected 1 labels", '{"text": "a", "label": [1]}\n{"text": "a", "label": [1, 0]}')
        words = '{"text": "a", "label": "x"}\n{"text": "a", "label": "y"}\n'
        refuse("expected one of x, z, found 'y'", words, "t.jsonl", "--classes", "x,z")
        refuse("expected numbers as labels, found 'x'", words, "t.jsonl", "--regression")
        refuse(
            "expected a class from 0 to 1, found 2",
            '{"text": "a", "label": 2}',
            "t.jsonl",
            "--classes",
            "x,z",
        )
        refuse("at least two different names, found x", '{"text": "a", "label": "x"}')
        refuse("line 1: expected a label of words or numbers", '{"text": "a", "label": {"b": 1}}')
        for number in ("NaN", "1e300", "9" * 400):
            refuse(
                "labels: expected numbers that F32 can hold",
                f'{{"text": "a", "label": {number}}}\n{{"text": "a", "label": 1.5}}',
            )
        refuse("labels: expected classes from 0 to 65535", '{"text": "a", "label": 70000}')
        refuse("line 2: expected an id of its own, found 'b' again", '{"id": "b", "text": "a"}\n' * 2)
        refuse("line 1: expected a JSON object", '{"text": "a", "b": ' + "[" * 100_000 + "]" * 100_000 + "}")
        refuse("line 1: expected one column text, found 2", "text,text\na,b\n", "t.csv")
        refuse("t.jsonl: expected UTF-8", b'{"text": "\xff"}\n')
        refuse("t.jsonl.gz: expected a whole gzip file", b"no gzip", "t.jsonl.gz")
        refuse("line 2: expected 2 fields", "text,label\na,1,2\n", "t.csv")
        refuse("line 2: expected 2 fields", "text,label\na\n", "t.csv")
        refuse("expected a name that ends in .jsonl", "a", "t.txt", code=64)
        refuse("expected a tokenizer with a chat template", '{"text": "a"}\n', "t.jsonl", "--chat")
        refuse(
            r"--layers: expected numbers from 0 \(embeddings\) to 3",
            '{"text": "a"}',
            "t.jsonl",
            "--layers",
            4,
            code=64,
        )

    def test_refused_usage(self) -> None:
        model, texts = self.model(gpt2), self.texts()
        self.refuse(66, "nowhere.jsonl: no such file", model, "--text", "nowhere.jsonl", "--layers", 1)
        self.refuse(
            66, "model .*no-model: not loaded", self.folder / "no-model", "--text", texts, "--layers", 1
        )
        self.refuse(66, "model no/such: not loaded", "no/such", "--text", texts, "--layers", 1)
        weights = self.model(llama) / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        self.refuse(65, "llama: .*header", self.folder / "llama", "--text", texts, "--layers", 1)
        self.refuse(
            64, "--max-length: expected at least 3", self.model(bert), "--text", texts, "--layers", 1,
            "--max-length", 2,
        )
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (self.model(bert) / name).unlink()
        # transformers before 5 looks for files of another kind first, which need a package of their own.
        sentence = "expected a tokenizer|requires the protobuf library"
        self.refuse(65, sentence, self.folder / "bert", "--text", texts, "--layers", 1)
        self.refuse(64, "expected a folder for several layers", model, "--text", texts, "--layers", "1,2")
        self.refuse(
            64, "expected a folder for several", model, "--text", texts, "--layers", 1, "--shard-size", "1GB"
        )
        self.refuse(64, "--device", model, "--text", texts, "--layers", 1, "--device", "abacus")
        code, errors = self.run_script(
            model, "--text", texts, "--layers", "1,-3", "--out", self.folder / "layers"
        )
        self.assertEqual(code, 64)
        self.assertIn("expected different layers, found 1, 1", errors)
        code, errors = self.run_script(
            model, "--text", texts, "--layers", 1, "--out", self.folder / "no" / "t.safetensors"
        )
        self.assertEqual(code, 74)
        self.assertIn("there is no folder", errors)
        for sentence, wrong in (
            ("expected different numbers such as 4,8,-1, found one", ["--layers", "one"]),
            ("expected different numbers such as 4,8,-1, found 1,1", ["--layers", "1,1"]),
            ("such as 500MB or 4GiB, found 0", ["--layers", 1, "--shard-size", "0"]),
            ("such as 500MB or 4GiB, found 1XB", ["--layers", 1, "--shard-size", "1XB"]),
            ("expected a number from 1 on, found 0", ["--layers", 1, "--max-length", 0]),
            ("--layers", []),
            ("--wrong", ["--layers", 1, "--wrong"]),
        ):
            code, errors = self.run_script(model, "--text", texts, "--out", self.out, *wrong)
            self.assertEqual(code, 64)
            self.assertRegex(errors, f"^Error: .*{sentence}.*\n")

    # As attnprobe has them.
    def test_sizes(self) -> None:
        for text, expected in (
            ("7", 7), ("2kB", 2000), ("3M", 3 << 20), ("1.5 GiB", 3 << 29), ("4TB", 4 * 10**12)
        ):
            self.assertEqual(size(text), expected, text)


if __name__ == "__main__":
    unittest.main()
