{{/*
Refuse values that do not go together: all at once, before anything is rendered. Each line is "what is wrong -- what to write".
values.schema.json refuses values that are wrong by themselves.
*/}}

{{- define "dms-relay.check" -}}
{{- $lines := list -}}
{{- range $part := list "names" "inputs" "secrets" "env" "senders" "replicas" "stop" "rights" "metrics" -}}
{{- range splitList "\n" (include (printf "dms-relay.check.%s" $part) $) -}}
{{- with trim . }}{{ $lines = append $lines . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if $lines }}{{ fail (printf "\n%s\n" (join "\n" $lines)) }}{{ end -}}
{{- end -}}

{{- define "dms-relay.check.names" -}}
{{- if not (regexMatch "^[a-z]" (include "dms-relay.fullname" .)) }}
fullnameOverride: {{ include "dms-relay.fullname" . }} is not a valid name for a Service, which begins with a letter -- write one that does, such as relay
{{- end }}
{{- end -}}

{{- define "dms-relay.check.inputs" -}}
{{- $files := list -}}
{{- range $name := list "relayYaml" "postfixMainCf" "postfixMasterCf" "postfixRelaymapCf" -}}
{{- if index $.Values $name }}{{ $files = append $files $name }}{{ end -}}
{{- end -}}
{{- if and .Values.existingConfigMap $files }}
existingConfigMap: it replaces {{ join ", " $files }} -- write {{ $files | len | eq 1 | ternary "it" "them" }} into that ConfigMap, or leave existingConfigMap out
{{- end }}
{{- $relays := include "dms-relay.relayYaml" . | fromYaml }}
{{- if $relays.Error }}
relayYaml: it is not YAML: {{ $relays.Error | replace "\n" " " | trunc 200 }} -- correct it; --set-file relayYaml=FILE takes a file as it is
{{- end }}
{{- if include "dms-relay.inlineSecrets" $relays }}
relayYaml: {{ include "dms-relay.inlineSecrets" $relays }} would be in a ConfigMap -- put it into a Secret, name that in existingSecret, and write {{ include "dms-relay.inlineSecrets" $relays }}_file: /run/secrets/dms-relay/KEY
{{- end }}
{{- if and (contains "oauth2" (include "dms-relay.relayYaml" .)) .Values.networkPolicy.enabled (not .Values.networkPolicy.egress.tokenPorts) }}
networkPolicy.egress.tokenPorts: a login uses oauth2, but no token can be requested -- write [443]
{{- end }}
{{- end -}}

{{/* The key of the first secret that is in relay.yaml itself. */}}
{{- define "dms-relay.inlineSecrets" -}}
{{- regexFind "\"(password|client_secret)\":" (toJson .) | trimAll "\":" -}}
{{- end -}}

