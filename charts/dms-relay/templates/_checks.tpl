{{/* stub */}}
{{- define "dms-relay.check" -}}{{- end -}}
