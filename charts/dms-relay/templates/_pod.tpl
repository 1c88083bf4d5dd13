{{/* The pod, and its container. */}}

{{- define "dms-relay.podSpec" -}}
serviceAccountName: {{ include "dms-relay.serviceAccountName" . | quote }}
automountServiceAccountToken: false
# Otherwise the pod would get variables for each Service of the namespace, and some look like settings.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "dms-relay.gracePeriod" . }}
{{- if kindIs "bool" .Values.hostUsers }}
hostUsers: {{ .Values.hostUsers }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $name := list "priorityClassName" "runtimeClassName" "dnsPolicy" }}
{{- with index $.Values $name }}
{{ $name }}: {{ . | quote }}
{{- end }}
{{- end }}
{{- range $name := list "nodeSelector" "affinity" "tolerations" "hostAliases" "dnsConfig" }}
{{- with index $.Values $name }}
{{ $name }}:
  {{- include "dms-relay.filled" (dict "value" . "root" $) | nindent 2 }}
{{- end }}
{{- end }}
{{- with include "dms-relay.topologySpread" . | fromYamlArray }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: relay
    image: {{ include "dms-relay.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    {{- with .Values.securityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    env:
      {{- include "dms-relay.env" . | nindent 6 }}
    {{- with .Values.extraEnvFrom }}
    envFrom:
      {{- include "dms-relay.filled" (dict "value" . "root" $) | nindent 6 }}
    {{- end }}
    ports:
      - name: smtp
        containerPort: 25
      {{- if .Values.metrics.enabled }}
      - name: metrics
        containerPort: {{ .Values.metrics.port }}
      {{- end }}
    # "ready": it accepts mail. "live": Postfix answers, or drains. Neither looks at the inputs.
    startupProbe:
      exec:
        command: [healthcheck, ready]
      {{- toYaml .Values.probes.startup | nindent 6 }}
    readinessProbe:
      exec:
        command: [healthcheck, ready]
      {{- toYaml .Values.probes.readiness | nindent 6 }}
    livenessProbe:
      exec:
        command: [healthcheck, live]
      {{- toYaml .Values.probes.liveness | nindent 6 }}
    lifecycle:
      preStop:
        exec:
          command:
            - dms-relay
            - drain
            - --timeout
            - {{ int64 .Values.drain.timeout | quote }}
            {{- if include "dms-relay.handOver" . }}
            - --hand-over
            - {{ printf "%s:%d" (include "dms-relay.host" .) (int64 .Values.service.port) | quote }}
            {{- end }}
    {{- with .Values.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
      {{- include "dms-relay.volumeMounts" . | nindent 6 }}
volumes:
  {{- include "dms-relay.volumes" . | nindent 2 }}
{{- end -}}

{{- define "dms-relay.topologySpread" -}}
{{- $constraints := .Values.topologySpreadConstraints -}}
{{- if kindIs "invalid" $constraints -}}
{{- $constraints = list -}}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" -}}
{{- $constraints = append $constraints (dict "maxSkew" 1 "topologyKey" $key "whenUnsatisfiable" "ScheduleAnyway") -}}
{{- end -}}
{{- end -}}
{{- $selector := dict "matchLabels" (include "dms-relay.selectorLabels" . | fromYaml) -}}
{{- $filled := list -}}
{{- range $constraints }}{{ $filled = append $filled (merge (dict) . (dict "labelSelector" $selector)) }}{{ end -}}
{{ toYaml $filled }}
{{- end -}}

{{- define "dms-relay.env" -}}
- name: RELAY_PERMIT
  value: {{ join ", " .Values.permit | quote }}
- name: RELAY_WATCH
  value: "yes"
{{- if .Values.metrics.enabled }}
- name: RELAY_METRICS
  value: {{ printf ":%d" (int64 .Values.metrics.port) | quote }}
{{- end }}
{{- with .Values.hostname }}
- name: POSTFIX_MYHOSTNAME
  value: {{ . | quote }}
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name | quote }}
  value: {{ include "dms-relay.text" $value | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ include "dms-relay.filled" (dict "value" . "root" $) }}
{{- end }}
{{- end -}}
