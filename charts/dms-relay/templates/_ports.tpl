{{/* The ports of relays in the values: they must be open, even if networkPolicy.egress.relayPorts does not list them. */}}

{{/* A host's port: (dict "host" "a.example:2525" "default" 587). An IPv6 address without brackets has none. */}}
{{- define "dms-relay.portOf" -}}
{{- $found := regexFind "^([^:\\[\\]]+|\\[[^\\]]*\\]):[0-9]+$" (toString .host) -}}
{{- if $found }}{{ regexFind "[0-9]+$" $found }}{{ else }}{{ include "dms-relay.text" .default }}{{ end -}}
{{- end -}}

{{/* The ports of one relay of relay.yaml, one on each line. */}}
{{- define "dms-relay.portsOfRelay" -}}
{{- $default := eq (toString .mx) "true" | ternary 25 587 -}}
{{- with .port }}{{ $default = . }}{{ end -}}
{{- $hosts := .hosts | default (list (default "" .host)) -}}
{{- range (kindIs "slice" $hosts | ternary $hosts (list $hosts)) }}
{{ include "dms-relay.portOf" (dict "host" . "default" $default) }}
{{- end -}}
{{- end -}}

{{/* "true" if some mail goes directly, to port 25 of its recipient's server, as far as the values show. */}}
{{- define "dms-relay.goesDirectly" -}}
{{- $told := include "dms-relay.relayYaml" . | fromYaml -}}
{{- $places := list (default "" $told.default) -}}
{{- range $key := list "senders" "recipients" -}}
{{- range (kindIs "map" (index $told $key) | ternary (index $told $key) dict) -}}
{{- $places = append $places (kindIs "map" . | ternary . (dict "relay" .)).relay -}}
{{- end -}}
{{- end -}}
{{- $isKnown := not (or .Values.existingConfigMap .Values.extraEnv .Values.extraEnvFrom) -}}
{{- if or (has "direct" $places) (and $isKnown (not (or $told.default .Values.env.DEFAULT_RELAY_HOST))) }}true{{ end -}}
{{- end -}}

{{/* All ports, as a sorted JSON list of numbers. */}}
{{- define "dms-relay.relayPorts" -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.egress.relayPorts }}{{ $ports = append $ports (int64 .) }}{{ end -}}
{{- $lines := include "dms-relay.goesDirectly" . | empty | ternary list (list "25") -}}
{{- $relays := (include "dms-relay.relayYaml" . | fromYaml).relays | default dict -}}
{{- range (kindIs "map" $relays | ternary $relays dict) -}}
{{- if kindIs "map" . }}{{ $lines = concat $lines (splitList "\n" (include "dms-relay.portsOfRelay" .)) }}{{ end -}}
{{- end -}}
{{- with .Values.env.DEFAULT_RELAY_HOST }}{{ $lines = append $lines (include "dms-relay.portOf" (dict "host" . "default" 25)) }}{{ end -}}
{{- if .Values.env.RELAY_HOST }}{{ $lines = append $lines (include "dms-relay.text" (default 25 .Values.env.RELAY_PORT)) }}{{ end -}}
{{- range splitList "\n" .Values.postfixRelaymapCf -}}
{{- $words := regexFindAll "[^\\s]+" (regexReplaceAll "^\\s*#.*" . "") 2 -}}
{{- if eq (len $words) 2 }}{{ $lines = append $lines (include "dms-relay.portOf" (dict "host" (index $words 1) "default" 25)) }}{{ end -}}
{{- end -}}
{{- range $lines }}{{ with trim . | int64 }}{{ $ports = append $ports . }}{{ end }}{{ end -}}
{{- /* Texts of the same length sort like numbers. */ -}}
{{- $sorted := list -}}
{{- range $ports | uniq }}{{ $sorted = append $sorted (printf "%05d" .) }}{{ end -}}
{{- $ports = list -}}
{{- range sortAlpha $sorted }}{{ $ports = append $ports (trimPrefix "0" . | trimPrefix "0" | trimPrefix "0" | trimPrefix "0" | int64) }}{{ end -}}
{{ toJson $ports }}
{{- end -}}
