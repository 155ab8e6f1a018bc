{{/*
What `cloudIdentity` means, as one object that the other templates read:

  principal                 whom the cloud is to see
  serviceAccountAnnotations what marks the ServiceAccount
  podLabels, podAnnotations what marks the pod
  nodeSelector              which nodes
  env, mounts               for every container that is to have the identity
  volumes                   what the mounts name
  credentials               GKE with projectToken: the file that tells SDKs how to exchange the token
  skip                      the containers without it
*/}}
{{- define "pyproc.identity" -}}
{{- $identity := .Values.cloudIdentity -}}
{{- $provider := $identity.provider -}}
{{- $made := dict "serviceAccountAnnotations" dict "podLabels" dict "podAnnotations" dict "nodeSelector" dict
      "env" list "mounts" list "volumes" list "credentials" "" "principal" ""
      "skip" (default list $identity.skipContainers) -}}
{{- if $provider -}}
  {{- $account := printf "system:serviceaccount:%s:%s" .Release.Namespace (include "pyproc.serviceAccountName" .) -}}
  {{- $_ := set $made "principal" (include "pyproc.identity.principal" . | default $account) -}}
  {{- if $identity.projectToken -}}
    {{- $_ := mergeOverwrite $made (include "pyproc.identity.projected" . | fromYaml) -}}
  {{- else -}}
    {{- $_ := mergeOverwrite $made (include "pyproc.identity.marked" . | fromYaml) -}}
  {{- end -}}
{{- end -}}
{{- toYaml $made -}}
{{- end -}}

{{/* The name that the cloud knows: a Google service account, a role, a client. */}}
{{- define "pyproc.identity.principal" -}}
{{- $identity := .Values.cloudIdentity -}}
{{- if eq $identity.provider "gke" -}}{{- $identity.gke.serviceAccount -}}
{{- else if eq $identity.provider "eks-irsa" -}}{{- $identity.eks.roleArn -}}
{{- else if eq $identity.provider "aks" -}}{{- $identity.aks.clientId -}}
{{- end -}}
{{- end -}}

{{- define "pyproc.identity.expiration" -}}
{{- $default := ternary 86400 3600 (eq .Values.cloudIdentity.provider "eks-irsa") -}}
{{- default $default .Values.cloudIdentity.tokenExpirationSeconds | int64 -}}
{{- end -}}

{{/* The platform gives the identity to whom it finds marked. */}}
{{- define "pyproc.identity.marked" -}}
{{- $identity := .Values.cloudIdentity -}}
{{- $provider := $identity.provider -}}
{{- if eq $provider "gke" -}}
{{- if eq $identity.gke.mode "impersonation" }}
serviceAccountAnnotations:
  iam.gke.io/gcp-service-account: {{ $identity.gke.serviceAccount | quote }}
{{- end }}
{{- if $identity.gke.nodeSelector }}
nodeSelector:
  iam.gke.io/gke-metadata-server-enabled: "true"
{{- end }}
{{- else if eq $provider "eks-irsa" }}
serviceAccountAnnotations:
  eks.amazonaws.com/role-arn: {{ $identity.eks.roleArn | quote }}
  eks.amazonaws.com/sts-regional-endpoints: {{ $identity.eks.stsRegionalEndpoints | quote }}
  eks.amazonaws.com/token-expiration: {{ include "pyproc.identity.expiration" . | quote }}
  {{- if ne $identity.eks.audience "sts.amazonaws.com" }}
  eks.amazonaws.com/audience: {{ $identity.eks.audience | quote }}
  {{- end }}
{{- else if eq $provider "aks" }}
serviceAccountAnnotations:
  azure.workload.identity/client-id: {{ $identity.aks.clientId | quote }}
  azure.workload.identity/service-account-token-expiration: {{ include "pyproc.identity.expiration" . | quote }}
  {{- with $identity.aks.tenantId }}
  azure.workload.identity/tenant-id: {{ . | quote }}
  {{- end }}
podLabels:
  azure.workload.identity/use: "true"
{{- end }}
{{- with $identity.skipContainers }}
podAnnotations:
  {{- if eq $provider "aks" }}
  azure.workload.identity/skip-containers: {{ join ";" . | quote }}
  {{- else }}
  eks.amazonaws.com/skip-containers: {{ join "," . | quote }}
  {{- end }}
{{- end }}
{{- if and (hasPrefix "eks-" $provider) $identity.eks.region }}
env:
  {{- include "pyproc.identity.region" . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* botocore reads AWS_DEFAULT_REGION only, most other SDKs AWS_REGION. */}}
{{- define "pyproc.identity.region" -}}
- name: AWS_REGION
  value: {{ .Values.cloudIdentity.eks.region | quote }}
