{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/*
The gateway beside an app, for this chart's mode `sidecar` and for charts that have this one as a dependency with the mode
`library`: `{{ include "weir.sidecar.container" .Subcharts.weir | nindent 8 }}` among `initContainers`, the hook in the
app's `lifecycle`, and the volumes.

An init container with `restartPolicy: Always` is there before the app and gets SIGTERM only after the app has ended. So
somebody has to drain it before the app is told to end: the app's preStop hook does, and holds the app's SIGTERM back until
nothing is in flight. `preStop` hooks of all containers begin together.
*/}}

{{- define "weir.sidecar.container" -}}
- restartPolicy: Always
  {{- include "weir.container" . | nindent 2 }}
  {{- if .Values.sidecar.drain.token }}
  lifecycle:
    preStop:
      {{- include "weir.sidecar.httpGet" . | nindent 6 }}
  {{- end }}
{{- end }}

{{/* The app's `lifecycle`. `/drain` begins the drain, or joins the one that has begun, and answers when it is over. */}}
{{- define "weir.sidecar.appLifecycle" -}}
preStop:
  {{- if .Values.sidecar.drain.token }}
  {{- include "weir.sidecar.httpGet" . | nindent 2 }}
  {{- else }}
  exec:
    command: {{ toJson .Values.sidecar.drain.command }}
  {{- end }}
{{- end }}

{{- define "weir.sidecar.httpGet" -}}
httpGet:
  path: /drain
  port: 9901
  httpHeaders:
    - name: Authorization
      value: {{ printf "Bearer %s" .Values.sidecar.drain.token | quote }}
{{- end }}

{{- define "weir.sidecar.volumes" -}}
{{- include "weir.volumes" . }}
{{- end }}

{{/* Drain, then the app, then what the gateway has left to do. */}}
{{- define "weir.sidecar.gracePeriod" -}}
{{- add .Values.drain.timeout .Values.sidecar.stopSeconds 15 }}
{{- end }}
