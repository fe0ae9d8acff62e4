# SPDX-License-Identifier: MIT
"""When a service answers 429."""

from __future__ import annotations

import threading
import time
from collections import deque


class Throttle:
    """Counts requests against a limit; rejected ones do not count, as in the service."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count: int | None = None
        self._window = 0.0
        self._retry_after: float | None = None
        self._served: deque[float] = deque()
        self._blocked_until = 0.0

    def limit(self, count: int, seconds: float, retry_after: float | None) -> None:
        with self._lock:
            self._count, self._window, self._retry_after = count, seconds, retry_after
            self._served.clear()

    def block(self, seconds: float, retry_after: float | None) -> None:
        with self._lock:
            self._blocked_until = time.monotonic() + seconds
            self._retry_after = retry_after

    def take(self) -> float | None:
        """None: go on. Else what Retry-After says, 0 for no such field."""
        now = time.monotonic()
        with self._lock:
            if now < self._blocked_until:
                return self._retry_after or 0
            if self._count is None:
                return None
            while self._served and self._served[0] <= now - self._window:
                self._served.popleft()
            if len(self._served) >= self._count:
                return self._retry_after or 0
            self._served.append(now)
        return None


class Budget:
    """So many request units in a second; a request that would begin above it is refused."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rate: float | None = None
        self._level = 0.0
        self._then = time.monotonic()

    def limit(self, rate: float | None) -> None:
        """None: no limit."""
        with self._lock:
            self._rate, self._level, self._then = rate, 0.0, time.monotonic()

    def wait(self) -> float:
        """0: go on. Else the seconds until there is room again."""
        with self._lock:
            if self._rate is None:
                return 0.0
            self._drain(self._rate)
            return max(self._level - self._rate, 0.0) / self._rate

    def spend(self, units: float) -> None:
        with self._lock:
            if self._rate is not None:
                self._drain(self._rate)
                self._level += units

    def _drain(self, rate: float) -> None:
        now = time.monotonic()
        self._level = max(self._level - (now - self._then) * rate, 0.0)
        self._then = now
