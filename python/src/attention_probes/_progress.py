"""How far a call has come: a bar, a callback, and the end that Ctrl-C or the callback asks for."""
from __future__ import annotations

import json
import re
import signal
import sys
import threading
import time
from ctypes import c_void_p
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Callable

from . import _structures as s
from ._native import error

# The library calls options as the command line does.
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*[a-z0-9])")


def option_words(said: str) -> str:
    """A sentence with options as Python calls them."""
    return _OPTION.sub(lambda found: found[1].replace("-", "_"), said)


@dataclass(frozen=True)
class Progress:
    """How far a call has come.

    Attributes
    ----------
    phase : str
        "training", "selection", …; "step" within an epoch that takes long, and "reading" before the first.
    done, total : int
        Epochs, trainings, … of it that are done, and how many there are.
    loss : float or None
        The training loss so far, where there is one.
    values : dict
        All that the library says.
    """

    phase: str
    done: int
    total: int
    loss: float | None = None
    values: dict[str, Any] = field(default_factory=dict, repr=False)


class Watch:
    """Watches one call: `function` is its ap_progress.

    Meanwhile, in the main thread, Ctrl-C sets `interrupted` and asks the call to stop. What the callback raises is
    raised at the end.
    """

    def __init__(self, verbose: Any, callback: Callable[[Progress], Any] | None) -> None:
        self.verbose, self.callback = bool(verbose), callback
        self.interrupted = False
        self.function = s.Progress(self._told)
        self._stop = False
        self._fault: BaseException | None = None
        self._last = 0.0
        self._drawn = 0
        self._handler: Any = None

    def __enter__(self) -> Watch:
        if (threading.current_thread() is threading.main_thread()
                and signal.getsignal(signal.SIGINT) is signal.default_int_handler):
            self._handler = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, kind: Any, fault: Any, trace: Any) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
        if self._drawn:
            sys.stderr.write("\n")
            sys.stderr.flush()
        if self._fault is not None:
            raise self._fault

    def run(self, call: Callable[[], int], *given: tuple[c_void_p, Callable[[c_void_p], int]]) -> None:
        """Calls something that returns a status, and raises what went wrong.

        `given`: what the call may set, and what frees that: a call may end well, and the callback have failed.
        """
        try:
            self._run(call)
        except BaseException:
            for value, free in given:
                if value.value is not None:
                    free(value)
            raise

    def _run(self, call: Callable[[], int]) -> None:
        fault: BaseException | None = None
        with self:
            status = call()
            if status:
                # In the same thread, before anything else fails.
                fault = error(status)
        if isinstance(fault, KeyboardInterrupt) and not self.interrupted:
            raise RuntimeError("the callback asked to stop before there was a result")
        if isinstance(fault, ValueError):
            raise ValueError(option_words(str(fault)))
        if fault is not None:
            raise fault

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True

    def _told(self, text: bytes | None, context: Any) -> int:
        try:
            if text is not None and (self.verbose or self.callback is not None):
                said = json.loads(text)
                report = Progress(
                    str(said.get("phase", "")), int(said.get("done", 0)), int(said.get("total", 0)),
                    said.get("loss"), said)
                if self.verbose:
                    self._draw(report)
                if self.callback is not None and self.callback(report):
                    self._stop = True
        except KeyboardInterrupt:
            self.interrupted = True
        except BaseException as fault:  # noqa: BLE001 - ctypes would only print it
            self._fault = self._fault or fault
        return int(self._stop or self.interrupted or self._fault is not None)

    def _draw(self, report: Progress) -> None:
        now = time.monotonic()
        if now - self._last < 0.1 and report.done < report.total:
            return
        self._last = now
        share = report.done / report.total if report.total else 0.0
        bar = "█" * round(24 * share) + "░" * (24 - round(24 * share))
        line = f"{report.phase} {bar} {report.done}/{report.total}"
        if report.loss is not None:
            line += f"  loss {report.loss:.4g}"
        sys.stderr.write("\r" + line.ljust(self._drawn))
        sys.stderr.flush()
        self._drawn = len(line)
