package imageregistry

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// store is what a registry holds. Methods whose comment doesn't say that they lock it want it locked.
type store struct {
	mu sync.Mutex
	memory
	repositories map[string]*repository // those that hold something
	swept        time.Time              // when idle uploads were looked for
}

// repository is what a store knows of one.
type repository struct {
	blobs     map[string]*content  // by digest
	manifests map[string]*manifest // by digest
	tags      map[string]string    // to digests
	uploads   map[string]*upload   // by id
}

// manifest is what a repository knows of one.
type manifest struct {
	*content
	mediaType string // as the client wrote it
	subject   string // the digest, or nothing
}

// upload is a blob on its way into one repository: what came of it so far, in chunks that came whole.
type upload struct {
	*content
	used time.Time // when it was begun or continued
}

const (
	entry    = 1 << 10   // what each thing counts for beside its content: its name, its repository's, its place in maps
	idleLife = time.Hour // of an upload, where room is needed
)

// reserve is take with an answer, and with uploads that are idle making room.
func (s *store) reserve(n int64) *Error {
	if s.take(n) {
		return nil
	}
	s.dropIdleUploads()
	if s.take(n) {
		return nil
	}
	return errorf(http.StatusRequestEntityTooLarge, "DENIED", "the registry is full: it holds at most %d bytes, in memory", s.limit)
}

// dropIdleUploads is for a registry that is full, which it would slow down if it looked each time.
func (s *store) dropIdleUploads() {
	now := time.Now()
	if now.Sub(s.swept) < time.Minute {
		return
	}
	s.swept = now
	for name, repo := range s.repositories {
		for id, up := range repo.uploads {
			if now.Sub(up.used) >= idleLife {
				s.removeUpload(repo, id)
			}
		}
		s.prune(name)
	}
}

// open returns a repository to write to, which has to be done at once: the next reserve may forget one that holds nothing.
func (s *store) open(name string) *repository {
	repo := s.repositories[name]
	if repo == nil {
		repo = &repository{blobs: map[string]*content{}, manifests: map[string]*manifest{}, tags: map[string]string{}, uploads: map[string]*upload{}}
		s.repositories[name] = repo
	}
	return repo
}

// prune forgets a repository that holds nothing.
func (s *store) prune(name string) {
	if repo := s.repositories[name]; repo != nil && len(repo.blobs)+len(repo.manifests)+len(repo.uploads) == 0 { // a tag has a manifest
		delete(s.repositories, name)
	}
}

// putBlob makes content that has its digest a blob, and its new user the repository.
func (s *store) putBlob(name, digest string, c *content) *Error {
	if repo := s.repositories[name]; repo != nil && repo.blobs[digest] != nil {
		return nil
	}
	if err := s.reserve(entry); err != nil {
		return err
	}
	s.open(name).blobs[digest] = c.hold()
	return nil
}

// addBlob locks the store for putBlob.
func (s *store) addBlob(name, digest string, c *content) *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.putBlob(name, digest, c)
}

func (s *store) removeBlob(repo *repository, digest string) {
	s.drop(repo.blobs[digest])
	delete(repo.blobs, digest)
	s.give(entry)
}

// removeManifest removes a manifest and its tags.
func (s *store) removeManifest(repo *repository, digest string) {
	s.drop(repo.manifests[digest].content)
	delete(repo.manifests, digest)
	s.give(entry)
	for tag, to := range repo.tags {
		if to == digest {
			s.removeTag(repo, tag)
		}
	}
}

func (s *store) removeTag(repo *repository, tag string) {
	delete(repo.tags, tag)
	s.give(entry)
}

func (s *store) removeUpload(repo *repository, id string) {
	s.drop(repo.uploads[id].content)
	delete(repo.uploads, id)
	s.give(entry)
}

// sent locks the store for drop.
func (s *store) sent(c *content) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(c)
}

// names locks the store, and lists the repositories that have a blob, or all without one.
func (s *store) names(blob string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, repo := range s.repositories {
		if blob == "" || repo.blobs[blob] != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// link locks the store, and gives a repository another one's blob.
func (s *store) link(into, source, digest string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	repo := s.repositories[source]
	return repo != nil && repo.blobs[digest] != nil && s.putBlob(into, digest, repo.blobs[digest]) == nil
}
