"""The parts of `reproduce_the_blog`: text, a model, and the target made from the text."""
