package providertest

import (
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// isolated skips the test where nothing isolates. That is no excuse for a secret: only what the client has anyway may open
// more than was asked for.
func (s *subject) isolated() {
	s.Helper()
	if s.reason(Isolation) == "" {
		return
	}
	requests := s.requests(projects()[0])
	if s.reason(AllProjects) == "" {
		requests = append(requests, provider.Request{AllProjects: true, Access: provider.Pull})
	}
	for _, r := range requests {
		if c := s.issue(r); c.Method != provider.ClientLogin {
			s.Fatalf("Cannot[%q] is declared, but Credentials(%s) hands out %v: without isolation it may only be %v",
				Isolation, show(r), c.Method, provider.ClientLogin)
		}
	}
	s.need(Isolation)
}

func testPushOwn(s *subject) {
	for _, project := range projects() {
		i := s.publish(project)
		owner := s.hold(provider.Request{Project: project, Access: provider.Push})
		repository := s.repository(project, provider.Client)
		for _, write := range writes() {
			if err := write.do(owner, repository, s.newImage()); err != nil {
				s.Errorf("%s can't %s: %v", owner.name, write.name, err)
			}
		}
		if err := owner.retag(repository, i); err != nil {
			s.Errorf("%s can't tag its image anew: %v", owner.name, err)
		}
	}
}

func testPullOwn(s *subject) {
	for _, project := range projects() {
		i := s.publish(project)
		for _, h := range s.holders(project) {
			s.wantReads(h, s.repository(project, h.request.Consumer), i, true)
		}
	}
}

func testPullCannotPush(s *subject) {
	s.isolated()
	s.need(PullOnly)
	for _, project := range projects() {
		i := s.publish(project)
		for _, h := range s.holders(project) {
			if h.request.Access != provider.Push {
				s.wantNoWrites(h, s.repository(project, h.request.Consumer), i)
				s.wantUndeleted(h, project, i)
			}
		}
	}
}

// intruders calls try with each holder of a credential for one project, and the image of each other project.
func (s *subject) intruders(try func(h holder, victim string, i image)) {
	s.Helper()
	s.isolated()
	images, hs := make(map[string]image), make(map[string][]holder)
	for _, project := range projects() {
		images[project], hs[project] = s.publish(project), s.holders(project)
	}
	for _, project := range projects() {
		for _, victim := range projects() {
			for _, h := range hs[project] {
				if victim != project {
					try(h, victim, images[victim])
				}
			}
		}
	}
}

func testPushAnother(s *subject) {
	s.intruders(func(h holder, victim string, i image) {
		s.wantNoWrites(h, s.repository(victim, h.request.Consumer), i)
	})
}

func testPullAnother(s *subject) {
	s.intruders(func(h holder, victim string, i image) {
		s.wantReads(h, s.repository(victim, h.request.Consumer), i, false)
	})
}

func testListAnother(s *subject) {
	s.intruders(func(h holder, victim string, _ image) {
		repository := s.repository(victim, h.request.Consumer)
		_, err := remote.List(repository, h.options...)
		s.wantRefusal(h, "list the tags", repository, err)
		catalog, err := remote.Catalog(s.Context(), repository.Registry, h.options...)
		if err == nil && slices.Contains(catalog, repository.RepositoryStr()) {
			s.Errorf("%s sees %s in the registry's catalog", h.name, repository)
		}
	})
}

func testMountAnother(s *subject) {
	s.intruders(func(h holder, victim string, i image) {
		own := s.repository(h.request.Project, h.request.Consumer)
		from := s.repository(victim, h.request.Consumer)
		if err := h.mount(own, from, i); err == nil {
			s.Errorf("%s can mount a layer of %s into %s", h.name, from, own)
		}
		s.wantRefusal(h, "download "+victim+"'s layer", own, h.download(own, i))
	})
}

func testDeleteAnother(s *subject) {
	s.intruders(func(h holder, victim string, i image) { s.wantUndeleted(h, victim, i) })
}

// wantUndeleted checks that h can't delete i: by what is there afterwards, as a registry may not know deletion at all.
func (s *subject) wantUndeleted(h holder, project string, i image) {
	s.Helper()
	repository := s.repository(project, h.request.Consumer)
	if err := remote.Delete(repository.Tag(i.tag()), h.options...); err == nil {
		s.Errorf("%s can delete a tag at %s", h.name, repository)
	}
	if err := remote.Delete(repository.Digest(i.digest.String()), h.options...); err == nil {
		s.Errorf("%s can delete an image at %s", h.name, repository)
	}
	owner := s.hold(provider.Request{Project: project, Access: provider.Push})
	if err := owner.manifest(s.repository(project, provider.Client), i); err != nil {
		s.Errorf("%s tried to delete at %s, and its owner can't read the image: %v", h.name, repository, err)
	}
}

func testAllProjects(s *subject) {
	r := provider.Request{AllProjects: true, Access: provider.Pull}
	s.need(AllProjects)
	h := s.hold(r)
	for _, project := range projects() {
		i, repository := s.publish(project), s.repository(project, provider.Client)
		s.wantReads(h, repository, i, true)
		if s.reason(Isolation) == "" {
			s.wantNoWrites(h, repository, i)
			s.wantUndeleted(h, project, i)
		}
	}
}

// testFormerOwner: two projects had one name after the other. Both ask beforehand, so that whoever keeps credentials without
// regard to the id gives the one the other's.
func testFormerOwner(s *subject) {
	s.need(ProjectIDs)
	const project = "a"
	s.create(project)
	s.handOver(project, "p-1")
	of := make(map[string][]holder)
	for _, r := range s.requests(project) {
		for _, id := range []string{"p-1", "p-2"} {
			r.ProjectID = id
			of[id] = append(of[id], s.hold(r))
		}
	}
	i := s.newImage()
	if err := of["p-1"][0].push(s.repository(project, provider.Client), i); err != nil {
		s.Errorf("%s can't push its own image: %v", of["p-1"][0].name, err)
	}
	for _, h := range of["p-1"] {
		s.wantReads(h, s.repository(project, h.request.Consumer), i, true)
	}
	s.handOver(project, "p-2")
	for _, h := range append(of["p-1"], s.hold(provider.Request{Project: project, ProjectID: "p-1", Access: provider.Push})) {
		repository := s.repository(project, h.request.Consumer)
		s.wantReads(h, repository, i, false)
		s.wantNoWrites(h, repository, i)
	}
	if err := of["p-2"][0].push(s.repository(project, provider.Client), i); err != nil {
		s.Errorf("%s can't push its own image: %v", of["p-2"][0].name, err)
	}
	for _, h := range of["p-2"] {
		s.wantReads(h, s.repository(project, h.request.Consumer), i, true)
	}
}

func (s *subject) handOver(project, id string) {
	s.Helper()
	if err := s.HandOver(project, id); err != nil {
		s.Fatalf("the harness can't give %q to %q: %v", project, id, err)
	}
}

// testSuspended: whoever got a credential before has no use for it after, nor for one that is got now. Nobody else is hit.
func testSuspended(s *subject) {
	s.need(Suspension)
	const project, other = "a", "ab"
	i, others := s.publish(project), s.publish(other)
	before, hit := s.holders(project), s.holders(other)
	var all []holder
	if s.reason(AllProjects) == "" {
		all = append(all, s.hold(provider.Request{AllProjects: true, Access: provider.Pull}))
	}
	for _, h := range slices.Concat(before, all) { // it isn't for want of a registry that it is refused later
		s.wantReads(h, s.repository(project, h.request.Consumer), i, true)
	}
	if err := s.Suspend(project); err != nil {
		s.Fatalf("the harness can't suspend %q: %v", project, err)
	}
	for _, r := range s.requests(project) { // it may be refused already
		if c, err := s.ask(s.Context(), r); err == nil {
			before = append(before, s.holding(r, c))
		}
	}
	for _, h := range slices.Concat(before, all) {
		repository := s.repository(project, h.request.Consumer)
		s.wantReads(h, repository, i, false)
		s.wantNoWrites(h, repository, i)
	}
	for _, h := range slices.Concat(hit, all) {
		s.wantReads(h, s.repository(other, h.request.Consumer), others, true)
	}
}
