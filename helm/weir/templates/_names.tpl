{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* Names, labels, and which version of an API there is. */}}

{{/* 46 characters: `-metrics-adapter` fits behind it, in a name and in a label. */}}
{{- define "weir.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 46 | trimSuffix "-" }}
{{- end }}

{{- define "weir.fullname" -}}
{{- $name := include "weir.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 46 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 46 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 46 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "weir.selectorLabels" -}}
app.kubernetes.io/name: {{ include "weir.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "weir.labels" -}}
{{ include "weir.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "weir.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "weir.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "weir.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* By the cluster's version: without a cluster, `.Capabilities.APIVersions` has all that the client knows. */}}
{{- define "weir.hpaVersion" -}}
{{- if semverCompare ">=1.23-0" .Capabilities.KubeVersion.Version }}autoscaling/v2{{ else }}autoscaling/v2beta2{{ end }}
{{- end }}

{{- define "weir.pdbVersion" -}}
{{- if semverCompare ">=1.21-0" .Capabilities.KubeVersion.Version }}policy/v1{{ else }}policy/v1beta1{{ end }}
{{- end }}

{{/* The ConfigMap with the configuration file; empty where there is none. */}}
{{- define "weir.configMap" -}}
{{- if .Values.config.existing }}
{{- .Values.config.existing }}
{{- else if .Values.config.content }}
{{- include "weir.fullname" . }}
{{- end }}
{{- end }}

{{/* What the schema cannot say: values that contradict each other. */}}
{{- define "weir.check" -}}
{{- $v := .Values }}
{{- if and $v.config.content $v.config.existing }}
{{- fail "config.content and config.existing: give one of them" }}
{{- end }}
{{- if lt (int $v.drain.timeout) (int $v.drain.delay) }}
{{- fail (printf "drain.timeout: %v is below drain.delay, %v" $v.drain.timeout $v.drain.delay) }}
{{- end }}
{{- if lt (int $v.autoscaling.max) (int $v.autoscaling.min) }}
{{- fail (printf "autoscaling.max: %v is below autoscaling.min, %v" $v.autoscaling.max $v.autoscaling.min) }}
{{- end }}
{{- if and $v.tls.only (not $v.tls.secrets) }}
{{- fail "tls.only: needs tls.secrets" }}
{{- end }}
{{- if and $v.tls.ticketKeysSecret (not $v.tls.secrets) }}
{{- fail "tls.ticketKeysSecret: needs tls.secrets" }}
{{- end }}
{{- if and $v.serviceMonitor.enabled $v.podMonitor.enabled }}
{{- fail "serviceMonitor.enabled and podMonitor.enabled: every pod would be scraped twice" }}
{{- end }}
{{- if eq $v.mode "sidecar" }}
{{- if not $v.sidecar.app }}
{{- fail "sidecar.app: the app's container is needed in the mode sidecar" }}
{{- end }}
{{- if $v.upstream }}
{{- fail "upstream: in the mode sidecar requests go to sidecar.port" }}
{{- end }}
{{- if and $v.sidecar.drain.token $v.adminToken.secret }}
{{- fail "sidecar.drain.token and adminToken.secret: give one of them" }}
{{- end }}
{{- if semverCompare "<1.29-0" .Capabilities.KubeVersion.Version }}
{{- fail (printf "mode: sidecar needs Kubernetes 1.29 for containers that outlive the app; this is %s" .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- end }}
{{- end }}