{{/* Refuse names of files in /run/secrets where nothing is mounted. */}}
{{- define "dms-relay.check.secrets" -}}
{{- $mounted := list -}}
{{- range include "dms-relay.secrets" . | fromYamlArray }}{{ $mounted = append $mounted .directory }}{{ end -}}
{{- if ne ($mounted | uniq | len) (len $mounted) }}
extraSecrets: "dms-relay" is the directory of existingSecret -- rename the Secret dms-relay, or put its keys into {{ .Values.existingSecret }}
{{- end }}
{{- $named := include "dms-relay.relayYaml" . | fromYaml | toJson }}
{{- range $name, $value := .Values.env }}{{ $named = printf "%s\n%v" $named $value }}{{ end -}}
{{- $extra := toJson .Values.extraVolumeMounts -}}
{{- range regexFindAll "/run/secrets/[A-Za-z0-9.-]+" $named -1 | uniq -}}
{{- $directory := base . -}}
{{- if not (or (has $directory $mounted) (contains . $extra) (contains "\"/run/secrets\"" $extra)) -}}
{{- if eq $directory "dms-relay" }}
existingSecret: {{ . }} is named, but no Secret is mounted there -- write the name of the Secret whose keys are these files
{{- else }}
extraSecrets: {{ . }} is named, but no Secret is mounted there -- write {{ $directory }} into extraSecrets if that is the Secret's name, or put the file into existingSecret, as /run/secrets/dms-relay/KEY
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "dms-relay.check.env" -}}
{{- $instead := dict "RELAY_PERMIT" "permit" "RELAY_METRICS" "metrics.enabled and metrics.port" "POSTFIX_MYHOSTNAME" "hostname" -}}
{{- range $name, $value := .Values.env -}}
{{- with index $instead $name }}
env.{{ $name }}: the chart sets it -- write {{ . }}
{{- end }}
{{- if eq $name "RELAY_WATCH" }}
env.RELAY_WATCH: the chart relies on the keeper, which applies changes -- leave it out
{{- end }}
{{- if eq $name "RELAY_DRAIN" }}
env.RELAY_DRAIN: a pod drains before it is told to stop -- write drain.timeout
{{- end }}
{{- if eq $name "DMS_RELAY_STATE_DIR" "MAIL_CONFIG" }}
env.{{ $name }}: the volumes are mounted at the default -- leave it out
{{- end }}
{{- if regexMatch "(PASSWORD|PASSWD|SECRET|TOKEN)$" $name }}
env.{{ $name }}: it would be in the StatefulSet, where others can read it -- put it into a Secret, name that in existingSecret, and write env.{{ $name }}__FILE=/run/secrets/dms-relay/KEY
{{- end }}
{{- end }}
{{- end -}}

{{- define "dms-relay.check.senders" -}}
{{- if and (not .Values.permit) (has (default "none" .Values.env.PERMIT_DOCKER) (list "none" "container")) }}
permit: Postfix would accept mail from nobody -- write the networks of your senders, such as [10.0.0.0/8]
{{- end }}
{{- range concat .Values.permit .Values.service.loadBalancerSourceRanges }}
{{- /* The limits of RELAY_PERMIT: no private network is larger. */ -}}
{{- if and (contains "/" .) (lt (regexFind "[0-9]+$" . | int) (contains ":" . | ternary 7 8)) }}
permit, service.loadBalancerSourceRanges: {{ . }} contains a part of the Internet, from which anybody could send (an open relay) -- write the networks of your own senders, such as 10.0.0.0/8
{{- end }}
{{- end }}
{{- if eq .Values.service.type "LoadBalancer" }}
{{- if not .Values.service.loadBalancerSourceRanges }}
service.loadBalancerSourceRanges: everybody could reach the relay -- write the networks of your senders outside the cluster, such as [192.0.2.0/24], and add them to permit as well
{{- end }}
{{- else if and .Values.networkPolicy.enabled (not .Values.networkPolicy.allowFrom) }}
networkPolicy.allowFrom: nobody could send -- write who may send, such as [{podSelector: {}}] for all pods of the namespace, or networkPolicy.enabled=false
{{- end }}
{{- if eq (int64 .Values.service.port) (int64 .Values.service.submissionPort) }}
service.submissionPort: it is the same as service.port -- write another one, or leave it out
{{- end }}
{{- end -}}

