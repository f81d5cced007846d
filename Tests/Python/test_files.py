"""What a file holds beside the states, and shards."""

from __future__ import annotations

import unittest

from support import TEXTS, Activations, ExtractionTest, bert, byt5, gpt2, llama

import numpy as np
import transformers


class ContentTest(ExtractionTest):
    def test_rows_keep_their_order(self) -> None:
        records = [
            {"id": f"text-{number}", "text": text, "label": number % 2, "group": number // 2}
            for number, text in enumerate(TEXTS)
        ]
        self.extract(self.model(gpt2), "--text", self.jsonl(records), "--layers", 1, "--batch-tokens", 16)
        file = Activations(self.out)
        tokenizer = transformers.AutoTokenizer.from_pretrained(self.model(gpt2))
        self.assertEqual(file.strings("sequence_ids"), [record["id"] for record in records])
        self.assertEqual(file.labels().tolist(), [record["label"] for record in records])
        self.assertEqual(file.tensors["groups"].tolist(), [record["group"] for record in records])
        self.assertEqual(
            file.tensors["token_ids"].tolist(), sum((tokenizer(text).input_ids for text in TEXTS), [])
        )
        self.assertEqual(file.offsets[-1], len(file.states))
        self.assertEqual(file.metadata["format"], "attention-probes/activations")
        self.assertEqual((file.metadata["version"], file.metadata["layer"]), ("1", "1"))

    def test_token_texts_joined_are_the_text(self) -> None:
        self.extract(self.model(gpt2), "--text", self.texts(), "--layers", 1)
        file = Activations(self.out)
        self.assertEqual(["".join(tokens) for tokens in file.token_texts()], TEXTS)
        self.assertEqual(file.token_texts()[7], ["A"])

    def test_token_texts_of_a_tokenizer_without_offsets(self) -> None:
        self.extract(self.model(byt5), "--text", self.texts(), "--layers", 1)
        self.assertEqual("".join(Activations(self.out).token_texts()[1]), "One</s>")

    def test_special_tokens_are_called_by_their_names(self) -> None:
        self.extract(self.model(bert), "--text", self.texts(), "--layers", 1)
        for tokens, text in zip(Activations(self.out).token_texts(), TEXTS):
            self.assertEqual((tokens[0], tokens[-1]), ("[CLS]", "[SEP]"))
            self.assertEqual("".join(tokens[1:-1]), text.rstrip())

    def test_special_tokens_kept_dropped_or_never_added(self) -> None:
        for build, sides in ((bert, (1, 1)), (llama, (1, 0))):
            files = {}
            for choice in ("keep", "drop", "none"):
                options = ["--layers", 2, "--dtype", "f32", "--special-tokens", choice]
                self.extract(self.model(build), "--text", self.texts(), *options)
                files[choice] = Activations(self.out)
            for keep, drop, none in zip(*(file.sequences() for file in files.values())):
                self.assertEqual(len(drop), len(none))
                # Dropped: the same states without the first and last. Never added: others.
                np.testing.assert_array_equal(drop, keep[sides[0] : len(keep) - sides[1]])
                self.assertGreater(abs(drop - none).max(), 1e-3)
            self.assertNotIn("[CLS]", files["drop"].strings("token_text"))
        # An unknown word is no special token.
        self.extract(
            self.model(bert), "--text", self.texts(["☃ of"]), "--layers", 1, "--special-tokens", "drop"
        )
        self.assertEqual(Activations(self.out).strings("token_text"), ["☃", " of"])

    def test_long_texts_are_cut_and_counted(self) -> None:
        errors = self.extract(self.model(bert), "--text", self.texts(["of " * 100, "of the"]), "--layers", 1)
        self.assertIn("1 text cut to 64 tokens", errors)
        self.assertEqual(Activations(self.out).offsets, [0, 64, 68])

    def test_chat_template(self) -> None:
        model = self.model(llama)
        tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        tokenizer.chat_template = (
            "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
            "{% if add_generation_prompt %}<assistant>{% endif %}"
        )
        tokenizer.save_pretrained(model)
        messages = [{"role": "user", "content": "A probe"}, {"role": "assistant", "content": "reads"}]
        path = self.jsonl([{"messages": messages, "text": "not this"}])
        self.extract(model, "--text", path, "--layers", 1, "--chat")
        said = "<s><user>A probe\n<assistant>reads\n"
        self.assertEqual("".join(Activations(self.out).strings("token_text")), said)
        path = self.jsonl([{"text": "One"}])
        self.extract(model, "--text", path, "--layers", 1, "--chat", "--generation-prompt")
        self.assertEqual("".join(Activations(self.out).strings("token_text")), "<s><user>One\n<assistant>")

    def chat(self, template: str, messages: list[list[dict[str, str]]], *options: object, build=llama) -> list[str]:
        """For each conversation the text that a probe may look at."""
        model = self.model(build)
        tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        tokenizer.chat_template = template
        tokenizer.save_pretrained(model)
        path = self.jsonl([{"messages": turns} for turns in messages])
        self.extract(model, "--text", path, "--layers", 1, "--chat", *options)
        file = Activations(self.out)
        if "token_mask" not in file.tensors:
            return ["all"] * len(file.token_texts())
        mask = file.tensors["token_mask"]
        return [
            "".join(text for text, seen in zip(texts, mask[start:]) if seen)
            for texts, start in zip(file.token_texts(), file.offsets)
        ]

    def test_probes_look_at_replies(self) -> None:
        turns = [
            {"role": role, "content": content}
            for role, content in zip(("user", "assistant") * 2, ("A probe", "reads", "the states", "of a head"))
        ]
        plain = (
            "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
            "{% if add_generation_prompt %}[assistant]{% endif %}"
        )
        marked = (
            "{% for m in messages %}[{{ m.role }}]{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
            "{% endgeneration %}{% else %}{{ m.content }}{% endif %}{{ '\n' }}{% endfor %}"
        )
        talks = [turns[:2], turns[:3], turns, turns[:1]]
        whole = "[user]A probe\n"
        found = self.chat(plain, talks)
        self.assertEqual(found, ["reads\n", "reads\n", "of a head\n", "<s>" + whole])
        self.assertEqual(self.chat(marked, talks), ["reads", "reads", "readsof a head", whole])
        self.assertEqual(self.chat(plain, talks, "--whole-chat"), ["all"] * 4)
        self.assertEqual(self.chat(plain, talks, "--generation-prompt"), ["all"] * 4)
        self.assertEqual(self.chat(plain, [turns[:1]]), ["all"])
        # Special tokens that are dropped take their places in the mask with them.
        self.assertEqual(self.chat(plain, talks[:1], "--special-tokens", "drop"), ["reads\n"])
        # A tokenizer that does not say which characters are whose.
        self.assertEqual(self.chat(plain.replace("{{ bos_token }}", ""), talks[:1], build=byt5), ["reads\n"])
        for template in (plain, marked):
            with self.assertRaisesRegex(AssertionError, "expected a reply with at least one token, found none"):
                self.chat(template, talks[:1], "--max-length", 4)
            self.assertEqual(len(self.chat(template, [turns[:1], turns[:2]], "--max-length", 4, "--skip-empty")), 1)
        last = "{% for m in messages %}{% if loop.last %}!{% endif %}{{ m.content }}{% endfor %}"
        with self.assertRaisesRegex(AssertionError, "as it does without it, found another text .--whole-chat"):
            self.chat(last, talks[:1])

    def test_shards_have_the_size_asked_for(self) -> None:
        model, texts = self.model(gpt2), self.texts(TEXTS * 4)
        self.extract(model, "--text", texts, "--layers", 2, "--batch-tokens", 1)
        whole = Activations(self.out)
        out = self.folder / "shards"
        self.extract(
            model, "--text", texts, "--layers", 2, "--batch-tokens", 1, "--shard-size", "4KB", out=out
        )
        shards = [Activations(path) for path in sorted(out.iterdir())]
        self.assertGreater(len(shards), 3)
        self.assertTrue(all(shard.states.nbytes <= 4000 for shard in shards))
        self.assertEqual(
            sum((shard.strings("sequence_ids") for shard in shards), []), [str(n) for n in range(32)]
        )
        found = b"".join(
            shard.states.view(dtype=whole.states.dtype).float().numpy().tobytes() for shard in shards
        )
        self.assertEqual(found, whole.states.float().numpy().tobytes())


if __name__ == "__main__":
    unittest.main()
