"""States are those of one text at a time, in every kind of model."""

from __future__ import annotations

import json
import unittest
from pathlib import Path

from support import TEXTS, Activations, ExtractionTest, bert, byt5, fnet, gpt2, llama, t5

import numpy as np
import torch
import transformers


def one_at_a_time(folder: Path, layer: int) -> list[torch.Tensor]:
    """The reference: no batch, no padding, and none of the script's code."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    with torch.inference_mode():
        return [
            model(tokenizer(text, return_tensors="pt").input_ids, output_hidden_states=True).hidden_states[
                layer
            ][0]
            for text in TEXTS
        ]


class StatesTest(ExtractionTest):
    def compare(self, build, layer: int, *options: object) -> str:
        model = self.model(build)
        errors = self.extract(model, "--text", self.texts(), "--layers", layer, "--dtype", "f32", *options)
        expected = one_at_a_time(model, layer)
        found = Activations(self.out).sequences()
        self.assertEqual([len(states) for states in found], [len(states) for states in expected])
        for number, (one, other) in enumerate(zip(found, expected)):
            self.assertLess((one - other).abs().max(), 1e-5 * other.abs().max(), f"text {number}")
        return errors

    def test_decoder_with_learned_positions(self) -> None:
        for layer in (0, 1, 2, 3):
            self.compare(gpt2, layer)

    def test_encoder(self) -> None:
        for layer in (0, 1, 3):
            self.compare(bert, layer)

    def test_decoder_whose_tokenizer_pads_on_the_left(self) -> None:
        for layer in (0, 2, 3):
            self.compare(llama, layer)

    def test_encoder_of_an_encoder_decoder(self) -> None:
        self.compare(t5, 2)
        self.compare(byt5, 1)

    def test_padding_that_no_mask_hides(self) -> None:
        errors = self.compare(fnet, 2)
        self.assertIn("only texts of one length share a batch", errors)

    def test_no_warning_where_a_mask_hides_padding(self) -> None:
        for build in (gpt2, bert, llama, t5):
            self.assertNotIn("share a batch", self.compare(build, 1))

    def test_a_batch_for_each_text(self) -> None:
        self.compare(bert, 2, "--batch-tokens", 1)

    def test_all_texts_in_one_batch(self) -> None:
        self.compare(bert, 2, "--batch-tokens", 100000)

    def test_sixteen_bits_are_rounded_once(self) -> None:
        model = self.model(gpt2)
        expected = torch.cat(one_at_a_time(model, 2))
        for name, dtype, bits in (("bf16", torch.bfloat16, 8), ("f16", torch.float16, 11)):
            self.extract(model, "--text", self.texts(), "--layers", 2, "--dtype", name)
            states = Activations(self.out).states
            self.assertEqual(states.dtype, dtype)
            # Half a unit in the last place, and the rounding of the batch before it.
            self.assertTrue(((states - expected).abs() <= expected.abs() * 2.0**-bits + 1e-6).all())

    def test_the_model_has_the_type_asked_for_or_that_it_was_saved_in(self) -> None:
        model = self.model(gpt2)
        ids = transformers.AutoTokenizer.from_pretrained(model)(TEXTS[0], return_tensors="pt").input_ids
        options = ["--text", self.texts(TEXTS[:1]), "--layers", 2, "--dtype", "f32"]
        for asked, saved, expected in (
            ("auto", torch.float32, torch.float32), ("bf16", torch.float32, torch.bfloat16),
            ("auto", torch.bfloat16, torch.bfloat16), ("f32", torch.bfloat16, torch.float32),
        ):
            with self.subTest(asked=asked, saved=saved), torch.inference_mode():
                transformers.AutoModel.from_pretrained(model).to(saved).save_pretrained(model)
                self.extract(model, *options, "--model-dtype", asked)
                file = Activations(self.out)
                self.assertEqual(
                    json.loads(file.metadata["extraction"])["model_dtype"],
                    str(expected).removeprefix("torch."),
                )
                loaded = transformers.AutoModel.from_pretrained(model).to(expected).eval()
                states = loaded(ids, output_hidden_states=True).hidden_states[2][0].float()
                torch.testing.assert_close(file.states, states, rtol=0.02, atol=0.002)

    def test_bfloat16_is_the_default(self) -> None:
        self.extract(self.model(gpt2), "--text", self.texts(), "--layers", -1)
        self.assertEqual(Activations(self.out).states.dtype, torch.bfloat16)
        self.assertEqual(Activations(self.out).metadata["layer"], "3")

    def test_several_layers_are_a_file_each(self) -> None:
        model = self.model(llama)
        out = self.folder / "layers"
        self.extract(model, "--text", self.texts(), "--layers", "0,2,-1", "--dtype", "f32", out=out)
        self.assertEqual(
            sorted(path.name for path in out.iterdir()), [f"layer-{layer}.safetensors" for layer in (0, 2, 3)]
        )
        for layer in (0, 2, 3):
            file = Activations(out / f"layer-{layer}.safetensors")
            self.assertEqual(file.metadata["layer"], str(layer))
            torch.testing.assert_close(
                file.states, torch.cat(one_at_a_time(model, layer)), rtol=1e-4, atol=1e-5
            )

    def test_projection_is_the_one_that_the_metadata_say(self) -> None:
        model = self.model(gpt2)
        options = ["--text", self.texts(), "--layers", 2, "--dtype", "f32", "--project", 7, "--seed", 5]
        self.extract(model, *options)
        file = Activations(self.out)
        said = json.loads(file.metadata["projection"])
        self.assertEqual((said["from"], said["to"], said["seed"]), (32, 7, 5))
        matrix = np.random.RandomState(5).standard_normal((32, 7)) / 7**0.5
        expected = torch.cat(one_at_a_time(model, 2)).double().numpy() @ matrix
        np.testing.assert_allclose(file.states.numpy(), expected, rtol=1e-3, atol=1e-5)

    def test_large_states_warn_about_half_precision(self) -> None:
        model = self.model(gpt2)
        loaded = transformers.AutoModel.from_pretrained(model)
        with torch.no_grad():
            loaded.wte.weight *= 1e7
        loaded.save_pretrained(model)
        options = [model, "--text", self.texts(), "--layers", 0, "--quiet"]
        self.assertRegex(
            self.extract(*options), r"Warning: layer 0 reaches .*f16 ends at 65504: do not convert"
        )
        self.assertTrue(Activations(self.out).states.isfinite().all())
        self.assertIn("written as infinity; use --dtype bf16", self.extract(*options, "--dtype", "f16"))
        self.assertFalse(Activations(self.out).states.isfinite().all())

    def test_a_state_that_is_no_number_names_the_text(self) -> None:
        model = self.model(gpt2)
        loaded = transformers.AutoModel.from_pretrained(model)
        tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        with torch.no_grad():
            loaded.wte.weight[tokenizer("One").input_ids[0]] = torch.nan
        loaded.save_pretrained(model)
        self.refuse(
            65, "texts.jsonl, line 2: layer 1 gives NaN", model, "--text", self.texts(), "--layers", 1
        )


if __name__ == "__main__":
    unittest.main()
