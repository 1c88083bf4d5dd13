"""The names of what can be imported. Only constants, since parsing any command line loads this."""

from __future__ import annotations

#: docker-mailserver's relay.sh, two images, a main.cf written by hand; ``auto`` finds out which of them there is.
KINDS = AUTO, RELAY_SH, BOKYSAN, JUANLUISBAPTISTE, MAIN_CF = (
    *("auto", "relay.sh", "bokysan", "juanluisbaptiste", "main.cf"),
)
