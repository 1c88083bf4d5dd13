"""Domains of this server that only a lookup table knows, such as LDAP's: ``RELAY_HOST`` does not serve them.

Known limits: does not look into tables, so cannot tell if they contain a domain that is not managed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.checks.cures import own_level
from dms_relay.checks.rules import Finding
from dms_relay.mask import mask_parameter
from dms_relay.model import Origin
from dms_relay.model.relays import CLEARTEXT_LEVELS
from dms_relay.postfix import main_cf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.checks.context import CheckContext

_LEVEL = "smtp_tls_security_level"
#: Parameters with a server's own domains; other ones default to these (postconf(5)).
_DOMAINS = ("virtual_mailbox_domains", "virtual_alias_domains", "mydestination", "relay_domains")


def check_table_domains(context: CheckContext) -> Iterator[Finding]:
    """Yield each table of domains that are not managed domains, if no default relay takes their mail."""
    relay = context.inputs.relay
    if context.machine is None or not relay or context.has_default or context.after("relayhost"):
        return
    asked = context.machine.asked
    vhost = {str(context.paths.vhost), f"$config_directory/{context.paths.vhost.name}"}
    # A value that another parameter has too is that one's default: aliases of managed domains.
    defaults = {asked.get("virtual_alias_maps", ""), asked.get("mydestination", "")}
    for name in _DOMAINS:
        value = asked.get(name, "")
        tables = [word for word in main_cf.split(value) if ({":", "/"} & set(word)) and not vhost & {_bare(word)}]
        if tables and (name == "mydestination" or value not in defaults):
            shown = mask_parameter(name, ", ".join(tables))
            text = f"RELAY_HOST does not serve domains of {shown} ({name}), so mail of their senders goes directly"
            yield Finding(
                "table-domains-not-relayed", relay[1], text, "set DEFAULT_RELAY_HOST, which serves every sender"
            )
            if (level := context.after(_LEVEL)) not in CLEARTEXT_LEVELS | {""}:
                whose = f"mail of senders of domains of {shown} goes directly"
                text = f"{whose}, and {_LEVEL} = {level} excludes servers without TLS"
                yield Finding("opt-out-needs-tls", Origin("main.cf"), text, own_level(context))


def _bare(word: str) -> str:
    """Return the path of a file of domains, or of a table in a file."""
    return word.partition(":")[2] if word.partition(":")[0] in {"texthash", "hash", "lmdb", "cdb"} else word
