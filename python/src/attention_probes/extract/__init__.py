"""Hidden states of a Hugging Face model, as activation files: `python -m attention_probes.extract --help`.

Data flow one way: rows (text files, datasets) -> survey (labels, groups) -> encoding (tokens) ->
model (states) -> activation_file (bytes); run puts them together, and compatibility has what differs
between versions of torch and transformers.
"""
