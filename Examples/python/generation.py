"""Watches a text while a model writes it: a probe reads the hidden state of every new token and stops the generation.

    pip install attention-probes torch transformers
    python Examples/python/generation.py

The model is a small one, made on the spot with random weights, and so is the probe; put your own in their places. Under vLLM or
SGLang the loop is the same with `Streams`: `step` with the ids of the requests and the hidden states (B, D) of the layer.
"""
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, StoppingCriteria

from attention_probes import AttentionProbe, Streams


class Monitor(StoppingCriteria):
    """Follows every text of a batch by the hidden states of one layer, and stops those that the probe flags."""

    def __init__(self, model, layer, probe):
        self.probe, self.streams, self.probabilities = probe, Streams(probe), []
        self.states = None
        # What a decoder layer gives: all tokens of the prompts at first, then one token of each text.
        self.hook = model.model.layers[layer].register_forward_hook(self.keep)

    def keep(self, module, inputs, output):
        self.states = (output[0] if isinstance(output, tuple) else output).detach()

    def __call__(self, input_ids, scores, **kwargs):
        states = self.states.cpu()
        ids = range(len(states))
        for id in ids:
            if id not in self.streams.ids:
                self.streams.open(id)
        for token in range(states.shape[1]):
            found = self.streams.step(ids, states[:, token])
        self.probabilities.append(found.probabilities[:, 0])
        return torch.tensor(found.probabilities[:, 0] >= self.probe.threshold_, device=input_ids.device)


def main():
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=100, hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=128, bos_token_id=1, eos_token_id=None, pad_token_id=0)).to(torch.bfloat16).eval()
    random = np.random.default_rng(0)
    probe = AttentionProbe.from_parameters("attention", {
        "q.weight": random.standard_normal((2, 32)), "v.weight": random.standard_normal((2, 32)),
        "position_weight": np.zeros(2)}, threshold=0.99)
    monitor = Monitor(model, layer=2, probe=probe)
    prompts = torch.randint(2, 100, (3, 8))
    model.generate(
        prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=20, do_sample=False, stopping_criteria=[monitor])
    for step, odds in enumerate(monitor.probabilities):
        print(step, *(f"{value:.3f}" for value in odds))
    return monitor


if __name__ == "__main__":
    main()
