{{/*
What is mounted where. Inputs are mounted as directories, never with subPath, so that changes reach the pod. Each is mounted directly
below another mount: everybody may write to an emptyDir, and dms-relay trusts only what is itself mounted there (docs/security.md).
*/}}

{{- define "dms-relay.volumeMounts" -}}
- name: etc-postfix
  mountPath: /etc/postfix
- name: var-lib-postfix
  mountPath: /var/lib/postfix
- name: run
  mountPath: /run
- name: tmp
  mountPath: /tmp
- name: queue
  mountPath: /var/spool/postfix
- name: state
  mountPath: /var/lib/dms-relay
- name: config
  mountPath: /tmp/docker-mailserver
  readOnly: true
{{- with include "dms-relay.secrets" . | fromYamlArray }}
- name: run-secrets
  mountPath: /run/secrets
{{- range . }}
- name: {{ .volume }}
  mountPath: {{ printf "/run/secrets/%s" .directory | quote }}
  readOnly: true
{{- end }}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ include "dms-relay.filled" (dict "value" . "root" $) }}
{{- end }}
{{- end -}}

{{/* The Secrets to mount, as a list. Volumes are numbered, because a Secret's name can be too long for a volume, or have dots. */}}
{{- define "dms-relay.secrets" -}}
{{- with .Values.existingSecret }}
- {volume: secret, directory: dms-relay, secret: {{ . | quote }}}
{{- end }}
{{- range $number, $secret := .Values.extraSecrets }}
- {volume: secret-{{ $number }}, directory: {{ $secret | quote }}, secret: {{ $secret | quote }}}
{{- end }}
{{- end -}}

{{- define "dms-relay.volumes" -}}
{{- $scratch := list "etc-postfix" "var-lib-postfix" "run" "tmp" -}}
{{- $secrets := include "dms-relay.secrets" . | fromYamlArray -}}
{{- if $secrets }}{{ $scratch = append $scratch "run-secrets" }}{{ end -}}
{{- range $number, $name := $scratch }}
{{- if $number }}
{{ end -}}
- name: {{ $name }}
  emptyDir:
    {{- toYaml $.Values.scratch | nindent 4 }}
{{- end }}
{{- if not .Values.persistence.enabled }}
- name: queue
  emptyDir: {}
- name: state
  emptyDir: {}
{{- end }}
{{- include "dms-relay.configVolume" . }}
{{- range $secrets }}
- name: {{ .volume }}
  secret:
    secretName: {{ .secret | quote }}
    # For root alone: 0400.
    defaultMode: 256
    optional: false
{{- end }}
{{- with .Values.extraVolumes }}
{{ include "dms-relay.filled" (dict "value" . "root" $) }}
{{- end }}
{{- end -}}

{{/* The configuration directory, even while it is empty. With logins in postfix-sasl-password.cf, it combines two objects. */}}
{{- define "dms-relay.configVolume" }}
- name: config
{{- if .Values.saslPasswordSecret.name }}
  projected:
    # 0444; the Secret's is 0400.
    defaultMode: 292
    sources:
      - configMap:
          name: {{ include "dms-relay.configMap" . | quote }}
          optional: false
      - secret:
          name: {{ .Values.saslPasswordSecret.name | quote }}
          optional: false
          items:
            - key: {{ .Values.saslPasswordSecret.key | quote }}
              path: postfix-sasl-password.cf
              mode: 256
{{- else }}
  configMap:
    name: {{ include "dms-relay.configMap" . | quote }}
    # 0444
    defaultMode: 292
    optional: false
{{- end }}
{{- end -}}
