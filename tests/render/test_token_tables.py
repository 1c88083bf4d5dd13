"""Whatever relay.yaml says, an access token is in no table but its own relay's, and no password is in a table of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dms_relay import InputError, Paths, merge, read, render
from dms_relay.merge.token_logins import token_logins
from dms_relay.model import MECHANISM_FILTER
from dms_relay.model.oauth2 import NO_TOKEN, TOKEN_MECHANISMS
from dms_relay.model.values import replace
from dms_relay.postfix.master_cf import login_table
from tests.support.amounts import Figures, amount
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from dms_relay import Inputs, PostfixConfig

NAMES = ("a", "b", "c")
SENDERS = ("x.test", "boss@x.test", "boss+y@x.test", "y.test", "<>")
TOKEN = {"token_url": "https://id.test/t", "client_id": "c", "client_secret": "secret"}
USERS = st.sampled_from(["u", "v", "w"])
PASSWORDS = USERS.map(lambda user: {"username": user, "password": f"password-{user}"})
LOGINS = st.none() | PASSWORDS | USERS.map(lambda user: {"username": user, "oauth2": TOKEN})


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """Return a relay.yaml with logins of both kinds, also by sender."""

    def with_login(keys: dict[str, Any]) -> dict[str, Any]:
        login = draw(LOGINS)
        return {**keys, "login": login} if login and keys.get("relay") != "direct" else keys

    relays = {name: with_login({"host": f"{name}.test"}) for name in NAMES}
    used = draw(st.lists(st.sampled_from(SENDERS), unique=True))
    senders = {key: {"relay": draw(st.sampled_from(NAMES))} for key in used}
    senders = {key: keys if key == "<>" else with_login(keys) for key, keys in senders.items()}
    recipients = {"z.test": draw(st.sampled_from(NAMES))}
    default = draw(st.sampled_from(NAMES))
    return {"version": 1, "relays": relays, "default": default, "senders": senders, "recipients": recipients}


CF = st.lists(
    st.sampled_from(["@x.test", "boss@x.test", "[a.test]:587", "[b.test]:587"]).map(
        lambda key: f"{key} cf:password-cf\n"
    ),
    unique=True,
).map("".join)


def entries(wanted: PostfixConfig, table: str) -> dict[str, str]:
    """Return the passwords of a table by key, as Postfix splits them off."""
    lines = (line.split("\t") for line in wanted.tables.get(table, "").splitlines())
    return {key: value.partition(":")[2] for key, value in lines}


def with_tokens(inputs: Inputs) -> Inputs:
    """Return the inputs with a kept token for each login but those of user w, named after its relay."""
    transports = merge(inputs).transports
    assert transports is not None
    logins = [login for login in token_logins(transports) if login.username != "w"]
    return replace(inputs, tokens={login.id: f"token-{login.relay}-{login.username}" for login in logins})


@pytest.mark.soak
@settings(
    max_examples=amount(20, 4000),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(file=files(), cf=CF)
def test_tokens_and_passwords_are_kept_apart(
    tmp_path_factory: pytest.TempPathFactory, figures: Figures, file: dict[str, Any], cf: str
) -> None:
    """Each service has entries and mechanisms of one kind; what would mix the two is refused."""
    sandbox = Sandbox(tmp_path_factory.mktemp("box"))
    sandbox.write("relay.yaml", yaml.safe_dump(file))
    if cf:
        sandbox.write("postfix-sasl-password.cf", cf)
    paths = Paths(sandbox.config_dir, sandbox.postfix_dir, sandbox.config_dir / "state")
    try:
        wanted = render(merge(with_tokens(read(paths, {}))), paths)
    except InputError as error:
        figures(1, "relay.yaml with both kinds of logins at a relay: refused")
        found = [problem for problem in error.problems if problem.is_error]
        assert all("Postfix has one list of mechanisms" in problem.text for problem in found)
        return
    figures(1, "relay.yaml with passwords and tokens: each in the tables of its own relay alone")
    for name, overrides in wanted.services.items():
        table, relay = login_table(name), name.removeprefix("relay-").removesuffix("_shared")
        passwords = set(entries(wanted, table).values())
        own = {NO_TOKEN} | {f"token-{relay}-{user}" for user in "uv"}
        is_token = table in wanted.token_tables
        assert passwords <= own if is_token else passwords.isdisjoint(own)
        assert all(password in own or password.startswith("password-") for password in passwords)
        mechanisms = set(overrides[MECHANISM_FILTER].split(","))
        if not passwords:
            continue  # nobody logs in there
        assert mechanisms == set(TOKEN_MECHANISMS) if is_token else mechanisms.isdisjoint(TOKEN_MECHANISMS)
