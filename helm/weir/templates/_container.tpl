{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* The gateway's container, alike in a Deployment of its own and beside an app. */}}

{{- define "weir.env" -}}
{{- $v := .Values }}
{{- if eq $v.mode "gateway" }}
{{- with $v.upstream }}
- name: WEIR_UPSTREAM
  value: {{ join "," . | quote }}
{{- end }}
{{- else }}
- name: WEIR_UPSTREAM
  value: http://127.0.0.1:{{ $v.sidecar.port }}
{{- end }}
{{- if include "weir.configMap" . }}
- name: WEIR_CONFIG
  value: /etc/weir/weir.yaml
{{- end }}
{{- if $v.tls.secrets }}
- name: WEIR_LISTEN
  value: {{ ternary "tls://:8443" ":8080,tls://:8443" $v.tls.only | quote }}
- name: WEIR_TLS_CERT
  value: {{ include "weir.tlsFiles" (list . "tls.crt") }}
- name: WEIR_TLS_KEY
  value: {{ include "weir.tlsFiles" (list . "tls.key") }}
{{- end }}
{{- if $v.tls.ticketKeysSecret }}
- name: WEIR_TLS_TICKET_KEYS
  value: /tls-tickets/current,/tls-tickets/previous
{{- end }}
{{- with $v.discovery.zone }}
- name: WEIR_ZONE
  {{- if eq . "label" }}
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['topology.kubernetes.io/zone']
  {{- else }}
  value: {{ . | quote }}
  {{- end }}
{{- end }}
- name: WEIR_DRAIN_DELAY
  value: {{ $v.drain.delay }}s
- name: WEIR_DRAIN_TIMEOUT
  value: {{ $v.drain.timeout }}s
# In thousandths, and 0 where there is none. The size of a pod whose CPU limit is taken away.
- name: CPU_REQUEST_MILLIS
  valueFrom:
    resourceFieldRef:
      resource: requests.cpu
      divisor: 1m
- name: WEIR_CPU_REQUEST
  value: $(CPU_REQUEST_MILLIS)m
{{- if $v.adminToken.secret }}
- name: WEIR_ADMIN_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ $v.adminToken.secret }}
      key: {{ $v.adminToken.key }}
{{- else if and (ne $v.mode "gateway") $v.sidecar.drain.token }}
- name: WEIR_ADMIN_TOKEN
  value: {{ $v.sidecar.drain.token | quote }}
{{- end }}
{{- range $name, $value := $v.settings }}
- name: {{ $name }}
  {{- /* Numbers are floating point here; a million is not to become 1e+06. */}}
  {{- if and (kindIs "float64" $value) (eq (toString $value) (toString (floor $value))) }}
  value: {{ printf "%.0f" $value | quote }}
  {{- else }}
  value: {{ toString $value | quote }}
  {{- end }}
{{- end }}
{{- with $v.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* One file of each Secret: /tls/NAME/tls.crt,… */}}
{{- define "weir.tlsFiles" -}}
{{- $context := index . 0 }}{{ $file := index . 1 }}
{{- $files := list }}
{{- range $context.Values.tls.secrets }}
{{- $files = append $files (printf "/tls/%s/%s" . $file) }}
{{- end }}
{{- join "," $files }}
{{- end }}

{{/* Whole folders: what is mounted by subPath never changes. */}}
{{- define "weir.volumeMounts" -}}
{{- if include "weir.configMap" . }}
- {name: weir-config, mountPath: /etc/weir, readOnly: true}
{{- end }}
{{- range $index, $secret := .Values.tls.secrets }}
- {name: weir-tls-{{ $index }}, mountPath: /tls/{{ $secret }}, readOnly: true}
{{- end }}
{{- if .Values.tls.ticketKeysSecret }}
- {name: weir-tls-tickets, mountPath: /tls-tickets, readOnly: true}
{{- end }}
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "weir.volumes" -}}
{{- with include "weir.configMap" . }}
- name: weir-config
  configMap:
    name: {{ . }}
{{- end }}
{{- range $index, $secret := .Values.tls.secrets }}
- name: weir-tls-{{ $index }}
  secret:
    secretName: {{ $secret }}
{{- end }}
{{- with .Values.tls.ticketKeysSecret }}
- name: weir-tls-tickets
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "weir.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "weir.podSecurityContext" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "weir.container" -}}
name: weir
image: {{ include "weir.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
ports:
  {{- if not .Values.tls.only }}
  - name: http
    containerPort: 8080
  {{- end }}
  {{- if .Values.tls.secrets }}
  - name: https
    containerPort: 8443
  {{- end }}
  - name: admin
    containerPort: 9901
env:
  {{- include "weir.env" . | trim | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "weir.securityContext" . | nindent 2 }}
{{- with include "weir.volumeMounts" . | trim }}
volumeMounts:
  {{- . | nindent 2 }}
{{- end }}
startupProbe:
  httpGet: {path: /startupz, port: admin}
  {{- toYaml .Values.probes.startup | nindent 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  {{- toYaml .Values.probes.readiness | nindent 2 }}
livenessProbe:
  httpGet: {path: /livez, port: admin}
  {{- toYaml .Values.probes.liveness | nindent 2 }}
{{- end }}
