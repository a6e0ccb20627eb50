{{- define "lucity-app.serviceaccount" }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "lucity-app.metadata" . | nindent 2 }}
  {{- with (.service.serviceAccount | default dict).annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}

{{- define "lucity-app.configmap" }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "lucity-app.metadata" . | nindent 2 }}
data:
  {{- range $name, $value := .variables }}
  {{- if kindIs "string" $value }}
  {{ $name | quote }}: {{ $value | quote }}
  {{- end }}
  {{- else }}
  {}
  {{- end }}
{{- end }}
