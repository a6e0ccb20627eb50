{{/* A process' pod template. Takes (dict "root" $ "process" "api" "values" .Values.api). */}}
{{- define "lucity.pod" -}}
{{- $values := .root.Values -}}
{{- $image := $values.image -}}
{{- $builds := eq .process "builder" -}}
metadata:
  labels:
    {{- with .values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- include "lucity.process.selector" . | nindent 4 }}
  {{- with .values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "lucity.process.name" . }}
  automountServiceAccountToken: {{ eq $values.cluster.access "in-cluster" }}
  enableServiceLinks: false
  {{- with $image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  {{- with .values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  terminationGracePeriodSeconds: 30
  securityContext:
    {{- if $builds }}
    runAsNonRoot: false
    runAsUser: 0
    runAsGroup: 0
    seccompProfile:
      type: Unconfined
    appArmorProfile:
      type: Unconfined
    {{- else }}
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
    {{- end }}
  containers:
    - name: {{ .process }}
      image: {{ include (ternary "lucity.builder.image" "lucity.process.image" $builds) .root | quote }}
      imagePullPolicy: {{ $image.pullPolicy }}
      args: [{{ .process }}]
      env:
        {{- include "lucity.variables" . | nindent 8 }}
      {{- if eq .process "api" }}
      {{- include "lucity.probes" . | nindent 6 }}
      {{- end }}
      resources:
        {{- toYaml .values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: {{ $builds }}
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
          {{- if $builds }}
          add: {{ include "lucity.builder.capabilities" . }}
          {{- end }}
      volumeMounts:
        {{- include "lucity.mounts" . | nindent 8 }}
  volumes:
    {{- include "lucity.volumes" . | nindent 4 }}
  {{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
  {{- with get $.values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}

{{/* What adapters/build_jail.py needs to put builds into namespaces and to clear away what they leave. Kubernetes takes
     SYS_ADMIN only with allowPrivilegeEscalation; pivot_root and mount are not in the default seccomp and AppArmor profiles. */}}
{{- define "lucity.builder.capabilities" -}}
[CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID, SYS_ADMIN]
{{- end -}}

{{/* Ready means: it can admit changes. Whether workers, the observer, the Git host and the registry are there is the
     operator's to know, from /readyz as a whole; an API that went away with them would answer nobody. */}}
{{- define "lucity.probes" -}}
ports:
  - name: http
    containerPort: 8000
    protocol: TCP
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: "/readyz?exclude=git&exclude=worker&exclude=observer&exclude=registry&exclude=cluster", port: http}
  periodSeconds: 5
  timeoutSeconds: 5
lifecycle:
  preStop:
    exec: {command: [sleep, "5"]}
{{- end -}}

{{- define "lucity.variables" -}}
{{- $values := .root.Values -}}
{{- $given := dict
  "LUCITY_DATA" "/data"
  "LUCITY_PUBLIC_URL" $values.publicUrl
  "LUCITY_REDIS_URL_FILE" "/run/lucity/redis/url"
  "LUCITY_TOKEN_KEY_FILE" "/run/lucity/keys/token"
  "LUCITY_SIGNING_KEY_FILE" "/run/lucity/keys/signing"
  "LUCITY_SECRETS" $values.secrets.in
  "LUCITY_GIT_HOST" $values.git.host
  "LUCITY_DELIVERY" $values.delivery.by -}}
{{- if eq .process "api" -}}
{{- $_ := set $given "LUCITY_HOST" "0.0.0.0" -}}
{{- end -}}
{{- if ne $values.cluster.access "none" -}}
{{- $_ := set $given "LUCITY_KUBECONFIG" (ternary "in-cluster" "/run/lucity/cluster/kubeconfig" (eq $values.cluster.access "in-cluster")) -}}
{{- end -}}
{{- if eq $values.git.host "softserve" -}}
{{- $_ := set $given "LUCITY_SOFTSERVE_SSH_URL" $values.git.softserve.sshUrl -}}
{{- $_ := set $given "LUCITY_SOFTSERVE_HTTP_URL" $values.git.softserve.httpUrl -}}
{{- $_ := set $given "LUCITY_SOFTSERVE_ADMIN_KEY_FILE" "/run/lucity/softserve/key" -}}
{{- end -}}
{{- if eq $values.delivery.by "argocd" -}}
{{- $_ := set $given "LUCITY_ARGOCD_TOKEN_FILE" "/run/lucity/argocd/token" -}}
{{- with $values.delivery.argocd -}}
{{- range $name, $value := dict "URL" .url "NAMESPACE" .namespace "DESTINATION" .destination "GIT_URL" .gitUrl -}}
{{- if $value -}}
{{- $_ := set $given (printf "LUCITY_ARGOCD_%s" $name) $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if or $values.trust.existingConfigMap $values.trust.existingSecret -}}
{{- $_ := set $given "LUCITY_CA_FILE" "/run/lucity/trust/ca.crt" -}}
{{- end -}}
{{- with $values.registry -}}
{{- if .address -}}
{{- $_ := set $given "LUCITY_REGISTRY" .address -}}
{{- if .insecure -}}
{{- $_ := set $given "LUCITY_REGISTRY_INSECURE" "true" -}}
{{- end -}}
{{- if .username -}}
{{- $_ := set $given "LUCITY_REGISTRY_USERNAME" .username -}}
{{- $_ := set $given "LUCITY_REGISTRY_PASSWORD_FILE" "/run/lucity/registry/password" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := merge $given $values.settings }}
- name: {{ $name }}
  value: {{ $value | replace "$(" "$$(" | quote }}
{{- end }}
{{- end -}}

{{/* With a shared volume the caches lie beside it: SQLite and Git's locks are slow or wrong on network file systems. A
     builder is another user than the others, so it shares no volume with them. */}}
{{- define "lucity.mounts" -}}
- name: data
  mountPath: /data
{{- if and .root.Values.storage.shared.enabled (ne .process "builder") }}
{{- range list "mirrors" "history" "scratch" }}
- name: caches
  mountPath: /data/{{ . }}
  subPath: {{ . }}
{{- end }}
{{- end }}
- name: temporary
  mountPath: /tmp
- name: secrets
  mountPath: /run/lucity
  readOnly: true
{{- end -}}

{{- define "lucity.volumes" -}}
{{- $values := .root.Values -}}
{{- $builds := eq .process "builder" -}}
{{- $shared := and $values.storage.shared.enabled (not $builds) -}}
{{- if $shared -}}
- name: data
  persistentVolumeClaim:
    claimName: {{ include "lucity.claim" .root | quote }}
{{ end -}}
- name: {{ ternary "caches" "data" $shared }}
  {{- with ternary $values.builder.storage $values.storage.caches $builds }}
  {{- if .storageClassName }}
  ephemeral:
    volumeClaimTemplate:
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: {{ .storageClassName | quote }}
        resources:
          requests:
            storage: {{ .size | quote }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ .size | quote }}
  {{- end }}
  {{- end }}
- name: temporary
  emptyDir:
    sizeLimit: 256Mi
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- include "lucity.secret" (dict "of" $values.redis "key" $values.redis.key "path" "redis/url") | nindent 6 }}
      {{- include "lucity.secret" (dict "of" $values.keys "key" $values.keys.token "path" "keys/token") | nindent 6 }}
      {{- include "lucity.secret" (dict "of" $values.keys "key" $values.keys.signing "path" "keys/signing") | nindent 6 }}
      {{- with $values.trust }}
      {{- if .existingSecret }}
      {{- include "lucity.secret" (dict "of" . "key" .key "path" "trust/ca.crt") | nindent 6 }}
      {{- else if .existingConfigMap }}
      - configMap:
          name: {{ .existingConfigMap | quote }}
          items:
            - key: {{ .key | quote }}
              path: trust/ca.crt
      {{- end }}
      {{- end }}
      {{- if eq $values.git.host "softserve" }}
      {{- with $values.git.softserve.adminKey }}
      {{- include "lucity.secret" (dict "of" . "key" .key "path" "softserve/key") | nindent 6 }}
      {{- end }}
      {{- end }}
      {{- if and $values.registry.address $values.registry.username }}
      {{- with $values.registry.password }}
      {{- include "lucity.secret" (dict "of" . "key" .key "path" "registry/password") | nindent 6 }}
      {{- end }}
      {{- end }}
      {{- if eq $values.delivery.by "argocd" }}
      {{- with $values.delivery.argocd.token }}
      {{- include "lucity.secret" (dict "of" . "key" .key "path" "argocd/token") | nindent 6 }}
      {{- end }}
      {{- end }}
      {{- if eq $values.cluster.access "kubeconfig" }}
      {{- with $values.cluster.kubeconfig }}
      {{- include "lucity.secret" (dict "of" . "key" .key "path" "cluster/kubeconfig") | nindent 6 }}
      {{- end }}
      {{- end }}
{{- end -}}

{{- define "lucity.secret" -}}
- secret:
    name: {{ .of.existingSecret | quote }}
    items:
      - key: {{ .key | quote }}
        path: {{ .path }}
{{- end -}}
