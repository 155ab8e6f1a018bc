{{/* The program's configuration, and what the pod has to know of it. */}}

{{/* `config`, with the worker's place, the tokens', and what `cloudIdentity` asks of the program. */}}
{{- define "pyproc.config" -}}
{{- $config := dict -}}
{{- range $key, $value := .Values.config -}}
  {{- if not (kindIs "invalid" $value) -}}
    {{- $_ := set $config $key $value -}}
  {{- end -}}
{{- end -}}
{{- if .Values.worker.inline -}}
  {{- $_ := set $config "target" "/worker/worker.py" -}}
{{- else if .Values.worker.volume -}}
  {{- $_ := set $config "target" (printf "/worker/%s" .Values.worker.file) -}}
{{- end -}}
{{- if .Values.auth.existingSecret -}}
  {{- $_ := set $config "token_file" "/etc/pyproc-tokens/tokens" -}}
{{- end -}}
{{- if .Values.cloudIdentity.forbidStaticCredentials -}}
  {{- $_ := set $config "no_static_credentials" true -}}
{{- end -}}
{{- if .Values.cloudIdentity.wait -}}
  {{- $_ := set $config "wait_for_identity" true -}}
{{- end -}}
{{- toJson $config -}}
{{- end -}}

{{/* The port at the end of an address; 0 where there is none. */}}
{{- define "pyproc.port" -}}
{{- regexFind ":[0-9]+$" (toString .) | trimPrefix ":" | default "0" -}}
{{- end -}}

{{- define "pyproc.hasMetrics" -}}
{{- if ne (toString .Values.config.metrics_listen) "off" -}}yes{{- end -}}
{{- end -}}

{{/* Whether a text is a duration as the program reads it. */}}
{{- define "pyproc.isDuration" -}}
{{- $unit := "(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|min|mins|m|hours|hour|hr|hrs|h|days|day|d|weeks|week|wk|wks|w|months|month|M|years|year|yr|yrs|y)" -}}
{{- if regexMatch (printf "^\\s*([0-9]+(\\.[0-9]+)?\\s*%s\\s*)+$" $unit) (toString .) -}}yes{{- end -}}
{{- end -}}

{{/* A duration in whole seconds, rounded up. */}}
{{- define "pyproc.seconds" -}}
{{- $units := dict
  "n" 0.000000001 "u" 0.000001 "µ" 0.000001 "ms" 0.001 "millis" 0.001 "msec" 0.001
  "s" 1.0 "m" 60.0 "min" 60.0 "mins" 60.0 "minute" 60.0 "minutes" 60.0 "h" 3600.0 "d" 86400.0 "w" 604800.0
  "M" 2630016.0 "month" 2630016.0 "months" 2630016.0 "y" 31557600.0 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9]+(\\.[0-9]+)?\\s*[A-Za-zµ]+" (toString .) -1 -}}
  {{- $number := regexFind "[0-9.]+" . | float64 -}}
  {{- $unit := regexFind "[A-Za-zµ]+" . -}}
  {{- $length := get $units $unit | default (get $units (substr 0 1 $unit)) | default 0.0 -}}
  {{- $sum = addf $sum (mulf $number $length) -}}
{{- end -}}
{{- ceil $sum | int64 -}}
{{- end -}}

{{/* How long the program needs to go: the delay, the drain, and a moment for the workers to end. */}}
{{- define "pyproc.gracePeriod" -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given -}}
  {{- add (include "pyproc.drain" . | int64) 5 -}}
{{- else -}}
  {{- int64 $given -}}
{{- end -}}
{{- end -}}

{{- define "pyproc.drain" -}}
{{- add (include "pyproc.seconds" (default "0s" .Values.config.shutdown_delay) | int64)
        (include "pyproc.seconds" (default "10s" .Values.config.shutdown_timeout) | int64) -}}
{{- end -}}

{{/*
The startup probe: it gives up a little after the program itself would. The program waits for an identity without
end; a restart would not hasten it, so the probe leaves it an hour.
*/}}
{{- define "pyproc.startupProbe" -}}
{{- $probe := deepCopy .Values.probes.startup -}}
{{- if not (hasKey $probe "failureThreshold") -}}
  {{- $seconds := include "pyproc.seconds" (default "5m" .Values.config.start_timeout) | int64 -}}
  {{- if get (include "pyproc.config" . | fromJson) "wait_for_identity" -}}
    {{- $seconds = add $seconds 3600 -}}
  {{- end -}}
  {{- $period := default 10 $probe.periodSeconds | int64 -}}
  {{- $_ := set $probe "failureThreshold" (add (div $seconds $period) 2) -}}
{{- end -}}
{{- toYaml (merge (dict "httpGet" (dict "path" "/startupz" "port" "http")) $probe) -}}
{{- end -}}

{{/* How long that probe leaves a pod. */}}
{{- define "pyproc.startupSeconds" -}}
{{- $probe := include "pyproc.startupProbe" . | fromYaml -}}
{{- mul (int64 $probe.failureThreshold) (default 10 $probe.periodSeconds | int64) | add (default 0 $probe.initialDelaySeconds | int64) -}}
{{- end -}}
