"""Examples/python runs, and its streams say what the whole text scores."""
import importlib.util

import numpy as np
import pytest

from conftest import ROOT

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


def test_a_generation_is_watched(capsys):
    spec = importlib.util.spec_from_file_location("generation", ROOT / "Examples" / "python" / "generation.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept = []
    keep = module.Monitor.keep

    def record(self, *arguments):
        keep(self, *arguments)
        kept.append(self.states.clone())

    module.Monitor.keep = record
    monitor = module.main()
    whole = torch.cat(kept, dim=1)
    assert len(monitor.probabilities) == len(kept) > 1 and whole.shape[:2] == (3, 7 + len(kept))
    assert np.allclose(monitor.probabilities[-1], monitor.probe.predict_proba(whole)[:, 1], atol=1e-5)
    assert len(capsys.readouterr().out.splitlines()) == len(kept)
