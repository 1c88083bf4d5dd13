"""Makes cases of ``relay.yaml``; where ``{secrets}`` stands in one, the directory of its secret files is put."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from tests.invalid_inputs import Wrong

if TYPE_CHECKING:
    from typing import Unpack

    from tests.invalid_inputs import Content

NAME = "relay.yaml"


class Other(TypedDict, total=False):
    """What a case may have beside the file: see ``Wrong``."""

    env: dict[str, str]
    files: dict[str, Content]
    secrets: dict[str, Content]
    warnings: tuple[str, ...]
    code: int


def text(name: str, content: Content, *errors: str, **other: Unpack[Other]) -> Wrong:
    """Make a case of a whole file; each error is given without the name of the file, but for those of the environment."""
    said = tuple(error if error.startswith("env ") else f"{NAME}:{error}" for error in errors)
    case = Wrong(name, said, **other)
    return replace(case, env={"RELAY_USER": "", "RELAY_PASSWORD": ""} | case.env, files={NAME: content} | case.files)


def relay(name: str, value: str, *errors: str, **other: Unpack[Other]) -> Wrong:
    """Make a case of the value of relay r, on line 4 from column 6 on."""
    return text(name, f"version: 1\ndefault: r\nrelays:\n  r: {value}\n", *errors, **other)


def login(name: str, value: str, *errors: str, **other: Unpack[Other]) -> Wrong:
    """Make a case of the login of relay r, on line 6 from column 12 on."""
    head = "version: 1\ndefault: r\nrelays:\n  r:\n    host: r.test\n"
    return text(name, f"{head}    login: {value}\n", *errors, **other)


def block(name: str, password: str, *errors: str) -> Wrong:
    """Make a case of the password of relay r, on line 8 from column 17 on."""
    return login(name, f"\n      username: u\n      password: {password}", *errors)


def who(name: str, lines: str, *errors: str, **other: Unpack[Other]) -> Wrong:
    """Make a case of what follows a relay r that is right, from line 4 on."""
    return text(name, f"version: 1\nrelays:\n  r: {{host: r.test}}\n{lines}", *errors, **other)
