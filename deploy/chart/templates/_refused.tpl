{{/* What no schema can say: values that do not go together, each with what to do. */}}

{{- define "vigie.refused" -}}
{{- $values := .Values -}}
{{- $source := $values.credentials.source -}}

{{- if not $values.settings.account -}}
{{- fail "settings.account is empty, so that there is nothing to watch: list at least one account with name, provider and regions, as in the chart's README" -}}
{{- end -}}
{{- $names := list -}}
{{- $pairs := 0 -}}
{{- range $values.settings.account -}}
{{- if has .name $names -}}
{{- fail (printf "settings.account has two accounts named %q: give each its own name, since it is their label" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- $pairs = ternary 1000 (add $pairs (len .regions)) (has "*" .regions) -}}
{{- if and (has $source (list "irsa" "pod-identity")) (eq .provider "outscale") (not .credentials_file) -}}
{{- fail (printf "credentials.source is %q, which gives keys of AWS, and account %q is of OUTSCALE: use credentials.source=secret, or give that account a credentials_file that extraVolumes bring" $source .name) -}}
{{- end -}}
{{- end -}}

{{- if and (gt (int $values.replicas) 1) $values.sharding.enabled -}}
{{- fail (printf "replicas is %d and sharding is enabled: leave replicas at 1, since sharding.total is the number of pods" (int $values.replicas)) -}}
{{- end -}}
{{- if and (gt (int $values.replicas) 1) (not $values.allowDuplicatePolling) -}}
{{- fail (printf "replicas is %d, and each pod would make every call of the cloud's API: set sharding.enabled=true to divide the work, or allowDuplicatePolling=true if that is meant" (int $values.replicas)) -}}
{{- end -}}
{{- if and $values.sharding.enabled (gt (int $values.sharding.total) (int $pairs)) -}}
{{- fail (printf "sharding.total is %d, more than the accounts have regions (%d), so that some pods would have nothing to poll: set it to %d or less" (int $values.sharding.total) (int $pairs) (int $pairs)) -}}
{{- end -}}
{{- if and $values.sharding.enabled (semverCompare "<1.28-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "sharding needs Kubernetes 1.28, whose StatefulSets label pods with their ordinal, and this is %s: upgrade the cluster, or install one release for each part of the accounts" .Capabilities.KubeVersion.Version) -}}
{{- end -}}

{{- if and (eq $source "secret") (not $values.credentials.secretName) -}}
{{- fail "credentials.secretName is empty: name the Secret that `vigie bootstrap --format k8s-secret --out - | kubectl apply -f -` made, or choose another credentials.source" -}}
{{- end -}}
{{- if and (eq $source "inline") (not (hasKey $values.credentials.inline $values.credentials.key)) -}}
{{- fail (printf "credentials.source is \"inline\" and credentials.inline has no file %q: put the text of a credentials file there, or better a Secret, with credentials.source=secret" $values.credentials.key) -}}
{{- end -}}
{{- if and (ne $source "inline") $values.credentials.inline -}}
{{- fail (printf "credentials.inline holds a key, and credentials.source is %q, which does not use it: remove it, or set credentials.source=inline" $source) -}}
{{- end -}}
{{- if and (eq $source "irsa") (not $values.credentials.roleArn) -}}
{{- fail "credentials.source is \"irsa\" and credentials.roleArn is empty: write the ARN of the role that the service account may assume" -}}
{{- end -}}
{{- if and (ne $source "irsa") $values.credentials.roleArn -}}
{{- fail (printf "credentials.roleArn is set, and credentials.source is %q, which does not use it: set credentials.source=irsa, or remove it" $source) -}}
{{- end -}}
{{- if and (eq $source "irsa") (not $values.serviceAccount.create) -}}
{{- fail "credentials.source is \"irsa\" and serviceAccount.create is false, so that nothing would be annotated: annotate that service account with the role yourself and set credentials.source=other" -}}
{{- end -}}

{{- with $values.podDisruptionBudget -}}
{{- if and .enabled .minAvailable -}}
{{- if ge (int .minAvailable) (int (include "vigie.pods" $)) -}}
{{- fail (printf "podDisruptionBudget.minAvailable is %d of %s pods, so that no node could ever be drained: use podDisruptionBudget.maxUnavailable" (int .minAvailable) (include "vigie.pods" $)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- end -}}
