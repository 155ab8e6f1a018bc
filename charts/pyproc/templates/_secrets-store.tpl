{{/* The Secrets Store CSI driver: whose secrets, by which driver, with which parameters. */}}

{{- define "pyproc.secretsStore.provider" -}}
{{- $byIdentity := dict "gke" "gcp" "eks-irsa" "aws" "eks-pod-identity" "aws" "aks" "azure" -}}
{{- default (get $byIdentity .Values.cloudIdentity.provider) .Values.secretsStore.provider -}}
{{- end -}}

{{- define "pyproc.secretsStore.driver" -}}
{{- ternary "secrets-store-gke.csi.k8s.io" "secrets-store.csi.k8s.io" (eq (include "pyproc.secretsStore.provider" .) "gke") -}}
{{- end -}}

{{- define "pyproc.secretsStore.class" -}}
{{- default (printf "%s-secrets" (include "pyproc.fullname" .)) .Values.secretsStore.existingClass -}}
{{- end -}}

{{/* Each provider with the pod's own identity, none with the node's. */}}
{{- define "pyproc.secretsStore.parameters" -}}
{{- $store := .Values.secretsStore -}}
{{- $provider := include "pyproc.secretsStore.provider" . -}}
{{- $parameters := dict -}}
{{- if has $provider (list "gcp" "gke") -}}
  {{- $_ := set $parameters "secrets" (toYaml $store.objects) -}}
  {{- $_ := set $parameters "auth" "pod-adc" -}}
{{- else if eq $provider "aws" -}}
  {{- $_ := set $parameters "objects" (toYaml $store.objects) -}}
  {{- $_ := set $parameters "usePodIdentity" (eq .Values.cloudIdentity.provider "eks-pod-identity" | toString) -}}
  {{- with .Values.cloudIdentity.eks.region -}}
    {{- $_ := set $parameters "region" . -}}
  {{- end -}}
{{- else if eq $provider "azure" -}}
  {{- $objects := list -}}
  {{- range $store.objects -}}
    {{- $objects = append $objects (toYaml .) -}}
  {{- end -}}
  {{- $_ := set $parameters "objects" (toYaml (dict "array" $objects)) -}}
  {{- $_ := set $parameters "usePodIdentity" "false" -}}
  {{- $_ := set $parameters "clientID" .Values.cloudIdentity.aks.clientId -}}
  {{- $_ := set $parameters "tenantID" (default .Values.cloudIdentity.aks.tenantId $store.tenantId) -}}
  {{- $_ := set $parameters "keyvaultName" $store.keyvaultName -}}
{{- end -}}
{{- toYaml (mergeOverwrite $parameters $store.parameters) -}}
{{- end -}}
