{{/* All that is missing, at once, each with what makes it. */}}
{{- define "lucity.check" -}}
{{- $missing := list -}}
{{- $create := printf "kubectl --namespace %s create secret generic" .Release.Namespace -}}
{{- if not .Values.image.repository -}}
{{- $missing = append $missing "image.repository: where the image is that you built from the Dockerfile and pushed" -}}
{{- end -}}
{{- if not (regexMatch "^https?://[^/?#@]+/?$" .Values.publicUrl) -}}
{{- $missing = append $missing "publicUrl: how users reach Lucity, as https://lucity.example.com" -}}
{{- end -}}
{{- if not .Values.redis.existingSecret -}}
{{- $missing = append $missing (printf "redis.existingSecret: a Secret with redis://:PASSWORD@HOST:6379/0, the address of a Redis\n      %s lucity-redis --from-file=%s=FILE" $create .Values.redis.key) -}}
{{- end -}}
{{- if not .Values.keys.existingSecret -}}
{{- $missing = append $missing (printf "keys.existingSecret: a Secret with the two keys of Lucity\n      head -c 32 /dev/urandom > token && ssh-keygen -t ed25519 -N '' -C lucity -f signing\n      %s lucity-keys --from-file=%s=token --from-file=%s=signing" $create .Values.keys.token .Values.keys.signing) -}}
{{- end -}}
{{- if eq .Values.git.host "softserve" -}}
{{- with .Values.git.softserve -}}
{{- if not .sshUrl -}}
{{- $missing = append $missing "git.softserve.sshUrl: where Soft-serve is administered, as ssh://HOST:23231" -}}
{{- end -}}
{{- if not .httpUrl -}}
{{- $missing = append $missing "git.softserve.httpUrl: where Soft-serve serves Git, as http://HOST:23232" -}}
{{- end -}}
{{- if not .adminKey.existingSecret -}}
{{- $missing = append $missing (printf "git.softserve.adminKey.existingSecret: a Secret with the private key of an administrator of Soft-serve\n      %s lucity-softserve --from-file=%s=id_ed25519" $create .adminKey.key) -}}
{{- end -}}
{{- end -}}
{{- else if not .Values.storage.shared.enabled -}}
{{- $missing = append $missing "storage.shared.enabled: the local Git host needs one volume that all pods share" -}}
{{- end -}}
{{- if eq .Values.delivery.by "argocd" -}}
{{- with .Values.delivery.argocd -}}
{{- if not .url -}}
{{- $missing = append $missing "delivery.argocd.url: where Argo CD's API is, as https://argocd-server.argocd.svc" -}}
{{- end -}}
{{- if not .token.existingSecret -}}
{{- $missing = append $missing (printf "delivery.argocd.token.existingSecret: a Secret with an API key of Argo CD\n      argocd account generate-token --account lucity > token\n      %s lucity-argocd --from-file=%s=token" $create .token.key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.cluster.access "kubeconfig") (not .Values.cluster.kubeconfig.existingSecret) -}}
{{- $missing = append $missing (printf "cluster.kubeconfig.existingSecret: a Secret with a kubeconfig\n      %s lucity-cluster --from-file=%s=KUBECONFIG" $create .Values.cluster.kubeconfig.key) -}}
{{- end -}}
{{- if and (eq .Values.secrets.in "kubernetes") (ne .Values.cluster.access "in-cluster") -}}
{{- $missing = append $missing "cluster.access: in-cluster, for secrets.in: kubernetes" -}}
{{- end -}}
{{- if and .Values.trust.existingConfigMap .Values.trust.existingSecret -}}
{{- $missing = append $missing "trust: one of existingConfigMap and existingSecret, not both" -}}
{{- end -}}
{{- with .Values.registry -}}
{{- if and (or .username .password.existingSecret .insecure) (not .address) -}}
{{- $missing = append $missing "registry.address: where images are, as HOST[:PORT][/PREFIX]" -}}
{{- end -}}
{{- if and .username (not .password.existingSecret) -}}
{{- $missing = append $missing (printf "registry.password.existingSecret: a Secret with the password of registry.username\n      %s lucity-registry --from-file=%s=FILE" $create .password.key) -}}
{{- end -}}
{{- if and .password.existingSecret (not .username) -}}
{{- $missing = append $missing "registry.username: whose password registry.password is" -}}
{{- end -}}
{{- end -}}
{{- if .Values.builder.enabled -}}
{{- if not .Values.registry.address -}}
{{- $missing = append $missing "registry.address: where builders push images, as HOST[:PORT][/PREFIX]" -}}
{{- end -}}
{{- if ne .Values.git.host "softserve" -}}
{{- $missing = append $missing "git.host: softserve, for builder.enabled: builders share no volume with others" -}}
{{- end -}}
{{- if ne .Values.secrets.in "kubernetes" -}}
{{- $missing = append $missing "secrets.in: kubernetes, for builder.enabled: builders share no volume with others" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- $missing = append $missing "httpRoute.parentRefs: the Gateway that the route belongs to" -}}
{{- end -}}
{{- if $missing -}}
{{- fail (printf "Lucity cannot be installed yet; these values are missing:\n  - %s\n" (join "\n  - " $missing)) -}}
{{- end -}}
{{- end -}}
