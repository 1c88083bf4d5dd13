"""Values that do not go together: how each is refused, and values that do what the refusal says to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.charts.matrix import ONE_RELAY

if TYPE_CHECKING:
    from tests.charts.helm import Map


@dataclass(frozen=True)
class Refusal:
    """Values, what the one line says of them, and values that do what it says to write in their place."""

    values: Map
    what: str
    cures: tuple[Map, ...]


NO_VOLUME: Map = {"persistence": {"enabled": False}}
LOSS = "persistence.enabled: without a volume, and without another replica to hand over to, mail is lost with the pod"
SCALED: Map = {"autoscaling": {"enabled": True}}


def inline(key: str) -> Map:
    """Return values with a secret in relay.yaml itself."""
    return {"relayYaml": f"relays: {{a: {{host: a.example, login: {{username: me, oauth2: {{}}, {key}: x}}}}}}"}


def reserved(name: str) -> Map:
    """Return values that set a variable."""
    return {"env": {name: "x"}}


CASES = {
    "a name that begins with a digit": Refusal(
        {"fullnameOverride": "1relay"},
        "fullnameOverride: 1relay is not a valid name for a Service, which begins with a letter",
        ({"fullnameOverride": "relay"},),
    ),
    "two ConfigMaps": Refusal(
        {"existingConfigMap": "mine", "relayYaml": "version: 1", "postfixMainCf": "a = b"},
        "existingConfigMap: it replaces relayYaml, postfixMainCf",
        ({"existingConfigMap": "mine"}, {"relayYaml": "version: 1", "postfixMainCf": "a = b"}),
    ),
    "no YAML": Refusal({"relayYaml": "a: [b"}, "relayYaml: it is not YAML: ", ({"relayYaml": "a: [b]"},)),
    "a password in relay.yaml": Refusal(
        inline("password"),
        "relayYaml: password would be in a ConfigMap",
        (
            {
                "relayYaml": inline("password_file")["relayYaml"].replace("x}", "/run/secrets/dms-relay/a}"),
                "existingSecret": "s",
            },
        ),
    ),
    "a client's secret in relay.yaml": Refusal(
        inline("client_secret"),
        "relayYaml: client_secret would be in a ConfigMap",
        (
            {
                "relayYaml": inline("client_secret_file")["relayYaml"].replace("x}", "/run/secrets/dms-relay/a}"),
                "existingSecret": "s",
            },
        ),
    ),
    "tokens from nowhere": Refusal(
        {**inline("a"), "networkPolicy": {"egress": {"tokenPorts": []}}},
        "networkPolicy.egress.tokenPorts: a login uses oauth2, but no token can be requested",
        ({**inline("a"), "networkPolicy": {"egress": {"tokenPorts": [443]}}},),
    ),
    "a directory twice": Refusal(
        {"existingSecret": "a", "extraSecrets": ["dms-relay"]},
        'extraSecrets: "dms-relay" is the directory of existingSecret',
        ({"existingSecret": "a", "extraSecrets": ["b"]}, {"existingSecret": "a"}, {"extraSecrets": ["dms-relay"]}),
    ),
    "no Secret": Refusal(
        {"relayYaml": ONE_RELAY["relayYaml"]},
        "existingSecret: /run/secrets/dms-relay is named, but no Secret is mounted there",
        (ONE_RELAY,),
    ),
    "another Secret": Refusal(
        {"env": {"RELAY_PASSWORD__FILE": "/run/secrets/other/a"}},
        "extraSecrets: /run/secrets/other is named, but no Secret is mounted there",
        (
            {"env": {"RELAY_PASSWORD__FILE": "/run/secrets/other/a"}, "extraSecrets": ["other"]},
            {"env": {"RELAY_PASSWORD__FILE": "/run/secrets/dms-relay/a"}, "existingSecret": "s"},
            {
                "env": {"RELAY_PASSWORD__FILE": "/run/secrets/other/a"},
                "extraVolumeMounts": [{"name": "v", "mountPath": "/run/secrets/other"}],
            },
        ),
    ),
    "who may send": Refusal(
        reserved("RELAY_PERMIT"), "env.RELAY_PERMIT: the chart sets it", ({"permit": ["10.0.0.0/8"]},)
    ),
    "metrics": Refusal(
        reserved("RELAY_METRICS"),
        "env.RELAY_METRICS: the chart sets it",
        ({"metrics": {"port": 1}},),
    ),
    "a host name": Refusal(
        reserved("POSTFIX_MYHOSTNAME"),
        "env.POSTFIX_MYHOSTNAME: the chart sets it",
        ({"hostname": "a.example"},),
    ),
    "no keeper": Refusal(
        reserved("RELAY_WATCH"), "env.RELAY_WATCH: the chart relies on the keeper, which applies changes", ({},)
    ),
    "a drain": Refusal(
        reserved("RELAY_DRAIN"),
        "env.RELAY_DRAIN: a pod drains before it is told to stop",
        ({"drain": {"timeout": 5}},),
    ),
    "another state directory": Refusal(
        reserved("DMS_RELAY_STATE_DIR"),
        "env.DMS_RELAY_STATE_DIR: the volumes are mounted at the default",
        ({},),
    ),
    "a password in the environment": Refusal(
        reserved("SES_PASSWORD"),
        "env.SES_PASSWORD: it would be in the StatefulSet, where others can read it",
        ({"env": {"SES_PASSWORD__FILE": "/run/secrets/dms-relay/KEY"}, "existingSecret": "s"},),
    ),
    "nobody by Postfix": Refusal(
        {"permit": []},
        "permit: Postfix would accept mail from nobody",
        ({"permit": ["10.0.0.0/8"]}, {"permit": [], "env": {"PERMIT_DOCKER": "host"}}),
    ),
    "everybody": Refusal(
        {"permit": ["0.0.0.0/0"]},
        "permit, service.loadBalancerSourceRanges: 0.0.0.0/0 contains a part of the Internet, from which "
        "anybody could send (an open relay)",
        ({"permit": ["10.0.0.0/8"]},),
    ),
    "much of IPv6": Refusal(
        {"permit": ["2000::/3"]},
        "permit, service.loadBalancerSourceRanges: 2000::/3 contains a part of the Internet, from which "
        "anybody could send (an open relay)",
        ({"permit": ["fc00::/7"]},),
    ),
    "everybody by the load balancer": Refusal(
        {"service": {"type": "LoadBalancer"}},
        "service.loadBalancerSourceRanges: everybody could reach the relay",
        (
            {
                "service": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.0.2.0/24"]},
                "permit": ["192.0.2.0/24"],
            },
        ),
    ),
    "nobody by the network": Refusal(
        {"networkPolicy": {"allowFrom": []}},
        "networkPolicy.allowFrom: nobody could send",
        (
            {"networkPolicy": {"allowFrom": [{"podSelector": {}}]}},
            {"networkPolicy": {"allowFrom": [], "enabled": False}},
        ),
    ),
    "a port twice": Refusal(
        {"service": {"submissionPort": 25}},
        "service.submissionPort: it is the same as service.port",
        ({"service": {"submissionPort": 587}}, {}),
    ),
    "no volume, and no other replica": Refusal(
        {**NO_VOLUME, "replicaCount": 1},
        LOSS,
        (
            {"persistence": {"enabled": True}, "replicaCount": 1},
            {**NO_VOLUME, "replicaCount": 2, "drain": {"handOver": True}},
            {"persistence": {"enabled": False, "acceptLoss": True}, "replicaCount": 1},
        ),
    ),
    "no volume, and nothing handed over": Refusal(
        {**NO_VOLUME, "drain": {"handOver": False}},
        LOSS,
        ({**NO_VOLUME, "replicaCount": 2, "drain": {"handOver": True}},),
    ),
    "no volume, scaled to one": Refusal(
        {**NO_VOLUME, "autoscaling": {"enabled": True, "minReplicas": 1}},
        LOSS,
        ({**NO_VOLUME, "autoscaling": {"enabled": True, "minReplicas": 2}},),
    ),
    "nobody to hand over to": Refusal(
        {"drain": {"handOver": True}, "replicaCount": 1},
        "drain.handOver: there is no other replica to hand over to",
        ({"drain": {"handOver": True}, "replicaCount": 2}, {"drain": {"handOver": False}, "replicaCount": 1}),
    ),
    "volumes that go with a replica": Refusal(
        {"persistence": {"retentionPolicy": {"whenScaled": "Delete"}}},
        "persistence.retentionPolicy.whenScaled: Delete loses the waiting mail of a replica that is scaled down",
        (
            {"persistence": {"retentionPolicy": {"whenScaled": "Retain"}}},
            {"persistence": {"retentionPolicy": {"whenScaled": "Delete"}}, "drain": {"handOver": True}},
        ),
    ),
    "mail that is scaled away": Refusal(
        {**SCALED, "drain": {"handOver": False}},
        "drain.handOver: the mail of a replica that is scaled down would wait until there are as many replicas again",
        ({**SCALED, "drain": {"handOver": True}},),
    ),
    "fewer at the most than at the least": Refusal(
        {"autoscaling": {"enabled": True, "minReplicas": 7}},
        "autoscaling.maxReplicas: it is less than autoscaling.minReplicas",
        ({"autoscaling": {"enabled": True, "minReplicas": 7, "maxReplicas": 7}},),
    ),
    "a share of nothing": Refusal(
        {**SCALED, "resources": {"requests": {"cpu": None}}},
        "resources.requests.cpu: autoscaling uses a share of it, but it is not set",
        ({**SCALED, "resources": {"requests": {"cpu": "100m"}}},),
    ),
    "killed while it drains": Refusal(
        {"terminationGracePeriodSeconds": 60},
        "terminationGracePeriodSeconds: the pod would be killed before drain.timeout=60 and the stop are over",
        ({"terminationGracePeriodSeconds": 80}, {}, {"terminationGracePeriodSeconds": 60, "drain": {"timeout": 40}}),
    ),
    "nothing may be away": Refusal(
        {"podDisruptionBudget": {"maxUnavailable": "0%"}},
        "podDisruptionBudget.maxUnavailable: no node with a replica could ever be drained",
        ({"podDisruptionBudget": {"maxUnavailable": 1}},),
    ),
    "a budget of nothing": Refusal(
        {"podDisruptionBudget": {"maxUnavailable": None}},
        "podDisruptionBudget.maxUnavailable: neither it nor minAvailable is set",
        (
            {"podDisruptionBudget": {"maxUnavailable": 1}},
            {"podDisruptionBudget": {"maxUnavailable": None, "enabled": False}},
        ),
    ),
    "all must stay": Refusal(
        {"podDisruptionBudget": {"minAvailable": 2}},
        "podDisruptionBudget.minAvailable: there may be only 2 replicas, so no node with a replica could ever be drained",
        ({"podDisruptionBudget": {"maxUnavailable": 1}},),
    ),
    "a group for the queue": Refusal(
        {"podSecurityContext": {"fsGroup": 2000}},
        "podSecurityContext.fsGroup: Kubernetes would change groups and modes in the queue, which Postfix sets itself",
        ({"podSecurityContext": {}},),
    ),
    "another user": Refusal(
        {"securityContext": {"runAsUser": 1000, "runAsNonRoot": True}},
        "securityContext.runAsUser: Postfix starts as root, and keeps only six capabilities",
        ({"securityContext": {"runAsUser": 0}},),
    ),
    "nobody asks for metrics": Refusal(
        {"networkPolicy": {"metricsFrom": []}},
        "networkPolicy.metricsFrom: nobody could read the metrics",
        (
            {
                "networkPolicy": {
                    "metricsFrom": [
                        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
                    ]
                }
            },
            {"networkPolicy": {"metricsFrom": []}, "metrics": {"enabled": False}},
        ),
    ),
    "no metrics to ask for": Refusal(
        {"metrics": {"enabled": False, "serviceMonitor": {"enabled": True}}},
        "metrics.serviceMonitor.enabled: there are no metrics",
        ({"metrics": {"enabled": True, "serviceMonitor": {"enabled": True}}},),
    ),
}
