{{- define "lucity-app.deployment" }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "lucity-app.metadata" . | nindent 2 }}
spec:
  {{- if not .service.autoscaling }}
  replicas: {{ ternary .service.replicas 1 (hasKey .service "replicas") | int64 }}
  {{- end }}
  revisionHistoryLimit: 3
  progressDeadlineSeconds: 120
  selector:
    matchLabels:
      {{- nindent 6 .selector }}
  template:
    {{- include "lucity-app.pod" . | nindent 4 }}
{{- end }}

{{- define "lucity-app.cronjob" }}
{{- $cronJob := .service.cronJob | default dict }}
---
apiVersion: batch/v1
kind: CronJob
metadata:
  {{- include "lucity-app.metadata" . | nindent 2 }}
spec:
  schedule: {{ .service.schedule | quote }}
  concurrencyPolicy: {{ $cronJob.concurrencyPolicy | default "Forbid" }}
  suspend: {{ $cronJob.suspend | default false }}
  {{- with $cronJob.timeZone }}
  timeZone: {{ . | quote }}
  {{- end }}
  jobTemplate:
    metadata:
      labels:
        {{- nindent 8 .labels }}
    spec:
      backoffLimit: {{ ternary $cronJob.backoffLimit 3 (hasKey $cronJob "backoffLimit") | int64 }}
      {{- with $cronJob.activeDeadlineSeconds }}
      activeDeadlineSeconds: {{ int64 . }}
      {{- end }}
      template:
        {{- include "lucity-app.pod" . | nindent 8 }}
{{- end }}
