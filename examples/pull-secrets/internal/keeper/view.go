package keeper

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// digestKey is the key below which a secret has, in memory, a digest in the place of its content: this process needs no tenant's credentials.
const digestKey = "digest"

// emptied is what a secret holds that can't be removed, as somebody's finalizer keeps it.
const emptied = `{"auths":{}}`

// digests makes digests that mean something to this process alone.
type digests struct{ key []byte }

// of returns the digest of a content; "" if it isn't what we write.
func (d digests) of(data map[string][]byte) string {
	content, ok := data[corev1.DockerConfigJsonKey]
	if !ok || len(data) != 1 {
		return ""
	}
	h := hmac.New(sha256.New, d.key)
	h.Write(content)
	return string(h.Sum(nil))
}

func (d digests) payload(content []byte) string {
	return d.of(map[string][]byte{corev1.DockerConfigJsonKey: content})
}

// strip takes a secret's content out of it.
func (d digests) strip(s *corev1.Secret) {
	if _, done := s.Data[digestKey]; !done || len(s.Data) != 1 {
		s.Data = map[string][]byte{digestKey: []byte(d.of(s.Data))}
	}
	s.StringData, s.ManagedFields = nil, nil
}

// view is what is known of one of our secrets.
type view struct {
	marks
	meta   metav1.ObjectMeta
	digest string
	fixed  bool // it can't be changed into what it has to be: it is immutable, or of another type
	ending bool // it is deleted, but for its finalizers
	empty  bool
}

func (d digests) view(s *corev1.Secret) *view {
	d.strip(s)
	v := &view{marks: readMarks(s.Annotations), meta: s.ObjectMeta, digest: string(s.Data[digestKey])}
	v.fixed = s.Type != corev1.SecretTypeDockerConfigJson || s.Immutable != nil && *s.Immutable
	v.ending = s.DeletionTimestamp != nil
	v.empty = v.digest == d.payload([]byte(emptied))
	return v
}

func (v *view) uid() types.UID { return v.meta.UID }

// expired reports whether its credential's time is over.
func (v *view) expired(now time.Time) bool { return !v.expires.IsZero() && !v.expires.After(now) }

// newer reports whether v is a later version of the object than w. Versions that can't be compared come as the API server sent them.
func (v *view) newer(w *view) bool {
	if w == nil || v.uid() != w.uid() {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(v.meta.ResourceVersion, w.meta.ResourceVersion)
	return err != nil || order >= 0
}

// same reports whether v holds and says what w does.
func (v *view) same(w *view) bool {
	return v.digest == w.digest && v.project == w.project && v.expires.Equal(w.expires) && v.renew.Equal(w.renew) && v.fixed == w.fixed
}
