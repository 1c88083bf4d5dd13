"""The names of what can be imported. Constants alone, since every command line is read with them."""

from __future__ import annotations

#: docker-mailserver's relay.sh, two images, a main.cf that somebody wrote by hand; ``auto`` looks which of them there is.
KINDS = AUTO, RELAY_SH, BOKYSAN, JUANLUISBAPTISTE, MAIN_CF = (
    *("auto", "relay.sh", "bokysan", "juanluisbaptiste", "main.cf"),
)
