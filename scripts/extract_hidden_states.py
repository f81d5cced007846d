#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "torch>=2.2",
#     "transformers>=4.45",
#     "tqdm>=4.66.3",
#     "datasets>=3.0",
#     "numpy>=1.24",
# ]
# ///
"""`python -m attention_probes.extract` from a checkout, where the package need not be installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python" / "src"))

try:
    from attention_probes.extract.__main__ import main
except ImportError as error:
    print(f"Error: {error}: pip install -r scripts/requirements.txt", file=sys.stderr)
    sys.exit(os.EX_UNAVAILABLE)

if __name__ == "__main__":
    sys.exit(main("extract_hidden_states.py"))
