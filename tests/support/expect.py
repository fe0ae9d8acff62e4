# SPDX-License-Identifier: MIT
"""A failure as a user meets it: an errno for the program, and a line in the log that says why."""
from tests.support.mount import errno_of
from tests.support.process import wait_until


def lines(m, event, *words):
    """The texts of the lines of an event that hold all the words."""
    return [text for _, name, text in m.events(event) if all(word in text for word in words)]


def failure(m, call, errno, event, *words):
    """call() fails with errno (a name), and a line of that event holds all the words.  Returns its text.

    It need not be a new line: what was said within the last second is not said again, and the kernel may have
    asked before the caller did.
    """
    found = errno_of(call)
    assert found == errno, f"{found}, not {errno}\n{m.log()}"
    wait_until(lambda: lines(m, event, *words), 2, f"a line {event} with {words} in the log:\n{m.log()}")
    return lines(m, event, *words)[-1]


def unreadable(m, name, errno, event, *words):
    """The same for opening and reading a whole file."""
    return failure(m, lambda: m.read(name), errno, event, *words)
