"""Who gets in and what gets out: Services and the NetworkPolicy, followed as Kubernetes reads them."""

from __future__ import annotations

import ipaddress

from tests.charts.helm import Map, container, one, render
from tests.charts.matrix import MATRIX, NO_VOLUME, ONE_RELAY

OWN = {"app.kubernetes.io/name": "dms-relay", "app.kubernetes.io/instance": "mail"}
SHOP = {"kubernetes.io/metadata.name": "shop"}
HERE = {"kubernetes.io/metadata.name": "post"}
MONITORING = {"kubernetes.io/metadata.name": "monitoring"}


def selects(selector: Map | None, labels: dict[str, str]) -> bool:
    """Return True if a selector of labels alone takes these."""
    return selector is not None and labels.items() >= selector.get("matchLabels", {}).items()


def is_peer(peer: Map, namespace: dict[str, str], pod: dict[str, str], address: str) -> bool:
    """Return True if a peer of a rule is this pod, or an address outside where it has no labels."""
    if block := peer.get("ipBlock"):
        inside = ipaddress.ip_address(address) in ipaddress.ip_network(block["cidr"])
        return inside and not any(
            ipaddress.ip_address(address) in ipaddress.ip_network(n) for n in block.get("except", ())
        )
    if "namespaceSelector" not in peer:
        return namespace == HERE and selects(peer["podSelector"], pod)
    return selects(peer["namespaceSelector"], namespace) and selects(peer.get("podSelector", {}), pod)


def gets_through(rules: list[Map], port: int, side: str, who: tuple[dict[str, str], dict[str, str], str]) -> bool:
    """Return True if one of the rules lets TCP through: ``side`` is ``from`` or ``to``; without it everybody is meant."""
    open_to = [rule.get(side) for rule in rules if {"port": port, "protocol": "TCP"} in rule["ports"]]
    return any(peers is None or any(is_peer(peer, *who) for peer in peers) for peers in open_to)


def gets_in(values: Map, port: int, namespace: dict[str, str], pod: dict[str, str], address: str = "10.0.0.9") -> bool:
    """Return True if somebody reaches a port of a relay."""
    rules = one(render(values), "NetworkPolicy")["spec"]["ingress"]
    return gets_through(rules, port, "from", (namespace, pod, address))


def gets_out(values: Map, port: int, address: str = "198.51.100.1", pod: dict[str, str] | None = None) -> bool:
    """Return True if a relay reaches a port, outside or of a pod in the same namespace."""
    rules = one(render(values), "NetworkPolicy")["spec"]["egress"]
    return gets_through(rules, port, "to", (HERE if pod else {"n": "x"}, pod or {"p": "x"}, address))


def test_who_may_send() -> None:
    """All pods of the namespace by default, and nobody else; others by selectors and networks; nobody has other ports."""
    assert gets_in({}, 25, HERE, {"app": "any"})
    assert not gets_in({}, 25, SHOP, {"app": "any"})
    assert not gets_in({}, 9154, HERE, {"app": "any"})
    peers = [
        {"namespaceSelector": {"matchLabels": SHOP}, "podSelector": {"matchLabels": {"app": "web"}}},
        {"ipBlock": {"cidr": "192.0.2.0/24"}},
    ]
    values = {"networkPolicy": {"allowFrom": peers}}
    assert gets_in(values, 25, SHOP, {"app": "web"})
    assert not gets_in(values, 25, SHOP, {"app": "other"})
    assert not gets_in(values, 25, HERE, {"app": "web"})
    assert gets_in(values, 25, {"n": "x"}, {}, "192.0.2.7")


def test_who_asks_for_metrics() -> None:
    """Prometheus' namespace reaches the metrics and not the mail; without metrics there is no such rule."""
    assert gets_in({}, 9154, MONITORING, {"app": "prometheus"})
    assert not gets_in({}, 25, MONITORING, {"app": "prometheus"})
    assert "9154" not in str(render(MATRIX["off"] | {"networkPolicy": {"enabled": True}}))


