{{/* Names and labels. `lucity.fullname` and below take the root; `process` variants take (dict "root" $ "process" "api"). */}}
{{- define "lucity.fullname" -}}
{{- if contains "lucity" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-lucity" (.Release.Name | trunc 43 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "lucity.processes" -}}
api worker observer{{ if .Values.builder.enabled }} builder{{ end }}
{{- end -}}

{{- define "lucity.process.name" -}}
{{- printf "%s-%s" (include "lucity.fullname" .root) .process -}}
{{- end -}}

{{- define "lucity.labels" -}}
app.kubernetes.io/name: lucity
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "lucity.process.selector" -}}
app.kubernetes.io/name: lucity
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .process }}
{{- end -}}

{{- define "lucity.metadata" -}}
name: {{ include "lucity.fullname" . }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "lucity.labels" . | nindent 2 }}
{{- end -}}

{{- define "lucity.process.metadata" -}}
name: {{ include "lucity.process.name" . }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "lucity.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .process }}
{{- end -}}

{{- define "lucity.host" -}}
{{- (urlParse .Values.publicUrl).hostname -}}
{{- end -}}

{{- define "lucity.image" -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository .tag -}}
{{- end -}}
{{- end -}}

{{- define "lucity.process.image" -}}
{{- $image := .Values.image -}}
{{- include "lucity.image" (set (deepCopy $image) "tag" ($image.tag | default .Chart.AppVersion)) -}}
{{- end -}}

{{- define "lucity.builder.image" -}}
{{- $image := .Values.image -}}
{{- $own := .Values.builder.image -}}
{{- $repository := $own.repository | default (printf "%s-builder" $image.repository) -}}
{{- $tag := $own.tag | default $image.tag | default .Chart.AppVersion -}}
{{- include "lucity.image" (dict "repository" $repository "tag" $tag "digest" $own.digest) -}}
{{- end -}}

{{- define "lucity.claim" -}}
{{- .Values.storage.shared.existingClaim | default (include "lucity.fullname" .) -}}
{{- end -}}
