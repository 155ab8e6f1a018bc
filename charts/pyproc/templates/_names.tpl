{{/* Names and labels. */}}

{{- define "pyproc.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for a suffix such as -metrics. */}}
{{- define "pyproc.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 55 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pyproc.serviceAccountName" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "pyproc.fullname" . -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{/* What the Service, the budget and the spreading select by. It never changes. */}}
{{- define "pyproc.selectorLabels" -}}
app.kubernetes.io/name: {{ include "pyproc.name" . | toYaml }}
app.kubernetes.io/instance: {{ .Release.Name | toYaml }}
{{- end -}}

{{/* The labels that tell who made an object. */}}
{{- define "pyproc.originLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "pyproc.labels" -}}
{{ include "pyproc.selectorLabels" . }}
{{ include "pyproc.originLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of the pods. A new version of the chart alone replaces no pod, so it is not among them. */}}
{{- define "pyproc.podLabels" -}}
{{ include "pyproc.selectorLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The test's pod: it must not be one of those that the Service selects. */}}
{{- define "pyproc.testLabels" -}}
app.kubernetes.io/name: {{ printf "%s-test" (include "pyproc.name" . | trunc 58 | trimSuffix "-") }}
app.kubernetes.io/part-of: {{ include "pyproc.fullname" . | toYaml }}
{{- end -}}

{{- define "pyproc.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}
