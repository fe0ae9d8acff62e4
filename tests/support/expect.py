# SPDX-License-Identifier: MIT
"""A failure as a user meets it: an errno for the program, and a line in the log that says why."""
from tests.support.mount import errno_of
from tests.support.process import wait_until


def failure(m, call, errno, event, *words):
    """call() fails with errno (a name), and the newest new line of that event holds the words.  Returns its text."""
    before = len(m.events(event))
    found = errno_of(call)
    assert found == errno, f"{found}, not {errno}\n{m.log()}"
    wait_until(lambda: len(m.events(event)) > before, 2, f"a line {event} in the log:\n{m.log()}")
    text = m.events(event)[-1][2]
    for word in words:
        assert word in text, f"{word!r} is not in: {event} {text}"
    return text


def unreadable(m, name, errno, event, *words):
    """The same for opening and reading a whole file."""
    return failure(m, lambda: m.read(name), errno, event, *words)
