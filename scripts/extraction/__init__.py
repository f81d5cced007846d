"""Hidden states of a Hugging Face model, as activation files.

Data flow one way: rows (text files, datasets) -> survey (labels, groups) -> encoding (tokens) ->
model (states) -> activation_file (bytes); run puts them together.
"""
