"""Writes the Postfix configuration of an image into a directory of its own, for ``explain``.

Writes main.cf, master.cf and lookup tables, 0600, into a directory that the caller removes. Tables are ``texthash:`` instead
of the image's ``lmdb:``: the entries are the same, and every Postfix has that type.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from dms_relay.explain.views import view_now
from dms_relay.migrate.given import applied, with_parameters
from dms_relay.model import PROTECTION_PARAMETERS, ROUTE_PARAMETERS, SYSTEM_AUTHORITIES
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dms_relay.explain.views import View

#: The services of Debian's master.cf that deliver or route mail.
_MASTER_CF = """\
smtp      inet  n - n - - smtpd
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
local     unix  - n n - - local
virtual   unix  - n n - - virtual
lmtp      unix  - - n - - lmtp
"""
#: Our own image's main.cf before any relay (Dockerfile, ``container/settings.py``).
OWN_IMAGE = {
    "compatibility_level": "3.6",
    "myorigin": "$myhostname",
    "mydestination": "",
    "smtp_tls_security_level": "may",
    "smtp_tls_CAfile": SYSTEM_AUTHORITIES,
    "smtp_host_lookup": "dns, native",
}
#: Parameters that ``relay.yaml`` sets for each relay; an operator's other parameters move to ``postfix-main.cf``.
TAKEN = frozenset(
    {
        *ROUTE_PARAMETERS,
        *PROTECTION_PARAMETERS,
        *("smtp_use_tls", "smtp_enforce_tls", "smtp_tls_enforce_peername", "smtp_tls_wrappermode"),
        *("smtp_tls_policy_maps", "smtp_tls_per_site", "smtp_tls_CAfile", "smtp_tls_CApath", "smtp_fallback_relay"),
        *("smtp_tls_secure_cert_match", "smtp_tls_verify_cert_match", "smtp_tls_fingerprint_cert_match"),
        *("smtp_tls_fingerprint_digest", "smtp_sasl_tls_security_options", "smtp_sasl_mechanism_filter"),
        *("smtp_sasl_tls_verified_security_options", "relay_transport", "smtp_tcp_port", "smtp_sasl_type"),
    }
)
#: Seconds by which files are backdated: Postfix waits before it reads one that was just written.
_AGE = 3600


def rendered(directory: Path, parameters: Mapping[str, str], tables: Mapping[str, str]) -> Postfix:
    """Write a configuration, and return its Postfix. ``tables`` are texts by file name."""
    directory.mkdir(0o700)
    main = "".join(f"{name} = {value}\n" for name, value in parameters.items())
    for name, text in {"main.cf": main, "master.cf": _MASTER_CF, **tables}.items():
        path = directory / name
        path.touch(0o600)
        path.write_text(text, "utf-8")
        then = time.time() - _AGE
        os.utime(path, (then, then))
    return Postfix(directory)


def in_own_image(directory: Path, inputs: Path, hostname: str, parameters: Mapping[str, str]) -> View:
    """Return our own image's configuration with the inputs of a directory, and parameters of ``postfix-main.cf``."""
    own = OWN_IMAGE | ({"myhostname": hostname} if hostname else {})
    postfix = rendered(directory, own, {})
    return with_parameters(applied(postfix, view_now(postfix), inputs), parameters)
