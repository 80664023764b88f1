{{- define "rise-registry.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "rise-registry.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rise-registry.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "rise-registry.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "rise-registry.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "rise-registry.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "rise-registry.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* What of the configuration is the chart's goes over the values'. */}}
{{- define "rise-registry.config" -}}
{{- $server := dict "listen" ":3000" }}
{{- if .Values.tls.existingSecret }}
{{- $_ := set $server "tls" (dict "cert_file" "/etc/rise-tls/tls.crt" "key_file" "/etc/rise-tls/tls.key") }}
{{- else }}
{{- $_ := set $server "insecure" true }}
{{- end }}
{{- with .Values.metrics.port }}
{{- $_ := set $server "metrics_listen" (printf ":%d" (int .)) }}
{{- end }}
{{- mergeOverwrite (deepCopy .Values.config) (dict "server" $server) | toYaml }}
{{- end }}

{{- /* The time to go on serving, that of the longest request, and some more. */}}
{{- define "rise-registry.grace" -}}
{{- $server := .Values.config.server | default dict }}
{{- add (trimSuffix "s" ($server.drain | default "5s") | int) 35 10 }}
{{- end }}

{{- define "rise-registry.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "rise-registry.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "rise-registry.env" -}}
- {name: RISE_CONFIG_DIR, value: /etc/rise}
- {name: RISE_CONFIG_RUN_MODE, value: production}
{{- if ne .Values.aws.identity "none" }}
- {name: AWS_EC2_METADATA_DISABLED, value: "true"} # without its own identity it has none, rather than the node's
{{- end }}
{{- range $name, $value := .Values.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- range $name, $from := .Values.secretEnv }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $from.existingSecret | quote }}, key: {{ $from.key | quote }}}}
{{- end }}
{{- end }}

{{- define "rise-registry.mounts" -}}
- {name: config, mountPath: /etc/rise, readOnly: true}
{{- if .Values.tls.existingSecret }}
- {name: tls, mountPath: /etc/rise-tls, readOnly: true}
{{- end }}
{{- range $name, $from := .Values.secretFiles }}
- {name: secret-{{ $name }}, mountPath: /etc/rise-secrets/{{ $name }}, readOnly: true}
{{- end }}
{{- end }}

{{- define "rise-registry.volumes" -}}
- {name: config, configMap: {name: {{ include "rise-registry.name" . }}}}
{{- with .Values.tls.existingSecret }}
- {name: tls, secret: {secretName: {{ . | quote }}, defaultMode: 0440}}
{{- end }}
{{- range $name, $from := .Values.secretFiles }}
- {name: secret-{{ $name }}, secret: {secretName: {{ $from.existingSecret | quote }}, defaultMode: 0440}}
{{- end }}
{{- end }}
