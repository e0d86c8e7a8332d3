{{- define "nodebound.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "nodebound.tag" -}}
{{- .Values.tag | default (printf "v%s" .Chart.AppVersion) -}}
{{- end -}}

{{- define "nodebound.image" -}}
{{- $image := printf "%s/nodebound-operator" (trimSuffix "/" .Values.registry) -}}
{{- if .Values.digests.operator -}}
{{- printf "%s@%s" $image .Values.digests.operator -}}
{{- else -}}
{{- printf "%s:%s" $image (include "nodebound.tag" .) -}}
{{- end -}}
{{- end -}}

{{- define "nodebound.labels" -}}
app.kubernetes.io/managed-by: nodebound
app.kubernetes.io/name: nodebound
app.kubernetes.io/part-of: nodebound
{{- end -}}
