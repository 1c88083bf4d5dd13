"""Whatever stands in the inputs, a run ends with a result or with a refusal; never with a crash, never with a password."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.support.amounts import Figures, amount

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

SECRET = "s3cret-P4ss"
PROPERTY = settings(max_examples=amount(200, 10_000), deadline=None, suppress_health_check=list(HealthCheck))
FILES = (
    "postfix-relaymap.cf",
    "postfix-sasl-password.cf",
    "relay.env",
    "vhost",
    "postfix-accounts.cf",
    "postfix-virtual.cf",
    "postfix-main.cf",
)
NAMES = (
    *("DEFAULT_RELAY_HOST", "RELAY_HOST", "RELAY_PORT", "RELAY_USER", "RELAY_PASSWORD"),
    *("RELAY_HOST__FILE", "RELAY_PASSWORD_FILE", "RELAYHOST", "RELAY_PASS", "LOG_LEVEL", "LOG_FORMAT"),
)
# A password stands behind a colon, as in every login.
LINES = (
    *(f"@a.test user:{SECRET}\n", "@b.test [r.test]:587\n", "@a.test\n", "a.test\n", f"a@a.test|:{SECRET}\n"),
    *("RELAY_HOST=r.test\n", f"RELAY_USER=user\nRELAY_PASSWORD=:{SECRET}\n", f"[r.test]:25 user:{SECRET}\n"),
    *(f"smtp_sasl_password_maps = static:user:{SECRET}\n", "smtp_tls_security_level = may\n"),
)
PIECES = (
    *(
        f":{SECRET}",
        f"user:{SECRET}",
        "@a.test",
        "user@b.test",
        "[r.test]:587",
        "r.test",
        "587",
        "smtp://",
        "/dev/null",
    ),
    *("RELAY_HOST=", "RELAY_USER=", "RELAY_PASSWORD=", "DEFAULT_RELAY_HOST=", "export ", "smtp_sasl_password_maps ="),
    *("json", "trace", "0", "-", ".", "/", "#", ",", ":", "|", "=", "'", '"', "\\", "$x", "${x}", "[", "]"),
    *(" ", "\t", "\n", "\r\n", "\r", "\ufeff", "\0", "\u2028", "\u00a0"),
)
pieces = st.sampled_from(LINES) | st.sampled_from(PIECES)
texts = st.lists(pieces, max_size=14).map("".join)
contents = texts.map(str.encode) | st.binary(max_size=12) | texts.map(lambda text: text.encode("utf-16"))
environments = st.dictionaries(
    st.sampled_from(NAMES), texts.map(lambda text: text.replace("\0", "")) | st.just("\udcff"), max_size=4
)


@pytest.mark.soak
@PROPERTY
@given(st.dictionaries(st.sampled_from(FILES), contents, max_size=4), environments)
def test_any_input(sandbox: Sandbox, figures: Figures, files: dict[str, bytes], env: dict[str, str]) -> None:
    """Any text in any file and any variable: done, or 66 or 78 with a line for each error; and no password is shown."""
    for name in FILES:
        path = (sandbox.postfix_dir if name == "vhost" else sandbox.config_dir) / name
        path.unlink(missing_ok=True)
        if name in files:
            path.write_bytes(files[name])
    for command in ("show", "plan"):
        result = sandbox.run(command, env=env)
        event(f"{command}: {result.code}")
        assert result.code in {os.EX_OK, os.EX_NOINPUT, os.EX_CONFIG}
        if result.code != os.EX_OK:
            assert result.out == ""
        assert SECRET not in result.out + result.err
    figures(1, "random inputs: done or refused, and no password is shown")
