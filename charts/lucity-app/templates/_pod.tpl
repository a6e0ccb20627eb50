{{- define "lucity-app.pod" -}}
{{- $service := .service -}}
{{- $context := $service.securityContext | default dict -}}
metadata:
  labels:
    {{- nindent 4 .labels }}
  annotations:
    {{- with omit ($service.annotations | default dict) "checksum/variables" "lucity.dev/restarted-at" }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    checksum/variables: {{ .variables | toJson | sha256sum }}
    {{- with $service.restartedAt }}
    lucity.dev/restarted-at: {{ . | quote }}
    {{- end }}
spec:
  serviceAccountName: {{ .name | quote }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  restartPolicy: {{ ternary "Never" "Always" (not (empty $service.schedule)) }}
  {{- if hasKey $service "terminationGracePeriodSeconds" }}
  terminationGracePeriodSeconds: {{ int64 $service.terminationGracePeriodSeconds }}
  {{- end }}
  {{- with $service.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    {{- range $key := list "runAsUser" "runAsGroup" "fsGroup" }}
    {{- if hasKey $context $key }}
    {{ $key }}: {{ int64 (get $context $key) }}
    {{- end }}
    {{- end }}
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: {{ .name | quote }}
      image: {{ include "lucity-app.image" $service.image | quote }}
      {{- with $service.image.pullPolicy }}
      imagePullPolicy: {{ . }}
      {{- end }}
      {{- with $service.command }}
      command:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $service.args }}
      args:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if and $service.port (not $service.schedule) }}
      ports:
        - name: http
          containerPort: {{ int64 $service.port }}
          protocol: TCP
      {{- end }}
      {{- include "lucity-app.environment" . | nindent 6 }}
      {{- if not $service.schedule }}
      {{- with include "lucity-app.probes" . | trim }}
      {{- nindent 6 . }}
      {{- end }}
      {{- end }}
      {{- with $service.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: {{ $context.readOnlyRootFilesystem | default false }}
        capabilities:
          drop: [ALL]
      {{- with $service.temporary }}
      volumeMounts:
        {{- range $index, $path := keys . | sortAlpha }}
        - name: temporary-{{ $index }}
          mountPath: {{ $path | quote }}
        {{- end }}
      {{- end }}
  {{- with $service.temporary }}
  volumes:
    {{- $sizes := . }}
    {{- range $index, $path := keys . | sortAlpha }}
    - name: temporary-{{ $index }}
      emptyDir:
        sizeLimit: {{ get $sizes $path | quote }}
    {{- end }}
  {{- end }}
{{- end -}}

{{/* Literal values come through the ConfigMap, where Kubernetes expands nothing; $(X) in `env` it would expand. */}}
{{- define "lucity-app.environment" -}}
envFrom:
  - configMapRef:
      name: {{ .name | quote }}
{{- $secrets := list }}
{{- range $name, $value := .variables }}
{{- if kindIs "map" $value }}
{{- $secrets = append $secrets $name }}
{{- end }}
{{- end }}
{{- with $secrets }}
env:
  {{- range . }}
  {{- $reference := get $.variables . }}
  - name: {{ . | quote }}
    valueFrom:
      secretKeyRef:
        name: {{ $reference.secret | quote }}
        key: {{ $reference.key | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* A probe that names no port asks the service's; without a readiness probe the port must accept connections. */}}
{{- define "lucity-app.probes" -}}
{{- $port := .service.port -}}
{{- $probes := .service.probes | default dict -}}
{{- if and $port (not (hasKey $probes "readiness")) }}
readinessProbe:
  tcpSocket:
    port: {{ int64 $port }}
{{- end }}
{{- range $kind := list "startup" "readiness" "liveness" }}
{{- with get $probes $kind }}
{{- $probe := deepCopy . }}
{{- range $action := list "httpGet" "tcpSocket" "grpc" }}
{{- if hasKey $probe $action }}
{{- $settings := get $probe $action }}
{{- if not $settings.port }}
{{- $_ := set $settings "port" (required (printf "services.%s.probes.%s.%s.port is missing, and the service has no port" $.name $kind $action) $port | int64) }}
{{- end }}
{{- end }}
{{- end }}
{{ $kind }}Probe:
  {{- toYaml $probe | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
