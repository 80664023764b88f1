package keeper

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// step is what has to be done next with a namespace's secret.
type step int

const (
	rest   step = iota // nothing until a time, or until something changes
	remove             // it isn't to be there
	blank              // it can't be removed, and its content isn't to be there
	ask                // a credential is needed
)

// longestWait is how far ahead a secret may say that it is to be renewed: its annotations are anybody's who may write it, and more than a
// credential's life is nobody's.
const longestWait = 24 * time.Hour

// situation is all that a decision is made of.
type situation struct {
	there   bool   // the namespace is
	ending  bool   // the namespace is being deleted
	project string // that it is mapped to; "" if to none
	secret  *view  // nil if there is none of ours
	wrote   *view  // as this process last wrote it, or found it when it began to lead; nil if neither
	refused bool   // the endpoint's last answer was that there is none for this project
	fights  int    // since the mapping changed
	notNow  time.Time
}

// situation is the namespace's. The error says why it is mapped to nothing.
func (k *Keeper) situation(namespace string) (s situation, problem error) {
	object, _, _ := k.namespaces.GetByKey(namespace) // a store in memory doesn't fail
	if n, ok := object.(*corev1.Namespace); ok {
		s.there, s.ending = true, n.DeletionTimestamp != nil
		s.project, problem = k.Mapping.Project(namespace, n.Labels)
	}
	k.states.with(namespace, func(st *state) {
		if st.project != s.project { // what went wrong with another project says nothing of this one
			*st = state{project: s.project, secret: st.secret, wrote: st.wrote, said: st.said, saidAt: st.saidAt, trouble: st.trouble}
		}
		s.secret, s.wrote, s.refused, s.notNow, s.fights = st.secret, st.wrote, st.refused, st.notNow, st.fights
	})
	return s, problem
}

// decision is a step, why, and, for rest, until when; the zero time if only a change matters.
type decision struct {
	step  step
	why   string
	until time.Time
}

func (s situation) decide(now time.Time) decision {
	v := s.secret
	switch {
	case v != nil && s.fights > 0 && s.notNow.After(now) && (v.fixed || v.project != s.project): // it was removed before, and somebody made it again
		return decision{step: rest, until: s.notNow}
	case v != nil && v.ending && (v.empty || v.fixed || s.project == v.project):
		return decision{step: rest}
	case v != nil && v.ending:
		return decision{step: blank, why: "it is another project's, and a finalizer keeps it"}
	case v != nil && s.project == "" && s.there:
		return decision{step: remove, why: "the namespace isn't mapped to a project any longer"}
	case v != nil && s.project != v.project && s.there:
		return decision{step: remove, why: "the namespace is mapped to another project"}
	case s.project == "" || !s.there || s.ending:
		return decision{step: rest}
	case v != nil && v.fixed:
		return decision{step: remove, why: "it has another type, or is immutable"}
	case v != nil && s.refused && v.expired(now):
		return decision{step: remove, why: "it expired, and the project gets no other one"}
	}
	due, why := s.due(now)
	at := due
	if s.notNow.After(at) {
		at = s.notNow
	}
	if at.After(now) {
		if s.refused && v != nil && v.expires.After(now) && v.expires.Before(at) {
			at = v.expires
		}
		return decision{step: rest, until: at}
	}
	return decision{step: ask, why: why}
}

// due is from when on a credential is needed; a time that is over: now.
func (s situation) due(now time.Time) (at time.Time, why string) {
	v := s.secret
	switch {
	case v == nil && s.wrote != nil:
		return time.Time{}, whyDeleted
	case v == nil:
		return time.Time{}, whyNone
	case s.wrote == nil || s.wrote.uid() != v.uid() || !s.wrote.same(v):
		return time.Time{}, whyChanged
	case v.digest == "" || v.renew.After(now.Add(longestWait)) || !v.expires.IsZero() && v.renew.After(v.expires):
		return time.Time{}, "it isn't as it was written"
	}
	return v.renew, whyDue
}

// Why a credential is needed, where that matters later.
const (
	whyDue     = "it is time"
	whyNone    = "there is none"
	whyDeleted = "somebody deleted it"
	whyChanged = "somebody changed it"
)
