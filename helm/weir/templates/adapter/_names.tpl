{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* The metrics adapter: only where it is enabled, and never for a library. */}}

{{- define "weir.adapter.enabled" -}}
{{- if and (ne .Values.mode "library") .Values.adapter.enabled }}true{{ end }}
{{- end }}

{{- define "weir.adapter.name" -}}
{{ include "weir.fullname" . }}-metrics-adapter
{{- end }}

{{- define "weir.adapter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "weir.name" . }}-metrics-adapter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "weir.adapter.labels" -}}
{{ include "weir.adapter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Versions of APIs that it serves, one in a line. */}}
{{- define "weir.adapter.apis" -}}
v1beta2.custom.metrics.k8s.io
v1beta1.custom.metrics.k8s.io
{{- if .Values.adapter.external }}
v1beta1.external.metrics.k8s.io
{{- end }}
{{- end }}

{{/* The Secret with its certificate: of cert-manager's Certificate, or what the replicas share theirs by. */}}
{{- define "weir.adapter.secret" -}}
{{ include "weir.adapter.name" . }}-tls
{{- end }}
