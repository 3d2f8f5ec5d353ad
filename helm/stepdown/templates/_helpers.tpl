{{- define "stepdown.name" -}}
{{- $name := ternary .Release.Name (printf "%s-stepdown" .Release.Name) (contains "stepdown" .Release.Name) -}}
{{- .Values.fullnameOverride | default $name | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "stepdown.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "stepdown.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "stepdown.selector" -}}
app.kubernetes.io/name: stepdown
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The pod of `helm test`: not the operator's, so that no Service and no budget takes it for one. */}}
{{- define "stepdown.testSelector" -}}
app.kubernetes.io/name: stepdown-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "stepdown.labels" -}}
{{ include "stepdown.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "stepdown.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What a person runs to let the operator into a namespace. Empty where roles are made by others. */}}
{{- define "stepdown.optIn" -}}
{{- if .Values.rbac.create -}}
{{- $name := include "stepdown.name" . -}}
kubectl -n $NAMESPACE create rolebinding {{ $name }} --clusterrole={{ $name }}-workloads --serviceaccount={{ .Release.Namespace }}:{{ include "stepdown.serviceAccount" . }}
{{- end -}}
{{- end -}}

{{/* Seconds after which the hook before an uninstall is ended: its own deadline, and a minute for its pod to start. */}}
{{- define "stepdown.uninstallSeconds" -}}
{{- $unit := get (dict "s" 1 "m" 60 "h" 3600) (regexFind "[smh]$" .Values.uninstall.deadline) -}}
{{- add 60 (mul (regexFind "^[0-9]+" .Values.uninstall.deadline | int) $unit) -}}
{{- end -}}

{{/* The file that `stepdown run --config` reads. */}}
{{- define "stepdown.config" -}}
{{- if ge (int .Values.lease.renewSeconds) (int .Values.lease.durationSeconds) -}}
{{- fail (printf "lease.renewSeconds is %d and lease.durationSeconds %d: a leader must renew before its lease ends, so make renewSeconds smaller" (int .Values.lease.renewSeconds) (int .Values.lease.durationSeconds)) -}}
{{- end -}}
{{- if and (not .Values.watchOthers) (or .Values.allNamespaces (not .Values.namespaces)) -}}
{{- fail "watchOthers is false, so just the namespaces that you list are watched: list some in namespaces, and leave allNamespaces off" -}}
{{- end -}}
{{- $endpoint := dict -}}
{{- with .Values.metricsEndpoint -}}
{{- if .url -}}
{{- $endpoint = pick . "url" "allowedCIDRs" "namespaceSelector" "timeout" "limits" -}}
{{- with .auth.secretName -}}
{{- $_ := set $endpoint "auth" (dict "secretRef" (dict "name" .)) -}}
{{- end -}}
{{- with .ca -}}
{{- $_ := set $endpoint "ca" . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $page := dict "image" (include "stepdown.image" .) "pullPolicy" .Values.image.pullPolicy -}}
{{- $secrets := list -}}
{{- range .Values.imagePullSecrets -}}
{{- $secrets = append $secrets .name -}}
{{- end -}}
{{- if $secrets -}}
{{- $_ := set $page "pullSecrets" $secrets -}}
{{- end -}}
{{- dict
  "namespaces" (ternary (list) .Values.namespaces .Values.watchOthers)
  "optIn" (include "stepdown.optIn" .)
  "leaseNamespace" .Release.Namespace
  "metricsEndpoint" (ternary $endpoint nil (not (empty $endpoint)))
  "statusPage" (ternary $page nil .Values.features.statusPage)
  "logLevel" .Values.logLevel
  "logFormat" .Values.logFormat
  "metricsAddress" "0.0.0.0:8080"
  "massGuard" .Values.massGuard
  "lease" (dict
    "name" (include "stepdown.name" .)
    "durationSeconds" .Values.lease.durationSeconds
    "renewSeconds" .Values.lease.renewSeconds)
  | toPrettyJson -}}
{{- end -}}
