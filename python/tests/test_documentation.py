"""Examples in docstrings and in the README run."""
import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import attention_probes
from conftest import needs

# The library lies beside them; what needs torch or Ray is tested where these are.
OTHERS = {"torch_module", "libattention_probes", "ray"}
MODULES = [module.name for module in pkgutil.iter_modules(attention_probes.__path__) if module.name not in OTHERS]


@needs("ap_train")
@pytest.mark.parametrize("name", ["", *MODULES])
def test_examples_of_docstrings(name):
    module = importlib.import_module(f"attention_probes.{name}" if name else "attention_probes")
    failed, _ = doctest.testmod(module, verbose=False)
    assert failed == 0


@needs("ap_report")
def test_code_of_the_readme(tmp_path, monkeypatch):
    text = (Path(__file__).parents[1] / "README.md").read_text()
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(compile(block, "README.md", "exec"), names)
    assert (tmp_path / "report.html").exists() and len(names["found"]) == 80
    # The streaming example flags an attack, and nothing harmless.
    probe, X, y = names["probe"], names["X"], names["y"]
    assert probe.positive_ == y[1] == "attack" and names["stream"].flagged and len(names["stream"]) == len(X[1])
    harmless = probe.stream()
    harmless.append(X[0])
    assert y[0] == "harmless" and not harmless.flagged


def test_what_is_public_has_documentation():
    for name in attention_probes.__all__:
        thing = getattr(attention_probes, name)
        assert thing.__doc__, name
        if isinstance(thing, type):
            for member in vars(thing):
                if not member.startswith("_") and callable(getattr(thing, member)):
                    assert getattr(thing, member).__doc__, f"{name}.{member}"
