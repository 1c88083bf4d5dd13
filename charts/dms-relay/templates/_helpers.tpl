{{/* Names, labels, and what several objects share. _checks.tpl refuses values that do not go together. */}}

{{- define "dms-relay.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* 52 characters: Kubernetes makes a label from a StatefulSet's name and 11 more characters, and a label has at most 63. */}}
{{- define "dms-relay.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if not (contains $name .Release.Name) -}}
{{- $name = printf "%s-%s" .Release.Name $name -}}
{{- else -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "dms-relay.headless" -}}
{{ include "dms-relay.fullname" . }}-headless
{{- end -}}

{{/* The Service's full name, which Postfix finds without the search domains of the pod. */}}
{{- define "dms-relay.host" -}}
{{ include "dms-relay.fullname" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end -}}

{{- define "dms-relay.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dms-relay.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "dms-relay.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "dms-relay.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dms-relay.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "dms-relay.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "dms-relay.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* "true" if mail that is left at the end goes to another replica. */}}
{{- define "dms-relay.handOver" -}}
{{- if kindIs "bool" .Values.drain.handOver -}}
{{- if .Values.drain.handOver }}true{{ end -}}
{{- else if or (not .Values.persistence.enabled) .Values.autoscaling.enabled -}}
true
{{- end -}}
{{- end -}}

{{/* Seconds that a stop needs in addition to the drain: Postfix 3, the keeper 6, the log 1, and as much again for a slow node. */}}
{{- define "dms-relay.stopSeconds" -}}20{{- end -}}

{{- define "dms-relay.gracePeriod" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{ add .Values.drain.timeout 30 }}
{{- else -}}
{{ int64 .Values.terminationGracePeriodSeconds }}
{{- end -}}
{{- end -}}

{{/* The least number of replicas. */}}
{{- define "dms-relay.leastReplicas" -}}
{{- if .Values.autoscaling.enabled }}{{ int64 .Values.autoscaling.minReplicas }}{{ else }}{{ int64 .Values.replicaCount }}{{ end -}}
{{- end -}}

{{/* relay.yaml as text: unchanged if the value is text. */}}
{{- define "dms-relay.relayYaml" -}}
{{- if kindIs "string" .Values.relayYaml -}}
{{ .Values.relayYaml }}
{{- else if .Values.relayYaml -}}
{{ toYaml .Values.relayYaml }}
{{- end -}}
{{- end -}}

{{/* The ConfigMap to mount. Ours exists even while it is empty, so that a first relay.yaml restarts no pod. */}}
{{- define "dms-relay.configMap" -}}
{{ default (include "dms-relay.fullname" .) .Values.existingConfigMap }}
{{- end -}}

{{/* A value of the environment: Helm may hand over a number as a float. */}}
{{- define "dms-relay.text" -}}
{{- if kindIs "float64" . }}{{ if eq (float64 (int64 .)) . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* A value of the operator's own, with its templates filled in: (dict "value" VALUE "root" $). */}}
{{- define "dms-relay.filled" -}}
{{- tpl (kindIs "string" .value | ternary .value (toYaml .value)) .root -}}
{{- end -}}

{{/* The selector, as kubectl takes it. */}}
{{- define "dms-relay.selector" -}}
app.kubernetes.io/name={{ include "dms-relay.name" . }},app.kubernetes.io/instance={{ .Release.Name }}
{{- end -}}

{{/*
The options of kubectl for a pod that may send: from the first entry of networkPolicy.allowFrom that has only labels. The
namespace is known only if it is selected by its name.
*/}}
{{- define "dms-relay.sender" -}}
{{- $options := list -}}
{{- if .Values.networkPolicy.enabled -}}
{{- range .Values.networkPolicy.allowFrom -}}
{{- $namespace := $.Release.Namespace -}}
{{- if .namespaceSelector -}}
{{- $labels := default dict .namespaceSelector.matchLabels -}}
{{- $namespace = index $labels "kubernetes.io/metadata.name" | default "" -}}
{{- else if hasKey . "namespaceSelector" -}}
{{- $namespace = $.Release.Namespace -}}
{{- end -}}
{{- $pod := default dict .podSelector -}}
{{- if and (not $options) (not .ipBlock) $namespace (not $pod.matchExpressions) -}}
{{- $labels := list -}}
{{- range $key, $value := $pod.matchLabels }}{{ $labels = append $labels (printf "%s=%s" $key $value) }}{{ end -}}
{{- $options = append $options (printf " --namespace %s" $namespace) -}}
{{- with $labels }}{{ $options = append $options (printf " --labels=%s" (join "," .)) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $options }}{{ join "" $options }}{{ else }} --namespace {{ .Release.Namespace }}{{ end -}}
{{- end -}}
