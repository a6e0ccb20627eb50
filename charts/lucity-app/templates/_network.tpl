{{- define "lucity-app.service" }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "lucity-app.metadata" . | nindent 2 }}
spec:
  type: ClusterIP
  selector:
    {{- nindent 4 .selector }}
  ports:
    - name: http
      port: {{ int64 .service.port }}
      targetPort: http
      protocol: TCP
{{- end }}

{{- define "lucity-app.ingress" }}
{{- $ingress := .service.ingress | default dict }}
{{- $hosts := list }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "lucity-app.metadata" . | nindent 2 }}
  {{- with $ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $ingress.className }}
  ingressClassName: {{ . | quote }}
  {{- end }}
  rules:
    {{- range .service.hosts }}
    {{- $entry := include "lucity-app.host" . | fromJson }}
    {{- $hosts = append $hosts $entry.host }}
    - host: {{ $entry.host | quote }}
      http:
        paths:
          - path: {{ $entry.path | quote }}
            pathType: Prefix
            backend:
              service:
                name: {{ $.name | quote }}
                port:
                  name: http
    {{- end }}
  {{- with $ingress.tls }}
  tls:
    - hosts:
        {{- toYaml (uniq $hosts) | nindent 8 }}
      secretName: {{ .secretName | quote }}
  {{- end }}
{{- end }}

{{/* A rule of an HTTPRoute holds for all of its host names, so every distinct path gets a route of its own. */}}
{{- define "lucity-app.httproutes" }}
{{- $byPath := dict }}
{{- range .service.hosts }}
{{- $entry := include "lucity-app.host" . | fromJson }}
{{- $_ := set $byPath $entry.path (append (get $byPath $entry.path | default list) $entry.host) }}
{{- end }}
{{- range $index, $path := keys $byPath | sortAlpha }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ ternary $.name (printf "%s.%d" $.name $index) (eq $index 0) | quote }}
  labels:
    {{- nindent 4 $.labels }}
  {{- with $.service.ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  parentRefs:
    {{- list $.service.ingress.gateway | toYaml | nindent 4 }}
  hostnames:
    {{- toYaml (get $byPath $path | uniq) | nindent 4 }}
  rules:
    - matches:
        - path:
            type: PathPrefix
            value: {{ $path | quote }}
      backendRefs:
        - name: {{ $.name | quote }}
          port: {{ int64 $.service.port }}
{{- end }}
{{- end }}
