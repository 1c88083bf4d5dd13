"""Warns of files in the configuration directory that look like an input but are none: ``relay.yml``, ``sasl_passwd``.

Lists that directory once; only if there is such a file, reads the files and variables that may name it. Writes nothing. A
directory that cannot be listed is not reported: reading has already done that.

Known limits: names are compared only by their letters and digits; copies (``.bak``, ``.example``, ``~``) and hidden files
count as intended. In Postfix's own directory, Postfix's names are left alone.
"""

from __future__ import annotations

import os

from dms_relay.files.content import read_whole
from dms_relay.model import RELAY_YAML, Origin, Problem
from dms_relay.sources.managed_domains import ACCOUNTS, VIRTUAL
from dms_relay.sources.postfix_main import NAME as USER_FILE
from dms_relay.sources.relay_env import NAME as RELAY_ENV
from dms_relay.sources.relaymap import NAME as RELAYMAP
from dms_relay.sources.sasl_password import NAME as LOGINS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dms_relay.model import Paths

USER_SERVICES = "postfix-master.cf"
#: Every file that we read there, or that docker-mailserver keeps there under a similar name.
INPUTS = (RELAY_YAML, RELAY_ENV, RELAYMAP, LOGINS, USER_FILE, USER_SERVICES, ACCOUNTS, VIRTUAL)
#: Suffixes of files that a program or an editor made, or that were put aside: nobody expects them to be read.
_ASIDE = (
    *(
        ".bak",
        ".backup",
        ".old",
        ".orig",
        ".save",
        ".example",
        ".sample",
        ".dist",
        ".disabled",
        ".off",
        ".template",
        "~",
    ),
    *(".db", ".cdb", ".lmdb", ".lock", ".swp", ".tmp", ".part", ".pem", ".crt", ".key", ".md", ".sh"),
)
#: Names of ours, of Postfix and of other images, reduced to letters and digits, and the file that each may mean.
_YAML = frozenset(
    f"{before}{word}{after}"
    for before in ("", "dms", "mail", "smtp", "postfix")
    for word in ("relay", "relays", "relayhost", "relayhosts")
    for after in ("", "config", "conf")
)
_MAP = frozenset(
    {
        *(f"{before}{word}" for before in ("", "postfix", "dms") for word in ("relaymap", "relaymaps", "relayhostmap")),
        *(
            f"{before}relayhost{after}"
            for before in ("postfix", "sender", "senderdependent")
            for after in ("", "s", "map")
        ),
        *(
            "relayhostmaps",
            "senderdependentrelayhostmaps",
            "senderrelay",
            "senderrelays",
            "postfixrelay",
            "postfixrelays",
        ),
        *("relay", "relays", "relayhost", "relayhosts"),
    }
)
_LOGIN = frozenset(
    f"{before}{word}{after}"
    for before in ("", "postfix", "smtp", "relay", "postfixrelay")
    for word in ("saslpassword", "saslpasswd", "saslpass")
    for after in ("", "s", "map", "maps")
) | {"postfixsasl", "postfixpassword", "postfixpasswd"}
#: Suffixes of tables and of configuration files.
_TABLE_ENDS = ("", "cf", "conf", "cnf", "cfg", "txt", "map", "cftxt", "conftxt")
_YAML_ENDS = ("yaml", "yml", "yamltxt", "ymltxt", "json")
_ENV_ENDS = ("env", "envs", "envtxt", "ini", "environment")
#: Likeness (difflib, 0 to 1) from which a name counts as a misspelling: one or two letters in ten.
_LIKENESS = 0.85
#: Letters that may occur in only one of two names. Cheap to check, so that difflib is rarely needed.
_OTHER_LETTERS = 2


def report_near_files(paths: Paths, environ: Mapping[str, str], problems: list[Problem]) -> None:
    """Warn of each file that looks like an input but is not read, with the right name."""
    try:
        names = sorted(os.listdir(paths.config_dir))  # noqa: PTH208 -- only names are needed
    except OSError:
        return
    is_postfix = "main.cf" in names and "master.cf" in names
    for name in names:
        if name in INPUTS or not (meant := _meant(name, is_postfix=is_postfix)) or _is_named(name, paths, environ):
            continue
        remedy = f"rename it to {meant}"
        if meant in names:
            remedy = f"move what is needed from it to {meant}, and remove it"
        problems.append(
            Problem(Origin(name), "this file is not an input and is not read", remedy, False, rule="unknown-file")
        )


def _meant(name: str, *, is_postfix: bool) -> str:
    """Return the input that a file's name may mean; ``""`` if it means none."""
    lower = name.lower()
    if lower.startswith(".") or lower.endswith(_ASIDE):
        return ""
    stem, _, rest = lower.partition(".")
    stem, end = _letters(stem), _letters(rest)
    found = _by_words(stem, end) or _slip(name)
    is_its_own = is_postfix and (lower in {"main.cf", "master.cf"} or found in {RELAYMAP, LOGINS})
    return "" if is_its_own else found


def _letters(text: str) -> str:
    return text if text.isalnum() else "".join(filter(str.isalnum, text))


def _by_words(stem: str, end: str) -> str:
    if stem in _YAML and end in _YAML_ENDS:
        return RELAY_YAML
    if stem in _YAML and end in _ENV_ENDS:
        return RELAY_ENV
    if end not in _TABLE_ENDS:
        return ""
    if stem in _LOGIN:
        return LOGINS
    if stem in _MAP and (end or stem not in {"relay", "relays"}):
        return RELAYMAP
    own = {"main": USER_FILE, "master": USER_SERVICES} if end == "cf" else {}
    own |= {_letters(known.partition(".")[0]): known for known in INPUTS if known.endswith(".cf")}
    return own.get(stem, "") if end else ""


def _slip(name: str) -> str:
    """Return the input whose name differs by a letter or two."""
    letters = set(name)
    near = [known for known in INPUTS if abs(len(name) - len(known)) <= 1]
    close = [known for known in near if len(letters.symmetric_difference(known)) <= _OTHER_LETTERS]
    if not close:
        return ""
    from difflib import get_close_matches  # noqa: PLC0415 -- 5 ms, and rarely needed

    return next(iter(get_close_matches(name, close, n=1, cutoff=_LIKENESS)), "")


def _is_named(name: str, paths: Paths, environ: Mapping[str, str]) -> bool:
    """Return True if a variable, an input or main.cf names the file: a password file, or an operator's own table."""
    path = str(paths.config_dir / name)
    return any(value == path for value in environ.values()) or any(path in text for text in _texts(paths))


def _texts(paths: Paths) -> Iterator[str]:
    for file in (*(paths.config_dir / known for known in (RELAY_YAML, RELAY_ENV, USER_FILE)), paths.main_cf):
        try:
            yield read_whole(file).decode("utf-8", "replace")
        except OSError:
            continue
