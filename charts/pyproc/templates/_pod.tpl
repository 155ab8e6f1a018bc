{{/* The chart's own volumes, mounts and variables; what the user adds wins over them. */}}

{{- define "pyproc.volumes" -}}
- name: pyproc-config
  configMap:
    name: {{ include "pyproc.fullname" . }}-config
- name: podinfo
  downwardAPI:
    items:
      - path: labels
        fieldRef:
          fieldPath: metadata.labels
      - path: annotations
        fieldRef:
          fieldPath: metadata.annotations
- name: tmp
  emptyDir: {}
{{- if .Values.worker.inline }}
- name: worker
  configMap:
    name: {{ include "pyproc.fullname" . }}-worker
{{- else if .Values.worker.volume }}
- name: worker
  {{- toYaml .Values.worker.volume | nindent 2 }}
{{- end }}
{{- if .Values.auth.existingSecret }}
- name: tokens
  secret:
    secretName: {{ .Values.auth.existingSecret | toYaml }}
    items:
      - key: {{ .Values.auth.key | toYaml }}
        path: tokens
{{- end }}
{{- if .Values.secretsStore.enabled }}
- name: secrets-store
  csi:
    driver: {{ include "pyproc.secretsStore.driver" . }}
    readOnly: true
    volumeAttributes:
      secretProviderClass: {{ include "pyproc.secretsStore.class" . }}
{{- end }}
{{- end -}}

{{- define "pyproc.volumeMounts" -}}
- name: pyproc-config
  mountPath: /etc/pyproc
  readOnly: true
- name: podinfo
  mountPath: /etc/podinfo
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- if or .Values.worker.inline .Values.worker.volume }}
- name: worker
  mountPath: /worker
  readOnly: true
{{- end }}
{{- if .Values.auth.existingSecret }}
- name: tokens
  mountPath: /etc/pyproc-tokens
  readOnly: true
{{- end }}
{{- if .Values.secretsStore.enabled }}
- name: secrets-store
  mountPath: {{ .Values.secretsStore.mountPath }}
  readOnly: true
{{- end }}
{{- end -}}

{{- define "pyproc.env" -}}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: HOST_IP
  valueFrom:
    fieldRef:
      fieldPath: status.hostIP
{{- end -}}

{{/* What tells the pods of one state of the values from those of another, and what the program expects to find. */}}
{{- define "pyproc.podAnnotations" -}}
checksum/config: {{ include "pyproc.config" . | sha256sum }}
{{- with .Values.worker.inline }}
checksum/worker: {{ . | sha256sum }}
{{- end }}
{{- $identity := include "pyproc.identity" . | fromYaml }}
{{- with .Values.cloudIdentity.provider }}
pyproc/identity-provider: {{ . }}
pyproc/identity-principal: {{ $identity.principal | quote }}
pyproc/service-account: {{ printf "%s/%s" $.Release.Namespace (include "pyproc.serviceAccountName" $) | quote }}
{{- end }}
{{- /* Webhooks act on new pods alone, so that whatever they read replaces the pods when it changes. */}}
{{- with include "pyproc.cloud" . }}
pyproc/identity-checksum: {{ list $identity $.Values.serviceAccount.annotations $.Values.serviceAccount.labels | toJson | sha256sum }}
{{- end }}
{{- with $identity.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}
