"""Names that look like one of ours and are none: a warning names the one that is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay.sources.environment import NAMES
from tests.support.console import of_level

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

EITHER = "DEFAULT_RELAY_HOST or RELAY_HOST"

NEAR_MISSES = {
    "RELAYHOST": EITHER,
    "RELAY": EITHER,
    "RELAY_SERVER": EITHER,
    "RELAY_HOSTNAME": EITHER,
    "RELAY_HOST_NAME": EITHER,
    "RELAY_ADDRESS": EITHER,
    "RELAY_NEXTHOP": EITHER,
    "SMTP_RELAY_HOST": EITHER,
    "POSTFIX_RELAYHOST": EITHER,
    "DMS_RELAY_HOST": EITHER,
    "relay_host": "RELAY_HOST",
    "Relay_Host": "RELAY_HOST",
    "REALY_HOST": "RELAY_HOST",
    "RELAY_HOTS": "RELAY_HOST",
    "RELAY_HOSTS": "RELAY_HOST",
    "RLAY_HOST": "RELAY_HOST",
    "RELAY__HOST": EITHER,
    "RELAYHOST_FILE": "DEFAULT_RELAY_HOST__FILE or RELAY_HOST__FILE",
    "DEFAULT_RELAYHOST": "DEFAULT_RELAY_HOST",
    "DEFAULT_RELAY": "DEFAULT_RELAY_HOST",
    "DEFAULTRELAYHOST": "DEFAULT_RELAY_HOST",
    "DEFAULT_REALY_HOST": "DEFAULT_RELAY_HOST",
    "DEFAULT_RELAYHOST_FILE": "DEFAULT_RELAY_HOST__FILE",
    "DEFAULT_RELAY_PORT": "DEFAULT_RELAY_HOST",
    "DEFAULT_RELAY_USER": "RELAY_USER",
    "RELAYPORT": "RELAY_PORT",
    "RELAY_HOST_PORT": "RELAY_PORT",
    "RELAYHOST_PORT": "RELAY_PORT",
    "RELAY_USERNAME": "RELAY_USER",
    "RELAY_LOGIN": "RELAY_USER",
    "RELAYHOST_USERNAME": "RELAY_USER",
    "SMTP_RELAY_USER": "RELAY_USER",
    "RELAY_PASS": "RELAY_PASSWORD",
    "RELAY_PASSWD": "RELAY_PASSWORD",
    "RELAY_PW": "RELAY_PASSWORD",
    "RELAY_SECRET": "RELAY_PASSWORD",
    "RELAY_PASSWROD": "RELAY_PASSWORD",
    "RELAY_PASWORD": "RELAY_PASSWORD",
    "RELAYHOST_PASSWORD": "RELAY_PASSWORD",
    "RELAY_HOST_PASSWORD": "RELAY_PASSWORD",
    "RELAYHOST_PASSWORD_FILE": "RELAY_PASSWORD__FILE",
    "RELAY_PASSWORDFILE": "RELAY_PASSWORD__FILE",
    "RELAY_PASS_FILE": "RELAY_PASSWORD__FILE",
    "relay_password__file": "RELAY_PASSWORD__FILE",
}

#: Names of docker-mailserver's, of Kubernetes' and of the system's, and words that only begin like ours.
UNRELATED = [
    "PATH",
    "HOME",
    "HOSTNAME",
    "LOG_LEVEL",
    "MAIL_CONFIG",
    "SMTP_ONLY",
    "ENABLE_CLAMAV",
    "ENABLE_SASLAUTHD",
    "DMS_VMAIL_UID",
    "DEFAULT_VIRTUAL_MAILBOX_LIMIT",
    "OVERRIDE_HOSTNAME",
    "PERMIT_DOCKER",
    "POSTFIX_MYHOSTNAME",
    "POSTMASTER_ADDRESS",
    "SRS_DOMAINNAME",
    "REDIS_HOST",
    "REDIS_PASSWORD",
    "RELAY_SERVICE_HOST",
    "RELAY_SERVICE_PORT",
    "RELAY_PORT_25_TCP",
    "RELAYS",
    "RELAXED",
    "MYSQL_PASSWORD",
    "RELATED_USER",
]


@pytest.mark.parametrize(("name", "meant"), NEAR_MISSES.items())
def test_near_miss(sandbox: Sandbox, name: str, meant: str) -> None:
    """The name that is meant is said, the value never; nothing else changes."""
    result = sandbox.apply(**{name: "s3cret"})
    assert of_level(result, "warn") == [f"env {name}: {name} is not a setting and has no effect -- set {meant}"]
    assert "s3cret" not in result.err
    assert result.out == "nothing to do: no relay is set\n"


def test_near_miss_in_relay_env(sandbox: Sandbox) -> None:
    """In ``relay.env`` a near miss is named with its line."""
    sandbox.write("relay.env", "# x\nRELAY_PASS=s3cret\nOTHER=x\n")
    result = sandbox.apply()
    assert of_level(result, "warn") == [
        "relay.env:2: RELAY_PASS is not a setting and has no effect -- set RELAY_PASSWORD"
    ]


@pytest.mark.parametrize("name", UNRELATED)
def test_unrelated_name(sandbox: Sandbox, name: str) -> None:
    """What is not ours and does not look like it is none of our business."""
    assert sandbox.apply(**{name: "warn" if name == "LOG_LEVEL" else "s3cret"}).err == ""


@pytest.mark.parametrize("name", [name + suffix for name in NAMES for suffix in ("", "__FILE", "_FILE")])
def test_right_name(sandbox: Sandbox, name: str) -> None:
    """Our own names are no near misses of one another; empty, they count as not set."""
    assert sandbox.apply(**{name: ""}).err == ""


def test_near_miss_that_is_empty(sandbox: Sandbox) -> None:
    """A near miss that is set to nothing says nothing."""
    assert sandbox.apply(RELAYHOST="").err == ""
