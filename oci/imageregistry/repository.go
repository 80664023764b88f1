package imageregistry

import "net/http"

// repository is what a registry knows of one. The registry's lock guards it.
type repository struct {
	blobs     map[string]*content  // by digest
	manifests map[string]*manifest // by digest
	tags      map[string]string    // to digests
	uploads   map[string]*upload   // by id
}

// open returns a repository to write to. Whoever wrote nothing prunes it.
func (r *Registry) open(name string) *repository {
	repo := r.repositories[name]
	if repo == nil {
		repo = &repository{blobs: map[string]*content{}, manifests: map[string]*manifest{}, tags: map[string]string{}, uploads: map[string]*upload{}}
		r.repositories[name] = repo
	}
	return repo
}

// prune forgets a repository that holds nothing.
func (r *Registry) prune(name string) {
	if repo := r.repositories[name]; repo != nil && len(repo.blobs)+len(repo.manifests)+len(repo.uploads) == 0 { // a tag has a manifest
		delete(r.repositories, name)
	}
}

func unknownName(name string) *Error {
	return errorf(http.StatusNotFound, "NAME_UNKNOWN", "there is no repository %s", name)
}

// putBlob makes content that has its digest a blob, and its new user the repository.
func (r *Registry) putBlob(name, digest string, c *content) *Error {
	repo := r.open(name)
	defer r.prune(name)
	if repo.blobs[digest] != nil {
		return nil
	}
	if err := r.take(entry); err != nil {
		return err
	}
	repo.blobs[digest] = c.hold()
	return nil
}

// addBlob is putBlob for a registry that isn't locked.
func (r *Registry) addBlob(name, digest string, c *content) *Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.putBlob(name, digest, c)
}

func (r *Registry) removeBlob(repo *repository, digest string) {
	r.drop(repo.blobs[digest])
	delete(repo.blobs, digest)
	r.give(entry)
}

// removeManifest removes a manifest and its tags.
func (r *Registry) removeManifest(repo *repository, digest string) {
	r.drop(repo.manifests[digest].content)
	delete(repo.manifests, digest)
	r.give(entry)
	for tag, to := range repo.tags {
		if to == digest {
			r.removeTag(repo, tag)
		}
	}
}

func (r *Registry) removeTag(repo *repository, tag string) {
	delete(repo.tags, tag)
	r.give(entry)
}

func (r *Registry) removeUpload(repo *repository, id string) {
	r.drop(repo.uploads[id].content)
	delete(repo.uploads, id)
	r.give(entry)
}
