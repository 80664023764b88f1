package keeper

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// LabelManagedBy marks a secret as this program's.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// LabelInstallation marks it as one installation's.
	LabelInstallation = "rise/installation"
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "rise-pull-secrets"

	// AnnotationProject is whose credential is in the secret.
	AnnotationProject = "rise/project"
	// AnnotationExpires is until when it works; RFC 3339, UTC. What doesn't expire has none.
	AnnotationExpires = "rise/expires-at"
	// AnnotationRenew is from when on another one is asked for; RFC 3339, UTC.
	AnnotationRenew = "rise/renew-at"
)

// Selector selects an installation's secrets.
func Selector(installation string) string {
	return LabelManagedBy + "=" + ManagedBy + "," + LabelInstallation + "=" + installation
}

// ours reports whether what has these labels is this installation's. Whoever may write a secret may write its labels: it proves nothing but that its owner
// lets us have it.
func ours(labels map[string]string, installation string) bool {
	return labels[LabelManagedBy] == ManagedBy && labels[LabelInstallation] == installation
}

// marks are what we say of a secret's content in its annotations.
type marks struct {
	project        string
	expires, renew time.Time
}

func readMarks(annotations map[string]string) marks {
	m := marks{project: annotations[AnnotationProject]}
	m.expires, _ = time.Parse(time.RFC3339, annotations[AnnotationExpires]) // what can't be read is zero, and renewed
	m.renew, _ = time.Parse(time.RFC3339, annotations[AnnotationRenew])
	return m
}

// mark returns o's metadata with ours. What others added stays.
func (m marks) mark(o metav1.ObjectMeta, installation string) metav1.ObjectMeta {
	labels, annotations := map[string]string{}, map[string]string{}
	for key, value := range o.Labels {
		labels[key] = value
	}
	for key, value := range o.Annotations {
		annotations[key] = value
	}
	labels[LabelManagedBy], labels[LabelInstallation] = ManagedBy, installation
	annotations[AnnotationProject], annotations[AnnotationRenew] = m.project, m.renew.UTC().Format(time.RFC3339)
	delete(annotations, AnnotationExpires)
	if !m.expires.IsZero() {
		annotations[AnnotationExpires] = m.expires.UTC().Format(time.RFC3339)
	}
	return metav1.ObjectMeta{
		Name: o.Name, Namespace: o.Namespace, UID: o.UID, ResourceVersion: o.ResourceVersion, Labels: labels, Annotations: annotations,
		Finalizers: o.Finalizers, OwnerReferences: o.OwnerReferences,
	}
}
