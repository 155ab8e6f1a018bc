{{/*
Lists of which each entry has a name. A name given twice would be refused by a server-side apply, so
of two entries with the same name the later one stays, in the place of the earlier.
*/}}

{{/* {key: name, lists: [[…], […]]} as one list. */}}
{{- define "pyproc.merged" -}}
{{- $key := .key -}}
{{- $names := list -}}
{{- $entries := dict -}}
{{- range .lists -}}
  {{- range . -}}
    {{- $name := get . $key | toString -}}
    {{- if not (hasKey $entries $name) -}}
      {{- $names = append $names $name -}}
    {{- end -}}
    {{- $_ := set $entries $name . -}}
  {{- end -}}
{{- end -}}
{{- $merged := list -}}
{{- range $names -}}
  {{- $merged = append $merged (get $entries .) -}}
{{- end -}}
{{- toYaml $merged -}}
{{- end -}}

{{/* {containers: […], identity: …}: the user's containers, each once, with what the identity gives them. */}}
{{- define "pyproc.containers" -}}
{{- $identity := .identity -}}
{{- $containers := list -}}
{{- range include "pyproc.merged" (dict "key" "name" "lists" (list .containers)) | fromYamlArray -}}
  {{- $container := . -}}
  {{- if not (has .name $identity.skip) -}}
    {{- $env := include "pyproc.merged" (dict "key" "name" "lists" (list $identity.env (default list .env))) | fromYamlArray -}}
    {{- $mounts := include "pyproc.merged" (dict "key" "mountPath" "lists" (list $identity.mounts (default list .volumeMounts))) | fromYamlArray -}}
    {{- if $env -}}
      {{- $_ := set $container "env" $env -}}
    {{- end -}}
    {{- if $mounts -}}
      {{- $_ := set $container "volumeMounts" $mounts -}}
    {{- end -}}
  {{- end -}}
  {{- $containers = append $containers $container -}}
{{- end -}}
{{- toYaml $containers -}}
{{- end -}}
