{{- define "lucity-app.serviceaccount" }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- range $name, $value := .variables }}
  {{- if kindIs "string" $value }}
  {{ $name | quote }}: {{ $value | quote }}
  {{- end }}
  {{- else }}
  {}
  {{- end }}
{{- end }}