- name: AWS_DEFAULT_REGION
  value: {{ .Values.cloudIdentity.eks.region | quote }}
{{- end -}}

{{/*
The chart projects the token itself. Volume and path are its own: those of a webhook that is installed
later would collide with it, or inject the half of what is needed.
*/}}
{{- define "pyproc.identity.projected" -}}
{{- $identity := .Values.cloudIdentity -}}
{{- $folder := "/var/run/secrets/pyproc/identity" -}}
{{- if eq $identity.provider "gke" }}
env:
  - name: GOOGLE_APPLICATION_CREDENTIALS
    value: {{ $folder }}/credentials.json
  {{- with $identity.gke.project }}
  - name: GOOGLE_CLOUD_PROJECT
    value: {{ . | quote }}
  {{- end }}
credentials: {{ include "pyproc.identity.externalAccount" (dict "gke" $identity.gke "token" (printf "%s/token" $folder)) | quote }}
{{- else if eq $identity.provider "eks-irsa" }}
env:
  - name: AWS_ROLE_ARN
    value: {{ $identity.eks.roleArn | quote }}
  - name: AWS_WEB_IDENTITY_TOKEN_FILE
    value: {{ $folder }}/token
  {{- include "pyproc.identity.region" . | nindent 2 }}
  {{- if $identity.eks.stsRegionalEndpoints }}
  - name: AWS_STS_REGIONAL_ENDPOINTS
    value: regional
  {{- end }}
{{- else if eq $identity.provider "aks" }}
env:
  - name: AZURE_CLIENT_ID
    value: {{ $identity.aks.clientId | quote }}
  - name: AZURE_TENANT_ID
    value: {{ $identity.aks.tenantId | quote }}
  - name: AZURE_FEDERATED_TOKEN_FILE
    value: {{ $folder }}/token
  - name: AZURE_AUTHORITY_HOST
    value: {{ $identity.aks.authorityHost | quote }}
{{- end }}
mounts:
  - name: pyproc-identity
    mountPath: {{ $folder }}
    readOnly: true
volumes:
  - name: pyproc-identity
    projected:
      sources:
        - serviceAccountToken:
            audience: {{ include "pyproc.identity.audience" . | quote }}
            expirationSeconds: {{ include "pyproc.identity.expiration" . }}
            path: token
        {{- if eq $identity.provider "gke" }}
        - configMap:
            name: {{ include "pyproc.fullname" . }}-identity
            items:
              - key: credentials.json
                path: credentials.json
        {{- end }}
{{- end -}}

{{- define "pyproc.identity.audience" -}}
{{- $identity := .Values.cloudIdentity -}}
{{- if eq $identity.provider "gke" -}}https://iam.googleapis.com/{{ $identity.gke.workloadIdentityProvider }}
{{- else if eq $identity.provider "eks-irsa" -}}{{ $identity.eks.audience }}
{{- else -}}api://AzureADTokenExchange
{{- end -}}
{{- end -}}

{{/* How Google's SDKs are told to exchange a token: an external_account file. It holds no secret. */}}
{{- define "pyproc.identity.externalAccount" -}}
{{- $file := dict
  "type" "external_account"
  "audience" (printf "//iam.googleapis.com/%s" .gke.workloadIdentityProvider)
  "subject_token_type" "urn:ietf:params:oauth:token-type:jwt"
  "token_url" "https://sts.googleapis.com/v1/token"
  "credential_source" (dict "file" .token "format" (dict "type" "text")) -}}
{{- with .gke.serviceAccount -}}
  {{- $_ := set $file "service_account_impersonation_url"
      (printf "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/%s:generateAccessToken" .) -}}
{{- end -}}
{{- toJson $file -}}
{{- end -}}

{{/* Whose identity the pods have, by the values of their own or by the cloud's plain annotation or label. */}}
{{- define "pyproc.cloud" -}}
{{- $annotations := .Values.serviceAccount.annotations -}}
{{- if .Values.cloudIdentity.provider -}}
{{- .Values.cloudIdentity.provider -}}
{{- else if hasKey $annotations "iam.gke.io/gcp-service-account" -}}
gke
{{- else if hasKey $annotations "eks.amazonaws.com/role-arn" -}}
eks-irsa
{{- else if or (hasKey $annotations "azure.workload.identity/client-id") (hasKey .Values.podLabels "azure.workload.identity/use") -}}
aks
{{- end -}}
{{- end -}}
