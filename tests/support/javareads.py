# SPDX-License-Identifier: MIT
"""What azure-cosmos-encryption 2.5.0 makes of a stored document: the right value, but for its reader's own faults.

- "" is read as null.
- An array that begins with a scalar or null is taken for one of scalars alone: a null, object or array in it fails the document.
- In an array that begins with an object or array the scalars are not looked at: they stay the cells that are stored.
- A cell of a member called id is decoded in the URL-safe alphabet: one with + or / fails the document.
"""


class Fails(Exception):
    """The client does not read the document; the argument is a part of what it says."""


def view(plain, stored, encrypted):
    """The document that the client shows of `stored`, whose right value is `plain`; encrypted: names of properties."""
    return {
        name: _value(value, stored[name], name) if name in encrypted else value for name, value in plain.items()
    }


def _value(plain, stored, name=None):
    if isinstance(plain, dict):
        return {member: _value(value, stored[member], member) for member, value in plain.items()}
    if isinstance(plain, list):
        return _array(plain, stored)
    return plain if plain is None else _scalar(plain, stored, name)


def _scalar(plain, stored, name):
    if name == "id" and ("+" in stored or "/" in stored):
        raise Fails("Illegal base64 character")
    return None if plain == "" else plain


def _array(plain, stored):
    if plain and isinstance(plain[0], (dict, list)):
        return [_value(p, s) if isinstance(p, (dict, list)) else s for p, s in zip(plain, stored, strict=True)]
    if any(element is None or isinstance(element, (dict, list)) for element in plain):
        raise Fails("NullPointerException")
    return [_scalar(p, s, None) for p, s in zip(plain, stored, strict=True)]
