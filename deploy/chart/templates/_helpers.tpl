{{/* Names and labels. */}}

{{- define "vigie.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "vigie.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "vigie.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "vigie.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "vigie.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "vigie.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "vigie.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Of the Secret with the credentials files; empty without one. */}}
{{- define "vigie.secretName" -}}
{{- if eq .Values.credentials.source "secret" -}}
{{- .Values.credentials.secretName -}}
{{- else if eq .Values.credentials.source "inline" -}}
{{- printf "%s-credentials" (include "vigie.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "vigie.pods" -}}
{{- if .Values.sharding.enabled -}}{{ .Values.sharding.total }}{{- else -}}{{ .Values.replicas }}{{- end -}}
{{- end -}}

{{/* The settings file: the values' own, with the Secret's file for each account that names none. */}}
{{- define "vigie.settings" -}}
{{- $file := printf "/etc/vigie/credentials/%s" .Values.credentials.key -}}
{{- $hasSecret := include "vigie.secretName" . -}}
{{- $accounts := list -}}
{{- range .Values.settings.account -}}
{{- if and $hasSecret (not (hasKey . "credentials_file")) -}}
{{- $accounts = append $accounts (merge (dict "credentials_file" $file) .) -}}
{{- else -}}
{{- $accounts = append $accounts . -}}
{{- end -}}
{{- end -}}
{{- toYaml (merge (dict "account" $accounts) (omit .Values.settings "account")) -}}
{{- end -}}
