"""docs/oauth2.md, microsoft-365.md and gmail.md, followed word for word, with our servers at the providers' addresses."""

from __future__ import annotations

import json
import re
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from testbed import Mode, Testbed
from testbed.token_rules import OAuth2Client, ServiceAccount
from tests.oauth2.given import key_pair
from tests.support.amounts import amount
from tests.together.elsewhere import Elsewhere, Provider
from tests.together.scene import ALL_MECHANISMS, FRIEND

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from testbed import Postfix, Relay
    from tests.sasl.plugin import Plugin
    from tests.support.amounts import Figures

DOCS = Path(__file__).parents[2] / "docs"
_FENCED = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^ {4,}(dms-relay [^#\n]+)", re.MULTILINE)
_OAUTH2 = re.compile(r"^ +oauth2:.*\n(?: {8}.*\n)*", re.MULTILINE)
SECRET = "the-Value"
PRIVATE = "/etc/ssl/private-ca.pem"


class Walk(NamedTuple):
    """A way through a page: what is written, and which sections' commands are run."""

    page: str
    example: int
    """Which of its examples is the whole relay.yaml."""
    sections: tuple[str, ...]
    fragment: int | None = None
    """Which of its examples takes the place of that one's `oauth2`."""
    with_certificate: bool = False
    in_variables: bool = False


WALKS = {
    "in short": Walk("oauth2.md", 0, ("In short",)),
    "an application": Walk("microsoft-365.md", 0, ("4. Try it",)),
    "a certificate": Walk("microsoft-365.md", 0, ("4. Try it",), with_certificate=True),
    "a person": Walk("microsoft-365.md", 0, ("3b. As a person", "4. Try it"), 1),
    "a service account": Walk("gmail.md", 1, ("Try it",)),
    "an OAuth client": Walk("gmail.md", 1, ("OAuth client (one account)", "Try it"), 2),
    "another provider": Walk("oauth2.md", 1, ("In short",)),
    "variables for Microsoft": Walk("microsoft-365.md", 0, ("4. Try it",), in_variables=True),
    "variables for Google": Walk("gmail.md", 1, ("Try it",), in_variables=True),
    "an app password": Walk("gmail.md", 0, ("Try it",)),
}


def document(walk: Walk) -> str:
    """Return the relay.yaml of a walk."""
    text = (DOCS / walk.page).read_text("utf-8")
    blocks = _FENCED.findall(text)
    whole = str(blocks[walk.example])
    if not whole.startswith("version: 1\n"):
        whole = f"version: 1\n{whole}default: own\n"
    if walk.fragment is not None:
        whole = _OAUTH2.sub(lambda _: str(blocks[walk.fragment or 0]), whole)
    if walk.with_certificate:
        (certificate, key) = re.findall(
            r"write `(client_certificate_file: [^`]+)` and `(client_key_file: [^`]+)`", text
        )[0]
        lines = f"        {certificate}\n        {key}\n".replace("…", "/run/secrets")
        whole = re.sub(r" +client_secret_file: .*\n", lines, whole)
    return whole


def commands(walk: Walk) -> list[list[str]]:
    """Return the commands of its sections."""
    text = (DOCS / walk.page).read_text("utf-8")
    parts = dict(part.partition("\n")[::2] for part in re.split(r"^## ", text, flags=re.MULTILINE))
    found = [_COMMAND.findall(parts[name]) for name in walk.sections]
    assert all(found)
    return [command.split()[1:] for some in found for command in some]


def register(walk: Walk, login: dict[str, Any], elsewhere: Elsewhere, server: Provider) -> None:
    """Do what is done in a provider's console, and write the files that it hands out."""
    oauth2, user = login.get("oauth2", {}), login["username"]
    client = OAuth2Client(secret=SECRET if "client_secret_file" in oauth2 else "", users=(user,))
    if walk.with_certificate:
        text = (DOCS / walk.page).read_text("utf-8").replace("\\\n", "")
        (command,) = re.findall(r"^ +(openssl req .*)$", text, re.MULTILINE)
        subprocess.run(command.split(), check=True, cwd=elsewhere.secrets, capture_output=True)
        client.certificate = (elsewhere.secrets / "m365.pem").read_text()
    elif "service_account_file" in oauth2:
        private, public, _ = key_pair("rsa")
        account = {"type": "service_account", "client_email": "us@project.test", "private_key": private}
        account |= {"private_key_id": "k1", "token_uri": server.token_url}
        server.accounts["us@project.test"] = ServiceAccount(public, "k1", (user,))
        elsewhere.secret(oauth2["service_account_file"], json.dumps(account))
    elif "refresh_token_file" in oauth2:
        elsewhere.secret(oauth2["refresh_token_file"], server.new_refresh_token(oauth2["client_id"], user))
    elif "client_secret_file" in oauth2:
        elsewhere.secret(oauth2["client_secret_file"], SECRET)
    elif "password_file" in login:
        elsewhere.secret(login["password_file"], SECRET)
    server.clients[oauth2.get("client_id", "")] = client


def sign_in(process: subprocess.Popen[str], server: Provider, user: str) -> str:
    """Be the person whom `dms-relay login` waits for, and return what it said."""
    assert process.stdin
    assert process.stdout
    said = ""
    if server.theirs.device_url:
        while not server.pending:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.02)
        server.agree(user)
    else:
        while not (found := re.search(r"https://\S+", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        assert found[0].startswith(server.theirs.authorization_url)
        process.stdin.write(server.browse(found[0], user) + "\n")
        process.stdin.flush()
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said + rest
    return said + rest


def in_variables(page: str, user: str) -> dict[str, str]:
    """Return the variables that a page names in place of `relay.yaml`, with what the example of that file has."""
    text = (DOCS / page).read_text("utf-8")
    (words,) = re.findall(r"^With the variables for one default relay.*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    named = dict(re.findall(r"`([A-Z0-9_]+)(?:=([^`]*))?`", words))
    oauth2 = yaml.safe_load(_FENCED.findall(text)[page == "gmail.md"])["relays"].popitem()[1]["login"]["oauth2"]
    known = {
        "RELAY_USER": user,
        "RELAY_OAUTH2_TENANT": oauth2.get("tenant"),
        "RELAY_OAUTH2_CLIENT_ID": oauth2.get("client_id"),
        "RELAY_OAUTH2_CLIENT_SECRET__FILE": oauth2.get("client_secret_file"),
        "RELAY_OAUTH2_SERVICE_ACCOUNT__FILE": oauth2.get("service_account_file"),
    }
    return {name: value or known[name] for name, value in named.items() if value or known.get(name)}


class Place(NamedTuple):
    """Everything that stands where a provider has its own."""

    elsewhere: Elsewhere
    server: Provider
    smtp: Relay
    postfix: Postfix


@contextmanager
def place(plugin: Plugin, root: Path, relay: dict[str, Any], token_url: str) -> Iterator[Place]:
    """Start it all for the relay of an example."""
    login = relay["login"]
    how = login.get("oauth2", {})
    with Testbed() as testbed, Provider(testbed, how.get("provider", ""), how.get("tenant", ""), token_url) as server:
        mode = Mode(tokens=server.accepts, mechanisms=ALL_MECHANISMS, logins={login["username"]: SECRET})
        smtp = testbed.relay(relay["host"], mode, 587)
        postfix = testbed.postfix({"import_environment": plugin.import_environment})
        addresses = {relay["host"]: smtp.host} | dict.fromkeys(server.hosts, server.host)
        with Elsewhere(root, testbed, addresses) as elsewhere:
            elsewhere.env["SASL_PATH"] = plugin.import_environment.partition("SASL_PATH=")[2]
            elsewhere.move(postfix)
            yield Place(elsewhere, server, smtp, postfix)


def follow(walk: Walk, there: Place, user: str) -> str:
    """Run the commands, and return what they said; without a keeper, as in these pages, `status` is not content."""
    said = ""
    for words in commands(walk):
        if words[0] == "login":
            said += sign_in(there.elsewhere.start(there.postfix, *words), there.server, user)
        elif words[0] == "status":
            said += there.elsewhere.start(there.postfix, *words).communicate(timeout=60)[0]
            assert f"token of {user}" in said
        else:
            said += there.elsewhere.run(there.postfix, *words)
    return said


def hold_to_promise(said: str, there: Place, login: dict[str, Any]) -> None:
    """See that a test was good, that mail goes as it should, and that nothing secret was shown."""
    assert re.search(rf"{re.escape(login['username'])} +ok ", said)
    is_token = "oauth2" in login
    assert ("token:   valid until" in said) is is_token
    count = len(there.smtp.received)
    there.postfix.send("anna@example.com", [FRIEND], "one")
    last = there.smtp.wait_for(count + 1)[-1]
    mechanism = "XOAUTH2" if is_token else "PLAIN"
    assert (last.message_id, last.user, last.mechanism) == ("one", login["username"], mechanism)
    secrets = {SECRET, *(issued.token for issued in there.server.issued), *there.server.refresh_tokens}
    assert [secret for secret in secrets if secret in said] == []


def walk_through(name: str, plugin: Plugin, root: Path) -> None:
    """Go one way, from the first line to a message."""
    walk = WALKS[name]
    text = document(walk)
    (relay,) = yaml.safe_load(text)["relays"].values()
    login = relay["login"]
    with place(plugin, root, relay, login.get("oauth2", {}).get("token_url", "")) as there:
        register(walk, login, there.elsewhere, there.server)
        authority = there.postfix.layout.authority
        if walk.in_variables:
            there.elsewhere.env |= in_variables(walk.page, login["username"])
        else:
            (there.elsewhere.config / "relay.yaml").write_text(text.replace(PRIVATE, str(authority)))
        hold_to_promise(follow(walk, there, login["username"]), there, login)


@pytest.mark.long
@pytest.mark.soak
def test_pages(plugin: Plugin, tmp_path: Path, drawn: Random, figures: Figures) -> None:
    """What a page tells a newcomer to write and to run works: tokens are got, shown as promised, and mail goes with them."""
    names = drawn.sample(sorted(WALKS), min(len(WALKS), amount(3, len(WALKS))))
    for name in names:
        root = tmp_path / name.replace(" ", "-")
        root.mkdir()
        walk_through(name, plugin, root)
    figures(len(names), f"of {len(WALKS)} ways through the pages on OAuth2 followed")
