{{/* Takes every null out of a map, in place: Helm leaves some of them behind where it merges a subchart's values. */}}
{{- define "lucity-app.prune" -}}
{{- $map := . -}}
{{- range $key, $value := $map -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $map $key -}}
{{- else if kindIs "map" $value -}}
{{- include "lucity-app.prune" $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What never changes while a service lives: selectors are immutable. */}}
{{- define "lucity-app.selector" -}}
lucity.dev/project: {{ .project | quote }}
lucity.dev/service: {{ .name | quote }}
{{- end -}}

{{/* The labels of every object and of every pod. */}}
{{- define "lucity-app.labels" -}}
{{ .selector }}
lucity.dev/environment: {{ .environment | quote }}
lucity.dev/ephemeral: {{ .ephemeral | toString | quote }}
app.kubernetes.io/name: {{ .name | quote }}
app.kubernetes.io/instance: {{ printf "%s-%s" .project .environment | quote }}
app.kubernetes.io/component: {{ .component | quote }}
app.kubernetes.io/part-of: {{ .project | quote }}
app.kubernetes.io/managed-by: {{ .managedBy | quote }}
{{- with .service.image.tag }}
app.kubernetes.io/version: {{ regexReplaceAll "[^A-Za-z0-9._-]" . "-" | trunc 63 | trimAll "._-" | quote }}
{{- end }}
{{- end -}}

{{- define "lucity-app.metadata" -}}
name: {{ .name | quote }}
labels:
  {{- nindent 2 .labels }}
{{- end -}}

{{/* repository[:tag][@digest]: with a digest the tag is for readers only. */}}
{{- define "lucity-app.image" -}}
{{- .repository -}}
{{- with .tag }}:{{ . }}{{ end -}}
{{- with .digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* A host entry as {host, path}, in JSON. */}}
{{- define "lucity-app.host" -}}
{{- if kindIs "string" . -}}
{{- dict "host" . "path" "/" | toJson -}}
{{- else -}}
{{- dict "host" .host "path" (.path | default "/") | toJson -}}
{{- end -}}
{{- end -}}
