package providertest

import (
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// askers is how many goroutines ask for the same at once.
const askers = 8

func testConcurrentRequests(s *subject) {
	var requests []provider.Request
	for _, project := range projects() {
		requests = append(requests, s.requests(project)...)
	}
	answers := make([]answer, askers*len(requests))
	start := make(chan struct{})
	var asking sync.WaitGroup
	for i := range answers {
		asking.Go(func() {
			<-start
			r := requests[i%len(requests)]
			c, err := s.ask(s.Context(), r)
			if err == nil {
				_, err = s.name(r.Project, r.Consumer)
			}
			answers[i] = answer{c, err}
		})
	}
	close(start)
	asking.Wait()

	images := make(map[string]image)
	for _, project := range projects() {
		images[project] = s.publish(project)
	}
	for i, a := range answers {
		r := requests[i%len(requests)]
		err := a.err
		if err == nil {
			err = a.credentials.Check(r, time.Time{})
		}
		if err != nil {
			s.Errorf("Credentials(%s), one of many at once: %v", show(r), err)
			continue
		}
		s.wantOwn(s.holding(r, a.credentials), images[r.Project])
	}
}

// wantOwn checks that h can do with its own project's i what it was asked for, and no more.
func (s *subject) wantOwn(h holder, i image) {
	s.Helper()
	repository := s.repository(h.request.Project, h.request.Consumer)
	if err := h.manifest(repository, i); err != nil {
		s.Errorf("%s can't read its own image: %v", h.name, err)
	}
	err := h.upload(repository, s.newImage())
	switch {
	case h.request.Access == provider.Push && err != nil:
		s.Errorf("%s can't upload a layer to its own repository: %v", h.name, err)
	case h.request.Access != provider.Push && err == nil && s.reason(Isolation) == "":
		s.Errorf("%s can upload a layer", h.name)
	}
}

// testInstances checks that one provider knows nothing of another: what it keeps is its own, and ends with it.
func testInstances(s *subject) {
	s.chain() // ends
	other := s.another()
	for _, s := range []*subject{s, other} {
		i := s.publish("hello")
		for _, h := range s.holders("hello") {
			s.wantOwn(h, i)
		}
	}
	if err := s.closed(s.Provider); err != nil {
		s.Errorf("Close: %v", err)
	}
	other.publish("hello")
	other.publish("world")
}
