{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/*
The gateway beside an app, for this chart's mode `sidecar` and for charts that have this one as a dependency with the mode
`library`: `{{ include "weir.sidecar.container" .Subcharts.weir | nindent 8 }}` among `initContainers`, the hook in the
app's `lifecycle`, and the volumes.

An init container with `restartPolicy: Always` is there before the app and gets SIGTERM only after the app has ended. Its
`preStop` hook begins with those of all other containers: it drains the gateway while the app still serves. The app's own
hook holds the app's SIGTERM back until nothing is in flight.
*/}}

{{- define "weir.sidecar.container" -}}
- restartPolicy: Always
  {{- include "weir.container" . | nindent 2 }}
  lifecycle:
    preStop:
      exec:
        command: [/usr/bin/weir, drain]
{{- end }}

{{/* The app's `lifecycle`. `/drain` begins the drain, or joins the one that has begun, and answers when it is over. */}}
{{- define "weir.sidecar.appLifecycle" -}}
{{- $drain := .Values.sidecar.drain }}
preStop:
  {{- if $drain.token }}
  httpGet:
    path: /drain
    port: 9901
    httpHeaders:
      - name: Authorization
        value: {{ printf "Bearer %s" $drain.token | quote }}
  {{- else if $drain.command }}
  exec:
    command: {{ toJson $drain.command }}
  {{- else }}
  {{- if semverCompare "<1.30-0" .Capabilities.KubeVersion.Version }}
  {{- fail (printf "sidecar.drain.command: without one the app's hook sleeps, which needs Kubernetes 1.30; this is %s" .Capabilities.KubeVersion.Version) }}
  {{- end }}
  sleep:
    seconds: {{ .Values.drain.timeout }}
  {{- end }}
{{- end }}

{{- define "weir.sidecar.volumes" -}}
{{- include "weir.volumes" . }}
{{- end }}

{{/* Drain, then the app, then what the gateway has left to do. */}}
{{- define "weir.sidecar.gracePeriod" -}}
{{- add .Values.drain.timeout .Values.sidecar.stopSeconds 15 }}
{{- end }}
