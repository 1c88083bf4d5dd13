"""Sets of values that each turn something else on: what every test of all objects goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.charts.helm import Map

RELAY_YAML = """\
version: 1
relays:
  mailgun: {host: smtp.mailgun.org, port: 2526, login: {username: me, password_file: /run/secrets/dms-relay/mailgun}}
  own: {hosts: [a.example, "b.example:9999", "[2001:db8::1]:8888", "2001:db8::2"], port: 2587, tls: {match: a.example}}
  mx: {host: c.example, mx: true}
default: mailgun
senders: {example.org: direct}
"""
ONE_RELAY: Map = {"relayYaml": RELAY_YAML, "existingSecret": "relay-logins"}
NO_VOLUME: Map = {"persistence": {"enabled": False}, "replicaCount": 3}

#: Templates in whatever an operator adds.
FILLED: Map = {
    "extraEnv": [
        {"name": "A", "value": "{{ .Release.Name }}"},
        {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ],
    "extraEnvFrom": [{"secretRef": {"name": "{{ .Release.Name }}-more"}}],
    "extraVolumes": [{"name": "hooks", "configMap": {"name": "{{ .Release.Name }}-hooks", "defaultMode": 365}}],
    "extraVolumeMounts": [{"name": "hooks", "mountPath": "/docker-entrypoint.d/40-mine", "subPath": "40-mine"}],
    "extraObjects": [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "{{ .Release.Name }}-hooks"},
            "data": {"40-mine": "#!/bin/sh\n"},
        },
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}-more\nstringData: {C: c}\n",
    ],
    "podAnnotations": {"of": "{{ .Release.Name }}"},
    "podLabels": {"team": "mail"},
    "commonLabels": {"part-of": "post"},
    "networkPolicy": {
        "extraIngress": [{"from": [{"podSelector": {"matchLabels": {"of": "{{ .Release.Name }}"}}}]}],
        "extraEgress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
    },
}
WHERE: Map = {
    "nodeSelector": {"disk": "ssd"},
    "affinity": {"nodeAffinity": {}},
    "tolerations": [{"key": "mail", "operator": "Exists"}],
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    "priorityClassName": "high",
    "runtimeClassName": "gvisor",
    "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["relay.example"]}],
    "dnsPolicy": "ClusterFirst",
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "hostUsers": False,
    "imagePullSecrets": [{"name": "registry"}],
    "image": {"repository": "registry.example:5000/dms-relay", "digest": "sha256:" + "a" * 64},
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
    "minReadySeconds": 5,
}
MONITORED: Map = {
    "metrics": {
        "serviceMonitor": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "annotations": {"a": "b"},
            "interval": "30s",
            "scrapeTimeout": "10s",
            "relabelings": [{"action": "labeldrop", "regex": "pod_ip"}],
            "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "go_.*"}],
        },
        "prometheusRule": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "extraGroups": [{"name": "mine", "rules": []}],
        },
        "dashboard": {"enabled": True, "annotations": {"folder": "Mail"}},
    }
}
#: By name: values that go together.
MATRIX: dict[str, Map] = {
    "nothing": {},
    "a relay": ONE_RELAY,
    "a relay as a map": {
        "relayYaml": {"version": 1, "relays": {"a": {"host": "a.example", "port": 587}}, "default": "a"}
    },
    "all files": {
        **ONE_RELAY,
        "postfixMainCf": "a = b\n",
        "postfixMasterCf": "smtp/unix/a = b\n",
        "postfixRelaymapCf": "@a b:26\n",
    },
    "logins of a file": {
        "postfixRelaymapCf": "@a.example [b.example]:2526\n",
        "saslPasswordSecret": {"name": "sasl", "key": "k"},
    },
    "a ConfigMap of one's own": {"existingConfigMap": "mine"},
    "two Secrets": {"existingSecret": "one", "extraSecrets": ["two.example", "three"]},
    "variables": {
        "env": {
            "DEFAULT_RELAY_HOST": "[smtp.example.com]:777",
            "RELAY_HOST": "a.example",
            "RELAY_PORT": 26,
            "BIG": 10_000_000,
            "YES": True,
        },
        "hostname": "mail.example.com",
    },
    "no volume": NO_VOLUME,
    "no volume and one replica": {"persistence": {"enabled": False, "acceptLoss": True}, "replicaCount": 1},
    "volumes of a class": {
        "persistence": {"queue": {"storageClass": "fast", "annotations": {"a": "b"}}, "state": {"storageClass": "-"}},
        "drain": {"handOver": True, "timeout": 300},
    },
    "as many as needed": {
        "autoscaling": {"enabled": True, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}}}
    },
    "as many as other metrics say": {
        "autoscaling": {
            "enabled": True,
            "metrics": [
                {
                    "type": "Pods",
                    "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "10"}},
                }
            ],
        },
        "resources": {"requests": None, "limits": None},
    },
    "a share may be away": {"podDisruptionBudget": {"maxUnavailable": "50%"}},
    "a number must stay": {"podDisruptionBudget": {"minAvailable": 1}},
    "a share must stay": {
        "podDisruptionBudget": {"minAvailable": "50%", "unhealthyPodEvictionPolicy": "IfHealthyBudget"}
    },
    "for senders outside": {
        "service": {
            "type": "LoadBalancer",
            "loadBalancerSourceRanges": ["192.0.2.0/24"],
            "loadBalancerClass": "internal",
            "submissionPort": 587,
        },
        "permit": ["192.0.2.0/24"],
        "networkPolicy": {"allowFrom": []},
    },
    "both families": {
        "service": {"ipFamilyPolicy": "PreferDualStack", "annotations": {"a": "b"}, "port": 2525, "submissionPort": 587}
    },
    "few ports": {
        **ONE_RELAY,
        "networkPolicy": {
            "egress": {
                "dnsPorts": [53, 5353],
                "dnsTo": [{"namespaceSelector": {}}],
                "relayPorts": [],
                "tokenPorts": [],
                "relayTo": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.1/32"]}}],
            },
        },
    },
    "off": {
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "metrics": {"enabled": False},
        "serviceAccount": {"create": False},
        "topologySpreadConstraints": [],
    },
    "filled": FILLED,
    "where": WHERE,
    "monitored": MONITORED,
    "a name": {
        "fullnameOverride": "relay",
        "nameOverride": "post",
        "serviceAccount": {"name": "other", "annotations": {"a": "b"}},
    },
}