def test_what_goes_out() -> None:
    """DNS, the usual ports of relays, the token endpoint; nothing else."""
    assert [port for port in (22, 25, 53, 80, 443, 465, 587, 2525, 3306, 6443) if gets_out({}, port)] == [
        25,
        53,
        443,
        465,
        587,
        2525,
    ]
    dns = one(render(), "NetworkPolicy")["spec"]["egress"][0]
    assert dns == {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def test_the_ports_of_the_relays_go_out() -> None:
    """What relayYaml, postfixRelaymapCf and env name goes out, however short the list is; 25 where mail goes directly."""
    few: Map = {"networkPolicy": {"egress": {"relayPorts": [], "tokenPorts": []}}}

    def ports(values: Map) -> list[int]:
        rules = one(render({**few, **values}), "NetworkPolicy")["spec"]["egress"]
        return [entry["port"] for rule in rules[1:] for entry in rule["ports"]]

    assert ports(ONE_RELAY) == [25, 2526, 2587, 8888, 9999]
    assert ports({"relayYaml": {"relays": {"a": {"host": "a.example"}}, "default": "a"}}) == [587]
    assert ports({"relayYaml": "relays: {a: {hosts: [a.example, 'b.example:465'], port: 2465}}\ndefault: a"}) == [
        465,
        2465,
    ]
    assert ports({"relayYaml": {"relays": {"a": {"host": "a.example"}}}}) == [25, 587]
    direct = {"relays": {"a": {"host": "a.example"}}, "default": "a", "senders": {"b.example": {"relay": "direct"}}}
    assert ports({"relayYaml": direct}) == [25, 587]
    assert ports({}) == [25]
    assert ports({"existingConfigMap": "mine"}) == []
    assert ports({"env": {"DEFAULT_RELAY_HOST": "[smtp.example.com]:777"}}) == [777]
    assert ports({"env": {"DEFAULT_RELAY_HOST": "smtp.example.com"}}) == [25]
    assert ports({"env": {"RELAY_HOST": "smtp.example.com", "RELAY_PORT": 2525}}) == [25, 2525]
    lines = (
        "# [c.example]:1",
        "@a.example  [b.example]:2527",
        "@d.example",
        "@e.example\t[2001:db8::1]:26",
        "@f.example f.example",
        "",
    )
    relaymap = "\n".join(lines)
    assert ports({"postfixRelaymapCf": relaymap}) == [25, 26, 2527]
    assert ports({"postfixRelaymapCf": "@a b:26\n", "env": {"DEFAULT_RELAY_HOST": "c:27"}}) == [26, 27]


def test_where_it_goes() -> None:
    """With peers, a rule of the egress is for these alone."""
    values = MATRIX["few ports"]
    assert gets_out(values, 2526, "192.0.2.7")
    assert not gets_out(values, 2526, "192.0.2.1")
    assert not gets_out(values, 2526)
    assert not gets_out(values, 443)


def test_replicas_reach_each_other_to_hand_over() -> None:
    """Where what is left is handed over, and only there, a replica reaches the others, whoever else may send."""
    narrow = {
        "networkPolicy": {"allowFrom": [{"podSelector": {"matchLabels": {"app": "web"}}}], "egress": {"relayPorts": []}}
    }
    relay = {"relayYaml": {"relays": {"a": {"host": "a.example"}}, "default": "a"}}
    values = {**NO_VOLUME, **narrow, **relay}
    assert gets_in(values, 25, HERE, OWN)
    assert gets_out(values, 25, "10.0.0.9", OWN)
    assert not gets_out(values, 25)
    with_volume = {**narrow, **relay}
    assert not gets_in(with_volume, 25, HERE, OWN)
    assert not gets_out(with_volume, 25, "10.0.0.9", OWN)


def test_services() -> None:
    """Both Services lead to the pod's port 25; the headless one shows replicas that take no mail, too, with metrics."""
    objects = render(MATRIX["both families"])
    named = {port["name"]: port["containerPort"] for port in container(objects)["ports"]}
    assert named == {"smtp": 25, "metrics": 9154}
    front = one(objects, "Service")["spec"]
    assert [(port["port"], port["targetPort"]) for port in front["ports"]] == [(2525, "smtp"), (587, "smtp")]
    assert (front["type"], front["ipFamilyPolicy"]) == ("ClusterIP", "PreferDualStack")
    headless = one(objects, "Service", "mail-dms-relay-headless")["spec"]
    assert (headless["clusterIP"], headless["publishNotReadyAddresses"]) == ("None", True)
    assert [port["name"] for port in headless["ports"]] == ["smtp", "metrics"]
    assert one(objects, "StatefulSet")["spec"]["serviceName"] == "mail-dms-relay-headless"


def test_senders_outside() -> None:
    """A load balancer keeps the senders' addresses, and takes those of the ranges alone; the NetworkPolicy lets them in."""
    values = MATRIX["for senders outside"]
    front = one(render(values), "Service")["spec"]
    assert (front["externalTrafficPolicy"], front["loadBalancerSourceRanges"]) == ("Local", ["192.0.2.0/24"])
    assert gets_in(values, 25, {"n": "x"}, {}, "192.0.2.7")
    assert not gets_in(values, 25, {"n": "x"}, {}, "198.51.100.7")
