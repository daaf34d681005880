{{- define "vigie.pod" -}}
{{- $secretName := include "vigie.secretName" . -}}
serviceAccountName: {{ include "vigie.serviceAccountName" . }}
automountServiceAccountToken: false
# A service called vigie would set variables that look like settings.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
containers:
  - name: vigie
    image: {{ include "vigie.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
      - run
      - --config
      - /etc/vigie/settings/vigie.yaml
      {{- with .Values.extraArgs }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    env:
      # Over the image's own.
      - name: VIGIE_LISTEN
        value: {{ printf "%s:%d" .Values.web.host (int .Values.web.port) | quote }}
      {{- if $secretName }}
      # What is handed over there is the group's to read; and what a relative `credentials_file` or `web_config_file`
      # is below.
      - name: CREDENTIALS_DIRECTORY
        value: /etc/vigie/credentials
      {{- end }}
      {{- if .Values.sharding.enabled }}
      - name: POD_INDEX
        valueFrom:
          fieldRef:
            fieldPath: metadata.labels['apps.kubernetes.io/pod-index']
      - name: VIGIE__SHARD
        value: "$(POD_INDEX)/{{ .Values.sharding.total }}"
      {{- end }}
      {{- with .Values.log }}
      - name: VIGIE_LOG
        value: {{ . | quote }}
      {{- end }}
      {{- with .Values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- with .Values.extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    ports:
      - name: metrics
        containerPort: {{ .Values.web.port }}
        protocol: TCP
    # Whether the process answers; a cloud that does not is no reason to start it again.
    livenessProbe:
      {{- include "vigie.probe" (dict "path" "/-/healthy" "values" .Values) | nindent 6 }}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 3
    # Once every kind has been tried, so that whoever asks the Service gets the whole page.
    readinessProbe:
      {{- include "vigie.probe" (dict "path" "/-/ready" "values" .Values) | nindent 6 }}
      periodSeconds: 5
      timeoutSeconds: 5
      failureThreshold: 1
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
    volumeMounts:
      - name: settings
        mountPath: /etc/vigie/settings
        readOnly: true
      {{- if $secretName }}
      - name: credentials
        mountPath: /etc/vigie/credentials
        readOnly: true
      {{- end }}
      {{- with .Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: settings
    configMap:
      name: {{ include "vigie.fullname" . }}
  {{- with $secretName }}
  - name: credentials
    secret:
      secretName: {{ . }}
      # Octal 0440: root's, and readable to the pod's fsGroup, which a kubelet would add to 0400 anyway.
      defaultMode: 288
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- $own := dict "labelSelector" (dict "matchLabels" (include "vigie.selectorLabels" $ | fromYaml)) }}
  {{- range . }}
  - {{- ternary . (merge (deepCopy .) $own) (hasKey . "labelSelector") | toYaml | nindent 4 }}
  {{- end }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "vigie.probe" -}}
{{- $probes := default (ternary "exec" "http" (not (empty .values.settings.web_config_file))) .values.web.probes -}}
{{- if eq $probes "tcp" -}}
tcpSocket:
  port: metrics
{{- else if eq $probes "exec" -}}
exec:
  command:
    - /vigie
    - health
    - --url
    - {{ printf "http://%s:%d%s" (ternary "[::1]" "127.0.0.1" (eq .values.web.host "[::]")) (int .values.web.port) .path }}
{{- else -}}
httpGet:
  path: {{ .path }}
  port: metrics
  scheme: HTTP
{{- end -}}
{{- end -}}
