"""Tries ports behind a firewall, in a network of its own; a program, which prints what came of each as JSON.

Started by ``unshare --net``: nothing of the machine's own network is seen or changed.
"""

import json
import subprocess
import sys

from dms_relay.relay_test.attempt import attempt
from dms_relay.relay_test.demand import Demand
from dms_relay.relay_test.diagnosis import diagnose
from dms_relay.relay_test.parallel import run_all
from dms_relay.relay_test.settings import TestSettings
from dms_relay.relay_test.targets import Target
from testbed.listener import Listener, silent

SETTINGS = TestSettings(timeout=0.5, helo="mail.example.test")
RULES = (
    "ip link set lo up",
    "iptables -A INPUT -d 127.0.0.1 -p tcp --dport 25 -j DROP",
    "iptables -A INPUT -d 127.0.0.1 -p tcp --dport 2500 -j REJECT --reject-with icmp-admin-prohibited",
    "iptables -A INPUT -d 127.0.0.2 -p tcp --dport 25 -j DROP",
    "iptables -A INPUT -d 127.0.0.3 -j DROP",
    "ip route add prohibit 192.0.2.1",
)
NEXTHOPS = {
    "dropped": "[127.0.0.1]:25",
    "prohibited": "[127.0.0.1]:2500",
    "no service": "[127.0.0.2]:25",
    "no host": "[127.0.0.3]:25",
    "no host, another port": "[127.0.0.3]:587",
    "this machine": "[192.0.2.1]:25",
    "no way": "[192.0.2.2]:25",
}


def main() -> None:
    """Set the rules, listen at port 587 of the first address, and try."""
    for rule in RULES:
        subprocess.run(rule.split(), check=True)
    with Listener(silent, port=587):
        targets = [Target(name, nexthop, Demand("none")) for name, nexthop in NEXTHOPS.items()]
        results = run_all(lambda target: attempt(target, SETTINGS), targets)
    found = {r.target.relay: [r.shown, r.error.what if r.error else "", *(diagnose(r) or ())] for r in results}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