{{- define "dms-relay.check.replicas" -}}
{{- $least := include "dms-relay.leastReplicas" . | int64 -}}
{{- $handsOver := include "dms-relay.handOver" . -}}
{{- if and (not .Values.persistence.enabled) (not .Values.persistence.acceptLoss) (or (lt $least 2) (not $handsOver)) }}
persistence.enabled: without a volume, and without another replica to hand over to, mail is lost with the pod -- write persistence.enabled=true; or {{ .Values.autoscaling.enabled | ternary "autoscaling.minReplicas" "replicaCount" }}=2 or more, with drain.handOver=true; or, if you accept the loss, persistence.acceptLoss=true
{{- else if and .Values.drain.handOver (lt $least 2) }}
drain.handOver: there is no other replica to hand over to -- write {{ .Values.autoscaling.enabled | ternary "autoscaling.minReplicas" "replicaCount" }}=2 or more, or drain.handOver=false
{{- end }}
{{- if and .Values.persistence.enabled (not $handsOver) }}
{{- if eq .Values.persistence.retentionPolicy.whenScaled "Delete" }}
persistence.retentionPolicy.whenScaled: Delete loses the waiting mail of a replica that is scaled down -- write Retain, or drain.handOver=true
{{- else if .Values.autoscaling.enabled }}
drain.handOver: the mail of a replica that is scaled down would wait until there are as many replicas again -- write drain.handOver=true
{{- end }}
{{- end }}
{{- if .Values.autoscaling.enabled }}
{{- if lt (int64 .Values.autoscaling.maxReplicas) (int64 .Values.autoscaling.minReplicas) }}
autoscaling.maxReplicas: it is less than autoscaling.minReplicas -- write {{ .Values.autoscaling.minReplicas }} or more
{{- end }}
{{- if not (or .Values.autoscaling.metrics (dig "requests" "cpu" "" .Values.resources)) }}
resources.requests.cpu: autoscaling uses a share of it, but it is not set -- write resources.requests.cpu=100m or a value that fits, or autoscaling.metrics
{{- end }}
{{- end }}
{{- end -}}

{{- define "dms-relay.check.stop" -}}
{{- $stop := include "dms-relay.stopSeconds" . | int64 -}}
{{- if lt (include "dms-relay.gracePeriod" . | int64) (add .Values.drain.timeout $stop | int64) }}
terminationGracePeriodSeconds: the pod would be killed before drain.timeout={{ int64 .Values.drain.timeout }} and the stop are over -- write {{ add .Values.drain.timeout $stop }} or more, leave it out, or write a shorter drain.timeout
{{- end }}
{{- if .Values.podDisruptionBudget.enabled }}
{{- $least := include "dms-relay.leastReplicas" . | int64 -}}
{{- with .Values.podDisruptionBudget }}
{{- if kindIs "invalid" .minAvailable }}
{{- if has (toString .maxUnavailable) (list "0" "0%") }}
podDisruptionBudget.maxUnavailable: no node with a replica could ever be drained -- write 1 or more
{{- else if kindIs "invalid" .maxUnavailable }}
podDisruptionBudget.maxUnavailable: neither it nor minAvailable is set -- write 1, or podDisruptionBudget.enabled=false
{{- end }}
{{- else if or (eq (toString .minAvailable) "100%") (and (not (kindIs "string" .minAvailable)) (ge (int64 .minAvailable) $least)) }}
podDisruptionBudget.minAvailable: there may be only {{ $least }} replicas, so no node with a replica could ever be drained -- write podDisruptionBudget.maxUnavailable=1 instead
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "dms-relay.check.rights" -}}
{{- if hasKey .Values.podSecurityContext "fsGroup" }}
podSecurityContext.fsGroup: Kubernetes would change groups and modes in the queue, which Postfix sets itself -- leave it out: an empty volume gets the right owners when the pod starts
{{- end }}
{{- $rights := merge (dict) .Values.securityContext .Values.podSecurityContext }}
{{- if or $rights.runAsNonRoot (ne (int64 (default 0 $rights.runAsUser)) 0) }}
securityContext.runAsUser: Postfix starts as root, and keeps only six capabilities -- write runAsUser: 0, and leave runAsNonRoot out
{{- end }}
{{- end -}}

{{- define "dms-relay.check.metrics" -}}
{{- if .Values.metrics.enabled }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.metricsFrom) }}
networkPolicy.metricsFrom: nobody could read the metrics -- write where Prometheus runs, such as [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}], or metrics.enabled=false
{{- end }}
{{- else }}
{{- range $name := list "serviceMonitor" "prometheusRule" }}
{{- if (index $.Values.metrics $name).enabled }}
metrics.{{ $name }}.enabled: there are no metrics -- write metrics.enabled=true
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
