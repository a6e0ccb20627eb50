{{- define "lucity-app.autoscaler" }}
{{- $autoscaling := .service.autoscaling }}
{{- $cpu := $autoscaling.targetCPUUtilizationPercentage }}
{{- $memory := $autoscaling.targetMemoryUtilizationPercentage }}
{{- if not (or $cpu $memory) }}
{{- $cpu = 80 }}
{{- end }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "lucity-app.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .name | quote }}
  minReplicas: {{ $autoscaling.minReplicas | default 1 | int64 }}
  maxReplicas: {{ required (printf "services.%s.autoscaling.maxReplicas is missing" .name) $autoscaling.maxReplicas | int64 }}
  metrics:
    {{- range $resource, $target := dict "cpu" $cpu "memory" $memory }}
    {{- if $target }}
    - type: Resource
      resource:
        name: {{ $resource }}
        target:
          type: Utilization
          averageUtilization: {{ int64 $target }}
    {{- end }}
    {{- end }}
{{- end }}
